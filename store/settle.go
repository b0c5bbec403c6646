package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mdcalake/store/index"
)

// One row per id, over the whole lake.
//
// A record can come again with another day or another app. So before a cell's
// rows are written, the value index is asked whether any other cell can hold
// their ids, and the claims whether the batch itself has them elsewhere. Rows
// for which the answer is yes are contested: they are set aside, and decided
// one after the other when all else of the batch is written and both sides can
// be read. There are few of them in ordinary life; where there are many (an app
// got another number), they wait on the disk and are taken in pieces.

const (
	// contestedMemory is what contested rows may take before they are spilled.
	contestedMemory = 32 << 20
	// pieceBytes is how much of them is decided on at once.
	pieceBytes = 32 << 20
	// claimedRows bounds the rows of a batch, so that the claims stay within
	// about 30 MB; Full then asks for a commit.
	claimedRows = 1_500_000
)

// claims are the cells in which the batch has written an id, by the value
// index's hash of it. Two ids of one hash only cost a second look.
type claims struct {
	mu      *sync.Mutex
	numbers map[Partition]uint32
	cells   []Partition
	first   map[uint64]uint32
	more    map[uint64][]Partition // ids that were decided for another cell since
}

func newClaims() claims {
	return claims{mu: &sync.Mutex{}, numbers: map[Partition]uint32{}, first: map[uint64]uint32{}, more: map[uint64][]Partition{}}
}

// claim gives ids to a cell and calls taken for those that another cell has.
func (c *claims) claim(p Partition, rows []waitingRow, taken func(row int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	number, ok := c.numbers[p]
	if !ok {
		number = uint32(len(c.cells))
		c.numbers[p], c.cells = number, append(c.cells, p)
	}
	for i, w := range rows {
		switch owner, ok := c.first[w.id]; {
		case !ok:
			c.first[w.id] = number
		case owner != number:
			taken(i)
		}
	}
}

// has calls each for the rows whose id the cell has been given already.
func (c *claims) has(p Partition, rows []waitingRow, each func(row int)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	number, ok := c.numbers[p]
	if !ok {
		return
	}
	for i, w := range rows {
		if owner, ok := c.first[w.id]; ok && owner == number {
			each(i)
		}
	}
}

// holders are the cells that may have an id by this batch.
func (c *claims) holders(hash uint64) []Partition {
	cells := slices.Clone(c.more[hash])
	if n, ok := c.first[hash]; ok {
		cells = append(cells, c.cells[n])
	}
	return cells
}

// Full says that the batch has as many rows as its memory is made for: it is
// time to commit.
func (a *Append) Full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.batchRows >= a.limits().batchRows
}

// setAside takes the rows out of t whose id may stand in another cell, and sees
// to it that the index knows those that may stand in this one.
func (a *Append) setAside(ctx context.Context, p Partition, idx *cellIndex, t *taken) error {
	hashes := make([]uint64, len(t.rows))
	for i, w := range t.rows {
		hashes[i] = w.id
	}
	here, elsewhere := map[uint64]bool{}, map[uint64]bool{}
	err := a.w.values.lookup(ctx, index.ActivityID, hashes, func(hash uint64, cell Partition) {
		if cell == p {
			here[hash] = true
		} else {
			elsewhere[hash] = true
		}
	})
	if err != nil {
		return err
	}
	if idx.inPart {
		a.claims.has(p, t.rows, func(row int) { here[t.rows[row].id] = true })
		if err := a.readHere(ctx, p, idx, t, here); err != nil {
			return err
		}
	}
	contested := map[int]bool{}
	for i, w := range t.rows {
		if elsewhere[w.id] {
			contested[i] = true
		}
	}
	a.claims.claim(p, t.rows, func(row int) { contested[row] = true })
	if len(contested) == 0 {
		return nil
	}
	kept := t.rows[:0]
	var row Row
	for i, w := range t.rows {
		if contested[i] {
			encoded, err := t.encoded(w)
			if err != nil {
				return err
			}
			if _, err := decodeRow(encoded, &row); err != nil {
				return err
			}
			// The index names cells that held an id once, too. An id that stands here
			// stands nowhere else.
			if _, here := idx.rows[dedupeKey(row.id())]; !here {
				if err := a.contest(p, w, encoded, len(row.Text)); err != nil {
					return err
				}
				continue
			}
		}
		kept = append(kept, w)
	}
	t.rows = kept
	return nil
}

