package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Entry is one pair for Append.
type Entry struct {
	Kind Kind
	Hash uint64
	Cell Cell
}

// Append makes a run of a few entries, in any order.
func (w Writer) Append(ctx context.Context, span Span, entries []Entry) (Info, error) {
	b := w.Build(0)
	defer b.Close()
	for _, e := range entries {
		if err := b.Add(e.Kind, e.Hash, e.Cell); err != nil {
			return Info{}, err
		}
	}
	return b.Commit(ctx, span)
}

// defaultMemory is a Builder's budget.
const defaultMemory = 64 << 20

// maxSpills is how many spilled parts a Builder keeps open before it makes one
// of them: file descriptors are few on macOS.
const maxSpills = 64

// Builder makes one run of entries in any order and any number, in bounded
// memory: what does not fit is sorted and spilled, and merged at the end. What
// comes out depends on the set of entries alone. It is used by one goroutine.
type Builder struct {
	w     Writer
	limit int // entries in memory
	err   error

	entries []entry
	cells   []Cell // by number, in order of arrival
	numbers map[Cell]uint32
	last    uint32 // number of the last cell

	spills  []*run
	spilled int // names used
}

// Build begins a run. memory bounds the Builder's memory in bytes, 0 is 64 MiB.
// Which log versions it is for is said when it is committed: the digest of an
// entry is known only when the entry is.
func (w Writer) Build(memory int) *Builder {
	if memory <= 0 {
		memory = defaultMemory
	}
	// An entry is 16 bytes. As much again is for what was outgrown, for the
	// buffers of the merge, and for the garbage collector, which lets the heap
	// grow to twice what lives.
	return &Builder{
		w: w.withDefaults(), limit: max(memory/32, blockEntries),
		numbers: make(map[Cell]uint32),
	}
}

// Add takes one pair of value and cell; the same pair may come again.
func (b *Builder) Add(kind Kind, hash uint64, cell Cell) error {
	if b.err != nil {
		return b.err
	}
	if kind == 0 || kind > maxKind {
		return fmt.Errorf("build index: kind %d is not in 1..%d", kind, maxKind)
	}
	if len(b.entries) == b.limit {
		if b.err = b.spill(); b.err != nil {
			return b.err
		}
	}
	if len(b.entries) == cap(b.entries) {
		b.grow()
	}
	if len(b.cells) == 0 || b.cells[b.last] != cell {
		n, ok := b.numbers[cell]
		if !ok {
			n = uint32(len(b.cells))
			b.numbers[cell] = n
			b.cells = append(b.cells, cell)
		}
		b.last = n
	}
	b.entries = append(b.entries, entry{hash: hash, cell: b.last, kind: kind})
	return nil
}

// grow makes room: twice as much each time, but from an eighth of the limit on
// all of it. Otherwise what was outgrown is as much again, until the garbage
// collector comes by.
func (b *Builder) grow() {
	room := max(1024, 2*len(b.entries))
	if room > b.limit/8 {
		room = b.limit
	}
	grown := make([]entry, len(b.entries), room)
	copy(grown, b.entries)
	b.entries = grown
}

// sorted orders what is in memory, its cells renumbered in their order.
func (b *Builder) sorted() (cells []Cell, fill source) {
	cells = slices.Clone(b.cells)
	slices.SortFunc(cells, Cell.Compare)
	renumber := make([]uint32, len(cells))
	for n, c := range cells {
		renumber[b.numbers[c]] = uint32(n)
	}
	for i := range b.entries {
		b.entries[i].cell = renumber[b.entries[i].cell]
	}
	sortEntries(b.entries)
	return cells, func(add func(entry) error) error {
		for _, e := range b.entries {
			if err := add(e); err != nil {
				return err
			}
		}
		return nil
	}
}

// spill moves what is in memory to a file without a name.
func (b *Builder) spill() error {
	if len(b.spills) == maxSpills {
		if err := b.joinSpills(); err != nil {
			return err
		}
	}
	cells, fill := b.sorted()
	if err := b.keep(cells, fill); err != nil {
		return err
	}
	b.entries = b.entries[:0]
	b.cells = b.cells[:0]
	clear(b.numbers)
	return nil
}

func (b *Builder) keep(cells []Cell, fill source) error {
	r, err := b.w.spill(Span{}, b.spilled, cells, fill)
	b.spilled++
	if err != nil {
		return fmt.Errorf("spill index: %w", err)
	}
	b.spills = append(b.spills, r)
	return nil
}

// joinSpills makes one of all spilled parts.
func (b *Builder) joinSpills() error {
	parts := b.spills
	m, err := newMerge(context.Background(), parts)
	if err != nil {
		return fmt.Errorf("spill index: %w", err)
	}
	if err := b.keep(m.cells, m.fill); err != nil {
		return err
	}
	b.spills = b.spills[len(parts):]
	return closeAll(parts)
}

// Commit writes the run of these log versions; it is durable when this
// returns. The Builder is used up, whatever comes of it.
func (b *Builder) Commit(ctx context.Context, span Span) (Info, error) {
	defer b.Close()
	if span.From < 0 || span.To < span.From {
		return Info{}, fmt.Errorf("build index: log versions %d to %d", span.From, span.To)
	}
	if b.err != nil {
		return Info{}, b.err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if len(b.spills) == 0 {
		cells, fill := b.sorted()
		return b.w.writeRun(span, cells, fill)
	}
	if len(b.entries) > 0 {
		if err := b.spill(); err != nil {
			return Info{}, err
		}
	}
	b.entries = nil
	m, err := newMerge(ctx, b.spills)
	if err != nil {
		return Info{}, fmt.Errorf("build index: %w", err)
	}
	return b.w.writeRun(span, m.cells, m.fill)
}

var errUsedUp = errors.New("build index: the builder was committed or closed")

// Close gives the Builder up, or does nothing after Commit.
func (b *Builder) Close() error {
	b.err = errUsedUp
	err := closeAll(b.spills)
	b.spills, b.entries = nil, nil
	return err
}
