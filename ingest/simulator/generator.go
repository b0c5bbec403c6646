package simulator

import (
	"fmt"
	"math"
	"slices"
)

// longestDelay bounds the time from event to save of a generated record that
// comes the usual way, ms.
const longestDelay = 8 * 24 * hourMS

// generator makes records from the seed. It holds no state that changes: all
// of a record follows from its hour, its number and its revision.
type generator struct {
	opt     Options
	seed    uint64
	co      *company
	allowed []int // positions in actions
	byUse   alias
	others  alias // byUse without the service of Options.Connector
	static  []staticRecord

	revisions, bad, broken, huge uint64 // thresholds for a 32-bit draw

	longest int64 // from event until shown, at most, ms
}

func newGenerator(opt Options) (*generator, error) {
	g := &generator{
		opt:       opt,
		seed:      derive(opt.Seed, uint64(opt.TenantID)),
		revisions: threshold(opt.Revisions),
		bad:       threshold(opt.BadRecords),
		broken:    threshold(opt.BrokenText),
		huge:      threshold(opt.Huge),
	}
	g.co = newCompany(derive(g.seed, 100), opt.TenantID)
	wanted := map[int64]bool{}
	for _, id := range opt.Services {
		wanted[id] = true
	}
	var weights, others []uint64
	for i, a := range actions {
		if a.in == onlyNative && !opt.NativeFeeds || a.in == onlyPlain && opt.NativeFeeds {
			continue
		}
		if len(wanted) == 0 || wanted[a.app] {
			g.allowed = append(g.allowed, i)
			weights = append(weights, a.weight)
			if a.app == opt.Connector.Service {
				a.weight = 0
			}
			others = append(others, a.weight)
		}
	}
	if len(weights) == 0 {
		return nil, fmt.Errorf("services %v have records only with native feeds", opt.Services)
	}
	g.byUse = newAlias(weights)
	g.longest = longestDelay + opt.VisibleLag.Milliseconds()
	if opt.Connector.on() {
		if slices.Max(others) == 0 {
			return nil, fmt.Errorf("connector: service %d is the only one, and has no records before it is connected", opt.Connector.Service)
		}
		g.others = newAlias(others)
		g.longest += opt.Connector.longest()
	}
	return g, nil
}

func threshold(share float64) uint64 { return uint64(math.Round(share * (1 << 32))) }

// Streams keep the draws for one purpose from moving those for another.
const (
	streamTimes = iota + 1
	streamBody
	streamTie
	streamID
	streamTrip
	streamGroup
	streamConnector
	streamLag
	streamStory
	streamCast
)

func (g *generator) source(stream uint64, hour int64, n uint32) rng {
	return rng{derive(g.seed, stream, uint64(hour), uint64(n))}
}

// groupSize records with neighbouring numbers may be one burst of one person.
const groupSize = 8

// burst says whether record n of an hour is part of a burst, and when that begins.
func (g *generator) burst(b *bucket, n uint32) (start int64, ok bool) {
	r := g.source(streamGroup, b.hour, n/groupSize)
	if !r.oneIn(9) {
		return 0, false
	}
	return b.lo + int64(r.n(int(b.hi-b.lo))), true
}

// entries makes the generated entries of one hour, unsorted.
func (g *generator) entries(b *bucket) []entry {
	if b.count == 0 {
		return nil
	}
	list := make([]entry, 0, b.count+len(b.static))
	start, end := g.opt.Start.UnixMilli(), g.opt.End.UnixMilli()
	middle := start + (end-start)/2
	for n := range uint32(b.count) {
		r := g.source(streamTimes, b.hour, n)
		at := g.allowed[g.byUse.draw(&r)]
		e := entry{n: n, act: uint16(at)}
		e.ts = b.lo + int64(r.n(int(b.hi-b.lo)))
		if from, ok := g.burst(b, n); ok {
			e.ts = min(from+int64(n%groupSize/3)*1000, b.hi-1)
		}
		if actions[at].feed.whole() {
			if whole := e.ts - e.ts%1000; whole >= b.lo {
				e.ts = whole
			}
		}
		e.created = e.ts + delay(&r)
		if int(n) >= b.count-b.pile {
			e.ts = middle
			if g.opt.Pile.SameCreated {
				e.created = middle + 180_000
			} else {
				e.created = middle + 60_000 + int64(r.n(300_000))
			}
		}
		if g.opt.Connector.on() {
			g.connect(b, &e)
		}
		e.lag = g.lag(b, e)
		list = append(list, e)
		if r.next()>>32 < g.revisions {
			e.rev = 1
			e.created += 600_000 + int64(r.n(20*hourMS))
			e.lag = g.lag(b, e)
			list = append(list, e)
		}
	}
	return list
}

// delay draws how long a record takes from the event to MDCA's store: mostly
// minutes, sometimes hours, a few for days.
func delay(r *rng) int64 {
	switch p := r.n(1000); {
	case p < 910:
		return 60_000 + int64(r.n(300_000))
	case p < 986:
		// Short waits are more common than long ones: the smaller of two draws.
		return 360_000 + int64(min(r.n(12*hourMS), r.n(12*hourMS)))
	default:
		return 24*hourMS + int64(r.n(6*24*hourMS))
	}
}

// lag draws how long a record stays hidden after its save, in parts of VisibleLag.
func (g *generator) lag(b *bucket, e entry) uint8 {
	if g.opt.VisibleLag == 0 {
		return 0
	}
	r := g.source(streamLag, b.hour, e.n|uint32(e.rev)<<31)
	if !r.percent(20) {
		return 0
	}
	return uint8(1 + r.n(lagParts))
}

// lagParts is how many steps VisibleLag is drawn in: a lag fits into a byte.
const lagParts = 255

// shown is when a record is to be seen, ms.
func (g *generator) shown(e *entry) int64 {
	if e.lag == 0 {
		return e.created
	}
	return e.created + int64(e.lag)*g.opt.VisibleLag.Milliseconds()/lagParts
}

// tie orders records that share a millisecond: arbitrary, but always the same.
func (g *generator) tie(hour int64, e entry) uint64 {
	return derive(g.seed, streamTie, uint64(hour)<<17^uint64(e.act)<<1^uint64(e.rev), uint64(e.n))
}

// body appends the bytes of a record.
func (g *generator) body(dst []byte, s spot) []byte {
	if s.e.act == actStatic {
		return append(dst, g.static[s.e.n].bytes...)
	}
	var d draft
	g.draft(&d, s)
	return d.append(dst)
}
