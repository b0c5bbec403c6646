package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// FaultKind names what goes wrong.
type FaultKind string

// Faults of transport replace the answer of any request; faults of a body spoil
// the page on its way; faults of a scan change what the page says.
const (
	FaultStatus400   FaultKind = "status-400"   // the filters are refused, whatever they are
	FaultStatus401   FaultKind = "status-401"   // the token is refused
	FaultKeySet401   FaultKind = "jwks-401"     // a backend of the generic host does not hold the tenant's keys
	FaultStatus403   FaultKind = "status-403"   // the rights are missing
	FaultStatus404   FaultKind = "status-404"   // the portal's page, as HTML
	FaultStatus408   FaultKind = "status-408"   // the server gave up waiting
	FaultStatus429   FaultKind = "status-429"   // in the form that Options.Throttle has
	FaultHTML429     FaultKind = "html-429"     // a gateway's page, without Retry-After
	FaultStatus500   FaultKind = "status-500"   // JSON
	FaultStatus502   FaultKind = "status-502"   // gateway, HTML
	FaultStatus503   FaultKind = "status-503"   // gateway, HTML
	FaultStatus504   FaultKind = "status-504"   // gateway, HTML
	FaultHTML200     FaultKind = "html-200"     // the portal's page where JSON was expected
	FaultHTML500     FaultKind = "html-500"     // the portal's error page
	FaultRedirect    FaultKind = "redirect"     // 302 to Options.RedirectTo
	FaultRedirect307 FaultKind = "redirect-307" // the same by 307, which repeats method and body
	FaultReset       FaultKind = "reset"        // the connection is reset before any answer

	FaultCutJSON    FaultKind = "cut-json"    // the body ends inside a record; its length is declared as it is
	FaultShortBody  FaultKind = "short-body"  // the connection ends before the declared length
	FaultCutChunked FaultKind = "cut-chunked" // no length; the chunks break off without the last one
	FaultCutClosed  FaultKind = "cut-closed"  // no length; the end of the connection is the end of the body
	FaultResetBody  FaultKind = "reset-body"  // the connection is reset in the middle of the body
	FaultStall      FaultKind = "stall"       // half the body, then nothing until the client gives up
	FaultTrickle    FaultKind = "trickle"     // the body is whole, and takes Options.Wire.Trickle
	FaultMark       FaultKind = "bom"         // a byte-order mark before the JSON

	FaultEmptyPage   FaultKind = "empty-page"   // no data, hasNext true, the cursor as it came
	FaultEmptyMoved  FaultKind = "empty-moved"  // no data, hasNext true, the cursor half-way to the first record; where it stands there, nothing
	FaultTwice       FaultKind = "twice"        // one record of the page comes a second time
	FaultStuckCursor FaultKind = "stuck-cursor" // the page is right, its cursor asks for the same page
	FaultNoCursor    FaultKind = "no-cursor"    // hasNext true without nextQueryFilters
	FaultEarlyEnd    FaultKind = "early-end"    // hasNext false though records remain
	FaultEmptyObject FaultKind = "empty-object" // {}
	FaultNullData    FaultKind = "null-data"    // "data":null
	FaultWrongTotal  FaultKind = "wrong-total"
	FaultNoTotal     FaultKind = "no-total"
	FaultOverlap     FaultKind = "overlap"       // the cursor is moved too little: records come again
	FaultDisorder    FaultKind = "disorder"      // the page is not in order
	FaultOutside     FaultKind = "outside-range" // a record from outside the asked range is among the page
)

// faultsOfPage need a page to spoil: those of a body, and those of a scan.
var faultsOfPage = []FaultKind{
	FaultCutJSON, FaultShortBody, FaultCutChunked, FaultCutClosed, FaultResetBody, FaultStall, FaultTrickle, FaultMark,
	FaultEmptyPage, FaultEmptyMoved, FaultTwice, FaultStuckCursor, FaultNoCursor, FaultEarlyEnd, FaultEmptyObject, FaultNullData,
	FaultWrongTotal, FaultNoTotal, FaultOverlap, FaultDisorder, FaultOutside,
}

// FaultKinds lists all kinds, in the order of the documents.
var FaultKinds = append([]FaultKind{
	FaultStatus400, FaultStatus401, FaultKeySet401, FaultStatus403, FaultStatus404, FaultStatus408, FaultStatus429, FaultHTML429,
	FaultStatus500, FaultStatus502, FaultStatus503, FaultStatus504, FaultHTML200, FaultHTML500, FaultRedirect, FaultRedirect307, FaultReset,
}, faultsOfPage...)

func (k FaultKind) ofPage() bool { return slices.Contains(faultsOfPage, k) }

// Fault makes one thing go wrong at counted requests. Exactly one of Request,
// Page, Every and Rate is set. List requests are those for pages, of either route.
type Fault struct {
	Kind FaultKind
	// Request is the n-th request of all, from 1; Page the n-th list request.
	Request int
	Page    int
	// Every hits each k-th list request.
	Every int
	// Rate hits a share of the list requests, chosen by the seed.
	Rate float64
	// Times is how often it hits: 0 and 1 mean once, -1 for ever. With Request
	// and Page it hits so many requests in a row, whatever they ask; with Every
	// and Rate it hits the same question so often, however many others come in
	// between: an empty page that stays empty, a window that cannot be had.
	Times int
}

