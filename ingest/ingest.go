package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mdcalake/store"
)

// Outcomes of a run.
const (
	OutcomeRunning     = store.OutcomeRunning
	OutcomeComplete    = store.OutcomeComplete
	OutcomePartial     = "partial" // some windows failed, or the last round of the tail did
	OutcomeInterrupted = "interrupted"
	OutcomeFailed      = "failed"
)

// Options say what to fetch and where to put it. Client, Writer and Since are
// needed.
type Options struct {
	Client *Client
	Writer *store.Writer
	// Since and Until bound event time, [Since, Until). A zero Until is open: it
	// takes what there is, events with a time somewhat ahead too.
	Since, Until time.Time
	Services     []int64 // app ids; none for all
	Filter       []byte  // further filters as JSON text
	Again        bool    // read also what has been read and is not due again
	Archived     bool    // read what is older than 30 days, too, on the archived route
	Order        Order   // "" is NewestFirst
	Parallel     int     // windows at a time; 0: as many as keep the rate busy
	PageSize     int     // records a request; 0: as many as the API gives
	KeepPages    bool    // keep the bodies of the answers in the lake
	Tail         *Tail   // follow what is saved; nil: do not
	Clock        Clock   // nil: the system's

	ToolVersion, Operator, CaseID, ClientID string

	// Progress is told how far the run is, often; it must return at once.
	Progress func(Progress)
	// Warn is told in a sentence of what the person should know but what does
	// not stop the run.
	Warn func(text string)

	commitBytes int64 // 0: the constant; tests set less
}

// Progress is where a run stands.
type Progress struct {
	Window         Window   // that the report is about
	Reading        []Window // under way
	WindowNumber   int      // windows that have been begun; see Summary.Windows
	Windows        int      // and that there will be, as far as can be said
	Requests       int64
	LeftInMinute   int // requests that the rate leaves in this minute; -1: no limit
	Run            store.Run
	Elapsed        time.Duration
	Done           float64 // share of what is to be read, or of an import's bytes, that is behind, 0 to 1
	Read, Size     int64   // bytes of an import's inputs, as they are on the disk; a Size of 0 is not known
	Committed      bool    // a commit has just been made
	WindowFinished bool
	Round          int // of the tail, from 1; 0: none yet
}

// Summary is what a run did.
type Summary struct {
	Run            store.Run
	Windows        int // that were begun, those that were put back, whole or in parts, not counted
	Finished       int // scanned to their end
	Failed         []FailedWindow
	NotWhole       []Shortfall // inputs of an import that did not come in whole
	Declared       *Declared   // what became of an import's declaration, if there was one
	OutsideWindow  int64       // records outside what was asked: the filter was not honoured
	Rounds         int         // of the tail
	Version        int64
	Head           string // VERSION:SHA256 of the log; empty: nothing was committed
	Elapsed        time.Duration
	FutureOfServer bool // all that was asked lies ahead of the server's clock
	NothingToDo    bool // all that was asked for has been read, and nothing is due again
}

// committed notes a commit, and says whether there was one: an error that has a
// receipt is about what came after it.
func (s *Summary) committed(receipt store.Receipt, err error) bool {
	var late *store.CommittedError
	if errors.As(err, &late) {
		receipt, err = late.Receipt, nil
	}
	if err != nil {
		return false
	}
	s.Version, s.Head = receipt.Version, fmt.Sprintf("%d:%s", receipt.Version, receipt.Head)
	return true
}

// FailedWindow is a window that could not be read to its end.
type FailedWindow struct {
	Window Window
	Err    error
}

// Run fetches what of the question is not in the lake yet, or due again, and
// appends it. What was committed before an error stays, and the same call later
// goes on from there. With a Tail it goes on until its time is up. The Summary
// is never nil.
func Run(ctx context.Context, o Options) (*Summary, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.commitBytes == 0 {
		o.commitBytes = commitBytes
	}
	r := &run{o: o, summary: &Summary{}, started: o.Clock.Now(), reading: map[*reading]bool{}, events: make(chan event)}
	err := r.do(ctx)
	r.summary.Elapsed = o.Clock.Now().Sub(r.started)
	return r.summary, err
}
