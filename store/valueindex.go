package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"mdcalake/store/index"
)

// valueIndex keeps the lake's value index (store/index) in step with its log.
// It is opened when it is first asked, and then made to know every version: what
// it lacks, or all of it, is read from the files. After each commit it gets
// what that commit brought. So deduplication may ask it which cells can hold an
// id, and take a "none" for an answer.
//
// It is derived. When it cannot be trusted it is made anew, which costs time.
type valueIndex struct {
	w *Writer

	mu      sync.Mutex
	ix      *index.Index   // nil: not opened, or out of step
	builder *index.Builder // what the batch under way brings; nil: nothing yet
	// recent are entries that were added a moment ago: values repeat, and the
	// builder would sort them all.
	recent [1 << 12]index.Entry
}

// indexedValues are the columns whose values are indexed beside activity_id.
var indexedValues = []struct {
	kind   index.Kind
	column int
	name   string
}{
	{index.UserName, UserName, "user_name"}, {index.ActorID, ActorID, "actor_id"}, {index.IP, IP, "ip"},
	{index.ObjectID, ObjectID, "object_id"}, {index.SessionID, SessionID, "session_id"},
}

// batchIndexMemory is what the entries of a batch may take before they spill.
const batchIndexMemory = 16 << 20

func (p Partition) cell() index.Cell { return index.Cell{Day: p.Day, Service: p.Service} }

func partitionOf(c index.Cell) Partition { return Partition{Day: c.Day, Service: c.Service} }

func (v *valueIndex) writer() index.Writer {
	l := v.w.layout
	return index.Writer{Dir: l.private(indexDir), FS: index.Using(v.w.opts.FS), FileMode: l.dataMode(), DirMode: l.dirMode()}
}

// open makes the index know the log up to its head. Called with the mutex held.
func (v *valueIndex) open(ctx context.Context) error {
	if v.ix != nil {
		return nil
	}
	covered, err := v.load()
	if err != nil {
		return err
	}
	if covered == v.w.state.table.Version {
		return nil
	}
	v.close()
	if err := v.catchUp(ctx, covered); err != nil {
		return fmt.Errorf("bring the value index up to date: %w", err)
	}
	covered, err = v.load()
	if err == nil && covered != v.w.state.table.Version {
		err = fmt.Errorf("the value index knows version %d of the log right after it was made for %d", covered, v.w.state.table.Version)
	}
	return err
}

// load opens what the directory holds and answers up to which version of this
// lake's log it knows everything; -1: an index that is of no use is removed.
func (v *valueIndex) load() (covered int64, err error) {
	ix, err := index.Open(v.writer().Dir)
	if err != nil {
		return -1, err
	}
	v.ix = ix
	covered, head := ix.Covered()
	if covered >= 0 {
		want, err := v.digest(covered)
		if err == nil && want == head {
			return covered, v.writer().RemoveStray(ix)
		}
	}
	if covered < 0 && len(ix.Stray()) == 0 {
		return -1, nil
	}
	v.close()
	if err := v.writer().Clear(); err != nil {
		return -1, err
	}
	v.ix, err = index.Open(v.writer().Dir)
	return -1, err
}

// digest is the SHA-256 of a log entry, by which the index knows the log.
func (v *valueIndex) digest(version int64) (index.Digest, error) {
	switch {
	case version < 0:
		return index.Digest{}, nil
	case version > v.w.state.table.Version:
		return index.Digest{}, fmt.Errorf("the log has no entry %d", version)
	}
	sum, err := v.w.entrySum(version)
	if err != nil {
		return index.Digest{}, err
	}
	return digestOf(sum)
}

func digestOf(sha256 string) (d index.Digest, err error) {
	_, err = hex.Decode(d[:], []byte(sha256))
	return d, err
}

// catchUp reads the files that came after the covered version.
func (v *valueIndex) catchUp(ctx context.Context, covered int64) error {
	span := index.Span{From: covered + 1, To: v.w.state.table.Version}
	var err error
	if span.Before, err = v.digest(covered); err != nil {
		return err
	}
	if span.Head, err = v.digest(span.To); err != nil {
		return err
	}
	b := v.writer().Build(0)
	defer b.Close()
	for _, f := range sortedFiles(v.w.state.files) {
		if f.Version > covered {
			if err := v.indexFile(ctx, b, f); err != nil {
				return err
			}
		}
	}
	for _, f := range sortedFiles(v.w.state.revisions) {
		if f.Version > covered {
			if err := v.indexRevisions(ctx, b, f); err != nil {
				return err
			}
		}
	}
	_, err = b.Commit(ctx, span)
	return err
}

