package main

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// A part measured anew replaces its own section, and the targets follow.
func TestOneSectionIsReplaced(t *testing.T) {
	b := &bench{result: filepath.Join(t.TempDir(), "results", "bench.md")}
	keep := func(part, text string, facts map[string]float64) string {
		s := newSection(part, "Part "+part)
		s.say("%s", text)
		s.facts = facts
		if err := b.keep(s); err != nil {
			t.Fatal(err)
		}
		kept, err := os.ReadFile(b.result)
		if err != nil {
			t.Fatal(err)
		}
		return string(kept)
	}
	keep("start", "slow", map[string]float64{"start.ratio": 1.7})
	text := keep("import", "imported", map[string]float64{"import.month.speed": 1.61})
	for _, want := range []string{"| 1.70x | **no** |", "| 1.61x | yes |", "| not measured | |", "slow", "imported"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "imported") > strings.Index(text, "slow") {
		t.Error("sections are not in their order")
	}
	text = keep("start", "quick", map[string]float64{"start.ratio": 1.4})
	if strings.Contains(text, "slow") || !strings.Contains(text, "quick") || !strings.Contains(text, "| 1.40x | yes |") || strings.Count(text, "imported") != 1 {
		t.Errorf("not replaced:\n%s", text)
	}
	d, err := parseDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := d.encode(); err != nil || whole != text {
		t.Errorf("does not come back as it was (%v)", err)
	}
}

func TestRatiosAreThoseOfARound(t *testing.T) {
	ours, theirs := series{1, 2, 4}, series{3, 4, 4}
	ratios := theirs.over(ours)
	if got := ratios.show(times); got != "2.00x (1.00x–3.00x)" && got != "2.00x (1.00–3.00x)" {
		t.Errorf("got %s", got)
	}
	if got := (series{0.0123, 0.5, 1.5}).show(duration); got != "500 ms (12.3 ms–1.5 s)" {
		t.Errorf("got %s", got)
	}
}

func TestBenchmarksAreRead(t *testing.T) {
	found := parseBenchmarks("goos: linux\nBenchmarkLookup/ids=1000/present-2   \t 3\t 2000 ns/op\t 5.5 RssAnon-MiB\nBenchmarkLookup/ids=1000/present-2 3 4000 ns/op 6.5 RssAnon-MiB\nPASS\n")
	if got := found["Lookup/ids=1000/present"]; got["ns/op"] != 3000 || got["RssAnon-MiB"] != 6 {
		t.Errorf("got %v", found)
	}
}

// Every line of the table of targets is one that a part measures, or says where else
// to look: a misspelt name would be "not measured" for ever.
func TestTargetsHaveFigures(t *testing.T) {
	for _, target := range targets {
		part, _, _ := strings.Cut(target.fact, ".")
		if (target.fact == "") == (target.seeOnly == "") || target.fact != "" && figures[part] == nil {
			t.Errorf("%q is measured by nobody", target.what)
		}
	}
}

// A ratio to nothing is no number: the file stays as it is.
func TestAFigureThatIsNoNumber(t *testing.T) {
	d := document{"start": section{part: "start", text: "## Start\n", facts: map[string]float64{"start.ratio": math.NaN()}}}
	if whole, err := d.encode(); err == nil || !strings.Contains(err.Error(), "section start") {
		t.Errorf("%q, %v", whole, err)
	}
}
