package query

import (
	"maps"
	"slices"
	"time"

	"mdcalake/store"
)

// The tables that come from the log and not from files: runs, coverage, and
// the later sightings of quarantined records.

var runColumns = []store.Column{
	{Name: "run_id", Type: store.TypeString, Meaning: "the run"},
	{Name: "started", Type: store.TypeTimestamp, Meaning: "when it began"},
	{Name: "ended", Type: store.TypeTimestamp, Meaning: "when it ended; NULL: it never said so"},
	{Name: "outcome", Type: store.TypeString, Meaning: "running, complete, partial, interrupted, failed"},
	{Name: "verb", Type: store.TypeString, Meaning: "ingest, import, compact, purge, adopt, quarantine retry"},
	{Name: "host", Type: store.TypeString, Meaning: "the API that was asked", Personal: true},
	{Name: "credential_kind", Type: store.TypeString, Meaning: "how it signed in"},
	{Name: "client_id", Type: store.TypeString, Meaning: "the application that signed in", Personal: true},
	{Name: "tool_version", Type: store.TypeString, Meaning: "version of mdcalake"},
	{Name: "operator", Type: store.TypeString, Meaning: "who collected, as --operator said", Personal: true},
	{Name: "case_id", Type: store.TypeString, Meaning: "number of the case, as --case said", Personal: true},
	{Name: "clock_offset_ms", Type: store.TypeLong, Meaning: "clock of the server minus the local one, in milliseconds"},
	{Name: "requests", Type: store.TypeLong, Meaning: "requests to the API"},
	{Name: "records", Type: store.TypeLong, Meaning: "records received, of whatever fate"},
	{Name: "added", Type: store.TypeLong, Meaning: "rows that became part of activities"},
	{Name: "duplicates", Type: store.TypeLong, Meaning: "records that the lake had"},
	{Name: "revisions", Type: store.TypeLong, Meaning: "records that were another payload of an activity it had"},
	{Name: "quarantined", Type: store.TypeLong, Meaning: "records that could not be lifted"},
	{Name: "erased", Type: store.TypeLong, Meaning: "records refused because a purge has erased them"},
	{Name: "bytes", Type: store.TypeLong, Meaning: "bytes received"},
	{Name: "log_version", Type: store.TypeLong, Meaning: "last log entry of the run"},
}

func runRows(s *store.Snapshot, row func(...any) error) error {
	for _, r := range s.Runs {
		var offset any
		if r.ClockOffsetMS != nil {
			offset = *r.ClockOffsetMS
		}
		if err := row(r.RunID, moment(r.Started), moment(r.Ended), orNull(r.Outcome), orNull(r.Verb), orNull(r.Host),
			orNull(r.CredentialKind), orNull(r.ClientID), orNull(r.ToolVersion), orNull(r.Operator), orNull(r.CaseID),
			offset, r.Requests, r.Records, r.Added, r.Duplicates, r.Revisions, r.Quarantined, r.Erased, r.Bytes, r.LogVersion); err != nil {
			return err
		}
	}
	return nil
}

var coverageColumns = []store.Column{
	{Name: "since", Type: store.TypeTimestamp, Meaning: "begin of the event time that was asked for"},
	{Name: "until", Type: store.TypeTimestamp, Meaning: "its end, not included"},
	{Name: "service", Type: store.TypeLong, Meaning: "the app that was asked for; NULL: all"},
	{Name: "state", Type: store.TypeString, Meaning: "complete, partial, filtered, imported, failed, beyond the door, purged"},
	{Name: "since_created", Type: store.TypeTimestamp, Meaning: "save time behind which it was read; NULL: from the beginning"},
	{Name: "through_created", Type: store.TypeTimestamp, Meaning: "save time up to which it was read; NULL: unknown"},
	{Name: "filter", Type: store.TypeString, Meaning: "fields and operators of the question, values hashed"},
	{Name: "route", Type: store.TypeString, Meaning: "which part of the API was asked"},
	{Name: "run_id", Type: store.TypeString, Meaning: "the run that asked"},
	{Name: "records", Type: store.TypeLong, Meaning: "records received"},
	{Name: "requests", Type: store.TypeLong, Meaning: "requests to the API"},
	{Name: "reason", Type: store.TypeString, Meaning: "why it is not complete"},
}

func coverageRows(s *store.Snapshot, row func(...any) error) error {
	for _, r := range s.Coverage {
		var service any
		if r.Service != nil {
			service = *r.Service
		}
		if err := row(moment(r.Since), moment(r.Until), service, orNull(r.State), moment(r.SinceCreated), moment(r.ThroughCreated),
			orNull(r.Filter), orNull(r.Route), orNull(r.RunID), r.Records, r.Requests, orNull(r.Reason)); err != nil {
			return err
		}
	}
	return nil
}

var seenColumns = []store.Column{
	{Name: "content_hash", Type: store.TypeString},
	{Name: "times", Type: store.TypeLong},
	{Name: "last_seen", Type: store.TypeTimestamp},
}

func seenRows(s *store.Snapshot, row func(...any) error) error {
	for _, hash := range slices.Sorted(maps.Keys(s.Seen)) {
		seen := s.Seen[hash]
		if err := row(hash, seen.Times, moment(seen.LastSeen)); err != nil {
			return err
		}
	}
	return nil
}

// moment and orNull: what the ledger leaves out is NULL in SQL.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
