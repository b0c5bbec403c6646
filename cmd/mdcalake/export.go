package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/store"
)

// exportForm is a way to copy activities out of the lake.
type exportForm struct {
	name   string
	format query.Format // of its one file; 0: a directory
	shape  query.ExportShape
	ending string // of file names that choose it
}

var exportForms = []exportForm{
	{name: "partitioned", shape: query.KeyedRows},
	{name: "parquet", format: query.Parquet, ending: ".parquet"},
	{name: "csv", format: query.CSV, ending: ".csv"},
	{name: "jsonl", format: query.JSONL, ending: ".jsonl"},
	{name: "timesketch", format: query.JSONL, shape: query.TimesketchRows},
}

func exportFormNames() string {
	var names []string
	for _, f := range exportForms {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

func exportCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "export",
		Usage: "copy activities out of the lake: Parquet, CSV, JSONL, Timesketch",
		Description: `Writes the activities of a window, of some services, for which a condition holds:

  mdcalake export --since 30d --out copy                 a directory like the lake's own
  mdcalake export --where "user_name = 'ada@contoso.example'" --out ada.csv
  mdcalake export --service 20893 --since 7d -o timesketch --out mail.jsonl

-o partitioned writes date=.../service=.../part-*.parquet, as Spark, pandas,
polars and DuckDB read it; timesketch writes events with message, datetime,
timestamp and timestamp_desc, and leaves raw out unless --columns asks for it.
Without -o the ending of --out says it; without an ending it is partitioned.

--where takes one SQL condition over the columns of activities; the guard of
'mdcalake query' holds for it, and its subqueries see the whole lake. For other
tables, joins and computed columns: mdcalake query -o FORMAT --out FILE.

What is written appears when it is whole, never in the lake, and replaces no
directory. Rows come day by day and service by service.`,
		Flags: append(append([]cli.Flag{lakeFlag()}, selectionFlags()...),
			&cli.StringFlag{Name: "where", Usage: "only rows for which the `CONDITION` holds, e.g. \"country = 'NL' and not is_success\""},
			&cli.StringFlag{Name: "columns", Usage: "only these `NAMES`, in this order, with commas between them"},
			&cli.StringFlag{Name: "except", Usage: "without these `NAMES`, e.g. raw,objects"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FORMAT`: " + exportFormNames()},
			&cli.StringFlag{Name: "out", Usage: "write to `PATH`, a file or a new directory (text without it: stdout)"},
			&cli.BoolFlag{Name: "raw-csv", Usage: "leave csv cells as they are that a spreadsheet would run", DisableDefaultText: true},
			&cli.BoolFlag{Name: "require-coverage", Usage: "exit 3 if something was asked for that the API was not asked for", DisableDefaultText: true},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no summary; what may be missing is said all the same", DisableDefaultText: true},
		),
		Action: func(ctx *cli.Context) error { return runExport(ctx, c) },
	}
}

func runExport(ctx *cli.Context, c console) (err error) {
	if err := noArguments(ctx); err != nil {
		return err
	}
	form, err := exportFormOf(ctx)
	if err != nil {
		return err
	}
	x := query.Export{Where: ctx.String("where"), Columns: namesOf(ctx, "columns"), Except: namesOf(ctx, "except"), Shape: form.shape}
	if x.Selection, err = selectionOf(ctx, c.now()); err != nil {
		return err
	}
	if ctx.IsSet("where") && len(query.Split(x.Where)) == 0 {
		return usage("leave --where away to export all", "--where is empty")
	}
	if err := x.Check(); err != nil {
		return usage("mdcalake query \"describe activities\" lists them", "%w", err)
	}
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	s := lake.Snapshot()
	var out *output
	var dir *outputDir
	if form.format == 0 {
		dir, err = newOutputDir("--out", ctx.String("out"), s.Root)
	} else {
		out, err = newOutput(c, "--out", ctx.String("out"), s.Root)
	}
	if err != nil {
		return err
	}
	if out != nil {
		defer out.discard()
	}
	if dir != nil {
		defer dir.discard()
	}
	engine, err := query.Open(ctx.Context, query.Options{Snapshot: s, TempDir: os.TempDir()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	boundAnswer()
	rows, err := engine.Export(ctx.Context, x)
	if err != nil {
		return err
	}
	defer rows.Close()
	said := ""
	if dir != nil {
		said, err = exportPartitions(ctx, rows, dir)
	} else {
		said, err = exportFile(ctx, c, rows, form, out)
	}
	if err != nil {
		return err
	}
	covered := coverageNote{c: c}
	covered.tell(rows)
	if !ctx.Bool("quiet") {
		fmt.Fprintf(c.err, "exported %s\nlake %s, head %d:%s\n", said, ctx.String("lake"), s.Version, s.Head)
	}
	return covered.verdict(ctx.Bool("require-coverage"))
}

// namesOf reads a list of names.
func namesOf(ctx *cli.Context, flag string) []string {
	if !ctx.IsSet(flag) {
		return nil
	}
	names := strings.Split(ctx.String(flag), ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// exportFormOf finds the form by -o or by the ending of --out.
func exportFormOf(ctx *cli.Context) (exportForm, error) {
	name, out := ctx.String("output"), ctx.String("out")
	if ctx.IsSet("out") && out == "" {
		return exportForm{}, usage("name a file or a new directory", "--out is empty")
	}
	at := slices.IndexFunc(exportForms, func(f exportForm) bool { return strings.EqualFold(f.name, name) })
	if !ctx.IsSet("output") {
		ending := strings.ToLower(filepath.Ext(strings.TrimRight(out, string(filepath.Separator))))
		at = slices.IndexFunc(exportForms, func(f exportForm) bool { return f.ending == ending && out != "" })
		switch {
		case out == "":
			return exportForm{}, usage("for example: mdcalake export --since 30d --out copy", "neither --out nor -o is given")
		case at < 0:
			return exportForm{}, usage("say with -o which of "+exportFormNames()+" is meant", "the ending of --out %q is unknown", out)
		}
	}
	if at < 0 {
		return exportForm{}, usage("choose one of "+exportFormNames(), "export format %q is unknown", name)
	}
	form := exportForms[at]
	switch {
	case form.format == 0 && out == "":
		return form, usage("name a new directory", "-o %s needs --out", form.name)
	case form.shape == query.TimesketchRows && out != "" && !strings.HasSuffix(out, ".jsonl"):
		return form, usage("name it "+filepath.Base(out)+".jsonl", "Timesketch takes files that end in .jsonl, and --out %q does not", out)
	}
	return form, nil
}

// exportFile writes one file, or to stdout.
func exportFile(ctx *cli.Context, c console, rows *query.Rows, form exportForm, out *output) (said string, err error) {
	result, err := query.Write(ctx.Context, out.writer(ctx.Context), form.format, rows, query.WriteOptions{Terminal: out.terminal, RawCSV: ctx.Bool("raw-csv")})
	if err != nil {
		return "", out.quietly(err)
	}
	if result.Neutralised > 0 {
		fmt.Fprintf(c.err, "%s would have run in a spreadsheet and got a ' in front; --raw-csv leaves them\n", things(result.Neutralised, "cell", "cells"))
	}
	said = things(result.Rows, "row", "rows")
	if out.file == nil {
		return said, nil
	}
	if info, err := out.file.Stat(); err == nil {
		said += ", " + size(info.Size())
	}
	return said + ", to " + ctx.String("out"), out.keep()
}

// exportPartitions writes a directory.
func exportPartitions(ctx *cli.Context, rows *query.Rows, dir *outputDir) (said string, err error) {
	done, err := query.WritePartitions(ctx.Context, dir.temp, rows)
	if err != nil {
		return "", err
	}
	said = fmt.Sprintf("%s in %s, %s, to %s", things(done.Rows, "row", "rows"), things(int64(done.Files), "file", "files"), size(done.Bytes), ctx.String("out"))
	if done.Files == 0 {
		said += " (which is empty: most readers refuse it)"
	}
	return said, dir.keep()
}
