package simulator

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/zeebo/xxh3"
)

// Payload is one record as the truth knows it. A pointer is nil where the
// record lacks the member or has it in a form that cannot be used.
type Payload struct {
	ID        *string
	Timestamp *int64 // ms
	Created   *int64 // ms
	AppID     *int64
	Current   bool // of the payloads of this _id, the one that counts

	s  *Simulator
	at spot
}

// Bytes are the record as it is served. They are built anew by each call.
func (p Payload) Bytes() []byte { return p.s.gen.body(nil, p.at) }

// AppendTo appends the record to dst.
func (p Payload) AppendTo(dst []byte) []byte { return p.s.gen.body(dst, p.at) }

// Expected yields every payload visible now, in order of event time: what a
// client must hold after a complete scan. Records served twice byte for byte
// (from files) are one payload.
func (s *Simulator) Expected() iter.Seq[Payload] {
	return s.ExpectedBetween(time.Time{}, time.Time{})
}

// ExpectedBetween is Expected for event times in [since, until); a zero time is open.
func (s *Simulator) ExpectedBetween(since, until time.Time) iter.Seq[Payload] {
	return s.expected(since, until, s.oldest)
}

// ExpectedArchived is ExpectedBetween for the archived route: what a client
// must hold that reads both. It differs where there is a Door.
func (s *Simulator) ExpectedArchived(since, until time.Time) iter.Seq[Payload] {
	return s.expected(since, until, func(now int64) int64 { return now - s.opt.Archive.Span.Milliseconds() })
}

func (s *Simulator) expected(since, until time.Time, oldest func(now int64) int64) iter.Seq[Payload] {
	lo, hi := bounds(since, until)
	return func(yield func(Payload) bool) {
		now := s.opt.Clock().UnixMilli()
		door := oldest(now)
		winners, repeats := s.staticStanding(now)
		s.index.byDate(max(lo, door), hi, false, func(at spot) bool {
			if s.gen.shown(at.e) > now || at.e.act == actStatic && repeats[at.e.n] {
				return true
			}
			p := Payload{s: s, at: at}
			if at.e.act == actStatic {
				r := &s.gen.static[at.e.n]
				p.ID, p.Timestamp, p.Created, p.AppID = r.id, r.timestamp, r.created, r.appID
				p.Current = r.id == nil || winners[*r.id] == at.e.n
			} else {
				s.generated(&p, now)
			}
			return yield(p)
		})
	}
}

func bounds(since, until time.Time) (lo, hi int64) {
	lo, hi = math.MinInt64, math.MaxInt64
	if !since.IsZero() {
		lo = since.UnixMilli()
	}
	if !until.IsZero() {
		hi = until.UnixMilli() - 1
	}
	return lo, hi
}

func (s *Simulator) generated(p *Payload, now int64) {
	var d draft
	s.gen.draft(&d, p.at)
	if d.bad != 0 {
		r := readRow(d.append(nil))
		p.ID, p.Timestamp, p.Created, p.AppID = r.id, r.timestamp, r.created, r.appID
	} else {
		p.ID, p.Timestamp, p.Created, p.AppID = &d.id, &d.e.ts, &d.e.created, &d.app.id
	}
	p.Current = true
	if s.opt.Revisions == 0 {
		return
	}
	for i := range p.at.b.entries {
		e := &p.at.b.entries[i]
		if e.n == d.e.n && e.act != actStatic && s.gen.shown(e) <= now && e.rev > d.e.rev {
			p.Current = false
		}
	}
}

// staticStanding decides among given records: which payload of an _id is
// current, and which are mere repeats.
func (s *Simulator) staticStanding(now int64) (winners map[string]uint32, repeats map[uint32]bool) {
	winners, repeats = map[string]uint32{}, map[uint32]bool{}
	seen := map[[sha256.Size]byte]bool{}
	for i := range s.gen.static {
		r, n := &s.gen.static[i], uint32(i)
		if r.saved > now {
			continue
		}
		sum := sha256.Sum256(r.bytes)
		if seen[sum] {
			repeats[n] = true
			continue
		}
		seen[sum] = true
		if r.id == nil {
			continue
		}
		if other, ok := winners[*r.id]; !ok || newer(r, &s.gen.static[other]) {
			winners[*r.id] = n
		}
	}
	return winners, repeats
}

// newer orders payloads of one _id: by created, absent lowest, then by hash.
func newer(a, b *staticRecord) bool {
	created := func(r *staticRecord) int64 {
		if r.created == nil {
			return math.MinInt64
		}
		return *r.created
	}
	if c := cmp.Compare(created(a), created(b)); c != 0 {
		return c > 0
	}
	return int64(xxh3.Hash(a.bytes)) > int64(xxh3.Hash(b.bytes))
}

