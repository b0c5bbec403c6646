package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// The chaos run: a month of a tenant with all the troubles that the API was seen
// to have, at rates that can be met, followed by a program that is killed now
// and then. At the end the lake is what the service has, and says so.

var (
	chaosRecords = flag.Int("chaos.records", 6_000, "records of TestChaos")
	chaosSeed    = flag.Uint64("chaos.seed", 0, "seed of TestChaos; 0: chosen")
	chaosResult  = flag.String("chaos.result", "", "FILE for the result of TestChaos")
)

const (
	chaosRounds  = 10
	chaosEvery   = 5 * time.Minute
	chaosBacklog = 29 * 24 * time.Hour // what is asked for: a day less than the door, which moves
	chaosDays    = 30
)

// chaosSpeed is how many times as fast as the machine's clock both sides live.
// Many records need more of the machine for each minute.
func chaosSpeed(records int) float64 {
	if records > 20_000 {
		return 60
	}
	return 300
}

// chaosFaults are the troubles of the run, each at a share of the pages.
var chaosFaults = map[simulator.FaultKind]float64{
	simulator.FaultStatus429: 0.02, simulator.FaultStatus500: 0.01, simulator.FaultStatus502: 0.02, simulator.FaultStatus503: 0.01, simulator.FaultStatus504: 0.01,
	simulator.FaultHTML200: 0.01, simulator.FaultHTML500: 0.01, simulator.FaultReset: 0.02, simulator.FaultCutJSON: 0.02, simulator.FaultShortBody: 0.02,
	simulator.FaultEmptyPage: 0.03, simulator.FaultTwice: 0.05, simulator.FaultStuckCursor: 0.02, simulator.FaultNoCursor: 0.01, simulator.FaultEarlyEnd: 0.03,
	simulator.FaultEmptyObject: 0.01, simulator.FaultNullData: 0.01, simulator.FaultWrongTotal: 0.1, simulator.FaultNoTotal: 0.1, simulator.FaultOverlap: 0.05,
	simulator.FaultDisorder: 0.02, simulator.FaultOutside: 0.02,
	simulator.FaultStatus408: 0.01, simulator.FaultKeySet401: 0.01, simulator.FaultHTML429: 0.005, simulator.FaultCutChunked: 0.01, simulator.FaultCutClosed: 0.01,
	simulator.FaultResetBody: 0.01, simulator.FaultMark: 0.02, simulator.FaultEmptyMoved: 0.02,
}

// chaos is the service and the program against each other.
type chaos struct {
	t     *testing.T
	rng   *rand.Rand
	seed  uint64
	lake  string
	url   string
	sim   *simulator.Simulator
	clock fastClock
	since time.Time
	stop  atomic.Int64 // the service's clock stands at this time (ns since 1970); 0: it runs
	kills int
}

