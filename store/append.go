package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
)

// Append is one run of a verb that adds records. Add and Quarantine collect a
// batch; Commit makes the batch part of the lake, whole, together with what is
// known about how it was collected. A batch that is not committed never
// happened.
//
// Add, Quarantine and Run may be called from several goroutines at once;
// nothing else may.
type Append struct {
	w   *Writer
	tx  *transaction
	run Run

	mu       sync.Mutex
	cells    map[Partition]*cell
	free     freeChunks
	memory   int   // bytes of all waiting rows
	loaded   int   // and of spilled ones that are brought back to be written: they share the budget
	rowCount int64 // rows of the run so far
	// batchRows are those of the batch under way.
	batchRows int64
	ingested  int64 // of the batch under way; 0: none is
	batch     batch
	// contested are rows whose id may stand in another cell; see settle.go.
	contested       map[Partition]*cell
	contestedMemory int
	claims          claims
	spill           *spillFile
	dedupe          dedupe
	erased          erasures
	err             error // the run cannot go on
	encoded         sync.Pool
	leaving         leavingCells
	room            *sync.Cond    // a cell has been written or spilled
	encoders        chan struct{} // a place for each cell that is being encoded
}

// batch is what will become true with the next commit, beside its files.
type batch struct {
	revisions  sideRows[revisionRow]
	quarantine sideRows[Quarantined]
	bad        map[[32]byte]bool // of this batch
	released   map[[32]byte]bool // from the quarantine
	seen       map[string]int64
	tenants    map[int64]bool
}

// Quarantined is a record that could not be lifted, as it came.
type Quarantined struct {
	Bytes    []byte
	Reason   string
	Page     int32 // request of the run, or line of the file; 0: unknown
	Position int32 // in the page, from 0
}

// Begin starts a run. run.RunID must be new (NewRunID).
func (w *Writer) Begin(run Run) (*Append, error) {
	if w.open != nil {
		return nil, errors.New("begin a run: another one of this process is under way")
	}
	if !validRunID(run.RunID) {
		return nil, fmt.Errorf("begin a run: %q is no run id", run.RunID)
	}
	// Its files would have the names of those the lake has.
	if w.state.runs[run.RunID] != nil {
		return nil, fmt.Errorf("begin a run: the lake has a run %q already", run.RunID)
	}
	// The log may have been read again since the lake was opened.
	if err := w.writable(false); err != nil {
		return nil, w.fault("write to lake", err)
	}
	if err := w.CheckTenant(run.Host); err != nil {
		return nil, err
	}
	a := &Append{w: w, tx: w.begin(run.RunID), run: run, cells: map[Partition]*cell{}, free: freeChunks{most: mostFree}}
	a.newBatch()
	a.dedupe.reset(w)
	a.encoded.New = func() any { return new([]byte) }
	a.room = sync.NewCond(&a.mu)
	a.encoders = make(chan struct{}, openWriters)
	w.open = a
	return a, nil
}

func (a *Append) newBatch() {
	a.batch = batch{bad: map[[32]byte]bool{}, released: map[[32]byte]bool{}, seen: map[string]int64{}, tenants: map[int64]bool{}}
	a.leaving = nil
	a.contested, a.contestedMemory, a.claims = map[Partition]*cell{}, 0, newClaims()
	a.ingested, a.memory, a.loaded, a.batchRows = 0, 0, 0, 0
}

// Run is the run as it stands, the batch under way included as far as it was
// looked at.
func (a *Append) Run() Run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.run.clone()
}

// Add takes a record into the batch. The row may be used again at once. An
// error ends the run: only Abort may follow.
func (a *Append) Add(ctx context.Context, r *Row) error {
	buf := a.encoded.Get().(*[]byte)
	defer a.encoded.Put(buf)
	*buf = appendRow((*buf)[:0], r)

	a.mu.Lock()
	if err := a.add(ctx, r, *buf); err != nil {
		a.mu.Unlock()
		return a.fail(err)
	}
	victim, t, write := a.relieve(r.Partition())
	for victim == nil && a.memory+a.loaded >= a.limits().buffer && a.anyBusy() {
		a.room.Wait()
		victim, t, write = a.relieve(r.Partition())
	}
	a.mu.Unlock()
	if victim == nil {
		return nil
	}
	return a.fail(a.put(ctx, victim, t, write))
}

// fail remembers the first error and names the lake in it.
func (a *Append) fail(err error) error {
	if err == nil {
		return nil
	}
	err = a.w.fault("write to lake", err)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		a.err = err
	}
	return err
}

