package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
// then a line, counted through all inputs of the run, and the fact with the
// greatest FirstLine up to it is the row's.
type PageFact struct {
	Page      int64     `json:"page"` // of an import: which of its inputs, from 1
	FirstLine int64     `json:"first_line,omitempty"`
	SHA256    string    `json:"sha256"` // of the body, decompressed, in hex; of a whole input, with its last part
	Bytes     int64     `json:"bytes"`
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

// fold is the state of a lake while its log is being read.
type fold struct {
	table      *delta.Snapshot
	files      map[string]File    // of activities, by path in the lake
	odd        map[string]oddFile // of activities too, in a place that is none of ours
	head       string
	tenant     Tenant
	ingested   int64
	revisions  map[string]File
	quarantine map[string]File
	removed    map[string]bool // files that our commits removed, by path in the lake
	runs       map[string]*Run
	inOrder    []*Run // the same, by first entry
	coverage   []Rectangle
	cursors    map[string]Cursor
	cursorsOf  map[string]map[string]bool // their keys, by run
	seen       map[string]Sighting
	erased     map[string]File // hashes of erased ids
	purges     []Purge
	pages      map[string]File // kept pages; size and SHA-256 are the body's
	foreign    []int64         // entries of other programs that nobody has adopted
	adoptions  []Adoption      // what became of the others
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
		table: delta.NewSnapshot(), files: map[string]File{}, odd: map[string]oddFile{}, revisions: map[string]File{}, quarantine: map[string]File{}, removed: map[string]bool{},
		erased: map[string]File{}, pages: map[string]File{}, runs: map[string]*Run{}, cursors: map[string]Cursor{}, cursorsOf: map[string]map[string]bool{}, seen: map[string]Sighting{},
	}
}

// apply folds one entry in.
func (s *fold) apply(version int64, entry []byte, actions []delta.Action) error {
	return s.applyParsed(parseEntry(version, entry, actions))
}

func (s *fold) applyParsed(p *parsedEntry) error {
	if p.err != nil {
		return p.err
	}
	// Last of what may fail: version and head must be those of one entry.
	if err := s.table.Apply(p.version, p.actions); err != nil {
		return err
	}
	if s.onEntry != nil {
		s.onEntry(p.version, p.entry, p.actions, p.facts)
	}
	for _, f := range p.files {
		s.applyFile(f, p.facts != nil)
	}
	if f := p.facts; f == nil {
		s.foreign = append(s.foreign, p.version)
	} else {
		if f.Previous != s.head {
			s.broken = append(s.broken, chainFault{version: p.version, want: f.Previous, have: s.head})
		}
		s.applyFacts(p.version, f)
	}
	s.head = p.head
	return nil
}

func (s *fold) applyFile(f parsedFile, ours bool) {
	delete(s.files, f.path)
	delete(s.odd, f.path)
	if f.added {
		delete(s.removed, f.path) // another program has brought it back
	}
	switch {
	case f.added && f.odd != nil:
		s.odd[f.path] = oddFile{f.file, f.odd}
	case f.added:
		s.files[f.path] = f.file
	case ours:
		s.removed[f.path] = true
	}
}

func (s *fold) applyFacts(version int64, f *facts) {
	s.ingested = max(s.ingested, f.Ingested)
	if f.Tenant != nil {
		s.tenant = *f.Tenant
	}
	s.applySide(version, s.revisions, f.Revisions)
	s.applySide(version, s.quarantine, f.Quarantine)
	s.applySide(version, s.erased, f.Erased)
	if f.Purge != nil {
		p := *f.Purge
		p.Version = version
		s.purges = append(s.purges, p)
		for _, path := range p.Pages {
			delete(s.pages, path)
			s.removed[path] = true
		}
	}
	for _, p := range f.Pages {
		if p.Kept {
			path := pagePath(f.RunID, p.Page)
			s.pages[path] = File{Path: path, Size: p.Bytes, SHA256: p.SHA256, Version: version}
		}
	}
	if f.Adopted != nil {
		s.adopt(version, f.Adopted)
	}
	for _, c := range f.Cursors {
		s.setCursor(c)
	}
	if f.Run != nil {
		s.applyRun(version, *f.Run)
	}
	s.coverage = append(s.coverage, f.Coverage...)
	for h, n := range f.Seen {
		old := s.seen[h]
		s.seen[h] = Sighting{Times: old.Times + n, LastSeen: time.UnixMilli(f.Ingested).UTC()}
	}
}