func TestChaos(t *testing.T) {
	t.Parallel()
	c := &chaos{t: t, seed: *chaosSeed, lake: filepath.Join(t.TempDir(), "lake")}
	if c.seed == 0 {
		c.seed = rand.Uint64()
	}
	c.rng = rand.New(rand.NewPCG(c.seed, 1))
	t.Logf("%d records with -chaos.seed=%d", *chaosRecords, c.seed)
	began := time.Now()
	c.serve(*chaosRecords)

	// The backlog, killed on the way, and then rounds, killed now and then.
	for range 3 {
		c.followUntil(1, c.pause(2))
	}
	for left := chaosRounds; left > 0; {
		rounds := min(left, 2+c.rng.IntN(4))
		c.followUntil(rounds, c.pause(3))
		left -= rounds
	}
	// From here on the service has what it has; the last rounds are quiet.
	c.stop.Store(c.clock.Now().UnixNano())
	report := c.followToEnd()
	truth := c.truth()
	c.equals(truth)
	c.complete()
	if out, err := c.program("verify").CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	stats := c.sim.Stats()
	text := fmt.Sprintf("%d payloads, %d requests of which %d were throttled and %d met a fault, %d kills, %s.\nThe last runs said:\n\n    %s\n\n%s",
		len(truth.activities)+len(truth.revisions)+len(truth.quarantine), stats.Requests, stats.Throttled, stats.Faults, c.kills, time.Since(began).Round(time.Second), strings.ReplaceAll(strings.TrimSpace(report), "\n", "\n    "), c.contrast(truth))
	t.Log(text)
	if *chaosResult != "" && !t.Failed() {
		if err := os.WriteFile(*chaosResult, []byte(c.report(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// serve begins the service. Both clocks begin to run.
func (c *chaos) serve(records int) {
	c.t.Helper()
	c.clock = fastClock{began: time.Now(), shows: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), speed: chaosSpeed(records)}
	now := c.clock.shows
	c.since = now.Add(-chaosBacklog)
	o := simulator.Options{
		Seed: c.seed, Start: now.AddDate(0, 0, -chaosDays), End: now.AddDate(0, 0, 2), Count: records * (chaosDays + 2) / chaosDays,
		Revisions: 0.02, BadRecords: 0.005, BrokenText: 0.01, NativeFeeds: true, VisibleLag: 8 * time.Minute, Wire: simulator.Wire{Gzip: true, Chunked: true},
		Throttle: simulator.Throttle{Body: simulator.ThrottleMixed, RetryAfter: simulator.RetryAfterMixed},
		Huge:     0.0005, HugeBytes: 200_000, Door: 30 * 24 * time.Hour, RatePerMinute: 30,
		Clock: func() time.Time {
			if at := c.stop.Load(); at != 0 {
				return time.Unix(0, at).UTC()
			}
			return c.clock.Now()
		},
		RateClock: c.clock.Now, Cursor: simulator.Cursor{Extra: true},
		Pile: simulator.Pile{Size: min(records/20, 3000)}, Paging: simulator.Paging{ScanCap: chaosPage(records)},
	}
	for kind, rate := range chaosFaults {
		o.Faults = append(o.Faults, simulator.Fault{Kind: kind, Rate: rate})
	}
	var err error
	if c.sim, err = simulator.New(o); err != nil {
		c.t.Fatal(err)
	}
	srv := httptest.NewServer(c.sim)
	c.t.Cleanup(srv.Close)
	c.url = srv.URL
}

// chaosPage is the size of a page, so that even a few records take enough
// requests to meet all troubles.
func chaosPage(records int) int { return max(50, min(500, records/400)) }

// program is the program with the fast clock.
func (c *chaos) program(args ...string) *exec.Cmd {
	return command(c.t.TempDir(), []string{fastClockVariable + "=" + c.clock.String()}, append(args, "--lake", c.lake)...)
}

func (c *chaos) follow() *exec.Cmd {
	return c.program("ingest", "--url", c.url, "--follow", "--every", chaosEvery.String(), "--since", c.since.Format(time.RFC3339))
}

// pause is a random time of up to n rounds, by the fast clock.
func (c *chaos) pause(n float64) time.Duration {
	return time.Duration(c.rng.Float64() * n * float64(chaosEvery))
}

// followUntil lets the program follow until it has done so many rounds with
// nothing left to catch up on, or at least begun to, and kills it a while later.
func (c *chaos) followUntil(rounds int, later time.Duration) {
	c.t.Helper()
	cmd := c.follow()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var said strings.Builder
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			lines <- s.Text()
		}
	}()
	enough := make(chan struct{})
	for n := 0; ; {
		select {
		case line, ok := <-lines:
			if !ok {
				c.t.Fatalf("the program ended by itself: %v\n%s", cmd.Wait(), said.String())
			}
			said.WriteString(line + "\n")
			if n++; n == rounds {
				go func() {
					c.clock.Sleep(context.Background(), later)
					close(enough)
				}()
			}
			continue
		case <-enough:
		}
		break
	}
	c.kills++
	cmd.Process.Kill()
	for range lines { // until the pipe is closed
	}
	cmd.Wait()
	if _, err := os.Stat(c.lake); errors.Is(err, os.ErrNotExist) {
		return // killed before there was anything to commit
	}
	if out, err := c.program("verify", "--quick").CombinedOutput(); err != nil {
		c.t.Fatalf("verify after a kill: %v\n%s", err, out)
	}
}

// followToEnd lets the program do what is left, and a few quiet rounds, and stops
// it as a service is stopped. It answers what it said of its runs.
func (c *chaos) followToEnd() string {
	c.t.Helper()
	cmd := c.follow()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	const mostRounds = 2000
	for quiet, rounds := 0, 0; quiet < 3 && rounds < mostRounds; rounds++ {
		c.clock.Sleep(context.Background(), chaosEvery)
		if quiet++; len(c.holes()) > 0 {
			quiet = 0
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != exitPartial {
		c.t.Fatalf("the last run: %v\n%s", err, stderr.String())
	}
	return strings.ReplaceAll(summaries(stderr.String()), c.lake, "lake")
}

// summaries are what a follower said of its runs, the last three of them, and not
// what it said on the way.
func summaries(stderr string) string {
	var said []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "waiting ") && !strings.HasPrefix(line, "window ") && !strings.HasPrefix(line, "following, ") {
			said = append(said, line)
		}
	}
	runs := 0
	for i := len(said) - 1; i >= 0; i-- {
		if strings.HasPrefix(said[i], "lake ") {
			if runs++; runs > 3 {
				return strings.Join(said[i+1:], "")
			}
		}
	}
	return strings.Join(said, "")
}

// chaosTruth is what the service has of the time that was asked for, by table,
// and what it has at all: a record from outside may have come by one of its
// troubles.
type chaosTruth struct {
	activities, revisions, quarantine payloads
	all                               payloads
}

func (c *chaos) truth() chaosTruth {
	truth := chaosTruth{payloads{}, payloads{}, payloads{}, payloads{}}
	var body []byte
	hashOf := func(p simulator.Payload) string {
		body = p.AppendTo(body[:0])
		sum := sha256.Sum256(body)
		return hex.EncodeToString(sum[:])
	}
	for p := range c.sim.ExpectedArchived(time.Time{}, c.since) { // the door has moved on since they came
		truth.all[hashOf(p)] = true
	}
	for p := range c.sim.ExpectedBetween(c.since, time.Time{}) {
		hash := hashOf(p)
		truth.all[hash] = true
		switch {
		case p.ID == nil || p.Timestamp == nil:
			truth.quarantine[" "+hash] = true
		case p.Current:
			truth.activities[*p.ID+" "+hash] = true
		default:
			truth.revisions[*p.ID+" "+hash] = true
		}
	}
	return truth
}

// equals compares the lake with the truth.
func (c *chaos) equals(truth chaosTruth) {
	c.t.Helper()
	for _, table := range []struct {
		from string
		want payloads
	}{
		{"activities", truth.activities},
		{"revisions", truth.revisions},
		{"(select '' as activity_id, bytes as raw_original, '' as raw from quarantine)", truth.quarantine},
	} {
		got := held(c.t, c.lake, table.from)
		lost, invented := 0, 0
		for key := range table.want {
			if !got[key] {
				lost++
			}
		}
		for key := range got {
			if !truth.all[key[strings.LastIndex(key, " ")+1:]] {
				invented++
			}
		}
		c.t.Logf("%s: %d payloads, %d lost, %d invented", table.from, len(got), lost, invented)
		if lost+invented > 0 {
			c.t.Errorf("%s: %d of %d lost, %d invented", table.from, lost, len(table.want), invented)
		}
	}
}

// complete: the ledger says that everything that was asked for has been read.
func (c *chaos) complete() {
	c.t.Helper()
	for _, hole := range c.holes() {
		c.t.Errorf("a hole: %s", hole)
	}
}

// holes are what the ledger says is missing.
func (c *chaos) holes() []json.RawMessage {
	c.t.Helper()
	until := time.Unix(0, c.stop.Load()).Add(-3 * time.Minute)
	out, err := c.program("coverage", "-o", "json", "--since", c.since.Format(time.RFC3339), "--until", until.Format(time.RFC3339)).Output()
	if err != nil {
		c.t.Fatalf("coverage: %v", err)
	}
	var ledger struct {
		Holes []json.RawMessage `json:"holes"`
	}
	if err := json.Unmarshal(out, &ledger); err != nil {
		c.t.Fatal(err)
	}
	return ledger.Holes
}

// contrast lets the plain client read the same from the same service, troubles
// and all.
func (c *chaos) contrast(truth chaosTruth) string {
	plain := plainClient{url: c.url, sleep: func(d time.Duration) { c.clock.Sleep(context.Background(), d) }}
	plain.scan(c.since)
	lost, doubled, there := 0, 0, 0
	for _, table := range []payloads{truth.activities, truth.revisions, truth.quarantine} {
		for key := range table {
			there++
			switch n := plain.rows[key[strings.LastIndex(key, " ")+1:]]; {
			case n == 0:
				lost++
			case n > 1:
				doubled++
			}
		}
	}
	end := "to what it took for the end"
	if plain.gaveUp != "" {
		end = "until it gave up: " + plain.gaveUp
	}
	return fmt.Sprintf(`| client | lost | doubled | of |
|---|---|---|---|
| mdcalake | 0 | 0 | %d |
| the loop of the API's documentation, %s | %d | %d | %d |
`, there, end, lost, doubled, there)
}

func (c *chaos) report(text string) string {
	return fmt.Sprintf(`# The chaos run: the last result

Made by `+"`make chaos-long`"+` on %s, at commit %s, on %s/%s with %d cores and %s of memory, seed %d.

%s`, time.Now().UTC().Format(time.DateOnly), commitOf(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), memoryOf(), c.seed, text)
}
