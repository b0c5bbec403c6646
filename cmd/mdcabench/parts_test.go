package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mdcalake/query/querytest"
)

// programs are mdcalake and mdcasim, built once.
var programs = sync.OnceValues(func() (string, error) {
	dir := programsDir
	out, err := exec.Command("go", "build", "-o", dir+"/", "mdcalake/cmd/mdcalake", "mdcalake/cmd/mdcasim").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return dir, nil
})

// world is where a part runs in a test.
type world struct {
	dir, result string
	said        *strings.Builder
}

func (w world) run(t *testing.T, args ...string) int {
	t.Helper()
	built, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	w.said.Reset()
	c := console{in: strings.NewReader(""), out: io.Discard, err: w.said, environ: os.Environ()}
	global := []string{"mdcabench", "--dir", w.dir, "--programs", built, "--testdata", filepath.Join("..", "..", "testdata"), "--venv", filepath.Join(w.dir, "venv"), "--result", w.result}
	return run(t.Context(), append(global, args...), c)
}

func newWorld(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	return world{dir: filepath.Join(dir, "data"), result: filepath.Join(dir, "bench.md"), said: &strings.Builder{}}
}

// figures that each part must have found, so that a target does not silently stay
// without one.
var figures = map[string][]string{
	"import": {"import.month.speed", "import.year.speed", "import.cell.speed", "import.small.speed", "import.month-more.disk", "import.year-more.compacted"},
	"memory": {"memory.month.growth", "memory.year.growth", "memory.cell.growth", "memory.ingest.peak"},
	"scan":   {"scan.requests", "scan.forced"},
	"start":  {"start.ratio"},
	"query":  {"query.day-by-date.over", "query.day-by-timestamp.speed", "query.one-user.extra", "query.text-in-raw.speed"},
	"hunts":  {"hunts.month.speed", "hunts.year.peak"},
	"growth": {"growth.open.30", "growth.ids.1000", "growth.ids.1000.memory"},
}

