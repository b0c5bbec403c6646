package timeline

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdcalake/store"
)

// holeText is a hole in a few words.
func holeText(h store.Hole) string {
	text := stretch(h.Since, h.Until) + " " + h.State
	if h.Reason != "" {
		text += " (" + h.Reason + ")"
	}
	if h.Service != nil {
		text += ", service " + strconv.FormatInt(*h.Service, 10)
	}
	return text
}

func sortAsides(all []aside) {
	slices.SortStableFunc(all, func(a, b aside) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.text, b.text)) })
}

const dayAndTime = "2006-01-02 15:04:05"

// stretch is from and to in whole seconds, outwards; the day of the second where it is
// another.
func stretch(since, until time.Time) string {
	if whole := until.Truncate(time.Second); whole.Before(until) {
		until = whole.Add(time.Second)
	}
	return since.UTC().Format(dayAndTime) + " .. " + clock(until, since)
}

// clock is a time beside another one: the day is said where it is another.
func clock(t, beside time.Time) string {
	if t, beside = t.UTC(), beside.UTC(); t.Format(time.DateOnly) == beside.Format(time.DateOnly) {
		return t.Format(time.TimeOnly)
	}
	return t.Format(dayAndTime)
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func things(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// listed is the head of a list, and how many more there are.
func listed(values []string, count int64) string {
	if len(values) == 0 {
		return ""
	}
	text := values[0]
	for _, v := range values[1:] {
		text += ", " + v
	}
	if more := count - int64(len(values)); more > 0 {
		text += fmt.Sprintf(" and %s more", grouped(more))
	}
	return text
}

// facts are the lists of a session's head; of a single event, its sentence says it
// all.
func (e *event) facts(subject bool) string {
	var all []string
	if *e.Events == 1 {
		return ""
	}
	add := func(name string, values []string, count int64) {
		if len(values) > 0 {
			all = append(all, name+" "+listed(values, count))
		}
	}
	if subject {
		add("by", e.Users, e.UsersCount)
	}
	add("in", e.Places, e.PlacesCount)
	add("from", e.Addresses, e.AddressesCount)
	add("to", e.Apps, e.AppsCount)
	add("with", e.Clients, e.ClientsCount)
	return strings.Join(all, "; ")
}

// head is the line of a session.
func (e *event) head() string {
	begins, ends := time.UnixMicro(e.Begins).UTC(), time.UnixMicro(e.Ends).UTC()
	text := fmt.Sprintf("session %s: %s", grouped(e.Session), begins.Format(dayAndTime))
	if ends.After(begins) {
		text += " .. " + clock(ends, begins) + " (" + length(ends.Sub(begins)) + ")"
	}
	return text + ", " + things(*e.Events, "event", "events")
}

// Headline is whose story it is, when, and how much there is.
func (s *Story) Headline() string {
	return fmt.Sprintf("%s, %s: %s in %s", s.Entity, stretch(s.Since, s.Until), things(s.Events, "event", "events"), things(s.Sessions, "session", "sessions"))
}

// Rest says what is not told; empty: nothing.
func (s *Story) Rest() string {
	if s.Shown() == s.Events {
		return ""
	}
	return fmt.Sprintf("the first %s of %s are told", grouped(s.Shown()), things(s.Events, "event", "events"))
}
