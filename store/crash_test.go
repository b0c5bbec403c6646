package store_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// A batch is what one commit brings; a run is one opening of the lake.
type batch struct {
	records []storetest.Record
	// checkpoints makes one behind every so many commits of the run, if its first
	// batch says so.
	checkpoints int64
	bad         []string
	pages       []string // bodies that are kept
	// do is a verb that adds nothing; the run then consists of it alone.
	do     func(dir string, w *store.Writer, runID string) error
	cursor int  // bytes that the service gave to go on with
	retry  bool // the quarantine is looked at again
	adopts bool // do needs a lake that another program has written to
}

type run []batch

// perform does the runs one after the other and calls acknowledged after each
// commit that was answered without an error.
// Runs are named by tag, and clocks stand still: the same runs make the same
// bytes.
func perform(dir string, o store.WriterOptions, tag string, runs []run, acknowledged func()) error {
	o.Clock = func() time.Time { return time.UnixMilli(base) }
	for i, r := range runs {
		if err := performRun(dir, o, fmt.Sprintf("%s-%d", tag, i+1), r, acknowledged); err != nil {
			return err
		}
	}
	return nil
}

func performRun(dir string, o store.WriterOptions, runID string, batches run, acknowledged func()) (err error) {
	if every := batches[0].checkpoints; every > 0 {
		o = o.WithCheckpoints(every)
	}
	o.Adopt = batches[0].adopts
	w, err := store.OpenWriter(dir, o)
	if err != nil {
		return err
	}
	defer w.Close()
	if len(batches) == 1 && batches[0].do != nil {
		if err := batches[0].do(dir, w, runID); err != nil {
			return err
		}
		acknowledged()
		return nil
	}
	a, err := w.Begin(store.Run{RunID: runID, Outcome: "complete", Verb: "test"})
	if err != nil {
		return err
	}
	defer a.Close()
	var number int64
	for _, b := range batches {
		if err := add(a, b); err != nil {
			return err
		}
		pages, err := keep(a, &number, b.pages)
		if err != nil {
			return err
		}
		c := store.Commit{Run: a.Run(), Pages: pages}
		if b.cursor > 0 {
			c.Cursors = []store.Cursor{{Key: "window", RunID: runID, Filters: make([]byte, b.cursor)}}
		}
		if _, err := a.Commit(context.Background(), c); err != nil {
			return err
		}
		acknowledged()
	}
	return nil
}

// keep keeps pages, numbered on from the last one.
func keep(a *store.Append, number *int64, bodies []string) (facts []store.PageFact, err error) {
	for _, body := range bodies {
		*number++
		if err := a.KeepPage(*number, []byte(body)); err != nil {
			return nil, err
		}
		facts = append(facts, store.PageFact{Page: *number, SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(body))), Bytes: int64(len(body))})
	}
	return facts, nil
}

func add(a *store.Append, b batch) error {
	var row store.Row
	for _, r := range b.records {
		if err := storetest.Lift(r.Bytes(), &row); err != nil {
			return err
		}
		if err := a.Add(context.Background(), &row); err != nil {
			return err
		}
	}
	for _, bad := range b.bad {
		if err := a.Quarantine(context.Background(), store.Quarantined{Bytes: []byte(bad), Reason: "no object"}); err != nil {
			return err
		}
	}
	if b.retry {
		_, _, err := a.Requarantine(context.Background(), storetest.Lift)
		return err
	}
	return nil
}

func revised(r storetest.Record, by int64) storetest.Record {
	r.User, r.Created = fmt.Sprintf("revised%d@contoso.example", by), r.Created+by
	return r
}

// manyFiles are runs that leave several files in each cell, revisions and
// quarantine.
var manyFiles = func() (runs []run) {
	for i := range 9 {
		runs = append(runs, run{{records: append(few(2*i, 2), revised(few(0, 1)[0], int64(i+1))), bad: []string{fmt.Sprint("bad ", i)}}})
	}
	return runs
}()

func compact(o store.CompactOptions) func(dir string, w *store.Writer, runID string) error {
	return func(dir string, w *store.Writer, runID string) error {
		s, err := w.Snapshot()
		if err != nil {
			return err
		}
		_, err = w.Compact(context.Background(), store.PlanCompaction(s, o), store.Run{RunID: runID, Outcome: "complete", Verb: "compact"}, nil)
		return err
	}
}

// moved is another payload of an activity, in another cell.
func moved(r storetest.Record, by int64) storetest.Record {
	r.App, r.Created = r.App+10, r.Created+by
	return r
}

