package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

func source(name string, in io.Reader) ingest.Source {
	return ingest.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(in), nil }}
}

func text(name, lines string) ingest.Source { return source(name, strings.NewReader(lines)) }

// importInto imports into the lake in dir.
func importInto(ctx context.Context, t testing.TB, dir string, change func(*ingest.ImportOptions), sources ...ingest.Source) (*ingest.Summary, error) {
	t.Helper()
	clock := ingest.NewManualClock(now)
	w, err := store.OpenWriter(dir, store.WriterOptions{Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	o := ingest.ImportOptions{Writer: w, Clock: clock, ToolVersion: "1.2", Operator: "ada", CaseID: "case 7"}
	if change != nil {
		change(&o)
	}
	s, err := ingest.Import(ctx, o, sources)
	if s == nil {
		t.Fatal("no summary")
	}
	return s, err
}

func mustImport(t testing.TB, dir string, change func(*ingest.ImportOptions), sources ...ingest.Source) *ingest.Summary {
	t.Helper()
	s, err := importInto(t.Context(), t, dir, change, sources...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// saved are the records of a simulator as a file.
func saved(t testing.TB, o simulator.Options) (*simulator.Simulator, []byte) {
	t.Helper()
	o.Seed, o.Start, o.End, o.Clock = 11, since(), now, func() time.Time { return now }
	sim, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sim.WriteNDJSON(&b, time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return sim, b.Bytes()
}

// linesFit: the page of a row is the number of its line.
func linesFit(t testing.TB, data []byte, rows ...[]row) {
	t.Helper()
	lines := strings.Split(string(data), "\n")
	for _, r := range slices.Concat(rows...) {
		if r.page < 1 || int(r.page) > len(lines) || strings.Trim(lines[r.page-1], " \t\r\ufeff") != r.bytes {
			t.Fatalf("a row does not stand in line %d", r.page)
		}
	}
}

func TestAnImportBringsTheWholeTruth(t *testing.T) {
	t.Parallel()
	sim, data := saved(t, simulator.Options{Count: 5000, Revisions: 0.02, BadRecords: 0.02, Huge: 0.001, HugeBytes: 400_000, Services: []int64{20893, 11161, 15600}})
	sum := sha256.Sum256(data)
	var lo, hi int64 = 1 << 62, 0
	for p := range sim.Expected() {
		if p.ID != nil && p.Timestamp != nil {
			lo, hi = min(lo, *p.Timestamp), max(hi, *p.Timestamp)
		}
	}
	dir := lakeDir(t)
	s := mustImport(t, dir, nil, source("a.jsonl", bytes.NewReader(data)))
	got := truth(t, dir, sim.Expected())
	linesFit(t, data, got.activities, got.revisions, got.quarantine)
	lines := int64(bytes.Count(data, []byte{'\n'}))
	e := entries(t, dir)
	if len(e) != 1 {
		t.Fatalf("%d commits", len(e))
	}
	same(t, "pages", []store.PageFact{{Page: 1, FirstLine: 1, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data)), Records: lines, Fetched: now}}, e[0].Pages)
	same(t, "coverage", []store.Rectangle{{Since: time.UnixMilli(lo).UTC(), Until: time.UnixMilli(hi + 1).UTC(), State: "imported", RunID: s.Run.RunID, Records: lines}}, e[0].Coverage)
	run := lastRun(t, dir)
	same(t, "the summary's run and the ledger's", run, s.Run)
	if run.Outcome != "complete" || run.Verb != "import" || run.Host != "" || run.Operator != "ada" || run.CaseID != "case 7" || run.ToolVersion != "1.2" || !run.Ended.Equal(now) ||
		run.Records != lines || run.Added != int64(len(got.activities)) || run.Revisions != int64(len(got.revisions)) || run.Quarantined != int64(len(got.quarantine)) {
		t.Errorf("%+v", run)
	}
	if s.Finished != 1 || s.Windows != 1 || s.Head != fmt.Sprintf("%d:%s", got.snapshot.Version, got.snapshot.Head) {
		t.Errorf("%+v", s)
	}

	// The same again adds nothing, also in small blocks and several commits.
	again := mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(32<<10, 4<<20, 1<<20) }, source("a.jsonl", bytes.NewReader(data)))
	got = truth(t, dir, sim.Expected())
	if again.Run.Added+again.Run.Quarantined+again.Run.Revisions != 0 || again.Run.Duplicates != lines || len(got.snapshot.Seen) != len(got.quarantine) {
		t.Errorf("%+v", again.Run)
	}
}

func TestALargeImportIsCommittedInParts(t *testing.T) {
	t.Parallel()
	sim, data := saved(t, simulator.Options{Count: 800, BadRecords: 0.05, Services: []int64{20893, 11161}})
	sum := sha256.Sum256(data)
	dir := lakeDir(t)
	mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(16<<10, int64(len(data)/4), 8<<20) }, source("a.jsonl", bytes.NewReader(data)))
	got := truth(t, dir, sim.Expected())
	linesFit(t, data, got.activities, got.revisions, got.quarantine)
	e := entries(t, dir)
	if len(e) < 4 || len(e) > 5 {
		t.Errorf("%d commits", len(e))
	}
	var size, records, covered int64
	for i, entry := range e {
		last := i == len(e)-1
		size, records = size+entry.Pages[0].Bytes, records+entry.Pages[0].Records
		for _, r := range entry.Coverage {
			covered += r.Records
		}
		if (entry.Pages[0].SHA256 == hex.EncodeToString(sum[:])) != last || (entry.Run.Outcome == "complete") != last {
			t.Errorf("commit %d: %+v", i, entry)
		}
	}
	if size != int64(len(data)) || records != int64(bytes.Count(data, []byte{'\n'})) || covered != records {
		t.Errorf("%d bytes of %d, %d records, %d covered", size, len(data), records, covered)
	}
}

