package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// While a run writes, revises, merges and tidies up, readers in other processes
// see one version each: every file is there, no activity twice, none that an
// earlier version had missing, and the counts are the log's.
func TestReadersBesideAWriterSeeWholeVersions(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 4)...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for n := range 3 {
		readers.Go(func() {
			seen := map[string]bool{}
			last := int64(-1)
			for looks := 0; ; looks++ {
				version, ids, err := lookAt(dir)
				switch {
				case err != nil:
					t.Errorf("reader %d, look %d: %v", n, looks, err)
					return
				case version < last:
					t.Errorf("reader %d: version %d after %d", n, version, last)
				}
				last = version
				for id := range seen {
					if !ids[id] {
						t.Errorf("reader %d: version %d has no %s", n, version, id)
						return
					}
				}
				seen = ids
				select {
				case <-done:
					if looks == 0 {
						t.Errorf("reader %d has hardly looked", n)
					}
					return
				default:
				}
			}
		})
	}
	for round := range 12 {
		records := few(4+4*round, 4)
		records = append(records, revised(few(round, 1)[0], int64(round+1)), moved(few(round+1, 1)[0], int64(round+1)))
		if err := perform(dir, store.WriterOptions{}, fmt.Sprint("round-", round), []run{{{records: records, bad: []string{fmt.Sprint(round)}}}}, func() {}); err != nil {
			t.Error(err)
			break
		}
		if round%3 == 2 {
			mustCompact(t, dir, store.CompactOptions{All: round%2 == 0, Budget: 1 << 30})
		}
	}
	close(done)
	readers.Wait()
	// What readers have kept from being deleted, the next writer deletes.
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(t, err)
	must(t, w.Close())
	onlyNamedFiles(t, dir)
}

// lookAt reads all activities of the newest version.
func lookAt(dir string) (version int64, ids map[string]bool, err error) {
	l, err := store.Open(dir)
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	s := l.Snapshot()
	ids = map[string]bool{}
	for _, f := range s.Files {
		rows := int64(0)
		err := store.ReadRows(context.Background(), filepath.Join(s.Root, filepath.FromSlash(f.Path)), func(r *store.Row) error {
			id := string(r.Bytes(r.Strings[store.ActivityID]))
			if ids[id] {
				return fmt.Errorf("version %d has %s twice", s.Version, id)
			}
			ids[id] = true
			rows++
			return nil
		})
		if err == nil && rows != f.Rows {
			err = fmt.Errorf("%s has %d rows, version %d says %d", f.Path, rows, s.Version, f.Rows)
		}
		if err != nil {
			return 0, nil, fmt.Errorf("version %d: %w", s.Version, err)
		}
	}
	return s.Version, ids, nil
}

// A reader that stays open learns of a newer version without reading the log.
func TestAReaderLearnsThatTheLakeHasGrown(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 4)...)
	lake, err := store.Open(dir)
	must(t, err)
	defer lake.Close()
	for _, want := range []bool{false, true} {
		if want {
			storetest.Ingest(t, dir, store.WriterOptions{}, few(4, 4)...)
		}
		if got, err := lake.Grown(); got != want || err != nil {
			t.Errorf("grown: %v (%v), want %v", got, err, want)
		}
	}
}
