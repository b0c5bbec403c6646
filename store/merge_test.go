package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// sorted gives rows the times of one hour, few enough that some are equal,
// and puts them in order.
func sorted(t *rapid.T, rows []*store.Row, file int) {
	for i, r := range rows {
		r.SetNumber(store.Timestamp, base+int64(rapid.IntRange(0, 9).Draw(t, "time")))
		r.Ingested, r.RunID, r.Page = base+int64(file), fmt.Sprint("run-", file), int32(i)
	}
	slices.SortStableFunc(rows, func(a, b *store.Row) int {
		return int(a.Numbers[store.Timestamp] - b.Numbers[store.Timestamp])
	})
}

func compareMerged(t testing.TB, name string, want, have *store.Row) {
	t.Helper()
	compareRows(t, name, want, have)
	if want.Ingested != have.Ingested || want.RunID != have.RunID {
		t.Errorf("%s: ingested %d by %q, want %d by %q", name, have.Ingested, have.RunID, want.Ingested, want.RunID)
	}
}

func TestAMergeHasTheRowsOfItsFilesInTheOrderOfTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lent := tb{t, rt}
		dir, err := os.MkdirTemp("", "merge")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var want []*store.Row
		var paths []string
		for i, rows := range rapid.SliceOfN(rapid.SliceOfN(anyRow, 1, 12), 1, store.MergeInputs).Draw(rt, "files") {
			sorted(rt, rows, i)
			paths = append(paths, fmt.Sprint("in-", i))
			if err := store.WriteRows(filepath.Join(dir, paths[i]), rows); err != nil {
				rt.Fatal(err)
			}
			want = append(want, rows...)
		}
		slices.SortStableFunc(want, func(a, b *store.Row) int {
			return int(a.Numbers[store.Timestamp] - b.Numbers[store.Timestamp])
		})
		outputs, err := store.MergeCell(context.Background(), dir, paths, math.MaxInt64)
		if err != nil || len(outputs) != 1 {
			rt.Fatalf("%v, %v", outputs, err)
		}
		n := 0
		err = store.ReadRows(context.Background(), filepath.Join(dir, outputs[0]), func(r *store.Row) error {
			if n < len(want) {
				compareMerged(lent, fmt.Sprint("row ", n), want[n], r)
			}
			n++
			return nil
		})
		if err != nil || n != len(want) {
			rt.Errorf("%d rows of %d, %v", n, len(want), err)
		}
	})
}

// small are n small rows, one in a millisecond.
func small(n int, first int64) []*store.Row {
	rows := make([]*store.Row, n)
	for i := range rows {
		rows[i] = newRow(fmt.Sprintf(`{"n":%d}`, i), first+int64(i)).Row
		rows[i].RunID, rows[i].Ingested = "run", base
	}
	return rows
}

func TestAMergeThatIsTooLargeBecomesSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		if err := store.WriteRows(filepath.Join(dir, fmt.Sprint("in-", i)), small(store.RowGroupRows, base)); err != nil {
			t.Fatal(err)
		}
	}
	outputs, err := store.MergeCell(context.Background(), dir, []string{"in-0", "in-1"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs) != 2 {
		t.Errorf("%d files, want one for each row group", len(outputs))
	}
	last := int64(0)
	for _, path := range outputs {
		err := store.ReadRows(context.Background(), filepath.Join(dir, path), func(r *store.Row) error {
			if r.Numbers[store.Timestamp] < last {
				return errors.New("the files are not in the order of time")
			}
			last = r.Numbers[store.Timestamp]
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAMergeIsRefused(t *testing.T) {
	unknown := append(slices.Clone(store.Columns), store.Column{Name: "of_tomorrow", Type: store.TypeString})
	back := small(3, base)
	back[0], back[2] = back[2], back[0]
	for name, c := range map[string]struct {
		rows    []*store.Row
		columns []store.Column
		files   int
		say     string
	}{
		"when a file is out of order":               {back, store.Columns, 1, "out of the order of time"},
		"when it would lose a column":               {small(3, base), unknown, 1, `a column "of_tomorrow" that this version does not know`},
		"when it is of more files than are open":    {small(3, base), store.Columns, store.MergeInputs + 1, "the most is"},
		"when a file is missing, and leaves no one": {nil, store.Columns, 1, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.rows != nil {
				if err := store.WriteRowsAs(filepath.Join(dir, "in"), c.columns, c.rows, nil); err != nil {
					t.Fatal(err)
				}
			}
			_, err := store.MergeCell(context.Background(), dir, slices.Repeat([]string{"in"}, c.files), math.MaxInt64)
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want something with %q", err, c.say)
			}
		})
	}
}

func TestAMergeStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	if err := store.WriteRows(filepath.Join(dir, "in"), small(3, base)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := store.MergeCell(ctx, dir, []string{"in", "in"}, math.MaxInt64); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWhatAMergeWroteIsReadAgain(t *testing.T) {
	text := func(r *store.Row, with string) { r.Text = []byte(strings.Replace(string(r.Text), `{"n":1}`, with, 1)) }
	for name, c := range map[string]struct {
		change func(rows []*store.Row) []*store.Row
		say    string
	}{
		"the same in another order": {func(r []*store.Row) []*store.Row { r[0], r[1] = r[1], r[0]; return r }, ""},
		"a row less":                {func(r []*store.Row) []*store.Row { return r[:3] }, "4 rows went in and 3 came out"},
		"a row for another":         {func(r []*store.Row) []*store.Row { r[0] = r[1]; return r }, "a row is not what it was"},
		"another byte":              {func(r []*store.Row) []*store.Row { text(r[1], `{"n":7}`); return r }, "a row is not what it was"},
		"another ingested":          {func(r []*store.Row) []*store.Row { r[2].Ingested++; return r }, "a row is not what it was"},
		"another run":               {func(r []*store.Row) []*store.Row { r[2].RunID = "nur"; return r }, "a row is not what it was"},
		"another page":              {func(r []*store.Row) []*store.Row { r[2].Page = 3; return r }, "a row is not what it was"},
		"a lost value":              {func(r []*store.Row) []*store.Row { r[3].Has &^= 1 << store.Created; return r }, "a row is not what it was"},
		"verbatim bytes":            {func(r []*store.Row) []*store.Row { r[3].Original = []byte("{}"); return r }, "a row is not what it was"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rows := func() []*store.Row {
				rows := small(4, base)
				rows[3].SetNumber(store.Created, base)
				return rows
			}
			for path, rows := range map[string][]*store.Row{"in-0": rows()[:2], "in-1": rows()[2:], "out": c.change(rows())} {
				if err := store.WriteRows(filepath.Join(dir, path), rows); err != nil {
					t.Fatal(err)
				}
			}
			err := store.CheckMerge(dir, []string{"in-0", "in-1"}, []string{"out"})
			if c.say == "" && err == nil {
				return
			}
			if c.say == "" || err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want something with %q", err, c.say)
			}
		})
	}
}

func TestMergedRevisionsKeepWhatReplacedThem(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	var want []*store.Row
	var wantBy []store.Replacement
	for i := range 9 {
		rows := small(3, base+int64(10-i)) // their files are in no order
		var by []store.Replacement
		for j, r := range rows {
			r.SetNumber(store.AppID, int64(i))
			by = append(by, store.Replacement{At: base + int64(i), Run: fmt.Sprint("run-", j), Hash: int64(-i)})
		}
		paths = append(paths, fmt.Sprint("in-", i))
		if err := store.WriteRowsAs(filepath.Join(dir, paths[i]), store.RevisionColumns, rows, by); err != nil {
			t.Fatal(err)
		}
		want, wantBy = append(want, rows...), append(wantBy, by...)
	}
	if err := store.MergeRevisions(dir, paths, "out"); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := store.ReadRevisions(filepath.Join(dir, "out"), func(r *store.Row, by store.Replacement) error {
		compareMerged(t, fmt.Sprint("row ", n), want[n], r)
		if by != wantBy[n] {
			t.Errorf("row %d: %v, want %v", n, by, wantBy[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(want) {
		t.Errorf("%d rows of %d, %v", n, len(want), err)
	}
}

func TestMergedQuarantineKeepsWhoSawItFirst(t *testing.T) {
	dir := storetest.Dir(t)
	w, err := store.OpenWriter(dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var want []store.StoredQuarantine
	for i := range 3 {
		run := fmt.Sprint("run-", i)
		a, err := w.Begin(store.Run{RunID: run, Verb: "test"})
		if err != nil {
			t.Fatal(err)
		}
		for j := range 2 {
			q := store.Quarantined{Bytes: fmt.Appendf(nil, "bad %d %d\x00\xff", i, j), Reason: fmt.Sprint("reason ", j), Page: int32(j), Position: int32(i)}
			if err := a.Quarantine(context.Background(), q); err != nil {
				t.Fatal(err)
			}
			want = append(want, store.StoredQuarantine{Quarantined: q, RunID: run, FirstSeen: base + int64(i)})
		}
		if _, err := a.Commit(context.Background(), store.Commit{Run: a.Run()}); err != nil {
			t.Fatal(err)
		}
		a.Close()
	}
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var paths []string
	for _, f := range l.Snapshot().Quarantine {
		paths = append(paths, f.Path)
	}
	out, err := filepath.Rel(l.Snapshot().Root, filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.MergeQuarantine(l.Snapshot().Root, paths, out); err != nil {
		t.Fatal(err)
	}
	have, err := store.ReadQuarantine(filepath.Join(l.Snapshot().Root, out))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, have); d != "" {
		t.Error(d)
	}
}

func TestWhatReplacedARevisionIsReadAgainToo(t *testing.T) {
	by := store.Replacement{At: base, Run: "run", Hash: 1}
	for name, other := range map[string]store.Replacement{
		"":               by,
		"another commit": {At: base + 1, Run: "run", Hash: 1},
		"another run":    {At: base, Run: "nur", Hash: 1},
		"another hash":   {At: base, Run: "run", Hash: 2},
	} {
		dir := t.TempDir()
		for path, by := range map[string]store.Replacement{"in": by, "out": other} {
			if err := store.WriteRowsAs(filepath.Join(dir, path), store.RevisionColumns, small(1, base), []store.Replacement{by}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.CheckMerge(dir, []string{"in"}, []string{"out"}); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
