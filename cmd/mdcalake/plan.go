package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

// showPlan prints what an ingest would ask for. It reads the lake as a query
// does, and asks nobody.
func showPlan(ctx *cli.Context, c console, o ingest.Options) error {
	snapshot := &store.Snapshot{}
	lake, err := store.Open(ctx.String("lake"))
	switch {
	case err == nil:
		defer lake.Close()
		snapshot = lake.Snapshot()
	case !errors.Is(err, store.ErrNotALake):
		return err
	}
	now := c.now()
	if o.Since.IsZero() {
		o.Since = ingest.DefaultSince(snapshot, o.Services, o.Filter, now)
	}
	plan, err := ingest.PlanRun(snapshot, o, now)
	if err != nil {
		return err
	}
	if len(plan.Windows) == 0 {
		_, err := fmt.Fprintln(c.out, "nothing to do: all of it has been read, and nothing is due again")
		return err
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "since\tuntil\trecords\trequests\t  why\t")
	for _, w := range plan.Windows {
		records := "?"
		if plan.Known {
			records = count(w.Records)
		}
		why := w.Why
		if w.Archived {
			why += ", archived route"
		}
		if len(w.Services) > 0 {
			why += fmt.Sprintf(", services %v", w.Services)
		}
		until := w.Until
		if until.After(now) {
			until = now
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t  %s\t\n", w.Since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339), records, count(w.Requests), why)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if plan.More > 0 {
		fmt.Fprintf(c.out, "and %s\n", things(int64(plan.More), "window more", "windows more"))
	}
	least := ""
	if !plan.Known {
		least = "at least "
	}
	line := fmt.Sprintf("in all: %s, %s%s", things(int64(len(plan.Windows)+plan.More), "window", "windows"), least, things(plan.Requests, "request", "requests"))
	if rate := ctx.Int("rate"); rate > 0 {
		line += fmt.Sprintf(", %s%s at %d a minute", least, (time.Duration(plan.Requests) * time.Minute / time.Duration(rate)).Round(time.Second), rate)
	}
	if plan.Known {
		line += fmt.Sprintf(", about %s, %s", things(plan.Records, "record", "records"), size(plan.Bytes))
	} else {
		line += "; the lake has no day to judge by"
	}
	_, err = fmt.Fprintln(c.out, line)
	return err
}
