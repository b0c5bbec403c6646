package simulator

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (x *exchange) write(status int, contentType string, body []byte) {
	x.note.Status = status
	x.sent = len(body)
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // a client that went away is no concern of ours
}

func (x *exchange) detail(status int, text string) {
	x.write(status, "application/json", fmt.Appendf(nil, `{"detail":%s}`, appendText(nil, text)))
}

func (x *exchange) refuse(value string) {
	o := out{}
	o.elem()
	o.arr("filters")
	o.elem()
	o.str("error", value+" is not valid")
	o.str("errorMessageCode", "CONSOLE_FORMS_NOT_VALID_VALUE")
	o.obj("errorMessageParams")
	o.str("value", value)
	o.end()
	o.end()
	o.stop()
	o.bool("error", true)
	o.end()
	o.trim()
	x.write(http.StatusBadRequest, "application/json", o.b)
}

// html is the portal's page, which can come where JSON was expected.
func (x *exchange) html(status int, text string) {
	more := ""
	if status >= 500 {
		more = "<p>If the problem persists, contact support.</p>"
	}
	x.write(status, "text/html; charset=utf-8", fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%d</title>\n<script>var __ADALLOM_CONSTS = {\"status\": %d};</script></head>\n<body><h1>%d</h1><p>%s</p>%s</body></html>\n", status, status, status, text, more))
}

