package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// bad quarantines bytes in a run and a commit of their own.
func bad(t testing.TB, dir, runID string, clock int64, records ...store.Quarantined) {
	t.Helper()
	inRun(t, dir, runID, clock, func(a *store.Append) {
		for _, q := range records {
			if err := a.Quarantine(context.Background(), q); err != nil {
				t.Fatal(err)
			}
		}
		mustCommit(t, a)
	})
}

func inRun(t testing.TB, dir, runID string, clock int64, do func(a *store.Append)) {
	t.Helper()
	w, err := store.OpenWriter(dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(clock) }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: runID, Outcome: "complete", Verb: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	do(a)
}

func mustCommit(t testing.TB, a *store.Append) {
	t.Helper()
	if _, err := a.Commit(context.Background(), store.Commit{Run: a.Run()}); err != nil {
		t.Fatal(err)
	}
}

func retry(t testing.TB, a *store.Append) store.Retried {
	t.Helper()
	r, more, err := a.Requarantine(context.Background(), storetest.Lift)
	if err != nil || more {
		t.Fatalf("more %v, %v", more, err)
	}
	return r
}

func quarantineOf(t testing.TB, dir string) (rows []store.QuarantineRow) {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.ReadQuarantine(context.Background(), func(r *store.QuarantineRow) error { rows = append(rows, *r); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestARecordThatLiftsNowIsARowOfTheRetryAndLeavesTheQuarantine(t *testing.T) {
	dir := storetest.Dir(t)
	records := few(0, 3)
	storetest.Ingest(t, dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }}, records[0])
	bad(t, dir, "R-1", base+1000,
		store.Quarantined{Bytes: []byte("x"), Reason: "no object", Page: 7, Position: 3},
		store.Quarantined{Bytes: records[1].Bytes(), Reason: "too deep", Page: 8, Position: 0},
		store.Quarantined{Bytes: records[0].Bytes(), Reason: "too deep", Page: 8, Position: 1})
	bad(t, dir, "R-2", base+2000, store.Quarantined{Bytes: []byte("y"), Reason: "no object"}, store.Quarantined{Bytes: []byte("x"), Reason: "no object"})
	stay := []store.QuarantineRow{
		{Quarantined: store.Quarantined{Bytes: []byte("x"), Reason: "no object", Page: 7, Position: 3}, RunID: "R-1", FirstSeen: time.UnixMilli(base + 1000).UTC(), LastSeen: time.UnixMilli(base + 2000).UTC(), TimesSeen: 2},
		{Quarantined: store.Quarantined{Bytes: []byte("y"), Reason: "no object"}, RunID: "R-2", FirstSeen: time.UnixMilli(base + 2000).UTC(), LastSeen: time.UnixMilli(base + 2000).UTC(), TimesSeen: 1},
	}
	inRun(t, dir, "R-3", base+3000, func(a *store.Append) {
		r := retry(t, a)
		if diff := cmp.Diff(store.Retried{Lifted: map[string]int64{"too deep": 2}, Stayed: 2}, r); diff != "" {
			t.Errorf("(- want, + have):\n%s", diff)
		}
		if before := quarantineOf(t, dir); len(before) != 4 {
			t.Errorf("%d rows in quarantine before the commit", len(before))
		}
		mustCommit(t, a)
		// One of the two is in the lake already: it is a duplicate.
		if run := a.Run(); run.Records != 2 || run.Added != 1 || run.Duplicates != 1 || run.Quarantined != 0 {
			t.Errorf("%+v", run)
		}
	})
	byID := func(rows []store.QuarantineRow) map[string]store.QuarantineRow {
		m := map[string]store.QuarantineRow{}
		for _, r := range rows {
			m[string(r.Bytes)] = r
		}
		return m
	}
	have := quarantineOf(t, dir)
	if diff := cmp.Diff(byID(stay), byID(have)); diff != "" || len(have) != 2 {
		t.Errorf("%d rows (- want, + have):\n%s", len(have), diff)
	}
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rows := 0
	for _, f := range l.Snapshot().Files {
		err := store.ReadRows(context.Background(), l.Snapshot().Root+"/"+f.Path, func(r *store.Row) error {
			rows++
			if id := string(r.Bytes(r.Strings[store.ActivityID])); id == records[1].ID && (r.RunID != "R-3" || r.Page != 0) {
				t.Errorf("run %s, page %d", r.RunID, r.Page)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if rows != 2 {
		t.Errorf("%d rows", rows)
	}
}

func TestAQuarantineInWhichNothingLiftsStaysAsItIs(t *testing.T) {
	dir := storetest.Dir(t)
	bad(t, dir, "R-1", base, store.Quarantined{Bytes: []byte("x"), Reason: "no object"})
	inRun(t, dir, "R-2", base+1000, func(a *store.Append) {
		if r := retry(t, a); r.Count() != 0 || r.Stayed != 1 {
			t.Errorf("%+v", r)
		}
	})
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if s := l.Snapshot(); s.Version != 0 || len(s.Quarantine) != 1 {
		t.Errorf("version %d", s.Version)
	}
}

func TestBytesThatLeftTheQuarantineCanComeAgain(t *testing.T) {
	dir := storetest.Dir(t)
	q := store.Quarantined{Bytes: few(0, 1)[0].Bytes(), Reason: "too deep"}
	bad(t, dir, "R-1", base, q)
	inRun(t, dir, "R-2", base, func(a *store.Append) {
		// The run has read what is in quarantine before it looks at it again.
		if err := a.Quarantine(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, a)
		retry(t, a)
		mustCommit(t, a)
		if err := a.Quarantine(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		mustCommit(t, a)
	})
	if rows := quarantineOf(t, dir); len(rows) != 1 || string(rows[0].Bytes) != string(q.Bytes) {
		t.Errorf("%d rows in quarantine", len(rows))
	}
}

func TestARecordOfAnotherTenantStaysInQuarantine(t *testing.T) {
	dir := storetest.Dir(t)
	own, other := few(0, 1)[0], few(1, 1)[0]
	own.Tenant, other.Tenant = 1, 2
	storetest.Ingest(t, dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }}, own)
	bad(t, dir, "R-1", base+1000, store.Quarantined{Bytes: other.Bytes(), Reason: "too deep"})
	inRun(t, dir, "R-2", base+2000, func(a *store.Append) {
		if r := retry(t, a); r.Count() != 0 || r.Stayed != 1 {
			t.Errorf("%+v", r)
		}
	})
}