// ahead are records of two days later.
func ahead(records []storetest.Record) []storetest.Record {
	for i := range records {
		records[i].Timestamp += 2 * 24 * 60 * 60 * 1000
	}
	return records
}

// person are activities of Ada, one of them revised as another's.
func person(from int) []storetest.Record {
	records := few(from, 4)
	for i := range records {
		records[i].User = "Ada@contoso.example"
	}
	other := revised(records[3], 5)
	return append(records, other)
}

func planPurge(dir string, q store.PurgeRequest) (*store.PurgePlan, error) {
	l, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.PlanPurge(context.Background(), q)
}

func purge(q store.PurgeRequest) func(dir string, w *store.Writer, runID string) error {
	return func(dir string, w *store.Writer, runID string) error {
		plan, err := planPurge(dir, q)
		if err != nil {
			return err
		}
		_, err = w.Purge(context.Background(), plan, store.Run{RunID: runID, Outcome: "complete", Verb: "purge"})
		return err
	}
}

// strange writes to the table as another program: two files of a cell become
// one, in the wrong order, and the other cell's first file is lost.
func strange(dir string, _ *store.Writer, _ string) error {
	o := stranger{dir: dir}
	files, err := o.files()
	if err != nil {
		return err
	}
	together, err := o.tryWrite("c000.parquet", piece{path: files[1]}, piece{path: files[0]})
	if err != nil {
		return err
	}
	return o.tryCommit("OPTIMIZE", o.remove(files[0]), o.remove(files[1]), o.remove(files[2]), together)
}

// adopt plans and carries out.
func adopt(revert bool) func(dir string, w *store.Writer, runID string) error {
	return func(dir string, w *store.Writer, runID string) error {
		plan, err := store.PlanAdoption(context.Background(), dir, store.AdoptOptions{Lift: storetest.Lift, Revert: revert}, func(store.Problem) {})
		if err != nil {
			return err
		}
		_, err = w.Adopt(context.Background(), plan, store.Run{RunID: runID, Outcome: "complete", Verb: "adopt"})
		return err
	}
}

// two cells, few rows: a crash matrix does each of its hundreds of runs whole.
func few(from, n int) []storetest.Record {
	var out []storetest.Record
	for i := range n {
		r := record(from + i)
		r.Timestamp, r.App = base+int64(from+i)*1000, int64(20893+i%2)
		r.Created = r.Timestamp + 60_000
		out = append(out, r)
	}
	return out
}

// liftable are bytes that were quarantined though they are a record.
func liftable(r storetest.Record) string { return string(r.Bytes()) }

