package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
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
}

// PageFact is what custody keeps of one request: row.page names it.
type PageFact struct {
	Page    int64     `json:"page"`
	SHA256  string    `json:"sha256"` // of the body, decompressed, in hex
	Bytes   int64     `json:"bytes"`
	Records int64     `json:"records"`
	Fetched time.Time `json:"fetched,omitzero"` // server's clock
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

// formatVersion is the version of everything under the one key.
const formatVersion = 1

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
		if len(a.CommitInfo) == 0 {
			continue
		}
		var probe struct {
			Mdcalake json.RawMessage `json:"mdcalake"`
		}
		if json.Unmarshal(a.CommitInfo, &probe) != nil || len(probe.Mdcalake) == 0 || bytes.Equal(probe.Mdcalake, []byte("null")) {
			continue
		}
		var f facts
		if err := json.Unmarshal(probe.Mdcalake, &f); err != nil {
			return nil, fmt.Errorf("commitInfo.mdcalake: %w", err)
		}
		if f.Format > formatVersion {
			return nil, fmt.Errorf("commitInfo.mdcalake has format %d, this version knows %d: use a newer mdcalake", f.Format, formatVersion)
		}
		return &f, nil
	}
	return nil, nil
}

// fold is the state of a lake while its log is being read.
type fold struct {
	table      *delta.Snapshot
	head       string
	last       *facts
	tenant     Tenant
	ingested   int64
	revisions  map[string]File
	quarantine map[string]File
	removed    map[string]bool // files that our commits removed, by path in the lake
	runs       map[string]*Run
	coverage   []Rectangle
	cursors    map[string]Cursor
	seen       map[string]Sighting
	foreign    []int64
	broken     []chainFault
	onEntry    func(version int64, entry []byte, actions []delta.Action, f *facts)
}

// chainFault is a place where the chain of hashes does not hold.
type chainFault struct {
	version    int64
	want, have string
}

func newFold() *fold {
	return &fold{
		table: delta.NewSnapshot(), revisions: map[string]File{}, quarantine: map[string]File{}, removed: map[string]bool{},
		runs: map[string]*Run{}, cursors: map[string]Cursor{}, seen: map[string]Sighting{},
	}
}

// apply folds one entry in.
func (s *fold) apply(version int64, entry []byte, actions []delta.Action) error {
	if err := s.table.Apply(version, actions); err != nil {
		return err
	}
	f, err := ourFacts(actions)
	if err != nil {
		return fmt.Errorf("log entry %d: %w", version, err)
	}
	if f != nil {
		if err := errors.Join(f.Revisions.check(revisionsDir), f.Quarantine.check(quarantineDir)); err != nil {
			return fmt.Errorf("log entry %d: %w", version, err)
		}
	}
	if s.onEntry != nil {
		s.onEntry(version, entry, actions, f)
	}
	if f == nil {
		s.foreign = append(s.foreign, version)
	} else {
		if f.Previous != s.head {
			s.broken = append(s.broken, chainFault{version: version, want: f.Previous, have: s.head})
		}
		for _, a := range actions {
			if a.Remove != nil {
				if name, err := delta.FilePath(a.Remove.Path); err == nil {
					s.removed[activitiesDir+"/"+name] = true
				}
			}
		}
		s.applyFacts(version, f)
		s.last = f
	}
	s.head = sha256Hex(entry)
	return nil
}

func (s *fold) applyFacts(version int64, f *facts) {
	s.ingested = max(s.ingested, f.Ingested)
	if f.Tenant != nil {
		s.tenant = *f.Tenant
	}
	s.applySide(version, s.revisions, f.Revisions)
	s.applySide(version, s.quarantine, f.Quarantine)
	if f.Run != nil {
		r := *f.Run
		r.LogVersion = version
		s.runs[r.RunID] = &r
	}
	s.coverage = append(s.coverage, f.Coverage...)
	for _, c := range f.Cursors {
		s.cursors[c.Key] = c
	}
	for h, n := range f.Seen {
		old := s.seen[h]
		s.seen[h] = Sighting{Times: old.Times + n, LastSeen: time.UnixMilli(f.Ingested).UTC()}
	}
}

