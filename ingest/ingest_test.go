package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
	"mdcalake/store/storetest"
)

// The time of these tests: the simulator, the client, the run and the lake
// share one clock that moves only when someone sleeps.
var (
	now      = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	midnight = now.Truncate(24 * time.Hour)
)

// days are three windows, the last of them half a day.
const days = 3

func since() time.Time { return midnight.AddDate(0, 0, -days+1) }

// world is a service, a client and a lake.
type world struct {
	*bench
	t     testing.TB
	clock *ingest.ManualClock
	sim   *simulator.Simulator
	url   string
	dir   string
	disk  *storetest.Disk

	// each request passes through it, if it is set; n from 1.
	hook func(n int, w http.ResponseWriter)

	mu       sync.Mutex
	bodies   [][]byte // of all answers 200
	warnings []string
	reports  []ingest.Progress
}

// newWorld serves 500 records of three days and services unless change says
// otherwise: the time of these tests is that of small files being synced.
func newWorld(t testing.TB, change func(*simulator.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: ingest.NewManualClock(now), dir: lakeDir(t)}
	w.disk = storetest.NewDisk(t, filepath.Dir(w.dir))
	w.serve(change)
	return w
}

// serve puts another service of the same records in the place of the last one.
func (w *world) serve(change func(*simulator.Options)) {
	w.t.Helper()
	o := simulator.Options{Seed: 11, Start: since(), End: now, Count: 500, Services: []int64{20893, 11161, 15600}, Token: canary, Clock: w.clock.Now}
	if change != nil {
		change(&o)
	}
	var err error
	if w.sim, err = simulator.New(o); err != nil {
		w.t.Fatal(err)
	}
	w.bodies, w.hook = nil, nil
	sim, n := w.sim, 0
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		n++
		number, hook := n, w.hook
		w.mu.Unlock()
		if number > maxRequests {
			w.t.Error("too many requests")
		}
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, r)
		if rec.Code == 200 {
			w.mu.Lock()
			w.bodies = append(w.bodies, slices.Clone(rec.Body.Bytes()))
			w.mu.Unlock()
		}
		for k, v := range rec.Header() {
			rw.Header()[k] = v
		}
		if hook != nil {
			hook(number, rw)
		}
		rw.WriteHeader(rec.Code)
		rw.Write(rec.Body.Bytes())
	}))
	w.t.Cleanup(srv.Close)
	w.url = srv.URL
	w.bench = client(w.t, srv.URL, func(o *ingest.ClientOptions) { o.Clock = w.clock })
}

// run ingests the three days into the lake, 50 records a page.
func (w *world) run(ctx context.Context, change func(*ingest.Options)) (*ingest.Summary, error) {
	w.t.Helper()
	lake := w.writer()
	defer lake.Close()
	w.warnings, w.reports = nil, nil
	o := ingest.Options{
		Client: w.Client, Writer: lake, Since: since(), Until: midnight.AddDate(0, 0, 1), PageSize: 50, Clock: w.clock,
		Progress: func(p ingest.Progress) { w.reports = append(w.reports, p) },
		Warn:     func(text string) { w.warnings = append(w.warnings, text) },
	}
	if change != nil {
		change(&o)
	}
	s, err := ingest.Run(ctx, o)
	noCanary(w.t, err)
	if s == nil {
		w.t.Fatal("no summary")
	}
	return s, err
}

func (w *world) mustRun(change func(*ingest.Options)) *ingest.Summary {
	w.t.Helper()
	s, err := w.run(w.t.Context(), change)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) writer() *store.Writer {
	w.t.Helper()
	lake, err := store.OpenWriter(w.dir, store.WriterOptions{Clock: w.clock.Now, FS: w.disk})
	if err != nil {
		w.t.Fatal(err)
	}
	return lake
}

// lakeDir is a place for a lake, which is verified when the test ends.
func lakeDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	t.Cleanup(func() {
		if _, err := os.Stat(dir); err != nil {
			return
		}
		_, err := store.Verify(context.Background(), dir, store.VerifyOptions{Lift: ingest.Lift}, func(p store.Problem) { t.Errorf("verify: %s", p) })
		if err != nil {
			t.Errorf("verify: %v", err)
		}
	})
	return dir
}

// row is what the tests look at in a row of any table.
type row struct {
	bytes          string
	page, position int32
	run            string
}

// contents are the rows of a lake.
type contents struct {
	snapshot                          *store.Snapshot
	activities, revisions, quarantine []row
}

