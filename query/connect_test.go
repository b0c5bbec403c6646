package query_test

import (
	"bytes"
	"database/sql"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
	"mdcalake/store"
)

// connectionQuestions are asked of query and of a DuckDB that knows nothing of
// us; the answers must be the same text.
var connectionQuestions = []string{
	"select date, service, count(*), count(distinct user_name), sum(len(objects)) from activities group by all order by all",
	"select typeof(columns(*)) from activities limit 1",
	"select typeof(columns(*)) from revisions limit 1",
	"select min(epoch_us(timestamp)), max(epoch_us(created)), max(epoch_us(ingested)), sum(epoch_us(timestamp)::HUGEINT) from activities",
	"select activity_id, user_name, date, service, objects, user_tags, raw from activities order by all",
	"select raw_text(raw, '$.x'), count(*) from activities group by all order by all",
	"select * from quarantine order by all",
	"select * from runs order by all",
	"select * from coverage order by all",
	"select count(*) from activities where date = '2026-03-02' and service = 20893",
}

func TestABareDuckDBAnswersAsQueryDoes(t *testing.T) {
	for _, place := range []string{"plain", "user_name=bob/case=7", "date=2020-01-01/service=1", "a[x]b/q?r*s/service=9"} {
		t.Run(place, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), place)
			s := newLake(t, dir, 3)
			if strings.Contains(place, "[x]") { // what the pattern would find
				newLake(t, strings.ReplaceAll(dir, "[x]", "x"), 1)
			}
			bare := connected(t, query.Connection{Snapshot: s, Dir: s.Root, Tool: "mdcalake"})
			e := open(t, s)
			for _, q := range connectionQuestions {
				if diff := cmp.Diff(plainCells(t, e, q), cells(t, bare, q)); diff != "" {
					t.Errorf("%s\n- query, + a bare DuckDB:\n%s", q, diff)
				}
			}
		})
	}
}

func TestAConnectionIsOfItsWindow(t *testing.T) {
	s := newLake(t, t.TempDir(), 4)
	for i := range s.Revisions {
		s.Revisions[i].Stats.Timestamp = store.Range{Min: firstDay.UnixMilli(), Max: firstDay.Add(time.Hour).UnixMilli()}
	}
	hour := func(n int) time.Time { return firstDay.Add(time.Duration(n) * time.Hour) }
	for _, c := range []struct {
		name          string
		selection     query.Selection
		files         int
		rows, revised string
	}{
		{"all", query.Selection{}, 8, "192", "3"},
		{"a day", query.Selection{Since: hour(24), Until: hour(48)}, 2, "48", "0"},
		{"an hour of one service", query.Selection{Since: hour(30), Until: hour(31), Services: []int64{20893}}, 1, "1", "0"},
		{"up to a microsecond behind a row", query.Selection{Until: hour(1).Add(time.Microsecond)}, 2, "4", "3"},
		{"up to a row", query.Selection{Until: hour(1)}, 2, "2", "2"},
		{"from the last row", query.Selection{Since: hour(95)}, 2, "2", "0"},
		{"from behind the last row", query.Selection{Since: hour(95).Add(time.Microsecond)}, 2, "0", "0"},
		{"another time", query.Selection{Since: hour(1000)}, 0, "0", "0"},
		{"a service that is not there", query.Selection{Services: []int64{5}}, 0, "0", "0"},
		{"two services", query.Selection{Until: hour(24), Services: []int64{11161, 20893}}, 2, "48", "3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			connection := query.Connection{Snapshot: s, Dir: s.Root, Selection: c.selection, Tool: "mdcalake"}
			if n := strings.Count(connectionSQL(t, connection), "/activities/date="); n != c.files {
				t.Errorf("%d files are named, want %d", n, c.files)
			}
			got := cells(t, connected(t, connection), "select (select count(*) from activities), (select count(*) from revisions)")
			if want := [][]string{{c.rows, c.revised}}; !cmp.Equal(got, want) {
				t.Errorf("rows %v, want %v", got, want)
			}
		})
	}
}

func TestAConnectionToALakeWithoutRecords(t *testing.T) {
	s := newLake(t, t.TempDir(), 0)
	bare := connected(t, query.Connection{Snapshot: s, Dir: s.Root, Tool: "mdcalake"})
	for _, table := range []string{"activities", "revisions", "quarantine", "runs", "coverage"} {
		if got := cells(t, bare, "select count(*) from "+table); got[0][0] != "0" {
			t.Errorf("%s has %s rows", table, got[0][0])
		}
	}
	e := open(t, s)
	if diff := cmp.Diff(plainCells(t, e, "describe activities"), cells(t, bare, "describe activities")); diff != "" {
		t.Errorf("- query, + a bare DuckDB:\n%s", diff)
	}
}

func TestARelativeConnectionBeginsWhereItIsSaid(t *testing.T) {
	s := newLake(t, filepath.Join(t.TempDir(), "~home"), 1)
	above := filepath.Dir(filepath.Dir(s.Root))
	t.Chdir(above)
	text := connectionSQL(t, query.Connection{Snapshot: s, Dir: "~home/lake", Tool: "mdcalake"})
	if strings.Contains(text, above) {
		t.Errorf("the SQL names the place of the lake:\n%s", text)
	}
	if got := cells(t, bareDuckDB(t, text), "select count(*) from activities"); got[0][0] != "48" {
		t.Errorf("%v rows", got)
	}
}

func TestAPathThatDuckDBCannotBeGiven(t *testing.T) {
	var b bytes.Buffer
	err := query.WriteConnection(&b, query.Connection{Snapshot: &store.Snapshot{}, Dir: `/a\b/c*`})
	if err == nil || b.Len() > 0 {
		t.Errorf("err %v, and wrote %q", err, b.String())
	}
}

func connectionSQL(t *testing.T, c query.Connection) string {
	t.Helper()
	var b bytes.Buffer
	if err := query.WriteConnection(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func connected(t *testing.T, c query.Connection) *sql.DB {
	t.Helper()
	return bareDuckDB(t, connectionSQL(t, c))
}

// bareDuckDB is one with nothing of ours but the text.
func bareDuckDB(t *testing.T, text string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for range 2 { // written again, it may be read again
		if _, err := db.Exec(text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return db
}

// cells is an answer as text; every value is cast by the engine itself.
func cells(t *testing.T, db *sql.DB, q string) [][]string {
	t.Helper()
	rows, err := db.Query("select columns(*)::varchar from (" + q + ")")
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		line := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range line {
			into[i] = &line[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var row []string
		for _, cell := range line {
			if !cell.Valid {
				cell.String = "NULL"
			}
			row = append(row, cell.String)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// plainCells is the same of query.
func plainCells(t *testing.T, e *query.Engine, q string) [][]string {
	t.Helper()
	rows, err := e.Query(t.Context(), "select columns(*)::varchar from ("+q+")")
	if err != nil {
		t.Fatalf("%s\n%s", q, explain(err))
	}
	defer rows.Close()
	var all [][]string
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("%s\n%s", q, explain(err))
		}
		for i := range int(batch.NumRows()) {
			var row []string
			for k := range int(batch.NumCols()) {
				cell := "NULL"
				if c := batch.Column(k); c.IsValid(i) {
					cell = strings.Clone(c.ValueStr(i)) // the batch is the engine's
				}
				row = append(row, cell)
			}
			all = append(all, row)
		}
		batch.Release()
	}
}
