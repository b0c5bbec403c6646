package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mdcalake/query"
	"mdcalake/store"
)

// shownHoles is how many holes an answer names; all are in `mdcalake coverage`.
const shownHoles = 3

// coverageNote says behind an answer what of it proves nothing: events that
// nobody has asked the API for, or not to the end.
type coverageNote struct {
	c     console
	told  map[string]bool // of several statements, the same is said once
	holes int
}

// tell prints the holes that a statement asked about.
func (n *coverageNote) tell(rows *query.Rows) {
	if rows.Explains() {
		return
	}
	n.say(rows.Holes(time.Now()))
}

// say prints holes.
func (n *coverageNote) say(holes []store.Hole) {
	n.holes += len(holes)
	if len(holes) == 0 {
		return
	}
	var parts []string
	for _, h := range holes[:min(len(holes), shownHoles)] {
		parts = append(parts, holeText(h))
	}
	if more := len(holes) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(parts, "; ")
	if n.told[text] {
		return
	}
	if n.told == nil {
		n.told = map[string]bool{}
	}
	n.told[text] = true
	fmt.Fprintf(n.c.err, "coverage: records may be missing: %s (see mdcalake coverage)\n", text)
}

// verdict is the end of a query that must be covered.
func (n *coverageNote) verdict(required bool) error {
	if !required || n.holes == 0 {
		return nil
	}
	return &exitError{code: exitPartial}
}

// holeText is a hole in a few words.
func holeText(h store.Hole) string {
	var b strings.Builder
	switch {
	case h.Until.IsZero():
		return "nothing was asked for yet"
	case h.Since.IsZero():
		b.WriteString("before " + shortTime(h.Until))
	default:
		b.WriteString(stretchText(h.Since, h.Until))
	}
	b.WriteString(" " + h.State)
	if h.Reason != "" {
		b.WriteString(" (" + h.Reason + ")")
	}
	if h.Service != nil {
		b.WriteString(", service " + strconv.FormatInt(*h.Service, 10))
	}
	return b.String()
}

// stretchText is a stretch of time in whole seconds, outwards; what is zero or the
// same again is left out. `mdcalake coverage` has it to the millisecond.
func stretchText(since, until time.Time) string {
	since = since.UTC().Truncate(time.Second)
	if end := until.UTC().Truncate(time.Second); end.Before(until) {
		until = end.Add(time.Second)
	}
	first, last := shortTime(since), shortTime(until)
	if strings.Contains(first, "T") && strings.HasPrefix(last, since.Format(time.DateOnly)+"T") {
		last = until.UTC().Format("15:04:05Z")
	}
	return first + " .. " + last
}

// shortTime leaves out what is zero.
func shortTime(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}