// Every part, tiny: it does its work, holds its contestants' records against ours,
// verifies its lakes, leaves its section with its figures, and nothing else.
func TestEveryPart(t *testing.T) {
	if raceEnabled {
		t.Skip("it is other processes that work here, minutes long; the parts of this one are run by the tests below")
	}
	tiny := map[string]string{
		"import": "--days 8 --services 3 --records 300 --shuffled 300 --more 400 --more-shuffled 400 --cell 200 --small 60 --rounds 2 --others=false",
		"memory": "--days 8 --services 3 --records 200 --more 300 --cell 100 --more-cell 200 --rounds 1",
		"scan":   "--records 300 --pages 3 --clock-speed 300 --rounds 1",
		"start":  "--records 200 --turns 2",
		"query":  "--days 30 --services 4 --records 2500 --in-files 1000 --rounds 1",
		"hunts":  "--days 130 --services 2 --records 1500 --rounds 1",
		"growth": "--days 4 --services 3 --per-day 60 --imports 2 --marks 2,4 --commits 30 --ids 1000 --rounds 1",
	}
	w := newWorld(t)
	for _, part := range partOrder {
		if code := w.run(t, append([]string{part}, strings.Fields(tiny[part])...)...); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", part, code, w.said)
		}
		if part == "import" && strings.Count(w.said.String(), "DuckDB COPY, from_json, with raw: the same ") != 6 {
			t.Errorf("import: not every input was compared:\n%s", w.said)
		}
	}
	text, err := os.ReadFile(w.result)
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDocument(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range partOrder {
		for _, name := range figures[part] {
			if _, ok := d[part].facts[name]; !ok {
				t.Errorf("%s has no figure %s: %v", part, name, d[part].facts)
			}
		}
	}
	if strings.Contains(string(text), "failed:") {
		t.Errorf("a contestant failed:\n%s", text)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// Ctrl-C ends the children and takes their data away.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	built, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var said strings.Builder
	read, write := io.Pipe()
	go func() {
		// It is interrupted as soon as a contestant has been measured, while the next
		// one is at work.
		text := make([]byte, 4096)
		for {
			n, err := read.Read(text)
			said.Write(text[:n])
			if strings.Contains(said.String(), "round 1 of 9") {
				cancel()
			}
			if err != nil {
				return
			}
		}
	}()
	c := console{in: strings.NewReader(""), out: io.Discard, err: write, environ: os.Environ()}
	code := run(ctx, []string{"mdcabench", "--dir", w.dir, "--programs", built, "--testdata", filepath.Join("..", "..", "testdata"), "--result", w.result,
		"import", "--records", "300", "--rounds", "9", "--others=false"}, c)
	if code != 130 {
		t.Errorf("exit code %d", code)
	}
	if left, err := os.ReadDir(w.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
	if _, err := os.Stat(w.result); err == nil {
		t.Error("there is a result of half a part")
	}
}

// What a run left that was killed is removed by the next one; of one that is alive
// it is not.
func TestWhatADeadRunLeft(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	of := func(pid int) string { return filepath.Join(dir, workPrefix+itoa(pid)) }
	for _, pid := range []int{dead.Process.Pid, os.Getppid()} {
		if err := os.MkdirAll(filepath.Join(of(pid), "lake"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	work, err := makeWork(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(of(dead.Process.Pid)); err == nil {
		t.Error("what a dead run left is still there")
	}
	for _, path := range []string{of(os.Getppid()), work} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// A contestant with one other value in one column is not the same.
func TestOtherRecordsAreNoticed(t *testing.T) {
	dir := t.TempDir()
	make := func(name, rows string) string {
		glob := filepath.Join(dir, name, partitioned)
		d, err := querytest.Open(t.Context(), "COPY (SELECT *, DATE '2026-01-01' AS date, 1 AS service FROM ("+rows+")) TO "+
			querytest.Literal(filepath.Join(dir, name))+" (FORMAT parquet, PARTITION_BY (date, service))")
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
		return glob
	}
	ours := make("ours", "VALUES ('a', 1, ['x']), ('b', 2, NULL)) AS t(activity_id, source, user_tags")
	for name, c := range map[string]struct {
		rows   string
		differ []string
	}{
		"the same, in another order": {"VALUES ('b', 2, NULL), ('a', 1, ['x'])) AS t(activity_id, source, user_tags", nil},
		"a value":                    {"VALUES ('a', 1, ['x']), ('b', 3, NULL)) AS t(activity_id, source, user_tags", []string{"source"}},
		"two values changed places":  {"VALUES ('a', 2, ['x']), ('b', 1, NULL)) AS t(activity_id, source, user_tags", []string{"source"}},
		"a list":                     {"VALUES ('a', 1, []::VARCHAR[]), ('b', 2, NULL)) AS t(activity_id, source, user_tags", []string{"user_tags"}},
		"a record more":              {"VALUES ('a', 1, ['x']), ('b', 2, NULL), ('c', 0, NULL)) AS t(activity_id, source, user_tags", []string{"the number of records (3 in place of 2)", "the ids", "activity_id", "date", "service", "source", "user_tags"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := compareRecords(t.Context(), ours, make(strings.ReplaceAll(name, " ", "-"), c.rows))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Differ, c.differ) || len(s.Types) > 0 {
				t.Errorf("differ in %q, types in %q, want %q", s.Differ, s.Types, c.differ)
			}
		})
	}
}

// The peak of a process is its own, not ours, however much we have.
func TestThePeakIsTheProcesssOwn(t *testing.T) {
	if ownPeak() == 0 {
		t.Skip("only Linux hands the peak of the parent down")
	}
	ballast := make([]byte, 200<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	k, err := process{program: "sleep", args: []string{"0.05"}}.run(t.Context())
	if err != nil {
		t.Skip(err)
	}
	if k.peak <= 0 || k.peak > 100<<20 || ballast[0] == 0 {
		t.Errorf("sleep took %s", memory(float64(k.peak)))
	}
}

// A process that is ended takes along what it started.
func TestTheWholeGroupEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := process{program: "sh", args: []string{"-c", "sleep 600 & echo $!; wait"}}.start(ctx)
	if err != nil {
		t.Skip(err)
	}
	cancel()
	p.cmd.Wait()
	pid := int(number(p.line))
	for range 500 {
		if text, err := os.ReadFile("/proc/" + p.line + "/stat"); errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || err == nil && strings.Contains(string(text), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}
