package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/query/timeline"
	"mdcalake/store"
)

var timelineFormats = []string{"table", "jsonl", "markdown", "timesketch"}

func timelineCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "timeline",
		Usage: "tell one entity's story, in order",
		Description: `What a user, an address, an object or a session did in a window of event time:

  mdcalake timeline --user ada@contoso.example --since 2d
  mdcalake timeline --ip 203.0.113.0/24 --since 2026-11-01 --until 2026-11-08
  mdcalake timeline --object "Budget Q3.xlsx" -o markdown --out story.md
  mdcalake timeline --session 0a1b2c -o timesketch --out session.jsonl

A user is found by user_name, actor_name or actor_id, an address by ip or
other_ips, an object by object_id or by id or name of one of objects, a session
by session_id. Without --until the window ends where the lake does, without
--since it is a week; a session's window is its own.

Activities with silences of at most --gap between them are a session. Those in a
row that differ in time and object only are one line with their number; --every
shows each. NEW marks the first activity from a country, an ISP, a client (family
and operating system of the user agent), an app, or of an action, that the entity
did not have in the --baseline before the window, as far as that was collected. Silences are
told that are longer than half as long again as the longest of a usual week, and
what was never collected, which is no silence: ? in the histogram.

-o jsonl and timesketch write an event a line, with all columns but the record.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "user", Usage: "the story of this `NAME`, of any case"},
			&cli.StringFlag{Name: "ip", Usage: "the story of this address or range, `A`"},
			&cli.StringFlag{Name: "object", Usage: "the story of the object with this name or id, `O`"},
			&cli.StringFlag{Name: "session", Usage: "the story of this session_id, `S`"},
			&cli.BoolFlag{Name: "like", Usage: "--object is a part of the name or id", DisableDefaultText: true},
			&cli.StringFlag{Name: "since", Usage: "what happened at or after `TIME`"},
			&cli.StringFlag{Name: "until", Usage: "what happened before `TIME`"},
			&cli.StringFlag{Name: "gap", Value: "30m", Usage: "longest silence within a session, `LENGTH`"},
			&cli.StringFlag{Name: "baseline", Value: "90d", Usage: "`LENGTH` before the window in which nothing was new; 0d: nothing is marked"},
			&cli.Int64Flag{Name: "max-events", Value: timeline.DefaultMaxEvents, Usage: "tell the first `N` events; 0: all"},
			&cli.BoolFlag{Name: "every", Usage: "a line for each event (table, markdown)", DisableDefaultText: true},
			&cli.StringFlag{Name: "allow", Usage: "leave out what the allow-list in `FILE` names (see mdcalake hunt)", EnvVars: []string{"MDCALAKE_ALLOW"}},
			&cli.BoolFlag{Name: "explain", Usage: "show which activities are meant, in SQL, and which files are opened for them", DisableDefaultText: true},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + strings.Join(timelineFormats, ", ")},
			&cli.StringFlag{Name: "out", Usage: "write the story to `FILE`, which appears when it is whole"},
			&cli.StringFlag{Name: "memory-limit", Usage: "most memory for the engine's buffers, e.g. 2GiB (default: 512MiB)"},
			&cli.BoolFlag{Name: "require-coverage", Usage: "exit 3 if the API was not asked for all of the window", DisableDefaultText: true},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no summary; what may be missing is said all the same", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runTimeline(ctx, c) },
	}
}

// timelineFormat is the one that is asked for, or that the file's name says.
func timelineFormat(ctx *cli.Context) (string, error) {
	format := strings.ToLower(ctx.String("output"))
	if format == "md" {
		format = "markdown"
	}
	choose := "choose one of " + strings.Join(timelineFormats, ", ")
	if !slices.Contains(timelineFormats, format) {
		return "", usage(choose, "output format %q is unknown", ctx.String("output"))
	}
	out := ctx.String("out")
	ending := strings.ToLower(filepath.Ext(out))
	if !ctx.IsSet("output") {
		named, ok := map[string]string{"": "table", ".txt": "table", ".jsonl": "jsonl", ".md": "markdown"}[ending]
		if !ok {
			return "", usage("say with -o which of "+strings.Join(timelineFormats, ", ")+" is meant", "the ending of --out %q is unknown", out)
		}
		format = named
	}
	if format == "timesketch" && out != "" && out != "-" && ending != ".jsonl" {
		return "", usage("name it "+filepath.Base(out)+".jsonl", "Timesketch takes files that end in .jsonl, and --out %q does not", out)
	}
	if ctx.Bool("every") && (format == "jsonl" || format == "timesketch") {
		return "", usage("leave it out", "--every: %s has each event anyway", format)
	}
	return format, nil
}

// entityOf is whose story is asked for.
func entityOf(ctx *cli.Context) (e timeline.Entity, err error) {
	const hint = "name one of --user, --ip, --object, --session"
	for name, kind := range map[string]timeline.Kind{"user": timeline.User, "ip": timeline.Address, "object": timeline.Object, "session": timeline.Session} {
		if !ctx.IsSet(name) {
			continue
		}
		if e.Kind != "" {
			return e, usage(hint, "a timeline is the story of one, and several are named")
		}
		e.Kind, e.Value = kind, strings.TrimSpace(ctx.String(name))
	}
	if e.Kind == "" {
		return e, usage(hint, "whose timeline it is was not said")
	}
	if e.Like = ctx.Bool("like"); e.Like && e.Kind != timeline.Object {
		return e, usage("leave it out", "--like is for --object")
	}
	if err := e.Check(); err != nil {
		return e, usage("mdcalake timeline --help has examples", "--%s: %w", e.Kind, err)
	}
	return e, nil
}

// timelineRequest reads the flags but the window, which the lake bounds.
func timelineRequest(ctx *cli.Context, c console, format string) (r timeline.Request, err error) {
	if r.Entity, err = entityOf(ctx); err != nil {
		return r, err
	}
	for name, into := range map[string]*time.Duration{"gap": &r.Gap, "baseline": &r.Baseline} {
		if *into, err = hunts.ParseDuration(ctx.String(name)); err != nil {
			return r, usage("write 90d, 12h, 20m or 30s", "--%s: %w", name, err)
		}
	}
	if r.Gap == 0 {
		return r, usage("write 1s for the shortest", "--gap 0 would make every activity a session")
	}
	if r.MaxEvents = ctx.Int64("max-events"); r.MaxEvents < 0 {
		return r, usage("0 is all of them", "--max-events %d is no number of events", r.MaxEvents)
	}
	r.Wide, r.Now = format == "jsonl" || format == "timesketch", c.now()
	if ctx.IsSet("allow") {
		r.Allow, err = hunts.ReadAllowlist(ctx.String("allow"))
	}
	return r, err
}

func runTimeline(ctx *cli.Context, c console) (err error) {
	if err := noArguments(ctx); err != nil {
		return err
	}
	format, err := timelineFormat(ctx)
	if err != nil {
		return err
	}
	r, err := timelineRequest(ctx, c, format)
	if err != nil {
		return err
	}
	limit := huntMemory
	if ctx.IsSet("memory-limit") {
		if limit = ctx.String("memory-limit"); !memorySize.MatchString(limit) {
			return usage("write 500MB or 2GiB", "--memory-limit %q is no size", limit)
		}
	}
	selection, err := selectionOf(ctx, c.now())
	if err != nil {
		return err
	}
	startFast(c.getenv)
	starting := query.Start(ctx.Context, limit)
	defer starting.Close()
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	out, err := newOutput(c, "--out", ctx.String("out"), lake.Snapshot().Root) // the engine changes the working directory
	if err != nil {
		return err
	}
	defer out.discard()
	engine, err := query.Open(ctx.Context, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir(), MemoryLimit: limit, Starting: starting})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	boundAnswer()
	if r.Entity.Kind != timeline.Session || ctx.IsSet("since") || ctx.IsSet("until") {
		if r.Since, r.Until, err = huntWindow(engine, selection, c.now()); err != nil {
			return err
		}
	}
	plan, err := timeline.Prepare(ctx.Context, engine, r)
	if err != nil {
		return err
	}
	if ctx.Bool("explain") {
		return explainTimeline(ctx, engine, plan, out)
	}
	began := time.Now()
	story, err := plan.Tell(ctx.Context)
	if err != nil {
		return err
	}
	if err := writeTimeline(ctx, story, format, out); err != nil {
		return out.quietly(err)
	}
	if err := out.keep(); err != nil {
		return err
	}
	return timelineReport{c, story, format, ctx.Bool("quiet")}.end(time.Since(began), ctx.Bool("require-coverage"))
}

func explainTimeline(ctx *cli.Context, engine *query.Engine, plan *timeline.Plan, out *output) error {
	sql := "SELECT * FROM activities WHERE " + plan.Condition()
	rows, err := engine.Query(ctx.Context, explanation(sql))
	if err != nil {
		return err
	}
	defer rows.Close()
	if _, err := fmt.Fprintf(out.writer(ctx.Context), "%s\n%s", sql, pruningText(rows.Pruning())); err != nil {
		return out.quietly(err)
	}
	return out.keep()
}

func writeTimeline(ctx *cli.Context, s *timeline.Story, format string, out *output) error {
	if s.Events == 0 {
		return nil
	}
	w := out.writer(ctx.Context)
	if format == "table" || format == "markdown" {
		return s.Write(ctx.Context, w, format == "markdown", ctx.Bool("every"))
	}
	rows, err := s.Rows(ctx.Context, format == "timesketch")
	if err != nil {
		return err
	}
	defer rows.Close()
	_, err = query.Write(ctx.Context, w, query.JSONL, rows, query.WriteOptions{Terminal: out.terminal})
	return err
}

// timelineReport is what is said beside the story.
type timelineReport struct {
	c      console
	s      *timeline.Story
	format string
	quiet  bool
}

func (r timelineReport) end(took time.Duration, required bool) error {
	s := r.s
	say := func(format string, args ...any) { fmt.Fprintf(r.c.err, format+"\n", args...) }
	if s.Events == 0 {
		say("no activity of %s in %s", query.Visible(s.Entity.String()), stretchText(s.Since, s.Until))
	}
	if s.LeftOut > 0 {
		say("%s left out by the allow-list", things(s.LeftOut, "event is", "events are"))
	}
	if s.Events > 0 {
		r.past(say)
		if rest := s.Rest(); rest != "" {
			say("%s: narrow it with --since and --until, or --max-events 0", rest)
		}
	}
	note := coverageNote{c: r.c}
	note.say(s.Holes)
	if s.Events > 0 && !r.quiet {
		say("%s in %s from %s to %s, in %s", things(s.Events, "event", "events"), things(s.Sessions, "session", "sessions"), s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339), took.Round(time.Millisecond))
		if n := len(s.Silences); n > 0 {
			say("%s %s", things(int64(n), "silence", "silences"), s.Usual)
		}
	}
	return note.verdict(required)
}

// past says what NEW is judged by, where that is less than was asked for.
func (r timelineReport) past(say func(string, ...any)) {
	switch s := r.s; {
	case s.Baseline == 0:
	case !s.Past.Enough():
		say("baseline %s (%s): nothing is marked as new", s.Past, s.Past.Why)
	case s.Before == 0:
		say("no activity in the baseline (%s): all of it is new, and nothing is marked", s.Past)
	case !s.Past.Whole():
		say("baseline %s (%s): what is marked as new is so against that", s.Past, s.Past.Why)
	}
}
