package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
)

func probeCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "probe",
		Usage: "ask five questions that show how this tenant's API behaves",
		Description: `Reads, stores nothing, and changes nothing: neither lake nor tenant. Its report
holds no value of a record, no name, no host of the tenant and no credential, only
counts, sizes, times, types and the names of members, and what the API said where
it refused, without hosts, addresses and ids: it can be pasted into a bug report.
Five requests of the 30 a minute are used. Exit code 1 if none brought a page.

` + signInDescription,
		Flags: slices.Concat(clientFlags(), []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "`FORMAT`: text, json"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "nothing but the report", DisableDefaultText: true},
		}, signInFlags()),
		Action: func(ctx *cli.Context) error { return runProbe(ctx, c) },
	}
}

func runProbe(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	format := ctx.String("output")
	if format != "text" && format != "json" {
		return usage("choose one of text, json", "output format %q is unknown", format)
	}
	p := newProgress(ctx, c)
	client, _, err := newClient(ctx, c, p)
	if err != nil {
		return err
	}
	defer client.Close()
	report, err := ingest.Probe(ctx.Context, ingest.ProbeOptions{Client: client, Version: version, Clock: c.clock})
	p.done()
	if err != nil {
		return err
	}
	if format == "json" {
		err = writeJSON(c.out, report)
	} else {
		_, err = io.WriteString(c.out, probeText(report))
	}
	if err == nil && !report.Answered() {
		return &exitError{code: exitFailed}
	}
	return err
}

// probeText is the report for people.
func probeText(r *ingest.ProbeReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "mdcalake %s, host %s, signed in by %s, %s\n", r.Version, r.Host, r.SignIn, r.Asked.Format(time.RFC3339))
	for i, a := range r.Answers {
		fmt.Fprintf(&b, "\n%d. %s\n", i+1, a.Question)
		line := func(name, format string, args ...any) {
			fmt.Fprintf(&b, "   %-18s %s\n", name, fmt.Sprintf(format, args...))
		}
		if a.Status > 0 {
			line("status", "%d", a.Status)
		}
		if a.Error != "" {
			line("error", "%s", a.Error)
			continue
		}
		line("records", "%d, %s in %.1f s", a.Records, size(int64(a.Bytes)), a.Seconds)
		line("hasNext", "%s; total: %s", a.HasNext, a.Total)
		line("members", "%s", strings.Join(a.Members, ", "))
		if a.Cursor != "" {
			line("nextQueryFilters", "%s", a.Cursor)
		}
		line("headers", "%s", strings.Join(a.Headers, ", "))
	}
	b.WriteString("\nFindings\n")
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	common := commonMembers(r.Feeds)
	fmt.Fprintf(&b, "\nMembers on top of the records of every app\n- %s\n\nFurther ones, by app\n", strings.Join(common, ", "))
	for _, f := range r.Feeds {
		var further []string
		for _, name := range f.Members {
			if !slices.Contains(common, name) {
				further = append(further, name)
			}
		}
		fmt.Fprintf(&b, "- %d (%s): %s\n", f.AppID, things(int64(f.Records), "record", "records"), strings.Join(further, ", "))
		if len(f.Drift) > 0 {
			fmt.Fprintf(&b, "  of other types than the columns: %s\n", strings.Join(f.Drift, ", "))
		}
	}
	return b.String()
}

// commonMembers are those that all feeds have.
func commonMembers(feeds []ingest.FeedShape) []string {
	if len(feeds) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(feeds[0].Members), func(name string) bool {
		return slices.ContainsFunc(feeds, func(f ingest.FeedShape) bool { return !slices.Contains(f.Members, name) })
	})
}
