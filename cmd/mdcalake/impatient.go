package main

import (
	"context"
	"io"
)

// impatient is a writer that does not wait longer than its context lasts. The
// reader of a pipe may have stopped reading, as less does, and nothing ends a
// write to it: the write goes on in a goroutine that the process takes along
// when it ends.
type impatient struct {
	ctx    context.Context
	buffer []byte // what the goroutine writes: a caller may use its own again
	chunks chan []byte
	done   chan error
	err    error
}

func newImpatient(ctx context.Context, w io.Writer) *impatient {
	i := &impatient{ctx: ctx, buffer: make([]byte, 64<<10), chunks: make(chan []byte), done: make(chan error, 1)}
	go func() {
		for {
			select {
			case chunk := <-i.chunks:
				_, err := w.Write(chunk)
				i.done <- err
			case <-ctx.Done():
				return
			}
		}
	}()
	return i
}

func (i *impatient) Write(p []byte) (n int, err error) {
	for i.err == nil && n < len(p) {
		chunk := i.buffer[:copy(i.buffer, p[n:])]
		select {
		case i.chunks <- chunk:
		case <-i.ctx.Done():
			i.err = context.Cause(i.ctx)
			continue
		}
		select {
		case i.err = <-i.done:
			if i.err == nil {
				n += len(chunk)
			}
		case <-i.ctx.Done():
			i.err = context.Cause(i.ctx)
		}
	}
	return n, i.err
}
