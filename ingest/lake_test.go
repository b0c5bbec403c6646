package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"mdcalake/ingest"
	"mdcalake/store"
)

// lakeDir is a place for a lake, which is verified when the test ends.
func lakeDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	t.Cleanup(func() {
		if _, err := os.Stat(dir); err != nil {
			return
		}
		_, err := store.Verify(context.Background(), dir, store.VerifyOptions{Lift: ingest.Lift}, func(p store.Problem) { t.Errorf("verify: %s", p) })
		if err != nil {
			t.Errorf("verify: %v", err)
		}
	})
	return dir
}

// row is what the tests look at in a row of any table.
type row struct {
	bytes          string
	page, position int32
	run            string
}

// contents are the rows of a lake.
type contents struct {
	snapshot                          *store.Snapshot
	activities, revisions, quarantine []row
}

// snapshot is what a lake says of itself.
func snapshot(t testing.TB, dir string) *store.Snapshot {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Snapshot()
}

func read(t testing.TB, dir string) contents {
	t.Helper()
	c := contents{snapshot: snapshot(t, dir)}
	rows := func(files []store.File) (out []row) {
		for _, f := range files {
			err := store.ReadRows(context.Background(), filepath.Join(c.snapshot.Root, filepath.FromSlash(f.Path)), func(r *store.Row) error {
				out = append(out, row{bytes: string(r.Verbatim()), page: r.Page, run: r.RunID})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	c.activities, c.revisions = rows(c.snapshot.Files), rows(c.snapshot.Revisions)
	for _, file := range c.snapshot.Quarantine {
		f, err := os.Open(filepath.Join(c.snapshot.Root, filepath.FromSlash(file.Path)))
		if err != nil {
			t.Fatal(err)
		}
		table, err := pqarrow.ReadTable(context.Background(), f, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		reader := array.NewTableReader(table, 0)
		for reader.Next() {
			b := reader.RecordBatch()
			column := func(name string) int { return b.Schema().FieldIndices(name)[0] }
			for i := range int(b.NumRows()) {
				c.quarantine = append(c.quarantine, row{
					bytes: string(b.Column(column("bytes")).(*array.Binary).Value(i)), run: b.Column(column("run_id")).(*array.String).Value(i),
					page: b.Column(column("page")).(*array.Int32).Value(i), position: b.Column(column("position")).(*array.Int32).Value(i),
				})
			}
		}
		reader.Release()
		table.Release()
	}
	return c
}

// entry is what an entry of the log holds of ours.
type entry struct {
	Run      store.Run         `json:"run"`
	Pages    []store.PageFact  `json:"pages"`
	Coverage []store.Rectangle `json:"coverage"`
	Cursors  []store.Cursor    `json:"cursors"`
}

// entries reads the log; a lake that was not made has none.
func entries(t testing.TB, dir string) []entry {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "activities", "_delta_log", "0*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var action struct {
				CommitInfo *struct {
					Mdcalake entry `json:"mdcalake"`
				} `json:"commitInfo"`
			}
			if err := json.Unmarshal(line, &action); err != nil {
				t.Fatal(err)
			}
			if action.CommitInfo != nil {
				out = append(out, action.CommitInfo.Mdcalake)
			}
		}
	}
	return out
}

// lastRun is the newest run of the ledger.
func lastRun(t testing.TB, dir string) store.Run {
	t.Helper()
	e := entries(t, dir)
	if len(e) == 0 {
		t.Fatal("no entry in the log")
	}
	return e[len(e)-1].Run
}
