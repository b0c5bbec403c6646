package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
)

func importCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "append saved records to the lake: NDJSON, JSON arrays, answers of the API; .gz and .zst",
		ArgsUsage: "FILE|DIRECTORY... (- is stdin)",
		Description: `Takes in what the lake does not have yet. The content decides what a file is, not
its name: a record a line (NDJSON), arrays of records, answers of the API
({"data":[...]}), single records, on one line or on many, one after the other; plain
or compressed with gzip or zstd. Of a directory all files are taken, and those
below it, in the order of their names; hidden ones are named and left out.

A file that is cut, damaged, or no JSON takes no other one along: what is sound
in it comes in, the rest is named, and the exit code is 3. So it is with what
cannot be read, and with a link that leads out of a directory.

The ledger gets the SHA-256 of each file as it is on the disk, never its name.
Rows have as their page the number of their line, or, where a file is not a
record a line, of their record, counted through all files of the run.

Saved data covers nothing by itself. --covers A..B declares that the files hold
every activity of [A, B), of the services named with --service or of all; then
coverage says complete there, unless a file was not whole. --as-of is when the
data was taken from the service (of several takes: the first): what was saved
later may be missing. Without it that is the latest 'created' of the interval.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "covers", Usage: "declare the interval `A..B` complete: 2026-01-01..2026-02-01 is January"},
			&cli.StringFlag{Name: "as-of", Usage: "the `TIME` at which the data was taken from the service; with --covers"},
			&cli.Int64SliceFlag{Name: "service", Usage: "declare it for this app `ID` only (repeatable); with --covers"},
		}, runFlags()...),
		Action: func(ctx *cli.Context) error { return runImport(ctx, c) },
	}
}

func runImport(ctx *cli.Context, c console) error {
	if !ctx.Args().Present() {
		return usage("name the files or directories to import; - is the standard input", "no file is given")
	}
	if err := checkSummary(ctx); err != nil {
		return err
	}
	covers, err := declarationOf(ctx, time.Now())
	if err != nil {
		return err
	}
	in, err := inputsOf(c, ctx.Args().Slice(), ctx.String("lake"))
	if err != nil {
		return err
	}
	w, err := openWriter(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	p := newProgress(c, ctx.Bool("quiet"))
	for _, note := range in.notes {
		fmt.Fprintln(c.err, note)
	}
	if _, typed := terminal(c.in); typed && in.stdin && !ctx.Bool("quiet") {
		fmt.Fprintln(c.err, "reading records from the terminal, one a line; Ctrl-D ends them")
	}
	return runAndMerge(ctx, c, w, p, func() (*ingest.Summary, error) {
		return ingest.Import(ctx.Context, ingest.ImportOptions{
			Writer: w, Covers: covers, ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"), Progress: p.show, Warn: p.warn,
		}, in.sources)
	})
}

// declarationOf reads --covers and what belongs to it; nil: nothing is declared.
func declarationOf(ctx *cli.Context, now time.Time) (*ingest.Declaration, error) {
	text := ctx.String("covers")
	if !ctx.IsSet("covers") {
		for _, flag := range []string{"as-of", "service"} {
			if ctx.IsSet(flag) {
				return nil, usage("say what the files hold with --covers A..B", "--%s says nothing without --covers", flag)
			}
		}
		return nil, nil
	}
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		return nil, usage("write 2026-01-01..2026-02-01 for January", "--covers %q is no interval", text)
	}
	d := &ingest.Declaration{Services: ctx.Int64Slice("service")}
	var err error
	if d.Since, err = parseTime("covers", from, now); err != nil {
		return nil, err
	}
	if d.Until, err = parseTime("covers", to, now); err != nil {
		return nil, err
	}
	if ctx.IsSet("as-of") {
		if d.AsOf, err = parseTime("as-of", ctx.String("as-of"), now); err != nil {
			return nil, err
		}
	}
	return d, d.Check(now)
}
