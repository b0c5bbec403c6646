package ingest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What comes back: a body is read whole, within the memory that all bodies share,
// from a peer that may be silent, slow, or say too much.

// An Answer is a whole and well-formed answer to one request.
type Answer struct {
	Body       []byte   // after decompression; the answer's own until Release
	Page       *Page    // what is in it
	SHA256     [32]byte // of Body
	Status     int      // of HTTP
	Header     http.Header
	Compressed bool          // the body came compressed with gzip
	Date       time.Time     // the server's Date header, zero if none
	Asked      time.Time     // when the request was sent, by the server's clock if it says, else by ours
	Received   time.Time     // when the body was complete, by our clock
	Took       time.Duration // from the request, the last one, to the end of the body
	Offset     time.Duration // the server's clock minus ours, as it said last; 0 if it never did
	Requests   int           // how many requests it took

	memory   *share
	released atomic.Bool
}

// answered is when the body was complete, by the later of the two clocks.
func (a *Answer) answered() time.Time {
	if a.Offset <= 0 {
		return a.Received
	}
	return a.Received.Add(a.Offset + time.Second) // a Date header leaves out what is less than one
}

// Release gives the body's memory back for the next answer. Nothing of the body
// may be used afterwards; a second call does nothing.
func (a *Answer) Release() {
	if a == nil || a.released.Swap(true) {
		return
	}
	body := a.Body
	a.Body = nil
	a.memory.giveBack()
	if cap(body) > 0 && cap(body) <= maxPooledBody {
		bodies.Put(&body)
	}
}

// bodies are buffers for the next answers. A giant one is not worth keeping.
var bodies sync.Pool

const maxPooledBody = 64 << 20

// bodyStep is what a body takes of the memory at a time.
const bodyStep = 1 << 20

// readBody reads all of the body, or says why not; what it has read by then is
// returned in either case.
func (c *Client) readBody(ctx context.Context, resp *http.Response, watched *watchedBody, memory *share, q ask) (body []byte, sum [32]byte, err error) {
	if resp.ContentLength > q.most {
		return nil, sum, errTooLong
	}
	if err := memory.take(ctx, max(resp.ContentLength, 0), watched.pause); err != nil {
		return nil, sum, err
	}
	if b, _ := bodies.Get().(*[]byte); b != nil {
		body = (*b)[:0]
	}
	// A header may lie about the length, so it is believed up to a point only.
	if want := min(resp.ContentLength, 16<<20) + bytes.MinRead; int64(cap(body)) < want {
		body = make([]byte, 0, want)
	}
	hash := sha256.New()
	for {
		if cap(body)-len(body) < bytes.MinRead {
			body = append(make([]byte, 0, 2*cap(body)+bytes.MinRead), body...)
		}
		if n := int64(len(body)); n >= memory.held {
			if err := memory.take(ctx, n+bodyStep, watched.pause); err != nil {
				return body, sum, err
			}
		}
		n, err := resp.Body.Read(body[len(body):min(cap(body), len(body)+bodyStep)])
		hash.Write(body[len(body) : len(body)+n])
		body = body[:len(body)+n]
		if int64(len(body)) > q.most {
			return body, sum, errTooLong
		}
		if err == io.EOF {
			memory.whole(q.soon)
			return body, [32]byte(hash.Sum(nil)), nil
		}
		if err != nil {
			return body, sum, err
		}
	}
}

var (
	errTooLong = errors.New("body too long")
	errSilent  = errors.New("no byte of the body for too long")
	errSlow    = errors.New("body not complete in time")
)

// watch cancels a request whose body comes to a halt, or takes for ever.
func watch(resp *http.Response, cancel context.CancelCauseFunc, t Timeouts) *watchedBody {
	w := &watchedBody{
		ReadCloser: resp.Body, stall: t.Stall,
		silent: time.AfterFunc(t.Stall, func() { cancel(errSilent) }),
		slow:   time.AfterFunc(t.Body, func() { cancel(errSlow) }),
	}
	resp.Body = w
	return w
}

type watchedBody struct {
	io.ReadCloser
	silent, slow *time.Timer
	stall        time.Duration
}

func (w *watchedBody) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if n > 0 {
		w.silent.Reset(w.stall)
	}
	return n, err
}

// pause stops the watch for silence while we ourselves do not read.
func (w *watchedBody) pause(waiting bool) {
	if waiting {
		w.silent.Stop()
	} else {
		w.silent.Reset(w.stall)
	}
}

func (w *watchedBody) stop() { w.silent.Stop(); w.slow.Stop() }

// bodyError is what went wrong after n bytes of a body.
func (c *Client) bodyError(ctx, within context.Context, err error, n int, most int64, secret string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errTooLong):
		return &MalformedError{What: fmt.Sprintf("body longer than %d bytes", most), Offset: -1, final: true, tooLong: true}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &MalformedError{What: "cut", Offset: int64(n)}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return &MalformedError{What: "compressed data damaged", Offset: int64(n)}
	}
	if cause := context.Cause(within); cause != nil {
		err = cause
	}
	return c.networkError(ctx, err, n, secret)
}
