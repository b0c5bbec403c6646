package query_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"mdcalake/query"
	"mdcalake/store"
)

// A lake for these tests, written by DuckDB itself: days days of two services,
// 24 rows in each cell, one an hour.

var (
	firstDay = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	services = []int64{11161, 20893}
)

const (
	hours = 24
	// awkwardRaw is what must come out byte for byte.
	awkwardRaw = `{"z":12345678901234567890,"a":"\u00e9 \" \\ \/","b":"` + "\u2028😀" + `","n":1.0,"z2":{"y":1,"x":[ ]}}`
)

// newLake makes a lake of that many days below dir and returns its snapshot.
func newLake(t testing.TB, dir string, days int) *store.Snapshot {
	t.Helper()
	root := filepath.Join(dir, "lake")
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &store.Snapshot{Root: root, Version: -1}
	if days == 0 {
		return s
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	exec := func(q string) {
		t.Helper()
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s\n%v", q, err)
		}
	}
	db.SetMaxOpenConns(1)
	exec("SET TimeZone = 'UTC'")

	values := map[string]string{
		"activity_id": "'id-' || d || '-' || s || '-' || h", "timestamp": "ts", "created": "CASE WHEN h = 3 THEN NULL ELSE ts + INTERVAL 5 MINUTE END",
		"date": "ts::DATE", "service": "s", "app_id": "s", "app_name": "'App ' || s", "user_name": "'user' || (h % 5) || '@example.com'",
		"ip": "'203.0.113.' || h", "is_success": "h % 2 = 0", "latitude": "52.5 + h",
		"user_tags":    "CASE WHEN h = 0 THEN NULL ELSE ['a', NULL, 'it''s'] END",
		"objects":      "[{'id': 'o' || h, 'name': NULL, 'value': 'v', 'type': 3, 'role': NULL, 'app_id': s, 'instance_id': 0, 'service_object_type': NULL}]",
		"raw":          "CASE WHEN h = 0 THEN " + sqlString(awkwardRaw) + " ELSE '{\"n\":' || h || ',\"x\":\"y' || h || '\"}' END",
		"content_hash": "9007199254740993 + h", "ingested": "TIMESTAMPTZ '2026-04-01 00:00:00.123+00'", "run_id": "'run-1'", "page": "1::INTEGER",
		"replaced": "TIMESTAMPTZ '2026-04-02 00:00:00+00'", "replaced_by_run": "'run-2'", "replaced_by_hash": "7",
	}
	selectList := func(columns []store.Column) string {
		var parts []string
		for _, c := range columns {
			v, ok := values[c.Name]
			if !ok {
				v = "NULL"
			}
			parts = append(parts, fmt.Sprintf("(%s)::%s AS \"%s\"", v, c.Type.SQL(), c.Name))
		}
		return strings.Join(parts, ", ")
	}
	from := fmt.Sprintf(` FROM (SELECT d, s, h, TIMESTAMPTZ '2026-03-01 00:00:00+00' + to_days(d::INTEGER) + to_hours(h) AS ts
		FROM range(%d) AS a(d), (VALUES (11161), (20893)) AS b(s), range(%d) AS c(h)) ORDER BY ts`, days, hours)
	exec("COPY (SELECT " + selectList(store.Columns) + from + ") TO " + sqlString(filepath.Join(root, "activities")) +
		" (FORMAT parquet, PARTITION_BY (date, service), FILENAME_PATTERN 'part-{i}', OVERWRITE_OR_IGNORE)")
	for d := range days {
		for _, service := range services {
			p := store.Partition{Day: int32(firstDay.AddDate(0, 0, d).Unix() / 86400), Service: service}
			matches, err := os.ReadDir(filepath.Join(root, "activities", p.Dir()))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range matches {
				s.Files = append(s.Files, store.File{Path: "activities/" + p.Dir() + "/" + m.Name(), Partition: p, Size: sizeOf(t, root, "activities", p.Dir(), m.Name()), Rows: hours, Stats: cellStats(d, service)})
			}
		}
	}
	for _, name := range []string{"revisions", "quarantine"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	exec("COPY (SELECT " + selectList(store.RevisionColumns) + from + " LIMIT 3) TO " + sqlString(filepath.Join(root, "revisions", "part-0.parquet")) + " (FORMAT parquet)")
	s.Revisions = []store.File{{Path: "revisions/part-0.parquet", Size: sizeOf(t, root, "revisions", "part-0.parquet"), Rows: 3}}
	exec(`COPY (SELECT encode('{"broken"') || '\xFF'::BLOB AS bytes, 'hash' || i AS content_hash, 'no _id' AS reason, 'run-1' AS run_id,
		1::INTEGER AS page, i::INTEGER AS "position", TIMESTAMPTZ '2026-04-01 00:00:00+00' AS first_seen FROM range(2) AS r(i))
		TO ` + sqlString(filepath.Join(root, "quarantine", "part-0.parquet")) + " (FORMAT parquet)")
	s.Quarantine = []store.File{{Path: "quarantine/part-0.parquet", Size: sizeOf(t, root, "quarantine", "part-0.parquet"), Rows: 2}}
	s.Seen = map[string]store.Sighting{"hash1": {Times: 2, LastSeen: time.Date(2026, 4, 3, 4, 5, 6, 7e6, time.UTC)}}
	offset, service := int64(-12), int64(20893)
	s.Version = 2
	s.Runs = []store.Run{
		{RunID: "run-1", Started: firstDay, Ended: firstDay.Add(time.Minute), Outcome: "complete", Verb: "ingest", Host: "https://x.example",
			ToolVersion: "1", ClockOffsetMS: &offset, Requests: 3, Records: 50, Added: 48, Duplicates: 1, Quarantined: 1, Bytes: 1000, LogVersion: 1},
		{RunID: "run-2", Started: firstDay.Add(time.Hour), Outcome: "running", Verb: "import", ToolVersion: "1", LogVersion: 2},
	}
	s.Coverage = []store.Rectangle{
		{Since: firstDay, Until: firstDay.AddDate(0, 0, 1), State: "complete", ThroughCreated: firstDay.AddDate(0, 0, 2), Route: "activities", RunID: "run-1", Records: 50, Requests: 3},
		{Since: firstDay, Until: firstDay.AddDate(0, 0, 1), Service: &service, State: "failed", RunID: "run-2", Reason: "HTTP 500"},
		{Since: firstDay, Until: firstDay.AddDate(0, 0, 1), State: "filtered", SinceCreated: firstDay, ThroughCreated: firstDay.AddDate(0, 0, 1), Filter: "ip eq sha256:1", RunID: "run-2"},
	}
	return s
}

// cellStats are what the log knows of a day of a service.
func cellStats(day int, service int64) store.Stats {
	from := firstDay.AddDate(0, 0, day).UnixMilli()
	to := from + (hours-1)*3600_000
	ingested := time.Date(2026, 4, 1, 0, 0, 0, 123e6, time.UTC).UnixMilli()
	return store.Stats{
		Timestamp: store.Range{Min: from, Max: to}, Created: store.Range{Min: from + 300_000, Max: to + 300_000, Nulls: 1},
		Ingested: store.Range{Min: ingested, Max: ingested}, AppID: store.Range{Min: service, Max: service},
	}
}

func sqlString(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func open(t testing.TB, s *store.Snapshot, change ...func(*query.Options)) *query.Engine {
	t.Helper()
	o := query.Options{Snapshot: s, TempDir: t.TempDir(), Threads: 2, MemoryLimit: "1GiB"}
	for _, f := range change {
		f(&o)
	}
	e, err := query.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		left, err := os.ReadDir(o.TempDir)
		if err == nil && len(left) > 0 {
			t.Errorf("the temporary folder still holds %v", left)
		}
	})
	return e
}