// crashScripts are the lakes to begin with and the runs that are interrupted.
var crashScripts = []struct {
	name   string
	before []run
	script []run
}{
	{"the first commit of a new lake", nil, []run{{{records: few(0, 4), bad: []string{"x"}}}}},
	{"a second commit into the same cells", []run{{{records: few(0, 4)}}}, []run{{{records: append(few(2, 4), few(10, 1)...)}}}},
	{
		"a revision, an old payload and bad bytes", []run{{{records: few(0, 4), bad: []string{"x"}}}},
		[]run{{{records: []storetest.Record{revised(few(0, 1)[0], 5), revised(few(1, 1)[0], -5)}, bad: []string{"x", "y"}}}},
	},
	{"the revision of a cell's only row", []run{{{records: few(0, 1)}}}, []run{{{records: []storetest.Record{revised(few(0, 1)[0], 5)}}}}},
	{
		"a payload that moves to another cell", []run{{{records: few(0, 4)}}},
		[]run{{{records: []storetest.Record{moved(few(0, 1)[0], 5), moved(few(1, 1)[0], -5)}}}},
	},
	{
		"a compaction", manyFiles,
		[]run{{{do: compact(store.CompactOptions{All: true})}}},
	},
	{
		"a compaction of what pays, and a run behind it", manyFiles,
		[]run{{{do: compact(store.CompactOptions{Budget: 1 << 20, Now: time.UnixMilli(base).Add(30 * 24 * time.Hour)})}}, {{records: few(1, 8)}}},
	},
	{
		"a purge of a person", []run{{{records: append(few(0, 4), person(4)...), bad: []string{"about user1@", "x"}}}, {{records: []storetest.Record{revised(few(0, 1)[0], 5)}}}},
		[]run{{{do: purge(store.PurgeRequest{User: "ADA@contoso.example", Reason: "case 1"})}}},
	},
	{
		"a purge of old days", []run{{{records: append(few(0, 2), ahead(few(2, 2))...), bad: []string{"x"}}}},
		[]run{{{do: purge(store.PurgeRequest{Before: time.UnixMilli(base).Add(36 * time.Hour)})}}},
	},
	{
		"several commits in one run, and another run", []run{{{records: few(0, 2)}}},
		[]run{{{records: few(2, 2)}, {}, {records: []storetest.Record{revised(few(2, 1)[0], 5)}, bad: []string{"z"}}}, {{records: []storetest.Record{revised(few(2, 1)[0], 9)}}}},
	},
	{
		"records that leave the quarantine", []run{{{records: few(0, 1), bad: []string{"x", liftable(few(1, 1)[0]), "y"}}, {bad: []string{liftable(revised(few(0, 1)[0], 5)), "z"}}}},
		[]run{{{retry: true}}},
	},
	{
		"the last ones that leave it, and new ones", []run{{{bad: []string{liftable(few(0, 1)[0])}}}},
		[]run{{{records: few(2, 1), bad: []string{"x"}, retry: true}, {bad: []string{"y"}}, {retry: true}}},
	},
	{
		"what another program has done, taken over", []run{{{records: few(0, 4)}}, {{records: few(4, 4)}}, {{do: strange}}},
		[]run{{{do: adopt(false), adopts: true}}},
	},
	{
		"what another program has done, undone", []run{{{records: few(0, 4)}}, {{records: few(4, 4)}}, {{do: strange}}},
		[]run{{{do: adopt(true), adopts: true}}},
	},
	{
		"commits with checkpoints behind them", []run{{{records: few(0, 2)}, {}}},
		[]run{{{records: few(2, 1), checkpoints: 1}, {records: []storetest.Record{revised(few(0, 1)[0], 5)}}}},
	},
	{"the first kept page of a new lake", nil, []run{{{records: few(0, 1), pages: []string{"body"}}}}},
	{
		"kept pages of several commits", []run{{{records: few(0, 1), pages: []string{"before"}}}},
		[]run{{{records: few(1, 1), pages: []string{"one", "two"}}, {pages: []string{strings.Repeat("three ", 50_000)}}}},
	},
	{
		"commits that are worth a cached fold", []run{{{records: few(0, 2)}}},
		[]run{{{records: []storetest.Record{revised(few(0, 1)[0], 5)}, cursor: 300 << 10}, {records: few(3, 1), cursor: 30 << 10}}, {{records: few(5, 1)}}},
	},
}

func TestWhereverAProcessDiesTheLakeIsAsBeforeOrAfterTheCommit(t *testing.T) {
	for _, s := range crashScripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			crashMatrix(t, s.before, s.script, 1, func(t *testing.T, d *storetest.Disk, dir string, n int, check func() int) {
				seen := check()
				tidyUp(t, dir, d)
				if after := check(); after != seen {
					t.Errorf("tidying up made state %d of state %d", after, seen)
				}
				// What was tidied up rests on an entry that must not be lost now.
				d.LosePower(survival(n))
				if after := check(); after != seen {
					t.Errorf("the power failed after tidying up: state %d became %d", seen, after)
				}
			})
		})
	}
}

func TestWheneverThePowerFailsTheLakeIsAsBeforeOrAfterTheCommit(t *testing.T) {
	for _, s := range crashScripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			crashMatrix(t, s.before, s.script, 2, func(t *testing.T, d *storetest.Disk, dir string, n int, check func() int) {
				d.LosePower(survival(n))
				check()
			})
		})
	}
}

func survival(n int) storetest.Survival {
	switch n % 7 % 3 { // so that no step between operations meets one kind only
	case 0:
		return storetest.Nothing
	case 1:
		return storetest.Everything
	}
	return storetest.Some(uint64(n))
}

// every is the distance between the operations at which a script is stopped.
// A process dies at the odd ones, the power fails at the even ones, and so on;
// CRASH=all leaves none out, which takes some minutes.
func every(n int) int {
	if os.Getenv("CRASH") == "all" {
		return 1
	}
	return n * stride
}

// crashes counts what the matrices have done to lakes.
var crashes atomic.Int64

