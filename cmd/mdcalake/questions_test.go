package main

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
	"mdcalake/store"
)

// Are the answers those that DuckDB gives over the same files, found by a glob?
// The questions of testdata/questions, put to both as they stand, and what each
// took for it.
//
//	go test ./cmd/mdcalake -run TestQuestionsHaveDuckDBsAnswers -v -timeout 3h -questions.records=5000000 -questions.days=365 -questions.services=20
var (
	questionRecords = flag.Int("questions.records", 5000, "records of TestQuestionsHaveDuckDBsAnswers")
	questionDays    = flag.Int("questions.days", 30, "days of TestQuestionsHaveDuckDBsAnswers")
	questionOf      = flag.Int("questions.services", 4, "services of TestQuestionsHaveDuckDBsAnswers, at most 20")
	questionResult  = flag.String("questions.result", "", "ask three times and write the result of TestQuestionsHaveDuckDBsAnswers to `FILE`")
)

// wholeLake are the questions that need every file, and no other does.
var wholeLake = []string{"back-after-silence", "first-seen-countries", "rare-actions", "text-in-raw"}

// question is one of testdata/questions.
type question struct {
	path, name, finds, sql string
}

func readQuestions(t *testing.T) []question {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", "testdata", "questions"))
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil || len(paths) != 12 {
		t.Fatalf("found %q (%v)", paths, err)
	}
	var list []question
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		finds, ok := strings.CutPrefix(first, "-- ")
		if !ok {
			t.Errorf("%s does not say what it finds", path)
		}
		list = append(list, question{path: path, name: strings.TrimSuffix(filepath.Base(path), ".sql"), finds: finds, sql: string(text)})
	}
	return list
}

// given are the parameters of a question, and the flags that give them values.
func (q question) given(values map[string]string) (names, flags []string) {
	for _, name := range query.Parameters(q.sql) {
		names = append(names, name)
		flags = append(flags, "-p", name+"="+values[name])
	}
	return names, flags
}

// answered is what became of a question.
type answered struct {
	question
	rows, files   int
	program, glob time.Duration
}