func read(t testing.TB, dir string) contents {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := contents{snapshot: l.Snapshot()}
	rows := func(files []store.File) (out []row) {
		for _, f := range files {
			err := store.ReadRows(context.Background(), filepath.Join(c.snapshot.Root, filepath.FromSlash(f.Path)), func(r *store.Row) error {
				out = append(out, row{bytes: string(r.Verbatim()), page: r.Page, run: r.RunID})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	c.activities, c.revisions = rows(c.snapshot.Files), rows(c.snapshot.Revisions)
	for _, file := range c.snapshot.Quarantine {
		f, err := os.Open(filepath.Join(c.snapshot.Root, filepath.FromSlash(file.Path)))
		if err != nil {
			t.Fatal(err)
		}
		table, err := pqarrow.ReadTable(context.Background(), f, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		reader := array.NewTableReader(table, 0)
		for reader.Next() {
			b := reader.RecordBatch()
			column := func(name string) int { return b.Schema().FieldIndices(name)[0] }
			for i := range int(b.NumRows()) {
				c.quarantine = append(c.quarantine, row{
					bytes: string(b.Column(column("bytes")).(*array.Binary).Value(i)), run: b.Column(column("run_id")).(*array.String).Value(i),
					page: b.Column(column("page")).(*array.Int32).Value(i), position: b.Column(column("position")).(*array.Int32).Value(i),
				})
			}
		}
		reader.Release()
		table.Release()
	}
	return c
}

// entry is what an entry of the log holds of ours.
type entry struct {
	Run      store.Run         `json:"run"`
	Pages    []store.PageFact  `json:"pages"`
	Coverage []store.Rectangle `json:"coverage"`
	Cursors  []store.Cursor    `json:"cursors"`
}

// entries reads the log; a lake that was not made has none.
func entries(t testing.TB, dir string) []entry {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "activities", "_delta_log", "0*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			var action struct {
				CommitInfo *struct {
					Mdcalake entry `json:"mdcalake"`
				} `json:"commitInfo"`
			}
			if err := json.Unmarshal(line, &action); err != nil {
				t.Fatal(err)
			}
			if action.CommitInfo != nil {
				out = append(out, action.CommitInfo.Mdcalake)
			}
		}
	}
	return out
}

// lastRun is the newest run of the ledger.
func lastRun(t testing.TB, dir string) store.Run {
	t.Helper()
	e := entries(t, dir)
	if len(e) == 0 {
		t.Fatal("no entry in the log")
	}
	return e[len(e)-1].Run
}

// truth compares the lake with what the service has, byte for byte.
func truth(t testing.TB, dir string, expected iter.Seq[simulator.Payload]) contents {
	t.Helper()
	got := read(t, dir)
	want := map[string][]string{}
	for p := range expected {
		switch b := string(p.Bytes()); {
		case p.ID == nil || p.Timestamp == nil:
			if !slices.Contains(want["quarantine"], b) {
				want["quarantine"] = append(want["quarantine"], b)
			}
		case p.Current:
			want["activities"] = append(want["activities"], b)
		default:
			want["revisions"] = append(want["revisions"], b)
		}
	}
	for name, rows := range map[string][]row{"activities": got.activities, "revisions": got.revisions, "quarantine": got.quarantine} {
		var have []string
		for _, r := range rows {
			have = append(have, r.bytes)
		}
		slices.Sort(have)
		slices.Sort(want[name])
		if !slices.Equal(have, want[name]) {
			t.Errorf("%s: %d rows, and not the %d that are true", name, len(have), len(want[name]))
		}
	}
	return got
}

// windowsAsked are the beginnings of the windows in the service's log whose
// first page was asked for, and the filters of its very first request.
func (w *world) windowsAsked() (gte []string, first string) {
	for i, r := range w.sim.Stats().Log {
		var f struct {
			Date struct{ Gte, Lte int64 }
		}
		if json.Unmarshal([]byte(r.Filters), &f) != nil {
			continue
		}
		if i == 0 {
			first = r.Filters
		}
		at := time.UnixMilli(f.Date.Gte).UTC()
		if at.Equal(at.Truncate(24*time.Hour)) && !slices.Contains(gte, at.Format(time.DateOnly)) {
			gte = append(gte, at.Format(time.DateOnly))
		}
	}
	return gte, first
}

func states(rs []store.Rectangle) (out []string) {
	for _, r := range rs {
		out = append(out, fmt.Sprintf("%s %s..%s", r.State, r.Since.UTC().Format("01-02T15"), r.Until.UTC().Format("01-02T15")))
	}
	slices.Sort(out)
	return out
}

func TestARunBringsTheWholeTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Count, o.Services = 2000, nil
		o.Revisions, o.BadRecords, o.Huge, o.HugeBytes = 0.03, 0.03, 0.002, 300_000
		o.RatePerMinute, o.Faults = 10, []simulator.Fault{{Kind: simulator.FaultTwice, Every: 4}, {Kind: simulator.FaultStatus502, Page: 3}, {Kind: simulator.FaultEmptyPage, Page: 6}}
	})
	s := w.mustRun(func(o *ingest.Options) {
		o.PageSize = 200
		o.ToolVersion, o.Operator, o.CaseID, o.ClientID = "1.2", "ada", "case 7", "client"
	})
	got := truth(t, w.dir, w.sim.Expected())
	if s.Windows != days || s.Finished != days || s.Kept != 0 || len(s.Failed) != 0 || s.OutsideWindow != 0 || s.FutureOfServer {
		t.Errorf("%+v", s)
	}
	run := lastRun(t, w.dir)
	same(t, "the summary's run and the ledger's", run, s.Run)
	if run.Outcome != "complete" || run.Verb != "ingest" || run.Host != "localhost" || run.CredentialKind != "token" ||
		run.ToolVersion != "1.2" || run.Operator != "ada" || run.CaseID != "case 7" || run.ClientID != "client" ||
		!run.Started.Equal(now) || !run.Ended.Equal(w.clock.Now()) || run.ClockOffsetMS == nil || *run.ClockOffsetMS != 0 {
		t.Errorf("%+v", run)
	}
	if run.Added != int64(len(got.activities)) || run.Revisions != int64(len(got.revisions)) || run.Quarantined != int64(len(got.quarantine)) ||
		run.Records != run.Added+run.Revisions+run.Quarantined+run.Duplicates {
		t.Errorf("counts %+v", run)
	}
	if st := w.sim.Stats(); run.Requests != int64(st.Requests) || run.Records != int64(st.Records) {
		t.Errorf("%d requests and %d records, the service counts %d and %d", run.Requests, run.Records, st.Requests, st.Records)
	}
	if s.Head != fmt.Sprintf("%d:%s", got.snapshot.Version, got.snapshot.Head) || s.Version != got.snapshot.Version {
		t.Errorf("head %s", s.Head)
	}
	if len(entries(t, w.dir)) != days {
		t.Errorf("%d commits", len(entries(t, w.dir)))
	}
	w.pagesAreProved(got)

	// Asked again, it adds nothing.
	again := w.mustRun(func(o *ingest.Options) { o.PageSize = 1000 })
	truth(t, w.dir, w.sim.Expected())
	if again.Run.Added != 0 || again.Run.Quarantined != 0 || again.Run.Revisions != 0 || again.Run.Records != again.Run.Duplicates || again.Finished != days {
		t.Errorf("%+v", again)
	}
	if len(got.quarantine) == 0 || len(read(t, w.dir).snapshot.Seen) != len(got.quarantine) {
		t.Errorf("%d bad records were seen again, of %d", len(read(t, w.dir).snapshot.Seen), len(got.quarantine))
	}
}

