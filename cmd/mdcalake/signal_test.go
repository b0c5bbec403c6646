package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

// completeOf is what a lake's ledger calls complete.
func completeOf(t *testing.T, lake string) []store.Stretch {
	t.Helper()
	l, err := store.Open(lake)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var complete []store.Stretch
	for _, s := range l.Snapshot().CoverageOf(nil, time.Time{}, time.Time{}) {
		if s.Through.Before(s.Until) {
			s.Until = s.Through // nothing is saved before it happens
		}
		if s.State == store.StateComplete && s.Since.Before(s.Until) {
			complete = append(complete, s)
		}
	}
	return complete
}

// An ingest that is told to stop, or killed, in the middle of a window goes on
// with the same command: nothing is lost, nothing is doubled. The signal is sent
// while the service holds an answer back, so it comes at a known place.
func TestInterruptedIngestGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		signal  syscall.Signal
		code    int // -1: died of it
		outcome string
	}{
		{syscall.SIGINT, exitInterrupted, "interrupted complete"},
		{syscall.SIGTERM, exitInterrupted, "interrupted complete"},
		{syscall.SIGKILL, -1, "running complete"},
	} {
		t.Run(c.signal.String(), func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
			sim, err := simulator.New(simulator.Options{Seed: 3, Days: 3, Count: 900, Revisions: 0.05, Clock: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			var requests, stopAt atomic.Int64
			stopAt.Store(11)
			var process atomic.Pointer[os.Process]
			var complete atomic.Pointer[[]store.Stretch] // when the first run had ended
			complete.Store(new([]store.Stretch))
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == stopAt.Load() {
					if err := process.Load().Signal(c.signal); err != nil {
						t.Error(err)
					}
					// An unread body would hide that the client has gone.
					_, _ = bytes.NewBuffer(nil).ReadFrom(r.Body)
					<-r.Context().Done()
					return
				}
				body, err := io.ReadAll(r.Body)
				var q struct {
					Filters struct{ Date struct{ Gte, Lte int64 } }
				}
				if err = errors.Join(err, json.Unmarshal(body, &q)); err != nil {
					t.Error(err)
				}
				for _, s := range *complete.Load() {
					if q.Filters.Date.Gte < s.Until.UnixMilli() && q.Filters.Date.Lte >= s.Since.UnixMilli() {
						t.Errorf("asked for %d to %d, and %v to %v was complete", q.Filters.Date.Gte, q.Filters.Date.Lte, s.Since, s.Until)
					}
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				sim.ServeHTTP(w, r)
			}))
			defer srv.Close()
			dir := t.TempDir()
			truth := filepath.Join(dir, "truth.jsonl")
			var text bytes.Buffer
			if err := sim.TruthBetween(&text, time.Time{}, time.Time{}); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(truth, text.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"ingest", "--url", srv.URL, "--since", "2026-11-17T12:00:00Z", "--until", "2026-11-21", "--rate", "0", "--page-size", "100", "--summary-json", "s.json"}
			cmd := command(dir, []string{hurriedClock(now)}, args...)
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := startLocked(cmd, &process); err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			t.Logf("%v\n%s", err, errs.String())
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if out.Len() > 0 {
				t.Errorf("stdout: %s", out.String())
			}
			if c.code == exitInterrupted {
				if !strings.HasSuffix(errs.String(), "mdcalake: interrupted\n") {
					t.Error("stderr does not end with what happened")
				}
				var s summaryJSON
				if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "s.json"))), &s); err != nil || s.Outcome != "interrupted" || s.Added == 0 || s.Head == "" {
					t.Errorf("the summary is not that of an interrupted run: %+v (%v)", s, err)
				}
			}
			// What is there is whole as far as it goes.
			if out, _, code := mdcalake(t, dir, nil, "verify"); code != exitDone {
				t.Errorf("verify after the signal: exit code %d\n%s", code, out)
			}
			stopAt.Store(-1)
			read := completeOf(t, filepath.Join(dir, "lake"))
			if len(read) == 0 {
				t.Error("nothing is complete after the signal")
			}
			complete.Store(&read)
			if _, errs, code := mdcalake(t, dir, []string{clockAt(now)}, args...); code != exitDone {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			if diff, err := compareWithTruth(truth, filepath.Join(dir, "lake")); err != nil || diff != "" {
				t.Errorf("lake against truth: %s (%v)", diff, err)
			}
			var outcomes []string
			for _, line := range queryLines(t, dir, "select outcome from runs where verb = 'ingest' order by log_version") {
				var row struct{ Outcome string }
				if err := json.Unmarshal(line, &row); err != nil {
					t.Fatal(err)
				}
				outcomes = append(outcomes, row.Outcome)
			}
			if got := strings.Join(outcomes, " "); got != c.outcome {
				t.Errorf("outcomes of the runs: %s, want %s", got, c.outcome)
			}
			if out, _, code := mdcalake(t, dir, nil, "verify"); code != exitDone {
				t.Errorf("verify: exit code %d\n%s", code, out)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "lake", "_mdcalake", "pending-*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// startLocked starts cmd and makes it known before it can have asked anything
// that needs it: the server only signals at a later request.
func startLocked(cmd *exec.Cmd, process *atomic.Pointer[os.Process]) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	process.Store(cmd.Process)
	return nil
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A reader that has had enough, as head has, is no reason for a long complaint.
func TestClosedOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "one.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
	temp := filepath.Join(dir, "temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "csv", "json", "jsonl"} {
		cmd := command(dir, []string{"TMPDIR=" + temp}, "query", "-o", format, "select range, repeat('x', 100) as x from range(1000000)")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fscanf(out, "%c", new(rune)); err != nil {
			t.Error(err)
		}
		out.Close()
		err = cmd.Wait()
		t.Logf("%s: %v: %s", format, err, errs.String())
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: a closed pipe makes it end with %v and %q", format, err, errs.String())
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%s: left in the temporary directory: %v (%v)", format, left, err)
		}
	}
}

