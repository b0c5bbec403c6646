package index

import (
	"context"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
)

// fan is how many runs of about one size are merged into the next size.
// With 4, an entry is rewritten about log4 of the growth of its run, and a
// lake of 50 million entries in commits of 1,000 has at most 3 x 9 runs.
const fan = 4

// Plan is a merge to be done: neighbouring runs that become one. The zero
// value is nothing to do.
type Plan struct {
	Runs    []Info // oldest first
	Entries int64  // at most so many will be written
	Bytes   int64  // will be read, and about so many written
}

// Empty says that there is nothing to do.
func (p Plan) Empty() bool { return len(p.Runs) == 0 }

func (p Plan) String() string {
	if p.Empty() {
		return "nothing to merge"
	}
	return fmt.Sprintf("merge %d runs, log versions %d to %d: %d entries, %d bytes",
		len(p.Runs), p.Runs[0].From, p.Runs[len(p.Runs)-1].To, p.Entries, p.Bytes)
}

// tier is the class of size of a run: each holds four times what the one
// before it does.
func tier(entries int64) int { return (bits.Len64(uint64(entries)) + 1) / 2 }

// PlanMerge says which runs to merge after an Append, if any. It keeps two
// things: no run is of a lower tier than one behind it, and of one tier there
// are fewer than four. So there are at most 3 runs for each tier, and what is
// merged is always the newest part of the log.
//
// What it costs: a merge lifts every entry's run by a tier, except those of a
// run that is new and larger than what lies before it, which happens once. An
// entry is thus written at most 2 + log4(N/n) times, N being the entries of
// the lake and n those of its first run.
func PlanMerge(runs []Info) Plan {
	first := len(runs) // runs from here on are one
	sum := int64(0)
	for i := len(runs) - 1; i >= 0; i-- {
		t := tier(runs[i].Entries)
		// What follows run i: the merged one, and those not merged between.
		same, lower := 1, first < len(runs) && t < tier(sum)
		for _, r := range runs[i+1 : first] {
			switch u := tier(r.Entries); {
			case u > t:
				lower = true
			case u == t:
				same++
			}
		}
		if first < len(runs) && tier(sum) == t {
			same++
		}
		if lower || same >= fan {
			for ; first > i; first-- {
				sum += runs[first-1].Entries
			}
		}
	}
	if first == len(runs) {
		return Plan{}
	}
	return planOf(runs[first:])
}

// PlanMergeAll makes one run of all.
func PlanMergeAll(runs []Info) Plan {
	if len(runs) < 2 {
		return Plan{}
	}
	return planOf(runs)
}

func planOf(runs []Info) Plan {
	p := Plan{Runs: slices.Clone(runs)}
	for _, r := range runs {
		p.Entries += r.Entries
		p.Bytes += r.Bytes
	}
	return p
}

// Merge does what the plan says, in bounded memory, and returns the new run,
// durable when it returns. The old runs are left: the next Open does not use
// them, and RemoveStray removes them. Every block is checked on the way; if
// one is damaged, nothing changes.
func (w Writer) Merge(ctx context.Context, p Plan) (Info, error) {
	w = w.withDefaults()
	if p.Empty() {
		return Info{}, nil
	}
	var runs []*run
	defer func() { closeAll(runs) }()
	for i, info := range p.Runs {
		r, err := openRun(filepath.Join(w.Dir, info.Name))
		if err != nil {
			return Info{}, fmt.Errorf("merge index: %w", err)
		}
		runs = append(runs, r)
		if r.span != info.Span {
			return Info{}, fmt.Errorf("merge index: %w", damaged(r.path, "it covers %d to %d", r.span.From, r.span.To))
		}
		if i > 0 && (runs[i-1].span.To+1 != r.span.From || runs[i-1].span.Head != r.span.Before) {
			return Info{}, fmt.Errorf("merge index: run %q does not follow %q", r.path, runs[i-1].path)
		}
	}
	span := runs[0].span
	span.To, span.Head = runs[len(runs)-1].span.To, runs[len(runs)-1].span.Head
	m, err := newMerge(ctx, runs)
	if err != nil {
		return Info{}, fmt.Errorf("merge index: %w", err)
	}
	return w.writeRun(span, m.cells, m.fill)
}

// cursor walks over all entries of a run.
type cursor struct {
	e entry // the present one, its cell renumbered

	r        *run
	renumber []uint32
	buf      []byte
	n, to    int64 // the present block, and the first that is not in buf
	from     int64
	b        block
	kind     Kind
	pos      int
	count    int
}

