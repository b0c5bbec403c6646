package simulator

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"sort"
	"sync"
)

const hourMS = 3_600_000

// entry is what is kept of one record; its body is built when asked for.
type entry struct {
	ts, created int64
	n           uint32 // number within its bucket, or position in Options.Records
	act         uint16 // position in actions, or actStatic
	rev         uint8  // 0 is the first payload of an _id
	lag         uint8  // how long it stays hidden after created, in parts of Options.VisibleLag
}

// actStatic marks a record that came with the Options.
const actStatic = 0xffff

// bucket is one hour of event time. Its generated entries follow from the seed
// and the hour alone and are made the first time they are wanted.
type bucket struct {
	hour   int64
	lo, hi int64 // the part of the hour that lies in the span, half-open
	count  int   // generated records, revisions not counted
	pile   int   // how many of them share one millisecond
	static []entry

	once    sync.Once
	entries []entry // in order of time, ties by seed
	settled int64   // when the last of them is shown
}

// index finds entries by event time and by save time.
type index struct {
	gen     *generator
	buckets []*bucket // those that hold anything, in order

	createdOnce sync.Once
	byCreated   []createdRef
}

type createdRef struct {
	created int64
	bucket  uint32
	at      uint32
}

// newIndex lays out the hours that hold anything; it makes no entries.
func newIndex(g *generator, static []entry) *index {
	byHour := map[int64]*bucket{}
	for _, b := range spread(g) {
		byHour[b.hour] = b
	}
	for _, e := range static {
		h := floorHour(e.ts)
		if byHour[h] == nil {
			byHour[h] = &bucket{hour: h}
		}
		byHour[h].static = append(byHour[h].static, e)
	}
	ix := &index{gen: g, buckets: make([]*bucket, 0, len(byHour))}
	for _, h := range slices.Sorted(maps.Keys(byHour)) {
		ix.buckets = append(ix.buckets, byHour[h])
	}
	return ix
}

// spread shares Count records out over the hours of the span, by how much the
// company works in each, exactly and in whole numbers.
func spread(g *generator) []*bucket {
	if g.opt.Count == 0 {
		return nil
	}
	start, end := g.opt.Start.UnixMilli(), g.opt.End.UnixMilli()
	middle := floorHour(start + (end-start)/2)
	var hours []*bucket
	var upTo []uint64 // the weight of an hour and of all before it
	var total uint64
	for h := floorHour(start); h <= floorHour(end-1); h++ {
		b := &bucket{hour: h, lo: max(start, h*hourMS), hi: min(end, (h+1)*hourMS)}
		total += 1 + g.co.load(h)*uint64(b.hi-b.lo)/1000
		hours, upTo = append(hours, b), append(upTo, total)
	}
	count := uint64(g.opt.Count - g.opt.Pile.Size)
	var given uint64
	for i, b := range hours {
		n := mulDiv(count, upTo[i], total)
		b.count = int(n - given)
		given = n
		if b.hour == middle {
			b.pile = g.opt.Pile.Size
			b.count += b.pile
		}
	}
	return slices.DeleteFunc(hours, func(b *bucket) bool { return b.count == 0 })
}

func floorHour(ms int64) int64 {
	h := ms / hourMS
	if ms%hourMS < 0 {
		h--
	}
	return h
}

func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// filled returns the bucket with its entries made.
func (ix *index) filled(i int) *bucket {
	b := ix.buckets[i]
	b.once.Do(func() {
		b.entries = append(ix.gen.entries(b), b.static...)
		tie := ix.gen.tie
		slices.SortFunc(b.entries, func(x, y entry) int {
			if x.ts != y.ts {
				return cmp.Compare(x.ts, y.ts)
			}
			return cmp.Compare(tie(b.hour, x), tie(b.hour, y))
		})
		for i := range b.entries {
			b.settled = max(b.settled, ix.gen.shown(&b.entries[i]))
		}
	})
	return b
}

