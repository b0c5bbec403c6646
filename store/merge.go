package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// Merging files. The rows stay what they are, byte for byte, `ingested` and
// `run_id` with them; only the file they stand in is another. So nothing is
// decided here, and everything can be checked: what went in is tallied as it is
// read, what came out is read back from the disk and tallied again.

// mergeCell hands the rows of files of one cell to out, in the order of
// timestamp; equal ones in the order of the files, then in their file's. The
// paths are relative to the lake, at most mergeInputs.
func mergeCell(ctx context.Context, l layout, paths []string, out *cutter) (tally, error) {
	var in tally
	if len(paths) > mergeInputs {
		return in, fmt.Errorf("merge %d files at once: the most is %d", len(paths), mergeInputs)
	}
	runs := make([]*sortedRun, 0, len(paths))
	defer func() {
		for _, r := range runs {
			r.stop()
		}
	}()
	for _, path := range paths {
		r := openRun(ctx, l, path, &in)
		runs = append(runs, r)
		if err := r.next(); err != nil {
			return in, err
		}
	}
	for {
		r := first(runs)
		if r == nil {
			return in, out.close()
		}
		if err := out.append(r.row, nil); err != nil {
			return in, err
		}
		if err := r.next(); err != nil {
			return in, err
		}
	}
}

// first is the run with the smallest row; nil when all have ended.
func first(runs []*sortedRun) *sortedRun {
	var least *sortedRun
	for _, r := range runs {
		if r.row != nil && (least == nil || r.row.Numbers[Timestamp] < least.row.Numbers[Timestamp]) {
			least = r
		}
	}
	return least
}

// sortedRun is a file of a cell, a row at a time.
type sortedRun struct {
	path string
	row  *Row // nil: it has ended
	pull func() (*Row, error, bool)
	stop func()
}

