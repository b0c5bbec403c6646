package query

import (
	"fmt"
	"strings"

	"mdcalake/store"
)

// Tables are the tables of the lake and how many rows they have, for a person.
// How many they had at an earlier time is not in the log.
func (e *Engine) Tables() string {
	s := e.snapshot
	rows := map[string]int64{"runs": int64(len(s.Runs)), "coverage": int64(len(s.Coverage))}
	for _, t := range lakeTables {
		if !s.AsOf.IsZero() {
			break
		}
		rows[t.name] = 0
		for _, f := range t.files(s) {
			rows[t.name] += f.Rows
		}
	}
	if n, known := rows["activities"]; known {
		rows[cloudAppEvents] = n
	}
	names := tableNames()
	lines := make([][2]string, len(names))
	numbers, width := make([]string, len(names)), 0
	for i, name := range names {
		if n, known := rows[name]; known {
			numbers[i] = grouped(n)
		}
		width = max(width, len(numbers[i]))
	}
	for i, name := range names {
		lines[i] = [2]string{name, fmt.Sprintf("%*s  %s", width, numbers[i], tableMeanings[name])}
	}
	return twoColumns(lines)
}

// SchemaSQL is a statement that tells the columns of a table, or of all.
// Errors are *CommandError.
func SchemaSQL(table string) (string, error) {
	table = strings.ToLower(table)
	tables := tableNames()
	where := "c.schema_name = 'main' AND NOT c.internal"
	columns := `c.table_name AS "table", `
	if table != "" {
		found := false
		for _, t := range tables {
			found = found || t == table
		}
		if !found {
			return "", &CommandError{What: fmt.Sprintf("there is no table %q", table), Candidates: nearest(table, tables), Hint: "the tables are " + strings.Join(tables, ", ")}
		}
		where += " AND c.table_name = " + quoteString(table)
		columns = ""
	}
	var meanings strings.Builder
	add := func(table string, list []store.Column) {
		for _, c := range list {
			if meanings.Len() > 0 {
				meanings.WriteString(", ")
			}
			fmt.Fprintf(&meanings, "(%s, %s, %s)", quoteString(table), quoteString(c.Name), quoteString(c.Meaning))
		}
	}
	for _, c := range eventColumns {
		add(cloudAppEvents, []store.Column{{Name: c.name, Meaning: c.note}})
	}
	for _, t := range lakeTables {
		add(t.name, t.columns)
	}
	for _, t := range memoryTables {
		add(t.name, t.columns)
	}
	return `SELECT ` + columns + `c.column_name AS "column", c.data_type AS type, coalesce(m.meaning, '') AS meaning
FROM duckdb_columns() AS c LEFT JOIN (VALUES ` + meanings.String() + `) AS m("table", "column", meaning)
  ON m."table" = c.table_name AND m."column" = c.column_name
WHERE ` + where + ` ORDER BY c.table_name, c.column_index`, nil
}