// crashMatrix stops the script at every operation. check says which state a
// reader sees, and fails the test if it is none that may be seen.
func crashMatrix(t *testing.T, before, script []run, from int, after func(t *testing.T, d *storetest.Disk, dir string, n int, check func() int)) {
	template := filepath.Join(t.TempDir(), "template")
	states := statesOf(t, template, before, script)
	step := every(4*len(script) - 2)
	for n := min(from, step); ; n += step {
		root := t.TempDir()
		dir := filepath.Join(root, "new", "lake")
		if len(before) > 0 {
			if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
				t.Fatal(err)
			}
		}
		d := storetest.NewDisk(t, root)
		d.StopAt(n)
		acknowledged := 0
		err := perform(dir, store.WriterOptions{FS: d}, "script", script, func() { acknowledged++ })
		if !d.Broke() {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		crashes.Add(1)
		t.Run(fmt.Sprintf("operation %d", n), func(t *testing.T) {
			d.Mend()
			check := func() int {
				t.Helper()
				have := storetest.Read(t, dir)
				for i := acknowledged; i <= acknowledged+1 && i < len(states); i++ {
					if cmp.Equal(have, states[i]) {
						return i
					}
				}
				t.Fatalf("after %d acknowledged commits a reader sees\n%s", acknowledged, cmp.Diff(states[acknowledged], have))
				return -1
			}
			after(t, d, dir, n, check)
			tidyUp(t, dir, d)
			check()
			if err := perform(dir, store.WriterOptions{FS: d}, "again", script, func() {}); err != nil {
				t.Fatalf("the same again: %v", err)
			}
			if diff := cmp.Diff(states[len(states)-1], storetest.Read(t, dir)); diff != "" {
				t.Errorf("the same again (- want, + have):\n%s", diff)
			}
			verifyAtRest(t, dir)
		})
		if t.Failed() {
			t.Logf("operations:\n%s", strings.Join(d.Ops(), "\n"))
			return
		}
		os.RemoveAll(root)
	}
}

// statesOf makes the lake to begin with and answers what a lake holds after
// each commit of the script.
func statesOf(t *testing.T, template string, before, script []run) []storetest.Contents {
	t.Helper()
	if err := perform(template, store.WriterOptions{}, "before", before, func() {}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "whole")
	if len(before) > 0 {
		if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
			t.Fatal(err)
		}
	}
	states := []storetest.Contents{storetest.Read(t, dir)}
	if err := perform(dir, store.WriterOptions{}, "script", script, func() { states = append(states, storetest.Read(t, dir)) }); err != nil {
		t.Fatal(err)
	}
	return states
}

// tidyUp opens the lake for writing and lets it go, and expects a lake at rest.
func tidyUp(t *testing.T, dir string, fs store.FS) {
	t.Helper()
	w, err := store.OpenWriter(dir, store.WriterOptions{FS: fs, Adopt: true})
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	w.Close()
	verifyAtRest(t, dir)
}

// verifyAtRest expects every file to be what was written, and none besides.
// The rows are read by storetest.Read.
func verifyAtRest(t *testing.T, dir string) {
	t.Helper()
	v, err := store.Verify(context.Background(), dir, store.VerifyOptions{Quick: true}, func(p store.Problem) {
		if !strings.Contains(p.What, "written by another program") { // it was not adopted yet
			t.Errorf("verify: %s", p)
		}
	})
	if errors.Is(err, store.ErrNotALake) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if v.InFlight > 0 {
		t.Errorf("%d files are left over", v.InFlight)
	}
	pages := storetest.KeptPages(t, dir)
	found, _ := filepath.Glob(filepath.Join(dir, "_pages", "*", "*"))
	for _, path := range found {
		rel, _ := filepath.Rel(dir, path)
		if _, named := pages[filepath.ToSlash(rel)]; !named {
			t.Errorf("%s is left over", rel)
		}
	}
	// Only names that are ours for good are left in the private directory.
	entries, _ := os.ReadDir(filepath.Join(dir, "_mdcalake"))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "pending-") || strings.HasPrefix(e.Name(), "spill-") {
			t.Errorf("%s is left over", e.Name())
		}
	}
}

func TestADiskThatFailsOrFillsUpLosesNothing(t *testing.T) {
	for name, fail := range map[string]func(d *storetest.Disk, n int){
		"one operation fails": func(d *storetest.Disk, n int) { d.FailAt(n, errors.New("i/o error")) },
		"the disk is full":    func(d *storetest.Disk, n int) { d.FillAt(n) },
	} {
		for _, s := range crashScripts {
			t.Run(name+" in "+s.name, func(t *testing.T) {
				t.Parallel()
				failMatrix(t, s.before, s.script, every(4*len(s.script)), fail)
			})
		}
	}
}

