package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/query/suggested"
	"mdcalake/store"
)

func suggestedCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "suggested",
		Usage:     "the queries that the portal's activity log suggests",
		ArgsUsage: "[NAME]",
		Description: `Without a name it lists them; with one it answers it for a window of event time:

  mdcalake suggested failed-log-ins --since 7d
  mdcalake suggested sharing-activities --since 2026-11-01 --until 2026-11-08 -o csv

--sql prints the SQL in place of the answer, for mdcalake query -f FILE.`,
		Flags: append(answerFlags(),
			&cli.BoolFlag{Name: "sql", Usage: "print the SQL, with the window in it, and do not answer", DisableDefaultText: true},
		),
		Action: func(ctx *cli.Context) error { return runSuggested(ctx, c) },
	}
}

func pivotCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "pivot",
		Usage:     "from one activity to those of the same type, user, address, place or time",
		ArgsUsage: "ACTIVITY_ID",
		Description: `Answers which other activities have something in common with one, as the drawer
of the portal's activity log does:

  mdcalake pivot 48213377_20893_1b6e3f0a-... --by user
  mdcalake pivot 48213377_20893_1b6e3f0a-... --by time --within 2h

--by type is the same action in the same app, place the same country and city.
All but time look through the whole lake, unless --since or --until is given.`,
		Flags: append(answerFlags(),
			&cli.StringFlag{Name: "by", Value: string(suggested.Near), Usage: "`WAY`: " + wayNames()},
			&cli.DurationFlag{Name: "within", Value: suggested.DefaultWithin, Usage: "by time: so long before and after"},
			&cli.BoolFlag{Name: "sql", Usage: "print the SQL and do not answer", DisableDefaultText: true},
		),
		Action: func(ctx *cli.Context) error { return runPivot(ctx, c) },
	}
}

func wayNames() string {
	var names []string
	for _, w := range suggested.Ways {
		names = append(names, string(w))
	}
	return strings.Join(names, ", ")
}

// answerFlags are those of a verb that answers one question.
func answerFlags() []cli.Flag {
	return []cli.Flag{
		lakeFlag(),
		&cli.StringFlag{Name: "since", Usage: "only what happened at or after `TIME`"},
		&cli.StringFlag{Name: "until", Usage: "only what happened before `TIME`"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + strings.Join(query.Formats(), ", ") + "; without it the ending of --out decides"},
		&cli.StringFlag{Name: "out", Usage: "write the answer to `FILE`, which appears when it is whole"},
		&cli.BoolFlag{Name: "require-coverage", Usage: "exit 3 if something was asked about that the API was not asked for", DisableDefaultText: true},
		&cli.Int64Flag{Name: "max-rows", Usage: "most rows to print; 0: all (default on a terminal: 1000)"},
		&cli.BoolFlag{Name: "no-header", Usage: "leave the column names out (table, box, csv, tsv, markdown)", DisableDefaultText: true},
		&cli.BoolFlag{Name: "raw-csv", Usage: "leave cells of csv and tsv as they are that a spreadsheet would run", DisableDefaultText: true},
		&cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR does the same)", DisableDefaultText: true},
	}
}

func runSuggested(ctx *cli.Context, c console) error {
	name := ctx.Args().First()
	switch {
	case ctx.Args().Len() > 1:
		return usage("mdcalake suggested NAME", "suggested takes one name, and %q is another", ctx.Args().Get(1))
	case name == "":
		all, err := suggested.Queries()
		if err != nil {
			return err
		}
		for _, q := range all {
			if _, err := fmt.Fprintf(c.out, "%-26s  %s\n", q.Name, q.About); err != nil {
				return err
			}
		}
		return nil
	}
	q, err := suggested.Find(name)
	if err != nil {
		return usage("mdcalake suggested lists them", "%w", err)
	}
	return answerOne(ctx, c, func(e *query.Engine, s query.Selection) (string, error) {
		since, until, err := huntWindow(e, s, c.now())
		if err != nil {
			return "", err
		}
		return query.Fill(q.SQL, map[string]query.Literal{"since": query.Moment(since), "until": query.Moment(until)})
	})
}

