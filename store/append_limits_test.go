package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// addAll adds rows from several goroutines at once, as ingest and import do.
func addAll(t *testing.T, a *store.Append, records []storetest.Record, goroutines int) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			var row store.Row
			for i := g; i < len(records); i += goroutines {
				if err := storetest.Lift(records[i].Bytes(), &row); err != nil {
					t.Error(err)
					return
				}
				if err := a.Add(context.Background(), &row); err != nil {
					t.Error(err)
					return
				}
				if i%50 == 0 {
					bad := store.Quarantined{Bytes: []byte(fmt.Sprint("bad", i%200)), Reason: "no object"}
					if err := a.Quarantine(context.Background(), bad); err != nil {
						t.Error(err)
						return
					}
					a.Run()
				}
			}
		})
	}
	wg.Wait()
}

func TestShuffledInputWithLittleMemoryMakesTheSameLake(t *testing.T) {
	var all []storetest.Record
	for i := range rowsAtLittleMemory {
		r := record(i)
		r.ID, r.Timestamp = fmt.Sprintf("id-%d", i%(rowsAtLittleMemory*9/10)), base+int64(i%(rowsAtLittleMemory*9/10)%10)*day+int64(i%(rowsAtLittleMemory*9/10))*1000
		r.App = int64(100 + i%(rowsAtLittleMemory*9/10)%3)
		r.Created = r.Timestamp + int64(i) // the later ones are revisions
		if i%300 == 7 {
			r.User = strings.Repeat("u", i*1000)
		}
		all = append(all, r)
	}
	ordered := ingestWith(t, store.WriterOptions{}, all, 1)
	shuffled := append([]storetest.Record{}, all...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, c := range []struct {
		name              string
		buffer            int
		idleRows, perFile int64
		side              int
	}{
		{"spilled", 200_000, 1_000_000, 0, 0},
		{"written when idle", 400_000, 50, 0, 0},
		{"in small files", 0, 0, 5_000, 500},
		{"everything at once", 100_000, 60, 20_000, 2_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := store.WriterOptions{}.WithLimits(c.buffer, c.idleRows, c.perFile, c.side)
			if diff := cmp.Diff(ordered, ingestWith(t, o, shuffled, 4)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func ingestWith(t *testing.T, o store.WriterOptions, records []storetest.Record, goroutines int) storetest.Contents {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "lake")
	o.FS = storetest.NewDisk(t, root)
	w, err := store.OpenWriter(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "R"})
	if err != nil {
		t.Fatal(err)
	}
	addAll(t, a, records, goroutines)
	r, err := a.Commit(context.Background(), store.Commit{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Run.Records != r.Run.Added+r.Run.Duplicates+r.Run.Revisions+r.Run.Quarantined {
		t.Errorf("the counts do not add up: %+v", r.Run)
	}
	storetest.MustVerify(t, dir)
	return storetest.Read(t, dir)
}

func TestACellMayBeLargerThanOneFile(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "lake")
	o := store.WriterOptions{FS: storetest.NewDisk(t, root)}.WithLimits(0, 0, 2_000, 0)
	var cell []storetest.Record
	for i := range 200 {
		r := few(i, 1)[0]
		r.App = 100
		cell = append(cell, r)
	}
	r := storetest.Ingest(t, dir, o, cell...)
	if r.Files < 5 {
		t.Errorf("%d files", r.Files)
	}
	// Revisions of rows in several of its files, in one batch.
	var changed []storetest.Record
	for i := 0; i < len(cell); i += 30 {
		changed = append(changed, revised(cell[i], 1), revised(cell[i], 2))
	}
	r = storetest.Ingest(t, dir, o, append(changed, cell...)...)
	if int(r.Run.Revisions) != len(changed) || int(r.Run.Duplicates) != len(cell) || r.Run.Added != 0 {
		t.Errorf("%+v", r.Run)
	}
	have := storetest.Read(t, dir)
	if len(have.Activities) != len(cell) || len(have.Revisions) != len(changed) {
		t.Errorf("%d activities, %d revisions", len(have.Activities), len(have.Revisions))
	}
	storetest.MustVerify(t, dir)
}

func TestRowsOfOneByteToFiveMegabytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := store.OpenWriter(dir, store.WriterOptions{}.WithLimits(1<<20, 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "R"})
	if err != nil {
		t.Fatal(err)
	}
	var want []int
	for i, size := range []int{1, 5 << 20, 2, 100, 3 << 20, 1 << 18, 1<<18 + 1, 4 << 20, 1} {
		r := newRow(strings.Repeat("1", size), base+int64(i))
		r.Strings[store.ActivityID] = r.text(fmt.Sprint("id", i))
		if err := a.Add(context.Background(), r.Row); err != nil {
			t.Fatal(err)
		}
		want = append(want, size)
	}
	if _, err := a.Commit(context.Background(), store.Commit{}); err != nil {
		t.Fatal(err)
	}
	var have []int
	s, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Files {
		if err := store.ReadRows(context.Background(), filepath.Join(dir, f.Path), func(r *store.Row) error { have = append(have, r.RawLen); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if _, err := store.Verify(context.Background(), dir, store.VerifyOptions{}, func(p store.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}

func TestACommitWithoutRecordsKeepsItsFacts(t *testing.T) {
	dir := storetest.Dir(t)
	w, err := store.OpenWriter(dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "R", Host: "a.example"})
	if err != nil {
		t.Fatal(err)
	}
	var before *store.Snapshot
	for i := range 3 {
		since := time.UnixMilli(base).UTC().Truncate(24*time.Hour).AddDate(0, 0, i)
		if _, err := a.Commit(context.Background(), store.Commit{
			Run: store.Run{RunID: "another", Host: "a.example", Outcome: "running", Records: 99}, Pages: []store.PageFact{{Page: 1, SHA256: "00"}},
			Coverage: []store.Rectangle{{Since: since, Until: since.AddDate(0, 0, 1), State: "complete"}}, Cursors: []store.Cursor{{Key: fmt.Sprint(i)}},
		}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if before, err = w.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := w.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if s.Version != 2 || len(s.Coverage) != 3 || len(s.Cursors) != 3 || len(s.Runs) != 1 || s.Runs[0].RunID != "R" || s.Runs[0].Records != 0 || s.Tenant.Host != "a.example" {
		t.Errorf("%+v", s)
	}
	if s.Ingested != base+2 {
		t.Errorf("ingested is %d after three commits within the same millisecond, want %d", s.Ingested, base+2)
	}
	if len(before.Coverage) != 1 || len(before.Cursors) != 1 {
		t.Errorf("a snapshot has changed: %+v", before)
	}
	if _, err := w.Begin(store.Run{RunID: "S"}); err == nil {
		t.Error("two runs at once")
	}
	a.Close()
	if _, err := w.Begin(store.Run{RunID: "R"}); err == nil || !strings.Contains(err.Error(), `has a run "R" already`) {
		t.Errorf("the same run again: %v", err)
	}
	if _, err := w.Begin(store.Run{RunID: "T", Host: "b.example"}); !errors.Is(err, store.ErrTenant) {
		t.Errorf("another host: %v", err)
	}
	if _, err := w.Begin(store.Run{RunID: "../x"}); err == nil {
		t.Error("a run id that is a path")
	}
}

func TestALakeBelongsToOneTenant(t *testing.T) {
	one, other := few(0, 1)[0], few(1, 1)[0]
	other.Tenant = 5
	dir := storetest.Dir(t)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := storetest.Append(w, one, other); !errors.Is(err, store.ErrTenant) {
		t.Errorf("two in the first batch: %v", err)
	}
	if _, err := storetest.Append(w, one); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Append(w, other); !errors.Is(err, store.ErrTenant) {
		t.Errorf("another one later: %v", err)
	}
	several := storetest.Dir(t)
	storetest.Ingest(t, several, store.WriterOptions{SeveralTenants: true}, one, other)
	storetest.Ingest(t, several, store.WriterOptions{}, other, one)
}

func TestAnEndedContextCommitsNothingAndIsNoDamage(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 4)...)
	before := storetest.Read(t, dir)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "R"})
	if err != nil {
		t.Fatal(err)
	}
	if err := add(a, batch{records: append(few(2, 4), revised(few(0, 1)[0], 1))}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = a.Commit(ctx, store.Commit{})
	var damage *store.DamageError
	if !errors.Is(err, context.Canceled) || errors.As(err, &damage) {
		t.Errorf("want the context's error, got %v", err)
	}
	a.Abort()
	if diff := cmp.Diff(before, storetest.Read(t, dir)); diff != "" {
		t.Error(diff)
	}
	verifyAtRest(t, dir)
	// The writer can go on.
	if _, err := storetest.Append(w, few(4, 1)...); err != nil {
		t.Error(err)
	}
}
