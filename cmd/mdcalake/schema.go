package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/store"
)

func schemaCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "schema",
		Usage:     "the data dictionary: every column, its meaning and how much of it is filled",
		ArgsUsage: "[TABLE...]",
		Description: `Of each column its type, how many of the rows have a value, where in a record
it comes from, what it means, and examples: the most frequent values of the newest
days. Where a column names people, addresses or what they touched, an example is
the shape of a value, with letters as a and digits as 9; --values shows the value.
All rows are counted; --since and --until bound the time that takes.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "table", Usage: "`FORMAT`: table, json, markdown"},
			&cli.StringFlag{Name: "since", Usage: "begin of the event time that is counted (default: the first)"},
			&cli.StringFlag{Name: "until", Usage: "end of the event time that is counted (default: the last)"},
			&cli.BoolFlag{Name: "no-examples", Usage: "show no values, and no shapes of any", DisableDefaultText: true},
			&cli.BoolFlag{Name: "values", Usage: "show values of columns that name people, too", DisableDefaultText: true},
		},
		Action: func(ctx *cli.Context) error { return runSchema(ctx, c) },
	}
}

func runSchema(ctx *cli.Context, c console) (err error) {
	write, ok := map[string]func(io.Writer, []query.DictionaryTable) error{
		"table": printDictionary, "markdown": markDictionary, "json": func(w io.Writer, d []query.DictionaryTable) error { return writeJSON(w, d) },
	}[ctx.String("output")]
	if !ok {
		return usage("choose one of table, json, markdown", "output format %q is unknown", ctx.String("output"))
	}
	o := query.DictionaryOptions{NoExamples: ctx.Bool("no-examples"), Values: ctx.Bool("values")}
	if o.NoExamples && o.Values {
		return usage("leave one of them out", "--values and --no-examples contradict each other")
	}
	for _, name := range ctx.Args().Slice() {
		name = strings.ToLower(name)
		if !slices.Contains(query.TableNames(), name) {
			return usage("the tables are "+strings.Join(query.TableNames(), ", "), "there is no table %q", query.Visible(name))
		}
		o.Tables = append(o.Tables, name)
	}
	for name, bound := range map[string]*time.Time{"since": &o.Since, "until": &o.Until} {
		if ctx.IsSet(name) {
			if *bound, err = parseTime(name, ctx.String(name), c.now()); err != nil {
				return err
			}
		}
	}
	if !o.Since.IsZero() && !o.Until.IsZero() && !o.Since.Before(o.Until) {
		return usage("--since must be before --until", "the time range is empty: it begins at %s and ends at %s", o.Since.Format(time.RFC3339), o.Until.Format(time.RFC3339))
	}
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return err
	}
	defer lake.Close()
	engine, err := query.Open(ctx.Context, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	dictionary, err := engine.Dictionary(ctx.Context, o)
	if err != nil {
		return err
	}
	return write(c.out, dictionary)
}

// filled is how much of a column has a value: exact at both ends, since "all"
// and "none" are what people look for.
func filled(d query.DictionaryColumn) string {
	switch {
	case d.FillRate == nil:
		return "-"
	case *d.Filled == 0:
		return "0 %"
	case *d.FillRate == 1:
		return "100 %"
	}
	return fmt.Sprintf("%.1f %%", min(max(*d.FillRate*100, 0.1), 99.9))
}

func heading(t query.DictionaryTable) string {
	if t.Rows == nil {
		return t.Name + ": " + t.Meaning
	}
	return fmt.Sprintf("%s: %s; %s", t.Name, t.Meaning, things(*t.Rows, "row", "rows"))
}

// printDictionary writes a few lines a column: side by side, types and meanings
// would not fit on any terminal.
func printDictionary(w io.Writer, tables []query.DictionaryTable) error {
	var b strings.Builder
	for i, t := range tables {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(heading(t) + "\n")
		name, typ := 0, 0
		for _, d := range t.Columns {
			name = max(name, len(d.Name))
			if len(d.Type) <= len("TIMESTAMPTZ") {
				typ = max(typ, len(d.Type))
			}
		}
		for _, d := range t.Columns {
			line := fmt.Sprintf("  %-*s  %7s  %-*s  %s", name, d.Name, filled(d), typ, d.Type, d.Source)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			if d.Meaning != "" {
				b.WriteString("      " + d.Meaning + "\n")
			}
			if len(d.Examples) > 0 {
				word := "e.g. "
				if d.Shapes {
					word = "like "
				}
				b.WriteString("      " + word + strings.Join(d.Examples, " | ") + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markDictionary writes a section and a table for each table of the lake.
func markDictionary(w io.Writer, tables []query.DictionaryTable) error {
	var b strings.Builder
	for i, t := range tables {
		if i > 0 {
			b.WriteString("\n")
		}
		examples := slices.ContainsFunc(t.Columns, func(d query.DictionaryColumn) bool { return len(d.Examples) > 0 })
		head, rule := "| column | type | filled | source | meaning |", "|---|---|---:|---|---|"
		if examples {
			head, rule = head+" examples |", rule+"---|"
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n%s\n%s\n", t.Name, strings.TrimPrefix(heading(t), t.Name+": "), head, rule)
		for _, d := range t.Columns {
			cells := []string{"`" + d.Name + "`", "`" + d.Type + "`", filled(d), markText(d.Source), markText(d.Meaning)}
			if examples {
				var shown []string
				for _, e := range d.Examples {
					shown = append(shown, markCode(e))
				}
				text := strings.Join(shown, ", ")
				if d.Shapes && text != "" {
					text = "like " + text
				}
				cells = append(cells, text)
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markText keeps text from being read as markup.
var markText = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "[", `\[`, "`", "\\`").Replace

// markCode is a value from the lake as a piece of code. In a table even code
// ends at a bar, and a run of backticks ends it everywhere.
func markCode(s string) string {
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	pad := ""
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.TrimSpace(s) == "" {
		pad = " "
	}
	return fence + pad + strings.ReplaceAll(s, "|", `\|`) + pad + fence
}
