package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mdcalake/store"
)

// judgeCopy: a copy that was made while a run wrote is whole, or verify names
// what is wrong with it. It is never silently something else.
func (c *campaign) judgeCopy(began *holding) {
	c.t.Helper()
	dir := c.copy()
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			c.t.Error(err)
		}
	}()
	if _, err := store.Open(dir); errors.Is(err, store.ErrNotALake) {
		return // copied before there was anything
	}
	out, errs, code := c.verify(dir)
	strangers, missing := problemsOf(out)
	// Where the log was copied before the head, the copy looks like a log that has
	// lost its end. The head can be made again, like all that lies beside it.
	if slices.ContainsFunc(missing, func(line string) bool { return strings.HasPrefix(line, "_mdcalake/head: ") }) {
		if err := os.RemoveAll(filepath.Join(dir, "_mdcalake")); err != nil {
			c.t.Error(err)
		}
		// With it went the names of files under way: they are strangers now.
		out, errs, code = c.verify(dir)
		strangers, missing = problemsOf(out)
	}
	c.t.Logf("  the copy: exit code %d, %d files that its log does not name, %d named that it has not", code, len(strangers), len(missing))
	switch {
	case code == exitDamage && len(missing) > 0:
		c.tally.copies.damaged++
		if out, errs, code := c.run("query", "--lake", dir, "select count(raw) from activities union all select count(raw) from revisions union all select count(bytes) from quarantine"); code == exitDone {
			c.t.Errorf("a copy that lacks %q answers a query over everything: %s%s", missing, out, errs)
		}
		return
	case code == exitDamage && len(strangers) > 0:
		c.tally.copies.strangers++
	case code == exitDone:
		c.tally.copies.whole++
	default:
		c.t.Errorf("verify of the copy: exit code %d\n%s%s", code, out, errs)
		return
	}
	// It is the lake at one of its commits, and goes on to the truth.
	held := c.holding(dir)
	truth, holds := c.trueSince(held.closed), grows
	if held.closed != began.closed {
		holds = loses
	}
	if err := errors.Join(held.within(truth), holds(began, held)); err != nil {
		c.t.Errorf("the copy: %v", err)
	}
	c.whole(dir)
	if err := c.holding(dir).equals(truth); err != nil {
		c.t.Errorf("the copy, gone on with: %v", err)
	}
	for _, rel := range strangers {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(rel))); err != nil {
			c.t.Errorf("a file that the log does not name was touched: %v", err)
		}
	}
	c.verified(dir)
}

// problemsOf sorts what verify names: files that the log does not name, and
// everything else, which is damage.
func problemsOf(stdout string) (strangers, damage []string) {
	for line := range strings.Lines(stdout) {
		path, what, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case path == "ok" || path == "damaged":
		case strings.HasPrefix(what, "the log does not name it"):
			strangers = append(strangers, path)
		default:
			damage = append(damage, line)
		}
	}
	return strangers, damage
}

// A lake is copied while an ingest writes to it, in two parts with commits in
// between: the log first, or the log last.
func TestALakeCopiedWhileAnIngestRuns(t *testing.T) {
	t.Parallel()
	const log, data = "activities/_delta_log", "activities/date=* revisions quarantine _mdcalake"
	for _, test := range []struct {
		name          string
		first, second string
		names         string // what verify must name; "" is nothing
	}{
		{"the log first", log, data, ": the log does not name it"},
		{"the log last", data, log, ": it is missing; entry"},
		{"at one moment", data + " " + log, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &campaign{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(5, 0)), tally: newTally()}
			c.newLake()
			c.now.Store(campaignStart.AddDate(0, 0, 8).UnixMilli())
			c.truth = c.trueSince(0)
			// The service holds two answers back. The run commits what it has, and waits.
			var requests atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch requests.Add(1) {
				case 4:
					quietly(t, c.lake, func() { copyParts(t, c.lake, c.copy(), test.first) })
				case 8:
					quietly(t, c.lake, func() { copyParts(t, c.lake, c.copy(), test.second) })
				}
				c.sim.ServeHTTP(w, r)
			}))
			defer srv.Close()
			c.url = srv.URL
			c.whole(c.lake, "--parallel", "1", "--page-size", "100")
			out, _, code := c.verify(c.copy())
			t.Logf("exit code %d\n%s", code, out)
			if test.names == "" && code != exitDone || test.names != "" && (code != exitDamage || !strings.Contains(out, test.names)) {
				t.Errorf("verify of the copy does not say %q", test.names)
			}
			if n := requests.Load(); n < 8 {
				t.Errorf("only %d requests: nothing was copied while it ran", n)
			}
			c.judgeCopy(&holding{})
		})
	}
}

// quietly copies a lake while no commit is under way. The run must be held up,
// so that one of the times is a quiet one.
func quietly(t *testing.T, lake string, copy func()) {
	for range 1000 {
		before := commitsOf(t, lake)
		copy()
		if after := commitsOf(t, lake); before == after && !strings.Contains(after, "pending-") {
			return
		}
	}
	t.Error("commits without end")
}

// commitsOf are the names of the log's entries, and of what is under way.
func commitsOf(t *testing.T, lake string) string {
	log, err1 := filepath.Glob(filepath.Join(lake, "activities", "_delta_log", "*"))
	pending, err2 := filepath.Glob(filepath.Join(lake, "_mdcalake", "pending-*"))
	if err := errors.Join(err1, err2); err != nil {
		t.Error(err)
	}
	return strings.Join(append(log, pending...), "\n")
}

// copyParts copies what the patterns name, to its place below to.
func copyParts(t *testing.T, from, to, patterns string) {
	for _, pattern := range strings.Fields(patterns) {
		names, err := filepath.Glob(filepath.Join(from, filepath.FromSlash(pattern)))
		if err != nil {
			t.Error(err)
		}
		into := filepath.Dir(filepath.Join(to, filepath.FromSlash(pattern)))
		if err := os.MkdirAll(into, 0o700); err != nil {
			t.Error(err)
		}
		for _, name := range names {
			if out, err := exec.Command("cp", "-R", name, into).CombinedOutput(); err != nil {
				t.Errorf("cp: %v: %s", err, out)
			}
		}
	}
}
