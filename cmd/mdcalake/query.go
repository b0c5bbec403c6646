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
	"syscall"
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
Tables: activities, revisions, quarantine, runs, coverage.
raw_text(raw, '$.path') takes a text out of a record's JSON.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "c", Usage: "the `SQL`"},
			&cli.StringFlag{Name: "f", Usage: "`FILE` with the SQL (- is stdin)"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: " + strings.Join(query.Formats(), ", ")},
			&cli.StringFlag{Name: "out", Usage: "write the answer to `FILE`"},
			&cli.BoolFlag{Name: "timing", Usage: "say on stderr how long it took", DisableDefaultText: true},
			&cli.DurationFlag{Name: "timeout", Usage: "give up after this time, e.g. 30s"},
			&cli.StringFlag{Name: "memory-limit", Usage: "most memory for the engine's buffers, e.g. 2GiB"},
			&cli.Int64Flag{Name: "max-rows", Usage: "most rows to print; 0: all (default on a terminal: 1000)"},
			&cli.BoolFlag{Name: "no-header", Usage: "leave the column names out (table, csv)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "raw-csv", Usage: "leave csv cells as they are that a spreadsheet would run", DisableDefaultText: true},
			&cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR does the same)", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runQuery(ctx, c) },
	}
}

// memorySize is a size as the engine reads it.
var memorySize = regexp.MustCompile(`(?i)^\d{1,15}(\.\d{1,9})? ?[KMGT]i?B$`)

func runQuery(ctx *cli.Context, c console) (err error) {
	format, err := query.ParseFormat(ctx.String("output"))
	if err != nil {
		return usage("choose one of "+strings.Join(query.Formats(), ", "), "output format %q is unknown", ctx.String("output"))
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
	if opensPrompt(ctx, c) {
		return openPrompt(ctx, c, format)
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
	run := ctx.Context
	if d := ctx.Duration("timeout"); d > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(run, d)
		defer cancel()
	}
	opened := time.Now()
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
	engine, err := query.Open(run, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir(), MemoryLimit: ctx.String("memory-limit")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	ready := time.Now()
	if len(statements) > 1 {
		for _, s := range statements {
			if err := engine.Check(run, s.SQL); err != nil {
				return err // nothing of the others is run
			}
		}
	}
	for n, s := range statements {
		if n > 0 && format != query.JSONL {
			fmt.Fprintln(out.w)
		}
		if err := answer(ctx, run, c, engine, s.SQL, format, out); err != nil {
			return err
		}
	}
	if ctx.Bool("timing") {
		fmt.Fprintf(c.err, "opened in %s\n", ready.Sub(opened).Round(100*time.Microsecond))
	}
	return out.keep()
}

// opensPrompt: no SQL is given, and a person sits at both ends.
func opensPrompt(ctx *cli.Context, c console) bool {
	if ctx.IsSet("c") || ctx.IsSet("f") || ctx.Args().Present() {
		return false
	}
	_, in := terminal(c.in)
	_, out := terminal(c.out)
	return in && out
}

// openPrompt makes of the flags what a prompt begins with.
func openPrompt(ctx *cli.Context, c console, format query.Format) error {
	if ctx.IsSet("out") && ctx.String("out") == "" {
		return usage("give a file; without --out answers go to the screen", "--out is empty")
	}
	o := promptOptions{
		lake: ctx.String("lake"), format: format, out: ctx.String("out"), maxRows: shownRows,
		timeout: ctx.Duration("timeout"), memory: ctx.String("memory-limit"), timer: ctx.Bool("timing"),
		noHeader: ctx.Bool("no-header"), rawCSV: ctx.Bool("raw-csv"), color: !ctx.Bool("no-color") && c.getenv("NO_COLOR") == "",
	}
	if ctx.IsSet("max-rows") {
		o.maxRows = ctx.Int64("max-rows")
	}
	return runPrompt(ctx.Context, c, o)
}

// answer runs one statement and prints its rows.
func answer(ctx *cli.Context, run context.Context, c console, engine *query.Engine, sql string, format query.Format, out *output) error {
	started := time.Now()
	rows, err := engine.Query(run, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	o := query.WriteOptions{MaxRows: ctx.Int64("max-rows"), NoHeader: ctx.Bool("no-header"), RawCSV: ctx.Bool("raw-csv")}
	o.Width, o.Terminal = out.width, out.terminal
	o.Color = out.terminal && !ctx.Bool("no-color") && c.getenv("NO_COLOR") == ""
	if out.terminal && format == query.Table && !ctx.IsSet("max-rows") {
		o.MaxRows = shownRows
	}
	result, err := query.Write(run, out.w, format, rows, o)
	if out.file == nil && errors.Is(err, syscall.EPIPE) {
		return &exitError{code: exitDone} // the reader has what it wanted
	}
	if err != nil {
		return err
	}
	if result.Neutralised > 0 {
		fmt.Fprintf(c.err, "%s would have run in a spreadsheet and got a ' in front; --raw-csv leaves them\n", things(result.Neutralised, "cell", "cells"))
	}
	if ctx.Bool("timing") {
		t := rows.Timing()
		fmt.Fprintf(c.err, "%s in %s (%s, %s on disk)\n", things(result.Rows, "row", "rows"), time.Since(started).Round(100*time.Microsecond), things(int64(t.Files), "file", "files"), size(t.Bytes))
	}
	return nil
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

// output is where an answer goes: stdout, or a file that appears when it is
// whole.
type output struct {
	w        io.Writer
	width    int
	terminal bool
	file     *os.File
	path     string
}

// newOutput opens what the person named with a flag; empty is stdout. A place
// in the lake is refused: reading changes nothing there.
func newOutput(c console, flag, path, lake string) (*output, error) {
	if path == "" {
		o := &output{w: c.out}
		o.width, o.terminal = terminal(c.out)
		return o, nil
	}
	abs, err := filepath.Abs(path) // the engine changes the working directory
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, usage("make the directory first", "%s: %w", flag, err)
	}
	if within(dir, lake) {
		return nil, usage("choose a place outside: reading changes nothing in a lake", "%s %q lies in the lake", flag, path)
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return nil, usage("name a file in it", "%s %q is a directory", flag, path)
	}
	f, err := os.CreateTemp(dir, ".mdcalake-out-")
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	return &output{w: f, file: f, path: abs}, nil
}

// within says whether a directory, absolute and without links, is another one
// or lies in it, by whatever names the two go.
func within(dir, other string) bool {
	outer, err := os.Stat(other)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, outer) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// keep gives the file its name.
func (o *output) keep() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", o.path, err)
	}
	o.file = nil
	return nil
}

// discard removes what did not become whole.
func (o *output) discard() {
	if o.file != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
