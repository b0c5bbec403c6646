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

	"mdcalake/ingest/simulator/tenant"
)

// How much memory do a run and a verify take beside a lake of many records? As
// much as beside a lake of few: a tenth of the records first, then all.
//
//	go test ./cmd/mdcalake -run TestMemoryDoesNotGrowWithTheLake -v -timeout 6h -memory.records=50000000
var (
	memoryRecords = flag.Int64("memory.records", 0, "records of TestMemoryDoesNotGrowWithTheLake")
	memoryResult  = flag.String("memory.result", "", "write the result of TestMemoryDoesNotGrowWithTheLake to `FILE`")
)

// memoryBudget is what a command may take beside any lake.
const memoryBudget = 400 << 20

// memoryStep is one command and what it took.
type memoryStep struct {
	name string
	took time.Duration
	peak int64 // bytes
}

func TestMemoryDoesNotGrowWithTheLake(t *testing.T) {
	if *memoryRecords == 0 {
		t.Skip("it takes hours: make memory")
	}
	lake := filepath.Join(t.TempDir(), "lake")
	var steps []memoryStep
	measure := func(name string, input func(w io.Writer) error, args ...string) {
		t.Helper()
		cmd := command(filepath.Dir(lake), nil, append(args, "--lake", lake)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		began := time.Now()
		if input != nil {
			pipe, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				w := bufio.NewWriterSize(pipe, 1<<20)
				input(w) // the program says what it was given too little of
				w.Flush()
				pipe.Close()
			}()
		}
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, stderr.String())
		}
		s := memoryStep{name: name, took: time.Since(began), peak: cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss}
		if runtime.GOOS == "linux" {
			s.peak <<= 10
		}
		t.Logf("%-40s %8s %5d MiB\n%s", name, s.took.Round(time.Second), s.peak>>20, stderr.String())
		steps = append(steps, s)
	}
	few, all := *memoryRecords/10, *memoryRecords
	again := func(of int64) func(w io.Writer) error {
		return func(w io.Writer) error { return writeAgain(w, of, 200_000) }
	}
	measure(fmt.Sprintf("import of the first %d", few), func(w io.Writer) error { return writeSmall(w, 0, few, all) }, "import", "-")
	measure(fmt.Sprintf("200,000 again, of %d", few), again(few), "import", "-")
	measure(fmt.Sprintf("verify of %d", few), nil, "verify")
	measure(fmt.Sprintf("import of the other %d", all-few), func(w io.Writer) error { return writeSmall(w, few, all, all) }, "import", "-")
	measure(fmt.Sprintf("200,000 again, of %d", all), again(all), "import", "-")
	measure(fmt.Sprintf("verify of %d", all), nil, "verify")
	for _, s := range steps {
		if s.peak > memoryBudget {
			t.Errorf("%q took %d MiB", s.name, s.peak>>20)
		}
	}
	if *memoryResult != "" {
		if err := os.WriteFile(*memoryResult, []byte(memoryReport(steps)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func memoryReport(steps []memoryStep) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Memory beside a large lake\n\nMade by `make memory` on %s, at commit %s, on %s/%s with %d cores and %s of memory.\n\n| step | time | peak memory |\n|---|---|---|\n", time.Now().UTC().Format(time.DateOnly), commitOf(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf())
	for _, s := range steps {
		fmt.Fprintf(&b, "| %s | %s | %d MiB |\n", s.name, s.took.Round(time.Second), s.peak>>20)
	}
	return b.String()
}

// writeSmall writes records from..to of n, in the order of time over a year.
func writeSmall(w io.Writer, from, to, n int64) error {
	for i := from; i < to; i++ {
		if err := tenant.WriteSmall(w, i, n, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// writeAgain writes records that the lake has: half as they are, a quarter with
// another app, a quarter on another day.
func writeAgain(w io.Writer, of, n int64) error {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		app, days := int64(0), int64(0)
		switch i % 4 {
		case 2:
			app = 1
		case 3:
			days = 1
		}
		if err := tenant.WriteSmall(w, r.Int64N(of), *memoryRecords, app, days); err != nil {
			return err
		}
	}
	return nil
}
