package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Which files are to be merged. The plan is a pure value: made from a snapshot,
// printed by --dry-run, and then done as it stands.
//
// `compact` makes one dense file of every cell, so a second one finds nothing.
// After a run only what pays is merged, by one rule: a file is written again
// only into one of at least growth times its rows. So a row of a day is written
// at most log4 of the day's rows times, however they come in (log2 where all of
// them come when the day is over); and a cell keeps few files, because many of
// like size always allow a merge. Rows, not bytes, because bytes shrink as files
// are merged. When nothing has come into a cell for a while, it becomes one file
// at last.

const (
	// growth is how many times larger a file must become for it to be written
	// again.
	growth = 4
	// growthOver is the same for a day that is over: little comes in any more,
	// and there should be few files.
	growthOver = 2
	// manyFiles is what a cell of the current or the last day must have before
	// it is touched, and a side table at any time: they will go on growing.
	manyFiles = 8
	// largeFile is not merged after a run, on disk: what few large files there are
	// costs no reader anything, and to write them again costs as much as the run.
	largeFile = 16 << 20
	// quietTime is how long nothing must have come into a cell for it to become
	// one file. The last re-read of a window is due 7 days after its end.
	quietTime = 8 * 24 * time.Hour
	// compactionShare and compactionBytes make up the budget after a run.
	compactionShare = 4
	compactionBytes = 64 << 20
)

// CompactOptions say what a plan may do.
type CompactOptions struct {
	// All merges every cell into one dense file. Else only what pays is merged,
	// within Budget.
	All bool
	// Budget is the bytes that may be written.
	Budget int64
	// Now tells which days are over.
	Now time.Time

	maxFile int64 // 0: the product's
}

// CompactionPlan is what a compaction will do to one version of a lake.
type CompactionPlan struct {
	Version int64
	Merges  []Merge
	// Deferred are merges for which the budget did not suffice.
	Deferred int
}

// Merge makes one file of several, or a dense one of a quick one; more than
// one where it would be too large.
type Merge struct {
	Table     string // "activities", "revisions" or "quarantine"
	Partition Partition
	Files     []File // smallest first
	Level     int    // of the file to come

	maxFile int64
}

// CompactionTotals are sums over a plan. Written is more than Read where a cell
// has so many files that some are merged twice, and does not know yet what
// compression will save.
type CompactionTotals struct {
	FilesBefore, FilesAfter int
	Rows                    int64
	Read, Written           int64 // bytes
}

// PlanCompaction chooses the files of a snapshot that are to be merged.
func PlanCompaction(s *Snapshot, o CompactOptions) CompactionPlan {
	o.maxFile = cmp.Or(o.maxFile, maxFileBytes)
	plan := CompactionPlan{Version: s.Version}
	var possible []Merge
	add := func(table string, files []File, atLeast, times int) {
		if m, ok := o.merge(table, files, atLeast, times); ok {
			possible = append(possible, m)
		}
	}
	for cell := range cells(s.Files) {
		atLeast, times := o.patience(cell)
		add(activitiesDir, cell, atLeast, times)
	}
	add(revisionsDir, s.Revisions, manyFiles, growth)
	add(quarantineDir, s.Quarantine, manyFiles, growth)
	if o.All {
		plan.Merges = possible
		return plan
	}
	plan.Merges, plan.Deferred = o.afford(possible)
	return plan
}

// CompactionBudget is what may be written after a run that wrote so many bytes:
// several times as much, since a row is written several times in all, and
// enough to catch up after a run that wrote little.
func CompactionBudget(written int64) int64 { return compactionShare*written + compactionBytes }

// cells are the files of each cell; a snapshot's are sorted by path.
func cells(files []File) func(yield func([]File) bool) {
	return func(yield func([]File) bool) {
		for len(files) > 0 {
			n := 1
			for n < len(files) && files[n].Partition == files[0].Partition {
				n++
			}
			if !yield(files[:n]) {
				return
			}
			files = files[n:]
		}
	}
}

// patience says how many files a cell must have and how much its files must
// grow for them to be merged after a run.
func (o CompactOptions) patience(cell []File) (atLeast, times int) {
	if cell[0].Partition.Day >= floorDay(o.Now.UnixMilli())-1 {
		return manyFiles, growth
	}
	for _, f := range cell {
		if f.Stats.Ingested.Max > o.Now.Add(-quietTime).UnixMilli() {
			return 2, growthOver
		}
	}
	return 2, 1
}

// merge chooses among the files of a cell or of a side table.
func (o CompactOptions) merge(table string, files []File, atLeast, times int) (Merge, bool) {
	if len(files) < atLeast && !o.All {
		return Merge{}, false
	}
	m := Merge{Table: table, Files: make([]File, 0, len(files)), Level: quick.Level, maxFile: o.maxFile}
	for _, f := range files {
		// A file of another writer may hold what would not survive the copy.
		if f.SHA256 != "" && f.Size < o.maxFile && (o.All || times == 1 || f.Size < largeFile) {
			m.Files = append(m.Files, f)
			m.Partition = f.Partition
		}
	}
	slices.SortFunc(m.Files, smallerFile)
	switch {
	case o.All && table == activitiesDir:
		m.Level = dense.Level
		return m, len(m.Files) > 1 || len(m.Files) == 1 && m.Files[0].Level < dense.Level
	case len(m.Files) < atLeast:
		return m, false
	case !o.All:
		m.Files = o.worthwhile(m.Files, times)
	}
	for _, f := range m.Files {
		m.Level = max(m.Level, f.Level) // what is dense stays dense
	}
	return m, len(m.Files) > 1
}

func smallerFile(a, b File) int {
	return cmp.Or(cmp.Compare(a.Rows, b.Rows), cmp.Compare(a.Size, b.Size), strings.Compare(a.Path, b.Path))
}

