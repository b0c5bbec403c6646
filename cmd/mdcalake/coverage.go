package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/store"
)

func coverageCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "coverage",
		Usage: "draw what was asked for and what was not",
		Description: `A line a day (UTC), a column a service that was asked for by name; "all" is
what was asked for of all services at once. Only where it says complete does the
absence of a record mean that there was none. The other states: partial (not read
to its end, or only what was saved after some time), filtered (asked with a filter),
imported (from saved data), failed, beyond the door (asked on the main route when
older than 30 days), purged (erased on purpose, whatever was read before or since),
never asked. Each stretch that is not complete is listed as a hole.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "since", Usage: "begin of the event time (default: the first that was asked for)"},
			&cli.StringFlag{Name: "until", Usage: "end of the event time (default: the last that was asked for)"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json"},
		},
		Action: func(ctx *cli.Context) error { return runCoverage(ctx, c) },
	}
}

func runCoverage(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	format := ctx.String("output")
	if format != "table" && format != "json" {
		return usage("choose one of table, json", "output format %q is unknown", format)
	}
	now := time.Now()
	var span [2]time.Time
	for i, name := range []string{"since", "until"} {
		if ctx.IsSet(name) {
			t, err := parseTime(name, ctx.String(name), now)
			if err != nil {
				return err
			}
			span[i] = t
		}
	}
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	s := lake.Snapshot()
	first, last := s.CoverageSpan()
	if span[0].IsZero() {
		span[0] = first
	}
	if span[1].IsZero() {
		span[1] = last
	}
	if !span[0].IsZero() && !span[0].Before(span[1]) {
		return usage("--since must be before --until", "the time range is empty: it begins at %s and ends at %s", span[0].Format(time.RFC3339), span[1].Format(time.RFC3339))
	}
	columns := s.CoverageByService(span[0], span[1])
	if format == "json" {
		return coverageJSON(c.out, s, columns, span[0], span[1])
	}
	return drawCoverage(c.out, s, columns, span[0], span[1])
}

// columnName is the name of a service, or of all of them.
func columnName(c store.ServiceCoverage) string {
	if c.Service == nil {
		return "all"
	}
	return strconv.FormatInt(*c.Service, 10)
}

func coverageJSON(w io.Writer, s *store.Snapshot, columns []store.ServiceCoverage, since, until time.Time) error {
	for i := range columns {
		if columns[i].Stretches == nil {
			columns[i].Stretches = []store.Stretch{}
		}
	}
	return writeJSON(w, struct {
		Since     time.Time               `json:"since,omitzero"`
		Until     time.Time               `json:"until,omitzero"`
		OnlyNamed bool                    `json:"only_named"` // of all other services nothing is known
		Services  []store.ServiceCoverage `json:"services"`
		Holes     []store.Hole            `json:"holes"`
	}{since, until, s.OnlyNamed(), columns, append([]store.Hole{}, s.Holes(columns)...)})
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// drawCoverage prints days down and services across, then each hole.
func drawCoverage(w io.Writer, s *store.Snapshot, columns []store.ServiceCoverage, since, until time.Time) error {
	var b strings.Builder
	if since.IsZero() {
		b.WriteString("nothing was asked for yet\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	words := make([][]string, len(columns)) // a word a day
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = len(columnName(c))
		words[i] = dayStates(c.Stretches, since, until)
		for _, word := range words[i] {
			widths[i] = max(widths[i], len(word))
		}
	}
	line := func(date string, cell func(i int) string) {
		text := fmt.Sprintf("%-10s", date)
		for i := range columns {
			text += "  " + fmt.Sprintf("%-*s", widths[i], cell(i))
		}
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("date", func(i int) string { return columnName(columns[i]) })
	line(strings.Repeat("-", 10), func(i int) string { return strings.Repeat("-", widths[i]) })
	day := since.Truncate(24 * time.Hour)
	for n := range words[0] {
		line(day.Format(time.DateOnly), func(i int) string { return words[i][n] })
		day = day.Add(24 * time.Hour)
	}
	b.WriteString("\n")
	writeHoles(&b, s, columns)
	_, err := io.WriteString(w, b.String())
	return err
}

// dayStates says of each UTC day which state it is in; of a day with several,
// which ones, in their order.
func dayStates(stretches []store.Stretch, since, until time.Time) []string {
	var days []string
	for day := since.Truncate(24 * time.Hour); day.Before(until); day = day.Add(24 * time.Hour) {
		var states []string
		for len(stretches) > 0 && stretches[0].Since.Before(day.Add(24*time.Hour)) {
			s := stretches[0]
			if n := len(states); n == 0 || states[n-1] != s.State {
				states = append(states, s.State)
			}
			if s.Until.After(day.Add(24 * time.Hour)) {
				break
			}
			stretches = stretches[1:]
		}
		days = append(days, strings.Join(states, ", "))
	}
	return days
}

// writeHoles lists what is not complete.
func writeHoles(b *strings.Builder, s *store.Snapshot, columns []store.ServiceCoverage) {
	if s.OnlyNamed() {
		b.WriteString("only these services were ever asked for; of all others nothing is known\n")
	}
	holes := s.Holes(columns)
	for _, h := range holes {
		of := "all services"
		switch {
		case h.Service != nil:
			of = "service " + strconv.FormatInt(*h.Service, 10)
		case len(columns) > 1:
			of = "all services but those asked for by name"
		}
		fmt.Fprintf(b, "hole: %s .. %s, %s: %s", h.Since.Format(time.RFC3339Nano), h.Until.Format(time.RFC3339Nano), of, h.State)
		if h.Reason != "" {
			fmt.Fprintf(b, " (%s)", h.Reason)
		}
		b.WriteString("\n")
	}
	if len(holes) == 0 {
		b.WriteString("no holes\n")
	}
}
