package simulator

import (
	"maps"
	"sync"
	"time"
)

// Stats count what the simulator has been asked and what it has answered.
type Stats struct {
	Requests     int // all, refused ones too
	Unauthorized int // 401
	Forbidden    int // 403
	Throttled    int // 429
	Refused      int // 400
	Feedback     int // calls that a read-only client must never make
	Fetches      int // GET .../activities/<pk>/
	Pages        int // pages answered with data, empty ones too
	Archived     int // pages of the archived route, counted in Pages too
	Records      int // records sent in pages, repeats counted
	Counts       int // answers of the two count routes
	Expensive    int // of those with 429, the ones for what they asked
	Gzipped      int // answers sent compressed
	Faults       int // requests that a Fault met
	Bytes        int64

	// Served counts what the faults have done, by kind. A fault that met a request
	// and changed nothing there, as an early end on the last page, is not counted.
	Served map[FaultKind]int

	// Log holds the last requests, oldest first.
	Log []Request
}

// Request is one line of the log.
type Request struct {
	Number        int
	Time          time.Time // by the simulator's clock
	Method, Path  string
	Filters       string // as sent; "" if none
	Scan          bool
	SortField     string
	SortDirection string
	Limit, Skip   int // after defaults and caps
	Status        int // 0 if the connection was reset
	Records       int
	HasNext       bool
	Cursor        string      // nextQueryFilters as answered
	Fault         FaultKind   // the last that met the request
	Met           []FaultKind // those that had an effect
	Expensive     bool        // 429 for what was asked, not for how often
	Gzip          bool
}

// logLimit bounds the memory of a long-lived simulator.
const logLimit = 4096

type recorder struct {
	mu    sync.Mutex
	stats Stats
	pages int // list requests seen
	used  int // list requests that carried a cursor
}

func (r *recorder) arrive() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Requests++
	return r.stats.Requests
}

func (r *recorder) nextPage() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages++
	return r.pages
}

func (r *recorder) nextCursor() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used++
	return r.used
}

func (r *recorder) done(q Request, bytes int, kind answerKind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.stats
	switch q.Status {
	case 400:
		st.Refused++
	case 401:
		st.Unauthorized++
	case 403:
		st.Forbidden++
	case 429:
		st.Throttled++
	}
	switch kind {
	case answerArchived:
		st.Archived++
		fallthrough
	case answerPage:
		st.Pages++
		st.Records += q.Records
	case answerCount:
		st.Counts++
	case answerRecord:
		st.Fetches++
	case answerFeedback:
		st.Feedback++
	}
	if q.Fault != "" {
		st.Faults++
	}
	for _, k := range q.Met {
		if st.Served == nil {
			st.Served = map[FaultKind]int{}
		}
		st.Served[k]++
	}
	if q.Expensive {
		st.Expensive++
	}
	if q.Gzip {
		st.Gzipped++
	}
	st.Bytes += int64(bytes)
	if len(st.Log) >= 2*logLimit {
		st.Log = append(st.Log[:0], st.Log[logLimit:]...)
	}
	st.Log = append(st.Log, q)
}

func (r *recorder) snapshot() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.stats
	log := st.Log[max(0, len(st.Log)-logLimit):]
	st.Log = append([]Request(nil), log...)
	st.Served = maps.Clone(st.Served)
	return st
}
