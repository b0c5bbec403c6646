package simulator

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers one request: faults first, then who asks, then how often,
// then what.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.opt.Clock()
	if tenant, endpoint, ok := s.platform.serves(r.URL.Path); ok {
		// Another service, with requests and limits of its own.
		body, _ := io.ReadAll(io.LimitReader(r.Body, maxRequestBody))
		w.Header().Set("Date", now.Add(s.opt.DateSkew).UTC().Format(http.TimeFormat))
		s.platform.answer(&exchange{s: s, w: w, r: r, body: body, now: now}, tenant, endpoint)
		return
	}
	number := s.log.arrive()
	body, readErr := io.ReadAll(io.LimitReader(r.Body, maxRequestBody+1))
	x := &exchange{s: s, w: w, r: r, body: body, now: now}
	x.note = Request{Number: number, Time: now, Method: r.Method, Path: r.URL.Path}
	w.Header().Set("Date", now.Add(s.opt.DateSkew).UTC().Format(http.TimeFormat))
	defer func() { s.log.done(x.note, x.sent, x.kind) }()
	if s.opt.Latency > 0 {
		wait := time.NewTimer(s.opt.Latency)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done(): // the client has left or the server ends: no more waiting
		}
	}
	route, pk := splitRoute(r.URL.Path)
	list := route == routeList && (r.Method == http.MethodGet || r.Method == http.MethodPost)
	pageNumber := 0
	if list {
		pageNumber = s.log.nextPage()
	}
	for _, f := range s.opt.Faults {
		if !f.hits(s.gen.seed, number, pageNumber) {
			continue
		}
		x.note.Fault = f.Kind
		if !f.Kind.ofPage() {
			x.fail(f.Kind)
			return
		}
		x.faults = append(x.faults, f.Kind)
	}
	judged := s.knows(r.Header.Get("Authorization"))
	switch {
	case readErr != nil || len(body) > maxRequestBody:
		x.detail(http.StatusRequestEntityTooLarge, "Request body too large.")
	case judged.status != 0:
		if judged.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Token")
		}
		x.detail(judged.status, judged.detail)
	case s.opt.Forbidden:
		x.detail(http.StatusForbidden, "Insufficient role based permission(s)")
	case !x.withinRate():
	default:
		x.route(route, pk)
	}
}

// knows checks the credential. Both schemes are accepted for one and the same
// key, but where Options.SignIn issues tokens, Bearer means one of those.
func (s *Simulator) knows(header string) verdict {
	unknown := verdict{http.StatusUnauthorized, "Invalid token."}
	scheme, key, ok := strings.Cut(strings.TrimSpace(header), " ")
	key = strings.TrimSpace(key)
	if !ok || key == "" || !(strings.EqualFold(scheme, "Token") || strings.EqualFold(scheme, "Bearer")) {
		return unknown
	}
	if s.opt.SignIn.TenantID != "" && strings.EqualFold(scheme, "Bearer") {
		return s.platform.accepts(key)
	}
	if s.opt.Token != "" && subtle.ConstantTimeCompare([]byte(key), []byte(s.opt.Token)) != 1 {
		return unknown
	}
	return verdict{}
}

type routeKind uint8

const (
	routeNone routeKind = iota
	routeList
	routeRecord
	routeFeedback
)

// splitRoute reads a path; pk is the record's id where there is one.
func splitRoute(path string) (routeKind, string) {
	path = strings.TrimPrefix(path, "/cas")
	rest, ok := strings.CutPrefix(path, "/api/v1/activities")
	if !ok || rest != "" && rest[0] != '/' {
		return routeNone, ""
	}
	rest = strings.Trim(rest, "/")
	switch id, after, deeper := strings.Cut(rest, "/"); {
	case rest == "":
		return routeList, ""
	case !deeper:
		return routeRecord, id
	case after == "feedback":
		return routeFeedback, id
	}
	return routeNone, ""
}

type answerKind uint8

const (
	answerOther answerKind = iota
	answerPage
	answerRecord
	answerFeedback
)

// exchange is one request on its way to an answer.
type exchange struct {
	s      *Simulator
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	now    time.Time
	faults []FaultKind
	note   Request
	kind   answerKind
	sent   int
}

func (x *exchange) route(route routeKind, pk string) {
	switch method := x.r.Method; {
	case route == routeFeedback:
		x.kind = answerFeedback
		x.detail(http.StatusForbidden, "Insufficient role based permission(s)")
	case route == routeNone:
		x.html(http.StatusNotFound, "Page not found")
	case method != http.MethodGet && (method != http.MethodPost || route != routeList):
		x.w.Header().Set("Allow", "GET, POST, HEAD, OPTIONS")
		x.detail(http.StatusMethodNotAllowed, "Method \""+method+"\" not allowed.")
	case route == routeRecord:
		x.fetch(pk)
	default:
		x.list()
	}
}

