package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/query"
	"mdcalake/store"
)

func quarantineCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "quarantine",
		Usage:     "list the records that could not be read, or try them again",
		ArgsUsage: "list|retry",
		Description: `list shows why records are in quarantine, how many, and some of each. retry reads
them again with this version of the program: those that can be read now become
rows of this run and leave the quarantine in the same commit, the others stay.
With --dry-run it only says how many that would be.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "retry: change nothing, say what would be read now", DisableDefaultText: true},
			&cli.IntFlag{Name: "examples", Value: 3, Usage: "list: how many records to show of each reason"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT` of list and --dry-run: table, json"},
			&cli.StringFlag{Name: "operator", Usage: "retry: `NAME` of who does it, for the chain of custody"},
			&cli.StringFlag{Name: "case", Usage: "retry: `NUMBER` of the case, for the chain of custody"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "retry: no summary", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runQuarantine(ctx, c) },
	}
}

func runQuarantine(ctx *cli.Context, c console) error {
	const hint = "mdcalake quarantine list, or mdcalake quarantine retry"
	what := ctx.Args().First()
	switch {
	case ctx.Args().Len() > 1:
		return usage(hint, "quarantine takes one word, and %q is another", ctx.Args().Get(1))
	case what == "":
		return usage(hint, "say what to do with the quarantine")
	case what != "list" && what != "retry":
		return usage(hint, "quarantine cannot %q", what)
	}
	format := ctx.String("output")
	if format != "table" && format != "json" {
		return usage("choose one of table, json", "output format %q is unknown", format)
	}
	if what == "list" {
		for _, name := range []string{"dry-run", "operator", "case", "quiet"} {
			if ctx.IsSet(name) {
				return usage("it belongs to mdcalake quarantine retry", "quarantine list does not take --%s", name)
			}
		}
		if n := ctx.Int("examples"); n < 0 {
			return usage("0 shows none", "--examples %d is no number of records", n)
		}
		return listQuarantine(ctx, c)
	}
	// A writer would make a lake where there is none.
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	if ctx.Bool("dry-run") {
		return planRetry(ctx, c, lake)
	}
	lake.Close()
	return retryQuarantine(ctx, c)
}

// quarantineGroup are the records of one reason.
type quarantineGroup struct {
	Reason    string              `json:"reason"`
	Records   int64               `json:"records"`
	TimesSeen int64               `json:"times_seen"`
	FirstSeen time.Time           `json:"first_seen"`
	LastSeen  time.Time           `json:"last_seen"`
	Examples  []quarantineExample `json:"examples"`
}

type quarantineExample struct {
	RunID    string `json:"run_id"`
	Page     int32  `json:"page,omitempty"`
	Position int32  `json:"position"`
	Text     string `json:"text"`  // its beginning, fit for a terminal
	Bytes    int    `json:"bytes"` // of the whole record
}

func (g *quarantineGroup) take(r *store.QuarantineRow, examples int) {
	if g.Records == 0 || r.FirstSeen.Before(g.FirstSeen) {
		g.FirstSeen = r.FirstSeen
	}
	if r.LastSeen.After(g.LastSeen) {
		g.LastSeen = r.LastSeen
	}
	g.Records++
	g.TimesSeen += r.TimesSeen
	if len(g.Examples) < examples {
		g.Examples = append(g.Examples, quarantineExample{RunID: r.RunID, Page: r.Page, Position: r.Position, Text: beginning(r.Bytes), Bytes: len(r.Bytes)})
	}
}

// beginning is as much of a record as fits on a line.
func beginning(record []byte) string {
	const most = 80
	if len(record) <= most {
		return query.Visible(string(record))
	}
	return query.Visible(string(record[:most])) + " ..."
}