func failMatrix(t *testing.T, before, script []run, stride int, fail func(d *storetest.Disk, n int)) {
	template := filepath.Join(t.TempDir(), "template")
	states := statesOf(t, template, before, script)
	for n := 1; ; n += stride {
		root := t.TempDir()
		dir := filepath.Join(root, "lake")
		if len(before) > 0 {
			if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
				t.Fatal(err)
			}
		}
		d := storetest.NewDisk(t, root)
		fail(d, n)
		acknowledged := 0
		err := perform(dir, store.WriterOptions{FS: d}, "script", script, func() { acknowledged++ })
		if !d.Broke() {
			return
		}
		crashes.Add(1)
		last := ""
		if ops := d.Ops(); len(ops) > 0 {
			last = ops[len(ops)-1]
		}
		d.Mend()
		if err != nil {
			checkSentence(t, err, root)
		}
		var committed *store.CommittedError
		want := acknowledged
		if errors.As(err, &committed) {
			want++
		}
		if diff := cmp.Diff(states[want], storetest.Read(t, dir)); diff != "" {
			t.Fatalf("operation %d, last %q, answer %v: want state %d (- want, + have):\n%s", n, last, err, want, diff)
		}
		tidyUp(t, dir, d)
		if err := perform(dir, store.WriterOptions{FS: d}, "again", script, func() {}); err != nil {
			t.Fatalf("operation %d, the next run: %v", n, err)
		}
		if diff := cmp.Diff(states[len(states)-1], storetest.Read(t, dir)); diff != "" {
			t.Fatalf("operation %d, the next run (- want, + have):\n%s", n, diff)
		}
		verifyAtRest(t, dir)
		os.RemoveAll(root)
	}
}

// checkSentence holds an error against the house form: what failed, on what,
// why, and what to do.
func checkSentence(t *testing.T, err error, root string) {
	t.Helper()
	var le *store.LakeError
	if !errors.As(err, &le) {
		t.Fatalf("the error does not name the lake: %v", err)
	}
	text := err.Error()
	if !strings.Contains(text, root) || strings.Contains(text, "failed to") || strings.HasSuffix(text, ".") {
		t.Errorf("the sentence is not of the house: %s", text)
	}
	if errors.Is(err, storetest.ErrFull) && !strings.Contains(le.Hint(), "space") {
		t.Errorf("hint %q for %s", le.Hint(), text)
	}
}

func TestFailingRunsLeaveNoFileOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts /proc/self/fd")
	}
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	s := crashScripts[2]
	before := open()
	failMatrix(t, s.before, s.script, every(10), func(d *storetest.Disk, n int) { d.FailAt(n, errors.New("i/o error")) })
	runtime.GC()
	if after := open(); after > before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

// The order in which a commit reaches the disk is the whole of its promise:
// names noted and synced before files exist; files whole and synced before they
// have their names; names synced before the entry that lists them is linked;
// the entry synced before anything is deleted on its strength.
func TestTheOrderOfFileOperationsOfACommit(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "lake")
	one := few(0, 1)
	more := append([]storetest.Record{}, one[0], few(2, 1)[0])
	o := store.WriterOptions{}
	if err := perform(dir, o, "before", []run{{{records: more}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	d := storetest.NewDisk(t, root)
	if err := perform(dir, store.WriterOptions{FS: d}, "R", []run{{{records: []storetest.Record{revised(one[0], 5)}, bad: []string{"x"}}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "commit.txt", transcript(d.Ops()))

	fresh := t.TempDir()
	d = storetest.NewDisk(t, fresh)
	if err := perform(filepath.Join(fresh, "cases", "lake"), store.WriterOptions{FS: d}, "R", []run{{{records: one}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "first-commit.txt", transcript(d.Ops()))

	// An entry of this size is followed by the cached fold.
	d = storetest.NewDisk(t, root)
	if err := perform(dir, store.WriterOptions{FS: d}, "F", []run{{{records: []storetest.Record{revised(one[0], 9)}, cursor: 300 << 10}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "commit-fold.txt", transcript(d.Ops()[slices.Index(d.Ops(), "remove lake/_mdcalake/pending-F-1"):]))
}

// transcript makes a list of operations the same every time: repeated writes
// are one line, and directories synced side by side are sorted.
func transcript(ops []string) string {
	text := strings.Join(ops, "\n")
	text = strings.ReplaceAll(text, fmt.Sprintf(".%d.tmp", os.Getpid()), ".PID.tmp")
	lines := slices.Compact(strings.Split(text, "\n"))
	for i := 0; i < len(lines); {
		j := i
		for j < len(lines) && strings.HasPrefix(lines[j], "syncdir ") {
			j++
		}
		slices.Sort(lines[i:j])
		i = max(j, i+1)
	}
	return strings.Join(lines, "\n") + "\n"
}

// compareGolden compares with a file below testdata; UPDATE_GOLDEN=1 writes it.
func compareGolden(t *testing.T, name, have string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("%s (- want, + have):\n%s", path, diff)
	}
}
