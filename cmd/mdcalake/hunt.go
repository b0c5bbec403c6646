package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/query/hunts"
)

func huntCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "hunt",
		Usage:     "look for what attackers do, by hunts that have names",
		ArgsUsage: "list|show|run|test [NAME...]",
		Description: `list shows the hunts, show what one of them looks for, its parameters and its SQL.
run looks for it in a window of event time and prints findings, the gravest
first; each names the activities behind it:

  mdcalake hunt list
  mdcalake hunt show password-spray
  mdcalake hunt run password-spray mfa-fatigue --since 7d
  mdcalake hunt run --all --since 2026-11-01 --until 2026-11-08 -o csv --out found.csv

Without --until the window ends where the lake does, without --since it is a
week. Hunts that compare with a baseline read the time before the window as
well. Of one that was collected in part they use that part, and are a step less
severe; of less than 7 days they do not run. Several hunts share what they read.

-p name=value sets a parameter of each hunt that has it, -p HUNT.name=value that
of one. A list is written a,b,c or @FILE, one on each line.

test runs hunts over a lake of which it is known what happened, and prints for
each what it had to find and found, and how much of what it finds is true; FILE
of --truth has a story on each line, as mdcasim --story-truth writes them.

--allow FILE takes what is your own out of all hunts: exclude_users, exclude_ips,
exclude_apps, exclude_countries, each a list in YAML. --hunts DIR adds the hunts
in its files NAME.yaml to those that come with the program.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "all", Usage: "run: every hunt", DisableDefaultText: true},
			&cli.StringFlag{Name: "since", Usage: "run: hunt in what happened at or after `TIME`"},
			&cli.StringFlag{Name: "until", Usage: "run: hunt in what happened before `TIME`"},
			&cli.StringSliceFlag{Name: "p", Usage: "run: `NAME=VALUE` of a parameter, or HUNT.NAME=VALUE (repeatable)"},
			&cli.StringFlag{Name: "severity", Usage: "run: show findings of this `LEVEL` and graver ones: high, medium, low, informational"},
			&cli.StringFlag{Name: "allow", Usage: "run: allow-list in `FILE`", EnvVars: []string{"MDCALAKE_ALLOW"}},
			&cli.StringFlag{Name: "truth", Usage: "test: what happened, in `FILE`"},
			&cli.StringFlag{Name: "hunts", Usage: "hunts of your own, in the files NAME.yaml of `DIR`", EnvVars: []string{"MDCALAKE_HUNTS"}},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT` of run: " + strings.Join(query.Formats(), ", ") + "; of list and show: table, json"},
			&cli.StringFlag{Name: "out", Usage: "run: write the findings to `FILE`, which appears when it is whole"},
			&cli.StringFlag{Name: "memory-limit", Usage: "run: most memory for the engine's buffers, e.g. 2GiB (default: 512MiB)"},
			&cli.BoolFlag{Name: "require-coverage", Usage: "run: exit 3 if the API was not asked for all of the window", DisableDefaultText: true},
			&cli.BoolFlag{Name: "raw-csv", Usage: "run: leave cells of csv and tsv as they are that a spreadsheet would run", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-color", Usage: "run: no colours (NO_COLOR does the same)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "run: no summary; what may be missing is said all the same", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runHunt(ctx, c) },
	}
}

// onlyOfRun are the flags that list and show do not take.
var onlyOfRun = []string{"truth", "all", "since", "until", "p", "severity", "out", "memory-limit", "require-coverage", "raw-csv", "no-color", "quiet"}

func runHunt(ctx *cli.Context, c console) error {
	const hint = "mdcalake hunt list, mdcalake hunt show NAME, or mdcalake hunt run NAME..."
	what, names := ctx.Args().First(), ctx.Args().Tail()
	if what == "" {
		return usage(hint, "say what to do with the hunts")
	}
	if !slices.Contains([]string{"list", "show", "run", "test"}, what) {
		return usage(hint, "hunt cannot %q", what)
	}
	all, err := huntsOf(ctx)
	if err != nil {
		return err
	}
	switch what {
	case "run":
		if ctx.IsSet("truth") {
			return usage("it belongs to mdcalake hunt test", "hunt run does not take --truth")
		}
		return huntRun(ctx, c, all, names)
	case "test":
		return huntTest(ctx, c, all, names)
	}
	for _, name := range onlyOfRun {
		if ctx.IsSet(name) {
			return usage("it belongs to mdcalake hunt run", "hunt %s does not take --%s", what, name)
		}
	}
	format := ctx.String("output")
	if !slices.Contains([]string{"table", "json"}, format) {
		return usage("choose one of table, json", "output format %q is unknown", format)
	}
	if what == "list" {
		if len(names) > 0 {
			return usage("mdcalake hunt show "+names[0]+" tells of one", "hunt list takes no names, and %q is one", names[0])
		}
		return listHunts(c, all, format)
	}
	if len(names) == 0 {
		return usage("mdcalake hunt list has the names", "hunt show takes the name of a hunt")
	}
	chosen, err := chooseHunts(all, names)
	if err != nil {
		return err
	}
	return showHunts(c, chosen, format)
}

