package store

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdcalake/store/delta"
)

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
	s.addCoverage(f.Coverage)
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
	for _, path := range sortedKeys(m) { // names are sorted sooner than what they stand for
		files = append(files, m[path])
	}
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