// Truth writes what Expected yields, one JSON line each: _id, timestamp,
// created, appId, sha256 of the exact bytes, current.
func (s *Simulator) Truth(w io.Writer) error {
	return s.TruthBetween(w, time.Time{}, time.Time{})
}

// TruthBetween is Truth for event times in [since, until); a zero time is open.
func (s *Simulator) TruthBetween(w io.Writer, since, until time.Time) error {
	return writeTruth(w, s.ExpectedBetween(since, until))
}

// TruthArchived is TruthBetween of what ExpectedArchived yields.
func (s *Simulator) TruthArchived(w io.Writer, since, until time.Time) error {
	return writeTruth(w, s.ExpectedArchived(since, until))
}

func writeTruth(w io.Writer, payloads iter.Seq[Payload]) error {
	bw := bufio.NewWriterSize(w, 1<<16)
	var body []byte
	var o out
	for p := range payloads {
		body = p.AppendTo(body[:0])
		sum := sha256.Sum256(body)
		o.b = o.b[:0]
		o.elem()
		if p.ID == nil {
			o.null("_id")
		} else {
			o.str("_id", *p.ID)
		}
		for _, m := range []struct {
			key string
			v   *int64
		}{{"timestamp", p.Timestamp}, {"created", p.Created}, {"appId", p.AppID}} {
			if m.v == nil {
				o.null(m.key)
			} else {
				o.int(m.key, *m.v)
			}
		}
		o.str("sha256", hex.EncodeToString(sum[:]))
		o.bool("current", p.Current)
		o.end()
		o.trim()
		o.b = append(o.b, '\n')
		if _, err := bw.Write(o.b); err != nil {
			return fmt.Errorf("write truth: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

// WriteNDJSON writes the visible records with event time in [since, until), one
// a line; a zero time is open. A given record that spans lines is compacted.
func (s *Simulator) WriteNDJSON(w io.Writer, since, until time.Time) error {
	bw := bufio.NewWriterSize(w, 1<<18)
	var line []byte
	for p := range s.ExpectedBetween(since, until) {
		line = p.AppendTo(line[:0])
		if p.at.e.act == actStatic && slices.Contains(line, '\n') {
			line = compacted(line)
		}
		line = append(line, '\n')
		if _, err := bw.Write(line); err != nil {
			return fmt.Errorf("write records: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

func compacted(record []byte) []byte {
	var flat bytes.Buffer
	if json.Compact(&flat, record) != nil {
		return record
	}
	return flat.Bytes()
}

// idRef finds an entry by the hash of its _id.
type idRef struct {
	hash   uint64
	bucket uint32
	at     uint32
}

// find returns the bytes of the visible record with that _id; of several
// payloads the current one.
func (s *Simulator) find(id string) ([]byte, bool) {
	s.idsOnce.Do(s.indexIDs)
	hash := xxh3.HashString(id)
	i, _ := slices.BinarySearchFunc(s.ids, hash, func(r idRef, h uint64) int { return cmp.Compare(r.hash, h) })
	now := s.opt.Clock().UnixMilli()
	var best spot
	var newest staticRecord
	for ; i < len(s.ids) && s.ids[i].hash == hash; i++ {
		b := s.index.buckets[s.ids[i].bucket]
		at := spot{b, &b.entries[s.ids[i].at]}
		if s.gen.shown(at.e) > now {
			continue
		}
		body := s.gen.body(nil, at)
		r := staticRecord{bytes: body, row: readRow(body)}
		if r.id == nil || *r.id != id {
			continue
		}
		if best.e == nil || newer(&r, &newest) {
			best, newest = at, r
		}
	}
	return newest.bytes, best.e != nil
}

func (s *Simulator) indexIDs() {
	for i := range s.index.buckets {
		b := s.index.filled(i)
		for j := range b.entries {
			at := spot{b, &b.entries[j]}
			var id string
			if at.e.act == actStatic {
				r := &s.gen.static[at.e.n]
				if r.id == nil {
					continue
				}
				id = *r.id
			} else {
				var d draft
				s.gen.draft(&d, at)
				id = d.id
			}
			s.ids = append(s.ids, idRef{xxh3.HashString(id), uint32(i), uint32(j)})
		}
	}
	slices.SortFunc(s.ids, func(a, b idRef) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.at, b.at))
	})
}
