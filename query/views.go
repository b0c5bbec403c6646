package query

import (
	"errors"
	"os"
	"strings"

	"mdcalake/store"
)

// lakeTable is a table of the lake that lies in Parquet files. Its view reads
// whatever files a variable of the connection names, so the same view serves
// for planning (on a template without rows) and for running.
type lakeTable struct {
	name    string
	columns []store.Column // as the files hold them, the keys of the path included
	files   func(*store.Snapshot) []store.File
	// keys says that date and service are in the path.
	keys bool
}

func (t *lakeTable) variable() string { return "mdca_" + t.name }

// lakeTables are the tables with files of their own.
var lakeTables = []*lakeTable{
	{name: "activities", columns: store.Columns, keys: true, files: func(s *store.Snapshot) []store.File { return s.Files }},
	{name: "revisions", columns: store.RevisionColumns, files: func(s *store.Snapshot) []store.File { return s.Revisions }},
	{name: "quarantine", columns: quarantineFileColumns(), files: func(s *store.Snapshot) []store.File { return s.Quarantine }},
}

// quarantineFileColumns are what the files of quarantine hold; the rest is
// folded from the log.
func quarantineFileColumns() []store.Column {
	var columns []store.Column
	for _, c := range store.QuarantineColumns {
		if c.Name != "last_seen" && c.Name != "times_seen" {
			columns = append(columns, c)
		}
	}
	return columns
}

// memoryTable is a table filled from the snapshot.
type memoryTable struct {
	schema  string
	name    string
	columns []store.Column
	rows    func(*store.Snapshot, func(...any) error) error
}

// asked is the name that a statement reads the table by.
func (t *memoryTable) asked() string {
	if t.schema == privateSchema {
		return "quarantine" // the sightings stand behind its view
	}
	return t.name
}

func (t *memoryTable) seenBy(q *question) bool { return q.tree.sees(t.asked()) }

// privateSchema holds what views need and nobody asks for. The guard refuses
// its name.
const privateSchema = "mdca_private"

var memoryTables = []*memoryTable{
	{schema: "main", name: "runs", columns: runColumns, rows: runRows},
	{schema: "main", name: "coverage", columns: coverageColumns, rows: coverageRows},
	{schema: privateSchema, name: "seen", columns: seenColumns, rows: seenRows},
}

// tableNames are the tables that a statement may name.
func tableNames() []string {
	var names []string
	for _, t := range lakeTables {
		names = append(names, t.name)
	}
	for _, t := range memoryTables {
		if t.schema == "main" {
			names = append(names, t.name)
		}
	}
	return append(names, cloudAppEvents)
}

// tableMeanings are the tables in a few words.
var tableMeanings = map[string]string{
	"activities":   "one row for each activity: its current payload",
	"revisions":    "payloads of activities that are not current",
	"quarantine":   "records that could not be read, as bytes",
	"runs":         "each ingest, import and whatever else wrote here",
	"coverage":     "what was asked for, and how that ended",
	cloudAppEvents: "activities under the names of Defender's hunting table",
}

// createTables is the SQL that makes the tables and views that a statement
// sees. The variables must name readable files: CREATE VIEW binds.
func createTables(q *question, s *store.Snapshot) string {
	var b strings.Builder
	for _, t := range memoryTables {
		if !t.seenBy(q) {
			continue
		}
		if t.schema == privateSchema {
			b.WriteString("CREATE SCHEMA " + privateSchema + ";\n")
		}
		b.WriteString("CREATE TABLE " + t.schema + "." + quoteName(t.name) + " (")
		for i, c := range t.columns {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quoteName(c.Name) + " " + c.Type.SQL())
		}
		b.WriteString(");\n")
	}
	for _, t := range lakeTables {
		if q.tree.sees(t.name) && !(t.name == "quarantine" && s.QuarantineLifted) {
			b.WriteString(t.createView(s) + ";\n")
		}
	}
	if q.tree.sees(cloudAppEvents) {
		b.WriteString(createCloudAppEvents())
	}
	return b.String()
}

// createView names and casts every column: no key of a path and no column of
// another writer's file comes through by accident, and the types are ours. A
// cast to the type that is already there costs nothing.
//
// There is one schema version today. When there are two, the columns that an
// old file lacks come as NULL by read_parquet(schema := MAP {...}), which
// cannot be had together with keys from the path: take those from filename
// then (tried, QUERY_ENGINE.md 1.7).
func (t *lakeTable) createView(s *store.Snapshot) string {
	sql := "CREATE VIEW " + quoteName(t.name) + " AS SELECT " + t.selectList()
	if t.name == "quarantine" {
		sql += ", coalesce(s.last_seen, f.first_seen) AS last_seen, 1 + coalesce(s.times, 0) AS times_seen"
	}
	sql += " FROM " + t.source() + " AS f"
	if t.name == "quarantine" {
		sql += " LEFT JOIN " + privateSchema + ".seen AS s ON s.content_hash = f.content_hash"
	}
	if !s.AsOf.IsZero() {
		sql += t.asOf(s.AsOf)
	}
	return sql
}

// selectList are the columns, from f.
func (t *lakeTable) selectList() string {
	var b strings.Builder
	for i, c := range t.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("f." + quoteName(c.Name) + "::" + c.Type.SQL() + " AS " + quoteName(c.Name))
	}
	return b.String()
}

// source reads the files that the table's variable names.
func (t *lakeTable) source() string {
	if t.keys {
		return "read_parquet(getvariable(" + quoteString(t.variable()) + "))"
	}
	// Their files lie flat. Without this a name with "=" would become a column.
	return "read_parquet(getvariable(" + quoteString(t.variable()) + "), hive_partitioning = false)"
}

// macros are the helpers of our own in SQL, a CREATE MACRO each. raw_text is ->> as
// a function: the operator binds weaker than AND and =, and so means something else
// in most places where people write it. counted is a number with its noun, for
// sentences: 1 file, 2 files.
var macros = []string{
	`CREATE MACRO raw_text(raw, path) AS json_extract_string(raw, path)`,
	`CREATE MACRO counted(n, one, many) AS format('{} {}', n, CASE n WHEN 1 THEN one ELSE many END)`,
}

// writeTemplate writes a Parquet file with the table's columns and no rows:
// what an empty table reads. date and service are ordinary columns in it, so
// that a plan on it shows filters on them with their types.
func (t *lakeTable) writeTemplate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return err
	}
	return errors.Join(store.WriteEmpty(f, t.columns), f.Close())
}