// throttle answers 429 with the reason phrase of the real thing, which
// net/http cannot be told: the answer is written on the connection itself.
func (x *exchange) throttle(wait time.Duration) {
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	var body []byte
	switch x.s.opt.Throttle.Body {
	case ThrottleDetail:
		body = fmt.Appendf(nil, `{"detail":"Request was throttled. Expected available in %d seconds."}`, seconds)
	case ThrottleNested:
		body = fmt.Appendf(nil, `{"error":{"code":"TooManyRequests","message":"You have sent too many requests. Try again in %d seconds."}}`, seconds)
	}
	if !x.s.opt.Throttle.NoRetryAfter {
		x.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	x.w.Header().Set("Connection", "close")
	conn := x.take()
	if conn == nil {
		x.write(http.StatusTooManyRequests, "application/json", body)
		return
	}
	defer conn.Close()
	x.note.Status = http.StatusTooManyRequests
	x.sent = len(body)
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	var head headerText
	_ = x.w.Header().Write(&head) // headerText.Write does not fail
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 429 TOO MANY REQUESTS\r\n%s\r\n%s", head, body)
}

type headerText []byte

func (h *headerText) Write(p []byte) (int, error) {
	*h = append(*h, p...)
	return len(p), nil
}

// take takes the connection over from net/http; nil where there is none.
func (x *exchange) take() net.Conn {
	h, ok := x.w.(http.Hijacker)
	if !ok {
		return nil
	}
	conn, _, err := h.Hijack()
	if err != nil {
		return nil
	}
	return conn
}

// fail answers with a fault that needs no page.
func (x *exchange) fail(kind FaultKind) {
	switch kind {
	case FaultStatus401:
		x.detail(http.StatusUnauthorized, "Invalid token.")
	case FaultStatus403:
		x.detail(http.StatusForbidden, "Insufficient role based permission(s)")
	case FaultStatus429:
		x.throttle(2 * time.Second)
	case FaultStatus500:
		x.detail(http.StatusInternalServerError, "Internal server error.")
	case FaultStatus502:
		x.write(http.StatusBadGateway, "text/html", []byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n"))
	case FaultStatus503:
		x.write(http.StatusServiceUnavailable, "text/html", []byte("<html><body><h1>503 Service Unavailable</h1></body></html>\n"))
	case FaultStatus504:
		x.write(http.StatusGatewayTimeout, "text/html", []byte("<html><body><h1>504 Gateway Time-out</h1></body></html>\n"))
	case FaultHTML200:
		x.html(http.StatusOK, "Sign in")
	case FaultHTML500:
		x.html(http.StatusInternalServerError, "Internal error")
	case FaultRedirect:
		x.w.Header().Set("Location", "https://portal.elsewhere.example/api/v1/activities/")
		x.write(http.StatusFound, "text/html", []byte("<html><body>Found</body></html>\n"))
	case FaultReset:
		x.reset()
	}
}

// reset ends the connection without an answer, so that the client sees a reset.
func (x *exchange) reset() {
	conn := x.take()
	if conn == nil {
		x.write(http.StatusBadGateway, "text/html", nil)
		return
	}
	under := conn
	if secure, ok := conn.(*tls.Conn); ok {
		under = secure.NetConn() // without the farewell of TLS
	}
	if tcp, ok := under.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // makes Close send a reset
	}
	under.Close()
}

// answer writes a page, with the faults that were asked for.
func (x *exchange) answer(q *query, p page) {
	has := func(k FaultKind) bool { return slices.Contains(x.faults, k) }
	dataNull := has(FaultNullData)
	switch {
	case has(FaultEmptyObject):
		x.kind = answerPage
		x.write(http.StatusOK, "application/json", []byte("{}"))
		return
	case has(FaultEmptyPage):
		p.spots, p.hasNext, p.cursor = nil, true, q.unmoved()
	case dataNull:
		p.spots, p.hasNext, p.cursor = nil, true, q.unmoved()
	}
	if p.hasNext && has(FaultStuckCursor) {
		p.cursor = q.unmoved()
	}
	if p.hasNext && has(FaultOverlap) && len(p.spots) > 1 {
		p.cursor = q.moved(q.key(p.spots[len(p.spots)/2]))
	}
	if has(FaultNoCursor) {
		p.hasNext, p.cursor = true, nil
	}
	if has(FaultEarlyEnd) {
		p.hasNext, p.cursor = false, nil
	}
	if n := len(p.spots); n > 0 {
		if has(FaultTwice) {
			p.spots = slices.Insert(p.spots, n/2, p.spots[n/2])
		}
		if has(FaultDisorder) {
			slices.Reverse(p.spots)
		}
		if has(FaultOutside) {
			if s, ok := x.s.outsider(q); ok {
				p.spots = slices.Insert(p.spots, n/2, s)
			}
		}
	}
	if x.s.opt.Paging.WrongTotal || has(FaultWrongTotal) {
		r := rng{derive(x.s.gen.seed, 300, uint64(x.note.Number))}
		p.total = max(0, p.total*(80+r.n(41))/100+1+r.n(9))
	}
	noTotal := x.s.opt.Paging.NoTotal || has(FaultNoTotal) || q.asyncTotal

	body := x.s.write(q, p, dataNull, noTotal)
	x.kind = answerPage
	x.note.Records, x.note.HasNext, x.note.Cursor = len(p.spots), p.hasNext, string(p.cursor)
	switch {
	case has(FaultCutJSON):
		x.write(http.StatusOK, "application/json", body[:cutAt(body)])
	case has(FaultShortBody):
		x.partial(body, false)
	case has(FaultStall):
		x.partial(body, true)
	default:
		x.write(http.StatusOK, "application/json", body)
	}
	x.s.buffers.Put(&body)
}

func cutAt(body []byte) int { return len(body) * 2 / 3 }

// partial sends two thirds of a body whose whole length it declared.
func (x *exchange) partial(body []byte, hold bool) {
	cut := cutAt(body)
	x.note.Status = http.StatusOK
	x.sent = cut
	conn := x.take()
	if conn == nil {
		x.write(http.StatusOK, "application/json", body[:cut])
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n%s", x.w.Header().Get("Date"), len(body), body[:cut])
	if hold {
		// The client decides how long it waits: its leaving ends the read, and so
		// does the end of the server.
		defer context.AfterFunc(x.r.Context(), func() { conn.Close() })()
		var b [1]byte
		_, _ = conn.Read(b[:])
	}
}

// write makes the body of a page.
func (s *Simulator) write(q *query, p page, dataNull, noTotal bool) []byte {
	var buf []byte
	if b, ok := s.buffers.Get().(*[]byte); ok {
		buf = (*b)[:0]
	}
	const usual = 4800 // bytes of a record; growing in steps copies tens of MB
	o := out{append(slices.Grow(buf, len(p.spots)*usual), '{')}
	if dataNull {
		o.null("data")
	} else {
		o.arr("data")
		for _, at := range p.spots {
			o.b = s.gen.body(o.b, at)
			o.b = append(o.b, ',')
		}
		o.stop()
	}
	o.bool("hasNext", p.hasNext)
	if q.scan && p.cursor != nil {
		o.key("nextQueryFilters")
		o.b = append(append(o.b, s.giveCursor(p.cursor)...), ',')
	}
	if q.asyncTotal {
		o.bool("performAsyncTotal", true)
	}
	if !noTotal {
		o.int("total", int64(p.total))
	}
	o.end()
	o.trim()
	return o.b
}

// unmoved is the caller's own filters, as a cursor.
func (q *query) unmoved() []byte {
	if len(q.filters) == 0 {
		return []byte("{}")
	}
	return q.filters
}

// outsider finds a visible record that the query does not ask for.
func (s *Simulator) outsider(q *query) (found spot, ok bool) {
	s.index.byDate(q.door, q.now, false, func(at spot) bool {
		if at.e.created <= q.now && !s.matches(q, at) {
			found, ok = at, true
		}
		return !ok
	})
	return found, ok
}