func TestQuestionsHaveDuckDBsAnswers(t *testing.T) {
	t.Parallel()
	of := tenant{days: *questionDays, services: questionServices[:*questionOf], records: *questionRecords}
	lake := filepath.Join(t.TempDir(), "lake")
	of.importInto(t, lake)
	bytes := of.isThere(t, lake)
	values := of.findValues(t, lake)
	t.Logf("%v", values)
	all := of.days * len(of.services)
	var results []answered
	for _, q := range readQuestions(t) {
		a := ask(t, q, lake, values)
		t.Logf("%-26s %6d rows %5d of %d files %10s, glob %10s", q.name, a.rows, a.files, all, a.program.Round(time.Millisecond), a.glob.Round(time.Millisecond))
		if whole := slices.Contains(wholeLake, q.name); a.rows == 0 || whole != (a.files == all) {
			t.Errorf("%s: %d rows of %d files of %d", q.name, a.rows, a.files, all)
		}
		results = append(results, a)
	}
	if _, errs, code := mdcalake(t, filepath.Dir(lake), nil, "verify", "--lake", lake); code != exitDone {
		t.Error(errs)
	}
	if *questionResult != "" && !t.Failed() {
		if err := os.WriteFile(*questionResult, []byte(of.report(results, bytes)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// isThere: every record, in one file of each day and service. It says how much
// there is on the disk.
func (of tenant) isThere(t *testing.T, lake string) (bytes int64) {
	t.Helper()
	l, err := store.Open(lake)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cells, rows := map[store.Partition]bool{}, int64(0)
	for _, f := range l.Snapshot().Files {
		cells[f.Partition] = true
		rows += f.Rows
		bytes += f.Size
	}
	if want := of.days * len(of.services); len(cells) != want || len(l.Snapshot().Files) != want || rows != int64(of.records) {
		t.Fatalf("%d records in %d files of %d days and services, in place of %d in %d", rows, len(l.Snapshot().Files), len(cells), of.records, want)
	}
	return bytes
}

// findValues looks for values of the parameters that the lake has: the busiest
// user of a day, an address and a file that are seen on a few days, as what is
// hunted for is, an activity of many, and the week of the story.
func (of tenant) findValues(t *testing.T, lake string) map[string]string {
	t.Helper()
	g := openGlob(t, lake)
	defer g.close()
	values := map[string]string{
		"since": of.attack().AddDate(0, 0, -3).Format(time.DateOnly),
		"until": of.attack().AddDate(0, 0, 4).Format(time.DateOnly),
	}
	for names, sql := range map[string]string{
		"user day": "SELECT user_name, date::VARCHAR FROM activities WHERE user_name IS NOT NULL GROUP BY user_name, date ORDER BY count(*) DESC, date, user_name LIMIT 1",
		"ip":       "SELECT ip FROM activities WHERE ip IS NOT NULL GROUP BY ip HAVING count(DISTINCT date) BETWEEN 2 AND 7 ORDER BY count(*) DESC, ip LIMIT 1",
		"object":   "SELECT object_id FROM activities WHERE object_id IS NOT NULL GROUP BY object_id HAVING count(DISTINCT date) BETWEEN 2 AND 7 ORDER BY count(*) DESC, object_id LIMIT 1",
		"id":       "SELECT activity_id FROM activities ORDER BY content_hash, activity_id LIMIT 1",
	} {
		rows := g.answer(t, sql).rows
		if len(rows) != 1 {
			t.Fatalf("the lake has no %s", names)
		}
		for n, name := range strings.Fields(names) {
			values[name] = rows[0][n].(string)
		}
	}
	return values
}

// ask puts a question to the program and to DuckDB, each as one who has just
// come, and compares the answers: columns, types, values and order.
func ask(t *testing.T, q question, lake string, values map[string]string) answered {
	t.Helper()
	a := answered{question: q}
	names, given := q.given(values)
	var args []any
	for _, name := range names {
		args = append(args, sql.Named(name, values[name]))
	}
	var want answer
	a.glob = least(func() {
		g := openGlob(t, lake)
		defer g.close()
		want = g.answer(t, q.sql, args...)
	})
	dir, said := t.TempDir(), ""
	out := filepath.Join(dir, "answer.parquet")
	a.program = least(func() {
		var code int
		_, said, code = mdcalake(t, dir, nil, append([]string{"query", "--lake", lake, "-f", q.path, "--out", out, "--timing"}, given...)...)
		if code != exitDone {
			t.Fatalf("%s: %s", q.name, said)
		}
	})
	read := filesRead.FindStringSubmatch(said)
	if read == nil {
		t.Fatalf("%s: --timing does not tell the files: %s", q.name, said)
	}
	a.rows = len(want.rows)
	a.files, _ = strconv.Atoi(strings.ReplaceAll(read[1], ",", ""))
	g := openGlob(t, lake)
	defer g.close()
	compare(t, q, want, g.answer(t, "SELECT * FROM read_parquet("+literal(out)+")"))
	return a
}

// filesRead is where --timing says it.
var filesRead = regexp.MustCompile(`\(([\d,]+) files?, `)

// least is the least time of three, where the times are kept.
func least(do func()) time.Duration {
	times := 1
	if *questionResult != "" {
		times = 3
	}
	var took []time.Duration
	for range times {
		began := time.Now()
		do()
		took = append(took, time.Since(began))
	}
	return slices.Min(took)
}

func compare(t *testing.T, q question, want, got answer) {
	t.Helper()
	if diff := cmp.Diff(want.columns, got.columns); diff != "" {
		t.Errorf("%s: columns (- DuckDB, + mdcalake):\n%s", q.name, diff)
		return
	}
	if len(want.rows) != len(got.rows) {
		t.Errorf("%s: %d rows of DuckDB, %d of mdcalake", q.name, len(want.rows), len(got.rows))
	}
	for n := range min(len(want.rows), len(got.rows)) {
		if diff := cmp.Diff(want.rows[n], got.rows[n]); diff != "" {
			t.Errorf("%s: row %d (- DuckDB, + mdcalake):\n%s", q.name, n, diff)
			return
		}
	}
}

// glob is DuckDB without us: the files are those that it finds.
type glob struct{ db *sql.DB }

func openGlob(t *testing.T, lake string) glob {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"SET TimeZone = 'UTC'",
		"CREATE MACRO raw_text(raw, path) AS json_extract_string(raw, path)",
		"CREATE VIEW activities AS SELECT * FROM read_parquet(" + literal(lake+"/activities/date=*/service=*/*.parquet") +
			", hive_partitioning = true, hive_types = {'date': DATE, 'service': BIGINT})",
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return glob{db}
}

func (g glob) close() { g.db.Close() }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// answer is a whole one.
type answer struct {
	columns []string // names and types
	rows    [][]any
}

func (g glob) answer(t *testing.T, statement string, args ...any) answer {
	t.Helper()
	rows, err := g.db.Query(statement, args...)
	if err != nil {
		t.Fatalf("%s\n%v", statement, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	for _, c := range types {
		a.columns = append(a.columns, c.Name()+" "+c.DatabaseTypeName())
	}
	for rows.Next() {
		row, into := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		a.rows = append(a.rows, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s\n%v", statement, err)
	}
	return a
}

func (of tenant) report(results []answered, bytes int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Twelve questions to a year

Made by `+"`make questions`"+` on %s, at commit %s, on %s/%s with %d cores and %s of memory: %s records of %d days and
%d services, %s files, %s on disk. The questions are those of [testdata/questions](../questions), put as they stand to
`+"`mdcalake query`"+` and to a DuckDB of the same version over `+"`activities/date=*/service=*/*.parquet`"+`. The answers were the
same, value by value, in columns, types and order. Times are from nothing to the last row: of mdcalake the whole process, of
DuckDB an instance that opens, makes the view and answers. Both had the files in the system's cache; the least of three
counts. Then verify found nothing.

| question | what it finds | rows | files read | mdcalake | DuckDB over the glob | times faster |
|---|---|---|---|---|---|---|
`, time.Now().UTC().Format(time.DateOnly), commitOf(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf(),
		count(int64(of.records)), of.days, len(of.services), count(int64(of.days*len(of.services))), size(bytes))
	for _, a := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f |\n", a.name, a.finds, count(int64(a.rows)), count(int64(a.files)),
			a.program.Round(time.Millisecond), a.glob.Round(time.Millisecond), a.glob.Seconds()/a.program.Seconds())
	}
	return b.String()
}
