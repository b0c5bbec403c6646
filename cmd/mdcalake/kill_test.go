package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
	"mdcalake/store/storetest"
)

// The real program, killed for real. Each round a verb with options of its own
// writes to the lake that the round before has left, and is killed, told to
// stop, or has its lake copied, at a point of its work that is drawn. What must
// hold then is in (*campaign).judge; in every third round the run is let to its
// end, and the lake must be the truth.
//
//	go test ./cmd/mdcalake -run TestKilledAtAnyPoint -v -kill.rounds=20
var (
	killRounds = flag.Int("kill.rounds", 3, "rounds of TestKilledAtAnyPoint")
	killSeed   = flag.Uint64("kill.seed", 0, "seed of TestKilledAtAnyPoint; 0: a new one")
	killResult = flag.String("kill.result", "", "write the result of TestKilledAtAnyPoint to `FILE`")
)

// A lake lives for so many rounds; then a new one is begun, because the first
// commit of a lake is one to be killed, too.
const lakeRounds = 24

// In every third round the run is let to its end, and the service's clock goes
// on behind it.
const finishEvery = 3

var (
	campaignStart    = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	campaignServices = []int64{20893, 11161, 15600, 20892, 28375}
)

const campaignPerDay = 90 // records of the service

// payload is a record by the SHA-256 of its bytes. The bytes say the _id, and
// verify compares the column with them.
type payload [sha256.Size]byte

// holding is what a lake holds, or should.
type holding struct {
	activities, revisions, quarantine map[payload]bool
	doubled                           int
	// closed is the event time, in ms, before which purges have erased all;
	// happened is when a payload of the lake happened; of a bad record, of which
	// nobody knows, when it was first seen.
	closed   int64
	happened map[payload]int64
	// What the runs say that they brought.
	recorded, rejected int64
}

// records are the payloads of activities and revisions.
func (h *holding) records() map[payload]bool {
	all := maps.Clone(h.activities)
	maps.Copy(all, h.revisions)
	return all
}

type campaign struct {
	t     *testing.T
	dir   string
	seed  uint64
	rng   *rand.Rand // of the round
	lakes int
	lake  string
	sim   *simulator.Simulator
	srv   *httptest.Server
	url   string
	now   atomic.Int64 // the service's clock, ms
	asked atomic.Int64 // requests
	truth *holding     // at now, but for what was purged
	// before is the lake at the end of the round before; acked is the newest
	// head that anyone was told.
	before *holding
	acked  string
	erased map[payload]bool // bad records that purges have erased: they do not come back
	tally  tally
}

