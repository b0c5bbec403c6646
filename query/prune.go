package query

import (
	"fmt"

	"mdcalake/store"
)

// Pruning is which files a statement was given, and why not the others.
type Pruning struct {
	// Planned says that the statement's plan was understood. If not, Why says
	// what was not, and every table has all of its files.
	Planned bool
	Why     string
	// Index says why the value index was not asked; empty: it was, or nothing was
	// to be looked up.
	Index  string
	Tables []TablePruning // those that the statement may read
}

// Count is a number of files and their bytes on disk.
type Count struct {
	Files int
	Bytes int64
}

func (c *Count) add(f *store.File) { c.Files++; c.Bytes += f.Size }

// TablePruning is what became of the files of one table.
type TablePruning struct {
	Table   string
	Read    Count
	LeftOut [reasons]Count // by Reason
}

// valueSource is the value index of the lake (store.ValueLookup).
type valueSource interface {
	Knows(store.File) bool
	Cells(column string, values []string) (cells map[store.Partition]bool, ok bool, err error)
}

// prune chooses the files that a table's scans can need: of each file, whether
// one of the scans lets a row of it through. It is a function of the scans, the
// files, and what the index says.
//
// A file goes only when every scan is understood well enough to exclude it.
// Without a scan the table is not read.
func prune(t *lakeTable, files []store.File, filters []*filter, values valueSource) ([]store.File, TablePruning, error) {
	p := TablePruning{Table: t.name}
	var failed error
	if t.keys && values != nil {
		for _, f := range filters {
			if err := f.resolve(values); err != nil && failed == nil {
				failed = err
			}
		}
	}
	var chosen []store.File
	for i := range files {
		f := &files[i]
		facts := newFileFacts(f, t.keys, values)
		reason := NotRead
		for n, by := range filters {
			r := facts.excludedBy(by)
			if r == kept {
				reason = kept
				break
			}
			if n == 0 {
				reason = r
			}
		}
		if reason == kept {
			p.Read.add(f)
			chosen = append(chosen, *f)
		} else {
			p.LeftOut[reason].add(f)
		}
	}
	return chosen, p, failed
}

// resolve asks the index for the cells of all values. What it cannot answer
// stays open.
func (f *filter) resolve(values valueSource) error {
	var failed error
	if f.kind == holds && f.cells == nil {
		cells, ok, err := values.Cells(f.column, f.values)
		if ok && err == nil {
			f.cells = cells
		}
		if err != nil {
			failed = fmt.Errorf("look up %s: %w", f.column, err)
		}
	}
	for _, c := range f.of {
		if err := c.resolve(values); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}
