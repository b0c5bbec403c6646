package indicators

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Indicator is one thing to look for.
type Indicator struct {
	Kind  Kind
	Value string
	// Spans are the times of an event in which it counts; none: always.
	Spans   []Span
	Sources []Source
}

// Span is [Since, Until); zero: open.
type Span struct{ Since, Until time.Time }

// String is the span for a person: 2026-01-01T00:00:00Z .. 2026-02-01T00:00:00Z.
func (s Span) String() string {
	text := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return strings.TrimSpace(text(s.Since) + " .. " + text(s.Until))
}

// Source is who names an indicator.
type Source struct {
	Place   string // feed.csv:12; the event and attribute of MISP; the id of STIX
	Comment string // in its own words; may be empty
}

// Comment is what its sources say of it, each once.
func (i *Indicator) Comment() string {
	var parts []string
	for _, s := range i.Sources {
		if s.Comment != "" && !slices.Contains(parts, s.Comment) {
			parts = append(parts, s.Comment)
		}
	}
	return strings.Join(parts, "; ")
}

// Places are those of its sources.
func (i *Indicator) Places() []string {
	places := make([]string, len(i.Sources))
	for n, s := range i.Sources {
		places[n] = s.Place
	}
	return places
}

// Refusal is something that stands where an indicator should, and cannot be
// looked for.
type Refusal struct{ Place, Text, Why string }

func (r Refusal) String() string { return fmt.Sprintf("%s: %q: %s", r.Place, shortened(r.Text), r.Why) }

// shortened keeps a message in one line.
func shortened(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Set is what was read.
type Set struct {
	Indicators []*Indicator // by kind, then value, once Read is done
	Refused    []Refusal
	// LeftOut counts by reason what is in order and was not taken.
	LeftOut map[string]int
	// Defanged counts values that were written so that nobody clicks on them.
	Defanged int
	// Duplicates counts the times that an indicator was named again.
	Duplicates int
	// Warnings are about indicators that were taken all the same.
	Warnings []string

	by     map[Kind]map[string]*Indicator
	failed bool
}

// MaxIndicators bounds a set: their tables are held in memory.
const MaxIndicators = 1_000_000

// maxText bounds a value, in bytes: longer ones are no indicators but texts.
const maxText = 4096

// maxSources bounds what is kept of those who name one indicator.
const maxSources = 100

// finding is a value as a file has it.
type finding struct {
	text    string
	kind    Kind // empty: its form tells
	place   string
	comment string
	span    Span
}

// add reads a value. What is wrong with it is noted.
func (s *Set) add(f finding) {
	refuse := func(why string) { s.Refused = append(s.Refused, Refusal{f.place, f.text, why}) }
	if len(f.text) > maxText {
		refuse(fmt.Sprintf("it has %d bytes, and an indicator has at most %d", len(f.text), maxText))
		return
	}
	if !f.span.Since.IsZero() && !f.span.Until.IsZero() && !f.span.Since.Before(f.span.Until) {
		refuse("the time in which it counts ends before it begins: " + f.span.String())
		return
	}
	v, why := readValue(f.kind, f.text)
	if why != "" {
		refuse(why)
		return
	}
	if v.defanged {
		s.Defanged++
	}
	if s.by == nil {
		s.by = map[Kind]map[string]*Indicator{}
	}
	if s.by[v.kind] == nil {
		s.by[v.kind] = map[string]*Indicator{}
	}
	source := Source{f.place, strings.Join(strings.Fields(shortened(f.comment)), " ")}
	key := keyOf(v.kind, v.text)
	if old := s.by[v.kind][key]; old != nil {
		s.Duplicates++
		old.widen(f.span)
		if len(old.Sources) < maxSources && !slices.Contains(old.Sources, source) {
			old.Sources = append(old.Sources, source)
		}
		return
	}
	if len(s.Indicators) == MaxIndicators {
		s.failed = true
		return
	}
	i := &Indicator{Kind: v.kind, Value: v.text, Sources: []Source{source}}
	if f.span != (Span{}) {
		i.Spans = []Span{f.span}
	}
	if v.warning != "" {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s: %s %s", f.place, v.text, v.warning))
	}
	s.by[v.kind][key] = i
	s.Indicators = append(s.Indicators, i)
}

// widen adds a time in which it counts: who names it without one means always.
func (i *Indicator) widen(s Span) {
	switch {
	case len(i.Spans) == 0:
	case s == (Span{}):
		i.Spans = nil
	case !slices.Contains(i.Spans, s):
		i.Spans = append(i.Spans, s)
	}
}

// leaveOut counts something that is not taken.
func (s *Set) leaveOut(why string) {
	if s.LeftOut == nil {
		s.LeftOut = map[string]int{}
	}
	s.LeftOut[why]++
}

func (s *Set) sort() {
	slices.SortFunc(s.Indicators, func(a, b *Indicator) int {
		return cmp.Or(cmp.Compare(slices.Index(Kinds, a.Kind), slices.Index(Kinds, b.Kind)), strings.Compare(a.Value, b.Value))
	})
}

// Count is how many there are of each kind.
func (s *Set) Count() map[Kind]int {
	n := map[Kind]int{}
	for _, i := range s.Indicators {
		n[i.Kind]++
	}
	return n
}

// Reasons are those of LeftOut, sorted.
func (s *Set) Reasons() []string { return slices.Sorted(maps.Keys(s.LeftOut)) }
