package query

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mdcalake/store"
)

// The tables of a lake for a DuckDB that is not ours: its command line, or one
// in a notebook. It has none of our functions and reads what it is told, so
// each view names the exact files of one snapshot, with the types that `query`
// has, and nothing depends on what else lies in the directory.

// Connection is what WriteConnection writes.
type Connection struct {
	Snapshot *store.Snapshot
	// Dir is the way to the lake as the reader will go it, absolute or from the
	// directory in which DuckDB will run.
	Dir string
	// Selection narrows activities and revisions, files and rows.
	Selection Selection
	// Tool is the program and version that the text names.
	Tool string
}

// PathTrouble is what DuckDB would see in a lake's path that is not meant.
type PathTrouble struct {
	Key     string // a "name=value" of the path, which DuckDB takes for a column
	Pattern string // characters that it reads as a pattern
}

// Trouble says what DuckDB would misread in the path. What WriteConnection
// writes is right all the same; a path that somebody types is not.
func (c Connection) Trouble() PathTrouble {
	var t PathTrouble
	for _, name := range strings.Split(filepath.ToSlash(c.Dir), "/") {
		if key, _, is := strings.Cut(name, "="); is && key != "" && t.Key == "" {
			t.Key = name
		}
	}
	for _, r := range "*?[" {
		if strings.ContainsRune(c.Dir, r) {
			t.Pattern += string(r)
		}
	}
	return t
}

