package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/query"
	"mdcalake/store"
)

func adoptCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "adopt",
		Usage: "check what another program has written to the table, and take it over or undo it",
		Description: `A lake is a Delta table, and other programs can write to it. What they wrote is
read, and nothing is written on top of it until this verb has looked at it: it
counts the rows that they took out and that came in, reads the whole lake again
as verify does, and then writes their rows into files of its own, in one commit
that the chain of custody keeps. Where that cannot be (a record stands twice, a
column does not follow from its record, rows that no run has brought), each
reason is printed a line on stdout and nothing is changed; exit code 6.

--revert undoes what they did: files that they took out become part of the table
again, as long as they are still there, and files that they brought in leave it.
Either way, files that are not part of the table afterwards are deleted. Copy the
lake first if what the other program did is itself evidence.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "revert", Usage: "make the table again what it was before the other program's entries", DisableDefaultText: true},
			&cli.StringFlag{Name: "operator", Usage: "`NAME` of who decides, for the chain of custody"},
			&cli.StringFlag{Name: "case", Usage: "`NUMBER` of the case, for the chain of custody"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only show the plan, on stdout", DisableDefaultText: true},
			&cli.BoolFlag{Name: "yes", Usage: "do not ask", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runAdopt(ctx, c) },
	}
}

func runAdopt(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	if ctx.Bool("revert") {
		if err := mayAsk(ctx, c, undoIt); err != nil {
			return err
		}
	}
	plan, err := planAdoption(ctx, c)
	if err != nil {
		return err
	}
	if plan.Empty() {
		fmt.Fprintln(c.err, "no other program has written to the lake: there is nothing to adopt")
		return nil
	}
	out := c.err
	if ctx.Bool("dry-run") {
		out = c.out
	}
	describeAdoption(out, plan)
	switch {
	case plan.Problems > 0 && plan.Reverted:
		return notAdopted("copy the files back from a copy of the lake, and try again", plan)
	case plan.Problems > 0:
		return notAdopted("'mdcalake adopt --revert' makes the table again what it was before", plan)
	case ctx.Bool("dry-run"):
		return nil
	case plan.Doubtful():
		if err := mayAsk(ctx, c, decision(plan)); err != nil {
			return err
		}
		if err := confirm(ctx, c, decision(plan)); err != nil {
			return err
		}
	}
	return carryOutAdoption(ctx, c, plan)
}

func planAdoption(ctx *cli.Context, c console) (*store.AdoptionPlan, error) {
	boundMemory()
	p := newProgress(ctx, c)
	defer p.done()
	o := store.AdoptOptions{Lift: ingest.Lift, Revert: ctx.Bool("revert"), Progress: p.step(time.Now())}
	return store.PlanAdoption(ctx.Context, ctx.String("lake"), o, func(problem store.Problem) {
		p.done()
		fmt.Fprintln(c.out, problem)
	})
}

func notAdopted(hint string, p *store.AdoptionPlan) error {
	return &exitError{code: exitDamage, err: usage(hint, "nothing was changed: %s", things(int64(p.Problems), "problem was found", "problems were found"))}
}

// What a person is asked to do.
const (
	undoIt     = "undo what it did"
	letItStand = "let it stand"
)

func decision(p *store.AdoptionPlan) string {
	if p.Reverted {
		return undoIt
	}
	return letItStand
}

func carryOutAdoption(ctx *cli.Context, c console, plan *store.AdoptionPlan) error {
	w, err := store.OpenWriter(ctx.String("lake"), store.WriterOptions{ToolVersion: version, Verb: ctx.Command.Name, Adopt: true})
	if err != nil {
		return err
	}
	defer w.Close()
	started := time.Now()
	receipt, err := w.Adopt(ctx.Context, plan, store.Run{
		RunID: store.NewRunID(started), Started: started.UTC().Truncate(time.Millisecond), Ended: time.Now().UTC().Truncate(time.Millisecond),
		Outcome: store.OutcomeComplete, Verb: "adopt", ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"),
	})
	if err != nil {
		return err
	}
	done := "adopted"
	if plan.Reverted {
		done = "undone"
	}
	fmt.Fprintf(c.err, "%s by entry %d, head %d:%s\n", done, receipt.Version, receipt.Version, receipt.Head)
	return nil
}

// describeAdoption prints a plan.
func describeAdoption(w io.Writer, p *store.AdoptionPlan) {
	fmt.Fprintf(w, "another program has written %s of the log\n", things(int64(len(p.Entries)), "entry", "entries"))
	for i, e := range p.Entries {
		if i == 10 {
			fmt.Fprintf(w, "  and %s more\n", things(int64(len(p.Entries)-i), "entry", "entries"))
			break
		}
		fmt.Fprintf(w, "  entry %d: %s\n", e.Version, query.Visible(strings.TrimSpace(orUnnamed(e.Operation)+" "+by(e.Engine))))
	}
	fmt.Fprintf(w, "  it took out %s, and brought in %s\n", extent(p.TakenOut), extent(p.BroughtIn))
	if p.Reverted {
		describeRevert(w, p)
		return
	}
	switch {
	case !p.Doubtful():
		fmt.Fprintln(w, "  no row was lost, and none came")
	default:
		fmt.Fprintf(w, "  %s lost, %s\n", things(p.Lost, "row was", "rows were"), things(p.Came, "row came", "rows came"))
	}
	if p.Unseen > 0 {
		fmt.Fprintf(w, "  files with %s are gone: of them only the number could be compared\n", things(p.Unseen, "row", "rows"))
	}
	if len(p.Properties) > 0 {
		fmt.Fprintf(w, "  properties of the table to be set back: %s\n", strings.Join(p.Properties, ", "))
	}
	if p.Restore.Files > 0 {
		fmt.Fprintf(w, "  to be named again as they were: %s\n", extent(p.Restore))
	}
	if p.Rewrite.Files > 0 {
		fmt.Fprintf(w, "  to be written again into files of mdcalake: %s\n", extent(p.Rewrite))
	}
}

func describeRevert(w io.Writer, p *store.AdoptionPlan) {
	fmt.Fprintf(w, "  to be put back: %s\n", extent(p.Restore))
	fmt.Fprintf(w, "  to be taken out of the table and deleted: %s\n", things(int64(len(p.Files)), "file", "files"))
	if len(p.Properties) > 0 {
		fmt.Fprintf(w, "  properties of the table to be set back: %s\n", query.Visible(strings.Join(p.Properties, ", ")))
	}
}

func orUnnamed(operation string) string {
	if operation == "" {
		return "an operation without a name"
	}
	return operation
}

func by(engine string) string {
	if engine == "" {
		return ""
	}
	return "by " + engine
}

func extent(e store.Extent) string {
	if e.Files == 0 {
		return "no file"
	}
	rows := "nobody says how many rows"
	if e.Rows >= 0 {
		rows = things(e.Rows, "row", "rows")
	}
	return fmt.Sprintf("%s (%s, %s)", things(e.Files, "file", "files"), rows, size(e.Bytes))
}
