package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mdcalake/store"
)

// RequarantineOptions say whose quarantine is looked at again. Writer is needed.
type RequarantineOptions struct {
	Writer *store.Writer
	Clock  Clock // nil: the system's

	ToolVersion, Operator, CaseID string
}

// Requarantined is what came of looking at a quarantine again.
type Requarantined struct {
	store.Retried
	Run  store.Run
	Head string // VERSION:SHA256 of the log; empty: nothing was lifted, nothing is changed
}

// Requarantine lifts all quarantined records again with the decoder of today.
// Those that it can lift become rows and leave the quarantine, in one commit, or
// several where there are very many. The Requarantined is never nil.
func Requarantine(ctx context.Context, o RequarantineOptions) (*Requarantined, error) {
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	started := o.Clock.Now()
	r := &requarantine{o: o, result: &Requarantined{Retried: store.Retried{Lifted: map[string]int64{}}}}
	r.facts = store.Run{
		RunID: store.NewRunID(started), Started: started.UTC().Truncate(time.Millisecond), Outcome: OutcomeRunning, Verb: "quarantine retry",
		ToolVersion: o.ToolVersion, Operator: o.Operator, CaseID: o.CaseID,
	}
	var err error
	if r.append, err = o.Writer.Begin(r.facts); err != nil {
		return r.result, err
	}
	defer r.append.Close()
	err = r.do(ctx)
	return r.result, err
}

type requarantine struct {
	o      RequarantineOptions
	result *Requarantined
	facts  store.Run
	append *store.Append
}

func (r *requarantine) do(ctx context.Context) error {
	decoder := NewDecoder()
	for more := true; more; {
		var got store.Retried
		var err error
		got, more, err = r.append.Requarantine(ctx, decoder.Decode)
		if err == nil {
			r.result.Stayed = got.Stayed
			for reason, n := range got.Lifted {
				r.result.Lifted[reason] += n
			}
		}
		if err == nil && got.Count() > 0 {
			if !more {
				r.ended(OutcomeComplete)
			}
			err = r.told(r.append.Commit(ctx, store.Commit{Run: r.facts}))
		}
		if err != nil {
			return r.stop(ctx, err)
		}
	}
	if r.facts.Outcome == OutcomeRunning { // the last look found no more
		r.ended(OutcomeComplete)
		return r.told(r.append.Leave(context.WithoutCancel(ctx), r.facts))
	}
	return nil
}

// stop ends the run early.
func (r *requarantine) stop(ctx context.Context, err error) error {
	r.ended(OutcomeFailed)
	if ctx.Err() != nil {
		r.ended(OutcomeInterrupted)
	}
	if lerr := r.told(r.append.Leave(context.WithoutCancel(ctx), r.facts)); lerr != nil {
		return errors.Join(err, lerr)
	}
	return err
}

func (r *requarantine) ended(outcome string) {
	r.facts.Outcome, r.facts.Ended = outcome, r.o.Clock.Now().UTC().Truncate(time.Millisecond)
}

// told takes over what a commit says.
func (r *requarantine) told(receipt store.Receipt, err error) error {
	var committed *store.CommittedError
	if errors.As(err, &committed) {
		receipt = committed.Receipt
	}
	if receipt.Head != "" {
		r.result.Run, r.result.Head = receipt.Run, fmt.Sprintf("%d:%s", receipt.Version, receipt.Head)
	}
	return err
}
