package simulator

import (
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
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
	defer x.record() // of an answer that never came
	if s.opt.Latency > 0 {
		wait := time.NewTimer(s.opt.Latency)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-r.Context().Done(): // the client has left or the server ends: no more waiting
		}
	}
	route, pk := splitRoute(r.URL.Path)
	pageNumber := 0
	if route.pages() && route.takes(r.Method) {
		pageNumber = s.log.nextPage()
	}
	for _, kind := range s.faultsOf(x, number, pageNumber) {
		x.note.Fault = kind
		if !kind.ofPage() {
			x.fail(kind)
			return
		}
		x.faults = append(x.faults, kind)
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
	routeCount
	routeArchived
	routeArchivedCount
)

func (r routeKind) pages() bool    { return r == routeList || r == routeArchived }
func (r routeKind) archived() bool { return r == routeArchived || r == routeArchivedCount }

// takes says whether a route has the method.
func (r routeKind) takes(method string) bool {
	switch r {
	case routeRecord:
		return method == http.MethodGet
	case routeList:
		return method == http.MethodGet || method == http.MethodPost
	}
	return method == http.MethodPost
}

// splitRoute reads a path; pk is the record's id where there is one.
func splitRoute(path string) (routeKind, string) {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/cas"), "/api/v1/")
	collection, rest, _ := strings.Cut(rest, "/")
	rest = strings.Trim(rest, "/")
	id, after, deeper := strings.Cut(rest, "/")
	switch {
	case !ok:
	case collection == "archived_activities":
		switch rest {
		case "":
			return routeArchived, ""
		case "count":
			return routeArchivedCount, ""
		}
	case collection != "activities":
	case rest == "":
		return routeList, ""
	case rest == "count":
		return routeCount, ""
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
	answerArchived
	answerRecord
	answerCount
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

	recorded bool
}

func (x *exchange) route(route routeKind, pk string) {
	switch method := x.r.Method; {
	case route == routeFeedback:
		x.kind = answerFeedback
		x.detail(http.StatusForbidden, "Insufficient role based permission(s)")
	case route == routeNone, route.archived() && x.s.opt.Archive.Closed:
		x.html(http.StatusNotFound, "Page not found")
	case !route.takes(method):
		x.w.Header().Set("Allow", "GET, POST, HEAD, OPTIONS")
		x.detail(http.StatusMethodNotAllowed, "Method \""+method+"\" not allowed.")
	case route == routeRecord:
		x.fetch(pk)
	case route == routeCount, route == routeArchivedCount:
		x.count(route.archived())
	case route == routeArchived:
		x.archived()
	default:
		x.list()
	}
}

// record enters the request into the statistics, once, before the client can
// know that it was answered: who has an answer finds it counted.
func (x *exchange) record() {
	if !x.recorded && x.note.Number > 0 {
		x.recorded = true
		x.s.log.done(x.note, x.sent, x.kind)
	}
}

// met notes that a fault had its effect.
func (x *exchange) met(kind FaultKind) { x.note.Met = append(x.note.Met, kind) }

func (x *exchange) fetch(pk string) {
	body, ok := x.s.find(pk)
	if !ok {
		x.html(http.StatusNotFound, "Page not found")
		return
	}
	x.kind = answerRecord
	x.send(body)
}

// list answers a page.
func (x *exchange) list() {
	q, ok := x.ask(false)
	if !ok {
		return
	}
	var p page
	if q.scan {
		p = x.s.scanPage(q)
	} else {
		p = cut(q, func(f func(spot) bool) { x.s.walk(q, f) })
	}
	if q.scan && !p.hasNext {
		p.total = len(p.spots)
	} else {
		p.total = x.s.count(q)
	}
	x.kind = answerPage
	x.answer(q, p)
}

// ask reads the query, or answers why it is not served.
func (x *exchange) ask(archived bool) (*query, bool) {
	read := x.query
	if archived {
		read = x.archivedQuery
	}
	q, err := read()
	var bad *invalid
	if errors.As(err, &bad) {
		x.refuse(bad.value)
		return nil, false
	}
	return q, x.affordable(q.filter)
}
