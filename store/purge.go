package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Erasing on purpose: what is older than a day, or what one person did. It is
// planned first, as a value that can be printed and that changes nothing; then
// the same plan is carried out as one commit, which the chain of custody keeps.
// Afterwards no file of the lake holds what was erased: the old files are
// deleted, the value index is made anew, kept pages that held any of it go
// whole, and the entry itself names nobody.

// PurgeRequest says what to erase: exactly one of Before and User.
type PurgeRequest struct {
	// Before erases what happened before this time, cut to a UTC day, and closes
	// the lake for it.
	Before time.Time
	// User erases the activities of a person: rows whose user_name, actor_id or
	// actor_name is this, whatever its case.
	User   string
	Reason string // for the chain of custody; it must not name the person
	// Pages looks into the body of a kept page: see PageReader.
	Pages PageReader
}

// PageReader hands out the records of a page's body as they stand in it, and a
// row of each that can be lifted (nil where it cannot).
type PageReader func(body []byte, each func(record []byte, row *Row) error) error

// PurgePlan is what a purge would do. Its numbers are the ones that the chain
// of custody gets.
type PurgePlan struct {
	Purge
	// ByColumn counts, for a person, the rows that each column matched.
	ByColumn map[string]int64
	// Files counts the files that are written again or dropped.
	Files int
	Bytes int64 // of those files

	request PurgeRequest
	version int64 // of the log that was looked at
	rows    map[string]map[int32]bool
	whole   []string // files of activities that go as they are
	sides   map[string]map[int64]bool
	erased  map[erasedHash]string
}

// Empty says that there is nothing to erase. A purge of what is old is never
// empty: it closes the lake for it.
func (p *PurgePlan) Empty() bool {
	return p.Kind == PurgeUser && p.Rows+p.Revisions+p.Quarantine+int64(len(p.Pages)) == 0
}

// purgeColumns are those that a person is looked for in.
var purgeColumns = []struct {
	name   string
	column int
}{{"user_name", UserName}, {"actor_id", ActorID}, {"actor_name", ActorName}}

// PlanPurge looks for what is to be erased and changes nothing. It reads the
// whole lake for a person, and only what it must for a day.
func (l *Lake) PlanPurge(ctx context.Context, q PurgeRequest) (*PurgePlan, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	p := &PurgePlan{
		request: q, version: l.state.table.Version, ByColumn: map[string]int64{},
		rows: map[string]map[int32]bool{}, sides: map[string]map[int64]bool{}, erased: map[erasedHash]string{},
	}
	p.Reason = q.Reason
	s := &purgeSearch{layout: l.layout, state: l.state, plan: p, first: math.MaxInt64, last: math.MinInt64}
	if q.User != "" {
		p.Kind = PurgeUser
		s.name = strings.ToLower(q.User)
		for _, c := range purgeColumns {
			p.Columns = append(p.Columns, c.name)
		}
	} else {
		p.Kind = PurgeOlder
		p.Before = q.Before.UTC().Truncate(24 * time.Hour)
		s.before = p.Before.UnixMilli()
	}
	if err := s.do(ctx); ctx.Err() != nil {
		return nil, ctx.Err()
	} else if err != nil {
		return nil, &LakeError{Op: "plan a purge of lake", Path: l.layout.root, Err: err}
	}
	return p, nil
}

func (q PurgeRequest) check() error {
	switch {
	case q.User == "" && q.Before.IsZero():
		return errors.New("plan a purge: neither a time nor a person is given")
	case q.User != "" && !q.Before.IsZero():
		return errors.New("plan a purge: a time and a person are both given")
	case q.User != "" && containsFold([]byte(q.Reason), strings.ToLower(q.User)):
		return errors.New("plan a purge: the reason names the person, and it would outlive what is erased")
	}
	return nil
}

// purgeSearch walks through the lake for a plan.
type purgeSearch struct {
	layout layout
	state  *fold
	plan   *PurgePlan
	before int64  // ms; of PurgeOlder
	name   string // lower case; of PurgeUser

	mu          sync.Mutex
	first, last int64 // event time of what was found
}

func (s *purgeSearch) do(ctx context.Context) error {
	steps := []func(context.Context) error{s.activities, s.revisions, s.quarantine, s.keptPages}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	p := s.plan
	if p.Kind == PurgeOlder {
		s.last = s.before
		if since, _ := coverageSpan(s.state.coverage); !since.IsZero() {
			s.first = min(s.first, since.UnixMilli())
		}
		s.first = min(s.first, s.before)
	}
	if s.first <= s.last {
		p.Since, p.Until = time.UnixMilli(s.first).UTC(), time.UnixMilli(s.last).UTC()
	}
	for _, path := range p.paths() {
		p.Files++
		p.Bytes += s.state.fileSize(path)
	}
	return nil
}

// paths are the files that a purge writes again or drops.
func (p *PurgePlan) paths() []string {
	return slices.Concat(p.whole, sortedKeys(p.rows), sortedKeys(p.sides))
}

