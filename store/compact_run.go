package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Carrying a plan of compaction out. Files are merged and checked, and then
// one entry of the log puts the new ones in the place of the old: the rows are
// the same, and it says so (dataChange is false). A plan is cut into commits of
// bounded size, so that a long one that is interrupted keeps what is done.
//
// Two merges go on at a time, as far as memory allows: one encodes while the
// other waits for the disk, or both encode.

// compactionCommit is how many bytes are merged into one commit.
const compactionCommit = 1 << 30

// Compacted is what a compaction did.
type Compacted struct {
	Merges  int
	Before  int // files
	After   int
	Rows    int64
	Read    int64 // bytes of the files that were merged
	Written int64 // bytes of the files in their place, and of those on the way
	Receipt Receipt
}

// Compact carries out the plan of PlanCompaction. run tells the chain of
// custody who does it; it is in the log only if there was anything to do. After
// an error, or when ctx ends, what was committed stays, and the lake holds the
// same rows as before.
func (w *Writer) Compact(ctx context.Context, p CompactionPlan, run Run, done func(Compacted)) (Compacted, error) {
	c := &compaction{w: w, run: run, done: done}
	err := c.do(ctx, p)
	return c.sum, w.fault("compact lake", err)
}

type compaction struct {
	w    *Writer
	tx   *transaction
	run  Run
	done func(Compacted)

	memory *semaphore.Weighted // of the merges under way

	mu  sync.Mutex
	sum Compacted
}

func (c *compaction) do(ctx context.Context, p CompactionPlan) error {
	switch {
	case c.w.open != nil:
		return errors.New("a run of this process is under way")
	case p.Version != c.w.state.table.Version:
		return errors.New("the lake has changed since the compaction was planned: plan it again")
	case len(p.Merges) == 0:
		return nil
	}
	c.memory = semaphore.NewWeighted(compactionMemory)
	c.tx = c.w.begin(c.run.RunID)
	defer c.tx.abandon()
	for merges := p.Merges; len(merges) > 0; {
		n := commitOf(merges)
		if err := c.mergeAll(ctx, merges[:n]); err != nil {
			return err
		}
		merges = merges[n:]
		if err := c.commit(ctx, len(merges) == 0); err != nil {
			return err
		}
	}
	return nil
}

// commitOf is how many of the merges make a commit.
func commitOf(merges []Merge) int {
	bytes := int64(0)
	for i, m := range merges {
		if bytes += m.Totals().Read; bytes >= compactionCommit {
			return i + 1
		}
	}
	return len(merges)
}

