package store

import (
	"context"
	"fmt"
	"path/filepath"
)

// WriteRowsAs writes rows as a file with these columns, each replaced by the
// one of the same place in by, if the columns ask for it.
func WriteRowsAs(out string, columns []Column, rows []*Row, by []Replacement) error {
	f, err := osFS{}.Create(out, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := newTableWriter(f, columns, by != nil, "test", quick)
	if err != nil {
		return err
	}
	for i, r := range rows {
		var rep *replacement
		if by != nil {
			rep = &replacement{at: by[i].At, run: by[i].Run, hash: by[i].Hash}
		}
		if err := t.append(r, rep); err != nil {
			return err
		}
	}
	return t.close()
}

// Replacement is what a row of revisions has beyond one of activities.
type Replacement struct {
	At   int64
	Run  string
	Hash int64
}

// ReadRevisions reads the rows of a file of revisions.
func ReadRevisions(path string, each func(*Row, Replacement) error) error {
	return readWhole(context.Background(), path, func(r *Row, by *replacement) error {
		return each(r, Replacement{by.at, by.run, by.hash})
	})
}

// MergeCell merges files below root into dense ones, out-0 and so on, cut at
// limit bytes.
func MergeCell(ctx context.Context, root string, paths []string, limit int64) (outputs []string, err error) {
	var f WritableFile
	in, err := mergeCell(ctx, layout{root: root}, paths, &cutter{
		limit: limit,
		begin: func() (*tableWriter, error) {
			outputs = append(outputs, fmt.Sprintf("out-%d", len(outputs)))
			var err error
			if f, err = (osFS{}).Create(filepath.Join(root, outputs[len(outputs)-1]), 0o600); err != nil {
				return nil, err
			}
			return newTableWriter(f, Columns, false, "test", dense)
		},
		end: func(*tableWriter) error { return f.Close() },
	})
	if err != nil {
		return nil, err
	}
	return outputs, checkMerge(ctx, layout{root: root}, in, outputs, tallyTable)
}

// MergeRevisions merges files below root into one.
func MergeRevisions(root string, paths []string, out string) error {
	f, err := osFS{}.Create(filepath.Join(root, out), 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := newTableWriter(f, RevisionColumns, true, "test", dense)
	if err != nil {
		return err
	}
	in, err := mergeRevisions(context.Background(), layout{root: root}, paths, w)
	if err != nil {
		return err
	}
	return checkMerge(context.Background(), layout{root: root}, in, []string{out}, tallyTable)
}

// StoredQuarantine is a row of a file of quarantine.
type StoredQuarantine struct {
	Quarantined
	RunID     string
	FirstSeen int64
}

// MergeQuarantine merges files below root into one.
func MergeQuarantine(root string, paths []string, out string) error {
	f, err := osFS{}.Create(filepath.Join(root, out), 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := newQuarantineWriter(newHashingWriter(f))
	if err != nil {
		return err
	}
	in, err := mergeQuarantine(context.Background(), layout{root: root}, paths, w)
	if err != nil {
		return err
	}
	return checkMerge(context.Background(), layout{root: root}, in, []string{out}, tallyQuarantine)
}

// ReadQuarantine reads a file of quarantine.
func ReadQuarantine(path string) (rows []StoredQuarantine, err error) {
	err = readQuarantine(context.Background(), path, func(r *quarantineRow) error {
		rows = append(rows, StoredQuarantine{r.Quarantined, r.runID, r.firstSeen})
		return nil
	})
	return rows, err
}

// CheckMerge compares the rows of files below root.
func CheckMerge(root string, inputs, outputs []string) error {
	var in tally
	for _, path := range inputs {
		if err := tallyTable(context.Background(), layout{root: root}, path, &in); err != nil {
			return err
		}
	}
	return checkMerge(context.Background(), layout{root: root}, in, outputs, tallyTable)
}

// WithMaxFile makes the size small at which files are whole.
func (o CompactOptions) WithMaxFile(bytes int64) CompactOptions {
	o.maxFile = bytes
	return o
}

// The rule of a compaction.
const (
	MergeInputs = mergeInputs
	MergeMemory = mergeMemory
	Growth      = growth
	GrowthOver  = growthOver
	ManyFiles   = manyFiles
	QuietTime   = quietTime
)

// DenseLevel is the level of files that have come to rest.
var DenseLevel = dense.Level

// Steps are the merges that a merge is done in, the last one included.
func (m Merge) Steps() [][]File { return m.steps() }

// OpenMemory is what a file takes at most while it is merged.
func (f File) OpenMemory() int64 { return f.openMemory() }