func (s *fold) applySide(version int64, table map[string]File, c *sideChange) {
	if c == nil {
		return
	}
	for _, name := range c.Remove {
		delete(table, name)
		s.removed[name] = true
	}
	for _, a := range c.Add {
		stats, _ := decodeStats(a.Stats)
		table[a.Path] = File{Path: a.Path, Size: a.Size, SHA256: a.SHA256, Rows: a.Rows, Version: version, Stats: stats}
	}
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

// names says whether a file, by its path in the lake, is part of it.
func (s *fold) names(rel string) bool {
	if _, ok := s.revisions[rel]; ok {
		return true
	}
	if _, ok := s.quarantine[rel]; ok {
		return true
	}
	name, inTable := strings.CutPrefix(rel, activitiesDir+"/")
	return inTable && s.table.Has(name)
}

// snapshot is what a reader gets.
func (s *fold) snapshot(root string) (*Snapshot, error) {
	out := &Snapshot{
		Root: root, Version: s.table.Version, Head: s.head, Tenant: s.tenant, Ingested: s.ingested,
		Coverage: slices.Clip(s.coverage), Cursors: maps.Clone(s.cursors), Seen: maps.Clone(s.seen), Foreign: slices.Clip(s.foreign),
		Revisions: sortedFiles(s.revisions), Quarantine: sortedFiles(s.quarantine),
	}
	if s.table.MetaData != nil {
		out.TableID = s.table.MetaData.ID
	}
	for _, f := range s.table.Files() {
		file, err := activitiesFile(f)
		if err != nil {
			return nil, err
		}
		out.Files = append(out.Files, file)
	}
	for _, r := range s.runs {
		out.Runs = append(out.Runs, *r)
	}
	slices.SortFunc(out.Runs, func(a, b Run) int {
		return cmpOr(a.Started.Compare(b.Started), strings.Compare(a.RunID, b.RunID))
	})
	return out, nil
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func sortedFiles(m map[string]File) []File {
	files := make([]File, 0, len(m))
	for _, f := range m {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}

func activitiesFile(f delta.File) (File, error) {
	dir := f.Name
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		dir = dir[:i]
	}
	p, err := ParsePartition(dir)
	if err != nil {
		return File{}, fmt.Errorf("log entry %d: %w", f.Version, err)
	}
	date, service := f.PartitionValues["date"], f.PartitionValues["service"]
	if date == nil || service == nil || *date != p.Date() || *service != fmt.Sprint(p.Service) {
		return File{}, fmt.Errorf("log entry %d: the partition values of %q do not fit its path", f.Version, f.Name)
	}
	stats, rows := decodeStats(f.Stats)
	level, _ := strconv.Atoi(f.Tags[tagLevel]) // absent: nobody pressed it yet
	return File{
		Path: activitiesDir + "/" + f.Name, Partition: p, Size: f.Size, SHA256: f.Tags[tagSHA256],
		Rows: rows, Version: f.Version, Stats: stats, Level: level,
	}, nil
}

// tableMetaData describes `activities` in its first entry.
func tableMetaData(id string, created time.Time) (*delta.MetaData, error) {
	var fields delta.Struct
	for _, c := range Columns {
		fields = append(fields, delta.Field{Name: c.Name, Type: deltaType(c.Type), Nullable: !c.Required})
	}
	text, err := delta.SchemaString(fields)
	if err != nil {
		return nil, err
	}
	return &delta.MetaData{
		ID: id, Name: "activities", Description: "Microsoft Defender for Cloud Apps activities, collected by mdcalake",
		Format: delta.Format{Provider: "parquet", Options: map[string]string{}}, SchemaString: text,
		PartitionColumns: []string{"date", "service"}, CreatedTime: created.UnixMilli(),
		Configuration: map[string]string{
			// The entries are the chain of custody: no other tool may clean them up.
			"delta.enableExpiredLogCleanup": "false",
			"delta.logRetentionDuration":    "interval 36500 days",
			"mdcalake.schemaVersion":        fmt.Sprint(SchemaVersion),
		},
	}, nil
}

func deltaType(t Type) any {
	switch t {
	case TypeStrings:
		return delta.ArrayOf{Element: "string"}
	case TypeObjects:
		var members delta.Struct
		for _, m := range objectFields {
			members = append(members, delta.Field{Name: m.name, Type: string(m.typ), Nullable: true})
		}
		return delta.ArrayOf{Element: members}
	default:
		return string(t)
	}
}

// encodeJSON is json.Marshal without the escapes for HTML.
func encodeJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