// WriteConnection writes the SQL. It fails before it writes for a path that
// DuckDB cannot be given, and for a snapshot of the past, whose files are not
// its own.
func WriteConnection(w io.Writer, c Connection) error {
	if !c.Snapshot.AsOf.IsZero() {
		return errors.New("name the files of an earlier time: they hold later rows as well")
	}
	trouble := c.Trouble()
	if trouble.Pattern != "" && strings.Contains(c.Dir, `\`) {
		return fmt.Errorf(`name the files of %q: DuckDB cannot be given a path with a backslash and one of * ? [`, c.Dir)
	}
	b := bufio.NewWriter(w)
	c.writeHead(b)
	for _, t := range lakeTables {
		view, err := c.view(t, trouble)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "\n-- %s: %s\n%s;\n", t.name, tableMeanings[t.name], view)
	}
	for _, t := range memoryTables {
		if t.schema == privateSchema {
			continue // stands in the view of quarantine
		}
		rows, err := c.literalRows(t)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "\n-- %s: %s\nCREATE OR REPLACE TABLE %s AS %s;\n", t.name, tableMeanings[t.name], quoteName(t.name), rows)
	}
	fmt.Fprintf(b, "\n-- %s: %s\n%s", cloudAppEvents, tableMeanings[cloudAppEvents], orReplace(createCloudAppEvents()))
	return b.Flush()
}

func (c Connection) writeHead(b *bufio.Writer) {
	fmt.Fprintf(b, "-- A lake of Microsoft Defender for Cloud Apps activities, for DuckDB.\n")
	fmt.Fprintf(b, "-- Written by %s: lake %s, version %d of its log", c.Tool, strconv.Quote(c.Dir), c.Snapshot.Version)
	if c.Snapshot.Head != "" {
		fmt.Fprintf(b, ", head %d:%s", c.Snapshot.Version, c.Snapshot.Head)
	}
	b.WriteString(".\n")
	if condition := c.Selection.condition(); condition != "" {
		fmt.Fprintf(b, "-- Only where %s.\n", condition)
	}
	b.WriteString(`-- The files are those of that version: after an ingest there are more, and after
-- a compaction or a purge some are gone. Then write this file again.
--
--   duckdb -init FILE                             the command line
--   connection.execute(open("FILE").read())       Python
`)
	if !filepath.IsAbs(c.Dir) {
		b.WriteString("--\n-- The paths are relative: start DuckDB where they begin.\n")
	}
	b.WriteString("\nSET TimeZone = 'UTC';\n")
	for _, m := range macros {
		b.WriteString(orReplace(m) + ";\n")
	}
}

// orReplace lets a statement that creates run again.
func orReplace(sql string) string { return strings.Replace(sql, "CREATE ", "CREATE OR REPLACE ", 1) }

// keysOfPath takes date and service out of a file's name: the last two of its
// directories, whatever stands before them.
const keysOfPath = `'date=([0-9-]+)/service=(-?[0-9]+)/[^/]*$'`

// view is the CREATE VIEW of a table.
func (c Connection) view(t *lakeTable, trouble PathTrouble) (string, error) {
	files := c.Selection.files(t, c.Snapshot)
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE OR REPLACE VIEW %s AS SELECT", quoteName(t.name))
	for i, column := range t.columns {
		if i > 0 {
			b.WriteByte(',')
		}
		from := "f." + quoteName(column.Name)
		switch {
		case len(files) == 0:
			from = "NULL"
		case column.Partition && t.keys && trouble.Key != "":
			group := map[string]int{"date": 1, "service": 2}[column.Name]
			from = fmt.Sprintf("regexp_extract(f.filename, %s, %d)", keysOfPath, group)
		}
		fmt.Fprintf(&b, "\n  %s::%s AS %s", from, column.Type.SQL(), quoteName(column.Name))
	}
	var seen string
	if t.name == "quarantine" {
		var err error
		if seen, err = c.sightings(); err != nil {
			return "", err
		}
		if len(files) == 0 {
			b.WriteString(",\n  NULL::TIMESTAMPTZ AS last_seen,\n  NULL::BIGINT AS times_seen")
		} else {
			b.WriteString(",\n  coalesce(s.last_seen, f.first_seen) AS last_seen,\n  1 + coalesce(s.times, 0) AS times_seen")
		}
	}
	if len(files) == 0 {
		b.WriteString("\nWHERE false") // a list may not be empty
		return b.String(), nil
	}
	b.WriteString("\nFROM read_parquet([")
	for i, f := range files {
		if err := t.checkPath(f); err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  " + quoteString(c.path(f.Path)))
	}
	switch {
	case t.keys && trouble.Key == "":
		b.WriteString("\n], hive_partitioning = true, hive_types = {'date': DATE, 'service': BIGINT}) AS f")
	case t.keys:
		// A key in the lake's own path would win over the file's own column.
		b.WriteString("\n], hive_partitioning = false, filename = true) AS f")
	default:
		b.WriteString("\n], hive_partitioning = false) AS f")
	}
	b.WriteString(seen)
	if t.name != "quarantine" { // its records have no time and no service
		if condition := c.Selection.condition(); condition != "" {
			// Of the names in the view, not of those in the files.
			return "CREATE OR REPLACE VIEW " + quoteName(t.name) + " AS SELECT * FROM (" +
				strings.TrimPrefix(b.String(), "CREATE OR REPLACE VIEW "+quoteName(t.name)+" AS ") + "\n) WHERE " + condition, nil
		}
	}
	return b.String(), nil
}

// sightings joins what the log says of quarantined records that came again.
func (c Connection) sightings() (string, error) {
	for _, t := range memoryTables {
		if t.schema == privateSchema {
			rows, err := c.literalRows(t)
			return "\nLEFT JOIN (" + rows + ") AS s ON s.content_hash = f.content_hash", err
		}
	}
	return "", nil
}

// literalRows is a table of the log as a SELECT of its values.
func (c Connection) literalRows(t *memoryTable) (string, error) {
	var names, types []string
	for i, column := range t.columns {
		names = append(names, "c"+strconv.Itoa(i))
		types = append(types, fmt.Sprintf("c%d::%s AS %s", i, column.Type.SQL(), quoteName(column.Name)))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s\nFROM (VALUES", strings.Join(types, ", "))
	n := 0
	write := func(values ...any) error {
		if n > 0 {
			b.WriteByte(',')
		}
		n++
		b.WriteString("\n  (")
		for i, v := range values {
			if i > 0 {
				b.WriteString(", ")
			}
			text, err := literal(v)
			if err != nil {
				return fmt.Errorf("write column %s of %s: %w", t.columns[i].Name, t.name, err)
			}
			b.WriteString(text)
		}
		b.WriteByte(')')
		return nil
	}
	if err := t.rows(c.Snapshot, write); err != nil {
		return "", err
	}
	where := ""
	if n == 0 { // VALUES may not be empty
		if err := write(make([]any, len(t.columns))...); err != nil {
			return "", err
		}
		where = "\nWHERE false"
	}
	fmt.Fprintf(&b, "\n) AS t(%s)%s", strings.Join(names, ", "), where)
	return b.String(), nil
}

// literal is a value of the log in SQL.
func literal(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case string:
		return quoteString(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case time.Time:
		return quoteMoment(v), nil
	}
	return "", fmt.Errorf("a value of type %T is not known in SQL", v)
}

// path is a file's path as DuckDB has to be given it: it reads names as
// patterns, where a character in brackets stands for itself.
func (c Connection) path(file string) string {
	p := filepath.Join(c.Dir, filepath.FromSlash(file))
	if strings.ContainsAny(p, "*?[") {
		p = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(p)
	}
	if !filepath.IsAbs(p) && strings.ContainsAny(p, "~:") {
		p = "./" + p // neither a home directory nor a scheme
	}
	return p
}