func (x *exchange) withinRate() bool {
	wait, ok := x.s.limit.admit()
	if !ok {
		x.throttle(wait)
	}
	return ok
}

func (x *exchange) fetch(pk string) {
	body, ok := x.s.find(pk)
	if !ok {
		x.html(http.StatusNotFound, "Page not found")
		return
	}
	x.kind = answerRecord
	x.write(http.StatusOK, "application/json", body)
}

// list answers a page.
func (x *exchange) list() {
	q, err := x.query()
	var bad *invalid
	if errors.As(err, &bad) {
		x.refuse(bad.value)
		return
	}
	var p page
	if q.scan {
		p = x.s.scanPage(q)
	} else {
		p = x.s.cut(q)
	}
	if q.scan && !p.hasNext {
		p.total = len(p.spots)
	} else {
		p.total = x.s.count(q)
	}
	x.answer(q, p)
}

// query reads the request, and holds it to the caps.
func (x *exchange) query() (*query, error) {
	req, err := readRequest(x.r, x.body)
	if err != nil {
		return nil, err
	}
	x.note.Filters = string(req.filters)
	if err := x.s.checkCursor(req); err != nil {
		return nil, err
	}
	if err := x.s.capLimit(req, x.r.Method); err != nil {
		return nil, err
	}
	now := x.now.UnixMilli()
	extra := ""
	if x.s.opt.Cursor.Extra {
		extra = extraMember
	}
	f, err := parseFilter(req.filters, now, x.s.opt.Paging.IgnoreUnknown, extra)
	if err != nil {
		return nil, err
	}
	q := &query{listRequest: req, filter: f, now: now, door: firstTime}
	if x.s.opt.Door > 0 {
		q.door = now - x.s.opt.Door.Milliseconds()
	}
	x.note.Scan, x.note.Limit, x.note.Skip = q.scan, q.limit, q.skip
	x.note.SortField = either(q.saved, "created", "date")
	x.note.SortDirection = either(q.ascending, "asc", "desc")
	return q, nil
}

const firstTime = -1 << 62

// plainReach is how far skip and limit together may reach into a plain list.
const plainReach = 5000

func (s *Simulator) capLimit(req *listRequest, method string) error {
	standard, most := 100, s.opt.Paging.PlainCap
	if req.scan {
		standard, most = 500, s.opt.Paging.ScanCap
		if method == http.MethodGet {
			most = s.opt.Paging.ScanGetCap
		}
		req.skip = 0
	}
	switch {
	case !req.hasLimit:
		req.limit = min(standard, most)
	case req.limit >= 1 && req.limit <= most:
	case s.opt.Paging.Refuse:
		return &invalid{strconv.Itoa(req.limit)}
	case req.limit == 0:
		req.limit = min(standard, most)
	default:
		req.limit = most
	}
	if !req.scan && req.skip+req.limit > plainReach {
		if !s.opt.Paging.EmptyBeyond {
			return &invalid{strconv.Itoa(req.skip)}
		}
		req.limit = max(0, plainReach-req.skip)
	}
	return nil
}

// checkCursor applies the switches that refuse a cursor.
func (s *Simulator) checkCursor(req *listRequest) error {
	c := s.opt.Cursor
	if !c.RequireExtra && c.RefuseAt == 0 || !req.scan {
		return nil
	}
	rest, had := withoutExtra(req.filters)
	s.cursorMu.Lock()
	given := s.cursors[digest(s.gen.seed, rest)]
	s.cursorMu.Unlock()
	if !given && !had {
		return nil
	}
	if c.RequireExtra && !had {
		return &invalid{"filters"}
	}
	if s.log.nextCursor() == c.RefuseAt {
		return &invalid{extraMember}
	}
	return nil
}

// giveCursor remembers a cursor that is about to be sent.
func (s *Simulator) giveCursor(cursor []byte) []byte {
	c := s.opt.Cursor
	rest, _ := withoutExtra(cursor)
	if c.RequireExtra || c.RefuseAt > 0 {
		s.cursorMu.Lock()
		if len(s.cursors) > 1<<20 {
			clear(s.cursors)
		}
		s.cursors[digest(s.gen.seed, rest)] = true
		s.cursorMu.Unlock()
	}
	if c.Extra {
		return withExtra(s.gen.seed, rest)
	}
	return cursor
}