func runPivot(ctx *cli.Context, c console) error {
	id := ctx.Args().First()
	way := suggested.Way(ctx.String("by"))
	switch {
	case ctx.Args().Len() != 1 || id == "":
		return usage("mdcalake pivot ACTIVITY_ID --by user; a finding or an answer has the ids in activity_id", "pivot takes the id of one activity")
	case !slices.Contains(suggested.Ways, way):
		return usage("choose one of "+wayNames(), "--by %q is no way to other activities", way)
	case ctx.Duration("within") <= 0:
		return usage("write 48h, 90m or 30s", "--within %s is no time to look before and after", ctx.Duration("within"))
	case ctx.IsSet("within") && way != suggested.Near:
		return usage("give --since and --until, or --by time", "--within belongs to --by time")
	}
	return answerOne(ctx, c, func(e *query.Engine, s query.Selection) (string, error) {
		r, err := activityRow(ctx, e, id)
		if err != nil {
			return "", err
		}
		sql, err := way.SQL(r, s.Since, s.Until, ctx.Duration("within"))
		if err != nil {
			return "", usage("choose another --by: "+wayNames(), "%w", err)
		}
		return sql, nil
	})
}

// readyQuestions are the hunts and the suggested queries, over the last days of the
// lake, as a prompt shows them: to be read, changed and asked.
func readyQuestions(e *query.Engine, now time.Time) ([]query.Hunt, error) {
	since, until, err := huntWindow(e, query.Selection{}, now)
	if err != nil {
		return nil, err
	}
	catalog, err := hunts.Catalog()
	if err != nil {
		return nil, err
	}
	queries, err := suggested.Queries()
	if err != nil {
		return nil, err
	}
	var all []query.Hunt
	for _, h := range catalog {
		p, err := hunts.Prepare(e, h, hunts.Request{Since: since, Until: until})
		if err != nil {
			return nil, err
		}
		sql, err := p.SQL()
		if err != nil {
			return nil, err
		}
		all = append(all, query.Hunt{Name: h.Name, About: h.Title, SQL: sql})
	}
	for _, q := range queries {
		sql, err := query.Fill(q.SQL, map[string]query.Literal{"since": query.Moment(since), "until": query.Moment(until)})
		if err != nil {
			return nil, err
		}
		all = append(all, query.Hunt{Name: q.Name, About: q.About, SQL: sql + ";"})
	}
	return all, nil
}

// activityRow reads the row that a pivot begins from.
func activityRow(ctx *cli.Context, e *query.Engine, id string) (r suggested.Row, err error) {
	found := false
	err = query.Each(ctx.Context, e, suggested.RowSQL(id), func(row suggested.Row) error { r, found = row, true; return nil })
	if err == nil && !found {
		err = &usageError{err: fmt.Errorf("the lake has no activity %q", id), hint: "ids are compared exactly; a finding or an answer has them in activity_id"}
	}
	return r, err
}

// answerOne makes a statement from what the flags select, and answers it as query
// does.
func answerOne(ctx *cli.Context, c console, statement func(*query.Engine, query.Selection) (string, error)) (err error) {
	format, err := formatOf(ctx)
	if err != nil {
		return err
	}
	if ctx.Int64("max-rows") < 0 {
		return usage("0 means all", "--max-rows %d is no number of rows", ctx.Int64("max-rows"))
	}
	selection, err := selectionOf(ctx, c.now())
	if err != nil {
		return err
	}
	startFast(c.getenv)
	starting := query.Start(ctx.Context, "")
	defer starting.Close()
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	out, err := newOutput(c, "--out", ctx.String("out"), lake.Snapshot().Root)
	if err != nil {
		return err
	}
	defer out.discard()
	engine, err := query.Open(ctx.Context, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir(), Starting: starting})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	boundAnswer()
	sql, err := statement(engine, selection)
	if err != nil {
		return err
	}
	if ctx.Bool("sql") {
		_, err := fmt.Fprintln(c.out, sql+";")
		return err
	}
	a := newAsking(ctx, c, engine, format, out)
	if err := a.all(ctx.Context, []string{sql}); err != nil {
		return err
	}
	if err := out.keep(); err != nil {
		return err
	}
	return a.covered.verdict(ctx.Bool("require-coverage"))
}
