package query_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
	"mdcalake/store"
	"mdcalake/store/storetest"
)

// askedOfThen are all tables, whole, and questions that filter what the view of
// the past is made of.
var askedOfThen = []string{
	"SELECT * FROM activities ORDER BY ALL",
	"SELECT * FROM revisions ORDER BY ALL",
	"SELECT * FROM quarantine ORDER BY ALL",
	"SELECT * FROM runs ORDER BY ALL",
	"SELECT * FROM coverage ORDER BY ALL",
	"SELECT date, service, count(*), min(timestamp), max(ingested) FROM activities WHERE user_name = 'user1' AND date >= '2026-03-02' GROUP BY ALL ORDER BY ALL",
	"SELECT a.activity_id, count(*) FROM activities AS a JOIN revisions AS r USING (activity_id) GROUP BY ALL ORDER BY ALL",
	"WITH x AS (SELECT * FROM activities WHERE service = 101) SELECT count(*), count(DISTINCT activity_id), string_agg(raw, ' ' ORDER BY raw) FROM x",
}

// history is a lake that is made commit by commit.
type history struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	clock  time.Time
}

func (h *history) options() store.WriterOptions {
	return store.WriterOptions{Clock: func() time.Time { return h.clock }, ToolVersion: "test"}
}

// record is one of few activities, as one of few payloads, on one of two days
// and of one of two apps.
func (h *history) record() storetest.Record {
	r := storetest.Record{ID: fmt.Sprintf("id-%d", h.random.IntN(6)), App: 100 + h.random.Int64N(2), User: fmt.Sprintf("user%d", h.random.IntN(3)), Tags: []string{"a"}}
	r.Timestamp = firstDay.Add(time.Duration(h.random.IntN(2))*24*time.Hour + time.Hour).UnixMilli()
	if n := h.random.Int64N(4); n > 0 { // 0: never saved, which is the oldest of all
		r.Created = r.Timestamp + n
	}
	return r
}

// commit makes one commit of some kind; perhaps none.
func (h *history) commit(n int) {
	h.t.Helper()
	h.clock = h.clock.Add(time.Duration(h.random.IntN(3)) * time.Second) // not later, now and then
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	if n > 0 && h.random.IntN(4) == 0 {
		lake, err := store.Open(h.dir)
		must(err)
		plan := store.PlanCompaction(lake.Snapshot(), store.CompactOptions{All: true, Now: h.clock})
		must(lake.Close())
		w, err := store.OpenWriter(h.dir, h.options())
		must(err)
		defer w.Close()
		_, err = w.Compact(context.Background(), plan, store.Run{RunID: fmt.Sprintf("compact-%d", n), Outcome: "complete", Verb: "compact"}, nil)
		must(err)
		return
	}
	w, err := store.OpenWriter(h.dir, h.options())
	must(err)
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: fmt.Sprintf("run-%d", n), Started: h.clock, Outcome: "complete", Verb: "test"})
	must(err)
	defer a.Close()
	var row store.Row
	for i := range h.random.IntN(6) {
		must(storetest.Lift(h.record().Bytes(), &row))
		row.Page = int32(i)
		must(a.Add(context.Background(), &row))
	}
	for range h.random.IntN(2) {
		must(a.Quarantine(context.Background(), store.Quarantined{Bytes: []byte{'x', byte('0' + h.random.IntN(4))}, Reason: "no object", Page: 1}))
	}
	_, err = a.Commit(context.Background(), store.Commit{Run: a.Run(), Coverage: []store.Rectangle{{
		Since: firstDay, Until: firstDay.Add(time.Duration(n+1) * time.Hour), State: "complete", ThroughCreated: h.clock, RunID: a.Run().RunID,
	}}})
	must(err)
}

// answers are what a snapshot gives for askedOfThen.
func (h *history) answers(s *store.Snapshot) []string {
	h.t.Helper()
	e, err := query.Open(h.t.Context(), query.Options{Snapshot: s, TempDir: h.t.TempDir(), Threads: 2})
	if err != nil {
		h.t.Fatal(err)
	}
	defer e.Close()
	var out []string
	for _, sql := range askedOfThen {
		text, _ := answer(h.t, e, query.CSV, sql, query.WriteOptions{})
		out = append(out, sql+"\n"+text)
	}
	return out
}

func TestAsOfEachCommitIsWhatTheLakeGaveThen(t *testing.T) {
	seeds := 4
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := &history{t: t, random: rand.New(rand.NewPCG(uint64(seed), 7)), dir: storetest.Dir(t), clock: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
			type moment struct {
				version int64
				at      int64
				answers []string
			}
			var moments []moment
			for n := range 8 {
				h.commit(n)
				lake, err := store.Open(h.dir)
				if err != nil {
					t.Fatal(err)
				}
				s := lake.Snapshot()
				if k := len(moments); k == 0 || moments[k-1].version != s.Version {
					moments = append(moments, moment{s.Version, s.Ingested, h.answers(s)})
				}
				lake.Close()
			}
			lake, err := store.Open(h.dir)
			if err != nil {
				t.Fatal(err)
			}
			defer lake.Close()
			for _, m := range moments {
				s, err := lake.AsOf(t.Context(), time.UnixMilli(m.at))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(m.answers, h.answers(s)); diff != "" {
					t.Errorf("as of commit %d of %d (- then, + now):\n%s", m.version, len(moments), diff)
				}
			}
		})
	}
}

func TestTheQuarantineOfThenIsRefusedOnceRecordsWereLifted(t *testing.T) {
	h := &history{t: t, random: rand.New(rand.NewPCG(1, 2)), dir: storetest.Dir(t), clock: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	record := h.record()
	inRun := func(id string, do func(a *store.Append) error) {
		t.Helper()
		h.clock = h.clock.Add(time.Minute)
		w, err := store.OpenWriter(h.dir, h.options())
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		a, err := w.Begin(store.Run{RunID: id, Outcome: "complete", Verb: "test"})
		if err == nil {
			err = do(a)
		}
		if err == nil {
			_, err = a.Commit(t.Context(), store.Commit{Run: a.Run()})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	inRun("bad", func(a *store.Append) error {
		return a.Quarantine(t.Context(), store.Quarantined{Bytes: record.Bytes(), Reason: "too deep"})
	})
	then := h.clock
	inRun("retry", func(a *store.Append) error {
		_, _, err := a.Requarantine(t.Context(), storetest.Lift)
		return err
	})
	lake, err := store.Open(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lake.Close()
	s, err := lake.AsOf(t.Context(), then)
	if err != nil {
		t.Fatal(err)
	}
	e := open(t, s)
	if got := csv(t, e, "SELECT count(*) FROM activities"); got != "0" {
		t.Errorf("%s rows of then", got)
	}
	if got := csv(t, e, "WITH q AS (SELECT * FROM activities) SELECT count(*) FROM q, runs"); got != "0" {
		t.Errorf("%s rows of then", got)
	}
	for _, sql := range []string{"SELECT count(*) FROM quarantine", "FROM (FROM activities UNION ALL BY NAME SELECT run_id FROM quarantine)"} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), "cannot be told") {
			t.Errorf("%s: %v", sql, err)
		}
		if err := e.Check(t.Context(), sql); err == nil {
			t.Errorf("%s passes the check", sql)
		}
	}
	if got := csv(t, e, "SHOW TABLES"); strings.Contains(got, "quarantine") {
		t.Errorf("SHOW TABLES: %s", got)
	}
}
