package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

// held is what a snapshot says, in a form to compare.
type held struct {
	Version               int64
	Head                  string
	Activities, Revisions []string
	Quarantine            []string
	Runs                  []store.Run
	Coverage              []store.Rectangle
	Seen                  map[string]store.Sighting
}

// column reads a column of times of a file, in ms.
func column(t testing.TB, s *store.Snapshot, f store.File, name string) (times []int64) {
	t.Helper()
	file, err := os.Open(filepath.Join(s.Root, filepath.FromSlash(f.Path)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := pqarrow.ReadTable(context.Background(), file, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	for _, chunk := range table.Column(table.Schema().FieldIndices(name)[0]).Data().Chunks() {
		for i := range chunk.Len() {
			times = append(times, chunk.(*array.Timestamp).Value(i).ToTime(arrow.Microsecond).UnixMilli())
		}
	}
	return times
}

// holds reads a snapshot by the rules of asof.go; without AsOf all rows are its.
func holds(t testing.TB, s *store.Snapshot) held {
	t.Helper()
	h := held{Version: s.Version, Head: s.Head, Runs: s.Runs, Coverage: s.Coverage, Seen: s.Seen}
	at := int64(1) << 62
	if !s.AsOf.IsZero() {
		at = s.AsOf.UnixMilli()
	}
	each := func(f store.File, do func(i int, r *store.Row)) {
		i := 0
		err := store.ReadRows(context.Background(), filepath.Join(s.Root, filepath.FromSlash(f.Path)), func(r *store.Row) error {
			do(i, r)
			i++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.Files {
		each(f, func(_ int, r *store.Row) {
			if r.Ingested <= at {
				h.Activities = append(h.Activities, string(r.Verbatim()))
			}
		})
	}
	for _, f := range s.Revisions {
		replaced := column(t, s, f, "replaced")
		each(f, func(i int, r *store.Row) {
			switch {
			case replaced[i] <= at:
				h.Revisions = append(h.Revisions, string(r.Verbatim()))
			case r.Ingested <= at:
				h.Activities = append(h.Activities, string(r.Verbatim()))
			}
		})
	}
	for bytes, first := range storetest.FirstSeen(t, s) {
		if first.UnixMilli() <= at {
			h.Quarantine = append(h.Quarantine, bytes)
		}
	}
	slices.Sort(h.Activities)
	slices.Sort(h.Revisions)
	slices.Sort(h.Quarantine)
	return h
}

func holdsNow(t testing.TB, dir string) (h held, at time.Time) {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return holds(t, l.Snapshot()), time.UnixMilli(l.Snapshot().Ingested)
}

func asOf(t testing.TB, dir string, at time.Time) (*store.Snapshot, error) {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.AsOf(context.Background(), at)
}

func TestALakeTellsWhatItHeldAfterEachCommit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lent := tb{t, rt}
		root, err := os.MkdirTemp("", "asof")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(root)
		dir := filepath.Join(root, "lake")
		clock := int64(base)
		o := drawLimits(rt, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(clock) }})
		type moment struct {
			held
			at time.Time
		}
		var moments []moment
		retries := map[int]bool{}
		for n, c := range rapid.SliceOfN(rapid.Custom(drawCommit), 1, 7).Draw(rt, "commits") {
			clock += int64(rapid.IntRange(0, 3000).Draw(rt, "later"))
			if c.verb == "purge" {
				c.verb = "compact"
			}
			w, err := store.OpenWriter(dir, o)
			if err != nil {
				rt.Fatal(err)
			}
			if c.verb == "" {
				a, err := w.Begin(store.Run{RunID: fmt.Sprintf("run-%d", n), Verb: "test"})
				if err == nil {
					err = feed(a, c)
				}
				if err == nil {
					_, err = a.Commit(context.Background(), store.Commit{Run: a.Run(), Coverage: []store.Rectangle{
						{Since: time.UnixMilli(base), Until: time.UnixMilli(base + int64(n+1)), State: "complete", RunID: a.Run().RunID, ThroughCreated: time.UnixMilli(base + int64(n))}}})
				}
				if err != nil {
					rt.Fatal(err)
				}
			} else if err := other(dir, w, c, fmt.Sprintf("verb-%d", n)); err != nil {
				rt.Fatal(err)
			}
			w.Close()
			l, err := store.Open(dir)
			if errors.Is(err, store.ErrNotALake) {
				continue
			} else if err != nil {
				rt.Fatal(err)
			}
			l.Close()
			h, at := holdsNow(lent, dir)
			if k := len(moments); k > 0 && moments[k-1].Version == h.Version {
				continue // nothing to merge
			}
			before := 0
			if k := len(moments); k > 0 {
				before = len(moments[k-1].Quarantine)
			}
			moments = append(moments, moment{h, at})
			retries[len(moments)-1] = c.retry && c.verb == "" && before > 0
		}
		for i, m := range moments {
			s, err := asOf(lent, dir, m.at)
			if err != nil {
				rt.Fatalf("as of commit %d: %v", m.Version, err)
			}
			have := holds(lent, s)
			lifted := false
			for j := i + 1; j < len(moments); j++ {
				lifted = lifted || retries[j]
			}
			if s.QuarantineLifted {
				if !lifted {
					rt.Errorf("as of commit %d the quarantine cannot be told, though nothing was lifted since", m.Version)
				}
				have.Quarantine, m.Quarantine = nil, nil
			}
			if diff := cmp.Diff(m.held, have); diff != "" {
				rt.Fatalf("as of commit %d of %d (- then, + now):\n%s", m.Version, len(moments), diff)
			}
			// Up to the next commit it is the same.
			if i+1 < len(moments) {
				s, err := asOf(lent, dir, moments[i+1].at.Add(-time.Nanosecond))
				if err != nil {
					rt.Fatal(err)
				}
				last := s.Version
				if last != m.Version && moments[i+1].Version == m.Version+1 {
					rt.Errorf("just before commit %d it is commit %d", moments[i+1].Version, last)
				}
			}
		}
	})
}

func TestATimeThatHasNoAnswerIsRefused(t *testing.T) {
	dir := storetest.Dir(t)
	clock := int64(base)
	o := store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(clock) }}
	records := few(0, 4)
	at := func(ms int64) time.Time { return time.UnixMilli(base + ms) }
	refused := func(at time.Time, what, advice string) {
		t.Helper()
		_, err := asOf(t, dir, at)
		if !errors.Is(err, store.ErrNoPast) || !strings.Contains(fmt.Sprint(err), what) || !strings.Contains(hint(err), advice) {
			t.Errorf("as of %s: %v, hint %q", at.UTC().Format(time.RFC3339Nano), err, hint(err))
		}
	}
	storetest.Ingest(t, dir, o, records[:2]...)
	clock += 1000
	storetest.Ingest(t, dir, o, records[2])
	refused(at(-1), "the first commit of the lake is of "+at(0).UTC().Format(time.RFC3339Nano), "at or behind")
	if s, err := asOf(t, dir, at(0)); err != nil || s.Version != 0 {
		t.Errorf("%v, %v", s, err)
	}
	if s, err := asOf(t, dir, at(999)); err != nil || s.Version != 0 {
		t.Errorf("%v, %v", s, err)
	}
	// At the newest commit and behind it, it is the lake itself.
	for _, ms := range []int64{1000, 1_000_000_000} {
		if s, err := asOf(t, dir, at(ms)); err != nil || s.Version != 1 || !s.AsOf.IsZero() {
			t.Errorf("%v, %v", s, err)
		}
	}
	clock += 1000
	w, err := store.OpenWriter(dir, o)
	must(t, err)
	must(t, purge(store.PurgeRequest{Before: at(-10 * 86_400_000), Reason: "a test"})(dir, w, "run-old"))
	w.Close()
	if s, err := asOf(t, dir, at(999)); err != nil || s.Version != 0 {
		t.Errorf("a purge that erased nothing stands in the way: %v, %v", s, err)
	}
	clock += 1000
	w, err = store.OpenWriter(dir, o)
	must(t, err)
	must(t, purge(store.PurgeRequest{User: records[0].User, Reason: "a test"})(dir, w, "run-purge"))
	w.Close()
	refused(at(999), "it is before the purge that entry", "behind that purge")
	if s, err := asOf(t, dir, at(clock-base)); err != nil || !s.AsOf.IsZero() {
		t.Errorf("%v, %v", s, err)
	}
}

