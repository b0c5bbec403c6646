package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

var longStory = flag.Int("timeline.events", 30_000, "how many events a long story has")

const (
	// timelineBudget is what the process may take: the engine's buffers, and as much
	// again beside them.
	timelineBudget = 1 << 30
)

// One user did a million things (`make timeline-memory`), or some thousands: told from the first to the last within the
// budget, by machines' and by people's formats.
func TestALongStoryTakesLittleMemory(t *testing.T) {
	switch {
	case runtime.GOOS != "linux":
		t.Skip("the budget was measured on Linux")
	case raceEnabled:
		t.Skip("the race detector takes memory of its own")
	}
	dir := t.TempDir()
	if err := writeLongStory(filepath.Join(dir, "long.jsonl")); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "long.jsonl", "--covers", "2026-08-01..2026-11-20"); code != exitDone {
		t.Fatal(errs)
	}
	for format, want := range map[string]int64{"jsonl": int64(*longStory), "table": 0} {
		cmd := command(dir, []string{"TMPDIR=" + dir}, "timeline", "--user", "ada@contoso.example", "--since", "2026-11-10", "--until", "2026-11-20", "--max-events", "0", "-o", format)
		var lines lineCounter
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = &lines, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: %v\n%s", format, err, errs.String())
		}
		peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("%s: %d lines, %d MiB", format, lines, peak>>20)
		if want > 0 && int64(lines) != want {
			t.Errorf("%s has %d lines, want %d", format, lines, want)
		}
		if !strings.Contains(errs.String(), count(int64(*longStory))+" events in ") {
			t.Errorf("%s: it does not say how many events there are: %s", format, errs.String())
		}
		if peak > timelineBudget {
			t.Errorf("%s took %d MiB", format, peak>>20)
		}
	}
}

type lineCounter int64

func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(strings.Count(string(p), "\n"))
	return len(p), nil
}

// writeLongStory writes records of ten days, no two of them with the same object.
func writeLongStory(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range *longStory {
		at := 1_794_268_800_000 + int64(i)*800_000_000/int64(*longStory)
		fmt.Fprintf(w, `{"_id":"%024x","timestamp":%d,"created":%d,"appId":20892,"appName":"Microsoft SharePoint Online","user":{"userName":"ada@contoso.example"},`, i, at, at+60_000)
		fmt.Fprintf(w, `"device":{"clientIP":"10.0.%d.%d","countryCode":"DE","userAgent":"agent-%d/1.0"},`, i/5000%256, i/1000%256, i%100_000)
		fmt.Fprintf(w, `"mainInfo":{"rawOperationName":"FileDownloaded","eventObjects":[{"id":"id%d","name":"file %d.docx","serviceObjectType":"File","type":1,"role":3}]}}`+"\n", i, i)
	}
	return w.Flush()
}