func TestKilledAtAnyPoint(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	c := &campaign{t: t, dir: t.TempDir(), seed: seed, tally: newTally()}
	t.Logf("%d rounds with -kill.seed=%d", *killRounds, seed)
	began := time.Now()
	for n := range *killRounds {
		c.round(n)
		if t.Failed() {
			t.Fatalf("round %d of seed %d; the lake is kept in %s", n, seed, c.keep())
		}
	}
	c.tally.took = time.Since(began)
	t.Logf("\n%s", c.tally.table())
	if *killRounds >= 20 && c.tally.hits()*2 < *killRounds {
		t.Errorf("of %d rounds only %d struck the program while it worked", *killRounds, c.tally.hits())
	}
	if *killResult != "" {
		if err := os.WriteFile(*killResult, []byte(c.tally.report(seed, *killRounds)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// keep saves the lake of a round that failed.
func (c *campaign) keep() string {
	dir, err := os.MkdirTemp("", "mdcalake-killed-")
	if err == nil {
		err = os.Rename(c.lake, filepath.Join(dir, "lake"))
	}
	if err != nil {
		return fmt.Sprintf("nothing: %v", err)
	}
	return dir
}

// newLake begins a lake, of a service of its own.
func (c *campaign) newLake() {
	if c.srv != nil {
		c.srv.Close()
		if err := os.RemoveAll(c.lake); err != nil {
			c.t.Fatal(err)
		}
	}
	c.lakes++
	c.lake = filepath.Join(c.dir, fmt.Sprintf("lake-%d", c.lakes))
	c.now.Store(campaignStart.AddDate(0, 0, 1).Add(15 * time.Hour).UnixMilli())
	const days = 60
	sim, err := simulator.New(simulator.Options{
		Seed: c.rng.Uint64(), Start: campaignStart, End: campaignStart.AddDate(0, 0, days), Count: campaignPerDay * days, Services: campaignServices,
		Revisions: 0.15, BadRecords: 0.05, Clock: func() time.Time { return time.UnixMilli(c.now.Load()).UTC() }, RateClock: time.Now,
		Faults: []simulator.Fault{{Kind: simulator.FaultEmptyPage, Page: 4}, {Kind: simulator.FaultTwice, Every: 5}, {Kind: simulator.FaultDisorder, Every: 7}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.sim = sim
	c.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		sim.ServeHTTP(w, r)
	}))
	c.t.Cleanup(c.srv.Close)
	c.url, c.acked, c.before, c.erased = c.srv.URL, "", &holding{}, map[payload]bool{}
	c.truth = c.trueSince(0)
	c.before = c.holding(c.lake)
}

func (c *campaign) today() time.Time {
	return time.UnixMilli(c.now.Load()).UTC().Truncate(24 * time.Hour)
}

func (c *campaign) round(n int) {
	c.rng = rand.New(rand.NewPCG(c.seed, uint64(n)))
	switch {
	case n%lakeRounds == 0:
		c.newLake()
	case n%finishEvery == 0:
		c.now.Add((12*time.Hour + time.Duration(c.rng.IntN(84))*time.Hour).Milliseconds())
		c.truth = c.trueSince(c.before.closed)
		if c.rng.IntN(3) == 0 {
			c.forget()
		}
	}
	verb := killedVerbs[c.rng.IntN(len(killedVerbs))]
	if _, err := os.Stat(c.lake); verb.after && err != nil {
		verb = killedVerbs[0]
	}
	args, commits := verb.args(c)
	p, b := drawPoint(c.rng, verb, commits), blows[c.rng.IntN(len(blows))]
	again := b.name == "kill -9" && c.rng.IntN(2) == 0
	hit := c.strike(args, p, b)
	c.t.Logf("round %d: %s; %s at %s: hit %t", n, strings.Join(args, " "), b.name, p, hit)
	c.judge(verb)
	c.tally.count(verb.name, b.name, p.step, hit)
	if hit && again {
		c.struckAgain(verb, args)
	}
	if n%finishEvery == finishEvery-1 {
		c.finish(verb, args)
	}
}

// blow is what is done to a program at work.
type blow struct {
	name string
	do   func(c *campaign, p *os.Process) error
	// ends are the exit codes that it may end with if the blow hit; -1 is death.
	ends []int
}

var blows = []blow{
	{"kill -9", killed, []int{-1, exitDone, exitPartial}}, // it may have ended while it was looked at
	{"kill -9", killed, []int{-1, exitDone, exitPartial}},
	{"kill -9", killed, []int{-1, exitDone, exitPartial}},
	{"kill -9", killed, []int{-1, exitDone, exitPartial}},
	{"SIGTERM", told(syscall.SIGTERM), []int{exitInterrupted, exitDone, exitPartial}},
	{"SIGINT", told(os.Interrupt), []int{exitInterrupted, exitDone, exitPartial}},
	{"cp -R", (*campaign).copied, []int{exitDone, exitPartial}},
}

func killed(_ *campaign, p *os.Process) error { return ignoreEnded(p.Kill()) }

func told(s os.Signal) func(*campaign, *os.Process) error {
	return func(_ *campaign, p *os.Process) error { return ignoreEnded(p.Signal(s)) }
}

func ignoreEnded(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (c *campaign) copied(*os.Process) error {
	// cp complains of what vanishes under its hands; what is wrong with the copy
	// is asked of verify.
	_ = exec.Command("cp", "-R", c.lake, c.copy()).Run()
	return nil
}

func (c *campaign) copy() string { return c.lake + "-copy" }

// strike runs the program up to the point, and looks at how it ended.
func (c *campaign) strike(args []string, p point, b blow) (hit bool) {
	c.t.Helper()
	c.asked.Store(0)
	w, err := newWatcher(c.lake, c.asked.Load)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := c.command(append(args, "--lake", c.lake)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	hit, seen, err := strike(cmd, w, p, func() error { return b.do(c, cmd.Process) })
	if err != nil {
		c.t.Fatal(err)
	}
	code := cmd.ProcessState.ExitCode()
	ends := b.ends
	if !hit {
		ends = []int{exitDone, exitPartial}
	}
	if !slices.Contains(ends, code) {
		c.t.Errorf("%q ended with exit code %d\n%s", args, code, stderr.String())
	}
	hit = hit && (code == -1 || code == exitInterrupted || b.name == "cp -R")
	c.acknowledged(w, seen.head, stderr.String())
	if code != -1 {
		c.leavesNothing()
	}
	if b.name == "cp -R" && hit {
		c.judgeCopy(c.before)
	}
	return hit
}

// toldHeads are the heads that the program has told of, a run's and that of the
// merging after it, oldest first.
func toldHeads(stderr string) (heads []string) {
	for _, m := range printedHead.FindAllStringSubmatch(stderr, -1) {
		heads = append(heads, m[1])
	}
	return heads
}

var printedHead = regexp.MustCompile(`(?m)[,;] head (\d+:[0-9a-f]{64})$`)

// acknowledged: every commit that was seen, or that the program told of, is
// still there.
func (c *campaign) acknowledged(w *watcher, head, stderr string) {
	c.t.Helper()
	seen := w.entries
	w.entries = 0 // from the first on
	if w.countEntries(); w.entries < seen {
		c.t.Errorf("the log had %d entries and has %d", seen, w.entries)
	}
	for _, head := range append(toldHeads(stderr), head) {
		if headVersion(head) > headVersion(c.acked) {
			c.acked = head
		}
	}
}

// leavesNothing: a run that ended has tidied up.
func (c *campaign) leavesNothing() {
	c.t.Helper()
	var left []string
	for _, pattern := range []string{"_mdcalake/pending-*", "_mdcalake/spill-*", "activities/_delta_log/.*", "activities/*/*/.*", "revisions/.*", "quarantine/.*"} {
		names, err := filepath.Glob(filepath.Join(c.lake, filepath.FromSlash(pattern)))
		if err != nil {
			c.t.Fatal(err)
		}
		left = append(left, names...)
	}
	if len(left) > 0 {
		c.t.Errorf("a run that ended has left behind: %q", left)
	}
}

// judge is what must hold wherever a verb was stopped.
func (c *campaign) judge(verb killedVerb) {
	c.t.Helper()
	c.verified(c.lake)
	after := c.holding(c.lake)
	if after.doubled > 0 {
		c.t.Errorf("%d payloads are there twice", after.doubled)
	}
	if after.closed != c.before.closed {
		c.truth = c.trueSince(after.closed)
		maps.Copy(c.erased, c.before.seenBefore(after.closed))
	}
	if err := errors.Join(after.within(c.truth), verb.holds(c.before, after)); err != nil {
		c.t.Errorf("after %s: %v", verb.name, err)
	}
	c.before = after
}

// verified runs verify, which must find nothing, and the newest head that
// anyone was told.
func (c *campaign) verified(lake string) {
	c.t.Helper()
	if _, err := os.Stat(lake); errors.Is(err, os.ErrNotExist) && c.acked == "" {
		return
	}
	if out, errs, code := c.verify(lake); code != exitDone {
		c.t.Errorf("verify: exit code %d\n%s%s", code, out, errs)
	}
}

func (c *campaign) verify(lake string) (stdout, stderr string, code int) {
	c.t.Helper()
	args := []string{"verify", "--lake", lake}
	if c.acked != "" && lake == c.lake {
		args = append(args, "--expect-head", c.acked)
	}
	return c.run(args...)
}

// command is the program with the service's clock. That of an ingest runs ahead:
// each page is a commit to be killed in.
func (c *campaign) command(args ...string) *exec.Cmd {
	clock := clockAt
	if args[0] == "ingest" {
		clock = hurriedClock
	}
	return command(c.dir, []string{clock(time.UnixMilli(c.now.Load()))}, args...)
}

// run lets the program come to its end.
func (c *campaign) run(args ...string) (stdout, stderr string, code int) {
	c.t.Helper()
	cmd := c.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// struckAgain kills the next writer while it tidies up.
func (c *campaign) struckAgain(verb killedVerb, args []string) {
	c.t.Helper()
	w, err := newWatcher(c.lake, c.asked.Load)
	if err != nil {
		c.t.Fatal(err)
	}
	there := 0
	for _, rel := range w.left {
		if w.exists(rel) || w.exists(underway(rel)) {
			there++
		}
	}
	p := point{step: stepSwept, nth: int(c.rng.Float64() * float64(there))}
	hit := c.strike(args, p, blows[0])
	c.t.Logf("  again, with %d files to remove, when %d are left: hit %t", there, p.nth, hit)
	c.judge(verb)
	c.tally.again(verb.name, hit)
}

// finish lets the run come to its end and has the rest fetched: the lake is
// the truth then.
func (c *campaign) finish(verb killedVerb, args []string) {
	c.t.Helper()
	c.ended(append(args, "--lake", c.lake))
	c.judge(verb)
	c.whole(c.lake)
	c.verified(c.lake)
	c.leavesNothing()
	after := c.holding(c.lake)
	if err := errors.Join(after.equals(c.truth), grows(c.before, after)); err != nil {
		c.t.Errorf("after the end: %v", err)
	}
	c.before = after
	want := fmt.Sprintf("%d,%d,%d\n", len(after.activities), len(after.revisions), len(after.quarantine))
	out, errs, _ := c.run("query", "--lake", c.lake, "-o", "csv", "--no-header",
		"select (select count(distinct activity_id) from activities where raw is not null), (select count(raw) from revisions), (select count(bytes) from quarantine)")
	if out != want {
		c.t.Errorf("query says %q, want %q\n%s", out, want, errs)
	}
	c.tally.finished(verb.name)
}

// whole ingests all that the service has.
func (c *campaign) whole(lake string, flags ...string) {
	c.t.Helper()
	c.ended(append([]string{"ingest", "--url", c.url, "--rate", "0", "--lake", lake, "--again",
		"--since", campaignStart.Format(time.DateOnly), "--until", c.today().AddDate(0, 0, 1).Format(time.DateOnly)}, flags...))
}

// ended runs a verb that nobody disturbs.
func (c *campaign) ended(args []string) {
	c.t.Helper()
	_, errs, code := c.run(args...)
	if code != exitDone && code != exitPartial {
		c.t.Errorf("%q: exit code %d\n%s", args, code, errs)
	}
	if heads := toldHeads(errs); len(heads) > 0 && slices.Contains(args, c.lake) {
		c.acked = heads[len(heads)-1]
	}
}

// forget deletes what is said to be rebuilt, while nothing runs and nothing
// has to be tidied up.
func (c *campaign) forget() {
	c.t.Helper()
	c.t.Logf("  _mdcalake is deleted")
	if err := os.RemoveAll(filepath.Join(c.lake, "_mdcalake")); err != nil {
		c.t.Fatal(err)
	}
}

// holding reads a lake, file by file and not through the engine.
func (c *campaign) holding(lake string) *holding {
	c.t.Helper()
	h := &holding{happened: map[payload]int64{}}
	contents := storetest.Read(c.t, lake)
	for _, part := range []struct {
		rows []string
		into *map[payload]bool
	}{{contents.Activities, &h.activities}, {contents.Revisions, &h.revisions}, {contents.Quarantine, &h.quarantine}} {
		*part.into = map[payload]bool{}
		for _, row := range part.rows {
			sum := payload(sha256.Sum256([]byte(row)))
			(*part.into)[sum] = true
			h.happened[sum] = happened(row)
		}
		h.doubled += len(part.rows) - len(*part.into)
	}
	h.doubled += len(h.activities) + len(h.revisions) - len(h.records())
	l, err := store.Open(lake)
	if errors.Is(err, store.ErrNotALake) {
		return h
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer l.Close()
	for bytes, seen := range storetest.FirstSeen(c.t, l.Snapshot()) {
		h.happened[sha256.Sum256([]byte(bytes))] = seen.UnixMilli()
	}
	for _, p := range l.Snapshot().Purges {
		h.closed = max(h.closed, p.Before.UnixMilli())
	}
	for _, r := range l.Snapshot().Runs {
		h.recorded += r.Added + r.Revisions
		h.rejected += r.Quarantined
	}
	return h
}

// seenBefore are the bad records that a purge of what is older than closed erases.
func (h *holding) seenBefore(closed int64) map[payload]bool {
	old := map[payload]bool{}
	for p := range h.quarantine {
		if h.happened[p] < closed {
			old[p] = true
		}
	}
	return old
}

// happened is the timestamp of a record; 0 if it cannot be lifted.
func happened(record string) int64 {
	var row store.Row
	if ingest.NewDecoder().Decode([]byte(record), &row) != nil {
		return 0
	}
	return row.Numbers[store.Timestamp]
}

// trueSince is what the service has now of what happened since closed, in ms,
// less the bad records that a purge up to closed erases.
func (c *campaign) trueSince(closed int64) *holding {
	h := &holding{activities: map[payload]bool{}, revisions: map[payload]bool{}, quarantine: map[payload]bool{}}
	gone := c.before.seenBefore(closed)
	maps.Copy(gone, c.erased)
	var body []byte
	for p := range c.sim.Expected() {
		body = p.AppendTo(body[:0])
		sum := payload(sha256.Sum256(body))
		switch {
		case p.ID == nil || p.Timestamp == nil:
			if !gone[sum] {
				h.quarantine[sum] = true
			}
		case *p.Timestamp < closed:
		case p.Current:
			h.activities[sum] = true
		default:
			h.revisions[sum] = true
		}
	}
	return h
}