// worthwhile are the most files, counted from the smallest, that are all small
// beside what they make together, and that the budget allows.
func (o CompactOptions) worthwhile(files []File, times int) []File {
	rows := int64(0)
	for _, f := range files {
		rows += f.Rows
	}
	for n := len(files); n > 1; n-- {
		if rows >= int64(times)*files[n-1].Rows && (Merge{Files: files[:n]}).written() <= o.Budget {
			return files[:n]
		}
		rows -= files[n-1].Rows
	}
	return nil
}

// afford takes as many merges as the budget allows: those first that take away
// the most files for a byte.
func (o CompactOptions) afford(possible []Merge) (chosen []Merge, deferred int) {
	slices.SortStableFunc(possible, func(a, b Merge) int {
		return cmp.Compare(float64(len(b.Files))/float64(b.written()), float64(len(a.Files))/float64(a.written()))
	})
	left := o.Budget
	for _, m := range possible {
		if w := m.written(); w <= left {
			left -= w
			chosen = append(chosen, m)
		} else {
			deferred++
		}
	}
	return chosen, deferred
}

// inSteps merges files until the last merge can have all that are left open at
// once: nearly always they all can, and each row is written once. Files that
// have been merged take their place by size again.
func (m Merge) inSteps(merge func([]File) (File, error)) ([]File, error) {
	files := slices.Clone(m.Files)
	for atOnce(files) < len(files) {
		n := m.fewest(files)
		f, err := merge(files[:n])
		if err != nil {
			return nil, err
		}
		files = files[n:]
		at, _ := slices.BinarySearchFunc(files, f, smallerFile)
		files = slices.Insert(files, at, f)
	}
	return files, nil
}

// fewest is how many of the files, the smallest, are to be merged first, so that
// the others can be open beside what they make; all that can be open at once
// where that is not enough.
func (m Merge) fewest(files []File) int {
	most := atOnce(files)
	for n := 2; n < most; n++ {
		if left := append([]File{m.madeOf(files[:n])}, files[n:]...); atOnce(left) == len(left) {
			return n
		}
	}
	return most
}

// atOnce is how many of the files, counted from the first, may be open at once:
// two at least, whose memory is bounded by their pages.
func atOnce(files []File) int {
	memory := int64(0)
	for n, f := range files {
		if memory += f.openMemory(); n >= mergeInputs || n >= 2 && memory > mergeMemory {
			return n
		}
	}
	return len(files)
}

// openMemory is what a file takes at most while it is merged: a page of every
// column, or all of a file that is smaller. How large it is unpacked, the log
// does not say: its rows are counted as ours are, or its bytes as such that
// compress unusually well, whichever is more.
func (f File) openMemory() int64 {
	most := int64(openQuick)
	if f.Level >= dense.Level {
		most = openDense
	}
	return min(most, openFixed+max(f.Rows*openRow, f.Size*openRatio))
}

// madeOf is about what files become when they are merged.
func (m Merge) madeOf(files []File) File {
	out := File{Level: m.Level}
	for _, f := range files {
		out.Size, out.Rows = out.Size+f.Size, out.Rows+f.Rows
	}
	return out
}

// steps are the merges that a merge is done in: those on the way, of which each
// makes a file that the next ones take in, and the last.
func (m Merge) steps() (steps [][]File) {
	files := m.Files
	if m.Table == activitiesDir {
		files, _ = m.inSteps(func(files []File) (File, error) {
			steps = append(steps, files)
			return m.madeOf(files), nil
		})
	}
	return append(steps, files)
}

// written is how many bytes the merge writes at most, files on the way to the
// last one included.
func (m Merge) written() (bytes int64) {
	for _, files := range m.steps() {
		bytes += m.madeOf(files).Size
	}
	return bytes
}

// memory is what the widest step takes at most, the file that it writes
// included: that is a page of every column, too, and a row group.
func (m Merge) memory() (most int64) {
	for _, files := range m.steps() {
		made := m.madeOf(files)
		open, largest := int64(0), int64(0)
		for _, f := range files {
			open, largest = open+f.openMemory(), max(largest, f.openMemory())
		}
		if m.Table != activitiesDir {
			open = largest // they are read one after the other
		}
		most = max(most, open+made.openMemory()+min(made.Size, rowGroupMemory))
	}
	return min(most, compactionMemory)
}

// Totals are the sums of one merge.
func (m Merge) Totals() CompactionTotals {
	t := CompactionTotals{FilesBefore: len(m.Files), FilesAfter: 1, Written: m.written()}
	for _, f := range m.Files {
		t.Read += f.Size
		t.Rows += f.Rows
	}
	if m.Table == activitiesDir {
		t.FilesAfter += int(t.Read / m.maxFile)
	}
	return t
}

// Totals are the sums of the plan.
func (p CompactionPlan) Totals() CompactionTotals {
	var t CompactionTotals
	for _, m := range p.Merges {
		o := m.Totals()
		t.FilesBefore += o.FilesBefore
		t.FilesAfter += o.FilesAfter
		t.Rows += o.Rows
		t.Read += o.Read
		t.Written += o.Written
	}
	return t
}

// place is where the files lie, relative to the lake.
func (m Merge) place() string {
	if m.Table == activitiesDir {
		return m.Table + "/" + m.Partition.Dir()
	}
	return m.Table
}

func (m Merge) String() string { return fmt.Sprintf("%s: %s", m.place(), m.Totals()) }

func (t CompactionTotals) String() string {
	return fmt.Sprintf("%d files -> %d, %d rows, %d bytes read, at most %d written", t.FilesBefore, t.FilesAfter, t.Rows, t.Read, t.Written)
}