func openRun(ctx context.Context, l layout, path string, in *tally) *sortedRun {
	r := &sortedRun{path: path}
	r.pull, r.stop = iter.Pull2(func(yield func(*Row, error) bool) {
		err := readWhole(ctx, l.path(path), func(row *Row, by *replacement) error {
			in.row(row, by)
			if !yield(row, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && err != errStopped {
			yield(nil, readFault(ctx, path, err))
		}
	})
	return r
}

// errStopped is what a reader is told when nobody wants more of it.
var errStopped = errors.New("the merge has stopped")

func (r *sortedRun) next() error {
	last := r.row
	var before int64
	if last != nil {
		before = last.Numbers[Timestamp]
	}
	row, err, ok := r.pull()
	if err != nil {
		return err
	}
	if !ok {
		r.row = nil
		return nil
	}
	if last != nil && row.Numbers[Timestamp] < before {
		return &DamageError{Path: r.path, What: "its rows are out of the order of time"}
	}
	r.row = row
	return nil
}

// cutter writes rows into one file after the other: a new one where a file
// has limit bytes on disk. Row groups are written whole, so that a file may
// have one more than that.
type cutter struct {
	limit int64
	begin func() (*tableWriter, error)
	end   func(*tableWriter) error // takes the file, which is closed

	w *tableWriter
}

func (c *cutter) append(r *Row, by *replacement) error {
	if c.w != nil && c.w.sink.size >= c.limit {
		if err := c.close(); err != nil {
			return err
		}
	}
	if c.w == nil {
		w, err := c.begin()
		if err != nil {
			return err
		}
		c.w = w
	}
	return c.w.append(r, by)
}

func (c *cutter) close() error {
	if c.w == nil {
		return nil
	}
	w := c.w
	c.w = nil
	if err := w.close(); err != nil {
		return err
	}
	return c.end(w)
}

// mergeRevisions puts the rows of files of `revisions` one after the other
// into one.
func mergeRevisions(ctx context.Context, l layout, paths []string, out *tableWriter) (tally, error) {
	var in tally
	for _, path := range paths {
		if err := copyRows(ctx, l, path, out, &in, nil); err != nil {
			return in, err
		}
	}
	return in, out.close()
}

// copyRows appends the rows of a file to another, as they are: those that keep
// takes (nil: all), and counts them in a tally, if there is one.
func copyRows(ctx context.Context, l layout, path string, out *tableWriter, in *tally, keep func(index int64) bool) error {
	var werr error
	index := int64(-1)
	err := readWhole(ctx, l.path(path), func(r *Row, by *replacement) error {
		if index++; keep != nil && !keep(index) {
			return nil
		}
		if in != nil {
			in.row(r, by)
		}
		werr = out.append(r, by)
		return werr
	})
	if werr != nil {
		return werr
	}
	if err != nil {
		return readFault(ctx, path, err)
	}
	return nil
}

// mergeQuarantine is the same for files of `quarantine`.
func mergeQuarantine(ctx context.Context, l layout, paths []string, out *quarantineWriter) (tally, error) {
	var in tally
	for _, path := range paths {
		var werr error
		err := readQuarantine(ctx, l.path(path), func(r *quarantineRow) error {
			in.quarantined(r)
			werr = out.append(r)
			return werr
		})
		if werr != nil {
			return in, werr
		}
		if err != nil {
			return in, readFault(ctx, path, err)
		}
	}
	return in, out.close()
}

// tally is how many rows there are and a digest of all of them, whatever
// their order: the sum of their hashes.
type tally struct {
	rows   int64
	hi, lo uint64
	buf    []byte
}

// appendWhole is all of a row as it stands in a file, in bytes to be hashed.
func appendWhole(b []byte, r *Row) []byte {
	b = appendRow(b, r)
	b = binary.AppendVarint(b, r.Ingested)
	return appendBytes(b, []byte(r.RunID))
}

// eachRowHash hashes whole rows, as a tally does.
func eachRowHash(ctx context.Context, path string, each func(xxh3.Uint128)) error {
	var buf []byte
	return readRows(ctx, path, func(r *Row, _ int64) error {
		buf = appendWhole(buf[:0], r)
		each(xxh3.Hash128(buf))
		return nil
	})
}

func (t *tally) row(r *Row, by *replacement) {
	b := appendWhole(t.buf[:0], r)
	if by != nil {
		b = binary.AppendVarint(b, by.at)
		b = binary.AppendVarint(b, by.hash)
		b = appendBytes(b, []byte(by.run))
	}
	t.add(b)
}

func (t *tally) quarantined(r *quarantineRow) {
	b := appendBytes(t.buf[:0], r.Bytes)
	b = appendBytes(b, []byte(r.Reason))
	b = appendBytes(b, []byte(r.runID))
	b = binary.AppendVarint(b, int64(r.Page))
	b = binary.AppendVarint(b, int64(r.Position))
	t.add(binary.AppendVarint(b, r.firstSeen))
}

func (t *tally) add(encoded []byte) {
	t.buf = encoded
	h := xxh3.Hash128(encoded)
	var carry uint64
	t.lo, carry = bits.Add64(t.lo, h.Lo, 0)
	t.hi, _ = bits.Add64(t.hi, h.Hi, carry)
	t.rows++
}

// tallyTable reads files of activities or of revisions back.
func tallyTable(ctx context.Context, l layout, path string, t *tally) error {
	return readWhole(ctx, l.path(path), func(r *Row, by *replacement) error {
		t.row(r, by)
		return nil
	})
}

func tallyQuarantine(ctx context.Context, l layout, path string, t *tally) error {
	return readQuarantine(ctx, l.path(path), func(r *quarantineRow) error {
		t.quarantined(r)
		return nil
	})
}

// checkMerge reads back what a merge wrote: an error, and nothing may be
// committed, unless it holds exactly the rows that went in.
func checkMerge(ctx context.Context, l layout, in tally, outputs []string, read func(context.Context, layout, string, *tally) error) error {
	var out tally
	for _, path := range outputs {
		if err := read(ctx, l, path, &out); err != nil {
			return readFault(ctx, path, err)
		}
	}
	switch {
	case out.rows != in.rows:
		return fmt.Errorf("check merged files %q: %d rows went in and %d came out", outputs, in.rows, out.rows)
	case out.hi != in.hi || out.lo != in.lo:
		return fmt.Errorf("check merged files %q: a row is not what it was", outputs)
	}
	return nil
}
