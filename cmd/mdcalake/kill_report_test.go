package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// tally counts what became of the rounds.
type tally struct {
	verbs  map[string]*verbTally
	steps  map[step]int // struck at
	copies struct{ whole, strangers, damaged int }
	took   time.Duration
}

type verbTally struct {
	rounds, missed, tidying, finished int
	blows                             map[string]int // that hit
}

func newTally() tally { return tally{verbs: map[string]*verbTally{}, steps: map[step]int{}} }

func (t *tally) of(verb string) *verbTally {
	if t.verbs[verb] == nil {
		t.verbs[verb] = &verbTally{blows: map[string]int{}}
	}
	return t.verbs[verb]
}

func (t *tally) count(verb, blow string, s step, hit bool) {
	v := t.of(verb)
	v.rounds++
	if !hit {
		v.missed++
		return
	}
	v.blows[blow]++
	t.steps[s]++
}

// again counts a second kill, of the writer that tidied up.
func (t *tally) again(verb string, hit bool) {
	if hit {
		t.of(verb).tidying++
		t.steps[stepSwept]++
	}
}

func (t *tally) finished(verb string) { t.of(verb).finished++ }

func (t *tally) hits() (n int) {
	for _, v := range t.verbs {
		n += v.rounds - v.missed
	}
	return n
}

func (t *tally) table() string {
	var b strings.Builder
	b.WriteString("| verb | rounds | kill -9 | SIGTERM, SIGINT | copied meanwhile | ended before | killed again, tidying up | let to its end: equals the truth |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(t.verbs)) {
		v := t.verbs[name]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %d | %d |\n", name, v.rounds, v.blows["kill -9"], v.blows["SIGTERM"]+v.blows["SIGINT"], v.blows["cp -R"], v.missed, v.tidying, v.finished)
	}
	b.WriteString("\n| struck at | times |\n|---|---|\n")
	for _, s := range append(slices.Clone(commitSteps), stepSwept) {
		fmt.Fprintf(&b, "| %s | %d |\n", s, t.steps[s])
	}
	fmt.Fprintf(&b, "\nOf the copies made while a run wrote, %d were whole, %d had files that their log does not name, %d lacked files and were named as damaged.\n", t.copies.whole, t.copies.strangers, t.copies.damaged)
	return b.String()
}

// report is the last result, as it is kept. It is written only where no round
// has failed.
func (t *tally) report(seed uint64, rounds int) string {
	again := 0
	for _, v := range t.verbs {
		again += v.tidying
	}
	return fmt.Sprintf(`# The program killed at random points: the last long run

Made by `+"`make kill-long`"+` on %s, at commit %s, on %s/%s with %d cores and %s of memory.

%d rounds with seed %d in %s: %d struck the program while it worked, %d more its successor while it tidied up. After
each of them verify found nothing, every commit that had been seen was there, nothing was lost, nothing was there
twice and nothing was there that the service never had; a copy that lacked a file was named as damaged.

%s`, time.Now().UTC().Format(time.DateOnly), commitOf(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf(), rounds, seed, t.took.Round(time.Second), t.hits(), again, t.table())
}

// commitOf is the source's commit, as far as git knows it.
func commitOf() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	commit := strings.TrimSpace(string(out))
	if changed, err := exec.Command("git", "status", "--porcelain", ":/", ":(exclude,top)testdata/results").Output(); err != nil || len(changed) > 0 {
		commit += " with changes"
	}
	return commit
}

// memoryOf is the machine's memory, where the system tells.
func memoryOf() string {
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kilobytes int64
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err == nil {
			return size(kilobytes << 10)
		}
	}
	var bytes int64
	if out, err := exec.Command("sysctl", "-n", "hw.memsize").Output(); err == nil {
		if _, err := fmt.Sscan(string(out), &bytes); err == nil {
			return size(bytes)
		}
	}
	return "an unknown amount"
}
