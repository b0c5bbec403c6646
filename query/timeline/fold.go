package timeline

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mdcalake/query"
	"mdcalake/store"
)

// event is a row of storyStatement.
type event struct {
	N, Session int64
	At         int64 // microseconds since 1970
	Verb       string
	Target     *string
	Phrase     *string
	Many       *string
	Behind     string
	Who        string
	ISP        *string
	App        *string
	Kind       *string
	New        []string

	// At the first event of a session only.
	Events         *int64
	Begins, Ends   int64
	Users          []string
	UsersCount     int64 `json:"users_count"`
	Places         []string
	PlacesCount    int64 `json:"places_count"`
	Addresses      []string
	AddressesCount int64 `json:"addresses_count"`
	Apps           []string
	AppsCount      int64 `json:"apps_count"`
	Clients        []string
	ClientsCount   int64 `json:"clients_count"`
}

func (e *event) time() time.Time { return time.UnixMicro(e.At).UTC() }

// alike says that two events of a session differ in time and object only. New is
// never folded away: a value that comes for the first time makes a difference.
func (e *event) alike(o *event) bool {
	return e.Session == o.Session && e.Verb == o.Verb && e.Behind == o.Behind && e.Who == o.Who &&
		same(e.ISP, o.ISP) && same(e.App, o.App) && same(e.Kind, o.Kind) && len(o.New) == 0
}

func same(a, b *string) bool { return text(a) == text(b) && (a == nil) == (b == nil) }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fold is a run of such events, perhaps of one.
type fold struct {
	first, last event
	count       int64
	oneTarget   bool
}

func (f *fold) add(e event) {
	f.oneTarget = f.oneTarget && same(f.first.Target, e.Target)
	f.last = e
	f.count++
}

// sentence tells it; with its subject, where that is asked for.
func (f *fold) sentence(subject bool) string {
	var b strings.Builder
	if subject {
		b.WriteString(f.first.Who + " ")
	}
	b.WriteString(f.first.Verb)
	several := f.count > 1 && !f.oneTarget
	switch {
	case several && f.first.Many != nil:
		b.WriteString(" " + grouped(f.count) + " " + *f.first.Many)
	case several && strings.HasSuffix(f.first.Verb, `"`): // which ones is said behind
		b.WriteString(" on several")
	case several:
		b.WriteString(" (several)")
	case f.first.Phrase != nil:
		b.WriteString(" " + *f.first.Phrase)
	}
	b.WriteString(f.first.Behind)
	return b.String()
}

// span is what a fold of several has in parentheses behind its sentence.
func (f *fold) span() string {
	if f.count == 1 {
		return ""
	}
	var parts []string
	if f.oneTarget || f.first.Many == nil {
		parts = append(parts, grouped(f.count)+" times")
	}
	parts = append(parts, "until "+clock(f.last.time(), f.first.time()))
	if !f.oneTarget {
		for _, t := range []struct {
			word string
			of   *string
		}{{"first", f.first.Target}, {"last", f.last.Target}} {
			if t.of != nil {
				parts = append(parts, t.word+" "+*t.of)
			}
		}
	}
	return strings.Join(parts, ", ")
}

// teller writes a story for people. What it is given has texts of records in it as
// they are.
type teller interface {
	begin(*Story) error
	session(e *event) error // whose first event it is
	line(f *fold) error
	aside(text string) error // a silence or a hole, outside of sessions
	end(*Story) error
}

// tell hands the story to a teller, event by event. every: folds nothing.
func (s *Story) tell(ctx context.Context, t teller, every bool) error {
	if err := t.begin(s); err != nil {
		return err
	}
	asides := s.asides()
	var run *fold
	flush := func() error {
		if run == nil {
			return nil
		}
		f := run
		run = nil
		return t.line(f)
	}
	until := func(at time.Time) error {
		for len(asides) > 0 && asides[0].at.Before(at) {
			if err := t.aside(asides[0].text); err != nil {
				return err
			}
			asides = asides[1:]
		}
		return nil
	}
	err := query.Each(ctx, s.engine, storyStatement(s.events, s.numbered, s.news, s.sessions, s.MaxEvents), func(e event) error {
		if run != nil && !every && run.first.alike(&e) {
			run.add(e)
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		if e.Events != nil {
			if err := until(e.time()); err != nil {
				return err
			}
			if err := t.session(&e); err != nil {
				return err
			}
		}
		run = &fold{first: e, last: e, count: 1, oneTarget: true}
		return nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	// What comes behind the last event that is told belongs to the rest.
	if s.Shown() == s.Events {
		if err := until(later(s.Until, s.Last).Add(time.Second)); err != nil {
			return err
		}
	}
	return t.end(s)
}

// aside is what stands between sessions.
type aside struct {
	at   time.Time
	text string
}

// asides are the silences and the holes, in order.
func (s *Story) asides() []aside {
	var all []aside
	for _, h := range s.Holes {
		word := "collected in part: "
		if h.State == store.NeverAsked {
			word = "not collected: "
		}
		all = append(all, aside{h.Since, word + holeText(h)})
	}
	for _, q := range s.Silences {
		all = append(all, aside{q.Since, q.String()})
	}
	sortAsides(all)
	return all
}

func (q Silence) String() string {
	words := "silent for "
	if q.Open {
		words = "silent for at least "
	}
	text := words + length(q.Until.Sub(q.Since)-q.NotCollected) + ", " + stretch(q.Since, q.Until)
	if q.NotCollected > 0 {
		text += fmt.Sprintf(", without %s that was not collected", length(q.NotCollected))
	}
	return text
}
