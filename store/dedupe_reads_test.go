package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// hide takes the data files of activities away until the function it answers is
// called: who opens one of them meanwhile fails.
func hide(t *testing.T, dir string) (back func()) {
	t.Helper()
	var paths []string
	for _, f := range snapshotNow(t, dir).Files {
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(f.Path)))
	}
	for _, path := range paths {
		must(t, os.Rename(path, path+".away"))
	}
	return func() {
		for _, path := range paths {
			must(t, os.Rename(path+".away", path))
		}
	}
}

// The tail of a year brings new records to cells that have many files.
func TestRecordsThatAreNewAreTakenInWithoutOpeningAFile(t *testing.T) {
	dir := storetest.Dir(t)
	for i := range 5 {
		storetest.Ingest(t, dir, store.WriterOptions{}, few(10*i, 10)...)
	}
	back := hide(t, dir)
	receipt := storetest.Ingest(t, dir, store.WriterOptions{}, few(1000, 10)...)
	back()
	if receipt.Run.Added != 10 || receipt.Run.Duplicates != 0 {
		t.Errorf("%+v", receipt.Run)
	}
	// What may be there already is looked for.
	back = hide(t, dir)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	defer w.Close()
	_, err = storetest.Append(w, few(7, 1)...)
	back()
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a record that is there was judged without looking at it: %v", err)
	}
}

// Nor is what the batch itself has written into a cell read again for every
// piece of it: of a cell of n pieces that would be n*n/2 of them. In a cell with
// more rows than are remembered, what is there already is found all the same,
// whether it was committed or is of the batch.
func TestARecordIsFoundInACellOfMoreRowsThanAreRemembered(t *testing.T) {
	dir := storetest.Dir(t)
	many := store.WriterOptions{}.WithLimits(1, 1_000_000, 1, 1) // each row is a file; three are remembered
	cell := func(from, n int) (records []storetest.Record) {
		for i := range n {
			records = append(records, storetest.Record{ID: fmt.Sprint("id ", from+i), Timestamp: base + int64(from+i)*1000, App: 7})
		}
		return records
	}
	first := storetest.Ingest(t, dir, many, append(cell(0, 20), cell(5, 3)...)...)
	if first.Run.Added != 20 || first.Run.Duplicates != 3 {
		t.Errorf("the first batch: %+v", first.Run)
	}
	changed := revised(cell(3, 1)[0], 5)
	second := storetest.Ingest(t, dir, many, append(append(cell(10, 20), changed), changed)...)
	if r := second.Run; r.Added != 10 || r.Duplicates != 11 || r.Revisions != 1 {
		t.Errorf("the second batch: %+v", r)
	}
}
