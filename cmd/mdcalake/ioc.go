package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/query/indicators"
	"mdcalake/query/indicators/lookup"
	"mdcalake/store"
)

func iocCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "ioc",
		Usage:     "look for indicators of compromise",
		ArgsUsage: "FILE...",
		Description: `Looks for all indicators in FILES at once, in one pass over the lake, and prints
which were seen, where, when and by whom:

  mdcalake ioc feed.txt
  mdcalake ioc misp.json bundle.json --since 2026-06-01 --until 2026-07-01 -o csv --out seen.csv
  mdcalake ioc --list feed.txt

FILES are lists (one a line; # begins a comment; hxxp://evil[.]example is read as
it was meant), CSV whose header names the column indicator, value or ioc, and
perhaps type and comment, events and attributes of MISP in JSON, and bundles of
STIX 2.1 with simple patterns; - is the standard input. In MISP only what is
marked to_ids counts, and only from first_seen to last_seen; in STIX from
valid_from to valid_until, and not once it is revoked.

What is looked for, in any case of letters, and in which columns:

  ip, range   ip, other_ips, also as ::ffff:203.0.113.9 and with a port
  domain      with all below it (not notevil.example for evil.example): of
              user_name what stands behind the @; in object_id and the objects'
              ids, names and values, of hosts, URLs and mail addresses
  email       user_name, actor_name, and in the objects' ids, names and values
  user-agent  user_agent, whole; *text* is anywhere in it
  file-name   the last part of object_id and of the objects' names
  hash        MD5, SHA-1, SHA-256 in object_id and the objects' values
  url         object_id and the objects' values, whole

--raw looks for all but ranges in the text of the records as well. That is slow,
and a text in a record may stand for anything. A result that names nothing means
nothing where nothing was collected: holes are said at the end.

--allow FILE takes activities of your own out, as for hunt. Exit code 3 says that
some indicators could not be read, and the others were looked for.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "since", Usage: "only what happened at or after `TIME`"},
			&cli.StringFlag{Name: "until", Usage: "only what happened before `TIME`"},
			&cli.BoolFlag{Name: "raw", Usage: "look into the text of records too", DisableDefaultText: true},
			&cli.BoolFlag{Name: "all-attributes", Usage: "of MISP, also those without to_ids", DisableDefaultText: true},
			&cli.BoolFlag{Name: "list", Usage: "print the indicators as they are understood, and ask no lake", DisableDefaultText: true},
			&cli.StringFlag{Name: "allow", Usage: "allow-list in `FILE`", EnvVars: []string{"MDCALAKE_ALLOW"}},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + strings.Join(query.Formats(), ", ") + "; with --list: table, json"},
			&cli.StringFlag{Name: "out", Usage: "write the hits to `FILE`, which appears when it is whole"},
			&cli.StringFlag{Name: "memory-limit", Usage: "most memory for the engine's buffers, e.g. 2GiB (default: 512MiB)"},
			&cli.BoolFlag{Name: "require-coverage", Usage: "exit 3 if the API was not asked for all of the window", DisableDefaultText: true},
			&cli.BoolFlag{Name: "raw-csv", Usage: "leave cells of csv and tsv as they are that a spreadsheet would run", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR does the same)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no summary; what may be missing is said all the same", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runIOC(ctx, c) },
	}
}

// notOfList are the flags that --list does not take.
var notOfList = []string{"since", "until", "raw", "allow", "out", "memory-limit", "require-coverage", "raw-csv", "no-color"}

func runIOC(ctx *cli.Context, c console) error {
	if ctx.Args().Len() == 0 {
		return usage("mdcalake ioc FILE...; - is the standard input", "ioc takes files of indicators")
	}
	if ctx.Bool("list") {
		for _, name := range notOfList {
			if name == "allow" && c.getenv("MDCALAKE_ALLOW") != "" {
				continue
			}
			if ctx.IsSet(name) {
				return usage("it belongs to a look into a lake", "--list does not take --%s", name)
			}
		}
		if !slices.Contains([]string{"table", "json"}, ctx.String("output")) {
			return usage("choose one of table, json", "output format %q is unknown to --list", ctx.String("output"))
		}
	}
	var o iocOptions
	if !ctx.Bool("list") {
		var err error
		if o, err = iocOptionsOf(ctx, c); err != nil {
			return err
		}
	}
	set, err := readIndicators(ctx, c)
	if err != nil {
		return err
	}
	iocRead(c, set, ctx.Bool("quiet"))
	if ctx.Bool("list") {
		if err := listIndicators(c, set, ctx.String("output")); err != nil {
			return err
		}
		return refusedVerdict(set)
	}
	if len(set.Indicators) == 0 {
		return usage("mdcalake ioc --list FILE shows what is understood", "there is no indicator to look for")
	}
	return lookFor(ctx, c, set, o)
}

// iocOptions are what the flags say of a look into a lake.
type iocOptions struct {
	format    query.Format
	limit     string // of the engine's memory
	selection query.Selection
	allow     hunts.Allowlist
}

func iocOptionsOf(ctx *cli.Context, c console) (o iocOptions, err error) {
	if o.format, err = formatOf(ctx); err != nil {
		return o, err
	}
	o.limit = huntMemory
	if ctx.IsSet("memory-limit") {
		if o.limit = ctx.String("memory-limit"); !memorySize.MatchString(o.limit) {
			return o, usage("write 500MB or 2GiB", "--memory-limit %q is no size", o.limit)
		}
	}
	if o.selection, err = selectionOf(ctx, c.now()); err != nil {
		return o, err
	}
	if ctx.IsSet("allow") {
		o.allow, err = hunts.ReadAllowlist(ctx.String("allow"))
	}
	return o, err
}

// refusedVerdict: who looks at the exit code alone must see that not everything was
// looked for.
func refusedVerdict(set *indicators.Set) error {
	if len(set.Refused) == 0 {
		return nil
	}
	return &exitError{code: exitPartial}
}

// readIndicators reads all files into one set.
func readIndicators(ctx *cli.Context, c console) (*indicators.Set, error) {
	set := &indicators.Set{}
	options := indicators.Options{AllAttributes: ctx.Bool("all-attributes")}
	stdin := false
	for _, name := range ctx.Args().Slice() {
		if name == "-" {
			if stdin {
				return nil, usage("name it once", "the standard input is given twice")
			}
			stdin = true
			if err := set.Read("standard input", c.in, options); err != nil {
				return nil, err
			}
			continue
		}
		if err := readIndicatorFile(set, name, options); err != nil {
			return nil, err
		}
	}
	return set, nil
}

func readIndicatorFile(set *indicators.Set, name string, o indicators.Options) error {
	f, err := os.Open(name)
	if err != nil {
		return usage("check the path; - is the standard input", "indicators: %w", err)
	}
	defer f.Close()
	return set.Read(name, io.Reader(f), o)
}

// shownRefusals is how many things that could not be read are named.
const shownRefusals = 10

// iocRead says what was read, what was not, and why.
func iocRead(c console, set *indicators.Set, quiet bool) {
	if !quiet {
		counts := set.Count()
		var parts []string
		for _, k := range indicators.Kinds {
			if n := counts[k]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", count(int64(n)), k))
			}
		}
		text := things(int64(len(set.Indicators)), "indicator", "indicators")
		if len(parts) > 0 {
			text += ": " + strings.Join(parts, ", ")
		}
		if set.Duplicates > 0 {
			text += fmt.Sprintf("; %s named again", things(int64(set.Duplicates), "was", "were"))
		}
		if set.Defanged > 0 {
			text += fmt.Sprintf("; %s defanged, and read as meant", things(int64(set.Defanged), "was", "were"))
		}
		fmt.Fprintln(c.err, query.Visible(text))
		for _, why := range set.Reasons() {
			fmt.Fprintf(c.err, "left out: %s %s\n", count(int64(set.LeftOut[why])), query.Visible(why))
		}
	}
	some(c, "warning", set.Warnings)
	var refused []string
	for _, r := range set.Refused {
		refused = append(refused, r.String())
	}
	some(c, "refused", refused)
}

// some prints the first of many lines, and how many there are.
func some(c console, what string, lines []string) {
	for _, l := range lines[:min(len(lines), shownRefusals)] {
		fmt.Fprintf(c.err, "%s: %s\n", what, query.Visible(l))
	}
	if more := len(lines) - shownRefusals; more > 0 {
		fmt.Fprintf(c.err, "%s: and %s more\n", what, count(int64(more)))
	}
}

// indicatorLine is an indicator in a list.
type indicatorLine struct {
	Indicator string   `json:"indicator"`
	Kind      string   `json:"kind"`
	Bounds    []string `json:"bounds"`
	Comment   string   `json:"comment"`
	Sources   []string `json:"sources"`
}

func listIndicators(c console, set *indicators.Set, format string) error {
	lines := []indicatorLine{}
	kind, value := 0, 0
	for _, i := range set.Indicators {
		l := indicatorLine{i.Value, string(i.Kind), []string{}, i.Comment(), i.Places()}
		for _, s := range i.Spans {
			l.Bounds = append(l.Bounds, s.String())
		}
		kind, value = max(kind, len(l.Kind)), max(value, min(len(l.Indicator), 48))
		lines = append(lines, l)
	}
	if format == "json" {
		return writeJSON(c.out, lines)
	}
	for _, l := range lines {
		text := fmt.Sprintf("%-*s  %-*s  %s", kind, l.Kind, value, l.Indicator, strings.Join(l.Sources, ", "))
		if len(l.Bounds) > 0 {
			text += "  " + strings.Join(l.Bounds, ", ")
		}
		if _, err := fmt.Fprintln(c.out, query.Visible(text)); err != nil {
			return err
		}
	}
	return nil
}

// lookFor asks the lake.
func lookFor(ctx *cli.Context, c console, set *indicators.Set, o iocOptions) (err error) {
	startFast(c.getenv)
	starting := query.Start(ctx.Context, o.limit)
	defer starting.Close()
	search, err := lookup.New(set, ctx.Bool("raw"))
	if err != nil {
		return err
	}
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	snapshot := lake.Snapshot()
	// The engine changes the working directory.
	out, err := newOutput(c, "--out", ctx.String("out"), snapshot.Root)
	if err != nil {
		return err
	}
	defer out.discard()
	engine, err := query.Open(ctx.Context, query.Options{Snapshot: snapshot, TempDir: os.TempDir(), MemoryLimit: o.limit, Starting: starting, Functions: search.Functions()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	boundAnswer()
	began := time.Now()
	found, err := search.Find(ctx.Context, engine, lookup.Request{Since: o.selection.Since, Until: o.selection.Until, Condition: o.allow.Condition()})
	if err != nil {
		return err
	}
	took := time.Since(began)
	rows, err := found.Rows(ctx.Context, o.format.Drawn() && out.file == nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := writeWhole(ctx, c, out, o.format, rows); err != nil {
		return err
	}
	since, until := o.selection.Since, o.selection.Until
	first, last := engine.Span()
	if since.IsZero() {
		since = first
	}
	if until.IsZero() {
		until = last
	}
	note := coverageNote{c: c}
	note.say(snapshot.Holes(snapshot.CoverageByService(since, until)))
	if !ctx.Bool("quiet") {
		iocFound(c, found, o.allow, since, until, took)
	}
	if err := refusedVerdict(set); err != nil {
		return err
	}
	return note.verdict(ctx.Bool("require-coverage"))
}

// iocFound says how many of the indicators were seen.
func iocFound(c console, found *lookup.Found, allow hunts.Allowlist, since, until time.Time, took time.Duration) {
	text := "no hits"
	if found.Hits > 0 {
		var parts []string
		matched := 0
		for _, k := range indicators.Kinds {
			if n := found.Matched[k]; n > 0 {
				matched += n
				parts = append(parts, fmt.Sprintf("%s %s", count(int64(n)), k))
			}
		}
		text = fmt.Sprintf("%s of %s (%s)", things(found.Hits, "hit", "hits"), things(int64(matched), "indicator", "indicators"), strings.Join(parts, ", "))
	}
	text += " in " + stretchText(since, until)
	if !allow.Empty() {
		text += fmt.Sprintf(", without %s of the allow-list", things(int64(allow.Len()), "entry", "entries"))
	}
	fmt.Fprintf(c.err, "%s, in %s\n", text, took.Round(time.Millisecond))
}