// pagesAreProved ties the log's pages to the bodies that were sent, and every
// row to its page and place.
func (w *world) pagesAreProved(got contents) {
	w.t.Helper()
	var pages []store.PageFact
	for _, e := range entries(w.t, w.dir) {
		pages = append(pages, e.Pages...)
	}
	if len(pages) != len(w.bodies) {
		w.t.Fatalf("%d pages in the log, %d were sent", len(pages), len(w.bodies))
	}
	records := map[int32][]string{}
	for i, p := range pages {
		var page ingest.Page
		if err := ingest.ParsePage(w.bodies[i], &page); err != nil {
			w.t.Fatal(err)
		}
		sum := sha256.Sum256(w.bodies[i])
		if p.Page != int64(i+1) || p.SHA256 != hex.EncodeToString(sum[:]) || p.Bytes != int64(len(w.bodies[i])) || p.Records != int64(len(page.Records)) || p.Fetched.IsZero() {
			w.t.Errorf("page %d: %+v", i+1, p)
		}
		records[int32(i+1)] = texts(page.Records)
	}
	for _, r := range slices.Concat(got.activities, got.revisions) {
		if !slices.Contains(records[r.page], r.bytes) {
			w.t.Fatalf("a row is not on its page %d", r.page)
		}
	}
	for _, r := range got.quarantine {
		if page := records[r.page]; int(r.position) >= len(page) || page[r.position] != r.bytes {
			w.t.Fatalf("a bad record is not on page %d at %d", r.page, r.position)
		}
	}
}

func TestPagesAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.mustRun(func(o *ingest.Options) { o.KeepPages, o.Until = true, since().AddDate(0, 0, 1) })
	want := map[string]string{}
	for i, body := range w.bodies {
		want[fmt.Sprintf("_pages/%s/%08d.zst", s.Run.RunID, i+1)] = string(body)
	}
	same(t, "kept pages", want, storetest.KeptPages(t, w.dir))
	if len(want) < 2 {
		t.Errorf("%d pages", len(want))
	}
	// Without the flag the log has the hashes and says that nothing was kept.
	w.serve(nil)
	w.mustRun(nil)
	same(t, "kept pages", want, storetest.KeptPages(t, w.dir))
}

func TestWhenARunCommits(t *testing.T) {
	t.Parallel()
	oneDay := func(o *ingest.Options) { o.Until = since().AddDate(0, 0, 1) }
	t.Run("at the end of each window, and not for days to come", func(t *testing.T) {
		w := newWorld(t, nil)
		s := w.mustRun(func(o *ingest.Options) { o.Until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) })
		e := entries(t, w.dir)
		if len(e) != days || s.Windows != days {
			t.Errorf("%d commits, %d windows", len(e), s.Windows)
		}
		for i, entry := range e {
			if len(entry.Coverage) != 1 || len(entry.Cursors) != 1 || !entry.Cursors[0].Done || len(entry.Cursors[0].Filters) > 0 {
				t.Errorf("commit %d: %+v", i, entry)
			}
			if want := map[bool]string{true: "complete", false: "running"}[i == days-1]; entry.Run.Outcome != want || entry.Run.Ended.IsZero() != (want == "running") {
				t.Errorf("commit %d: %+v", i, entry.Run)
			}
		}
		truth(t, w.dir, w.sim.Expected())
	})
	t.Run("when the batch is large", func(t *testing.T) {
		w := newWorld(t, nil)
		s := w.mustRun(func(o *ingest.Options) { oneDay(o); o.SetCommitBytes(1) })
		e := entries(t, w.dir)
		if len(e) != len(w.bodies) || len(e) < 3 {
			t.Errorf("%d commits of %d pages", len(e), len(w.bodies))
		}
		w.cursorsFitTheirPages(e)
		if s.Run.Outcome != "complete" || len(e[0].Coverage) != 0 {
			t.Errorf("%+v", s.Run)
		}
		truth(t, w.dir, w.sim.ExpectedBetween(since(), since().AddDate(0, 0, 1)))
	})
	for name, c := range map[string]struct {
		step time.Duration
		want func(pages int) int
	}{
		"when it is a minute old":        {61 * time.Second, func(pages int) int { return pages }},
		"every second page of 31 s each": {31 * time.Second, func(pages int) int { return (pages-1)/2 + 1 }},
		"not before":                     {time.Second, func(int) int { return 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.mustRun(func(o *ingest.Options) {
				oneDay(o)
				show := o.Progress
				o.Progress = func(p ingest.Progress) {
					if show(p); !p.Committed && !p.WindowFinished {
						w.clock.Advance(c.step)
					}
				}
			})
			// The clock moves when a page has been lifted, just before it is looked at.
			if got, want := len(entries(t, w.dir)), c.want(len(w.bodies)); got != want {
				t.Errorf("%d commits of %d pages, want %d", got, len(w.bodies), want)
			}
			w.cursorsFitTheirPages(entries(t, w.dir))
		})
	}
}

// cursorsFitTheirPages: the cursor of a commit is what the last page of that
// commit said, so it is never ahead of the records.
func (w *world) cursorsFitTheirPages(es []entry) {
	w.t.Helper()
	for i, e := range es {
		if len(e.Pages) == 0 || len(e.Cursors) == 0 || e.Cursors[len(e.Cursors)-1].Done {
			continue
		}
		var page ingest.Page
		if err := ingest.ParsePage(w.bodies[e.Pages[len(e.Pages)-1].Page-1], &page); err != nil {
			w.t.Fatal(err)
		}
		if got := e.Cursors[len(e.Cursors)-1]; string(got.Filters) != string(page.NextQueryFilters) || got.RunID != e.Run.RunID {
			w.t.Errorf("commit %d holds the cursor %s, its last page said %s", i, got.Filters, page.NextQueryFilters)
		}
	}
}

