package querytest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver that query uses
)

// DuckDB is one without us, of the version that we embed.
type DuckDB struct{ db *sql.DB }

// Open opens an empty one, in memory, and runs statements.
func Open(ctx context.Context, statements ...string) (DuckDB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return DuckDB{}, err
	}
	db.SetMaxOpenConns(1)
	for _, statement := range append([]string{"SET TimeZone = 'UTC'"}, statements...) {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			db.Close()
			return DuckDB{}, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return DuckDB{db}, nil
}

// OverGlob are the statements by which the table activities is what a glob finds
// in a lake.
func OverGlob(lake string) []string {
	return []string{
		rawText,
		"CREATE VIEW activities AS SELECT * FROM read_parquet(" + Literal(lake+"/activities/date=*/service=*/*.parquet") +
			", hive_partitioning = true, hive_types = {'date': DATE, 'service': BIGINT})",
	}
}

// OverRecords are those by which it is what a SELECT (testdata/bench) lifts out
// of files of records.
func OverRecords(lift string) []string {
	return []string{rawText, "CREATE VIEW activities AS " + lift}
}

const rawText = "CREATE MACRO raw_text(raw, path) AS json_extract_string(raw, path)"

// Close ends it.
func (d DuckDB) Close() error { return d.db.Close() }

// Literal writes a text as SQL does.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Run runs a statement whose rows nobody wants.
func (d DuckDB) Run(ctx context.Context, statement string) error {
	_, err := d.db.ExecContext(ctx, statement)
	return err
}

// Answer is a whole one.
type Answer struct {
	Columns []string // names and types
	Rows    [][]any
}

// Ask takes the whole answer to a statement.
func (d DuckDB) Ask(ctx context.Context, statement string, args ...any) (Answer, error) {
	fail := func(err error) (Answer, error) { return Answer{}, fmt.Errorf("%s\n%w", statement, err) }
	rows, err := d.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return fail(err)
	}
	var a Answer
	for _, c := range types {
		a.Columns = append(a.Columns, c.Name()+" "+c.DatabaseTypeName())
	}
	for rows.Next() {
		row, into := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fail(err)
		}
		a.Rows = append(a.Rows, row)
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return a, nil
}
