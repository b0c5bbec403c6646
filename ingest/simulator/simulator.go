package simulator

import (
	"fmt"
	"sync"
	"time"
)

// Simulator is the API. It is an http.Handler and safe for concurrent use.
type Simulator struct {
	opt   Options
	gen   *generator
	index *index
	limit limiter
	log   recorder

	platform *platform

	cursorMu sync.Mutex
	cursors  map[uint64]bool // digests of cursors given out, with RequireExtra or RefuseAt

	buffers sync.Pool

	idsOnce sync.Once
	ids     []idRef // for fetch
}

// New prepares a simulator. It makes no records yet.
func New(o Options) (*Simulator, error) {
	opt, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Simulator{opt: opt, cursors: map[uint64]bool{}}
	s.gen = newGenerator(opt)
	var entries []entry
	s.gen.static, entries = staticEntries(opt.Records)
	s.index = newIndex(s.gen, entries)
	s.platform = newPlatform(s)
	s.limit = limiter{perMinute: opt.RatePerMinute, clock: opt.RateClock}
	return s, nil
}

// Stats is what has happened so far.
func (s *Simulator) Stats() Stats { return s.log.snapshot() }

// Now is the simulator's clock.
func (s *Simulator) Now() time.Time { return s.opt.Clock() }

// Span is the span of event time of the generated records, half-open.
func (s *Simulator) Span() (start, end time.Time) { return s.opt.Start.UTC(), s.opt.End.UTC() }