// A server that sends the credential back, in a refusal or in a record's place,
// does not get it onto the screen, into the summary or into the lake.
func TestEchoedCredential(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusFound, http.StatusNotFound} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			secret := r.Header.Get("Authorization")
			w.Header().Set("Location", "https://"+strings.TrimPrefix(secret, "Token ")+".example/")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"detail":%q}`, "you said "+secret)
		}))
		dir := t.TempDir()
		_, errs, code := mdcalake(t, dir, nil, "ingest", "--url", srv.URL, "--since", "2026-11-19", "--until", "2026-11-20", "--rate", "0", "--summary-json", "s.json")
		srv.Close()
		if code != exitFailed && code != exitSignIn {
			t.Errorf("status %d: exit code %d", status, code)
		}
		if s := readFile(t, filepath.Join(dir, "s.json")); strings.Contains(s, canary) || strings.Contains(s+errs, canary[:20]) {
			t.Errorf("status %d: the credential is in the summary or on stderr", status)
		}
		if _, err := os.Stat(filepath.Join(dir, "lake")); err == nil {
			t.Errorf("status %d: a lake appeared", status)
		}
	}
}

// Evidence lies on read-only media: it is asked and verified there as anywhere,
// and nothing can be added.
func TestReadOnlyMedia(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skipf("no read-only mount can be made here: unshare -m: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "one.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
	const script = `mount --bind lake lake && mount -o remount,ro,bind lake || { echo "no mount"; exit 77; }
touch lake/x 2>/dev/null && { echo "the mount can be written"; exit 77; }
mdcalake query -o csv --no-header 'select activity_id from activities' || exit
echo 203.0.113.7 >list.txt
for verb in status coverage schema 'hunt run --all' 'timeline --since 2020-01-01 --user lena' 'ioc list.txt' 'suggested admin-activities' connect; do
	mdcalake $verb >/dev/null || { echo "$verb $?"; exit 1; }
done
mdcalake export --quiet --out copy || exit
mdcalake verify --quick || exit
mdcalake verify || exit
mdcalake import one.jsonl
echo "import $?"`
	cmd := exec.Command("unshare", "-m", "sh", "-c", script)
	shell := command(dir, nil)
	cmd.Dir, cmd.Env = shell.Dir, shell.Env
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() == 77 {
		t.Skipf("no read-only mount can be made here: %s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	if text := string(out); !strings.HasPrefix(text, "a\nok: ") || !strings.HasSuffix(text, "import 1\n") {
		t.Errorf("got %s", text)
	}
	if !sentence.MatchString(errs.String()[strings.LastIndex(errs.String(), "mdcalake: "):]) || !strings.Contains(errs.String(), "read-only") {
		t.Errorf("the import's refusal says %s", errs.String())
	}
}
