package index

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Cell is a partition of the lake: a UTC day (days since 1970-01-01) and a
// service.
type Cell struct {
	Day     int32
	Service int64
}

// Compare orders cells by day, then by service.
func (c Cell) Compare(d Cell) int {
	return cmp.Or(cmp.Compare(c.Day, d.Day), cmp.Compare(c.Service, d.Service))
}

func decodeCell(b []byte) Cell {
	return Cell{
		Day:     int32(binary.LittleEndian.Uint32(b)),
		Service: int64(binary.LittleEndian.Uint64(b[4:])),
	}
}

func appendCell(b []byte, c Cell) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Day))
	return binary.LittleEndian.AppendUint64(b, uint64(c.Service))
}

// Digest is the SHA-256 of a log entry's bytes.
type Digest [32]byte

// Span is the log versions that a run covers, both ends included, and between
// which entries they stand: a run of another log, or of a log that was set
// back and continued differently, does not fit.
type Span struct {
	From, To int64
	Before   Digest // of entry From-1; zero where From is 0
	Head     Digest // of entry To
}

// Info is one run, to be planned with and printed.
type Info struct {
	Span
	Name    string
	Entries int64
	Bytes   int64
}

// Index is the runs of a directory that together cover the log from 0 to some
// version. It does not change; what is written later is in the next Open.
// Any number of goroutines may use it.
type Index struct {
	runs     []*run
	problems []error
	stray    []string
}

// openAttempts bounds how often Open looks again after a run vanished between
// the listing and the opening: each time, a writer has finished a merge.
const openAttempts = 16

// Open opens the index in a directory; where there is none, it covers nothing.
// It writes nothing and takes no lock. Runs that cannot be used are no error:
// the index then covers less, and Problems says why.
func Open(dir string) (*Index, error) {
	for attempt := 1; ; attempt++ {
		ix, err := open(dir)
		if errors.Is(err, fs.ErrNotExist) && attempt < openAttempts {
			continue
		}
		return ix, err
	}
}

func open(dir string) (*Index, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Index{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	ix := &Index{}
	var found []*run
	for _, e := range list {
		from, to, ok := parseRunName(e.Name())
		if !ok {
			if isTemp(e.Name()) {
				ix.stray = append(ix.stray, e.Name())
			}
			continue
		}
		r, err := openRun(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			closeAll(found)
			return nil, err // merged away: look again
		}
		if err == nil && (r.span.From != from || r.span.To != to) {
			err = damaged(r.path, "it covers %d to %d", r.span.From, r.span.To)
			r.close()
		}
		if err != nil {
			ix.problems = append(ix.problems, err)
			ix.stray = append(ix.stray, e.Name())
			continue
		}
		found = append(found, r)
	}
	ix.runs = chain(found)
	for _, r := range found {
		if !slices.Contains(ix.runs, r) {
			ix.stray = append(ix.stray, filepath.Base(r.path))
			r.close()
		}
	}
	return ix, nil
}

// chain picks runs that cover the log from 0 on without a gap, as far as
// possible, and of such choices one with the fewest runs: after a merge and
// before the old runs are removed, the merged one.
func chain(runs []*run) []*run {
	type reach struct {
		to   int64
		runs int
		next *run
	}
	best := make(map[*run]reach, len(runs))
	byFrom := make(map[int64][]*run, len(runs))
	pick := func(from int64, fits func(*run) bool) (p *run) {
		for _, r := range byFrom[from] {
			if !fits(r) {
				continue
			}
			if a, b := best[r], best[p]; p == nil || a.to > b.to || a.to == b.to && a.runs < b.runs {
				p = r
			}
		}
		return p
	}
	// From the end: what follows a run begins behind it.
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b *run) int { return cmp.Compare(b.span.From, a.span.From) })
	for _, r := range runs {
		p := reach{to: r.span.To, runs: 1}
		if next := pick(r.span.To+1, func(n *run) bool { return n.span.Before == r.span.Head }); next != nil {
			p = reach{to: best[next].to, runs: best[next].runs + 1, next: next}
		}
		best[r] = p
		byFrom[r.span.From] = append(byFrom[r.span.From], r)
	}
	var chosen []*run
	for r := pick(0, func(*run) bool { return true }); r != nil; r = best[r].next {
		chosen = append(chosen, r)
	}
	return chosen
}

func closeAll(runs []*run) error {
	var err error
	for _, r := range runs {
		err = errors.Join(err, r.close())
	}
	return err
}

// Close closes the files; the index is not used after it.
func (ix *Index) Close() error { return closeAll(ix.runs) }

// Covered is the last log version of those that the index knows without a gap
// from 0 on, and the digest of that entry; -1 if it knows none. Files of later
// versions may hold any value. The caller compares the digest with its log: if
// they differ, the index is another log's, and is to be rebuilt.
func (ix *Index) Covered() (to int64, head Digest) {
	if len(ix.runs) == 0 {
		return -1, Digest{}
	}
	last := ix.runs[len(ix.runs)-1]
	return last.span.To, last.span.Head
}

// Problems are the runs that cannot be used: RunError, with ErrDamaged or
// ErrUnknownVersion in it.
func (ix *Index) Problems() []error { return ix.problems }

// Runs are the runs in use, oldest first.
func (ix *Index) Runs() []Info {
	infos := make([]Info, len(ix.runs))
	for i, r := range ix.runs {
		infos[i] = r.info()
	}
	return infos
}

// Stray are names of files of ours that the index does not use: merged into
// others, not understood, or left behind half written.
func (ix *Index) Stray() []string { return ix.stray }

func (r *run) info() Info {
	info := Info{Span: r.span, Name: filepath.Base(r.path), Bytes: r.size}
	for i := range r.sections {
		info.Entries += r.sections[i].entries
	}
	return info
}

// Cells appends the cells that may hold the value with this hash, as far as
// the index covers the log: ascending, each once. An error means that any cell
// may hold it.
func (ix *Index) Cells(dst []Cell, kind Kind, hash uint64) ([]Cell, error) {
	start := len(dst)
	for _, r := range ix.runs {
		s := r.section(kind)
		if s == nil || hash < s.min || hash > s.max {
			continue
		}
		var err error
		if dst, err = r.appendCells(dst, s, hash); err != nil {
			return dst[:start], err
		}
	}
	found := dst[start:]
	slices.SortFunc(found, Cell.Compare)
	return dst[:start+len(slices.Compact(found))], nil
}

// Lookup asks for many values at once: hashes are ascending, and visit is
// called with the index of a hash and a cell that may hold that value. It is
// called run by run, so that i begins anew, and one pair may come from several
// runs. Memory is 256 KiB besides the fences. An error means that any cell may
// hold any of the values, whatever was visited before it.
func (ix *Index) Lookup(kind Kind, hashes []uint64, visit func(i int, cell Cell)) error {
	if !slices.IsSorted(hashes) {
		return errors.New("look up in index: the hashes are not sorted")
	}
	for _, r := range ix.runs {
		if s := r.section(kind); s != nil {
			if err := r.lookup(s, hashes, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check reads every byte of every run in use and compares it with what it
// should be. It returns all problems, those of Open too, joined.
func (ix *Index) Check(ctx context.Context) error {
	problems := slices.Clone(ix.problems)
	for _, r := range ix.runs {
		if err := r.check(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