func newCursor(r *run, renumber []uint32, blocks int) (*cursor, error) {
	return &cursor{r: r, renumber: renumber, buf: make([]byte, blocks*blockSize), n: -1}, nil
}

// next goes to the next entry; false at the end.
func (c *cursor) next() (bool, error) {
	for c.pos == c.count {
		if c.n+1 == c.r.blocks {
			return false, nil
		}
		if err := c.nextBlock(); err != nil {
			return false, err
		}
	}
	number := c.b.cell(c.pos)
	if int(number) >= len(c.renumber) {
		return false, damaged(c.r.path, "cell number %d of %d", number, len(c.renumber))
	}
	c.e = entry{hash: c.b.hash(c.pos), cell: c.renumber[number], kind: c.kind}
	c.pos++
	return true, nil
}

func (c *cursor) nextBlock() error {
	c.n++
	if c.n == c.to {
		blocks := min(int64(len(c.buf)/blockSize), c.r.blocks-c.n)
		if err := c.r.readAt(c.buf[:blocks*blockSize], c.n*blockSize); err != nil {
			return err
		}
		c.from, c.to = c.n, c.n+blocks
	}
	c.b = c.buf[(c.n-c.from)*blockSize : (c.n-c.from+1)*blockSize]
	count, err := c.r.checked(c.n, c.b)
	if err != nil {
		return err
	}
	c.kind, _ = c.r.block(c.n)
	c.pos, c.count = 0, count
	return nil
}

// merge is a k-way merge of runs, whose cells it numbers anew. Both tables are
// sorted, so the order of entries survives the renumbering.
type merge struct {
	ctx   context.Context
	cells []Cell
	heap  []*cursor // by the present entry
}

// mergeMemory is what the cursors of a merge share; each has at least a block.
const mergeMemory = 8 << 20

func newMerge(ctx context.Context, runs []*run) (*merge, error) {
	m := &merge{ctx: ctx}
	for _, r := range runs {
		if err := r.load(); err != nil {
			return nil, err
		}
		m.cells = append(m.cells, r.cellList...)
		if len(m.cells) > 1<<20 { // many runs have nearly the same cells
			m.compactCells()
		}
	}
	m.compactCells()
	blocks := max(1, min(windowBlocks, mergeMemory/blockSize/max(1, len(runs))))
	for _, r := range runs {
		renumber := make([]uint32, len(r.cellList))
		for i, at := 0, 0; i < len(renumber); i++ {
			n, _ := slices.BinarySearchFunc(m.cells[at:], r.cellList[i], Cell.Compare)
			at += n
			renumber[i] = uint32(at)
		}
		c, err := newCursor(r, renumber, blocks)
		if err != nil {
			return nil, err
		}
		m.heap = append(m.heap, c)
	}
	return m, nil
}

func (m *merge) compactCells() {
	slices.SortFunc(m.cells, Cell.Compare)
	m.cells = slices.Compact(m.cells)
}

// fill is the merge's entries in order, once.
func (m *merge) fill(add func(entry) error) error {
	heap := m.heap[:0]
	for _, c := range m.heap {
		ok, err := c.next()
		if err != nil {
			return err
		}
		if ok {
			heap = append(heap, c)
		}
	}
	slices.SortFunc(heap, func(a, b *cursor) int { return compare(a.e, b.e) })
	for n := 0; len(heap) > 0; n++ {
		if n&0xffff == 0 && m.ctx.Err() != nil {
			return m.ctx.Err()
		}
		c := heap[0]
		before := c.e
		if err := add(before); err != nil {
			return err
		}
		ok, err := c.next()
		if err != nil {
			return err
		}
		switch {
		case !ok:
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		case less(c.e, before):
			return damaged(c.r.path, "block %d is out of order", c.n)
		}
		siftDown(heap)
	}
	return nil
}

// siftDown moves the top of the heap to its place.
func siftDown(heap []*cursor) {
	if len(heap) == 0 {
		return
	}
	top, at := heap[0], 0
	for {
		child := 2*at + 1
		if child >= len(heap) {
			break
		}
		if child+1 < len(heap) && less(heap[child+1].e, heap[child].e) {
			child++
		}
		if !less(heap[child].e, top.e) {
			break
		}
		heap[at] = heap[child]
		at = child
	}
	heap[at] = top
}

func identity(n int) []uint32 {
	numbers := make([]uint32, n)
	for i := range numbers {
		numbers[i] = uint32(i)
	}
	return numbers
}
