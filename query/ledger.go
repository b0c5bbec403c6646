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
	{Name: "run_id", Type: store.TypeString},
	{Name: "started", Type: store.TypeTimestamp},
	{Name: "ended", Type: store.TypeTimestamp},
	{Name: "outcome", Type: store.TypeString},
	{Name: "verb", Type: store.TypeString},
	{Name: "host", Type: store.TypeString},
	{Name: "credential_kind", Type: store.TypeString},
	{Name: "client_id", Type: store.TypeString},
	{Name: "tool_version", Type: store.TypeString},
	{Name: "operator", Type: store.TypeString},
	{Name: "case_id", Type: store.TypeString},
	{Name: "clock_offset_ms", Type: store.TypeLong},
	{Name: "requests", Type: store.TypeLong},
	{Name: "records", Type: store.TypeLong},
	{Name: "added", Type: store.TypeLong},
	{Name: "duplicates", Type: store.TypeLong},
	{Name: "revisions", Type: store.TypeLong},
	{Name: "quarantined", Type: store.TypeLong},
	{Name: "erased", Type: store.TypeLong},
	{Name: "bytes", Type: store.TypeLong},
	{Name: "log_version", Type: store.TypeLong},
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
	{Name: "since", Type: store.TypeTimestamp},
	{Name: "until", Type: store.TypeTimestamp},
	{Name: "service", Type: store.TypeLong},
	{Name: "state", Type: store.TypeString},
	{Name: "since_created", Type: store.TypeTimestamp}, // NULL: from the beginning
	{Name: "through_created", Type: store.TypeTimestamp},
	{Name: "filter", Type: store.TypeString},
	{Name: "route", Type: store.TypeString},
	{Name: "run_id", Type: store.TypeString},
	{Name: "records", Type: store.TypeLong},
	{Name: "requests", Type: store.TypeLong},
	{Name: "reason", Type: store.TypeString},
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
