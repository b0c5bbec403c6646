package store_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

func mustCompact(t *testing.T, dir string, o store.CompactOptions) store.Compacted {
	t.Helper()
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	defer w.Close()
	s, err := w.Snapshot()
	must(t, err)
	sum, err := w.Compact(context.Background(), store.PlanCompaction(s, o), store.Run{RunID: store.NewRunID(time.Now()), Outcome: "complete", Verb: "compact"}, nil)
	must(t, err)
	return sum
}

func snapshotNow(t *testing.T, dir string) *store.Snapshot {
	t.Helper()
	l, err := store.Open(dir)
	must(t, err)
	defer l.Close()
	return l.Snapshot()
}

func TestACompactedLakeHasOneFileACellAndTheSameRows(t *testing.T) {
	dir := storetest.Dir(t)
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	before := storetest.Read(t, dir)
	sum := mustCompact(t, dir, store.CompactOptions{All: true})
	if diff := cmp.Diff(before, storetest.Read(t, dir)); diff != "" {
		t.Errorf("(- before, + after):\n%s", diff)
	}
	s := snapshotNow(t, dir)
	cells := map[store.Partition]int{}
	for _, f := range s.Files {
		cells[f.Partition]++
		if f.Level != store.DenseLevel {
			t.Errorf("%s has level %d", f.Path, f.Level)
		}
	}
	for p, n := range cells {
		if n != 1 {
			t.Errorf("%s has %d files", p, n)
		}
	}
	if len(s.Revisions) != 1 || len(s.Quarantine) != 1 {
		t.Errorf("%d files of revisions, %d of quarantine", len(s.Revisions), len(s.Quarantine))
	}
	if sum.Before <= sum.After || sum.Receipt.Head != s.Head {
		t.Errorf("%+v", sum)
	}
	onlyNamedFiles(t, dir)
	if again := mustCompact(t, dir, store.CompactOptions{All: true}); again.Merges != 0 || snapshotNow(t, dir).Version != s.Version {
		t.Errorf("a second time there is something to do: %+v", again)
	}
}

// Other programs that follow a table's changes must see none.
func TestACompactionIsNoChangeOfData(t *testing.T) {
	dir := storetest.Dir(t)
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	receipt := mustCompact(t, dir, store.CompactOptions{All: true}).Receipt
	data, err := os.ReadFile(filepath.Join(dir, logDir, delta.EntryName(receipt.Version)))
	must(t, err)
	actions, err := delta.Decode(data)
	must(t, err)
	for _, a := range actions {
		if a.Add != nil && a.Add.DataChange || a.Remove != nil && a.Remove.DataChange {
			t.Errorf("%+v changes data", a)
		}
		if a.CommitInfo != nil {
			var info struct{ Operation string }
			must(t, json.Unmarshal(a.CommitInfo, &info))
			if info.Operation != "OPTIMIZE" {
				t.Errorf("it is called %q", info.Operation)
			}
		}
	}
}

func TestAReaderUnderWayIsNotDisturbedByACompaction(t *testing.T) {
	dir := storetest.Dir(t)
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	reader, err := store.Open(dir)
	must(t, err)
	mustCompact(t, dir, store.CompactOptions{All: true})
	for _, f := range reader.Snapshot().Files {
		n := int64(0)
		must(t, store.ReadRows(context.Background(), filepath.Join(dir, f.Path), func(*store.Row) error { n++; return nil }))
		if n != f.Rows {
			t.Errorf("%s has %d rows of %d", f.Path, n, f.Rows)
		}
	}
	reader.Close()
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	w.Close()
	onlyNamedFiles(t, dir)
}

func TestDuplicatesAreKnownInACompactedLake(t *testing.T) {
	dir := storetest.Dir(t)
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	mustCompact(t, dir, store.CompactOptions{All: true})
	before := storetest.Read(t, dir)
	must(t, perform(dir, store.WriterOptions{}, "again", manyFiles, func() {}))
	if diff := cmp.Diff(before, storetest.Read(t, dir)); diff != "" {
		t.Errorf("the same again (- before, + after):\n%s", diff)
	}
	// A payload that moves out of a compacted file.
	receipt := storetest.Ingest(t, dir, store.WriterOptions{}, moved(few(2, 1)[0], 5))
	if receipt.Run.Revisions != 1 {
		t.Errorf("%+v", receipt.Run)
	}
}

func TestAPlanOfAnotherVersionIsNotCarriedOut(t *testing.T) {
	dir := storetest.Dir(t)
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	plan := store.PlanCompaction(snapshotNow(t, dir), store.CompactOptions{All: true})
	storetest.Ingest(t, dir, store.WriterOptions{}, few(50, 1)...)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	defer w.Close()
	if _, err := w.Compact(context.Background(), plan, store.Run{RunID: "late"}, nil); err == nil || !strings.Contains(err.Error(), "plan it again") {
		t.Errorf("%v", err)
	}
}

func TestARowThatIsNotWhatItWasStopsACompaction(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, perform(dir, store.WriterOptions{}, "before", manyFiles, func() {}))
	s := snapshotNow(t, dir)
	path := filepath.Join(dir, s.Files[0].Path)
	must(t, os.Chmod(path, 0o600))
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, data[:len(data)/2], 0o600))
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	defer w.Close()
	_, err = w.Compact(context.Background(), store.PlanCompaction(s, store.CompactOptions{All: true}), store.Run{RunID: "R"}, nil)
	if err == nil || !strings.Contains(err.Error(), s.Files[0].Path) {
		t.Errorf("a torn file: %v", err)
	}
	if now := snapshotNow(t, dir); now.Version != s.Version {
		t.Errorf("entry %d was written", now.Version)
	}
}