func (a *Append) add(ctx context.Context, r *Row, encoded []byte) error {
	if a.err != nil {
		return a.err
	}
	a.startBatch()
	if err := a.checkTenant(r); err != nil {
		return err
	}
	if err := a.erased.load(ctx, a.w); err != nil {
		return err
	}
	a.run.Records++
	a.run.Bytes += int64(len(r.Verbatim()))
	if a.erased.has(r) {
		a.run.Erased++
		return nil
	}
	p := r.Partition()
	c := a.cells[p]
	if c == nil {
		c = &cell{partition: p}
		a.cells[p] = c
	}
	a.memory += c.append(&a.free, newWaitingRow(r), encoded, len(r.Text)+len(r.Original))
	a.rowCount++
	a.batchRows++
	c.lastRow = a.rowCount
	a.countDrift(r.Drift)
	return nil
}

func (a *Append) countDrift(drift uint64) {
	if drift == 0 {
		return
	}
	if a.run.Drift == nil {
		a.run.Drift = map[string]int64{}
	}
	for i, c := range Columns {
		if drift&(1<<i) != 0 {
			a.run.Drift[c.Name]++
		}
	}
}

// startBatch gives the batch its `ingested`.
func (a *Append) startBatch() {
	if a.ingested == 0 {
		a.ingested = a.w.nextIngested()
	}
}

func (a *Append) checkTenant(r *Row) error {
	if !r.HasNumber(TenantID) {
		return nil
	}
	id := r.Numbers[TenantID]
	if a.batch.tenants[id] {
		return nil
	}
	t := a.w.state.tenant
	if !a.severalTenants() && !slices.Contains(t.IDs, id) {
		have := t.IDs
		for other := range a.batch.tenants {
			have = append(have[:len(have):len(have)], other)
		}
		if len(have) > 0 {
			return &TenantError{Have: fmt.Sprintf("tenant %d", have[0]), Got: fmt.Sprintf("tenant %d", id)}
		}
	}
	a.batch.tenants[id] = true
	return nil
}

func (a *Append) severalTenants() bool {
	if a.w.state.table.Version < 0 {
		return a.w.opts.SeveralTenants
	}
	return a.w.state.tenant.Several
}

func (a *Append) limits() limits { return a.w.opts.limits }

func (a *Append) anyBusy() bool {
	for _, c := range a.cells {
		if c.busy {
			return true
		}
	}
	return false
}

// relieve chooses, when memory is used up, what leaves it. Called with the
// mutex held.
func (a *Append) relieve(last Partition) (c *cell, t taken, write bool) {
	if c := a.cells[last]; c != nil && (c.raw >= a.limits().fileRaw || c.count >= fileRows) && !c.busy {
		return c, a.takeFrom(c, true), true
	}
	if c := a.leaving.next(); c != nil {
		return c, a.takeFrom(c, false), false
	}
	if a.memory+a.loaded < a.limits().buffer {
		return nil, taken{}, false
	}
	w := a.waiting()
	switch {
	case len(w.largest) == 0: // all of them are on their way out
		return nil, taken{}, false
	case w.idle != nil && w.idleMemory >= a.limits().buffer/leastIdle:
		return w.idle, a.takeFrom(w.idle, true), true
	case a.memory < a.limits().buffer && !a.worthSpilling(w.largest[0]):
		return nil, taken{}, false // what was brought back goes sooner than many small pieces would
	}
	a.leaving = w.leaving(a.limits().buffer / spillPart)
	c = a.leaving.next()
	return c, a.takeFrom(c, false), false
}

const (
	// leastIdle: partitions that have long seen no row are finished, if together
	// they hold this part of the budget. Of input in no order there are always
	// some, and none is.
	leastIdle = 4
	// idleTurns: long is so many times the rows that each waiting cell gets one in, if
	// that is more than idleRows.
	idleTurns = 8
	// spillPart: so large a part of the budget is spilled once it is used up, so
	// that thousands of cells are not looked through for each of them.
	spillPart = 16
)

// waitingCells are those that nobody is busy with.
type waitingCells struct {
	largest    []*cell // all of them; the largest is the first, the others have no order
	idle       *cell   // that has seen no row for the longest time
	idleMemory int     // of all that count as idle
}

func (a *Append) waiting() waitingCells {
	var w waitingCells
	long := max(a.limits().idleRows, idleTurns*int64(len(a.cells)))
	for _, c := range a.cells {
		if c.busy || c.memory == 0 {
			continue
		}
		w.largest = append(w.largest, c)
		if c.memory > w.largest[0].memory {
			n := len(w.largest) - 1
			w.largest[0], w.largest[n] = w.largest[n], w.largest[0]
		}
		if a.rowCount-c.lastRow < long {
			continue
		}
		w.idleMemory += c.memory
		if w.idle == nil || c.lastRow < w.idle.lastRow {
			w.idle = c
		}
	}
	return w
}

// leaving are the largest ones that hold so much together, at least one.
func (w waitingCells) leaving(memory int) leavingCells {
	if w.largest[0].memory >= memory {
		return w.largest[:1:1]
	}
	slices.SortFunc(w.largest, func(a, b *cell) int { return cmp.Or(cmp.Compare(b.memory, a.memory), a.partition.compare(b.partition)) })
	n := 0
	for memory > 0 && n < len(w.largest) {
		memory -= w.largest[n].memory
		n++
	}
	return slices.Clone(w.largest[:n])
}

