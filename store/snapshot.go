package store

import (
	"maps"
	"time"
)

// Snapshot is what a reader sees of the lake: one version of the log, the
// files it names, and what folds out of its entries. It never changes.
type Snapshot struct {
	Root       string // the lake's directory, absolute
	Version    int64  // of the log; -1 for a lake without a commit
	Head       string // SHA-256 of the last entry, in hex
	TableID    string
	Tenant     Tenant
	Files      []File // of activities, sorted by path
	Revisions  []File // sorted by path
	Quarantine []File // sorted by path
	Erased     []File // hashes of ids that a purge has erased; sorted by path
	Pages      []File // kept pages; Size and SHA256 are the body's; sorted by path
	Purges     []Purge
	Runs       []Run // by start
	// Coverage is the ledger, oldest first. What one run read piece by piece is
	// one rectangle (coveragejoin.go).
	Coverage []Rectangle
	// Seen counts later sightings of a quarantined record, by SHA-256 in hex.
	Seen map[string]Sighting
	// Ingested is the largest value of the column so far, in milliseconds.
	Ingested int64
	// Foreign are the versions that another writer committed and nobody adopted;
	// Adoptions say what became of the others.
	Foreign   []int64
	Adoptions []Adoption
	// Cursors are the scans that were begun and not ended, by their key.
	Cursors map[string]Cursor
	// AsOf is, of a snapshot of Lake.AsOf, the `ingested` of its last commit; zero
	// of any other. Then its files hold rows of later commits, too, and of
	// activities some lie in Revisions: asof.go has which rows are the snapshot's.
	// No bound or index of values says where a row of then lies today.
	AsOf time.Time
	// QuarantineLifted says, of such a snapshot, that bytes which were in
	// quarantine then have become rows since: its files do not have them any more.
	QuarantineLifted bool
}

// File is one Parquet file that the log names.
type File struct {
	Path      string // relative to the lake, with slashes: activities/date=.../part-....parquet
	Partition Partition
	Size      int64
	SHA256    string // in hex; empty for a file of another writer
	Rows      int64
	Version   int64 // of the entry that added it
	Stats     Stats
	Level     int // of zstd, where it is stronger than a run writes; else 0
}

// Stats are the bounds that the log keeps of a file; times in milliseconds.
type Stats struct {
	Timestamp, Created, Ingested, AppID Range
}

// Range is the smallest and the largest value of a column in a file, and how
// many rows have none. Without a value, Min > Max.
type Range struct{ Min, Max, Nulls int64 }

// Sighting says that quarantined bytes came again.
type Sighting struct {
	Times    int64     `json:"times"`
	LastSeen time.Time `json:"last_seen"`
}

// Tenant is whose activities the lake holds.
type Tenant struct {
	Host    string  `json:"host,omitempty"` // of the API; empty before the first ingest
	IDs     []int64 `json:"ids,omitempty"`  // tenantId of the records
	Several bool    `json:"several,omitempty"`
}

// Outcomes that the store itself tells from others: of a run that has commits
// to come, and of one that did all it was to do.
const (
	OutcomeRunning  = "running"
	OutcomeComplete = "complete"
)

// Run is one invocation of a verb that writes, as its commits tell.
type Run struct {
	RunID          string    `json:"run_id"`
	Started        time.Time `json:"started"`
	Ended          time.Time `json:"ended,omitzero"` // zero: it never said that it ended
	Outcome        string    `json:"outcome"`        // "running", "complete", "partial", "interrupted", "failed"
	Verb           string    `json:"verb"`           // "ingest", "import", "quarantine retry", "purge", "adopt"
	Host           string    `json:"host,omitempty"`
	CredentialKind string    `json:"credential_kind,omitempty"`
	ClientID       string    `json:"client_id,omitempty"`
	ToolVersion    string    `json:"tool_version"`
	Operator       string    `json:"operator,omitempty"`
	CaseID         string    `json:"case_id,omitempty"`
	ClockOffsetMS  *int64    `json:"clock_offset_ms,omitempty"` // server minus local
	Requests       int64     `json:"requests"`
	// PageSize is how many records an answer was asked for, and PageRecords how
	// many the largest one had that had more behind it: what the API gives at once.
	// 0: unknown.
	PageSize    int64 `json:"page_size,omitempty"`
	PageRecords int64 `json:"page_records,omitempty"`
	Records     int64 `json:"records"` // received, of whatever fate
	Added       int64 `json:"added"`   // rows that became part of activities
	Duplicates  int64 `json:"duplicates"`
	Revisions   int64 `json:"revisions"`
	Quarantined int64 `json:"quarantined"`
	Erased      int64 `json:"erased,omitempty"` // refused: a purge has erased them
	Bytes       int64 `json:"bytes"`
	// Drift counts values that a column could not hold, by column.
	Drift map[string]int64 `json:"drift,omitempty"`
	// LogVersion is the last entry of the run.
	LogVersion int64 `json:"-"`
}

// clone is a copy that later records do not change.
func (r Run) clone() Run {
	r.Drift = maps.Clone(r.Drift)
	return r
}

// Rectangle is one entry of the coverage ledger: event time [Since, Until) by
// save time (SinceCreated, ThroughCreated], for one service or for all. Bounds
// of event time and save time are whole milliseconds, as those of records are.
type Rectangle struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Service *int64    `json:"service,omitempty"` // nil: all services
	State   string    `json:"state"`             // "complete", "partial", "filtered", "failed", "imported"
	// SinceCreated is, of a rectangle that was read by save time, the save time
	// behind which it begins; zero: it was read by event time, from the beginning.
	SinceCreated time.Time `json:"since_created,omitzero"`
	// ThroughCreated is the save time up to which it was read; zero: unknown.
	ThroughCreated time.Time `json:"through_created,omitzero"`
	Filter         string    `json:"filter,omitempty"` // its fields and operators, values hashed
	Route          string    `json:"route,omitempty"`  // "activities"
	RunID          string    `json:"run_id"`
	Records        int64     `json:"records"`
	Requests       int64     `json:"requests"`
	Reason         string    `json:"reason,omitempty"` // why it is not complete
}

// Cursor is where a scan of one window stands, so that an interrupted run can
// go on. Key names the window and the question; an entry with Done set, or a
// later one with the same key, replaces it.
type Cursor struct {
	Key   string `json:"key"`
	RunID string `json:"run_id"`
	Done  bool   `json:"done,omitempty"`
	// Filters is the body's filters member to send next, byte for byte. In the
	// log it is base64: a cursor is whatever the service made of it.
	Filters []byte `json:"filters,omitempty"`
	// FirstAsked is the server's clock at the window's first request.
	FirstAsked time.Time `json:"first_asked,omitzero"`
	// At is the commit's clock, so that a stale cursor can be told.
	At       time.Time `json:"at,omitzero"`
	Pages    int64     `json:"pages,omitempty"`
	Records  int64     `json:"records,omitempty"`
	Requests int64     `json:"requests,omitempty"`
}
