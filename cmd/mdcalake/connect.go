package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/store"
)

func connectCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "connect",
		Usage: "write a SQL file that opens the lake in the DuckDB command line or a notebook",
		Description: `The file makes the tables that 'mdcalake query' has (activities, revisions,
quarantine, runs, coverage, cloud_app_events) and raw_text and counted in any
DuckDB; ip_in is mdcalake's own:

  mdcalake connect --out lake.sql && duckdb -init lake.sql
  duckdb.connect().execute(open("lake.sql").read())        in Python

It names the exact files of one version of the lake; after an ingest or a
compaction write it again. --since, --until and --service narrow activities and
revisions to a window: to its files, and in them to its rows. Nothing guards
the lake there: such a DuckDB can write.`,
		Flags: append(append([]cli.Flag{lakeFlag()}, selectionFlags()...),
			&cli.StringFlag{Name: "out", Usage: "write the SQL to `FILE` (default: stdout)"},
			&cli.BoolFlag{Name: "relative", Usage: "paths from the directory of FILE (stdout: from the current one), in which DuckDB must then be started", DisableDefaultText: true},
		),
		Action: func(ctx *cli.Context) error { return runConnect(ctx, c) },
	}
}

func runConnect(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	selection, err := selectionOf(ctx, c.now())
	if err != nil {
		return err
	}
	if ctx.IsSet("out") && ctx.String("out") == "" {
		return usage("give a file; without --out the SQL goes to stdout", "--out is empty")
	}
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	connection := query.Connection{Snapshot: lake.Snapshot(), Selection: selection, Tool: "mdcalake " + version + " connect"}
	if connection.Dir, err = connectionDir(ctx, lake.Snapshot().Root); err != nil {
		return err
	}
	out, err := newOutput(c, "--out", ctx.String("out"), lake.Snapshot().Root)
	if err != nil {
		return err
	}
	defer out.discard()
	if err := query.WriteConnection(out.w, connection); err != nil {
		return out.quietly(fmt.Errorf("write the SQL: %w", err))
	}
	if err := out.keep(); err != nil {
		return err
	}
	trouble := connection.Trouble()
	if trouble.Key != "" {
		fmt.Fprintf(c.err, "warning: the way to the lake has %q in it, which DuckDB takes for a column of that name: this SQL keeps it out; a read_parquet of your own needs hive_partitioning = false\n", trouble.Key)
	}
	if trouble.Pattern != "" {
		fmt.Fprintf(c.err, "warning: the way to the lake has %q in it, which DuckDB reads as a pattern: in this SQL it stands for itself; in a path of your own write it in brackets, like [%c]\n", trouble.Pattern, trouble.Pattern[0])
	}
	return nil
}

// connectionDir is the way to the lake as DuckDB will go it.
func connectionDir(ctx *cli.Context, root string) (string, error) {
	if !ctx.Bool("relative") {
		return root, nil
	}
	from, err := os.Getwd()
	if err == nil && ctx.IsSet("out") {
		from, err = filepath.Abs(filepath.Dir(ctx.String("out")))
	}
	if err == nil {
		from, err = filepath.EvalSymlinks(from)
	}
	if err != nil {
		return "", usage("make the directory first", "--out: %w", err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", fmt.Errorf("find the way to the lake: %w", err)
	}
	dir, err := filepath.Rel(from, root)
	if err != nil {
		return "", usage("leave --relative away", "--relative: %w", err)
	}
	return dir, nil
}
