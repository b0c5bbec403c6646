package query_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"mdcalake/query"
)

// TestAStageIsATable: joined with the lake, alone, and read by a later stage.
func TestAStageIsATable(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 3))
	stage, err := e.Stage(t.Context(), "mail", "select activity_id, date, raw_text(raw, '$.n') as n from activities where service = 20893 -- a comment")
	if err != nil {
		t.Fatal(err)
	}
	if stage.Rows != 72 {
		t.Errorf("%d rows were staged, want 72", stage.Rows)
	}
	if _, err := e.Stage(t.Context(), "first_day", "select * from mail where date = '2026-03-01'"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sql, want string }{
		{"select count(*) from mail", "72"},
		{"select count(*) from first_day", "24"},
		{"select count(*) from activities a join mail using (activity_id) where a.service = 20893", "72"},
		{"with m as (select * from first_day) select count(*) from m", "24"},
		{"select count(*) from activities", "144"},
		{"select count(distinct n) from mail", csv(t, e, "select count(distinct raw_text(raw, '$.n')) from activities where service = 20893")},
	} {
		if got := csv(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
	// Its files are pruned as before, and what reads stages alone opens none.
	for sql, want := range map[string]int{"select * from mail": 0, "with m as (select * from mail) select * from m": 0, "select a.ip from activities a join mail using (activity_id) where a.date = '2026-03-01'": 2} {
		rows, err := e.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := rows.Timing().Files; got != want {
			t.Errorf("%s\nwas given %d files, want %d", sql, got, want)
		}
		rows.Close()
	}
}

// TestWhatIsStagedWentThroughTheGuard: nothing else reaches DuckDB's COPY.
func TestWhatIsStagedWentThroughTheGuard(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for sql, want := range map[string]string{
		"copy (select 1) to 'x.csv'":                   "COPY writes files",
		"select * from read_parquet('x.parquet')":      "read_parquet",
		"select 1 as a) to 'x' (format csv); select 1": "",
		"select 1; select 2":                           "2 statements",
		"explain select 1":                             "cannot be kept as a table",
		"pivot activities on service using count(*)":   "cannot be kept as a table",
		"select nothing from activities":               "nothing",
		"select error('no') as a":                      "no",
		"select $a as a":                               "has no value",
	} {
		_, err := e.Stage(t.Context(), "staged", sql)
		var se *query.Error
		if !errors.As(err, &se) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want an error about the statement with %q", sql, err, want)
		}
	}
	if got := csv(t, e, "select 1"); got != "1" {
		t.Errorf("after all that the answer is %s", got)
	}
	for _, name := range []string{"", "Upper", "activities", "cloud_app_events", "a b", `x";`} {
		if _, err := e.Stage(t.Context(), name, "select 1 as a"); err == nil {
			t.Errorf("a stage may be called %q", name)
		}
	}
	if _, err := e.Stage(t.Context(), "twice", "select 1 as a"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Stage(t.Context(), "twice", "select 1 as a"); err == nil {
		t.Error("two stages have one name")
	}
	if _, err := e.Query(t.Context(), "select * from read_parquet('twice.parquet')"); err == nil {
		t.Error("a stage opens the way to files")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Stage(ctx, "late", "select 1 as a"); err == nil {
		t.Error("a stage whose time is up is made")
	}
}

// TestValuesOfTheirTypes: whatever is in a text, it stays one.
func TestValuesOfTheirTypes(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	sql, err := query.Fill("select $text as t, $number + 1 as n, $flag as f, $list as l, $none as e, $long as d, $at as a, '$text' as q -- $text", map[string]query.Literal{
		"text": query.Text("it's $number; -- 1"), "number": query.Number("-2.5"), "flag": query.Truth(true), "list": query.List([]string{"a,'b", "[c]"}), "none": query.List(nil),
		"long": query.Span(90 * 60 * 1e9), "at": query.Moment(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := csv(t, e, sql), `it's $number; -- 1,-1.5,true,"[""a,'b"",""[c]""]",[],01:30:00,2026-03-01T00:00:00Z,$text`; got != want {
		t.Errorf("%s\n got %s\nwant %s", sql, got, want)
	}
	if _, err := query.Fill("select $other", map[string]query.Literal{"text": query.Text("")}); err == nil || !strings.Contains(err.Error(), "$other") {
		t.Errorf("a parameter without a value is %v", err)
	}
}