// spot is one entry together with the bucket it lies in.
type spot struct {
	b *bucket
	e *entry
}

// byDate calls f for the entries with lo <= ts <= hi in order, or in the
// opposite order, until f returns false.
func (ix *index) byDate(lo, hi int64, desc bool, f func(spot) bool) {
	if lo > hi {
		return
	}
	first := sort.Search(len(ix.buckets), func(i int) bool { return ix.buckets[i].hour >= floorHour(lo) })
	end := sort.Search(len(ix.buckets), func(i int) bool { return ix.buckets[i].hour > floorHour(hi) })
	for k := first; k < end; k++ {
		i := k
		if desc {
			i = end - 1 - (k - first)
		}
		b := ix.filled(i)
		from := sort.Search(len(b.entries), func(j int) bool { return b.entries[j].ts >= lo })
		to := sort.Search(len(b.entries), func(j int) bool { return b.entries[j].ts > hi })
		for m := from; m < to; m++ {
			j := m
			if desc {
				j = to - 1 - (m - from)
			}
			if !f(spot{b, &b.entries[j]}) {
				return
			}
		}
	}
}

// bySaved is byDate for save time. It needs the whole index, made once.
func (ix *index) bySaved(lo, hi int64, desc bool, f func(spot) bool) {
	if lo > hi {
		return
	}
	ix.createdOnce.Do(ix.sortByCreated)
	refs := ix.byCreated
	first := sort.Search(len(refs), func(i int) bool { return refs[i].created >= lo })
	end := sort.Search(len(refs), func(i int) bool { return refs[i].created > hi })
	for k := first; k < end; k++ {
		i := k
		if desc {
			i = end - 1 - (k - first)
		}
		b := ix.buckets[refs[i].bucket]
		if !f(spot{b, &b.entries[refs[i].at]}) {
			return
		}
	}
}

func (ix *index) sortByCreated() {
	n := 0
	for i := range ix.buckets {
		n += len(ix.filled(i).entries)
	}
	refs := make([]createdRef, 0, n)
	for i := range ix.buckets {
		for j := range ix.buckets[i].entries {
			refs = append(refs, createdRef{ix.buckets[i].entries[j].created, uint32(i), uint32(j)})
		}
	}
	tie := ix.gen.tie
	slices.SortFunc(refs, func(x, y createdRef) int {
		if x.created != y.created {
			return cmp.Compare(x.created, y.created)
		}
		bx, by := ix.buckets[x.bucket], ix.buckets[y.bucket]
		return cmp.Compare(tie(bx.hour, bx.entries[x.at]), tie(by.hour, by.entries[y.at]))
	})
	ix.byCreated = refs
}

// countDates counts the entries with lo <= ts <= hi shown by now, from the
// counts of whole buckets where that gives the same number.
func (ix *index) countDates(lo, hi, now int64) int {
	if lo > hi {
		return 0
	}
	total := 0
	first := sort.Search(len(ix.buckets), func(i int) bool { return ix.buckets[i].hour >= floorHour(lo) })
	for i := first; i < len(ix.buckets) && ix.buckets[i].hour <= floorHour(hi); i++ {
		raw := ix.buckets[i]
		inside := raw.hour*hourMS >= lo && (raw.hour+1)*hourMS-1 <= hi
		// Nothing is shown later than that, so an old hour need not be made to be counted.
		if inside && len(raw.static) == 0 && ix.gen.opt.Revisions == 0 && (raw.hour+1)*hourMS+ix.gen.longest <= now {
			total += raw.count
			continue
		}
		b := ix.filled(i)
		if inside && b.settled <= now {
			total += len(b.entries)
			continue
		}
		for j := range b.entries {
			if e := &b.entries[j]; e.ts >= lo && e.ts <= hi && ix.gen.shown(e) <= now {
				total++
			}
		}
	}
	return total
}
