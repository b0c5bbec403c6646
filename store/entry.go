package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mdcalake/store/delta"
)

// What we add to a log entry, all of it under the one key commitInfo.mdcalake.
// Each entry holds its own change only; the fold over all of them is the
// Snapshot.

// facts is commitInfo.mdcalake.
type facts struct {
	Format     int              `json:"format"`
	Previous   string           `json:"previous"` // SHA-256 of the entry before it, in hex; empty for the first
	Ingested   int64            `json:"ingested"` // value of the column, ms
	RunID      string           `json:"run_id"`
	Run        *Run             `json:"run,omitempty"`    // the run so far
	Tenant     *Tenant          `json:"tenant,omitempty"` // when it changed
	Revisions  *sideChange      `json:"revisions,omitempty"`
	Quarantine *sideChange      `json:"quarantine,omitempty"`
	Seen       map[string]int64 `json:"quarantine_seen,omitempty"` // SHA-256 of known bad bytes -> how often again
	Pages      []PageFact       `json:"pages,omitempty"`
	Coverage   []Rectangle      `json:"coverage,omitempty"`
	Cursors    []Cursor         `json:"cursors,omitempty"`
	Purge      *Purge           `json:"purge,omitempty"`
	Erased     *sideChange      `json:"erased,omitempty"` // files of hashes of erased ids
	Adopted    *Adoption        `json:"adopted,omitempty"`
}

// Purge is what an entry says of rows that were erased on purpose. It names
// nobody: the entry outlives what it erased.
type Purge struct {
	// Version is the entry's, by which the purge is named; not stored.
	Version int64  `json:"-"`
	Kind    string `json:"kind"` // PurgeOlder or PurgeUser
	// Before is, of PurgeOlder, the event time up to which everything was erased,
	// and before which nothing is taken any more.
	Before  time.Time `json:"before,omitzero"`
	Since   time.Time `json:"since,omitzero"` // event time of the erased rows, [Since, Until)
	Until   time.Time `json:"until,omitzero"`
	Reason  string    `json:"reason,omitempty"`
	Columns []string  `json:"columns,omitempty"` // that were compared with the person's name
	Rows    int64     `json:"rows"`
	// Revisions, Quarantine and Pages count what went from there.
	Revisions  int64 `json:"revisions"`
	Quarantine int64 `json:"quarantine"`
	// Mentions are rows of others whose record names the person; they stayed.
	Mentions int64 `json:"mentions,omitempty"`
	// Pages are the paths of kept pages that went because they held any of it.
	Pages []string `json:"pages,omitempty"`
}

// Kinds of a purge.
const (
	PurgeOlder = "older_than"
	PurgeUser  = "user"
)

// PageFact is what custody keeps of one request: row.page names it. Of an
// import it is an input, or the part of one that a commit took in; row.page is
// then a line, or where the input is not a record a line, a record, counted
// through all inputs of the run, and the last fact with the greatest FirstLine up
// to it is the row's.
type PageFact struct {
	Page      int64     `json:"page"`                 // of an import: which of its inputs, from 1
	FirstLine int64     `json:"first_line,omitempty"` // or record
	SHA256    string    `json:"sha256"`               // of the body, decompressed, in hex; of a whole input as it is on the disk, with its last part
	Bytes     int64     `json:"bytes"`                // of an input, as it is on the disk
	Records   int64     `json:"records"`
	Fetched   time.Time `json:"fetched,omitzero"` // server's clock
	Kept      bool      `json:"kept,omitempty"`   // the body lies in _pages
}

// sideChange is a change to a table that Delta does not know.
type sideChange struct {
	Add    []sideFile `json:"add,omitempty"`
	Remove []string   `json:"remove,omitempty"`
}

type sideFile struct {
	Path   string `json:"path"` // relative to the lake
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Rows   int64  `json:"rows"`
	Stats  string `json:"stats,omitempty"`
}

// formatVersion is the newest version of everything under the one key that this
// program reads. An entry has the lowest that a reader needs: 2 where it erases,
// since a program that does not know of purges would take what was erased
// again.
const formatVersion = 2

func (f *facts) format() int {
	if f.Purge != nil || f.Adopted != nil {
		return 2
	}
	return 1
}

// Keys of add.tags.
const (
	tagSHA256 = "mdcalake.sha256"
	tagLevel  = "mdcalake.level"
)

// commitInfo is the action as Delta knows it, with ours inside.
type commitInfo struct {
	Timestamp           int64             `json:"timestamp"`
	Operation           string            `json:"operation"`
	OperationParameters map[string]string `json:"operationParameters"`
	IsBlindAppend       bool              `json:"isBlindAppend"`
	EngineInfo          string            `json:"engineInfo"`
	Mdcalake            *facts            `json:"mdcalake,omitempty"`
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ourFacts finds commitInfo.mdcalake in an entry; nil: another writer's entry.
func ourFacts(actions []delta.Action) (*facts, error) {
	for _, a := range actions {
		if !bytes.HasPrefix(a.CommitInfo, []byte("{")) {
			continue
		}
		var info struct {
			Mdcalake *facts `json:"mdcalake"`
		}
		if err := json.Unmarshal(a.CommitInfo, &info); err != nil {
			return nil, fmt.Errorf("commitInfo.mdcalake: %w", err)
		}
		f := info.Mdcalake
		if f == nil {
			continue
		}
		if f.Format > formatVersion {
			return nil, fmt.Errorf("commitInfo.mdcalake has format %d, this version knows %d: use a newer mdcalake", f.Format, formatVersion)
		}
		f.toUTC()
		return f, nil
	}
	return nil, nil
}

// toUTC makes one time of all the forms in which an entry can write it.
func (f *facts) toUTC() {
	utc := func(times ...*time.Time) {
		for _, t := range times {
			*t = t.UTC()
		}
	}
	if f.Run != nil {
		utc(&f.Run.Started, &f.Run.Ended)
	}
	if f.Purge != nil {
		utc(&f.Purge.Before, &f.Purge.Since, &f.Purge.Until)
	}
	for i := range f.Coverage {
		r := &f.Coverage[i]
		utc(&r.Since, &r.Until, &r.ThroughCreated)
	}
	for i := range f.Cursors {
		utc(&f.Cursors[i].FirstAsked, &f.Cursors[i].At)
	}
}

// checkPages keeps the run's id from leading elsewhere: kept pages lie in a
// directory of that name.
func (f *facts) checkPages() error {
	for _, p := range f.Pages {
		if p.Kept && (!validRunID(f.RunID) || p.Page < 0) {
			return fmt.Errorf("run %q has kept page %d: that names no file", f.RunID, p.Page)
		}
	}
	return nil
}

// check is sideChange.check for the pages of a purge.
func (p *Purge) check() error {
	if p == nil {
		return nil
	}
	return (&sideChange{Remove: p.Pages}).check(pagesDir)
}

// check keeps a log that was handed to us from naming files elsewhere.
func (c *sideChange) check(dir string) error {
	if c == nil {
		return nil
	}
	names := slices.Clone(c.Remove)
	for _, a := range c.Add {
		names = append(names, a.Path)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, dir+"/") || path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("file path %q: want one in %s/", name, dir)
		}
	}
	return nil
}

// encodeJSON is json.Marshal without the escapes for HTML.
func encodeJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