func (s *fold) applyRun(version int64, r Run) {
	r.LogVersion = version
	if known := s.runs[r.RunID]; known != nil {
		*known = r
	} else {
		s.runs[r.RunID] = &r
		s.inOrder = append(s.inOrder, &r)
	}
	if r.Outcome == OutcomeComplete {
		s.dropCursors(r.RunID)
	}
}

func (s *fold) setCursor(c Cursor) {
	if old, ok := s.cursors[c.Key]; ok {
		delete(s.cursorsOf[old.RunID], c.Key)
		if len(s.cursorsOf[old.RunID]) == 0 {
			delete(s.cursorsOf, old.RunID)
		}
	}
	if s.cursorsOf[c.RunID] == nil {
		s.cursorsOf[c.RunID] = map[string]bool{}
	}
	s.cursors[c.Key], s.cursorsOf[c.RunID][c.Key] = c, true
}

// dropCursors forgets where a run stood that came to its end: nothing goes on
// from there.
func (s *fold) dropCursors(runID string) {
	for key := range s.cursorsOf[runID] {
		delete(s.cursors, key)
	}
	delete(s.cursorsOf, runID)
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

// names says whether a file, by its path in the lake, is part of it.
func (s *fold) names(rel string) bool {
	if _, ok := s.revisions[rel]; ok {
		return true
	}
	if _, ok := s.quarantine[rel]; ok {
		return true
	}
	if _, ok := s.erased[rel]; ok {
		return true
	}
	if _, ok := s.pages[rel]; ok {
		return true
	}
	name, inTable := strings.CutPrefix(rel, activitiesDir+"/")
	return inTable && s.table.Has(name)
}

// knows says whether the log names the file, now or earlier. A file that a
// commit has removed is not to be swept as one that was never committed.
func (s *fold) knows(rel string) bool { return s.names(rel) || s.removed[rel] }

// snapshot is what a reader gets.
func (s *fold) snapshot(root string) (*Snapshot, error) {
	out := &Snapshot{
		Root: root, Version: s.table.Version, Head: s.head, Tenant: s.tenant, Ingested: s.ingested,
		Coverage: slices.Clip(s.coverage), Cursors: maps.Clone(s.cursors), Seen: maps.Clone(s.seen), Foreign: slices.Clip(s.foreign),
		Files: sortedFiles(s.files), Revisions: sortedFiles(s.revisions), Quarantine: sortedFiles(s.quarantine),
		Erased: sortedFiles(s.erased), Pages: sortedFiles(s.pages), Purges: slices.Clip(s.purges), Adoptions: slices.Clip(s.adoptions),
	}
	for _, path := range sortedKeys(s.odd) {
		return nil, s.odd[path].err
	}
	if s.table.MetaData != nil {
		out.TableID = s.table.MetaData.ID
	}
	out.Runs = make([]Run, len(s.inOrder))
	for i, r := range s.inOrder {
		out.Runs[i] = *r
	}
	// Nearly in order already, and then it takes one look at each.
	slices.SortStableFunc(out.Runs, func(a, b Run) int {
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

// oddFile is a file that no reader of ours opens, and why.
type oddFile struct {
	File
	err error
}

// activitiesFile is a file of the table as we see it. The error says that it
// does not lie in its cell.
func activitiesFile(version int64, name string, add *delta.Add) (File, error) {
	stats, rows := decodeStats(add.Stats)
	f := File{Path: activitiesDir + "/" + name, Size: add.Size, SHA256: add.Tags[tagSHA256], Rows: rows, Version: version, Stats: stats}
	dir := name
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		dir = dir[:i]
	}
	p, err := ParsePartition(dir)
	if err != nil {
		return f, fmt.Errorf("log entry %d: %w", version, err)
	}
	date, service := add.PartitionValues["date"], add.PartitionValues["service"]
	if date == nil || service == nil || *date != p.Date() || *service != fmt.Sprint(p.Service) {
		return f, fmt.Errorf("log entry %d: the partition values of %q do not fit its path", version, name)
	}
	f.Partition = p
	f.Level, _ = strconv.Atoi(add.Tags[tagLevel]) // absent: nobody pressed it yet
	return f, nil
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
		Configuration: tableProperties(),
	}, nil
}

// tableProperties are what other programs have to know.
func tableProperties() map[string]string {
	return map[string]string{
		// The entries are the chain of custody: no other tool may clean them up.
		"delta.enableExpiredLogCleanup": "false",
		"delta.logRetentionDuration":    "interval 36500 days",
		"mdcalake.schemaVersion":        fmt.Sprint(SchemaVersion),
	}
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
