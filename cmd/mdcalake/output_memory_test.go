package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mdcalake/query"
)

// How much memory does an answer take? As much as its format needs, however
// many rows it has.
//
//	go test ./cmd/mdcalake -run TestOutputTakesLittleMemory -v -timeout 3h -output.rows=10000000
var (
	outputRows   = flag.Int64("output.rows", 0, "rows without raw of TestOutputTakesLittleMemory, and a twentieth of them with it; 0: few with it")
	outputResult = flag.String("output.result", "", "write the result of TestOutputTakesLittleMemory to `FILE`")
)

const (
	// outputBudget is what the whole process may take.
	outputBudget = 256 << 20
	// outputRecords are in the lake; a join repeats them.
	outputRecords = 20_000
	// outputFew rows, with raw, are some 300 MB: more than the budget, were they
	// held.
	outputFew = 160_000
)

// outputColumns are those of a hunter's list, text, numbers, times and lists.
const outputColumns = "activity_id, timestamp, created, service, app_name, user_name, ip, country, action, is_success, user_tags, objects, content_hash"

type outputStep struct {
	format, what string
	rows, bytes  int64
	took         time.Duration
	peak         int64 // bytes
}

func TestOutputTakesLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" && *outputRows == 0 {
		t.Skip("the budget was measured on Linux: make output-memory")
	}
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	dir := t.TempDir()
	if err := writeWideRecords(filepath.Join(dir, "wide.jsonl"), outputRecords); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "wide.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
	var steps []outputStep
	measure := func(format, what, columns string, rows int64) {
		t.Helper()
		sql := fmt.Sprintf("select %s from activities, range(%d)", columns, rows/outputRecords)
		cmd := command(dir, []string{"TMPDIR=" + dir}, "query", "-o", format, sql)
		var out counter
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		began := time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", format, err, errs.String())
		}
		s := outputStep{format: format, what: what, rows: rows, bytes: int64(out), took: time.Since(began), peak: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss}
		if runtime.GOOS == "linux" {
			s.peak <<= 10
		}
		t.Logf("%-8s %-20s %10d rows %6d MB %8s %4d MiB", s.format, s.what, s.rows, s.bytes/1e6, s.took.Round(time.Second), s.peak>>20)
		if s.peak > outputBudget {
			t.Errorf("%s, %s: %d MiB", s.format, s.what, s.peak>>20)
		}
		steps = append(steps, s)
	}
	for _, format := range query.Formats() {
		if *outputRows > 0 {
			measure(format, "13 columns", outputColumns, *outputRows)
			measure(format, "all columns, raw too", "activities.*", *outputRows/20)
		} else {
			measure(format, "the record's bytes", "activity_id, timestamp, raw, raw as again", outputFew)
		}
	}
	if *outputResult != "" {
		if err := os.WriteFile(*outputResult, []byte(outputReport(steps)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

func outputReport(steps []outputStep) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Memory of an answer\n\nMade by `make output-memory` on %s, at commit %s, on %s/%s with %d cores and %s of memory. The whole process, DuckDB and all, may take %d MiB.\n\n| format | what | rows | written | time | peak memory |\n|---|---|---|---|---|---|\n",
		time.Now().UTC().Format(time.DateOnly), commitOf(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf(), outputBudget>>20)
	for _, s := range steps {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d MiB |\n", s.format, s.what, count(s.rows), size(s.bytes), s.took.Round(time.Second), s.peak>>20)
	}
	return b.String()
}

// writeWideRecords writes records of about 900 bytes, no two of them alike.
func writeWideRecords(name string, n int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		writeWideRecord(w, r, i)
	}
	return w.Flush()
}

func writeWideRecord(w io.Writer, r *rand.Rand, i int64) {
	user := fmt.Sprintf("user%d@contoso.example", r.IntN(2000))
	fmt.Fprintf(w, `{"_id":"%024x","timestamp":%d,"created":%d,"appId":%d,"appName":"Microsoft SharePoint Online","tenantId":7,`, i, 1_795_089_600_000+i*20, 1_795_089_700_000+i*20, 20890+r.IntN(4))
	fmt.Fprintf(w, `"user":{"userName":"%s","userTags":["a","b"]},"device":{"clientIP":"10.%d.%d.%d","countryCode":"DE","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/%d"},`, user, i%7, i%256, i%251, i%130)
	fmt.Fprintf(w, `"description":"Access file: file %d.docx","mainInfo":{"rawOperationName":"FileAccessed","type":"access","eventObjects":[{"id":"id%d","name":"file %d","type":3,"role":1},{"id":"x","name":"%s","type":23,"role":4}],"activityResult":{"isSuccess":true}},`, i, i%500, i, user)
	fmt.Fprintf(w, `"rawDataJson":{"Workload":"SharePoint","ObjectId":"https://contoso.sharepoint.example/sites/a/%d","Pad":"%016x%016x%016x%016x"}}`+"\n", i, r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64())
}