// record is a record of exactly so many bytes.
func record(id string, size int) string {
	head := fmt.Sprintf(`{"_id":%q,"timestamp":%d,"x":"`, id, midnight.UnixMilli())
	return head + strings.Repeat("x", max(0, size-len(head)-2)) + `"}`
}

func TestLinesOfEveryLength(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, size := range []int{100, 0, 1<<20 - 1, 1 << 20, 1<<20 + 1, 0, 0, 3 << 20, 90, 1<<20 - 2, 100, 1<<20 - 101, 100} {
		line := ""
		if size > 0 {
			line = record(fmt.Sprint("r", len(lines)), size)
		}
		lines = append(lines, line)
	}
	for name, c := range map[string]struct{ before, between, after string }{
		"one of 20 MB":         {record("huge", 20_000_000) + "\n", "\n", "\n"},
		"CRLF":                 {"", "\r\n", "\r\n"},
		"no final newline":     {"", "\n", ""},
		"a byte-order mark":    {"\ufeff", "\n", "\n"},
		"blanks and CRLF":      {"\ufeff \r\n\t\r\n", " \r\n\r\n", " \r\n\r\n"},
		"mark and an open end": {"\ufeff", "\r\n", ""},
		"marks between":        {"\ufeff", "\n\ufeff", "\n\ufeff"},
	} {
		t.Run(name, func(t *testing.T) {
			data := []byte(c.before + strings.Join(lines, c.between) + c.after)
			dir := lakeDir(t)
			s := mustImport(t, dir, nil, source("a.jsonl", bytes.NewReader(data)))
			got := read(t, dir)
			want := 10
			if strings.Contains(c.before, "huge") {
				want++
			}
			if len(got.activities) != want || s.Run.Records != int64(want) || len(got.quarantine) != 0 {
				t.Errorf("%d rows of %d records", len(got.activities), s.Run.Records)
			}
			linesFit(t, data, got.activities)
			if e := entries(t, dir); len(e) != 1 || e[0].Pages[0].Bytes != int64(len(data)) {
				t.Errorf("%+v", e[0].Pages)
			}
		})
	}
}

