package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/store"
)

func statusCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "what the lake holds, whether it is at rest, and what wants attention",
		Description: `Reads the log, and the times of the last 30 days' records, and changes nothing.
Lateness is how long after an event its record was saved, by service, and, where
ingest --follow was there, how long after that it was first fetched. At rest, the Parquet files in the directory are
exactly the lake, for programs that read directories; while a run writes, or after
one that died, only query and Delta readers see one whole state.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.IntFlag{Name: "runs", Value: 5, Usage: "how many of the last runs to show"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json"},
		},
		Action: func(ctx *cli.Context) error { return runStatus(ctx, c) },
	}
}

func runStatus(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	format := ctx.String("output")
	if format != "table" && format != "json" {
		return usage("choose one of table, json", "output format %q is unknown", format)
	}
	if n := ctx.Int("runs"); n < 0 {
		return usage("0 shows none", "--runs %d is no number of runs", n)
	}
	s, err := store.ReadStatus(ctx.String("lake"))
	if err != nil {
		return err
	}
	now := c.now().UTC()
	status := statusOf(s, now, ctx.Int("runs"))
	if status.Lags, err = readLags(ctx.Context, ctx.String("lake"), now); err != nil {
		return err
	}
	if format == "json" {
		return writeJSON(c.out, status)
	}
	_, err = io.WriteString(c.out, status.text(ctx.String("lake")))
	return err
}

// lakeStatus is the machine's form of a status.
type lakeStatus struct {
	AtRest       bool             `json:"at_rest"`
	Writing      bool             `json:"writing"`
	Writer       string           `json:"writer,omitempty"`
	InFlight     int              `json:"files_in_flight"`
	Replaced     int              `json:"files_replaced"`  // and still there
	TakenOut     int              `json:"files_taken_out"` // by another program, and still there
	Tenant       store.Tenant     `json:"tenant"`
	Commits      int64            `json:"commits"`
	Head         string           `json:"head,omitempty"`
	Activities   tableStatus      `json:"activities"`
	Revisions    tableStatus      `json:"revisions"`
	Quarantine   tableStatus      `json:"quarantine"`
	Cells        int              `json:"cells"`
	Crowded      int              `json:"cells_of_several_files"`
	CrowdedFiles int              `json:"files_in_them"`
	First        time.Time        `json:"first_event,omitzero"`
	Last         time.Time        `json:"last_event,omitzero"`
	Drift        map[string]int64 `json:"drift"`
	Foreign      []int64          `json:"foreign_commits"`
	Adoptions    []adoptionStatus `json:"adoptions"`
	Purges       []purgeStatus    `json:"purges"`
	HolesSince   time.Time        `json:"holes_since"`
	Holes        []store.Hole     `json:"holes"`
	OnlyNamed    bool             `json:"only_named"`
	Asked        bool             `json:"asked"` // anything was ever asked for
	Runs         []store.Run      `json:"runs"`  // the last ones, newest first
	AllRuns      int              `json:"runs_in_all"`
	Lags         []serviceLags    `json:"lags"` // of the last 30 days, by service
}

type tableStatus struct {
	Rows  int64 `json:"rows"`
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

type purgeStatus struct {
	Version int64 `json:"version"`
	store.Purge
}

type adoptionStatus struct {
	Version int64 `json:"version"`
	store.Adoption
}

// holesReach is how far back status looks for holes.
const holesReach = 30 * 24 * time.Hour

func statusOf(s *store.Status, now time.Time, runs int) *lakeStatus {
	snapshot := s.Snapshot
	out := &lakeStatus{
		AtRest: s.AtRest(), Writing: s.Writing, Writer: s.Writer, InFlight: s.InFlight, Replaced: s.Replaced, TakenOut: s.TakenOut,
		Tenant: snapshot.Tenant, Commits: snapshot.Version + 1,
		Activities: tableOf(snapshot.Files), Revisions: tableOf(snapshot.Revisions), Quarantine: tableOf(snapshot.Quarantine),
		Drift: map[string]int64{}, Foreign: append([]int64{}, snapshot.Foreign...), Purges: []purgeStatus{}, Adoptions: []adoptionStatus{},
		HolesSince: now.Add(-holesReach).Truncate(time.Second), Asked: len(snapshot.Coverage) > 0, AllRuns: len(snapshot.Runs), Runs: []store.Run{},
	}
	if out.Commits > 0 {
		out.Head = fmt.Sprintf("%d:%s", snapshot.Version, snapshot.Head)
	}
	out.cells(snapshot.Files)
	for _, r := range snapshot.Runs {
		for column, n := range r.Drift {
			out.Drift[column] += n
		}
	}
	for _, p := range snapshot.Purges {
		out.Purges = append(out.Purges, purgeStatus{p.Version, p})
	}
	for _, a := range snapshot.Adoptions {
		out.Adoptions = append(out.Adoptions, adoptionStatus{a.Version, a})
	}
	coverage := snapshot.CoverageByService(out.HolesSince, now)
	out.OnlyNamed = snapshot.OnlyNamed()
	out.Holes = append([]store.Hole{}, snapshot.Holes(coverage)...)
	for i := len(snapshot.Runs) - 1; i >= 0 && len(out.Runs) < runs; i-- {
		out.Runs = append(out.Runs, snapshot.Runs[i])
	}
	return out
}

func tableOf(files []store.File) (t tableStatus) {
	for _, f := range files {
		t.Rows += f.Rows
		t.Bytes += f.Size
		t.Files++
	}
	return t
}

// cells takes over what the files of activities say by their places and bounds.
func (s *lakeStatus) cells(files []store.File) {
	perCell := map[store.Partition]int{}
	for _, f := range files {
		perCell[f.Partition]++
		bounds := f.Stats.Timestamp
		if bounds.Min > bounds.Max {
			continue
		}
		if first := time.UnixMilli(bounds.Min).UTC(); s.First.IsZero() || first.Before(s.First) {
			s.First = first
		}
		if last := time.UnixMilli(bounds.Max).UTC(); last.After(s.Last) {
			s.Last = last
		}
	}
	s.Cells = len(perCell)
	for _, n := range perCell {
		if n > 1 {
			s.Crowded++
			s.CrowdedFiles += n
		}
	}
}

// text is the status for people: a line of a kind.
func (s *lakeStatus) text(lake string) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s"+format+"\n", append([]any{name}, args...)...)
	}
	line("lake", "%s", lake+s.tenant())
	line("at rest", "%s", s.rest())
	if s.Commits == 0 {
		line("log", "no commit yet")
		return b.String()
	}
	line("log", "%s, head %s", things(s.Commits, "commit", "commits"), s.Head)
	line("activities", "%s", s.Activities.text())
	if !s.First.IsZero() {
		line("events", "%s .. %s", s.First.Format(time.RFC3339), s.Last.Format(time.RFC3339))
	}
	line("revisions", "%s", s.Revisions.text())
	line("quarantine", "%s", s.Quarantine.text())
	line("coverage", "%s", s.coverage())
	b.WriteString(lagsText(s.Lags))
	for i, r := range s.Runs {
		name := ""
		if i == 0 {
			name = "last runs"
		}
		line(name, "%s", runLine(r))
	}
	s.attention(&b)
	return b.String()
}

func (s *lakeStatus) tenant() string {
	switch {
	case s.Tenant.Several:
		return fmt.Sprintf(" (of several tenants: %s)", ids(s.Tenant.IDs))
	case s.Tenant.Host != "" && len(s.Tenant.IDs) > 0:
		return fmt.Sprintf(" (%s, tenant %s)", query.Visible(s.Tenant.Host), ids(s.Tenant.IDs))
	case s.Tenant.Host != "":
		return fmt.Sprintf(" (%s)", query.Visible(s.Tenant.Host))
	case len(s.Tenant.IDs) > 0:
		return fmt.Sprintf(" (tenant %s)", ids(s.Tenant.IDs))
	}
	return ""
}

func ids(numbers []int64) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	return strings.Join(texts, ", ")
}

func (s *lakeStatus) rest() string {
	var why []string
	switch {
	case s.Writing && s.Writer != "":
		why = append(why, query.Visible(s.Writer)+" writes")
	case s.Writing:
		why = append(why, "another process writes")
	case s.InFlight > 0:
		why = append(why, things(int64(s.InFlight), "file is", "files are")+" left of a run that died; the next writing verb removes them")
	}
	if s.Writing && s.InFlight > 0 {
		why = append(why, things(int64(s.InFlight), "file", "files")+" in flight")
	}
	if s.Replaced > 0 {
		why = append(why, things(int64(s.Replaced), "replaced file waits", "replaced files wait")+" for readers to end; the next writing verb removes them")
	}
	if s.TakenOut > 0 {
		why = append(why, things(int64(s.TakenOut), "file", "files")+" that another program took out of the table lie there still")
	}
	if len(why) == 0 {
		return "yes"
	}
	return "no: " + strings.Join(why, "; ")
}

func (t tableStatus) text() string {
	if t.Files == 0 {
		return "none"
	}
	return fmt.Sprintf("%s in %s, %s", things(t.Rows, "row", "rows"), things(int64(t.Files), "file", "files"), size(t.Bytes))
}

// coverage says in one line where holes are.
func (s *lakeStatus) coverage() string {
	switch {
	case !s.Asked:
		return "nothing was asked for yet"
	case len(s.Holes) == 0:
		return "no holes in the last 30 days"
	}
	var named []string
	for _, h := range s.Holes[:min(2, len(s.Holes))] {
		of := ""
		if h.Service != nil {
			of = fmt.Sprintf(" (service %d)", *h.Service)
		}
		named = append(named, fmt.Sprintf("%s .. %s %s%s", h.Since.Format("2006-01-02T15:04Z"), h.Until.Format("2006-01-02T15:04Z"), h.State, of))
	}
	more := ""
	if n := len(s.Holes) - len(named); n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("%s in the last 30 days: %s%s; mdcalake coverage draws them", things(int64(len(s.Holes)), "hole", "holes"), strings.Join(named, ", "), more)
}

func runLine(r store.Run) string {
	ended := "never ended"
	if !r.Ended.IsZero() {
		ended = r.Ended.Sub(r.Started).Round(time.Second).String()
	}
	return query.Visible(fmt.Sprintf("%s %s %s (%s): %s new, %s, %s, %s quarantined", r.Started.Format(time.RFC3339), r.Verb, r.Outcome, ended,
		count(r.Added), things(r.Duplicates, "duplicate", "duplicates"), things(r.Revisions, "revision", "revisions"), count(r.Quarantined)))
}

// attention is what wants some.
func (s *lakeStatus) attention(b *strings.Builder) {
	if n := s.Quarantine.Rows; n > 0 {
		fmt.Fprintf(b, "note: %s in quarantine: mdcalake query \"select reason, count(*) from quarantine group by all\"; after an update: mdcalake quarantine retry\n", things(n, "record is", "records are"))
	}
	columns := slices.SortedFunc(maps.Keys(s.Drift), func(x, y string) int { return cmp.Or(cmp.Compare(s.Drift[y], s.Drift[x]), cmp.Compare(x, y)) })
	for i, column := range columns {
		columns[i] = fmt.Sprintf("%s %s", query.Visible(column), count(s.Drift[column]))
	}
	if len(columns) > 0 {
		fmt.Fprintf(b, "note: values that their column could not hold (NULL there, kept in raw): %s\n", strings.Join(columns, ", "))
	}
	if s.Crowded > 0 {
		fmt.Fprintf(b, "note: compact would merge the %s of %s\n", things(int64(s.CrowdedFiles), "file", "files"), things(int64(s.Crowded), "cell", "cells"))
	}
	for _, p := range s.Purges {
		fmt.Fprintf(b, "purged: entry %d erased %s%s\n", p.Version, things(p.Rows, "row", "rows"), purgeText(p.Purge))
	}
	for _, a := range s.Adoptions {
		fmt.Fprintf(b, "note: %s\n", a.Text())
	}
	if len(s.Foreign) > 0 {
		fmt.Fprintf(b, "warning: log %s written by another program; mdcalake writes no more until mdcalake adopt has checked what it did\n", entriesText(s.Foreign))
	}
}

func purgeText(p store.Purge) string {
	text := ""
	switch p.Kind {
	case store.PurgeOlder:
		text = " older than " + p.Before.Format(time.RFC3339)
	case store.PurgeUser:
		text = " of one person"
	}
	if p.Reason != "" {
		text += ": " + query.Visible(p.Reason)
	}
	return text
}

func entriesText(versions []int64) string {
	if len(versions) == 1 {
		return fmt.Sprintf("entry %d was", versions[0])
	}
	return fmt.Sprintf("entries %s were", ids(versions))
}
