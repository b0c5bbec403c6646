package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mdcalake/store"
	"mdcalake/store/index"
	"mdcalake/store/storetest"
)

func lookupOf(t testing.TB, s *store.Snapshot) *store.ValueLookup {
	t.Helper()
	v, err := s.Values()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestAReaderFindsTheCellsOfAValue(t *testing.T) {
	dir := storetest.Dir(t)
	noon := func(day int64) int64 { return 1795089600000 + day*86400000 }
	storetest.Ingest(t, dir, store.WriterOptions{},
		storetest.Record{ID: "a", Timestamp: noon(0), App: 1, User: "Bob@Example.com"},
		storetest.Record{ID: "A", Timestamp: noon(1), App: 1, User: "alice@example.com"},
		storetest.Record{ID: "c", Timestamp: noon(2), App: 2, User: "bob@example.com"})
	s := snapshotOf(t, dir)
	v := lookupOf(t, s)
	if !v.Useful() {
		t.Fatal("it knows nothing")
	}
	for _, f := range s.Files {
		if !v.Knows(f) {
			t.Errorf("it does not know %s", f.Path)
		}
	}
	for _, c := range []struct {
		column string
		values []string
		want   []int // days
	}{
		{"activity_id", []string{"a"}, []int{0}},
		{"activity_id", []string{"A"}, []int{1}},
		{"activity_id", []string{"b"}, nil},
		{"user_name", []string{"bob@example.com"}, []int{0, 2}},
		{"user_name", []string{"BOB@EXAMPLE.COM"}, []int{0, 2}},
		{"user_name", []string{"nobody", "Alice@Example.Com", "bob@example.com"}, []int{0, 1, 2}},
		{"ip", []string{"bob@example.com"}, nil},
		{"user_name", nil, nil},
	} {
		cells, ok, err := v.Cells(c.column, c.values)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		var days []int
		for p := range cells {
			days = append(days, int(p.Day)-20776)
		}
		slices.Sort(days)
		if !slices.Equal(days, c.want) {
			t.Errorf("%s %q: days %v, want %v", c.column, c.values, days, c.want)
		}
	}
	if _, ok, err := v.Cells("country", []string{"x"}); ok || err != nil {
		t.Errorf("a column that is not indexed: %v, %v", ok, err)
	}
}

func TestAnIndexThatDoesNotFitKnowsNothing(t *testing.T) {
	record := func(id string) storetest.Record {
		return storetest.Record{ID: id, Timestamp: 1795089600000, App: 1}
	}
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, record("a"))
	before := snapshotOf(t, dir)
	first := lookupOf(t, before)
	storetest.Ingest(t, dir, store.WriterOptions{}, record("b"))
	after := snapshotOf(t, dir)

	// What is open goes on knowing its own version, and nothing of a later one.
	if f := after.Files[0]; !first.Knows(before.Files[0]) || len(after.Files) == 2 && first.Knows(after.Files[0]) && first.Knows(after.Files[1]) {
		t.Errorf("an index that was opened earlier: %v", f)
	}
	if lookupOf(t, before).Useful() {
		t.Error("an index that is newer than the snapshot is believed")
	}
	other := *after
	other.Head = before.Head
	if lookupOf(t, &other).Useful() {
		t.Error("an index of another log is believed")
	}
	other = *after
	other.Version++
	if v := lookupOf(t, &other); !v.Useful() || v.Knows(store.File{Version: other.Version}) {
		t.Error("an older index is not used for the files that it knows")
	}

	path := filepath.Join(dir, "_mdcalake", "index")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if v := lookupOf(t, after); v.Useful() || v.Knows(after.Files[0]) {
		t.Error("there is no index, and it is believed")
	}
	w := index.Writer{Dir: path}
	if _, err := w.Append(t.Context(), index.Span{To: 0, Head: index.Digest{1}}, nil); err != nil {
		t.Fatal(err)
	}
	if lookupOf(t, after).Useful() {
		t.Error("an index of another entry 0 is believed")
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
}