// mergeAll does merges. The names that each needs are noted with one sync for
// all of them; one whose file is cut, or that goes in steps, takes more.
func (c *compaction) mergeAll(ctx context.Context, merges []Merge) error {
	if err := c.tx.prepare(); err != nil {
		return err
	}
	names := make([]func(int) string, len(merges))
	for i, m := range merges {
		names[i] = c.name(m)
	}
	reserved, err := c.tx.reserve(names...)
	if err != nil {
		return err
	}
	var stopped error
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(mergesAtOnce)
	for i, m := range merges {
		// In the order of the plan: a large one must not wait until all small ones
		// are done.
		if stopped = c.memory.Acquire(ctx, m.memory()); stopped != nil {
			break
		}
		g.Go(func() error {
			defer c.memory.Release(m.memory())
			return c.merge(ctx, m, reserved[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err // which may be why it stopped
	}
	return stopped
}

// name names the file that a merge makes, given its number.
func (c *compaction) name(m Merge) func(int) string {
	if m.Table == activitiesDir {
		return c.tx.dataName(m.Partition)
	}
	return c.tx.sideName(m.Table)
}

// mergeOperation is what Delta calls an entry that only puts rows into other
// files. Ours that take files out of revisions or quarantine and have another
// name took rows out.
const mergeOperation = "OPTIMIZE"

func (c *compaction) commit(ctx context.Context, last bool) error {
	run := c.run
	if !last {
		run.Outcome = OutcomeRunning
	} else {
		run.Ended = c.w.now()
	}
	f := &facts{Ingested: c.w.nextIngested(), RunID: run.RunID, Run: &run}
	receipt, err := c.tx.commit(ctx, entryText{operation: mergeOperation, dataChange: false, facts: f})
	if receipt.Head == "" {
		return err
	}
	c.sum.Receipt = receipt
	if c.done != nil {
		c.done(c.sum)
	}
	return err
}

// merge writes the files of one merge and takes the old ones out. name is
// reserved for the first file.
func (c *compaction) merge(ctx context.Context, m Merge, name string) error {
	var err error
	after, written := 1, int64(0)
	switch m.Table {
	case revisionsDir:
		written, err = c.revisions(ctx, m, name)
	case quarantineDir:
		written, err = c.quarantine(ctx, m, name)
	default:
		after, written, err = c.cell(ctx, m, name)
	}
	if err != nil {
		return fmt.Errorf("merge %d files of %s: %w", len(m.Files), m.place(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Merges++
	c.sum.Before += len(m.Files)
	c.sum.After += after
	c.sum.Written += written
	for _, f := range m.Files {
		c.sum.Rows += f.Rows
		c.sum.Read += f.Size
	}
	return nil
}

// cell merges files of a cell, in steps if they cannot all be open at once.
// Files on the way are never committed.
func (c *compaction) cell(ctx context.Context, m Merge, name string) (after int, written int64, err error) {
	names := func() (string, error) {
		if n := name; n != "" {
			name = ""
			return n, nil
		}
		return c.tx.reserveOne(c.name(m))
	}
	last, err := m.inSteps(func(files []File) (File, error) {
		made, err := c.mergeStep(ctx, m, files, math.MaxInt64, names)
		if err != nil {
			return File{}, err
		}
		f := made[0]
		written += f.size
		return File{Path: f.path, Partition: f.partition, Size: f.size, SHA256: f.sha256, Rows: f.rows, Stats: f.stats, Level: f.level}, nil
	})
	if err != nil {
		return 0, 0, err
	}
	made, err := c.mergeStep(ctx, m, last, m.maxFile, names)
	for _, f := range made {
		written += f.size
	}
	return len(made), written, err
}

// mergeStep makes new files of some, and takes those out of the change or the
// lake. limit cuts them.
func (c *compaction) mergeStep(ctx context.Context, m Merge, files []File, limit int64, names func() (string, error)) ([]newFile, error) {
	var made []newFile
	var f *openFile
	var outputs []string
	stats := emptyStats()
	paths := pathsOf(files)
	if err := c.intact(files); err != nil {
		return nil, err
	}
	in, err := mergeCell(ctx, c.w.layout, paths, &cutter{
		limit: limit,
		begin: func() (*tableWriter, error) {
			name, err := names()
			if err != nil {
				return nil, err
			}
			if f, err = c.tx.newData(m.Partition, name, formOf(m.Level)); err != nil {
				return nil, err
			}
			return f.table, nil
		},
		end: func(*tableWriter) error {
			if err := c.tx.finish(f); err != nil {
				return err
			}
			made, outputs = append(made, f.newFile(f.table.rows, f.table.stats)), append(outputs, f.path)
			stats.join(f.table.stats)
			f = nil
			return nil
		},
	})
	if err != nil {
		if f != nil {
			return nil, f.abandon(err)
		}
		return nil, err
	}
	if err := checkMerge(ctx, c.w.layout, in, outputs, tallyTable); err != nil {
		return nil, err
	}
	if err := fits(files, in.rows, stats); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := c.tx.remove(path); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func pathsOf(files []File) []string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

func (c *compaction) revisions(ctx context.Context, m Merge, name string) (written int64, err error) {
	if err := c.intact(m.Files); err != nil {
		return 0, err
	}
	f, err := c.tx.newTable(name, RevisionColumns, true, formOf(m.Level))
	if err != nil {
		return 0, err
	}
	in, err := mergeRevisions(ctx, c.w.layout, pathsOf(m.Files), f.table)
	if err != nil {
		return 0, f.abandon(err)
	}
	return c.replaceSide(ctx, m, f, in, f.table.stats, tallyTable)
}

// intact looks at files before they are merged.
func (c *compaction) intact(files []File) error {
	for _, f := range files {
		if err := c.w.layout.intact(f); err != nil {
			return err
		}
	}
	return nil
}

func (c *compaction) quarantine(ctx context.Context, m Merge, name string) (written int64, err error) {
	if err := c.intact(m.Files); err != nil {
		return 0, err
	}
	f, err := c.tx.newFile(name)
	if err != nil {
		return 0, err
	}
	f.sink = newHashingWriter(f.f)
	out, err := newQuarantineWriter(f.sink)
	if err != nil {
		return 0, f.abandon(err)
	}
	in, err := mergeQuarantine(ctx, c.w.layout, pathsOf(m.Files), out)
	if err != nil {
		return 0, f.abandon(err)
	}
	return c.replaceSide(ctx, m, f, in, emptyStats(), tallyQuarantine)
}

// replaceSide puts a file of a side table in the place of those it was made of.
func (c *compaction) replaceSide(ctx context.Context, m Merge, f *openFile, in tally, stats Stats, read func(context.Context, layout, string, *tally) error) (written int64, err error) {
	want := stats
	if m.Table == quarantineDir {
		want = joined(m.Files) // its rows have nothing to bound
	}
	if err := fits(m.Files, in.rows, want); err != nil {
		return 0, f.abandon(err)
	}
	if err := c.tx.finishSide(f, in.rows, stats); err != nil {
		return 0, err
	}
	if err := checkMerge(ctx, c.w.layout, in, []string{f.path}, read); err != nil {
		return 0, err
	}
	for _, old := range m.Files {
		c.tx.removeSide(old.Path)
	}
	return f.sink.size, nil
}