func (f Fault) check() error {
	if !slices.Contains(FaultKinds, f.Kind) {
		return fmt.Errorf("fault %q is not known; there are %v", f.Kind, FaultKinds)
	}
	set := 0
	for _, on := range []bool{f.Request > 0, f.Page > 0, f.Every > 0, f.Rate > 0} {
		if on {
			set++
		}
	}
	if set != 1 || f.Request < 0 || f.Page < 0 || f.Every < 0 || f.Rate < 0 || f.Rate > 1 || f.Times < -1 {
		return fmt.Errorf("fault %s needs exactly one of request, page, every (from 1) and rate (up to 1)", f.Kind)
	}
	return nil
}

// ParseFault reads a fault in its short form: KIND@page=3, KIND@request=5,times=2,
// KIND@every=4, KIND@rate=0.01,times=3; times=-1 is for ever.
func ParseFault(text string) (Fault, error) {
	kind, where, _ := strings.Cut(text, "@")
	f := Fault{Kind: FaultKind(kind)}
	for part := range strings.SplitSeq(where, ",") {
		key, value, _ := strings.Cut(part, "=")
		var err error
		switch key {
		case "request":
			f.Request, err = strconv.Atoi(value)
		case "page":
			f.Page, err = strconv.Atoi(value)
		case "times":
			f.Times, err = strconv.Atoi(value)
		case "every":
			f.Every, err = strconv.Atoi(value)
		case "rate":
			f.Rate, err = strconv.ParseFloat(value, 64)
		default:
			err = fmt.Errorf("%q is no place", part)
		}
		if err != nil {
			return f, fmt.Errorf("fault %q: want KIND@page=N, @request=N, @every=N or @rate=SHARE, perhaps with ,times=N", text)
		}
	}
	return f, f.check()
}

// hits says whether the fault meets this request; page is 0 if it is no list request.
func (f Fault) hits(seed uint64, request, page int) bool {
	within := func(n, first int) bool {
		return n >= first && (f.Times < 0 || n < first+max(f.Times, 1))
	}
	switch {
	case f.Request > 0:
		return within(request, f.Request)
	case page == 0:
		return false
	case f.Page > 0:
		return within(page, f.Page)
	case f.Every > 0:
		return page%f.Every == 0
	default:
		// The whole name counts, so that two kinds of one share meet different requests.
		return derive(hashText(seed, []byte(f.Kind)), uint64(page))>>32 < threshold(f.Rate)
	}
}

// ofQuestion says that the fault, once it has met a question, goes on to meet it.
func (f Fault) ofQuestion() bool {
	return (f.Every > 0 || f.Rate > 0) && (f.Times > 1 || f.Times < 0)
}

// repeats remembers how often a fault has still to meet a question.
type repeats struct {
	mu   sync.Mutex
	left map[repeat]int // -1 is for ever
}

type repeat struct {
	fault    int // position in Options.Faults
	question uint64
}

// repeatLimit bounds the memory of a long-lived simulator.
const repeatLimit = 1 << 16

// next says whether fault number i still has to meet the question.
func (r *repeats) next(i int, question uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := repeat{i, question}
	n := r.left[key]
	switch {
	case n > 1:
		r.left[key] = n - 1
	case n == 1:
		delete(r.left, key)
	}
	return n != 0
}

// begin notes that fault number i has met the question for the first time.
func (r *repeats) begin(i int, question uint64, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) >= repeatLimit {
		clear(r.left)
	}
	r.left[repeat{i, question}] = max(times-1, -1)
}

// faultsOf finds the faults that meet a request, in the order of the Options.
func (s *Simulator) faultsOf(x *exchange, number, page int) []FaultKind {
	var list []FaultKind
	var question uint64
	for i, f := range s.opt.Faults {
		if page == 0 || !f.ofQuestion() {
			if f.hits(s.gen.seed, number, page) {
				list = append(list, f.Kind)
			}
			continue
		}
		if question == 0 {
			question = x.question()
		}
		if s.repeats.next(i, question) {
			list = append(list, f.Kind)
		} else if f.hits(s.gen.seed, number, page) {
			s.repeats.begin(i, question, f.Times)
			list = append(list, f.Kind)
		}
	}
	return list
}

// question tells apart what is asked for: route, filters, order, place and size.
// What Cursor.Extra adds to a cursor makes no other question of it.
func (x *exchange) question() uint64 {
	seed := x.s.gen.seed
	req, err := readRequest(x.r, x.body)
	if err != nil {
		return hashText(seed, x.body)
	}
	rest, _ := withoutExtra(req.filters)
	if len(rest) == 0 {
		rest = []byte("{}") // as the cursor of an empty page says it
	}
	place := fmt.Appendf(nil, "%s %t %t %t %d %d", x.r.URL.Path, req.scan, req.saved, req.ascending, req.limit, req.skip)
	return derive(digest(seed, rest), hashText(seed, place))
}