// interrupted is a world whose first run was told to stop in the second window.
func interrupted(t *testing.T, change func(*simulator.Options)) (w *world, s *ingest.Summary) {
	t.Helper()
	w = newWorld(t, change)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := w.run(ctx, func(o *ingest.Options) {
		show := o.Progress
		o.Progress = func(p ingest.Progress) {
			if show(p); p.WindowNumber == 2 && !p.WindowFinished {
				cancel()
			}
		}
	})
	if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" {
		t.Fatalf("%v, %+v", err, s.Run)
	}
	return w, s
}

func TestARunThatIsToldToStopKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	w, s := interrupted(t, nil)
	e := entries(t, w.dir)
	if len(e) != 2 || s.Finished != 1 {
		t.Fatalf("%d commits, %d windows", len(e), s.Finished)
	}
	w.cursorsFitTheirPages(e)
	same(t, "coverage", []string{"complete 11-18T00..11-19T00"}, states(read(t, w.dir).snapshot.Coverage))
	if got := lastRun(t, w.dir); got.Outcome != "interrupted" || !got.Ended.Equal(now) || got.Records == 0 {
		t.Errorf("%+v", got)
	}
	if rows := read(t, w.dir).activities; int64(len(rows)) != s.Run.Added || s.Run.Added != s.Run.Records {
		t.Errorf("%d rows, %+v", len(rows), s.Run)
	}

	// The next one goes on, by the stored cursor as it came.
	cursor := string(e[1].Cursors[0].Filters)
	before := len(w.bodies)
	w.serve(nil)
	next := w.mustRun(nil)
	truth(t, w.dir, w.sim.Expected())
	asked, first := w.windowsAsked()
	if first != cursor {
		t.Errorf("asked first: %s, the cursor was %s", first, cursor)
	}
	same(t, "windows asked from their beginning", []string{"2026-11-20"}, asked)
	if next.Kept != 1 || next.Finished != 2 || next.Run.Duplicates != 0 || next.Run.Requests != int64(len(w.bodies)) {
		t.Errorf("%+v", next)
	}
	same(t, "coverage", []string{"complete 11-18T00..11-19T00", "complete 11-19T00..11-20T00", "complete 11-20T00..11-20T12"}, states(read(t, w.dir).snapshot.Coverage))
	for _, r := range read(t, w.dir).snapshot.Coverage {
		if r.Since.Equal(since().AddDate(0, 0, 1)) && r.Records != w.count(r.Since, r.Until) {
			t.Errorf("the resumed window counts %d records, the service has %d", r.Records, w.count(r.Since, r.Until))
		}
	}
	if before+len(w.bodies) > len(allPages(w))+1 {
		t.Errorf("%d and %d pages, a run of its own takes %d", before, len(w.bodies), len(allPages(w)))
	}

	// It is complete now: whoever asks again wants all of it asked again.
	w.serve(nil)
	if s := w.mustRun(nil); s.Kept != 0 || s.Finished != days || s.Run.Added != 0 {
		t.Errorf("after a complete run: %+v", s)
	}
}

func (w *world) count(since, until time.Time) (n int64) {
	for range w.sim.ExpectedBetween(since, until) {
		n++
	}
	return n
}

// allPages are the bodies of a run into an empty lake.
func allPages(w *world) [][]byte {
	v := newWorld(w.t, nil)
	v.mustRun(nil)
	return v.bodies
}

func TestAnInterruptedRunIsNotGoneOnWithAfterAnHour(t *testing.T) {
	t.Parallel()
	w, _ := interrupted(t, nil)
	w.clock.Advance(61 * time.Minute)
	w.serve(nil)
	s := w.mustRun(nil)
	if asked, _ := w.windowsAsked(); s.Kept != 0 || s.Finished != days || len(asked) != days {
		t.Errorf("%+v, asked %v", s, asked)
	}
	truth(t, w.dir, w.sim.Expected())
}

func TestAnInterruptedRunKeepsItsHourWhenItIsInterruptedAgain(t *testing.T) {
	t.Parallel()
	w, _ := interrupted(t, nil)
	for range 3 {
		w.clock.Advance(25 * time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		w.hook = func(int, http.ResponseWriter) { cancel() } // no page is read
		w.run(ctx, nil)
		cancel()
	}
	w.serve(nil)
	if s := w.mustRun(nil); s.Kept != 0 || s.Finished != days {
		t.Errorf("%+v", s)
	}
}

func TestWhenEverythingWasReadThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	w, _ := interrupted(t, nil)
	w.serve(nil)
	before := len(entries(t, w.dir))
	s := w.mustRun(func(o *ingest.Options) { o.Until = since().AddDate(0, 0, 1) })
	if s.Kept != 1 || s.Windows != 1 || s.Head != "" || s.Run.Outcome != "complete" || w.sim.Stats().Requests != 0 || len(entries(t, w.dir)) != before {
		t.Errorf("%+v", s)
	}
}

func TestAStopBehindTheLastPageStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := w.run(ctx, func(o *ingest.Options) {
		o.Progress = func(p ingest.Progress) {
			if p.WindowNumber == days && p.WindowFinished {
				cancel()
			}
		}
	})
	if err != nil || s.Run.Outcome != "complete" || ctx.Err() == nil {
		t.Fatalf("%v, %+v", err, s.Run)
	}
	truth(t, w.dir, w.sim.Expected())
}

func TestAStopBeforeAnythingCameLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := w.run(ctx, nil)
	if !errors.Is(err, context.Canceled) || s.Run.Outcome != "interrupted" || s.Head != "" {
		t.Errorf("%v, %+v", err, s)
	}
	if _, err := os.Stat(w.dir); err == nil {
		t.Error("a lake was made")
	}
}

