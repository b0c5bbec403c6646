package ingest

import (
	"fmt"
	"time"

	"mdcalake/store"
)

// What an import says of coverage. Saved data is what somebody saved: an
// interval that it lies in is "imported", which is never complete. Only the
// person knows whether it is all there was, and may declare it.

// Declaration says that the inputs of an import hold every activity of an
// interval, as the service had it at a certain time. The ledger then has the
// interval as complete, by the run that took the inputs; the word for it is the
// person's, and Operator and CaseID go with it.
type Declaration struct {
	// Since and Until are the interval of event time, [Since, Until), in whole
	// milliseconds; what lies between two counts as the later one.
	Since, Until time.Time
	Services     []int64 // app ids it is declared for; none: all

	// AsOf is when the data was taken from the service; of several takes, the
	// first one. What was saved in the last two minutes before may be missing, as
	// after an ingest, so the interval is complete through two minutes before.
	// Zero: it is complete through two minutes before the latest created in it:
	// then the data had been taken no earlier. A record that was saved later may
	// be missing.
	AsOf time.Time
}

// Check refuses, with an *OptionError, what cannot be true. Nil declares nothing.
func (d *Declaration) Check(now time.Time) error {
	if d == nil {
		return nil
	}
	refuse := func(hint, format string, args ...any) error {
		return &OptionError{Option: "the declared interval", Problem: fmt.Sprintf(format, args...), hint: hint}
	}
	since, until := wholeMillis(d.Since), wholeMillis(d.Until)
	now = wholeMillis(now) // "now" itself is not yet to come
	text := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	switch {
	case !since.Before(until):
		return refuse("its begin comes first: --covers 2026-01-01..2026-02-01 is January", "is empty: it begins at %s and ends at %s", text(since), text(until))
	case until.After(now):
		return refuse("declare it up to when the data was taken", "ends at %s, which is yet to come", text(until))
	case !d.AsOf.IsZero() && d.AsOf.After(now):
		return refuse("--as-of is when the data was taken from the service", "was taken at %s, which is yet to come", text(d.AsOf))
	case !d.AsOf.IsZero() && d.AsOf.Before(until):
		return refuse("declare it up to --as-of at most", "ends at %s, after the data was taken, at %s: what happened in between cannot be in it", text(until), text(d.AsOf))
	}
	return nil
}

// evidence is what came of the records that a declaration is about.
type evidence struct {
	records int64
	created int64 // the latest, in ms; 0: none has any
}

func (e *evidence) add(other evidence) {
	e.records += other.records
	e.created = max(e.created, other.created)
}

// Declared is what became of a Declaration.
type Declared struct {
	Declaration
	Complete bool // it is in the ledger
	Records  int64
	// Through is the save time that the interval is complete through.
	Through time.Time
	Reason  string // why it is not in the ledger
}

// declare puts the declaration into the last commit of the run, if what came
// bears it out.
func (i *importer) declare() {
	d := i.o.Covers
	if d == nil {
		return
	}
	out := &Declared{Declaration: *d, Records: i.declared.records}
	out.Since, out.Until, out.Services = wholeMillis(d.Since), wholeMillis(d.Until), distinct(d.Services)
	i.summary.Declared = out
	through := d.AsOf
	if through.IsZero() && i.declared.created > 0 {
		through = time.UnixMilli(i.declared.created)
	}
	switch n := len(i.summary.NotWhole); {
	case n > 0:
		out.Reason = counted(int64(n), "input was", "inputs were") + " not whole"
	case through.IsZero():
		out.Reason = "no record of the interval says when it was saved, so nothing shows when the data was taken: say so with --as-of"
	}
	if out.Reason != "" {
		return
	}
	out.Complete, out.Through = true, through.Add(-savedMargin).UTC().Truncate(time.Millisecond)
	for _, service := range ledgerServices(out.Services) {
		i.batch.coverage = append(i.batch.coverage, store.Rectangle{
			Since: out.Since, Until: out.Until, Service: service, State: StateComplete, ThroughCreated: out.Through, RunID: i.facts.RunID, Records: i.declared.records,
		})
	}
}
