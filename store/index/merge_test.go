package index_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"mdcalake/store/index"
)

func runsOf(entries ...int64) []index.Info {
	var runs []index.Info
	for v, n := range entries {
		runs = append(runs, index.Info{Span: span(int64(v), int64(v)), Entries: n, Bytes: n * 12})
	}
	return runs
}

func TestPlanMerge(t *testing.T) {
	for _, c := range []struct {
		name string
		runs []index.Info
		want string
	}{
		{"nothing", nil, "nothing to merge"},
		{"one run", runsOf(100), "nothing to merge"},
		{"three of a size", runsOf(100, 100, 100), "nothing to merge"},
		{"four of a size", runsOf(100, 100, 100, 100), "merge 4 runs, log versions 0 to 3: 400 entries, 4800 bytes"},
		{"four small ones behind a large one", runsOf(1000000, 100, 100, 100, 100), "merge 4 runs, log versions 1 to 4: 400 entries, 4800 bytes"},
		{"what a merge makes is the fourth of the next size", runsOf(300, 300, 300, 100, 100, 100, 100), "merge 7 runs, log versions 0 to 6: 1300 entries, 15600 bytes"},
		{"a small one before a large one", runsOf(5, 100), "merge 2 runs, log versions 0 to 1: 105 entries, 1260 bytes"},
		{"empty ones", runsOf(5000, 0, 0, 0, 0), "merge 4 runs, log versions 1 to 4: 0 entries, 0 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := index.PlanMerge(c.runs).String(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// However large the appended runs are: few runs, and few rewrites.
func TestMergingKeepsRunsAndRewritesFew(t *testing.T) {
	worst := 0.0
	rapid.Check(t, func(t *rapid.T) {
		largest := rapid.SampledFrom([]int64{1, 10, 1000, 100_000}).Draw(t, "largest")
		sizes := rapid.SliceOfN(rapid.Int64Range(1, largest), 1, 400).Draw(t, "sizes")
		var runs []index.Info
		total, written, smallest := int64(0), int64(0), largest
		for _, n := range sizes {
			total += n
			written += n
			smallest = min(smallest, n)
			runs = append(runs, index.Info{Entries: n})
			plan := index.PlanMerge(runs)
			if !plan.Empty() {
				written += plan.Entries
				runs = append(runs[:len(runs)-len(plan.Runs)], index.Info{Entries: plan.Entries})
			}
			if again := index.PlanMerge(runs); !again.Empty() {
				t.Fatalf("after a merge there is another one: %v", again)
			}
			tiers := math.Floor(math.Log2(float64(total))/2) + 2
			if float64(len(runs)) > 3*tiers {
				t.Fatalf("%d runs for %d entries", len(runs), total)
			}
		}
		bound := 2 + math.Log(float64(total)/float64(smallest))/math.Log(4) + 1 // tiers are whole
		if f := float64(written) / float64(total); f > bound {
			t.Fatalf("%d entries were written %.2f times, want at most %.2f", total, f, bound)
		} else {
			worst = max(worst, f)
		}
	})
	t.Logf("the worst was %.2f times", worst)
}

// A year of hourly commits of 6,000 entries.
func TestAYearOfHourlyCommits(t *testing.T) {
	var runs []index.Info
	written, most := int64(0), 0
	const commits, size = 8760, 6000
	for range commits {
		runs = append(runs, index.Info{Entries: size})
		written += size
		if plan := index.PlanMerge(runs); !plan.Empty() {
			written += plan.Entries
			runs = append(runs[:len(runs)-len(plan.Runs)], index.Info{Entries: plan.Entries})
		}
		most = max(most, len(runs))
	}
	factor := float64(written) / (commits * size)
	t.Logf("each entry written %.2f times, at most %d runs", factor, most)
	if factor > 8 || most > 24 {
		t.Error("too much")
	}
}