// huntsOf are those of the program and the person's own.
func huntsOf(ctx *cli.Context) ([]*hunts.Hunt, error) {
	all, err := hunts.Catalog()
	if err != nil || !ctx.IsSet("hunts") {
		return all, err
	}
	own, err := hunts.Load(ctx.String("hunts"))
	if err != nil {
		return nil, err
	}
	return hunts.Together(all, own)
}

func chooseHunts(all []*hunts.Hunt, names []string) ([]*hunts.Hunt, error) {
	chosen, err := hunts.Choose(all, names...)
	if unknown, ok := err.(*hunts.UnknownError); ok {
		hint := "mdcalake hunt list has the names"
		if len(unknown.Near) > 0 {
			hint = "perhaps " + strings.Join(unknown.Near, " or ")
		}
		return nil, usage(hint, "%w", err)
	}
	return chosen, err
}

// huntLine is a hunt in a list.
type huntLine struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Severity   string   `json:"severity"`
	Tactics    []string `json:"tactics"`
	Techniques []string `json:"techniques"`
	Aliases    []string `json:"aliases,omitempty"`
	Baseline   string   `json:"baseline,omitempty"`
	Needs      []string `json:"needs"`
}

func lineOf(h *hunts.Hunt) huntLine {
	l := huntLine{ID: h.ID, Name: h.Name, Title: h.Title, Severity: string(h.Severity), Tactics: h.Tactics, Techniques: h.Techniques, Aliases: h.Aliases, Needs: h.Needs}
	if h.Baseline > 0 {
		l.Baseline = h.Baseline.String()
	}
	return l
}

func listHunts(c console, all []*hunts.Hunt, format string) error {
	var lines []huntLine
	for _, h := range all {
		lines = append(lines, lineOf(h))
	}
	if format == "json" {
		return writeJSON(c.out, lines)
	}
	name, severity := 0, 0
	for _, l := range lines {
		name, severity = max(name, len(l.Name)), max(severity, len(l.Severity))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(c.out, "%-*s  %-*s  %s\n    %s; %s\n    id %s\n", name, l.Name, severity, l.Severity, query.Visible(l.Title), strings.Join(l.Techniques, " "), l.needs(), l.ID); err != nil {
			return err
		}
	}
	return nil
}

// needs is what must be there for it to find something: time that was collected,
// and what the record must hold beside the columns that every one has.
func (l huntLine) needs() string {
	var parts []string
	if l.Baseline != "" {
		parts = append(parts, l.Baseline+" before the window")
	}
	for _, n := range l.Needs {
		if !slices.Contains([]string{"activity_id", "timestamp", "user_name", "ip", "country", "app_name", "app_id", "service"}, n) {
			parts = append(parts, n)
		}
	}
	if len(parts) == 0 {
		return "needs nothing beyond time, user, place and app"
	}
	return "needs " + strings.Join(parts, ", ")
}

// huntPage is all of a hunt.
type huntPage struct {
	huntLine
	Description    string      `json:"description"`
	Params         []huntParam `json:"params"`
	FalsePositives []string    `json:"false_positives"`
	Source         []string    `json:"source"`
	SQL            string      `json:"sql"`
}

type huntParam struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Help    string `json:"help"`
}

func showHunts(c console, chosen []*hunts.Hunt, format string) error {
	var pages []huntPage
	for _, h := range chosen {
		p := huntPage{huntLine: lineOf(h), Description: h.Description, FalsePositives: h.FalsePositives, Source: h.Source, SQL: h.SQL, Params: []huntParam{}}
		for _, param := range h.Params {
			p.Params = append(p.Params, huntParam{param.Name, string(param.Type), param.Default, param.Help})
		}
		pages = append(pages, p)
	}
	if format == "json" {
		return writeJSON(c.out, pages)
	}
	for i, p := range pages {
		if i > 0 {
			if _, err := fmt.Fprintln(c.out); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprint(c.out, p.text()); err != nil {
			return err
		}
	}
	return nil
}

func (p huntPage) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", p.Name, query.Visible(p.Title))
	for line := range strings.SplitSeq(strings.TrimSpace(p.Description), "\n") {
		fmt.Fprintf(&b, "  %s\n", query.Visible(line))
	}
	field := func(name string, values ...string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			fmt.Fprintf(&b, "%-16s %s\n", name, query.Visible(v))
		}
	}
	field("id", p.ID)
	field("severity", p.Severity)
	field("ATT&CK", strings.TrimSpace(strings.Join(p.Techniques, " ")+"; "+strings.Join(p.Tactics, ", ")))
	if len(p.Aliases) > 0 {
		field("formerly", strings.Join(p.Aliases, " "))
	}
	if p.Baseline != "" {
		field("baseline", p.Baseline+" before the window; -p baseline=LENGTH")
	}
	for _, param := range p.Params {
		def := param.Default
		if def == "" {
			def = "(empty)"
		}
		field("-p "+param.Name, fmt.Sprintf("%s, default %s: %s", param.Type, def, param.Help))
	}
	field("needs", strings.Join(p.Needs, ", "))
	field("false positives", p.FalsePositives...)
	field("source", p.Source...)
	b.WriteString("\n")
	for line := range strings.SplitSeq(strings.TrimRight(p.SQL, "\n"), "\n") {
		b.WriteString(strings.TrimRight("  "+strings.ReplaceAll(query.Visible(line), `\u{9}`, "\t"), " ") + "\n")
	}
	return b.String()
}