func TestInputsThatComeInPieces(t *testing.T) {
	t.Parallel()
	sim, data := saved(t, simulator.Options{Count: 60, BadRecords: 0.1, Services: []int64{20893}})
	for name, in := range map[string]func() io.Reader{
		"a byte at a time":      func() io.Reader { return iotest.OneByteReader(bytes.NewReader(data)) },
		"half of what is asked": func() io.Reader { return iotest.HalfReader(bytes.NewReader(data)) },
		"the end with the data": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(data)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := lakeDir(t)
			mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(10_000, 1<<40, 1<<20) }, source("-", in()))
			got := truth(t, dir, sim.Expected())
			linesFit(t, data, got.activities, got.revisions, got.quarantine)
		})
	}
}

func TestInputsWithoutRecords(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{"empty": "", "blank": "\n \r\n\n", "a mark": "\ufeff"} {
		t.Run(name, func(t *testing.T) {
			dir := lakeDir(t)
			s := mustImport(t, dir, nil, text("a", in))
			e := entries(t, dir)
			if s.Run.Records != 0 || s.Run.Outcome != "complete" || len(e) != 1 || len(e[0].Coverage) != 0 || e[0].Pages[0].Bytes != int64(len(in)) {
				t.Errorf("%+v, %+v", s.Run, e)
			}
		})
	}
	t.Run("bad ones only", func(t *testing.T) {
		dir := lakeDir(t)
		s := mustImport(t, dir, nil, text("a", "{\"_id\":1}\nnull\n{\"x\":2}\n\nnull\n"))
		got := read(t, dir)
		if s.Run.Quarantined != 3 || s.Run.Duplicates != 1 || len(got.snapshot.Coverage) != 0 || len(got.quarantine) != 3 {
			t.Errorf("%+v", s.Run)
		}
	})
}

// Thousands of small files make no thousands of commits; and each has its own
// entry all the same.
func TestSmallSourcesShareACommit(t *testing.T) {
	t.Parallel()
	a, b := record("a", 0)+"\n", record("b", 3000)
	inputs := []string{a, b, a}
	for name, c := range map[string]struct {
		change  func(*ingest.ImportOptions)
		commits []int // how many inputs are in each
	}{
		"small ones":     {nil, []int{3}},
		"a large one":    {func(o *ingest.ImportOptions) { o.SetLimits(1<<10, 3001, 1<<20) }, []int{2, 1}},
		"after a minute": {func(o *ingest.ImportOptions) { o.Clock = slow{o.Clock.(*ingest.ManualClock)} }, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := lakeDir(t)
			s := mustImport(t, dir, c.change, text("a", inputs[0]), text("b", inputs[1]), text("a again", inputs[2]))
			if s.Finished != 3 || s.Run.Added != 2 || s.Run.Duplicates != 1 {
				t.Fatalf("%+v", s)
			}
			e, n := entries(t, dir), 0
			var commits []int
			for i := range e {
				commits = append(commits, len(e[i].Pages))
				for _, p := range e[i].Pages {
					sum := sha256.Sum256([]byte(inputs[n]))
					if p.Page != int64(n+1) || p.FirstLine != int64(n+1) || p.SHA256 != hex.EncodeToString(sum[:]) || p.Records != 1 || p.Bytes != int64(len(inputs[n])) {
						t.Errorf("%+v", p)
					}
					n++
				}
				if want := map[bool]string{true: "complete", false: "running"}[i == len(e)-1]; e[i].Run.Outcome != want {
					t.Errorf("commit %d: %s", i, e[i].Run.Outcome)
				}
			}
			same(t, "inputs in each commit", c.commits, commits)
		})
	}
}

// slow is a clock that goes on by half a minute each time it is looked at.
type slow struct{ *ingest.ManualClock }

func (s slow) Now() time.Time {
	s.Advance(30 * time.Second)
	return s.ManualClock.Now()
}