func listQuarantine(ctx *cli.Context, c console) error {
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	groups := map[string]*quarantineGroup{}
	err = lake.ReadQuarantine(ctx.Context, func(r *store.QuarantineRow) error {
		g := groups[r.Reason]
		if g == nil {
			g = &quarantineGroup{Reason: r.Reason, Examples: []quarantineExample{}}
			groups[r.Reason] = g
		}
		g.take(r, ctx.Int("examples"))
		return nil
	})
	if err != nil {
		return err
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b *quarantineGroup) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Reason, b.Reason))
	})
	if ctx.String("output") == "json" {
		return writeJSON(c.out, append([]*quarantineGroup{}, sorted...))
	}
	return drawQuarantine(c.out, sorted)
}

func drawQuarantine(w io.Writer, groups []*quarantineGroup) error {
	if len(groups) == 0 {
		_, err := fmt.Fprintln(w, "the quarantine is empty")
		return err
	}
	for _, g := range groups {
		again := ""
		if g.TimesSeen > g.Records {
			again = fmt.Sprintf(", seen %s", things(g.TimesSeen, "time", "times"))
		}
		_, err := fmt.Fprintf(w, "%s: %s%s, first %s, last %s\n", query.Visible(g.Reason), things(g.Records, "record", "records"), again, g.FirstSeen.Format(time.RFC3339), g.LastSeen.Format(time.RFC3339))
		if err != nil {
			return err
		}
		for _, e := range g.Examples {
			place := "run " + query.Visible(e.RunID)
			if e.Page > 0 {
				place += fmt.Sprintf(", page %d, position %d", e.Page, e.Position)
			}
			if _, err := fmt.Fprintf(w, "  %s\n  (%s, %s)\n", e.Text, size(int64(e.Bytes)), place); err != nil {
				return err
			}
		}
	}
	return nil
}

// planRetry says what a retry would lift.
func planRetry(ctx *cli.Context, c console, lake *store.Lake) error {
	decoder := ingest.NewDecoder()
	plan := store.Retried{Lifted: map[string]int64{}}
	var row store.Row
	err := lake.ReadQuarantine(ctx.Context, func(r *store.QuarantineRow) error {
		if decoder.Decode(r.Bytes, &row) == nil {
			plan.Lifted[r.Reason]++
		} else {
			plan.Stayed++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if ctx.String("output") == "json" {
		return writeJSON(c.out, struct {
			WouldLift map[string]int64 `json:"would_lift"` // by the reason why they are in quarantine
			WouldStay int64            `json:"would_stay"`
		}{plan.Lifted, plan.Stayed})
	}
	if _, err := fmt.Fprintf(c.out, "%s would become rows, %s would stay in quarantine\n", things(plan.Count(), "record", "records"), count(plan.Stayed)); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(plan.Lifted)) {
		if _, err := fmt.Fprintf(c.out, "  %s: %s\n", query.Visible(reason), count(plan.Lifted[reason])); err != nil {
			return err
		}
	}
	return nil
}

func retryQuarantine(ctx *cli.Context, c console) error {
	boundMemory()
	w, err := store.OpenWriter(ctx.String("lake"), store.WriterOptions{ToolVersion: version, Verb: "quarantine retry"})
	if err != nil {
		return err
	}
	defer w.Close()
	r, err := ingest.Requarantine(ctx.Context, ingest.RequarantineOptions{Writer: w, ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case")})
	if !ctx.Bool("quiet") && (err == nil || r.Head != "") {
		tellRetry(c, ctx.String("lake"), r)
	}
	return err
}

func tellRetry(c console, lake string, r *ingest.Requarantined) {
	stay := things(r.Stayed, "record stays", "records stay") + " in quarantine"
	switch {
	case r.Head != "":
		fmt.Fprintf(c.err, "lifted %s: %s new, %s, %s; %s\n", things(r.Count(), "record", "records"),
			count(r.Run.Added), things(r.Run.Duplicates, "duplicate", "duplicates"), things(r.Run.Revisions, "revision", "revisions"), stay)
		fmt.Fprintf(c.err, "lake %s, run %s, head %s\n", lake, r.Run.RunID, r.Head)
	case r.Stayed > 0:
		fmt.Fprintf(c.err, "nothing can be read that could not before: %s\n", stay)
	default:
		fmt.Fprintln(c.err, "the quarantine is empty")
	}
}
