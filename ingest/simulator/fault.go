package simulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FaultKind names what goes wrong.
type FaultKind string

// Faults of transport replace the answer of any request; faults of a scan
// change the page of a list request.
const (
	FaultStatus401 FaultKind = "status-401"
	FaultStatus403 FaultKind = "status-403"
	FaultStatus429 FaultKind = "status-429"
	FaultStatus500 FaultKind = "status-500"
	FaultStatus502 FaultKind = "status-502"
	FaultStatus503 FaultKind = "status-503"
	FaultStatus504 FaultKind = "status-504"
	FaultHTML200   FaultKind = "html-200"   // the portal's page where JSON was expected
	FaultHTML500   FaultKind = "html-500"   // the portal's error page
	FaultRedirect  FaultKind = "redirect"   // 302 to another host
	FaultReset     FaultKind = "reset"      // the connection is reset before any answer
	FaultCutJSON   FaultKind = "cut-json"   // the body ends inside a record; its length is declared as it is
	FaultShortBody FaultKind = "short-body" // the connection ends before the declared length
	FaultStall     FaultKind = "stall"      // half the body, then nothing until the client gives up

	FaultEmptyPage   FaultKind = "empty-page"   // no data, hasNext true, the cursor as it came
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

// FaultKinds lists all kinds, in the order of the documents.
var FaultKinds = []FaultKind{
	FaultStatus401, FaultStatus403, FaultStatus429, FaultStatus500, FaultStatus502, FaultStatus503, FaultStatus504,
	FaultHTML200, FaultHTML500, FaultRedirect, FaultReset, FaultCutJSON, FaultShortBody, FaultStall,
	FaultEmptyPage, FaultTwice, FaultStuckCursor, FaultNoCursor, FaultEarlyEnd, FaultEmptyObject, FaultNullData,
	FaultWrongTotal, FaultNoTotal, FaultOverlap, FaultDisorder, FaultOutside,
}

func (k FaultKind) ofPage() bool {
	switch k {
	case FaultCutJSON, FaultShortBody, FaultStall:
		return true // they need a body to cut
	}
	return slices.Index(FaultKinds, k) >= slices.Index(FaultKinds, FaultEmptyPage)
}

// Fault makes one thing go wrong at counted requests. Exactly one of Request,
// Page, Every and Rate is set.
type Fault struct {
	Kind FaultKind
	// Request is the n-th request of all, from 1; Page the n-th list request.
	Request int
	Page    int
	// Times is how many requests in a row are hit: 0 and 1 mean one, -1 all from there on.
	Times int
	// Every hits each k-th list request.
	Every int
	// Rate hits a share of the list requests, chosen by the seed.
	Rate float64
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
// KIND@every=4, KIND@rate=0.01; times=-1 is for ever.
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
		return derive(seed, 200, uint64(len(f.Kind)), uint64(f.Kind[0]), uint64(page))>>32 < threshold(f.Rate)
	}
}
