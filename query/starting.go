package query

import "context"

// Starting is a DuckDB that comes up while the caller does something else, such
// as opening the lake: both take about as long, and neither needs the other.
type Starting struct {
	done chan struct{}
	in   *instance // once done
	err  error
	used bool // taken or closed
}

// Start begins it for an Open with the same memory limit. Who does not hand it
// to Open, or comes to no Open, closes it.
func Start(ctx context.Context, memoryLimit string) *Starting {
	return start(ctx, limits{memory: memoryLimit})
}

func start(ctx context.Context, l limits) *Starting {
	s := &Starting{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		if s.in, s.err = openInstance(ctx, l); s.err == nil {
			// The statement's plan needs it. Where it cannot be had, plan says so.
			s.in.otherOptimizers(ctx)
		}
	}()
	return s
}

// started is one that is there already.
func started(in *instance) *Starting {
	s := &Starting{done: make(chan struct{}), in: in}
	close(s.done)
	return s
}

// take is the instance, which is the caller's from then on. It may be called
// once.
func (s *Starting) take() (*instance, error) {
	<-s.done
	s.used = true
	return s.in, s.err
}

// Close ends one that nobody has taken. It may be called whatever became of it.
func (s *Starting) Close() error {
	if s == nil || s.used {
		return nil
	}
	in, err := s.take()
	if err != nil {
		return nil // it has not come up
	}
	return in.close()
}