func TestTheLineOfARowLeadsToItsSource(t *testing.T) {
	t.Parallel()
	dir := lakeDir(t)
	lines := []string{record("a", 40_000), "", record("b", 40_000), record("c", 40_000), "no JSON", record("d", 0)}
	first := strings.Join(lines[:3], "\n") // its last line has no end
	mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(1000, 50_000, 1<<20) },
		text("one", first), text("empty", ""), text("two", strings.Join(lines[3:], "\n")+"\n"))
	got := read(t, dir)
	linesFit(t, []byte(strings.Join(lines, "\n")), got.activities, got.quarantine)
	sums := map[int64]string{} // of the inputs, by their number
	var facts []store.PageFact
	for _, e := range entries(t, dir) {
		facts = append(facts, e.Pages...)
		for _, p := range e.Pages {
			sums[p.Page] = p.SHA256
		}
	}
	for _, r := range slices.Concat(got.activities, got.quarantine) {
		var at store.PageFact
		for _, f := range facts {
			if f.FirstLine <= int64(r.page) {
				at = f
			}
		}
		source := first
		if r.page > 3 {
			source = strings.Join(lines[3:], "\n") + "\n"
		}
		if sum := sha256.Sum256([]byte(source)); sums[at.Page] != hex.EncodeToString(sum[:]) {
			t.Errorf("line %d leads to input %d", r.page, at.Page)
		}
	}
	if len(facts) < 4 || len(got.activities) != 4 || len(got.quarantine) != 1 {
		t.Errorf("%d commits, %d rows", len(facts), len(got.activities))
	}
}

func TestAnImportThatIsToldToStop(t *testing.T) {
	t.Parallel()
	_, data := saved(t, simulator.Options{Count: 400, Services: []int64{20893}})
	for _, blocks := range []int32{1, 5, 20} {
		t.Run(fmt.Sprintf("after block %d", blocks), func(t *testing.T) {
			dir := lakeDir(t)
			mustImport(t, dir, nil, text("before", record("z", 0)))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var n atomic.Int32
			s, err := importInto(ctx, t, dir, func(o *ingest.ImportOptions) {
				o.SetLimits(16<<10, 1<<40, 8<<20)
				o.Progress = func(ingest.Progress) {
					if n.Add(1) == blocks {
						cancel()
					}
				}
			}, source("a", bytes.NewReader(data)))
			if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" || s.Head != "" {
				t.Fatalf("%v, %+v", err, s)
			}
			if got := read(t, dir); len(got.activities) != 1 || len(entries(t, dir)) != 1 {
				t.Errorf("%d rows", len(got.activities))
			}
		})
	}
	t.Run("while it waits for its input", func(t *testing.T) {
		for _, before := range []string{"", record("a", 5000) + "\n"} {
			dir := lakeDir(t)
			ctx, cancel := context.WithCancel(t.Context())
			in := &stuck{Reader: strings.NewReader(before), before: cancel, free: make(chan struct{})}
			s, err := importInto(ctx, t, dir, nil, source("-", in))
			close(in.free)
			if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" {
				t.Errorf("%v, %+v", err, s)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("a lake was made")
			}
		}
	})
}

// stuck is a terminal at which nobody types any more.
type stuck struct {
	io.Reader
	before func()
	free   chan struct{}
}

func (s *stuck) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	s.before()
	<-s.free
	return 0, io.EOF
}

func TestAnImportOfAnotherTenantIsRefused(t *testing.T) {
	t.Parallel()
	dir := lakeDir(t)
	line := func(id string, tenant int) string {
		return fmt.Sprintf("{\"_id\":%q,\"timestamp\":%d,\"tenantId\":%d}\n", id, midnight.UnixMilli(), tenant)
	}
	mustImport(t, dir, nil, text("one", line("a", 1)))
	s, err := importInto(t.Context(), t, dir, nil, text("two", line("b", 1)+line("c", 2)))
	if !errors.Is(err, store.ErrTenant) || s.Run.Outcome != "failed" || len(read(t, dir).activities) != 1 {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestAnImportTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	_, data := saved(t, simulator.Options{Count: 200, Services: []int64{20893}})
	var mu sync.Mutex
	var commits, finished, reports int
	s := mustImport(t, lakeDir(t), func(o *ingest.ImportOptions) {
		o.SetLimits(16<<10, int64(len(data)/2), 8<<20)
		o.Progress = func(p ingest.Progress) {
			mu.Lock()
			defer mu.Unlock()
			reports++
			if p.Committed {
				commits++
			}
			if p.WindowFinished {
				finished++
			}
		}
	}, source("a", bytes.NewReader(data)), text("b", record("b", 0)))
	if finished != 2 || commits < 2 || reports < 10 || s.Run.Records == 0 {
		t.Errorf("%d reports, %d commits, %d finished", reports, commits, finished)
	}
}
