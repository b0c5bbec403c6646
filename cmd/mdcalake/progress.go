package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

// progress tells a person how a run goes: on a terminal one line that is
// written over, elsewhere a plain line at each commit.
type progress struct {
	c       console
	quiet   bool
	verbose bool
	width   int
	live    bool

	mu      sync.Mutex
	last    time.Time
	wrote   bool
	waiting string
}

func newProgress(ctx *cli.Context, c console) *progress {
	width, live := terminal(c.err)
	return &progress{c: c, quiet: ctx.Bool("quiet"), verbose: ctx.Bool("verbose"), width: width, live: live}
}

// show is told of every page. It may be called from several goroutines.
func (p *progress) show(at ingest.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet {
		return
	}
	now := time.Now()
	if p.verbose && at.WindowFinished {
		p.clear()
		fmt.Fprintf(p.c.err, "read %s\n", at.Window)
	}
	switch {
	case p.live && (at.Committed || now.Sub(p.last) >= 100*time.Millisecond):
		p.last, p.waiting = now, ""
		p.line(describe(at, true))
	case !p.live && at.Committed:
		fmt.Fprintln(p.c.err, describe(at, false))
	}
}

// merging is told after each commit of a compaction.
func (p *progress) merging(at store.Compacted, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live && !p.quiet {
		p.line(fmt.Sprintf("merging small files: %d of %d, %s", at.Merges, of, size(at.Read)))
	}
}

// merged tells what a compaction did, with the head that the lake has since.
func (p *progress) merged(sum store.Compacted) {
	if p.quiet || sum.Receipt.Head == "" {
		return
	}
	fmt.Fprintf(p.c.err, "compacted %s into %s, %s into %s; head %d:%s\n", things(int64(sum.Before), "file", "files"), count(int64(sum.After)),
		size(sum.Read), size(sum.Written), sum.Receipt.Version, sum.Receipt.Head)
}

func describe(at ingest.Progress, eta bool) string {
	if at.Run.Verb == "ingest" {
		return describeIngest(at, eta)
	}
	var s string
	if at.Windows > 0 && !at.Window.Since.IsZero() {
		s = fmt.Sprintf("window %d of %d (%s): ", at.WindowNumber, at.Windows, at.Window.Since.UTC().Format(time.DateOnly))
	}
	s += things(at.Run.Records, "record", "records")
	if sec := at.Elapsed.Seconds(); sec > 0.5 {
		s += ", " + count(int64(float64(at.Run.Records)/sec)) + "/s"
	}
	if at.Requests > 0 {
		s += ", " + things(at.Requests, "request", "requests")
	}
	if eta && at.Read > 0 {
		s += ", " + size(at.Read)
		if at.Size > 0 {
			s += " of " + size(at.Size)
		}
	}
	if eta && at.Done > 0.01 && at.Done < 1 {
		left := time.Duration(float64(at.Elapsed) * (1 - at.Done) / at.Done)
		s += ", about " + left.Round(time.Second).String() + " left"
	}
	return s
}

// step shows on a terminal how far the steps of a verb have come that takes
// long; a short one shows nothing.
func (p *progress) step(began time.Time) func(step string, done, total int64) {
	return func(step string, done, total int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		now := time.Now()
		if !p.live || total == 0 || now.Sub(began) < time.Second || now.Sub(p.last) < 100*time.Millisecond {
			return
		}
		p.last = now
		p.line(fmt.Sprintf("%s: %d %%", step, 100*done/total))
	}
}

// line writes over the line before it.
func (p *progress) line(text string) {
	if r := []rune(text); len(r) > p.width-1 && p.width > 1 {
		text = string(r[:p.width-1])
		if i := strings.LastIndex(text, ", "); i > 0 {
			text = text[:i] // half a fact is none
		}
	}
	fmt.Fprintf(p.c.err, "\r\x1b[K%s", text)
	p.wrote = true
}

// wait is told before the client pauses.
func (p *progress) wait(d time.Duration, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The pauses that keep the rate are what a run consists of; a long one wants
	// a word. On a terminal it is written over, in a log it stays.
	long := 20 * time.Second
	if p.live {
		long = 10 * time.Second
	}
	if p.quiet || d < long && !p.verbose {
		return
	}
	text := fmt.Sprintf("waiting %s: %s", d.Round(100*time.Millisecond), why)
	if p.live && !p.verbose {
		p.line(text)
		return
	}
	p.clear()
	fmt.Fprintln(p.c.err, text)
}

// warn says something that must not be lost, also when quiet.
func (p *progress) warn(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.c.err, "warning: %s\n", text)
}

func (p *progress) clear() {
	if p.wrote {
		fmt.Fprint(p.c.err, "\r\x1b[K")
		p.wrote = false
	}
}

// done leaves the terminal clean for what follows.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// summary tells what a run did.
func (p *progress) summary(lake string, s *ingest.Summary, known int64) {
	r := s.Run
	if r.Quarantined > 0 {
		p.warn(things(r.Quarantined, "record", "records") + " could not be read and " + is(r.Quarantined) + " in quarantine: mdcalake query \"select reason, count(*) from quarantine group by all\"")
	}
	if known > 0 {
		p.warn(things(known, "record", "records") + " came again that " + is(known) + " in quarantine already")
	}
	if d := s.Declared; d != nil && !d.Complete {
		p.warn(fmt.Sprintf("--covers is not recorded, %s to %s stays imported: %s", d.Since.Format(time.RFC3339), d.Until.Format(time.RFC3339), d.Reason))
	}
	if s.FutureOfServer {
		p.warn("the whole time range lies ahead of the server's clock: nothing can have happened in it yet")
	}
	if p.quiet {
		return
	}
	if s.Head == "" {
		fmt.Fprintln(p.c.err, "nothing to do: all of it has been read, and nothing is due again (--again asks all the same)")
		return
	}
	rate := ""
	if sec := s.Elapsed.Seconds(); sec > 0.05 {
		rate = fmt.Sprintf(" (%s a second)", count(int64(float64(r.Records)/sec)))
	}
	refused := ""
	if r.Erased > 0 {
		refused = fmt.Sprintf(", %s refused that a purge has erased", count(r.Erased))
	}
	fmt.Fprintf(p.c.err, "%s %s in %s%s: %s new, %s, %s, %s quarantined%s\n", verbDone(r), things(r.Records, "record", "records"),
		s.Elapsed.Round(10*time.Millisecond), rate, count(r.Added), things(r.Duplicates, "duplicate", "duplicates"), things(r.Revisions, "revision", "revisions"), count(r.Quarantined), refused)
	if n := len(s.NotWhole); n > 0 {
		fmt.Fprintf(p.c.err, "not whole: %s of %s\n", count(int64(n)), things(int64(s.Windows), "input", "inputs"))
	}
	if d := s.Declared; d != nil && d.Complete {
		fmt.Fprintf(p.c.err, "declared complete: %s to %s, for what was saved up to %s; %s\n", d.Since.Format(time.RFC3339), d.Until.Format(time.RFC3339), d.Through.Format(time.RFC3339), things(d.Records, "record", "records"))
	}
	if r.Verb != "import" {
		fmt.Fprintf(p.c.err, "%d of %s, %s, %s\n", s.Finished, things(int64(s.Windows), "window", "windows"), things(r.Requests, "request", "requests"), size(r.Bytes))
	}
	fmt.Fprintf(p.c.err, "lake %s, run %s, head %s\n", lake, r.RunID, s.Head)
}

func is(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func verbDone(r store.Run) string {
	if r.Verb == "import" {
		return "imported"
	}
	return "ingested"
}