// leavingCells are to be spilled.
type leavingCells []*cell

// next is the next one that can be; nil if there is none.
func (l *leavingCells) next() *cell {
	for len(*l) > 0 {
		c := (*l)[0]
		if *l = (*l)[1:]; !c.busy && c.memory > 0 {
			return c
		}
	}
	return nil
}

func (a *Append) worthSpilling(c *cell) bool { return c.memory >= a.limits().buffer/leastSpill }

// makeRoom spills other cells where one is about to bring its spilled rows back.
func (a *Append) makeRoom() error {
	for {
		a.mu.Lock()
		if a.loaded == 0 || a.memory+a.loaded <= a.limits().buffer {
			a.mu.Unlock()
			return nil
		}
		w := a.waiting()
		if len(w.largest) == 0 || !a.worthSpilling(w.largest[0]) {
			a.mu.Unlock()
			return nil
		}
		largest := w.largest[0]
		// In one go: whoever takes the cell next finds the rows here or there.
		t := largest.take(false)
		segment, err := a.spill.put(t)
		if err == nil {
			largest.spilled = append(largest.spilled, segment)
		}
		a.memory -= t.memory
		a.free.put(t.chunks)
		a.room.Broadcast()
		a.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (a *Append) takeFrom(c *cell, withSpilled bool) taken {
	c.busy = true
	t := c.take(withSpilled)
	for i := range t.spilled {
		t.loaded += t.spilled[i].loaded()
	}
	a.loaded += t.loaded
	return t
}

// put writes or spills what relieve has taken.
func (a *Append) put(ctx context.Context, c *cell, t taken, write bool) error {
	if err := a.prepare(); err != nil {
		a.release(c, t)
		return err
	}
	return a.putAs(ctx, c, t, write, "")
}

// release ends what takeFrom has begun.
func (a *Append) release(c *cell, t taken, segments ...spillSegment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.memory -= t.memory
	a.free.put(t.chunks)
	a.loaded -= t.loaded
	c.spilled = append(c.spilled, segments...)
	c.busy = false
	a.room.Broadcast()
}

// putAs is put with a name for the file that was reserved already, or none.
func (a *Append) putAs(ctx context.Context, c *cell, t taken, write bool, name string) error {
	if write {
		err := a.writeCell(ctx, c.partition, t, name)
		a.release(c, t)
		return err
	}
	segment, err := a.spill.put(t)
	if err != nil {
		a.release(c, t)
		return err
	}
	a.release(c, t, segment)
	return nil
}

// prepare makes the lake and the spill file when the first of them is needed.
func (a *Append) prepare() error {
	if err := a.tx.prepare(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spill != nil {
		return nil
	}
	f, err := newSpillFile(filepath.Join(a.w.layout.root, privateDir))
	a.spill = f
	return err
}

// Quarantine takes a record that could not be lifted into the batch. Bytes
// that the lake's quarantine holds already are only counted.
func (a *Append) Quarantine(ctx context.Context, q Quarantined) error {
	full, err := a.quarantine(ctx, q)
	if err == nil && len(full) > 0 {
		err = a.writeQuarantine(full)
	}
	return a.fail(err)
}

// quarantine answers what has to leave memory.
func (a *Append) quarantine(ctx context.Context, q Quarantined) ([]Quarantined, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return nil, a.err
	}
	a.startBatch()
	a.run.Records++
	a.run.Bytes += int64(len(q.Bytes))
	known, err := a.dedupe.knownBad(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.erased.load(ctx, a.w); err != nil {
		return nil, err
	}
	if a.erased.hashes[erasedBytes(q.Bytes)] {
		a.run.Erased++
		return nil, nil
	}
	sum := sha256.Sum256(q.Bytes)
	if known[sum] && !a.batch.released[sum] || a.batch.bad[sum] {
		a.run.Duplicates++
		a.batch.seen[hex.EncodeToString(sum[:])]++
		return nil, nil
	}
	a.batch.bad[sum] = true
	a.run.Quarantined++
	q.Bytes = slices.Clone(q.Bytes)
	return a.batch.quarantine.add(a.limits().side, len(q.Bytes), q), nil
}

// Close ends the run; what was not committed is dropped.
func (a *Append) Close() error {
	a.Abort()
	return nil
}

// Abort drops the batch and ends the run. What cannot be deleted now (a full
// or vanished disk) the next writer deletes.
func (a *Append) Abort() {
	if a.w.open != a {
		return
	}
	a.w.open = nil
	a.spill.Close()
	a.spill = nil
	a.w.values.drop()
	a.tx.abandon()
}

func sortedKeys[K interface{ ~string | ~int64 }, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// createdKey orders payloads by save time, NULL lowest.
func createdKey(r *Row) int64 {
	if !r.HasNumber(Created) {
		return math.MinInt64
	}
	return r.Numbers[Created]
}
