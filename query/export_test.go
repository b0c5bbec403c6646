package query_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
)

func TestExportedRows(t *testing.T) {
	s := newLake(t, t.TempDir(), 3)
	e := open(t, s)
	hour := func(n int) time.Time { return firstDay.Add(time.Duration(n) * time.Hour) }
	for _, c := range []struct {
		name   string
		export query.Export
		want   string // the same, asked of query
	}{
		{"all", query.Export{}, "select * from activities"},
		{"a window of a service", query.Export{Selection: query.Selection{Since: hour(20), Until: hour(30), Services: []int64{20893}}},
			"select * from activities where timestamp >= '2026-03-01 20:00:00+00' and timestamp < '2026-03-02 06:00:00+00' and service = 20893"},
		{"a condition", query.Export{Where: "is_success or user_name like 'user1%'"}, "select * from activities where is_success or user_name like 'user1%'"},
		{"a condition in a window", query.Export{Selection: query.Selection{Until: hour(5)}, Where: "not is_success or service = 5"},
			"select * from activities where timestamp < '2026-03-01 05:00:00+00' and (not is_success or service = 5)"},
		{"a condition that ends in a comment", query.Export{Where: "is_success -- and so on )"}, "select * from activities where is_success"},
		{"parentheses in a text", query.Export{Where: "user_name <> ')' and (ip > '' or true)"}, "select * from activities where user_name is not null"},
		{"a subquery sees the whole lake", query.Export{Selection: query.Selection{Since: hour(48)}, Where: "user_name in (select user_name from activities where date = '2026-03-01' and hour(timestamp) = 2)"},
			"select * from activities where date = '2026-03-03' and user_name = 'user2@example.com'"},
		{"our functions", query.Export{Where: "raw_text(raw, '$.x') = 'y7'"}, "select * from activities where raw_text(raw, '$.x') = 'y7'"},
		{"columns in their order", query.Export{Columns: []string{"user_name", "date", "activity_id"}}, "select user_name, date, activity_id from activities"},
		{"all but some", query.Export{Except: []string{"raw", "objects"}}, "select * exclude (raw, objects) from activities"},
		{"some but one", query.Export{Columns: []string{"ip", "raw"}, Except: []string{"raw"}}, "select ip from activities"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := e.Export(t.Context(), c.export)
			if err != nil {
				t.Fatal(explain(err))
			}
			defer rows.Close()
			var got bytes.Buffer
			if _, err := query.Write(t.Context(), &got, query.JSONL, rows, query.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			want, _ := answer(t, e, query.JSONL, c.want, query.WriteOptions{})
			if want == "" {
				t.Fatal("the question has no answer")
			}
			if diff := cmp.Diff(sortedLines(want), sortedLines(got.String())); diff != "" {
				t.Errorf("- query, + export:\n%s", diff)
			}
		})
	}
}

// sortedLines are the rows of an answer that promises no order: which thread
// hands its rows to a join first is chance.
func sortedLines(text string) []string {
	return slices.Sorted(strings.Lines(text))
}

func TestAConditionIsOnlyOne(t *testing.T) {
	s := newLake(t, t.TempDir(), 1)
	e := open(t, s)
	before := hashTree(t, s.Root)
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for where, at := range map[string]string{ // what the error points at
		"true) union select * from activities where (true": ") union",
		"true) or true or (true":                           ") or true or",
		"true; copy activities to 'x'":                     "; copy",
		"(true":                                            "(true",
		"exists (from read_csv('" + secret + "'))":         "read_csv",
		"exists (from '" + secret + "')":                   "'" + secret,
		"user_name = getenv('HOME')":                       "getenv",
		"user_nam = 'x'":                                   "user_nam",
		"user_name = = 'x'":                                "= 'x'",
		"exists (select * from enable_logging('QueryLog', storage = 'stdout'))": "enable_logging",
		"count(*) > 1":   "count",
		"user_name = $1": "$1",
		"/* not ended":   "",
	} {
		for _, window := range []time.Time{{}, firstDay} {
			rows, err := e.Export(t.Context(), query.Export{Where: where, Selection: query.Selection{Since: window}})
			if err == nil {
				rows.Close()
				t.Errorf("%s: is let through", where)
				continue
			}
			var failed *query.Error
			if !errors.As(err, &failed) {
				t.Errorf("%s: %v is no error of a statement", where, err)
				continue
			}
			if failed.SQL != where {
				t.Errorf("%s: the error speaks of %q", where, failed.SQL)
			}
			if at != "" && (failed.Position < 0 || !strings.HasPrefix(where[failed.Position:], at)) {
				t.Errorf("%s: the error points at %d", where, failed.Position)
			}
		}
	}
	if after := hashTree(t, s.Root); after != before {
		t.Error("the lake has changed")
	}
}

func TestExportedColumnsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name   string
		export query.Export
		ok     bool
	}{
		{"all", query.Export{}, true},
		{"all, by cell", query.Export{Shape: query.KeyedRows}, true},
		{"a slip", query.Export{Columns: []string{"user"}}, false},
		{"a slip in what to leave out", query.Export{Except: []string{"Raw"}}, false},
		{"SQL", query.Export{Columns: []string{`ip", "raw`}}, false},
		{"twice", query.Export{Columns: []string{"ip", "ip"}}, false},
		{"none left", query.Export{Columns: []string{"ip"}, Except: []string{"ip"}}, false},
		{"keys alone", query.Export{Columns: []string{"date", "service"}, Shape: query.KeyedRows}, false},
	} {
		if err := c.export.Check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Timesketch's own rules, as its importer has them.
func TestTimesketchTakesTheEvents(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	rows, err := e.Export(t.Context(), query.Export{Shape: query.TimesketchRows})
	if err != nil {
		t.Fatal(explain(err))
	}
	defer rows.Close()
	var out bytes.Buffer
	if _, err := query.Write(t.Context(), &out, query.JSONL, rows, query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(out.String()) {
		n++
		event := map[string]any{}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&event); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"message", "datetime", "timestamp_desc"} {
			if text, _ := event[name].(string); text == "" {
				t.Fatalf("%s is missing in %s", name, line)
			}
		}
		at, err := time.Parse("2006-01-02T15:04:05.000000-07:00", event["datetime"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if micros, _ := event["timestamp"].(json.Number).Int64(); micros != at.UnixMicro() {
			t.Fatalf("timestamp %d is not datetime %s", micros, at)
		}
		for _, name := range []string{"raw", "_id", "_type", "_index", "_source", "__ts_timeline_id", "tag"} {
			if _, is := event[name]; is {
				t.Fatalf("%s has a meaning of its own there, or is too much", name)
			}
		}
	}
	if n != 48 {
		t.Errorf("%d events", n)
	}
}

func TestTimesketchMessages(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	export := query.Export{Shape: query.TimesketchRows, Where: "service = 11161 and hour(timestamp) in (1, 2)", Columns: []string{"raw", "timestamp"}}
	rows, err := e.Export(t.Context(), export)
	if err != nil {
		t.Fatal(explain(err))
	}
	defer rows.Close()
	var out bytes.Buffer
	if _, err := query.Write(t.Context(), &out, query.JSONL, rows, query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	want := `{"message":"activity [failed] (user1@example.com, App 11161, 203.0.113.1)","datetime":"2026-03-01T01:00:00.000000+00:00","timestamp":1772326800000000,"timestamp_desc":"Activity Time","data_type":"mdca:activity","raw":"{\"n\":1,\"x\":\"y1\"}"}
{"message":"activity (user2@example.com, App 11161, 203.0.113.2)","datetime":"2026-03-01T02:00:00.000000+00:00","timestamp":1772330400000000,"timestamp_desc":"Activity Time","data_type":"mdca:activity","raw":"{\"n\":2,\"x\":\"y2\"}"}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestPartitions(t *testing.T) {
	s := newLake(t, t.TempDir(), 3)
	e := open(t, s)
	dir := t.TempDir()
	rows, err := e.Export(t.Context(), query.Export{Shape: query.KeyedRows, Where: "date <> '2026-03-02' or service = 20893"})
	if err != nil {
		t.Fatal(explain(err))
	}
	defer rows.Close()
	done, err := query.WritePartitions(t.Context(), dir, rows)
	if err != nil {
		t.Fatal(err)
	}
	if done.Rows != 120 || done.Files != 5 || done.Bytes == 0 {
		t.Errorf("wrote %+v", done)
	}
	bare := bareDuckDB(t, "SET TimeZone = 'UTC'; CREATE OR REPLACE VIEW copied AS FROM read_parquet('"+dir+"/*/*/*.parquet', hive_partitioning = true);"+
		"CREATE OR REPLACE VIEW files AS FROM read_parquet('"+dir+"/*/*/*.parquet', hive_partitioning = false, filename = true)")
	columns := "select * exclude (date, service), date, service from "
	if diff := cmp.Diff(plainCells(t, e, columns+"activities where date <> '2026-03-02' or service = 20893 order by activity_id"), cells(t, bare, columns+"copied order by activity_id")); diff != "" {
		t.Errorf("- query, + the copy:\n%s", diff)
	}
	if got := cells(t, bare, "select count(distinct filename) from files where timestamp::date::varchar <> regexp_extract(filename, 'date=([^/]*)', 1) or app_id::varchar <> regexp_extract(filename, 'service=([^/]*)', 1)"); got[0][0] != "0" {
		t.Errorf("%s files hold rows of another cell", got[0][0])
	}
	if got := cells(t, bare, "select count(*) from (describe files) where column_name in ('date', 'service')"); got[0][0] != "0" {
		t.Error("the keys are in the files as well")
	}
}

func TestPartitionsOfOtherRowsAreRefused(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for _, q := range []string{"select * from activities", "select ip, service, date from activities", "select date, service from activities",
		"select ip, date::varchar as date, service from activities"} {
		rows, err := e.Query(t.Context(), q)
		if err != nil {
			t.Fatal(explain(err))
		}
		if _, err := query.WritePartitions(t.Context(), t.TempDir(), rows); err == nil {
			t.Errorf("%s: is taken", q)
		}
		rows.Close()
	}
}

// Rows that do not come cell by cell make more files, and the same table.
func TestACellThatComesAgain(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	for _, order := range []string{"hour(timestamp), date, service", "hour(timestamp), service, date"} {
		rows, err := e.Query(t.Context(), "select activity_id, date, service from activities order by "+order)
		if err != nil {
			t.Fatal(explain(err))
		}
		defer rows.Close()
		dir := t.TempDir()
		done, err := query.WritePartitions(t.Context(), dir, rows)
		if err != nil {
			t.Fatal(err)
		}
		if done.Rows != 96 || done.Files != 96 {
			t.Errorf("by %s: wrote %+v", order, done)
		}
		bare := bareDuckDB(t, "CREATE OR REPLACE VIEW copied AS FROM read_parquet('"+dir+"/*/*/*.parquet', hive_partitioning = true)")
		q := "select date, service, count(*), count(distinct activity_id) from %s group by all order by all"
		if diff := cmp.Diff(plainCells(t, e, strings.Replace(q, "%s", "activities", 1)), cells(t, bare, strings.Replace(q, "%s", "copied", 1))); diff != "" {
			t.Errorf("by %s: - query, + the copy:\n%s", order, diff)
		}
	}
}

func TestPartitionsEndWithTheirContext(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := e.Export(ctx, query.Export{Shape: query.KeyedRows})
	if err != nil {
		t.Fatal(explain(err))
	}
	defer rows.Close()
	cancel()
	_, err = query.WritePartitions(ctx, t.TempDir(), rows)
	var failed *query.Error
	if !errors.As(err, &failed) || failed.Kind != query.Cancelled {
		t.Errorf("err %v", err)
	}
}