// readHere reads the cell's rows that have one of the ids, given by the value
// index's hash of them; no file, if none may.
func (a *Append) readHere(ctx context.Context, p Partition, idx *cellIndex, t *taken, here map[uint64]bool) error {
	if len(here) == 0 {
		return nil
	}
	wanted := map[uint64]bool{}
	for _, w := range t.rows {
		if here[w.id] {
			wanted[w.key] = true
		}
	}
	return a.readCell(ctx, p, idx, wanted)
}

// contest puts a row among the contested ones.
func (a *Append) contest(p Partition, w waitingRow, encoded []byte, rawBytes int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.contested[p]
	if c == nil {
		c = &cell{partition: p}
		a.contested[p] = c
	}
	a.contestedMemory += c.append(nil, w, encoded, rawBytes)
	if a.contestedMemory < a.limits().contested {
		return nil
	}
	a.contestedMemory = 0
	for _, c := range a.contested {
		if len(c.rows) == 0 {
			continue
		}
		segment, err := a.spill.put(c.take(false))
		if err != nil {
			return err
		}
		c.spilled = append(c.spilled, segment)
	}
	return nil
}

// settle decides on all contested rows. It runs when nothing else of the batch
// is under way.
func (a *Append) settle(ctx context.Context) error {
	cells := slices.SortedFunc(maps.Keys(a.contested), Partition.compare)
	for _, p := range cells {
		t := a.contested[p].take(true)
		for piece := range pieces(t, a.limits().piece) {
			back, err := a.spill.whole(&piece)
			if err != nil {
				return err
			}
			if err := a.settlePiece(ctx, p, &piece); err != nil {
				return err
			}
			a.spill.giveBack(back...)
		}
	}
	return nil
}

// pieces cuts waiting rows into parts of about so many bytes.
func pieces(t taken, size int) func(yield func(taken) bool) {
	return func(yield func(taken) bool) {
		for len(t.spilled) > 0 {
			n, bytes := 0, 0
			for n < len(t.spilled) && (n == 0 || bytes < size) {
				bytes += t.spilled[n].size
				n++
			}
			if !yield(taken{spilled: t.spilled[:n]}) {
				return
			}
			t.spilled = t.spilled[n:]
		}
		if len(t.rows) > 0 {
			yield(taken{rows: t.rows, chunks: t.chunks})
		}
	}
}

// contest is one id and the payloads that want to be its current one.
type contest struct {
	hash     uint64 // of the value index
	came     []waitingRow
	standing *storedRow // the current payload so far; nil: the id is new
	cell     Partition  // where it stands,
	path     string     // in which file,
	row      int32      // and where in it
}

