package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

func mustStatus(t testing.TB, dir string) *store.Status {
	t.Helper()
	s, err := store.ReadStatus(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatusSaysWhyALakeIsNotAtRest(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 2)...)
	if s := mustStatus(t, dir); !s.AtRest() || s.Writing || len(s.Snapshot.Files) != 2 {
		t.Errorf("%+v", s)
	}
	w, err := store.OpenWriter(dir, store.WriterOptions{Verb: "ingest"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.Begin(store.Run{RunID: "R"})
	if err != nil {
		t.Fatal(err)
	}
	if s := mustStatus(t, dir); s.AtRest() || !s.Writing || !strings.HasPrefix(s.Writer, "ingest, process ") || s.InFlight != 0 {
		t.Errorf("a writer that does nothing: %+v", s)
	}
	pages, err := keep(a, new(int64), []string{"body"})
	if err != nil {
		t.Fatal(err)
	}
	if err := add(a, batch{records: few(2, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteWaiting(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := mustStatus(t, dir); s.InFlight != 2 {
		t.Errorf("a page and a data file before their commit: %+v", s)
	}
	if _, err := a.Commit(context.Background(), store.Commit{Pages: pages}); err == nil {
		a.Close()
		w.Close()
	} else {
		t.Fatal(err)
	}
	if s := mustStatus(t, dir); !s.AtRest() {
		t.Errorf("after the commit: %+v", s)
	}
	reader, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Ingest(t, dir, store.WriterOptions{}, revised(few(0, 1)[0], 5))
	if s := mustStatus(t, dir); s.AtRest() || s.Writing || s.Replaced == 0 {
		t.Errorf("a reader holds a replaced file: %+v", s)
	}
	reader.Close()
	tidyUp(t, dir, nil)
	if s := mustStatus(t, dir); !s.AtRest() {
		t.Errorf("after the next writer: %+v", s)
	}
}

func TestWhoLooksAtALakeKeepsNobodyFromWriting(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 1)...)
	// As lockHolder does it, and much more often.
	lock, err := os.Open(filepath.Join(dir, "_mdcalake", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !done.Load() {
			if syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
				syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
			}
			for range 5 {
				lock.Stat()
			}
		}
	})
	for range 200 {
		w, err := store.OpenWriter(dir, store.WriterOptions{})
		if err != nil {
			t.Error(err)
			break
		}
		w.Close()
	}
	done.Store(true)
	wg.Wait()
}

// A year of 20 services: 7,300 files.
func BenchmarkStatusOfAYear(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "lake")
	storetest.Ingest(b, dir, store.WriterOptions{}, few(0, 1)...)
	var entry strings.Builder
	for day := range 365 {
		date := at(1, 0).AddDate(0, 0, day).Format("2006-01-02")
		for service := range 20 {
			fmt.Fprintf(&entry, `{"add":{"path":"date=%s/service=%d/part-%d.parquet","partitionValues":{"date":"%s","service":"%d"},"size":1000,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":10,\"minValues\":{\"timestamp\":\"%sT00:00:00.000Z\"},\"maxValues\":{\"timestamp\":\"%sT23:00:00.000Z\"}}"}}`+"\n", date, service, day*20+service, date, service, date, date)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "activities", "_delta_log", fmt.Sprintf("%020d.json", 1)), []byte(entry.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := mustStatus(b, dir)
		if len(s.Snapshot.Files) != 7301 {
			b.Fatal(len(s.Snapshot.Files))
		}
	}
}
