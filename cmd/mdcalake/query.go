package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/store"
)

// shownRows is how many rows a terminal gets when nobody says: an answer of a
// million rows there is a mistake.
const shownRows = 1000

func queryCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "query",
		Usage:     "run SQL over the lake, read-only",
		ArgsUsage: "[SQL]",
		Description: `SQL comes from the argument, -c, -f or the standard input; it is DuckDB's.
Without any, on a terminal, it opens a prompt; .help says what that can do.
Tables: activities, revisions, quarantine, runs, coverage; cloud_app_events is
activities under the names of Defender's hunting table.
raw_text(raw, '$.path') takes a text out of a record's JSON; ip_in(ip, '10.0.0.0/8')
or ip_in(ip, ['10.0.0.0/8', '2001:db8::/32']) says whether an address lies in a range;
counted(count(*), 'file', 'files') writes 1 file, 2 files.

Several statements, with ; between them, see one version of the lake; none runs
if one of them may not. Their answers follow one another with an empty line
between (json: one array of them all, jsonl: row after row); parquet and arrow
hold one.

-p name=value gives $name in the SQL a value, as often as there are names. The
place decides what it is: beside user_name a text, beside service a number,
beside timestamp a time; in now() - to_days($days) a number, since it looks so.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "c", Usage: "the `SQL`"},
			&cli.StringFlag{Name: "f", Usage: "`FILE` with the SQL (- is stdin)"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + strings.Join(query.Formats(), ", ") + "; without it the ending of --out decides"},
			&cli.StringFlag{Name: "out", Usage: "write the answer to `FILE`, which appears when it is whole"},
			&cli.StringSliceFlag{Name: "p", Usage: "`NAME=VALUE` of $NAME in the SQL (repeatable)"},
			&cli.StringFlag{Name: "as-of", Usage: "answer as the lake was at this `TIME`, by its commits"},
			&cli.BoolFlag{Name: "explain", Usage: "do not answer; print which files would be read and why, and DuckDB's plan", DisableDefaultText: true},
			&cli.BoolFlag{Name: "require-coverage", Usage: "exit 3 if something was asked about that the API was not asked for", DisableDefaultText: true},
			&cli.BoolFlag{Name: "timing", Usage: "say on stderr how long it took", DisableDefaultText: true},
			&cli.DurationFlag{Name: "timeout", Usage: "give up after this time, e.g. 30s"},
			&cli.StringFlag{Name: "memory-limit", Usage: "most memory for the engine's buffers, e.g. 2GiB"},
			&cli.Int64Flag{Name: "max-rows", Usage: "most rows to print; 0: all (default on a terminal: 1000)"},
			&cli.BoolFlag{Name: "no-header", Usage: "leave the column names out (table, box, csv, tsv, markdown)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "raw-csv", Usage: "leave cells of csv and tsv as they are that a spreadsheet would run", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR does the same)", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runQuery(ctx, c) },
	}
}

// memorySize is a size as the engine reads it.
var memorySize = regexp.MustCompile(`(?i)^\d{1,15}(\.\d{1,9})? ?[KMGT]i?B$`)

func runQuery(ctx *cli.Context, c console) (err error) {
	format, err := formatOf(ctx)
	if err != nil {
		return err
	}
	if ctx.Int64("max-rows") < 0 {
		return usage("0 means all", "--max-rows %d is no number of rows", ctx.Int64("max-rows"))
	}
	if d := ctx.Duration("timeout"); ctx.IsSet("timeout") && d <= 0 {
		return usage("write 30s, 5m or 1h; without it a query may take as long as it likes", "--timeout %s is no time to wait", d)
	}
	if limit := ctx.String("memory-limit"); ctx.IsSet("memory-limit") && !memorySize.MatchString(limit) {
		return usage("write 500MB or 2GiB", "--memory-limit %q is no size", limit)
	}
	asOf, err := asOfTime(ctx, c)
	if err != nil {
		return err
	}
	given, err := parametersOf(ctx.StringSlice("p"))
	if err != nil {
		return err
	}
	if opensPrompt(ctx, c) {
		return openPrompt(ctx, c, format, given, asOf)
	}
	sql, err := sqlOf(ctx, c)
	if err != nil {
		return err
	}
	statements := query.Split(sql)
	if len(statements) == 0 {
		return usage("for example: mdcalake query \"select count(*) from activities\"", "the SQL is empty")
	}
	if len(statements) > 1 && format.Binary() {
		return usage("run one statement, or choose a text format", "%d statements do not fit into one %s file", len(statements), format)
	}
	if err := allUsed(given, sql); err != nil {
		return err
	}
	run := ctx.Context
	if d := ctx.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(run, d)
		defer cancel()
	}
	opened := time.Now()
	startFast(c.getenv)
	starting := query.Start(run, ctx.String("memory-limit"))
	defer starting.Close()
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	if ctx.IsSet("out") && ctx.String("out") == "" {
		return usage("give a file; without --out the answer goes to stdout", "--out is empty")
	}
	out, err := newOutput(c, "--out", ctx.String("out"), lake.Snapshot().Root)
	if err != nil {
		return err
	}
	defer out.discard()
	snapshot, err := snapshotOf(run, lake, asOf)
	if err != nil {
		return err
	}
	if !asOf.IsZero() {
		fmt.Fprintln(c.err, pastText(snapshot))
	}
	engine, err := query.Open(run, query.Options{Snapshot: snapshot, TempDir: os.TempDir(), MemoryLimit: ctx.String("memory-limit"), Starting: starting})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	boundAnswer()
	ready := time.Now()
	bound, err := bindAll(run, c, engine, statements, given)
	if err != nil {
		return err
	}
	a := newAsking(ctx, c, engine, format, out)
	if err := a.all(run, bound); err != nil {
		return err
	}
	if ctx.Bool("timing") {
		fmt.Fprintf(c.err, "opened in %s\n", ready.Sub(opened).Round(100*time.Microsecond))
	}
	if err := out.keep(); err != nil {
		return err
	}
	return a.covered.verdict(ctx.Bool("require-coverage"))
}

// formatOf is the format that is asked for, or that the file's name says.
func formatOf(ctx *cli.Context) (query.Format, error) {
	format, err := query.ParseFormat(ctx.String("output"))
	if err != nil {
		return 0, usage("choose one of "+strings.Join(query.Formats(), ", "), "output format %q is unknown", ctx.String("output"))
	}
	if !ctx.IsSet("output") {
		named, ok := query.FormatOfFile(ctx.String("out"))
		switch ending := filepath.Ext(ctx.String("out")); {
		case ok:
			format = named
		case ending != "" && ending != ".txt":
			return 0, usage("say with -o which of "+strings.Join(query.Formats(), ", ")+" is meant", "the ending of --out %q is unknown", ctx.String("out"))
		}
	}
	switch {
	case ctx.Bool("no-header") && !format.HasHeader():
		return 0, usage("leave it out, or choose another format with -o", "--no-header: %s has no header to leave out", format)
	case ctx.Bool("raw-csv") && !format.Spreadsheet():
		return 0, usage("leave it out: only csv and tsv are changed for spreadsheets", "--raw-csv: %s has no such cells", format)
	}
	return format, nil
}

// bindAll writes the parameters into the statements and lets the guard see
// every one before the first runs.
func bindAll(run context.Context, c console, engine *query.Engine, statements []query.Statement, given []query.Parameter) ([]string, error) {
	var bound []string
	for _, s := range statements {
		sql, asText, err := engine.Bind(run, s.SQL, given)
		if err != nil {
			return nil, err
		}
		if len(asText) > 0 {
			fmt.Fprintln(c.err, asTextNote(asText))
		}
		bound = append(bound, sql)
	}
	if len(bound) > 1 {
		for _, sql := range bound {
			if err := engine.Check(run, sql); err != nil {
				return nil, err
			}
		}
	}
	return bound, nil
}

// asOfTime is the time of --as-of; zero: now.
func asOfTime(ctx *cli.Context, c console) (time.Time, error) {
	if !ctx.IsSet("as-of") {
		return time.Time{}, nil
	}
	return parseTime("as-of", ctx.String("as-of"), c.now())
}

// snapshotOf is the lake that is asked: as it is, or as it was.
func snapshotOf(run context.Context, lake *store.Lake, asOf time.Time) (*store.Snapshot, error) {
	if asOf.IsZero() {
		return lake.Snapshot(), nil
	}
	return lake.AsOf(run, asOf)
}

// pastText says which time it is that answers.
func pastText(s *store.Snapshot) string {
	return fmt.Sprintf("the lake as entry %d left it, committed %s", s.Version, time.UnixMilli(s.Ingested).UTC().Format(time.RFC3339Nano))
}

// asking is what the statements of one query have in common.
type asking struct {
	c       console
	engine  *query.Engine
	format  query.Format
	out     *output
	options query.WriteOptions
	explain bool // which files, and DuckDB's plan, in place of answers
	timing  bool
	covered coverageNote
}

func newAsking(ctx *cli.Context, c console, engine *query.Engine, format query.Format, out *output) *asking {
	a := &asking{c: c, engine: engine, format: format, out: out, explain: ctx.Bool("explain"), timing: ctx.Bool("timing"), covered: coverageNote{c: c}}
	a.options = writeOptions(ctx, c, out)
	if out.terminal && format.Drawn() && !ctx.IsSet("max-rows") {
		a.options.MaxRows = shownRows
	}
	return a
}

// writeOptions are what the flags and the output say of an answer's form.
func writeOptions(ctx *cli.Context, c console, out *output) query.WriteOptions {
	return query.WriteOptions{
		MaxRows: ctx.Int64("max-rows"), NoHeader: ctx.Bool("no-header"), RawCSV: ctx.Bool("raw-csv"),
		Width: out.width, Terminal: out.terminal, Color: out.terminal && !ctx.Bool("no-color") && c.getenv("NO_COLOR") == "" && !dumb(c.getenv),
	}
}

// writeWhole writes an answer and gives its file the name.
func writeWhole(ctx *cli.Context, c console, out *output, format query.Format, rows *query.Rows) error {
	written, err := query.Write(ctx.Context, out.writer(ctx.Context), format, rows, writeOptions(ctx, c, out))
	if err != nil {
		return out.quietly(err)
	}
	neutralisedNote(c, written.Neutralised)
	return out.keep()
}

// neutralisedNote says how many cells a spreadsheet would have run.
func neutralisedNote(c console, cells int64) {
	if cells > 0 {
		fmt.Fprintf(c.err, "%s would have run in a spreadsheet and got a ' in front; --raw-csv leaves them\n", things(cells, "cell", "cells"))
	}
}

// all runs the statements and prints their answers one after the other.
func (a *asking) all(run context.Context, statements []string) error {
	w := a.out.writer(run)
	before, between, behind := a.format.Several()
	if len(statements) == 1 {
		before, behind = "", ""
	}
	one := a.answer
	if a.explain {
		one = a.explained
	}
	for n, sql := range statements {
		text := before
		if n > 0 {
			text = between
		}
		err := a.out.write(w, text)
		if err == nil {
			err = one(run, sql, w)
		}
		if err != nil {
			return a.out.quietly(err)
		}
	}
	return a.out.quietly(a.out.write(w, behind))
}

// answer runs one statement and prints its rows.
func (a *asking) answer(run context.Context, sql string, w io.Writer) error {
	started := time.Now()
	rows, err := a.engine.Query(run, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	result, err := query.Write(run, w, a.format, rows, a.options)
	if err != nil {
		return err
	}
	if result.Shown < result.Rows && !a.format.Drawn() {
		fmt.Fprintf(a.c.err, "%s were written: --max-rows leaves out the others\n", result.Said())
	}
	neutralisedNote(a.c, result.Neutralised)
	a.covered.tell(rows)
	if a.timing {
		fmt.Fprintln(a.c.err, timingText(rows.Timing(), result.Rows, time.Since(started)))
	}
	return nil
}

// timingText is what --timing and .timer say of an answer.
func timingText(t query.Timing, rows int64, took time.Duration) string {
	return fmt.Sprintf("%s in %s (%s, %s on disk)", things(rows, "row", "rows"), took.Round(100*time.Microsecond), things(int64(t.Files), "file", "files"), size(t.Bytes))
}

// sqlOf finds the statement.
func sqlOf(ctx *cli.Context, c console) (string, error) {
	given := 0
	for _, set := range []bool{ctx.IsSet("c"), ctx.IsSet("f"), ctx.Args().Present()} {
		if set {
			given++
		}
	}
	const limit = 16 << 20
	switch {
	case given > 1:
		return "", usage("give it as an argument, with -c or with -f", "the SQL is given more than once")
	case ctx.Args().Len() > 1:
		return "", usage("put the SQL in quotes", "query takes one statement, and %q is a second argument", ctx.Args().Get(1))
	case ctx.IsSet("c"):
		return ctx.String("c"), nil
	case ctx.IsSet("f"):
		data, err := readSmall(c, "f", ctx.String("f"), limit)
		return string(data), err
	case ctx.Args().Present():
		return ctx.Args().First(), nil
	}
	if _, ok := terminal(c.in); ok {
		return "", usage("for example: mdcalake query \"select count(*) from activities\"", "no SQL is given")
	}
	data, err := readLimited(c.in, "f", limit)
	return string(data), err
}
