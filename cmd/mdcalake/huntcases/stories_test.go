package huntcases

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/store"
)

var (
	huntsRecords = flag.Int("hunts.records", 25_000, "how many ordinary records the tenant of a seed has")
	huntsSeeds   = flag.Int("hunts.seeds", 1, "how many seeds of each kind")
	huntsResult  = flag.String("hunts.result", "", "write the table to this file")
)

// Seeds by which defaults were chosen, and those by which nothing was.
const (
	firstTuningSeed = 1
	firstTestSeed   = 101
)

// mostNoiseADay is how many findings of nothing a hunt may have on a day, by its
// defaults.
const mostNoiseADay = 5

// TestHuntsFindTheStories: in a tenant of 150 days, of which the last third is
// hunted in, with attack stories and what looks like them and is honest. The
// stories were written from the specification, before the hunts.
func TestHuntsFindTheStories(t *testing.T) {
	var text strings.Builder
	for _, kind := range []struct {
		name  string
		first uint64
	}{{"test", firstTestSeed}, {"tuning", firstTuningSeed}} {
		if kind.name == "tuning" && *huntsResult == "" {
			continue // they are for the table
		}
		var scores []hunts.Score
		for n := range *huntsSeeds {
			for i, s := range huntSeed(t, kind.first+uint64(n)) {
				if n == 0 {
					scores = append(scores, s)
				} else {
					scores[i].Add(s)
				}
			}
		}
		for _, s := range scores {
			if part, ok := s.Recall(); ok && part < 1 {
				t.Errorf("%s seeds: %s found %d of %d: %v are missing", kind.name, s.Hunt, s.Found, s.Planted, s.Missed)
			}
			if s.NoiseADay() > mostNoiseADay {
				t.Errorf("%s seeds: %s has %.1f findings of nothing a day", kind.name, s.Hunt, s.NoiseADay())
			}
		}
		fmt.Fprintf(&text, "## %s seeds (%d to %d)\n\n%s\n", strings.ToUpper(kind.name[:1])+kind.name[1:], kind.first, kind.first+uint64(*huntsSeeds)-1, hunts.ScoreTable(scores))
	}
	t.Logf("\n%s", text.String())
	if *huntsResult == "" {
		return
	}
	head := fmt.Sprintf("# The hunts, where it is known what happened\n\nMade by `make hunts` on %s, at commit %s, on %s/%s with %d cores and %s of memory. Tenants of 150 days by seed, %d\n"+
		"ordinary records each beside the stories and the honest noise; hunted in the last 50 days, with the allow-list of the honest tenant, at the hunts' defaults. Nothing was tuned by the test seeds. A finding is true if it cites an activity of a\nstory; 'false a day' are the others.\n\n", time.Now().UTC().Format(time.DateOnly), commitOf(t), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf(), *huntsRecords)
	if err := os.WriteFile(*huntsResult, []byte(head+text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// huntSeed are the scores of all hunts in the tenant of a seed.
func huntSeed(t *testing.T, seed uint64) []hunts.Score {
	t.Helper()
	end := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	start := end.AddDate(0, 0, -150)
	sim, err := simulator.New(simulator.Options{
		Seed: seed, Start: start, End: end, Count: *huntsRecords, Stories: []string{simulator.StoriesAll}, Noise: true, NativeFeeds: true,
		Clock: func() time.Time { return end.AddDate(0, 0, 30) },
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	from, to := io.Pipe()
	go func() { to.CloseWithError(sim.WriteNDJSON(to, time.Time{}, time.Time{})) }()
	_, err = ingest.Import(t.Context(), ingest.ImportOptions{Writer: w, Covers: &ingest.Declaration{Since: start, Until: end}},
		[]ingest.Source{{Name: "tenant", Size: -1, Open: func() (io.ReadCloser, error) { return from, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Verify(t.Context(), dir, store.VerifyOptions{Lift: ingest.Lift}, func(p store.Problem) { t.Errorf("verify: %v", p) }); err != nil {
		t.Fatal(err)
	}
	lake, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	e, err := query.Open(t.Context(), query.Options{Snapshot: lake.Snapshot(), TempDir: t.TempDir(), MemoryLimit: "512MiB"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	allow := sim.AllowList()
	request := hunts.Request{Since: end.AddDate(0, 0, -50), Until: end, Allow: hunts.Allowlist{Users: allow.Users, IPs: allow.Ranges, Apps: allow.Apps, Countries: allow.Countries}}
	var plans []*hunts.Plan
	for _, h := range catalog(t) {
		p, err := hunts.Prepare(e, h, request)
		if err != nil {
			t.Fatal(err)
		}
		if p.Refused != "" {
			t.Errorf("%s: %s", h.Name, p.Refused)
		}
		plans = append(plans, p)
	}
	found, err := hunts.Run(context.WithoutCancel(t.Context()), e, plans, func(*hunts.Plan) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range found.Outcomes {
		if o.Err != nil {
			t.Error(o.Err)
		}
	}
	var truth []hunts.Story
	for _, s := range sim.Stories() {
		story := hunts.Story{Name: fmt.Sprintf("%s (seed %d)", s.Name, seed), Records: s.Records}
		for _, ev := range s.Evidence {
			story.Evidence = append(story.Evidence, hunts.Evidence{Hunt: ev.Hunt, Users: ev.Users, IDs: ev.IDs})
		}
		truth = append(truth, story)
	}
	scores, err := found.Judge(t.Context(), truth)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

// commitOf is the source's commit.
func commitOf(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// memoryOf is the machine's memory, where the system tells.
func memoryOf() string {
	text, _ := os.ReadFile("/proc/meminfo")
	var kilobytes float64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %f kB", &kilobytes); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.1f GB", kilobytes*1024/1e9)
}
