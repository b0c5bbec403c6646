package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/store"
)

// What people see while a run goes on.

// seen is what a person has before their eyes: of what was written over, the
// last.
func seen(text string) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		if i := strings.LastIndex(line, "\r\x1b[K"); i >= 0 {
			line = line[i+len("\r\x1b[K"):]
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func underWay() ingest.Progress {
	day := time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC)
	return ingest.Progress{
		Window:       ingest.Window{Since: day, Until: day.AddDate(0, 0, 1)},
		Reading:      []ingest.Window{{Since: day, Until: day.AddDate(0, 0, 1)}, {Since: day.AddDate(0, 0, 2), Until: day.AddDate(0, 0, 3)}},
		WindowNumber: 5, Windows: 31, Requests: 112, LeftInMinute: 7, Run: store.Run{Verb: "ingest", Records: 52_310}, Elapsed: 100 * time.Second, Done: 0.25,
	}
}

func TestAProgressLineTellsWhatMatters(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ingest.Progress)
		live   bool
		want   []string
		not    []string
	}{
		"windows side by side": {func(*ingest.Progress) {}, true,
			[]string{"window 5 of 31", "52,310 records (523/s)", "112 requests", "7 left this minute", "about 5m0s to go", "2026-11-17", "2026-11-19"}, nil},
		"in a log":             {func(*ingest.Progress) {}, false, []string{"window 5 of 31", "52,310 records", "112 requests"}, []string{"left this minute", "to go"}},
		"without a limit":      {func(p *ingest.Progress) { p.LeftInMinute = -1 }, true, []string{"112 requests"}, []string{"left this minute"}},
		"nothing left for now": {func(p *ingest.Progress) { p.LeftInMinute = 0 }, true, []string{"0 left this minute"}, nil},
		"too early to tell":    {func(p *ingest.Progress) { p.Done = 0 }, true, nil, []string{"to go"}},
		"a follower": {func(p *ingest.Progress) {
			p.Round, p.WindowNumber, p.Reading, p.Done = 3, 31, []ingest.Window{{CreatedSince: time.Now()}}, 1
		}, true, []string{"following, round 3", "52,310 records"}, []string{"window", "to go", "/s"}},
		"an import": {func(p *ingest.Progress) {
			*p = ingest.Progress{Run: store.Run{Verb: "import", Records: 1}, Read: 5_000_000, Size: 20_000_000, Elapsed: 10 * time.Second, Done: 0.25}
		}, true, []string{"1 record,", "5.0 MB of 20.0 MB", "about 30s left"}, []string{"window", "requests"}},
	} {
		t.Run(name, func(t *testing.T) {
			at := underWay()
			c.change(&at)
			line := describe(at, c.live)
			for _, want := range c.want {
				if !strings.Contains(line, want) {
					t.Errorf("%q is not in %q", want, line)
				}
			}
			for _, not := range c.not {
				if strings.Contains(line, not) {
					t.Errorf("%q is in %q", not, line)
				}
			}
		})
	}
}

func TestHowMuchIsSaid(t *testing.T) {
	finished := underWay()
	finished.WindowFinished, finished.Committed = true, true
	for name, c := range map[string]struct {
		progress *progress
		want     []string // the beginnings of what is seen at the end
	}{
		"a log":                 {&progress{}, []string{"window 5 of 31, ", "waiting 1m0s: throttled", "warning: odd"}},
		"a log, quiet":          {&progress{quiet: true}, []string{"warning: odd"}},
		"a log, verbose":        {&progress{verbose: true}, []string{"read 2026-11-17T00:00:00Z", "window 5 of 31, ", "waiting 100ms: the rate", "waiting 1m0s: throttled", "warning: odd"}},
		"a terminal":            {&progress{live: true, width: 200}, []string{"warning: odd"}},
		"a terminal, quiet":     {&progress{live: true, width: 200, quiet: true}, []string{"warning: odd"}},
		"a terminal, verbose":   {&progress{live: true, width: 200, verbose: true}, []string{"read 2026-11-17T00:00:00Z", "waiting 100ms: the rate", "waiting 1m0s: throttled", "warning: odd"}},
		"a terminal, but small": {&progress{live: true, width: 20}, []string{"warning: odd"}},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			p := c.progress
			p.c.err = &text
			p.show(finished)
			p.wait(100*time.Millisecond, "the rate")
			p.wait(time.Minute, "throttled by the API")
			if p.live && !p.quiet && !p.verbose && p.width > 100 {
				if lines := seen(text.String()); len(lines) != 1 || lines[0] != "waiting 1m0s: throttled by the API" {
					t.Errorf("it waits, and shows %q", lines)
				}
			}
			p.show(finished)
			p.warn("odd")
			p.done()
			lines := seen(text.String())
			for _, want := range c.want {
				found := false
				for i, line := range lines {
					if strings.HasPrefix(line, want) {
						lines, found = lines[i+1:], true
						break
					}
				}
				if !found {
					t.Errorf("%q is not among\n%q", want, seen(text.String()))
				}
			}
			if c.progress.quiet && len(lines) > 0 {
				t.Errorf("it says %q", lines)
			}
			for _, line := range strings.Split(text.String(), "\r\x1b[K") {
				if first, _, _ := strings.Cut(line, "\n"); p.width > 0 && len(first) >= p.width && !strings.HasPrefix(first, "warning") {
					t.Errorf("longer than the terminal is wide: %q", first)
				}
			}
		})
	}
}