// Wherever a run is told to stop, the next one makes it whole.
func TestAStopAtAnyPage(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 9; n += 2 {
		t.Run(fmt.Sprint("page ", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *simulator.Options) { o.Revisions = 0.05 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			small := func(o *ingest.Options) { o.SetCommitBytes(300_000) }
			pages := 0
			s, err := w.run(ctx, func(o *ingest.Options) {
				small(o)
				o.Progress = func(p ingest.Progress) {
					if pages++; pages == n {
						cancel()
					}
				}
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if s.Run.Records != 0 && int64(len(read(t, w.dir).activities)+len(read(t, w.dir).revisions)) != s.Run.Records-s.Run.Duplicates {
				t.Errorf("what was read is not all there: %+v", s.Run)
			}
			w.cursorsFitTheirPages(entries(t, w.dir))
			w.serve(func(o *simulator.Options) { o.Revisions = 0.05 })
			w.mustRun(small)
			truth(t, w.dir, w.sim.Expected())
		})
	}
}

// Wherever the disk dies, what was committed stays and the next run makes it
// whole; no summary calls such a run complete.
func TestADiskThatDies(t *testing.T) {
	t.Parallel()
	few := func(o *simulator.Options) {
		o.Count, o.Services, o.Start = 60, []int64{20893}, since().AddDate(0, 0, 1)
	}
	small := func(o *ingest.Options) {
		o.Since, o.PageSize = since().AddDate(0, 0, 1), 20
		o.SetCommitBytes(100_000)
	}
	for n := 1; ; n += 9 {
		if n > 1000 {
			t.Fatal("the run never ends")
		}
		w := newWorld(t, few)
		w.disk.StopAt(n)
		s, err := w.run(t.Context(), small)
		died := w.disk.Broke()
		if died == (err == nil) || died != (s.Run.Outcome == "failed") {
			t.Errorf("step %d: %v, %s", n, err, s.Run.Outcome)
		}
		w.disk.Mend()
		if e := entries(t, w.dir); s.Head != "" && !strings.HasPrefix(s.Head, fmt.Sprint(len(e)-1, ":")) {
			t.Errorf("step %d: head %s after %d commits", n, s.Head, len(e))
		}
		w.mustRun(small)
		truth(t, w.dir, w.sim.Expected())
		if !died {
			return
		}
	}
}

func TestARefusedCursorBeginsItsWindowAgain(t *testing.T) {
	t.Parallel()
	extra := func(o *simulator.Options) { o.Cursor.RequireExtra = true }
	w, _ := interrupted(t, extra)
	w.serve(func(o *simulator.Options) { extra(o); o.Cursor.RefuseAt = 1 })
	s := w.mustRun(nil)
	truth(t, w.dir, w.sim.Expected())
	if s.Kept != 1 || s.Run.Duplicates == 0 || s.Run.Requests != int64(w.sim.Stats().Requests) {
		t.Errorf("%+v", s)
	}
	for _, r := range read(t, w.dir).snapshot.Coverage {
		if n := w.count(r.Since, r.Until); r.Records < n || r.State != "complete" {
			t.Errorf("%+v, the service has %d", r, n)
		}
	}
}

func TestAWindowThatFailsSpoilsItselfOnly(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*simulator.Options){
		"500 for ever": func(o *simulator.Options) {
			o.Faults = []simulator.Fault{{Kind: simulator.FaultStatus500, Page: 6, Times: 6}}
		},
		"a cursor that stands": func(o *simulator.Options) { o.Pile.Size, o.Cursor.StandStill = 100, true },
		"pages of HTML": func(o *simulator.Options) {
			o.Faults = []simulator.Fault{{Kind: simulator.FaultHTML200, Page: 6, Times: 6}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			s := w.mustRun(nil)
			if s.Run.Outcome != "partial" || len(s.Failed) != 1 || s.Finished != days-1 || lastRun(t, w.dir).Outcome != "partial" {
				t.Fatalf("%+v", s)
			}
			if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], s.Failed[0].Window.String()) {
				t.Errorf("warnings %q", w.warnings)
			}
			same(t, "coverage", []string{"complete 11-18T00..11-19T00", "complete 11-20T00..11-20T12", "failed 11-19T00..11-20T00"}, states(read(t, w.dir).snapshot.Coverage))
			asked := int64(w.sim.Stats().Requests)
			covered := int64(0)
			for _, r := range read(t, w.dir).snapshot.Coverage {
				if (r.Reason != "") != (r.State == "failed") {
					t.Errorf("reason %q", r.Reason)
				}
				covered += r.Requests
			}
			// Those of the question that failed for good were asked, too.
			if s.Run.Requests != asked || covered != asked || lastRun(t, w.dir).Requests != asked {
				t.Errorf("%d requests in the run, %d in the ledger; the service was asked %d times", s.Run.Requests, covered, asked)
			}
			if int64(len(read(t, w.dir).activities)) != s.Run.Added {
				t.Error("rows")
			}
			// Mended, only that one is read again.
			w.serve(func(o *simulator.Options) { change(o); o.Faults, o.Cursor.StandStill = nil, false })
			s = w.mustRun(nil)
			if s.Kept != 1 && s.Kept != 2 || s.Run.Outcome != "complete" {
				t.Errorf("%+v", s)
			}
			if asked, _ := w.windowsAsked(); slices.Contains(asked, "2026-11-18") {
				t.Errorf("asked %v", asked)
			}
			truth(t, w.dir, w.sim.Expected())
		})
	}
}

func TestThreeFailingWindowsEndARun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Start, o.Count = since().AddDate(0, 0, -4), 200
		o.Faults = []simulator.Fault{{Kind: simulator.FaultStatus500, Page: 2, Times: -1}}
	})
	s, err := w.run(t.Context(), func(o *ingest.Options) { o.Since = since().AddDate(0, 0, -4) })
	var status *ingest.StatusError
	if !errors.As(err, &status) || status.Status != 500 || !strings.Contains(err.Error(), "3 windows in a row") {
		t.Fatal(err)
	}
	if len(s.Failed) != 3 || s.Finished != 1 || s.Run.Outcome != "failed" || lastRun(t, w.dir).Outcome != "failed" || w.sim.Stats().Requests != 1+3*6 {
		t.Errorf("%+v, %d requests", s, w.sim.Stats().Requests)
	}
	same(t, "coverage", []string{"complete 11-14T00..11-15T00", "failed 11-15T00..11-16T00", "failed 11-16T00..11-17T00", "failed 11-17T00..11-18T00"}, states(read(t, w.dir).snapshot.Coverage))
	if len(w.warnings) != 2 {
		t.Errorf("warnings %q", w.warnings)
	}
}

