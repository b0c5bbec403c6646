package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Wire says in what form sound bodies travel.
type Wire struct {
	Gzip    bool // pages and records are compressed where the request accepts it
	Chunked bool // they come in chunks, without Content-Length
	// Trickle is how long a body takes that the fault "trickle" meets, in real
	// time; 0 means DefaultTrickle.
	Trickle time.Duration
}

// DefaultTrickle is what the zero Wire.Trickle stands for.
const DefaultTrickle = 5 * time.Second

// tricklePieces is how many pieces a trickling body comes in.
const tricklePieces = 50

// send writes a page or a record, with the faults of its way.
func (x *exchange) send(body []byte) {
	has := func(k FaultKind) bool {
		if !slices.Contains(x.faults, k) {
			return false
		}
		x.met(k)
		return true
	}
	if has(FaultMark) {
		body = append([]byte("\xef\xbb\xbf"), body...)
	}
	if has(FaultCutJSON) {
		body = body[:cutAt(body)]
	}
	h := x.w.Header()
	if x.s.opt.Wire.Gzip && acceptsGzip(x.r) {
		h.Set("Content-Encoding", "gzip")
		x.note.Gzip = true
		packed := compress(body)
		defer packers.Put(packed)
		body = packed.buf.Bytes()
	}
	switch {
	case has(FaultShortBody):
		x.broken(body, lengthDeclared, quiet)
	case has(FaultCutChunked):
		x.broken(body, chunks, quiet)
	case has(FaultCutClosed):
		x.broken(body, untilClose, quiet)
	case has(FaultResetBody):
		x.broken(body, lengthDeclared, aborted)
	case has(FaultStall):
		x.broken(body, lengthDeclared, held)
	case has(FaultTrickle):
		x.trickle(body)
	case x.s.opt.Wire.Chunked:
		x.begin(body, false)
		_, _ = x.w.Write(body)
	default:
		x.write(http.StatusOK, "application/json", body)
	}
}

func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(coding, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") && strings.ReplaceAll(params, " ", "") != "q=0" {
				return true
			}
		}
	}
	return false
}

// packer is a compressor that is used again: each has half a megabyte of state.
type packer struct {
	buf bytes.Buffer
	zip *gzip.Writer
}

var packers = sync.Pool{New: func() any {
	p := &packer{}
	p.zip, _ = gzip.NewWriterLevel(&p.buf, gzip.BestSpeed) // the level is a valid one
	return p
}}

func compress(body []byte) *packer {
	p := packers.Get().(*packer)
	p.buf.Reset()
	p.zip.Reset(&p.buf)
	_, _ = p.zip.Write(body) // a bytes.Buffer does not fail
	_ = p.zip.Close()
	return p
}

// begin sends the head of an answer of 200.
func (x *exchange) begin(body []byte, length bool) {
	x.note.Status = http.StatusOK
	x.sent = len(body)
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	if length {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.record()
	x.w.WriteHeader(http.StatusOK)
	x.flush()
}

// flush sends what there is; a short body would get its length otherwise.
func (x *exchange) flush() {
	_ = http.NewResponseController(x.w).Flush() // a writer that cannot flush is a test's
}

// trickle sends the whole body in small pieces, spread over the time.
func (x *exchange) trickle(body []byte) {
	x.begin(body, !x.s.opt.Wire.Chunked)
	pause := time.NewTicker(max(1, x.s.opt.Wire.Trickle/tricklePieces))
	defer pause.Stop()
	for piece := range slices.Chunk(body, max(1, (len(body)+tricklePieces-1)/tricklePieces)) {
		select {
		case <-pause.C:
		case <-x.r.Context().Done(): // the client has left, or the server ends
			return
		}
		if _, err := x.w.Write(piece); err != nil {
			return
		}
		x.flush()
	}
}

// framing is how a body says where it ends.
type framing uint8

const (
	lengthDeclared framing = iota
	chunks
	untilClose
)

// ending is what comes after a part of a body.
type ending uint8

const (
	quiet   ending = iota // the connection is closed
	aborted               // it is reset
	held                  // nothing, until the client leaves
)

func cutAt(body []byte) int { return len(body) * 2 / 3 }

// broken sends two thirds of a body, as if the whole were to come.
func (x *exchange) broken(body []byte, f framing, e ending) {
	cut := cutAt(body)
	conn := x.take()
	if conn == nil {
		x.write(http.StatusOK, "application/json", body[:cut])
		return
	}
	defer conn.Close()
	x.note.Status = http.StatusOK
	x.sent = cut
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	part := body[:cut]
	switch f {
	case lengthDeclared:
		h.Set("Content-Length", strconv.Itoa(len(body)))
	case chunks:
		h.Set("Transfer-Encoding", "chunked")
		part = fmt.Appendf(nil, "%x\r\n%s\r\n", cut, part)
	case untilClose:
		h.Set("Connection", "close")
	}
	var head headerText
	_ = h.Write(&head) // headerText.Write does not fail
	x.record()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n%s", head, part)
	switch e {
	case aborted:
		abort(conn)
	case held:
		// The client decides how long it waits: its leaving ends the read, and so
		// does the end of the server.
		defer context.AfterFunc(x.r.Context(), func() { conn.Close() })()
		var b [1]byte
		_, _ = conn.Read(b[:])
	}
}
