package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// A follower as a service has it: it stays, others cannot write meanwhile, being
// told to stop is its proper end, and status tells what it has measured.
func TestAFollowerThatIsToldToStop(t *testing.T) {
	t.Parallel()
	clock := fastClock{began: time.Now(), shows: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), speed: 300}
	sim, err := simulator.New(simulator.Options{
		Seed: 5, Start: clock.shows.AddDate(0, 0, -1), End: clock.shows.AddDate(0, 0, 1), Count: 4000, Services: []int64{20893, 11161},
		VisibleLag: 10 * time.Minute, Clock: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim)
	defer srv.Close()
	dir := t.TempDir()
	env := []string{fastClockVariable + "=" + clock.String()}
	args := []string{"ingest", "--url", srv.URL, "--follow", "--every", "5m", "--since", "1d", "--rate", "0", "--summary-json", "s.json", "--verbose"}
	cmd := command(dir, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// A commit is made each minute where something has come.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if log, err := filepath.Glob(filepath.Join(dir, "lake", "activities", "_delta_log", "*.json")); err == nil && len(log) >= 6 {
			break
		}
	}
	if _, errs, code := mdcalake(t, dir, env, "ingest", "--url", srv.URL, "--since", "1d", "--rate", "0"); code != exitLocked || !strings.Contains(errs, "Hint: ") {
		t.Errorf("a second writer: exit code %d\n%s", code, errs)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.Len() > 0 || !strings.Contains(errs.String(), "\ningested ") || strings.Contains(errs.String(), "interrupted") {
		t.Errorf("%v, stdout %q, stderr\n%s", err, out.String(), errs.String())
	}
	var summary summaryJSON
	if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "s.json"))), &summary); err != nil || summary.Added == 0 || summary.Error != "" {
		t.Errorf("%v, %+v", err, summary)
	}
	if _, errs, code := mdcalake(t, dir, env, "verify"); code != exitDone {
		t.Error(errs)
	}

	text, _, _ := mdcalake(t, dir, env, "status")
	if !strings.Contains(text, "saved ") || !strings.Contains(text, "; fetched ") {
		t.Errorf("status tells no lags:\n%s", text)
	}
	text, _, _ = mdcalake(t, dir, env, "status", "-o", "json")
	var status struct{ Lags []serviceLags }
	if err := json.Unmarshal([]byte(text), &status); err != nil || len(status.Lags) != 2 {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, l := range status.Lags {
		late, seen := l.Late50, l.Visible50
		if late == nil || seen == nil || *late < 30 || *late > 3600 || l.Followed == 0 || l.Followed >= l.Records || *seen < 0 || *seen > 3600 {
			t.Errorf("service %d: %d of %d followed, late %v, seen %v (%v, %v)", l.Service, l.Followed, l.Records, *late, *seen, *l.Visible999, *l.VisibleMax)
		}
	}
}
