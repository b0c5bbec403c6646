package main

import (
	"flag"
	"fmt"
	"io"
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

	"mdcalake/ingest/simulator/tenant"
	"mdcalake/query/querytest"
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

// answered is what became of a question.
type answered struct {
	querytest.Question
	rows, files   int
	program, glob time.Duration
}

func TestQuestionsHaveDuckDBsAnswers(t *testing.T) {
	t.Parallel()
	of := year{tenant.Tenant{Days: *questionDays, Services: tenant.Services[:*questionOf], Records: *questionRecords}}
	lake := filepath.Join(t.TempDir(), "lake")
	of.importInto(t, lake)
	bytes := of.isThere(t, lake)
	g := openGlob(t, lake)
	values, err := querytest.FindValues(t.Context(), g, of.Attack())
	g.Close()
	if err != nil {
		t.Fatal(err)
	}
	questions, err := querytest.ReadQuestions(filepath.Join("..", "..", "testdata", "questions"))
	if err != nil || len(questions) != 12 {
		t.Fatalf("%d questions: %v", len(questions), err)
	}
	t.Logf("%v", values)
	all := of.Days * len(of.Services)
	var results []answered
	for _, q := range questions {
		a := ask(t, q, lake, values)
		t.Logf("%-26s %6d rows %5d of %d files %10s, glob %10s", q.Name, a.rows, a.files, all, a.program.Round(time.Millisecond), a.glob.Round(time.Millisecond))
		if whole := slices.Contains(querytest.WholeLake, q.Name); a.rows == 0 || whole != (a.files == all) {
			t.Errorf("%s: %d rows of %d files of %d", q.Name, a.rows, a.files, all)
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

// year is the tenant whose lake is asked.
type year struct{ tenant.Tenant }

func (of year) importInto(t *testing.T, lake string) {
	t.Helper()
	if err := of.Portions(func(write func(io.Writer) error) error {
		cmd := command(filepath.Dir(lake), nil, "import", "-", "--lake", lake)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			write(pipe) // the program says what it was given too little of
			pipe.Close()
		}()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("import: %w\n%s", err, stderr.String())
		}
		t.Log(stderr.String())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func openGlob(t *testing.T, lake string) querytest.DuckDB {
	t.Helper()
	g, err := querytest.Open(t.Context(), querytest.OverGlob(lake)...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func answerOf(t *testing.T, d querytest.DuckDB, statement string, args ...any) querytest.Answer {
	t.Helper()
	a, err := d.Ask(t.Context(), statement, args...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// isThere: every record, in one file of each day and service. It says how much
// there is on the disk.
func (of year) isThere(t *testing.T, lake string) (bytes int64) {
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
	if want := of.Days * len(of.Services); len(cells) != want || len(l.Snapshot().Files) != want || rows != int64(of.Records) {
		t.Fatalf("%d records in %d files of %d days and services, in place of %d in %d", rows, len(l.Snapshot().Files), len(cells), of.Records, want)
	}
	return bytes
}

// ask puts a question to the program and to DuckDB, each as one who has just
// come, and compares the answers: columns, types, values and order.
func ask(t *testing.T, q querytest.Question, lake string, values map[string]string) answered {
	t.Helper()
	a := answered{Question: q}
	var want querytest.Answer
	a.glob = least(func() {
		g := openGlob(t, lake)
		defer g.Close()
		want = answerOf(t, g, q.SQL, q.Args(values)...)
	})
	dir, said := t.TempDir(), ""
	out := filepath.Join(dir, "answer.parquet")
	a.program = least(func() {
		var code int
		_, said, code = mdcalake(t, dir, nil, append([]string{"query", "--lake", lake, "-f", q.Path, "--out", out, "--timing"}, q.Flags(values)...)...)
		if code != exitDone {
			t.Fatalf("%s: %s", q.Name, said)
		}
	})
	read := filesRead.FindStringSubmatch(said)
	if read == nil {
		t.Fatalf("%s: --timing does not tell the files: %s", q.Name, said)
	}
	a.rows = len(want.Rows)
	a.files, _ = strconv.Atoi(strings.ReplaceAll(read[1], ",", ""))
	g := openGlob(t, lake)
	defer g.Close()
	compare(t, q, want, answerOf(t, g, "SELECT * FROM read_parquet("+querytest.Literal(out)+")"))
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

func compare(t *testing.T, q querytest.Question, want, got querytest.Answer) {
	t.Helper()
	if diff := cmp.Diff(want.Columns, got.Columns); diff != "" {
		t.Errorf("%s: columns (- DuckDB, + mdcalake):\n%s", q.Name, diff)
		return
	}
	if len(want.Rows) != len(got.Rows) {
		t.Errorf("%s: %d rows of DuckDB, %d of mdcalake", q.Name, len(want.Rows), len(got.Rows))
	}
	for n := range min(len(want.Rows), len(got.Rows)) {
		if diff := cmp.Diff(want.Rows[n], got.Rows[n]); diff != "" {
			t.Errorf("%s: row %d (- DuckDB, + mdcalake):\n%s", q.Name, n, diff)
			return
		}
	}
}

func (of year) report(results []answered, bytes int64) string {
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
		count(int64(of.Records)), of.Days, len(of.Services), count(int64(of.Days*len(of.Services))), size(bytes))
	for _, a := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.1f |\n", a.Name, a.Finds, count(int64(a.rows)), count(int64(a.files)),
			a.program.Round(time.Millisecond), a.glob.Round(time.Millisecond), a.glob.Seconds()/a.program.Seconds())
	}
	return b.String()
}
