package store

import (
	"context"
	"crypto/sha256"
	"sync"

	"mdcalake/store/index"
)

// Is a payload in `revisions` already? The value index says whether an id has
// any payload there, and hardly any has; only then are files read.

// pastPayloads are what the run knows of `revisions`: all payloads of the ids
// that were looked up, and those that the batch adds.
type pastPayloads struct {
	mu     *sync.Mutex
	looked map[uint64]bool // by key of the id
	known  map[uint64][]pastPayload
}

type pastPayload struct {
	hash      int64             // content_hash
	canonical [sha256.Size]byte // of the canonical text; zero: it has none
}

func newPastPayloads() pastPayloads {
	return pastPayloads{mu: &sync.Mutex{}, looked: map[uint64]bool{}, known: map[uint64][]pastPayload{}}
}

func newPastPayload(r *Row) pastPayload {
	p := pastPayload{hash: r.ContentHash}
	if r.Original == nil {
		if text, err := canonical(r.Raw()); err == nil {
			p.canonical = sha256.Sum256(text)
		}
	}
	return p
}

// add notes a payload on its way to `revisions`.
func (p pastPayloads) add(key uint64, r *Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[key] = append(p.known[key], newPastPayload(r))
}

// knownPast says whether a payload is in `revisions`.
func (a *Append) knownPast(ctx context.Context, r *Row) (bool, error) {
	key := dedupeKey(r.id())
	if err := a.lookUpPast(ctx, map[uint64]uint64{key: index.Hash(index.Revision, r.id())}); err != nil {
		return false, err
	}
	p, want := a.dedupe.past, newPastPayload(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, old := range p.known[key] {
		if old.hash == want.hash || old.canonical == want.canonical && want.canonical != [sha256.Size]byte{} {
			return true, nil
		}
	}
	return false, nil
}

// learnPast looks the ids of some waiting rows up at once: a file of revisions
// is then read once for all of them.
func (a *Append) learnPast(ctx context.Context, t *taken, rows []waitingRow) error {
	ids := map[uint64]uint64{}
	var row Row
	for _, w := range rows {
		if err := t.decode(w, &row); err != nil {
			return err
		}
		ids[dedupeKey(row.id())] = index.Hash(index.Revision, row.id())
	}
	return a.lookUpPast(ctx, ids)
}

// lookUpPast reads the past payloads of ids, each given by its key and by the
// value index's hash of it, unless they are known.
func (a *Append) lookUpPast(ctx context.Context, ids map[uint64]uint64) error {
	p := a.dedupe.past
	p.mu.Lock()
	defer p.mu.Unlock()
	var hashes []uint64
	for key, hash := range ids {
		if !p.looked[key] {
			hashes = append(hashes, hash)
		}
	}
	days := map[int32]bool{}
	err := a.w.values.lookup(ctx, index.Revision, hashes, func(_ uint64, cell Partition) { days[cell.Day] = true })
	if err != nil {
		return err
	}
	for _, f := range sortedFiles(a.w.state.revisions) {
		if f.mayHoldDay(days) {
			if err := a.readPast(ctx, f, ids); err != nil {
				return err
			}
		}
	}
	for key := range ids {
		p.looked[key] = true
	}
	return nil
}

// readPast takes over the payloads that a file of revisions has of some ids.
func (a *Append) readPast(ctx context.Context, f File, ids map[uint64]uint64) error {
	p := a.dedupe.past
	path := a.w.layout.path(f.Path)
	found := map[int64]uint64{} // row -> key
	row := int64(0)
	err := readIDs(ctx, path, func(id string) {
		key := dedupeKey([]byte(id))
		if _, wanted := ids[key]; wanted && !p.looked[key] {
			found[row] = key
		}
		row++
	})
	if err == nil && len(found) > 0 {
		err = readRows(ctx, path, func(r *Row, index int64) error {
			if key, wanted := found[index]; wanted {
				p.known[key] = append(p.known[key], newPastPayload(r))
			}
			return nil
		})
	}
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	return nil
}

// mayHoldDay says whether a row of one of the days can be in the file.
func (f File) mayHoldDay(days map[int32]bool) bool {
	for day := range days {
		first := int64(day) * dayMillis
		if f.Stats.Timestamp.Min < first+dayMillis && f.Stats.Timestamp.Max >= first {
			return true
		}
	}
	return false
}