func TestAnotherProgramsEntriesAndTheTimeBeforeThem(t *testing.T) {
	// A lake of three commits, then another program's, ten minutes later, and what
	// becomes of it another ten minutes later.
	minute := func(n int64) time.Time { return time.UnixMilli(base + n*60_000) }
	for _, c := range []struct {
		name   string
		do     func(o stranger, files []string) []delta.Action
		revert bool
		// refused says why there is no answer for a time before it, and after it.
		before, between string
	}{
		{
			name: "rows put together and adopted",
			do: func(o stranger, files []string) []delta.Action {
				return []delta.Action{o.remove(files[cellA]), o.remove(files[cellA+1]), o.write("c000.parquet", piece{path: files[cellA+1]}, piece{path: files[cellA]})}
			},
		},
		{
			name:   "rows lost and adopted",
			do:     func(o stranger, _ []string) []delta.Action { return []delta.Action{o.remove(unrevised(t, o.dir))} },
			before: "before a change that was not the lake's own: entry 3 was another program's, adopted by entry 4: 2 rows were taken out", between: "before a change",
		},
		{
			name:   "rows lost and had back",
			do:     func(o stranger, _ []string) []delta.Action { return []delta.Action{o.remove(unrevised(t, o.dir))} },
			revert: true, between: "the table was another program's then: entry 3 was another program's, undone by entry 4",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := storetest.Dir(t)
			clock := base + int64(0)
			o := store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(clock) }}
			for i, records := range [][]storetest.Record{few(0, 4), few(4, 4), {few(8, 1)[0], revised(few(0, 1)[0], 5)}} {
				clock = base + int64(i)*60_000
				storetest.Ingest(t, dir, o, records...)
			}
			then, _ := holdsNow(t, dir)
			other := stranger{t, dir}
			log, err := store.Storage(dir)
			must(t, err)
			info := json.RawMessage(fmt.Sprintf(`{"operation":"WRITE","timestamp":%d}`, minute(12).UnixMilli()))
			entry, err := delta.Encode(append([]delta.Action{{CommitInfo: info}}, c.do(other, tablePaths(t, dir))...))
			must(t, err)
			must(t, delta.WriteEntry(log, 3, entry))
			if _, err := asOf(t, dir, minute(1)); !errors.Is(err, store.ErrNoPast) || !strings.Contains(hint(err), "mdcalake adopt") {
				t.Errorf("before anybody looked at it: %v", err)
			}

			plan, problems := other.plan(c.revert)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			clock = minute(22).UnixMilli()
			w, err := store.OpenWriter(dir, store.WriterOptions{Adopt: true, Clock: o.Clock})
			must(t, err)
			_, err = w.Adopt(context.Background(), plan, store.Run{RunID: "adopt", Outcome: store.OutcomeComplete, Verb: "adopt"})
			must(t, err)
			w.Close()

			for _, m := range []struct {
				at   time.Time
				want string
			}{{minute(2), c.before}, {minute(11), c.before}, {minute(13), c.between}} {
				s, err := asOf(t, dir, m.at)
				if m.want != "" {
					if !errors.Is(err, store.ErrNoPast) || !strings.Contains(err.Error(), m.want) {
						t.Errorf("as of %s: %v, want %q", m.at, err, m.want)
					}
					continue
				}
				if err != nil {
					t.Errorf("as of %s: %v", m.at, err)
					continue
				}
				if diff := cmp.Diff(then, holds(t, s)); diff != "" {
					t.Errorf("as of %s (- then, + now):\n%s", m.at, diff)
				}
			}
			if s, err := asOf(t, dir, minute(22)); err != nil || s.Version != 4 {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}

// unrevised is the first file of the second commit: of its rows none is
// replaced later.
func unrevised(t *testing.T, dir string) string {
	t.Helper()
	l, err := store.Open(dir)
	must(t, err)
	defer l.Close()
	for _, f := range l.Snapshot().Files {
		if f.Version == 1 {
			return f.Path
		}
	}
	t.Fatal("the second commit has no file")
	return ""
}
