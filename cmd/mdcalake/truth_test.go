package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

// The promise of the product, tried whole: what the lake holds is what the
// service had, no record less and none more, byte for byte, whatever happened
// on the way. `make truth` runs it with 205,000 records of 30 days, of which
// some are not saved yet; otherwise a few thousand of six days have to do.

var truthRecords = flag.Int("truth.records", 0, "records in TestTheLakeHoldsTheTruth; 0: a few")

const truthNow = "2026-11-20T12:00:00Z"

// payloads are the records of a lake or of the service: _id and SHA-256.
type payloads map[string]bool

func startTruth(t *testing.T) (url string, current, revised payloads, services int) {
	t.Helper()
	now, err := time.Parse(time.RFC3339, truthNow)
	if err != nil {
		t.Fatal(err)
	}
	count, days := *truthRecords, 30
	if count == 0 {
		count, days = 8_000, 6
	}
	server, err := simulator.Start(simulator.Options{
		Seed: 7, Count: count, Days: days, Clock: func() time.Time { return now }, Revisions: 0.005,
		Faults: []simulator.Fault{{Kind: simulator.FaultEmptyPage, Page: 4}, {Kind: simulator.FaultTwice, Every: 5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	current, revised = payloads{}, payloads{}
	seen := map[int64]bool{}
	var body []byte
	for p := range server.Expected() {
		body = p.AppendTo(body[:0])
		sum := sha256.Sum256(body)
		key := *p.ID + " " + hex.EncodeToString(sum[:])
		if p.Current {
			current[key] = true
		} else {
			revised[key] = true
		}
		seen[*p.AppID] = true
	}
	return server.URL, current, revised, len(seen)
}

// program is the program as a process of its own, so that it can be killed.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Args = append([]string{"mdcalake"}, args...)
	now, err := time.Parse(time.RFC3339, truthNow)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(append(os.Environ(), "MDCALAKE_TOKEN="+canary, clockAt(now)), env...)
	return cmd
}

// since is the day on which the service's records begin.
func since() string {
	if *truthRecords == 0 {
		return "2026-11-14"
	}
	return "2026-10-21"
}

func ingestArgs(url, lake string) []string {
	return []string{"ingest", "--url", url, "--lake", lake, "--rate", "0", "--since", since(), "--until", "2026-11-21"}
}

func mustIngest(t *testing.T, url, lake string, env ...string) string {
	t.Helper()
	out, err := program(t, env, ingestArgs(url, lake)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ingest: %v\n%s", err, out)
	}
	return string(out)
}

// held are the payloads of a table of the lake, or of what SQL can put in its
// place. None may be there twice.
func held(t *testing.T, lake, table string, env ...string) payloads {
	t.Helper()
	cmd := program(t, env, "query", "--lake", lake, "-o", "jsonl",
		"select activity_id as id, sha256(coalesce(raw_original, encode(raw))) as sum from "+table)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("query: %v\n%s", err, stderr.String())
	}
	got := payloads{}
	for line := range bytes.Lines(stdout) {
		var row struct{ ID, Sum string }
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		key := row.ID + " " + row.Sum
		if got[key] {
			t.Errorf("%s holds %s twice", table, key)
		}
		got[key] = true
	}
	return got
}

// holds compares a table of the lake with what it should hold.
func holds(t *testing.T, lake, table string, want payloads, env ...string) {
	t.Helper()
	got := held(t, lake, table, env...)
	lost, extra := 0, 0
	for key := range want {
		if !got[key] {
			lost++
		}
	}
	for key := range got {
		if !want[key] {
			extra++
		}
	}
	t.Logf("%s: %d payloads, %d lost, %d extra", table, len(got), lost, extra)
	if lost+extra > 0 {
		t.Errorf("%s: %d of %d lost, %d extra", table, lost, len(want), extra)
	}
}

func isWhole(t *testing.T, lake string, current, revised payloads, env ...string) {
	t.Helper()
	holds(t, lake, "activities", current, env...)
	holds(t, lake, "revisions", revised, env...)
	if out, err := program(t, env, "verify", "--lake", lake).CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

func TestTheLakeHoldsTheTruth(t *testing.T) {
	url, current, revised, services := startTruth(t)
	t.Logf("the service has %d records of %d services, and %d older payloads of them", len(current), services, len(revised))
	if services < 12 {
		t.Errorf("want records of at least 12 services")
	}
	if len(revised) == 0 {
		t.Errorf("want records that were changed later")
	}

	t.Run("after one ingest, and after the same again", func(t *testing.T) {
		lake := filepath.Join(t.TempDir(), "lake")
		mustIngest(t, url, lake)
		isWhole(t, lake, current, revised)
		readsTheSame(t, lake)
		before := treeOf(t, filepath.Join(lake, "activities"))
		again, err := program(t, nil, append(ingestArgs(url, lake), "--again")...).CombinedOutput()
		if out := string(again); err != nil || !strings.Contains(out, ": 0 new, ") || strings.Contains(out, " 0 duplicates") {
			t.Errorf("the second ingest says: %s (%v)", out, err)
		}
		isWhole(t, lake, current, revised)
		if after := treeOf(t, filepath.Join(lake, "activities")); after != before {
			t.Errorf("the data files have changed")
		}
	})
	t.Run("after kill -9 in the middle, again and again", func(t *testing.T) {
		lake := filepath.Join(t.TempDir(), "lake")
		kills := []int{4, 12, 20, 9} // windows and commits after which it is killed
		if *truthRecords == 0 {
			kills = []int{1, 3, 2, 1}
		}
		for _, lines := range kills {
			killedAfter(t, url, lake, lines)
			verified(t, lake)
		}
		mustIngest(t, url, lake)
		isWhole(t, lake, current, revised)
	})
	t.Run("in another time zone", func(t *testing.T) {
		lake := filepath.Join(t.TempDir(), "lake")
		mustIngest(t, url, lake, "TZ=Pacific/Chatham")
		isWhole(t, lake, current, revised, "TZ=Pacific/Chatham")
	})
	t.Run("in a directory called date=2020-01-01", func(t *testing.T) {
		lake := filepath.Join(t.TempDir(), "date=2020-01-01", "lake")
		if err := os.Mkdir(filepath.Dir(lake), 0o700); err != nil {
			t.Fatal(err)
		}
		mustIngest(t, url, lake)
		isWhole(t, lake, current, revised)
	})
}

// killedAfter runs an ingest and kills it when it has said so many lines: one
// comes with each window and with each commit.
func killedAfter(t *testing.T, url, lake string, lines int) {
	t.Helper()
	cmd := program(t, nil, append(ingestArgs(url, lake), "--verbose")...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(stderr)
	for n := 0; scanner.Scan(); {
		if n++; n == lines {
			cmd.Process.Kill()
		}
	}
	if cmd.Wait() == nil {
		t.Errorf("the ingest ended before it could be killed")
	}
}

// verified: what a kill leaves is no damage, even before the next run tidies up.
func verified(t *testing.T, lake string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(lake, "activities")); os.IsNotExist(err) {
		return
	}
	if out, err := program(t, nil, "verify", "--lake", lake).CombinedOutput(); err != nil {
		t.Errorf("verify after a kill: %v\n%s", err, out)
	}
}

// readsTheSame compares query's rows, column by column, with what DuckDB reads
// from the directory by itself.
func readsTheSame(t *testing.T, lake string) {
	t.Helper()
	var sums []string
	for _, c := range store.Columns {
		sums = append(sums, fmt.Sprintf("bit_xor(hash(activity_id, %[1]q)) as %[1]q", c.Name))
	}
	list := "count(*) as n, " + strings.ReplaceAll(strings.Join(sums, ", "), `"`, "")
	ours, err := program(t, nil, "query", "--lake", lake, "-o", "json", "select "+list+" from activities").Output()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), "set TimeZone = 'UTC'"); err != nil {
		t.Fatal(err)
	}
	var theirs []byte
	glob := strings.ReplaceAll(filepath.Join(lake, "activities", "*", "*", "*.parquet"), "'", "''")
	query := "select to_json(t)::varchar from (select " + list + " from read_parquet('" + glob + "', hive_partitioning = true)) t"
	if err := db.QueryRow(query).Scan(&theirs); err != nil {
		t.Fatal(err)
	}
	var a []map[string]any
	var b map[string]any
	if err := decodeNumbers(ours, &a); err != nil {
		t.Fatalf("%v in %s", err, ours)
	}
	if err := decodeNumbers(theirs, &b); err != nil {
		t.Fatalf("%v in %s", err, theirs)
	}
	for name, want := range b {
		if fmt.Sprint(a[0][name]) != fmt.Sprint(want) {
			t.Errorf("%s: query says %v, DuckDB over the directory %v", name, a[0][name], want)
		}
	}
}

func decodeNumbers(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

// treeOf is one hash over the names and bytes of a directory's Parquet files.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))
}
