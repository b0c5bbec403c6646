package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// What a purge has erased must not come back with the next round. Of what was
// older than a day, the day says so; of what a person did, hashes stay: of the
// ids that are gone, and of single payloads where the id itself lives on.

// erasedHash is the first half of a SHA-256: enough that no other record is
// ever refused, and of no use for finding out what was erased.
type erasedHash [16]byte

func hashErased(what string, bytes []byte) (h erasedHash) {
	sum := sha256.New()
	sum.Write([]byte("mdcalake erased " + what + "\x00"))
	sum.Write(bytes)
	copy(h[:], sum.Sum(nil))
	return h
}

func erasedID(id []byte) erasedHash { return hashErased("id", id) }

// erasedPayload is the hash of a payload, in whatever spelling it comes.
func erasedPayload(r *Row) erasedHash {
	if r.Original == nil {
		if text, err := canonical(r.Raw()); err == nil {
			return hashErased("payload", text)
		}
	}
	return hashErased("bytes", r.Verbatim())
}

// erasedBytes is the hash of a record that was in quarantine.
func erasedBytes(b []byte) erasedHash { return hashErased("bytes", b) }

// ErasedColumns are the columns of the files that hold the hashes.
var ErasedColumns = []Column{
	{Name: "hash", Type: TypeBinary, Required: true, Meaning: "first 16 bytes of the SHA-256 of what must not come back"},
	{Name: "what", Type: TypeString, Required: true, Meaning: "id, payload or bytes"},
}

// erasures are what a lake takes no more.
type erasures struct {
	before   int64 // event time in ms
	hashes   map[erasedHash]bool
	payloads bool // some hashes are of payloads: records have to be spelled out
	loaded   bool
}

// load reads the hashes when the first record asks.
func (e *erasures) load(ctx context.Context, w *Writer) error {
	if e.loaded {
		return nil
	}
	*e = erasures{before: w.state.erasedBefore(), hashes: map[erasedHash]bool{}}
	for _, f := range sortedFiles(w.state.erased) {
		if _, err := e.read(ctx, w.layout.path(f.Path)); err != nil {
			return readFault(ctx, f.Path, err)
		}
	}
	e.loaded = true
	return nil
}

// read takes over a file's hashes and answers how many there are.
func (e *erasures) read(ctx context.Context, path string) (rows int64, err error) {
	err = readErased(ctx, path, func(h erasedHash, what string) {
		e.hashes[h] = true
		e.payloads = e.payloads || what != "id"
		rows++
	})
	return rows, err
}

// has says that a row must not come in.
func (e *erasures) has(r *Row) bool {
	if r.Numbers[Timestamp] < e.before {
		return true
	}
	return len(e.hashes) > 0 && (e.hashes[erasedID(r.id())] || e.payloads && e.hashes[erasedPayload(r)])
}

// erasedBefore is the event time before which purges have erased everything.
func (s *fold) erasedBefore() int64 {
	before := int64(math.MinInt64)
	for _, p := range s.purges {
		if p.Kind == PurgeOlder {
			before = max(before, p.Before.UnixMilli())
		}
	}
	return before
}

func readErased(ctx context.Context, path string, each func(h erasedHash, what string)) error {
	return readColumns(ctx, path, []string{"hash", "what"}, func(b arrow.RecordBatch) error {
		hashes, ok1 := b.Column(0).(*array.Binary)
		whats, ok2 := b.Column(1).(*array.String)
		if !ok1 || !ok2 {
			return errOtherTypes
		}
		for i := range hashes.Len() {
			if len(hashes.Value(i)) != len(erasedHash{}) {
				return errors.New("a hash in it has another length than ours")
			}
			each(erasedHash(hashes.Value(i)), whats.Value(i))
		}
		return nil
	})
}

// erasedEntry is a row of such a file.
type erasedEntry struct {
	hash erasedHash
	what string
}

// writeErased writes the hashes in order, so that nothing tells in which order
// the records came.
func (t *transaction) writeErased(entries map[erasedHash]string) error {
	if len(entries) == 0 {
		return nil
	}
	var rows []erasedEntry
	for h, what := range entries {
		rows = append(rows, erasedEntry{h, what})
	}
	slices.SortFunc(rows, func(a, b erasedEntry) int { return slices.Compare(a.hash[:], b.hash[:]) })
	name, err := t.reserveOne(t.sideName(erasedDir))
	if err != nil {
		return err
	}
	f, err := t.newFile(name)
	if err != nil {
		return err
	}
	f.sink = newHashingWriter(f.f)
	if err := writeErasedFile(f.sink, rows); err != nil {
		return f.abandon(err)
	}
	return t.finishSide(f, int64(len(rows)), emptyStats())
}

func writeErasedFile(w *hashingWriter, rows []erasedEntry) error {
	kind, err := kindOfFile(ErasedColumns, false)
	if err != nil {
		return err
	}
	pw, err := kind.writer(quick)
	if err != nil {
		return err
	}
	if err := pw.Begin(w); err != nil {
		return err
	}
	for i := range rows {
		pw.Leaves[0].Bytes(0, rows[i].hash[:])
		pw.Leaves[1].Text(0, rows[i].what)
		pw.EndRow()
	}
	if err := pw.Close(createdBy, nil); err != nil {
		return err
	}
	kind.giveBack(quick, pw)
	return w.finish()
}
