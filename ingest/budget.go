package ingest

import (
	"context"
	"slices"
	"sync"
)

// budget is the memory of all bodies of answers that are held at a time: those
// that are being read and those that wait to be lifted. A body takes its share
// as it comes in, and waits where there is none; meanwhile its connection is not
// read, and the service waits too.
//
// Of those that are being read, the one that began first may go on over the
// budget, if need be: otherwise several could wait for each other for ever. It
// does so only when no whole body is about to be given back, by someone who waits
// for no other: so there is never more than the budget and one body.
type budget struct {
	size int64

	mu      sync.Mutex
	held    int64
	soon    int64    // of it, what is about to be given back
	reading []*share // in the order of their beginning
	changed chan struct{}
}

func newBudget(size int64) *budget { return &budget{size: size, changed: make(chan struct{})} }

// share is what one body has of the budget. It is used by one goroutine at a
// time.
type share struct {
	of   *budget
	held int64
	soon bool
}

func (b *budget) begin() *share {
	s := &share{of: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = append(b.reading, s)
	return s
}

// take makes the share n bytes at least, when there is room. waits, if not nil,
// is called once before a wait and once after it.
func (s *share) take(ctx context.Context, n int64, waits func(waiting bool)) error {
	b := s.of
	for waited := false; ; waited = true {
		b.mu.Lock()
		if more := n - s.held; more <= 0 || b.held+more <= b.size || b.reading[0] == s && b.soon == 0 {
			b.held += max(0, more)
			s.held = max(s.held, n)
			b.mu.Unlock()
			if waited && waits != nil {
				waits(false)
			}
			return nil
		}
		changed := b.changed
		b.mu.Unlock()
		if !waited && waits != nil {
			waits(true)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// whole says that the body has come in; soon, that whoever has it will give it
// back and wait for no other one before.
func (s *share) whole(soon bool) { s.of.change(s, soon, 0) }

// keep takes back that the body will be given back soon.
func (s *share) keep() { s.of.change(s, false, 0) }

// giveBack ends the share. A second call does nothing.
func (s *share) giveBack() {
	if s != nil {
		s.of.change(s, false, s.held)
	}
}

func (b *budget) change(s *share, soon bool, back int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.reading, s); i >= 0 {
		b.reading = slices.Delete(b.reading, i, i+1)
	}
	if s.soon {
		b.soon -= s.held
	}
	b.held -= back
	s.held -= back
	if s.soon = soon; soon {
		b.soon += s.held
	}
	close(b.changed)
	b.changed = make(chan struct{})
}
