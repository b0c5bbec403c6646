package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"mdcalake/query"
)

// explained prints which files a statement would read, why not the others, and
// DuckDB's plan. The statement itself is not run, unless it is an EXPLAIN
// ANALYZE.
func (a *asking) explained(run context.Context, sql string, w io.Writer) error {
	rows, err := a.engine.Query(run, explanation(sql))
	if err != nil {
		return err
	}
	defer rows.Close()
	if _, err := io.WriteString(w, pruningText(rows.Pruning())+"\n"); err != nil {
		return err
	}
	_, err = query.Write(run, w, query.Table, rows, query.WriteOptions{Width: a.options.Width, Terminal: a.options.Terminal})
	return err
}

// explanation is a statement that explains another. What is one already stays
// so.
func explanation(sql string) string {
	if query.Explains(sql) {
		return sql
	}
	return "EXPLAIN " + sql
}

// pruningText is a line for each table and reason.
func pruningText(p query.Pruning) string {
	var b strings.Builder
	if !p.Planned {
		fmt.Fprintf(&b, "every file is read: the plan says nothing (%s)\n", p.Why)
	}
	if p.Index != "" {
		fmt.Fprintf(&b, "the value index is not used: %s\n", p.Index)
	}
	for _, t := range p.Tables {
		total := t.Read
		for _, c := range t.LeftOut {
			total.Files += c.Files
			total.Bytes += c.Bytes
		}
		fmt.Fprintf(&b, "%s: reads %s of %s (%s of %s)\n", t.Table, things(int64(t.Read.Files), "file", "files"), fmt.Sprint(total.Files), size(t.Read.Bytes), size(total.Bytes))
		for r, c := range t.LeftOut {
			if c.Files > 0 {
				fmt.Fprintf(&b, "  left out by %s: %s, %s\n", query.Reason(r), things(int64(c.Files), "file", "files"), size(c.Bytes))
			}
		}
	}
	if len(p.Tables) == 0 {
		b.WriteString("no files are read\n")
	}
	return b.String()
}