func TestARunWhoseFirstRequestFailsLeavesNoTrace(t *testing.T) {
	t.Parallel()
	fault := func(kind simulator.FaultKind) func(*world) {
		return func(w *world) {
			w.serve(func(o *simulator.Options) { o.Faults = []simulator.Fault{{Kind: kind, Request: 1, Times: -1}} })
		}
	}
	isStatus := func(code int) func(error) bool {
		return func(err error) bool {
			var e *ingest.StatusError
			return errors.As(err, &e) && e.Status == code
		}
	}
	refused := func(err error) bool { return errors.Is(err, ingest.ErrSignInRefused) }
	for name, c := range map[string]struct {
		service func(*world)
		is      func(error) bool
	}{
		"401":            {fault(simulator.FaultStatus401), refused},
		"another token":  {func(w *world) { w.serve(func(o *simulator.Options) { o.Token = "other" }) }, refused},
		"403":            {func(w *world) { w.serve(func(o *simulator.Options) { o.Forbidden = true }) }, refused},
		"500":            {fault(simulator.FaultStatus500), isStatus(500)},
		"a redirect":     {fault(simulator.FaultRedirect), isStatus(302)},
		"HTML":           {fault(simulator.FaultHTML200), func(err error) bool { var e *ingest.MalformedError; return errors.As(err, &e) }},
		"an empty page?": {fault(simulator.FaultNullData), func(err error) bool { var e *ingest.MalformedError; return errors.As(err, &e) }},
		"throttled":      {fault(simulator.FaultStatus429), func(err error) bool { var e *ingest.ThrottledError; return errors.As(err, &e) }},
		"unreachable": {func(w *world) {
			w.bench = client(w.t, "http://127.0.0.1:1", func(o *ingest.ClientOptions) { o.Clock = w.clock })
		}, func(err error) bool { var e *ingest.UnreachableError; return errors.As(err, &e) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			c.service(w)
			s, err := w.run(t.Context(), nil)
			if !c.is(err) || hint(err) == "" {
				t.Errorf("%v (%s)", err, hint(err))
			}
			if s.Run.Outcome != "failed" || s.Head != "" || len(s.Failed) != 0 || s.Run.Ended.IsZero() {
				t.Errorf("%+v", s)
			}
			if _, err := os.Stat(w.dir); err == nil {
				t.Error("a lake was made")
			}
		})
	}
}

func TestARefusalInTheMiddleKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Faults = []simulator.Fault{{Kind: simulator.FaultStatus401, Page: 6, Times: -1}}
	})
	s, err := w.run(t.Context(), nil)
	if !errors.Is(err, ingest.ErrSignInRefused) || s.Run.Outcome != "failed" || s.Head == "" {
		t.Fatalf("%v, %+v", err, s)
	}
	if got := read(t, w.dir); len(got.activities) < 200 || int64(len(got.activities)) != s.Run.Records {
		t.Errorf("%d rows of %d records", len(got.activities), s.Run.Records)
	}
	same(t, "coverage", []string{"complete 11-18T00..11-19T00", "failed 11-19T00..11-20T00"}, states(read(t, w.dir).snapshot.Coverage))
	w.cursorsFitTheirPages(entries(t, w.dir))
	w.serve(nil)
	if s := w.mustRun(nil); s.Kept != 1 || s.Run.Duplicates != 0 {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.Expected())
}

func TestRecordsOutsideOfTheWindowAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) {
		o.Faults = []simulator.Fault{{Kind: simulator.FaultOutside, Page: 2}, {Kind: simulator.FaultOutside, Page: 4}}
	})
	from, to := since().AddDate(0, 0, 1), since().AddDate(0, 0, 2)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = from, to })
	if s.OutsideWindow != 2 || len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "1 record outside of window 2026-11-19") {
		t.Errorf("%d outside, warnings %q", s.OutsideWindow, w.warnings)
	}
	if n := int64(len(read(t, w.dir).activities)); n != s.Run.Added || n <= w.count(from, to) {
		t.Errorf("%d rows, %+v", n, s.Run)
	}
	for _, p := range w.reports {
		if p.Done < 0 || p.Done > 1 {
			t.Errorf("done %v", p.Done)
		}
	}
}