func (v *valueIndex) indexFile(ctx context.Context, b *index.Builder, f File) error {
	names := []string{"activity_id"}
	for _, c := range indexedValues {
		names = append(names, c.name)
	}
	err := readColumns(ctx, v.w.layout.path(f.Path), names, func(batch arrow.RecordBatch) error {
		for n := range names {
			kind := index.ActivityID
			if n > 0 {
				kind = indexedValues[n-1].kind
			}
			column, ok := batch.Column(n).(*array.String)
			if !ok {
				return errOtherTypes
			}
			for i := range column.Len() {
				if column.IsValid(i) {
					if err := v.put(b, kind, []byte(column.Value(i)), f.Partition); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	return nil
}

func (v *valueIndex) indexRevisions(ctx context.Context, b *index.Builder, f File) error {
	err := readColumns(ctx, v.w.layout.path(f.Path), []string{"activity_id", "date", "service"}, func(batch arrow.RecordBatch) error {
		id, ok1 := batch.Column(0).(*array.String)
		day, ok2 := batch.Column(1).(*array.Date32)
		service, ok3 := batch.Column(2).(*array.Int64)
		if !ok1 || !ok2 || !ok3 {
			return errOtherTypes
		}
		for i := range id.Len() {
			p := Partition{Day: int32(day.Value(i)), Service: service.Value(i)}
			if err := v.put(b, index.Revision, []byte(id.Value(i)), p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	return nil
}

// put adds an entry, unless it was added just before.
func (v *valueIndex) put(b *index.Builder, kind index.Kind, value []byte, p Partition) error {
	e := index.Entry{Kind: kind, Hash: index.Hash(kind, value), Cell: p.cell()}
	slot := &v.recent[(e.Hash^uint64(p.Day)^uint64(p.Service))%uint64(len(v.recent))]
	if *slot == e {
		return nil
	}
	*slot = e
	return b.Add(kind, e.Hash, e.Cell)
}

// add notes the values of a row that the batch brings.
func (v *valueIndex) add(r *Row) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, p := v.batch(), r.Partition()
	if err := v.put(b, index.ActivityID, r.id(), p); err != nil {
		return err
	}
	for _, c := range indexedValues {
		if s := r.Strings[c.column]; !s.IsNull() {
			if err := v.put(b, c.kind, r.Bytes(s), p); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRevision notes a payload that goes to `revisions`.
func (v *valueIndex) addRevision(r *Row) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.put(v.batch(), index.Revision, r.id(), r.Partition())
}

func (v *valueIndex) batch() *index.Builder {
	if v.builder == nil {
		v.builder = v.writer().Build(batchIndexMemory)
		clear(v.recent[:])
	}
	return v.builder
}

// committed gives the index what an entry brought. An index that is not in
// step is left as it is: the next open reads what it lacks.
func (v *valueIndex) committed(previous string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	b := v.batch()
	v.builder = nil
	defer b.Close()
	version := v.w.state.table.Version
	if v.ix == nil {
		// Nobody has asked, so the batch has no row; only the version has to be told.
		covered, err := v.load()
		if err != nil || covered != version-1 {
			v.close()
			return err
		}
	}
	defer v.close() // until all of it is done
	span := index.Span{From: version, To: version}
	var err error
	if previous != "" {
		if span.Before, err = digestOf(previous); err != nil {
			return err
		}
	}
	if span.Head, err = digestOf(v.w.state.head); err != nil {
		return err
	}
	ctx := context.Background() // bounded work, on which a commit's end waits
	if _, err = b.Commit(ctx, span); err != nil {
		return err
	}
	return v.merge(ctx)
}

// merge keeps the number of runs small.
func (v *valueIndex) merge(ctx context.Context) error {
	ix, err := index.Open(v.writer().Dir)
	if err != nil {
		return err
	}
	plan := index.PlanMerge(ix.Runs())
	if err := ix.Close(); err != nil || plan.Empty() {
		return err
	}
	if _, err := v.writer().Merge(ctx, plan); err != nil {
		return err
	}
	ix, err = index.Open(v.writer().Dir)
	if err != nil {
		return err
	}
	return errors.Join(v.writer().RemoveStray(ix), ix.Close())
}

// clear removes the index; whoever needs it next makes it anew.
func (v *valueIndex) clear() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.close()
	return v.writer().Clear()
}

// drop forgets a batch that will not be committed.
func (v *valueIndex) drop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.builder != nil {
		v.builder.Close()
		v.builder = nil
	}
	v.close()
}

func (v *valueIndex) close() {
	if v.ix != nil {
		v.ix.Close() // a reader of whole files: there is nothing to lose
		v.ix = nil
	}
}

// lookup says which cells may hold the values with these hashes, in any order;
// visit is called with the hash, perhaps more than once. An index that turns
// out to be damaged is made anew on the spot.
func (v *valueIndex) lookup(ctx context.Context, kind index.Kind, hashes []uint64, visit func(hash uint64, p Partition)) error {
	if len(hashes) == 0 {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	hashes = slices.Clone(hashes)
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	for attempt := 1; ; attempt++ {
		if err := v.open(ctx); err != nil {
			return err
		}
		err := v.ix.Lookup(kind, hashes, func(i int, c index.Cell) { visit(hashes[i], partitionOf(c)) })
		if attempt > 1 || !errors.Is(err, index.ErrDamaged) {
			return err
		}
		v.close()
		if err := v.writer().Clear(); err != nil {
			return err
		}
	}
}