func (a *Append) settlePiece(ctx context.Context, p Partition, t *taken) error {
	contests := map[string]*contest{}
	var row Row
	for _, w := range t.rows {
		if err := t.decode(w, &row); err != nil {
			return err
		}
		c := contests[string(row.id())]
		if c == nil {
			c = &contest{hash: w.id}
			contests[string(row.id())] = c
		}
		c.came = append(c.came, w)
	}
	if err := a.findStanding(ctx, p, contests); err != nil {
		return err
	}
	if err := a.learnPast(ctx, t, t.rows); err != nil {
		return err
	}
	var o outcome
	var winners []waitingRow
	beaten := map[string]map[int32]bool{}
	moved := map[Partition]bool{}
	for _, id := range slices.Sorted(maps.Keys(contests)) {
		c := contests[id]
		winner, err := a.decide(ctx, &o, c, t)
		if err != nil {
			return err
		}
		if winner == nil {
			continue
		}
		winners = append(winners, *winner)
		a.claims.more[c.hash] = append(a.claims.more[c.hash], p)
		if c.standing != nil {
			mark(beaten, c.path, c.row)
			moved[c.cell] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(beaten)) {
		if err := a.tx.rewrite(ctx, path, beaten[path]); err != nil {
			return err
		}
	}
	if len(winners) > 0 {
		moved[p] = true
		t.rows = winners
		t.sort()
		if _, err := a.writeNewRows(p, t, &verdict{keep: t.rows}, "", func() {}); err != nil {
			return err
		}
	}
	for q := range moved {
		a.dedupe.forget(q)
	}
	return a.carryOut(&o)
}

// findStanding finds the current payload of each id, wherever it is.
func (a *Append) findStanding(ctx context.Context, p Partition, contests map[string]*contest) error {
	cells := map[Partition]map[uint64]string{} // cell -> key -> id
	look := func(q Partition, id string) {
		if cells[q] == nil {
			cells[q] = map[uint64]string{}
		}
		cells[q][dedupeKey([]byte(id))] = id
	}
	var hashes []uint64
	ids := map[uint64][]string{}
	for id, c := range contests {
		hashes = append(hashes, c.hash)
		ids[c.hash] = append(ids[c.hash], id)
		look(p, id)
		for _, q := range a.claims.holders(c.hash) {
			look(q, id)
		}
	}
	err := a.w.values.lookup(ctx, index.ActivityID, hashes, func(hash uint64, q Partition) {
		for _, id := range ids[hash] {
			look(q, id)
		}
	})
	if err != nil {
		return err
	}
	for _, q := range slices.SortedFunc(maps.Keys(cells), Partition.compare) {
		if err := a.findInCell(ctx, q, cells[q], contests); err != nil {
			return err
		}
	}
	return nil
}

func (a *Append) findInCell(ctx context.Context, q Partition, wanted map[uint64]string, contests map[string]*contest) error {
	idx := a.cellIndex(q)
	if idx.inPart {
		keys := map[uint64]bool{}
		for key := range wanted {
			keys[key] = true
		}
		if err := a.readCell(ctx, q, idx, keys); err != nil {
			return err
		}
	}
	defer a.dedupe.keep(q, idx)
	rows := map[int32]map[int32]bool{}
	at := map[place]string{}
	for key, id := range wanted {
		if k, hit := idx.rows[key]; hit {
			mark(rows, k.file, k.row)
			at[place{k.file, k.row}] = id
		}
	}
	var row Row
	for _, file := range slices.Sorted(maps.Keys(rows)) {
		path := idx.files[file]
		var fault error
		err := a.readStored(ctx, path, rows[file], func(n int32, s storedRow) {
			id := at[place{file, n}]
			if _, err := decodeRow(s.encoded, &row); err != nil || string(row.id()) != id {
				return // another id with the same hash
			}
			c := contests[id]
			if c.standing != nil {
				fault = &DamageError{Path: path, What: fmt.Sprintf("row %d: its activity_id stands in %s too", n, c.path)}
				return
			}
			c.standing, c.cell, c.path, c.row = &s, q, path, n
		})
		if err != nil {
			return err
		}
		if fault != nil {
			return fault
		}
	}
	return nil
}

// decide answers the row that is current in the end, nil if that is the one
// that stands already.
func (a *Append) decide(ctx context.Context, o *outcome, c *contest, t *taken) (winner *waitingRow, err error) {
	var now, came Row
	current := storedRow{ingested: a.ingested, runID: a.run.RunID}
	if c.standing != nil {
		current = *c.standing
	} else {
		if current.encoded, err = t.encoded(c.came[0]); err != nil {
			return nil, err
		}
		winner = &c.came[0]
		c.came = c.came[1:]
		o.added++
	}
	if _, err := decodeRow(current.encoded, &now); err != nil {
		return nil, err
	}
	for i := range c.came {
		encoded, err := t.encoded(c.came[i])
		if err != nil {
			return nil, err
		}
		if _, err := decodeRow(encoded, &came); err != nil {
			return nil, err
		}
		newer, err := a.compare(ctx, o, &now, current, &came, encoded)
		if err != nil {
			return nil, err
		}
		if newer {
			winner = &c.came[i]
			current = storedRow{encoded: encoded, ingested: a.ingested, runID: a.run.RunID}
			now, came = came, now
		}
	}
	return winner, nil
}
