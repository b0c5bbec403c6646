package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/store"
)

// The usual values of a Request.
const (
	DefaultGap       = 30 * time.Minute
	DefaultBaseline  = 90 * 24 * time.Hour
	DefaultMaxEvents = 100_000
)

// Request is what is asked for.
type Request struct {
	Entity Entity
	// Since and Until are the window, [Since, Until). For a session both may be
	// zero: it has its own.
	Since, Until time.Time
	// Gap is the longest silence within a session.
	Gap time.Duration
	// Baseline is how long before the window the past begins; 0: there is none, and
	// nothing is new.
	Baseline time.Duration
	// MaxEvents is the most that are told, the first ones; 0: all.
	MaxEvents int64
	// Wide: every column of an event is asked for (Rows).
	Wide  bool
	Allow hunts.Allowlist
	// Now ends what the ledger is asked about: nobody can have collected the future.
	Now time.Time
}

func (r Request) check() error {
	if err := r.Entity.Check(); err != nil {
		return err
	}
	switch {
	case r.Gap <= 0:
		return errors.New("a gap of nothing makes every activity a session")
	case r.Baseline < 0 || r.MaxEvents < 0:
		return errors.New("a baseline and a number of events cannot be negative")
	case !r.Since.Before(r.Until) && !(r.Entity.Kind == Session && r.Since.IsZero() && r.Until.IsZero()):
		return fmt.Errorf("the window is empty: it begins at %s and ends at %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	}
	return nil
}

// Plan is a story about to be told.
type Plan struct {
	Request
	// Past is what there is of the time before the window.
	Past      hunts.Baseline
	engine    *query.Engine
	condition string // that an activity is the entity's
	own       string // that one of the past is; for a session, that it is of its users
}

// Prepare finds out which files may matter.
func Prepare(ctx context.Context, e *query.Engine, r Request) (*Plan, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	p := &Plan{Request: r, engine: e}
	users := ""
	if r.Entity.Kind == Session {
		var err error
		if users, err = p.boundSession(ctx); err != nil {
			return nil, err
		}
	}
	p.Past = hunts.BaselineOf(e.Snapshot(), p.Since, r.Baseline)
	var others cells
	if r.Entity.others() != "" {
		var err error
		if others, err = p.cells(ctx); err != nil {
			return nil, err
		}
	}
	p.condition = r.Entity.condition(others)
	if p.own = p.condition; r.Entity.Kind == Session {
		p.own = users
	}
	return p, nil
}

// from is where the past begins.
func (p *Plan) from() time.Time { return p.Since.Add(-p.Past.Covered) }

// mostUsers is how many users of a session its past is looked up for.
const mostUsers = 20

// boundSession gives a session without a window its own, and finds whose it is: a
// session_id has no past, those who used it have.
func (p *Plan) boundSession(ctx context.Context) (users string, err error) {
	where := p.Entity.indexed()
	if !p.Since.IsZero() {
		where += " AND " + within(p.Since, p.Until)
	}
	var first, last int64
	var names, ids []string
	err = query.Each(ctx, p.engine, "SELECT "+known("user_name")+" AS name, CASE WHEN name IS NULL THEN "+known("actor_id")+" END AS id, epoch_us(min(timestamp)) AS first, epoch_us(max(timestamp)) AS last FROM activities WHERE "+where+
		" GROUP BY ALL ORDER BY first, name, id", func(row struct {
		Name, ID    *string
		First, Last int64
	}) error {
		if first == 0 || row.First < first {
			first = row.First
		}
		last = max(last, row.Last)
		switch {
		case len(names)+len(ids) == mostUsers:
		case row.Name != nil:
			names = append(names, *row.Name)
		case row.ID != nil:
			ids = append(ids, *row.ID)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if p.Since.IsZero() {
		if p.Since, p.Until = time.UnixMicro(first).UTC(), time.UnixMicro(last+1).UTC(); first == 0 {
			if p.Since, p.Until = p.engine.Span(); p.Since.IsZero() {
				p.Since, p.Until = p.Now.Add(-time.Hour), p.Now
			}
		}
		// The ledger counts milliseconds.
		p.Since, p.Until = p.Since.Truncate(time.Millisecond), p.Until.Add(time.Millisecond-1).Truncate(time.Millisecond)
	}
	var all []string
	for _, n := range names {
		all = append(all, "lower(user_name) = lower("+string(query.Text(n))+")")
	}
	for _, n := range ids {
		all = append(all, "lower(actor_id) = lower("+string(query.Text(n))+")")
	}
	if len(all) == 0 {
		return "false", nil
	}
	return "(" + strings.Join(all, " OR ") + ")", nil
}

// cells are those that have more of the entity than the index finds.
func (p *Plan) cells(ctx context.Context) (c cells, err error) {
	err = query.Each(ctx, p.engine, p.Entity.cellsStatement(within(p.from(), p.Until)), func(row struct {
		Date    string
		Service int64
	}) error {
		if !slices.Contains(c.days, row.Date) {
			c.days = append(c.days, row.Date)
		}
		if !slices.Contains(c.services, row.Service) {
			c.services = append(c.services, row.Service)
		}
		return nil
	})
	slices.Sort(c.days)
	slices.Sort(c.services)
	return c, err
}

// Condition is which activities are the story's, in SQL over the columns of
// activities.
func (p *Plan) Condition() string {
	where := within(p.Since, p.Until) + " AND " + p.condition
	if allowed := p.Allow.Condition(); allowed != "" {
		where += " AND " + allowed
	}
	return where
}

// Story is what is known of it. Its tables are the engine's, until that is closed.
type Story struct {
	*Plan
	Events, Sessions int64
	LeftOut          int64 // events that the allow-list takes out
	First, Last      time.Time
	// Before are the events of the past.
	Before int64
	// Judged says that there is a past to compare with.
	Judged bool
	// Usual is how silences are judged.
	Usual    Usual
	Silences []Silence
	Holes    []store.Hole
	Pruning  query.Pruning

	events, numbered, news, sessions string
	counts                           map[int64]int64 // events by hours since 1970
}

// stories counts them: the stages of an engine have names of their own.
var stories atomic.Int64

// Tell reads what there is to tell.
func (p *Plan) Tell(ctx context.Context) (*Story, error) {
	k := stories.Add(1)
	table := func(what string) string { return fmt.Sprintf("timeline_%s_%d", what, k) }
	s := &Story{Plan: p, events: table("events"), numbered: table("numbered"), news: table("news"), sessions: table("sessions")}
	stage, err := p.engine.Stage(ctx, s.events, eventsStatement(p.Condition(), p.Wide))
	if err != nil {
		return nil, fmt.Errorf("read the activities: %w", err)
	}
	s.Events, s.Pruning = stage.Rows, stage.Pruning
	until := p.Until
	if p.Now.Before(until) {
		until = p.Now
	}
	snapshot := p.engine.Snapshot()
	if p.Since.Before(until) {
		s.Holes = snapshot.Holes(snapshot.CoverageByService(p.Since, until))
	}
	if err := s.countLeftOut(ctx); err != nil || s.Events == 0 {
		return s, err
	}
	past, err := s.readPast(ctx, table("past"))
	if err != nil {
		return nil, err
	}
	for _, t := range []struct{ name, sql string }{
		{s.numbered, numberedStatement(s.events, p.Entity.Kind, p.Gap)},
		{s.news, ""}, {s.sessions, ""},
	} {
		switch t.name {
		case s.news:
			compared := past
			if !s.Judged {
				compared = ""
			}
			t.sql = newsStatement(s.numbered, compared)
		case s.sessions:
			t.sql = sessionsStatement(s.numbered)
		}
		if _, err := p.engine.Stage(ctx, t.name, t.sql); err != nil {
			return nil, fmt.Errorf("put the activities in order: %w", err)
		}
	}
	err = query.Each(ctx, p.engine, "SELECT max(session) AS sessions, epoch_us(min(timestamp)) AS first, epoch_us(max(timestamp)) AS last FROM "+s.numbered, func(row struct{ Sessions, First, Last int64 }) error {
		s.Sessions, s.First, s.Last = row.Sessions, time.UnixMicro(row.First).UTC(), time.UnixMicro(row.Last).UTC()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.count(ctx); err != nil {
		return nil, err
	}
	return s, s.judgeSilences(ctx, past)
}

// countLeftOut counts what the allow-list takes out.
func (s *Story) countLeftOut(ctx context.Context) error {
	if s.Allow.Empty() {
		return nil
	}
	return query.Each(ctx, s.engine, "SELECT count(*) AS n FROM activities WHERE "+within(s.Since, s.Until)+" AND "+s.condition, func(row struct{ N int64 }) error {
		s.LeftOut = row.N - s.Events
		return nil
	})
}

// readPast stages the entity's past; empty: it was not collected. What the
// allow-list takes out was seen all the same, and is no news.
func (s *Story) readPast(ctx context.Context, table string) (string, error) {
	if s.Past.Covered <= 0 {
		return "", nil
	}
	stage, err := s.engine.Stage(ctx, table, pastStatement(s.own, s.from(), s.Since))
	if err != nil {
		return "", fmt.Errorf("read the time before: %w", err)
	}
	s.Before = stage.Rows
	s.Judged = s.Past.Enough() && s.Before > 0
	return table, nil
}

// count makes the histogram.
func (s *Story) count(ctx context.Context) error {
	s.counts = map[int64]int64{}
	return query.Each(ctx, s.engine, "SELECT epoch_us(timestamp) // 3600000000 AS hour, count(*) AS n FROM "+s.numbered+" GROUP BY hour", func(row struct{ Hour, N int64 }) error {
		s.counts[row.Hour] = row.N
		return nil
	})
}

// Shown is how many events are told.
func (s *Story) Shown() int64 {
	if s.MaxEvents > 0 {
		return min(s.Events, s.MaxEvents)
	}
	return s.Events
}

// Rows are the events in order, one a row, for jsonl, or in the form that Timesketch
// takes. The caller closes them. The plan must be wide, and there must be events.
func (s *Story) Rows(ctx context.Context, timesketch bool) (*query.Rows, error) {
	fields := eventFields(s.Entity.Kind != User)
	if timesketch {
		fields = timesketchFields()
	}
	return s.engine.Query(ctx, rowsStatement(s.events, s.numbered, s.news, s.MaxEvents, fields))
}
