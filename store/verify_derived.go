package store

import (
	"bytes"
	"context"
	"slices"

	"mdcalake/store/index"
)

// What is derived can be thrown away, but as long as it is there readers and
// writers believe it: a cached fold that lies shows them another lake, a value
// index that lacks an id lets it in twice. So both are held against what they
// were made from. Where one is only broken, it is not believed either, and that
// is a note.

// cachedFold compares the cached fold with the log.
func (v *verifier) cachedFold() error {
	log := logDir{fs: osFS{}, layout: v.layout}
	state, _ := readFold(v.layout, log, false)
	if state == nil || !v.log.whole() || state.table.Version > v.log.version() {
		return nil // missing, broken, or made while we were reading
	}
	var versions []int64
	for n := state.table.Version + 1; n <= v.log.version(); n++ {
		versions = append(versions, n)
	}
	if _, err := state.advance(log, versions); err != nil {
		return err
	}
	if !sameFold(state, v.log.state) {
		v.problem(privateDir+"/"+foldName, "it does not say what the log says: remove it, it is made anew")
	}
	return nil
}

// sameFold compares two folds but for the files that were swept, which a
// cached fold forgets.
func sameFold(cached, whole *fold) bool {
	for rel := range cached.removed {
		if !whole.removed[rel] {
			return false
		}
	}
	a, b := *cached, *whole
	a.removed, b.removed = nil, nil
	return bytes.Equal(encodeFold(&a, 0), encodeFold(&b, 0))
}

// openIndex opens the value index, if it claims to know this log.
func (v *verifier) openIndex(ctx context.Context) {
	ix, err := index.Open(v.layout.private(indexDir))
	if err != nil {
		return
	}
	covered, head := ix.Covered()
	entry := v.log.entry(covered)
	if covered < 0 || entry == nil || !v.log.whole() {
		ix.Close()
		return
	}
	if want, err := digestOf(entry.sum); err != nil || want != head {
		v.note("%s/%s is another log's: it is made anew by the next run", privateDir, indexDir)
		ix.Close()
		return
	}
	if err := ix.Check(ctx); err != nil {
		v.note("%s/%s: %v", privateDir, indexDir, err)
		ix.Close()
		return
	}
	v.index, v.indexed = ix, covered
}

func (v *verifier) closeIndex() {
	if v.index != nil {
		v.index.Close()
	}
}

// appendIndexed collects the hashes that the index must know.
func (v *verifier) appendIndexed(hashes []uint64, f File, r *Row) []uint64 {
	if v.index == nil || f.Version > v.indexed {
		return nil
	}
	return append(hashes, index.Hash(index.ActivityID, r.id()))
}

// checkIndexed says of a file whether the index knows that its cell may hold
// its ids.
func (v *verifier) checkIndexed(f File, cell Partition, hashes []uint64, found finding) {
	if len(hashes) == 0 {
		return
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	known := make([]bool, len(hashes))
	err := v.index.Lookup(index.ActivityID, hashes, func(i int, c index.Cell) { known[i] = known[i] || partitionOf(c) == cell })
	if err != nil {
		found(privateDir+"/"+indexDir, "%v", err)
		return
	}
	missing := 0
	for _, k := range known {
		if !k {
			missing++
		}
	}
	if missing > 0 {
		found(privateDir+"/"+indexDir, "it does not know %d ids of %s: remove it, it is made anew", missing, f.Path)
	}
}

// isFold says whether a name in our directory is that of the cached fold.
func isFold(name string) bool { return name == foldName || name == foldName+".tmp" }
