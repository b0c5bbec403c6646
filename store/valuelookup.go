package store

import (
	"encoding/hex"
	"fmt"
	"slices"

	"mdcalake/store/delta"
	"mdcalake/store/index"
)

// ValueLookup answers, for a reader of one snapshot, in which cells a value may
// be. It writes nothing, and does not follow a lake that grows.
type ValueLookup struct {
	index   *index.Index
	covered int64 // the last version of the log that the index knows
}

// Values opens the value index for this snapshot. Where there is none, or one
// that does not fit, it knows no file at all (Knows); of a snapshot of the past
// (AsOf) neither, whose rows lie in other tables by now.
func (s *Snapshot) Values() (*ValueLookup, error) {
	if !s.AsOf.IsZero() {
		return knowsNothing(), nil
	}
	l, err := newLayout(s.Root)
	if err != nil {
		return nil, err
	}
	ix, err := index.Open(l.private(indexDir))
	if err != nil {
		return nil, err
	}
	covered, head := ix.Covered()
	fits, err := s.fits(l, covered, hex.EncodeToString(head[:]))
	if !fits {
		ix.Close() // a reader of whole files: there is nothing to lose
		return knowsNothing(), err
	}
	return &ValueLookup{index: ix, covered: covered}, nil
}

func knowsNothing() *ValueLookup { return &ValueLookup{index: &index.Index{}, covered: -1} }

// fits says whether an index that ends with this entry knows this snapshot. One
// that is newer does not: a purge since may have made it anew, without values
// that the snapshot still has.
func (s *Snapshot) fits(l layout, covered int64, head string) (bool, error) {
	switch {
	case covered < 0 || covered > s.Version:
		return false, nil
	case covered == s.Version:
		return head == s.Head, nil
	}
	entry, err := logDir{fs: osFS{}, layout: l}.Read(delta.EntryName(covered))
	if err != nil {
		return false, fmt.Errorf("compare the value index with the log: %w", err)
	}
	return head == sha256Hex(entry), nil
}

// Knows says whether the values of a file of activities are in the index.
// Those of any other file may be anything.
func (v *ValueLookup) Knows(f File) bool { return f.Version <= v.covered }

// Useful says whether it knows any file at all.
func (v *ValueLookup) Useful() bool { return v.covered >= 0 }

// Cells are the cells of activities that may hold one of the values in a
// column, as far as the index knows the files (Knows). Values of activity_id are
// looked up as they are, those of the other columns in whatever case: every
// value with the same lower() in SQL is found. ok is false where the column
// is not indexed. An error means that every cell may hold them.
func (v *ValueLookup) Cells(column string, values []string) (cells map[Partition]bool, ok bool, err error) {
	kind, ok := kindOf(column)
	if !ok {
		return nil, false, nil
	}
	hashes := make([]uint64, len(values))
	for i, value := range values {
		hashes[i] = index.HashString(kind, value)
	}
	slices.Sort(hashes)
	cells = map[Partition]bool{}
	if err := v.index.Lookup(kind, slices.Compact(hashes), func(_ int, c index.Cell) { cells[partitionOf(c)] = true }); err != nil {
		return nil, true, err
	}
	return cells, true, nil
}

// kindOf is under what kind the index has a column of activities.
func kindOf(column string) (index.Kind, bool) {
	if column == "activity_id" {
		return index.ActivityID, true
	}
	for _, c := range indexedValues {
		if c.name == column {
			return c.kind, true
		}
	}
	return 0, false
}

// Close closes the files of the index.
func (v *ValueLookup) Close() error { return v.index.Close() }