func (s *fold) fileSize(path string) int64 {
	for _, table := range []map[string]File{s.files, s.revisions, s.quarantine} {
		if f, ok := table[path]; ok {
			return f.Size
		}
	}
	return 0
}

// found takes a row's time into the span of what is erased.
func (s *purgeSearch) found(first, last int64) {
	s.first, s.last = min(s.first, first), max(s.last, last+1)
}

// activities finds rows of the table: whole cells of old days, or rows of a
// person wherever they are.
func (s *purgeSearch) activities(ctx context.Context) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range sortedFiles(s.state.files) {
		if s.name == "" {
			if int64(f.Partition.Day+1)*dayMillis <= s.before {
				s.plan.whole = append(s.plan.whole, f.Path)
				s.plan.Rows += f.Rows
				s.found(f.Stats.Timestamp.Min, f.Stats.Timestamp.Max)
			}
			continue
		}
		g.Go(func() error { return s.personIn(ctx, f) })
	}
	return g.Wait()
}

// personIn finds the rows of a person in a file, and counts those of others
// that name the person.
func (s *purgeSearch) personIn(ctx context.Context, f File) error {
	err := readRows(ctx, s.layout.path(f.Path), func(r *Row, index int64) error {
		columns := s.matches(r)
		if len(columns) == 0 {
			if containsFold(r.Text, s.name) {
				s.mu.Lock()
				s.plan.Mentions++
				s.mu.Unlock()
			}
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range columns {
			s.plan.ByColumn[c]++
		}
		mark(s.plan.rows, f.Path, int32(index))
		s.plan.Rows++
		s.plan.erased[erasedID(r.id())] = "id"
		s.found(r.Numbers[Timestamp], r.Numbers[Timestamp])
		return nil
	})
	if err != nil {
		return readFault(ctx, f.Path, err)
	}
	return nil
}

// matches are the columns by which a row is the person's.
func (s *purgeSearch) matches(r *Row) []string {
	var names []string
	for _, c := range purgeColumns {
		if v := r.Strings[c.column]; !v.IsNull() && strings.ToLower(string(r.Bytes(v))) == s.name {
			names = append(names, c.name)
		}
	}
	return names
}

// containsFold says whether a text holds the name, given in lower case.
func containsFold(text []byte, name string) bool {
	return bytes.Contains(bytes.ToLower(text), []byte(name))
}

// revisions finds past payloads: of an activity that goes, and those that are
// old or a person's themselves.
func (s *purgeSearch) revisions(ctx context.Context) error {
	orphans, err := s.orphans(ctx)
	if err != nil {
		return err
	}
	for _, f := range sortedFiles(s.state.revisions) {
		err := readRows(ctx, s.layout.path(f.Path), func(r *Row, index int64) error {
			_, gone := s.plan.erased[erasedID(r.id())]
			goes := gone || orphans[string(r.id())]
			switch {
			case goes:
			case s.name == "":
				goes = r.Numbers[Timestamp] < s.before
			case len(s.matches(r)) > 0:
				// The activity lives on as another's; only this payload must not return.
				goes = true
				s.plan.erased[erasedPayload(r)] = "payload"
			}
			if goes {
				s.markSide(f.Path, index)
				s.plan.Revisions++
				s.found(r.Numbers[Timestamp], r.Numbers[Timestamp])
			}
			return nil
		})
		if err != nil {
			return readFault(ctx, f.Path, err)
		}
	}
	return nil
}

func (s *purgeSearch) markSide(path string, row int64) {
	if s.plan.sides[path] == nil {
		s.plan.sides[path] = map[int64]bool{}
	}
	s.plan.sides[path][row] = true
}

// orphans are, of a purge by day, the ids of young revisions whose current
// payload is in an old cell: a revision of nothing must not stay.
func (s *purgeSearch) orphans(ctx context.Context) (map[string]bool, error) {
	if s.name != "" || len(s.plan.whole) == 0 {
		return nil, nil
	}
	young := map[string]bool{}
	for _, f := range sortedFiles(s.state.revisions) {
		err := readIDs(ctx, s.layout.path(f.Path), func(id string) { young[strings.Clone(id)] = true })
		if err != nil {
			return nil, readFault(ctx, f.Path, err)
		}
	}
	if len(young) == 0 {
		return nil, nil
	}
	orphans := map[string]bool{}
	for _, path := range s.plan.whole {
		err := readIDs(ctx, s.layout.path(path), func(id string) {
			if young[id] {
				orphans[strings.Clone(id)] = true
			}
		})
		if err != nil {
			return nil, readFault(ctx, path, err)
		}
	}
	return orphans, nil
}

// quarantine finds bad records: of a day by when they were first seen, since
// nothing else is known of their time; of a person by the name in their bytes.
func (s *purgeSearch) quarantine(ctx context.Context) error {
	for _, f := range sortedFiles(s.state.quarantine) {
		row := int64(0)
		err := readQuarantine(ctx, s.layout.path(f.Path), func(q *quarantineRow) error {
			if s.name != "" && namesIn(q.Bytes, s.name) || s.name == "" && q.firstSeen < s.before {
				s.markSide(f.Path, row)
				s.plan.Quarantine++
				s.plan.erased[erasedBytes(q.Bytes)] = "bytes"
			}
			row++
			return nil
		})
		if err != nil {
			return readFault(ctx, f.Path, err)
		}
	}
	return nil
}

// namesIn says whether a record that could not be lifted names the person, as
// it is written or in the escapes of JSON.
func namesIn(record []byte, name string) bool {
	if containsFold(record, name) {
		return true
	}
	text, err := canonical(record)
	return err == nil && containsFold(text, name)
}

// Purge carries a plan out. run tells the chain of custody who does it.
func (w *Writer) Purge(ctx context.Context, p *PurgePlan, run Run) (Receipt, error) {
	receipt, err := w.purge(ctx, p, run)
	return receipt, w.fault("purge lake", err)
}

func (w *Writer) purge(ctx context.Context, p *PurgePlan, run Run) (Receipt, error) {
	switch {
	case w.open != nil:
		return Receipt{}, errors.New("a run of this process is under way")
	case p.version != w.state.table.Version:
		return Receipt{}, errors.New("the lake has changed since the purge was planned: plan it again")
	case p.Empty():
		return Receipt{}, nil
	}
	t := w.begin(run.RunID)
	defer t.abandon()
	if err := t.prepare(); err != nil {
		return Receipt{}, err
	}
	if err := t.carryOut(ctx, p); err != nil {
		return Receipt{}, err
	}
	// Before the commit, not after it: a crash in between must not leave an index
	// that knows what is gone. The next run that needs it makes it anew.
	if err := w.values.clear(); err != nil {
		return Receipt{}, err
	}
	purge := p.Purge
	f := &facts{
		Ingested: w.nextIngested(), RunID: run.RunID, Run: &run, Purge: &purge, Coverage: p.coverage(run.RunID),
	}
	return t.commit(ctx, entryText{operation: "DELETE", dataChange: true, facts: f})
}

// carryOut writes what stays of the files.
func (t *transaction) carryOut(ctx context.Context, p *PurgePlan) error {
	for _, path := range p.whole {
		if err := t.remove(path); err != nil {
			return err
		}
	}
	for _, path := range sortedKeys(p.rows) {
		if err := t.rewrite(ctx, path, p.rows[path]); err != nil {
			return err
		}
	}
	for _, path := range sortedKeys(p.sides) {
		rewrite, f := t.rewriteRevisions, t.w.state.revisions[path]
		if sideDir(path) == quarantineDir {
			rewrite, f = t.rewriteQuarantine, t.w.state.quarantine[path]
		}
		if err := t.w.layout.intact(f); err != nil {
			return err
		}
		if err := rewrite(ctx, path, p.sides[path]); err != nil {
			return err
		}
	}
	return t.writeErased(p.erased)
}

// coverage says that the time is no longer whole: what is not found there may
// have been erased.
func (p *PurgePlan) coverage(runID string) []Rectangle {
	if !p.Since.Before(p.Until) {
		return nil
	}
	return []Rectangle{{Since: p.Since, Until: p.Until, State: StatePurged, RunID: runID, Records: p.Rows, Reason: cmp.Or(p.Reason, p.Kind)}}
}

// rewriteRevisions puts a copy of a file of revisions, without some of its
// rows, in its place; nothing, if no row is left.
func (t *transaction) rewriteRevisions(ctx context.Context, path string, without map[int64]bool) error {
	t.removeSide(path)
	if int64(len(without)) == t.w.state.revisions[path].Rows {
		return nil
	}
	name, err := t.reserveOne(t.sideName(revisionsDir))
	if err != nil {
		return err
	}
	f, err := t.newTable(name, RevisionColumns, true, quick)
	if err != nil {
		return err
	}
	err = copyRows(ctx, t.w.layout, path, f.table, nil, func(index int64) bool { return !without[index] })
	if err != nil {
		return f.abandon(err)
	}
	if err := f.table.close(); err != nil {
		return f.abandon(err)
	}
	return t.finishSide(f, f.table.rows, f.table.stats)
}

// rewriteQuarantine is rewriteRevisions for a file of quarantine.
func (t *transaction) rewriteQuarantine(ctx context.Context, path string, without map[int64]bool) error {
	t.removeSide(path)
	var kept []quarantineRow
	index := int64(0)
	err := readQuarantine(ctx, t.w.layout.path(path), func(q *quarantineRow) error {
		if !without[index] {
			kept = append(kept, *q)
		}
		index++
		return nil
	})
	if err != nil {
		return readFault(ctx, path, err)
	}
	if len(kept) == 0 {
		return nil
	}
	return t.writeQuarantine(kept)
}

// String tells a person what a plan would do.
func (p *PurgePlan) String() string {
	return fmt.Sprintf("%d rows, %d revisions, %d records in quarantine, %d kept pages; %d files, %d bytes", p.Rows, p.Revisions, p.Quarantine, len(p.Pages), p.Files, p.Bytes)
}