func TestALakeIsOneTenants(t *testing.T) {
	t.Parallel()
	t.Run("by host", func(t *testing.T) {
		w := newWorld(t, nil)
		lake := w.writer()
		a, err := lake.Begin(store.Run{RunID: store.NewRunID(now), Host: "contoso.portal.cloudappsecurity.com"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Commit(t.Context(), store.Commit{Run: a.Run()}); err != nil {
			t.Fatal(err)
		}
		lake.Close()
		s, err := w.run(t.Context(), nil)
		if !errors.Is(err, store.ErrTenant) || w.sim.Stats().Requests != 0 || len(entries(t, w.dir)) != 1 || s.Head != "" {
			t.Errorf("%v after %d requests", err, w.sim.Stats().Requests)
		}
	})
	t.Run("by tenantId", func(t *testing.T) {
		w := newWorld(t, nil)
		w.mustRun(nil)
		sim := w.sim
		w.serve(func(o *simulator.Options) { o.TenantID = 777 })
		s, err := w.run(t.Context(), nil)
		if !errors.Is(err, store.ErrTenant) || len(entries(t, w.dir)) != days || s.Run.Outcome != "failed" || s.Head != "" {
			t.Errorf("%v, %+v", err, s)
		}
		truth(t, w.dir, sim.Expected())
	})
	t.Run("the first record of another ends a new lake's run", func(t *testing.T) {
		w := newWorld(t, func(o *simulator.Options) {
			ms := since().UnixMilli()
			o.Records = [][]byte{
				fmt.Appendf(nil, `{"_id":"a","timestamp":%d,"tenantId":1}`, ms), fmt.Appendf(nil, `{"_id":"b","timestamp":%d,"tenantId":2}`, ms+1),
			}
		})
		if _, err := w.run(t.Context(), nil); !errors.Is(err, store.ErrTenant) {
			t.Error(err)
		}
		if n := len(entries(t, w.dir)); n != 0 {
			t.Errorf("%d commits", n)
		}
	})
}

func TestTheServersClockCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		skew     time.Duration
		until    time.Time
		want     []string
		windows  int
		through  time.Time
		offsetMS int64
	}{
		"three days behind": {-60 * time.Hour, now, []string{"complete 11-17T00..11-18T00"}, 1, now.Add(-60*time.Hour - 2*time.Minute), -60 * 3600_000},
		"an hour ahead":     {time.Hour, now.Add(24 * time.Hour), []string{"complete 11-17T00..11-18T00", "complete 11-18T00..11-19T00", "complete 11-19T00..11-20T00", "complete 11-20T00..11-20T13"}, 4, now.Add(58 * time.Minute), 3600_000},
		"two days ahead": {48 * time.Hour, now.Add(72 * time.Hour), []string{"complete 11-17T00..11-18T00", "complete 11-18T00..11-19T00", "complete 11-19T00..11-20T00",
			"complete 11-20T00..11-21T00", "complete 11-21T00..11-22T00", "complete 11-22T00..11-22T12"}, 6, now.Add(48*time.Hour - 2*time.Minute), 48 * 3600_000},
		"right, and an end in the past": {0, now.Add(-48 * time.Hour), []string{"complete 11-17T00..11-18T00", "complete 11-18T00..11-18T12"}, 2, now.Add(-2 * time.Minute), 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *simulator.Options) { o.Count, o.DateSkew = 100, c.skew })
			s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = midnight.AddDate(0, 0, -3), c.until })
			if c.skew < 0 {
				// It is noon of the first day there.
				c.want, c.through = []string{"complete 11-17T00..11-18T00"}, now.Add(c.skew-2*time.Minute)
			}
			coverage := read(t, w.dir).snapshot.Coverage
			same(t, "coverage", c.want, states(coverage))
			for _, r := range coverage {
				if !r.ThroughCreated.Equal(c.through) {
					t.Errorf("complete through %v, want %v", r.ThroughCreated, c.through)
				}
			}
			if run := lastRun(t, w.dir); s.Windows != c.windows || s.Finished != c.windows || run.ClockOffsetMS == nil || *run.ClockOffsetMS != c.offsetMS {
				t.Errorf("%+v, offset %v", s, run.ClockOffsetMS)
			}
			if len(entries(t, w.dir)) != c.windows {
				t.Errorf("%d commits", len(entries(t, w.dir)))
			}
		})
	}
}

func TestARunAheadOfTheServersClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = midnight.AddDate(0, 0, 1), midnight.AddDate(0, 0, 9) })
	if !s.FutureOfServer || s.Run.Outcome != "complete" || w.sim.Stats().Requests != 1 || s.Windows != 1 || len(read(t, w.dir).snapshot.Coverage) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAServiceWithoutADateHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.hook = func(_ int, rw http.ResponseWriter) { rw.Header()["Date"] = nil }
	s := w.mustRun(nil)
	if len(w.warnings) != 1 || !strings.Contains(w.warnings[0], "Date header") || s.Run.ClockOffsetMS != nil {
		t.Errorf("warnings %q, offset %v", w.warnings, s.Run.ClockOffsetMS)
	}
	got := truth(t, w.dir, w.sim.Expected())
	same(t, "coverage", []string{"complete 11-18T00..11-19T00", "complete 11-19T00..11-20T00", "complete 11-20T00..11-20T12"}, states(got.snapshot.Coverage))
	for _, e := range entries(t, w.dir) {
		for _, p := range e.Pages {
			if !p.Fetched.IsZero() {
				t.Errorf("fetched %v by a clock that is not the server's", p.Fetched)
			}
		}
	}
}

func TestATenantWithoutRecordsHasCoverage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Count = -1 })
	s := w.mustRun(func(o *ingest.Options) { o.Until = since().AddDate(0, 0, 1) })
	got := read(t, w.dir)
	if len(entries(t, w.dir)) != 1 || len(got.activities) != 0 || s.Run.Records != 0 || s.Run.Requests != 1 {
		t.Errorf("%+v", s)
	}
	same(t, "coverage", []string{"complete 11-18T00..11-19T00"}, states(got.snapshot.Coverage))
}

func TestBadRecordsAreQuarantinedOnce(t *testing.T) {
	t.Parallel()
	bad := func(o *simulator.Options) { o.BadRecords = 0.4 }
	w := newWorld(t, bad)
	s := w.mustRun(nil)
	got := truth(t, w.dir, w.sim.Expected())
	w.pagesAreProved(got)
	if len(got.quarantine) < 20 || s.Run.Quarantined != int64(len(got.quarantine)) || s.Run.Outcome != "complete" {
		t.Errorf("%d rows, %+v", len(got.quarantine), s.Run)
	}
	w.serve(bad)
	again := w.mustRun(nil)
	if q := read(t, w.dir).quarantine; len(q) != len(got.quarantine) || again.Run.Quarantined != 0 || again.Run.Duplicates != again.Run.Records {
		t.Errorf("%d rows, %+v", len(q), again.Run)
	}
}

func TestDriftIsCountedByColumn(t *testing.T) {
	t.Parallel()
	ms := since().UnixMilli()
	w := newWorld(t, func(o *simulator.Options) {
		o.Records = [][]byte{
			fmt.Appendf(nil, `{"_id":"a","timestamp":%d,"description":{"x":1},"location":{"latitude":"north"}}`, ms),
			fmt.Appendf(nil, `{"_id":"b","timestamp":%d,"description":[]}`, ms+1),
			fmt.Appendf(nil, `{"_id":"c","timestamp":"%d","description":"fine"}`, ms+2),
		}
	})
	s := w.mustRun(nil)
	same(t, "drift", map[string]int64{"description": 2, "latitude": 1}, s.Run.Drift)
	same(t, "drift in the ledger", s.Run.Drift, lastRun(t, w.dir).Drift)
}

func TestServicesAndFiltersAreInTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	oneDay := since().AddDate(0, 0, 1)
	s := w.mustRun(func(o *ingest.Options) { o.Until, o.Services = oneDay, []int64{20893, 11161, 20893} })
	var services []int64
	for _, r := range read(t, w.dir).snapshot.Coverage {
		services = append(services, *r.Service)
		if r.State != "complete" || r.Filter != "" {
			t.Errorf("%+v", r)
		}
	}
	same(t, "services", []int64{11161, 20893}, services)
	if _, first := w.windowsAsked(); !strings.Contains(first, `"service":{"eq":[11161,20893]}`) {
		t.Error(first)
	}
	var want int64
	for p := range w.sim.ExpectedBetween(since(), oneDay) {
		if *p.AppID == 20893 || *p.AppID == 11161 {
			want++
		}
	}
	if s.Run.Added != want || want == 0 {
		t.Errorf("%d records, want %d", s.Run.Added, want)
	}

	filter := `{"service":{"eq":[20893]}}`
	w.serve(nil)
	w.mustRun(func(o *ingest.Options) { o.Until, o.Filter = oneDay, []byte(" "+filter+"\n") })
	coverage := read(t, w.dir).snapshot.Coverage
	if r := coverage[len(coverage)-1]; r.State != "filtered" || !regexp.MustCompile(`^service eq sha256:[0-9a-f]{32}$`).MatchString(r.Filter) || r.Service != nil {
		t.Errorf("%+v", r)
	}
	for _, none := range []string{"{}", " ", "{ }"} {
		w.serve(nil)
		w.mustRun(func(o *ingest.Options) { o.Until, o.Filter = oneDay, []byte(none) })
		coverage := read(t, w.dir).snapshot.Coverage
		if r := coverage[len(coverage)-1]; r.State != "complete" || r.Filter != "" {
			t.Errorf("filter %q: %+v", none, r)
		}
	}
	if !ingest.LastComplete(coverage, nil).IsZero() || !ingest.LastComplete(coverage, []int64{20893}).Equal(oneDay) {
		t.Error("last complete point")
	}
}

func TestAFilterLeavesNoNameInTheLake(t *testing.T) {
	t.Parallel()
	const name = "ada.lovelace"
	w := newWorld(t, nil)
	// Nobody's records are left out, and every cursor repeats the question.
	ask := func(o *ingest.Options) {
		o.Filter = []byte(`{"user.username":{"neq":["` + name + `@example.com"]}}`)
		o.SetCommitBytes(1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := w.run(ctx, func(o *ingest.Options) {
		ask(o)
		o.Progress = func(p ingest.Progress) {
			if p.WindowNumber == 2 && !p.WindowFinished {
				cancel()
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(w.bodies, func(b []byte) bool { return bytes.Contains(b, []byte(name)) }) {
		t.Fatal("no cursor repeats the filter: the test shows nothing")
	}
	w.serve(nil)
	if s := w.mustRun(ask); s.Kept != 1 || s.Run.Duplicates == 0 {
		t.Errorf("the interrupted window did not begin anew: %+v", s)
	}
	truth(t, w.dir, w.sim.Expected())
	for _, r := range read(t, w.dir).snapshot.Coverage {
		if !regexp.MustCompile(`^user.username neq sha256:[0-9a-f]{32}$`).MatchString(r.Filter) {
			t.Errorf("filter %q", r.Filter)
		}
	}
	for path, data := range allBytes(t, w.dir) {
		// Three base64 texts, by where it begins in a group of three bytes.
		for _, before := range []string{"", "x", "xx"} {
			encoded := base64.StdEncoding.EncodeToString([]byte(before + name))
			if bytes.Contains(data, []byte(name)) || bytes.Contains(data, []byte(encoded[4:12])) {
				t.Errorf("%s names the person", path)
			}
		}
	}
}

// allBytes are the files of a lake; of Parquet files the rows, too, which are
// compressed there.
func allBytes(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, dir)
	for _, r := range slices.Concat(c.activities, c.revisions, c.quarantine) {
		all["rows"] = append(all["rows"], r.bytes...)
	}
	return all
}

func TestWhatCannotBeAskedIsRefusedBeforeAnything(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ingest.Options){
		"no time":            func(o *ingest.Options) { o.Until = o.Since },
		"less than a ms":     func(o *ingest.Options) { o.Since, o.Until = now.Add(1), now.Add(2) },
		"no beginning":       func(o *ingest.Options) { o.Since = time.Time{} },
		"a filter on dates":  func(o *ingest.Options) { o.Filter = []byte(`{"date":{"gte":1}}`) },
		"services and again": func(o *ingest.Options) { o.Filter, o.Services = []byte(`{"service":{"eq":[1]}}`), []int64{2} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			s, err := w.run(t.Context(), change)
			var option *ingest.OptionError
			if !errors.As(err, &option) || option.Hint() == "" || w.sim.Stats().Requests != 0 {
				t.Errorf("%v after %d requests", err, w.sim.Stats().Requests)
			}
			if _, err := os.Stat(w.dir); err == nil || s.Head != "" {
				t.Error("a lake was made")
			}
		})
	}
}

func TestBoundsBetweenMilliseconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	from, to := midnight.Add(-500*time.Microsecond), midnight.Add(2*time.Hour+1)
	s := w.mustRun(func(o *ingest.Options) { o.Since, o.Until = from, to })
	if s.Windows != 1 || s.Finished != 1 {
		t.Errorf("%+v", s)
	}
	truth(t, w.dir, w.sim.ExpectedBetween(midnight, midnight.Add(2*time.Hour+time.Millisecond)))
}

func TestProgressGoesForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.mustRun(nil)
	done, finished, commits := -1.0, 0, 0
	for _, p := range w.reports {
		if p.Done < done || p.Windows != days || p.WindowNumber < 1 || p.Run.Records == 0 || p.Requests == 0 {
			t.Errorf("%+v", p)
		}
		done = p.Done
		if p.WindowFinished {
			finished++
		}
		if p.Committed {
			commits++
		}
	}
	if done != 1 || finished != days || commits != days-1 {
		t.Errorf("done %v, %d windows, %d commits", done, finished, commits)
	}
}
