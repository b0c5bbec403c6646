package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/store"
)

func compactCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "compact",
		Usage: "merge the lake's many small files into few that are well compressed",
		Description: `Makes one file of each day and service. The rows stay as they are, byte for byte:
what was merged is read back and compared before it takes its place. Queries
that are under way keep their files. ingest and import merge a part by
themselves; this does all of it.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "only show the plan, on stdout", DisableDefaultText: true},
			&cli.StringFlag{Name: "operator", Usage: "`NAME` of who compacts, for the chain of custody"},
			&cli.StringFlag{Name: "case", Usage: "`NUMBER` of the case, for the chain of custody"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no summary", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runCompact(ctx, c) },
	}
}

func runCompact(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	o := store.CompactOptions{All: true, Now: time.Now()}
	if ctx.Bool("dry-run") {
		return showCompaction(ctx, c, o)
	}
	w, err := openWritten(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	snapshot, err := w.Snapshot()
	if err != nil {
		return err
	}
	plan := store.PlanCompaction(snapshot, o)
	if len(plan.Merges) == 0 {
		if !ctx.Bool("quiet") {
			fmt.Fprintln(c.err, "nothing to merge")
		}
		return nil
	}
	p := newProgress(ctx, c)
	run := compactionRun(o.Now)
	run.Operator, run.CaseID = ctx.String("operator"), ctx.String("case")
	sum, err := w.Compact(ctx.Context, plan, run, func(at store.Compacted) { p.merging(at, len(plan.Merges)) })
	p.done()
	p.merged(sum)
	return err
}

// showCompaction prints a plan; it reads the lake as a query does.
func showCompaction(ctx *cli.Context, c console, o store.CompactOptions) error {
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	plan := store.PlanCompaction(lake.Snapshot(), o)
	for _, m := range plan.Merges {
		fmt.Fprintln(c.out, m)
	}
	_, err = fmt.Fprintf(c.out, "in all: %s\n", plan.Totals())
	return err
}

func compactionRun(started time.Time) store.Run {
	return store.Run{
		RunID: store.NewRunID(started), Started: started.UTC().Truncate(time.Millisecond), Outcome: store.OutcomeComplete, Verb: "compact", ToolVersion: version,
	}
}

// compactAfter merges files after a run, as far as its budget goes. before is
// the version that the run began with. The run is done: what goes wrong here
// loses nothing and is said, but is no failure of the run.
func compactAfter(ctx context.Context, w *store.Writer, before int64, p *progress) error {
	snapshot, err := w.Snapshot()
	if err != nil || snapshot.Version == before {
		return err
	}
	var written int64
	for _, f := range snapshot.Files {
		if f.Version > before {
			written += f.Size
		}
	}
	now := time.Now()
	plan := store.PlanCompaction(snapshot, store.CompactOptions{Budget: store.CompactionBudget(written), Now: now})
	if len(plan.Merges) == 0 {
		return nil
	}
	sum, err := w.Compact(ctx, plan, compactionRun(now), func(at store.Compacted) { p.merging(at, len(plan.Merges)) })
	p.done()
	p.merged(sum)
	if err != nil && !errors.Is(err, context.Canceled) {
		p.warn(fmt.Sprintf("the records are in the lake, but merging small files failed: %v", err))
		return nil
	}
	return err
}
