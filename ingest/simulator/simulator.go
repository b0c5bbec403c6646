package simulator

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Simulator is the API. It is an http.Handler and safe for concurrent use.
type Simulator struct {
	opt   Options
	gen   *generator
	index *index
	log   recorder

	limit, expensive limiter
	repeats          repeats

	platform *platform

	stories []Story
	allow   AllowList

	cursorMu sync.Mutex
	cursors  map[uint64]bool // digests of cursors given out, where a switch needs them

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
	s := &Simulator{opt: opt, cursors: map[uint64]bool{}, repeats: repeats{left: map[repeat]int{}}}
	if s.gen, err = newGenerator(opt); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.gen.static = slices.Concat(given(opt.Records), s.plant())
	s.index = newIndex(s.gen, staticEntries(s.gen.static))
	s.platform = newPlatform(s)
	s.limit = limiter{perMinute: opt.RatePerMinute, clock: opt.RateClock}
	s.expensive = limiter{perMinute: opt.Throttle.ExpensivePerMinute, clock: opt.RateClock}
	return s, nil
}

// Stats is what has happened so far.
func (s *Simulator) Stats() Stats { return s.log.snapshot() }

// Now is the simulator's clock.
func (s *Simulator) Now() time.Time { return s.opt.Clock() }

// Span is the span of event time of the generated records, half-open.
func (s *Simulator) Span() (start, end time.Time) { return s.opt.Start.UTC(), s.opt.End.UTC() }