// answer writes the answer to a statement in a format.
func answer(t testing.TB, e *query.Engine, f query.Format, sql string, o query.WriteOptions) (string, query.Result) {
	t.Helper()
	out, res, err := tryAnswer(t.Context(), e, f, sql, o)
	if err != nil {
		t.Fatalf("%s\n%s", sql, explain(err))
	}
	return out, res
}

func tryAnswer(ctx context.Context, e *query.Engine, f query.Format, sql string, o query.WriteOptions) (string, query.Result, error) {
	rows, err := e.Query(ctx, sql)
	if err != nil {
		return "", query.Result{}, err
	}
	defer rows.Close()
	var b bytes.Buffer
	res, err := query.Write(ctx, &b, f, rows, o)
	return b.String(), res, err
}

// csv is the answer without header, lines joined by blanks: short to compare.
func csv(t testing.TB, e *query.Engine, sql string) string {
	t.Helper()
	out, _ := answer(t, e, query.CSV, sql, query.WriteOptions{NoHeader: true})
	return strings.ReplaceAll(strings.TrimSuffix(out, "\n"), "\n", " ")
}

func explain(err error) string {
	if e, ok := err.(*query.Error); ok {
		return e.Explain()
	}
	return err.Error()
}

// hashTree is every file below dir with its mode and the hash of its bytes.
func hashTree(t testing.TB, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := path + " " + info.Mode().String()
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func sizeOf(t testing.TB, path ...string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
