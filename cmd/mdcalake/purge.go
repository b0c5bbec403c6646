package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

func purgeCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "purge",
		Usage: "erase what is too old, or what one person did, and say so in the chain of custody",
		Description: `Plans first, shows the plan, asks, and then erases in one commit. --older-than
erases whole UTC days and closes the lake for them: nothing that happened before
is taken any more. --user erases the activities whose user_name, actor_id or
actor_name is NAME (in any case), their revisions, records in quarantine that
name the person, and kept pages that hold any of it; rows of others that name
the person stay, and are counted. Hashes of the erased ids stay, so that the next
ingest does not bring them back. The coverage of that time says 'purged'.

What was erased cannot be brought back. Copies of the lake are not reached.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "older-than", Usage: "erase what happened before: `TIME`, 400d or 2025-11-01"},
			&cli.StringFlag{Name: "user", Usage: "erase the activities of `NAME`"},
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` for the chain of custody; needed with --user, and must not name the person"},
			&cli.StringFlag{Name: "operator", Usage: "`NAME` of who erases, for the chain of custody"},
			&cli.StringFlag{Name: "case", Usage: "`NUMBER` of the case, for the chain of custody"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only show the plan, on stdout", DisableDefaultText: true},
			&cli.BoolFlag{Name: "yes", Usage: "do not ask", DisableDefaultText: true},
			&cli.DurationFlag{Name: "wait", Value: time.Minute, Usage: "how long to wait for readers that hold the old files open"},
		},
		Action: func(ctx *cli.Context) error { return runPurge(ctx, c) },
	}
}

func runPurge(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	request, err := purgeRequest(ctx, time.Now())
	if err != nil {
		return err
	}
	if err := mayAsk(ctx, c, "erase this for good"); err != nil {
		return err
	}
	plan, err := planPurge(ctx, request)
	if err != nil {
		return err
	}
	if ctx.Bool("dry-run") {
		describePurge(c.out, plan)
		return nil
	}
	describePurge(c.err, plan)
	if plan.Empty() {
		fmt.Fprintln(c.err, "nothing to erase")
		return nil
	}
	if err := confirm(ctx, c, "erase this for good"); err != nil {
		return err
	}
	w, err := openWritten(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	started := time.Now()
	receipt, err := w.Purge(ctx.Context, plan, store.Run{
		RunID: store.NewRunID(started), Started: started.UTC().Truncate(time.Millisecond), Ended: time.Now().UTC().Truncate(time.Millisecond),
		Outcome: store.OutcomeComplete, Verb: "purge", ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "purge %d is in the log, head %d:%s\n", receipt.Version, receipt.Version, receipt.Head)
	return waitForReaders(ctx.Context, c, w, ctx.Duration("wait"))
}

// planPurge reads the lake as a query does.
func planPurge(ctx *cli.Context, q store.PurgeRequest) (*store.PurgePlan, error) {
	boundMemory()
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	return lake.PlanPurge(ctx.Context, q)
}

func purgeRequest(ctx *cli.Context, now time.Time) (store.PurgeRequest, error) {
	q := store.PurgeRequest{User: strings.TrimSpace(ctx.String("user")), Reason: ctx.String("reason"), Pages: ingest.PageRecords()}
	old := ctx.String("older-than")
	switch {
	case ctx.IsSet("user") == ctx.IsSet("older-than"):
		return q, usage("mdcalake purge --help explains both", "give one of --older-than and --user")
	case ctx.IsSet("user") && q.User == "":
		return q, usage("give a user name, an actor's id or an actor's name", "--user is empty")
	case ctx.IsSet("user") && strings.TrimSpace(q.Reason) == "":
		return q, usage("the chain of custody keeps it: a ticket, a decision, a law", "--user needs --reason TEXT")
	case ctx.IsSet("user") && strings.Contains(strings.ToLower(q.Reason), strings.ToLower(q.User)):
		return q, usage("the reason stays when the person's activities are gone", "--reason must not name the person")
	}
	if ctx.IsSet("older-than") {
		var err error
		if q.Before, err = parseTime("older-than", old, now); err != nil {
			return q, err
		}
		if q.Before.After(now) {
			return q, usage("400d means: what happened more than 400 days ago", "--older-than %s lies in the future", old)
		}
	}
	return q, nil
}

// describePurge prints a plan.
func describePurge(w io.Writer, p *store.PurgePlan) {
	if p.Kind == store.PurgeOlder {
		fmt.Fprintf(w, "to erase: all that happened before %s\n", p.Before.Format(time.RFC3339))
	} else {
		fmt.Fprintln(w, "to erase: the activities of one person")
		for _, name := range p.Columns {
			fmt.Fprintf(w, "  matched by %s: %s\n", name, things(p.ByColumn[name], "row", "rows"))
		}
	}
	fmt.Fprintf(w, "  %s, %s, %s in quarantine, %s\n", things(p.Rows, "row", "rows"), things(p.Revisions, "revision", "revisions"),
		things(p.Quarantine, "record", "records"), things(int64(len(p.Pages)), "kept page", "kept pages"))
	fmt.Fprintf(w, "  %s (%s) written again or dropped\n", things(int64(p.Files), "file", "files"), size(p.Bytes))
	if p.Kind == store.PurgeUser {
		fmt.Fprintf(w, "  %s of others name the person and stay\n", things(p.Mentions, "row", "rows"))
	}
}

// mayAsk refuses early what would have to be confirmed where nobody can be
// asked.
func mayAsk(ctx *cli.Context, c console, what string) error {
	if _, ok := terminal(c.in); ok || ctx.Bool("yes") || ctx.Bool("dry-run") {
		return nil
	}
	return usage("look at it with --dry-run, then give --yes", "nobody can be asked whether to %s", what)
}

// confirm asks on the terminal, unless --yes is given.
func confirm(ctx *cli.Context, c console, what string) error {
	if ctx.Bool("yes") {
		return nil
	}
	fmt.Fprintf(c.err, "Type yes to %s: ", what)
	answers := make(chan string, 1)
	go func() { // a read of the terminal that waits is left behind
		line, _ := bufio.NewReader(c.in).ReadString('\n') // the end of the input is no yes
		answers <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Context.Done():
		fmt.Fprintln(c.err)
		return ctx.Context.Err()
	case answer := <-answers:
		if answer != "yes" {
			return usage("type yes, or give --yes", "nothing was changed")
		}
		return nil
	}
}

// waitForReaders waits until the files that a commit has replaced are gone: a
// query that began before may still hold them.
func waitForReaders(ctx context.Context, c console, w *store.Writer, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	said := false
	for {
		left, err := w.RemoveReplaced()
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return &exitError{code: exitPartial, err: fmt.Errorf("%s that hold what was erased could not be deleted: a query is still reading the lake; the next writing verb deletes them, or 'mdcalake compact' at once", things(int64(left), "file", "files"))}
		}
		if !said {
			fmt.Fprintf(c.err, "waiting for a query that still reads %s\n", things(int64(left), "old file", "old files"))
			said = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
