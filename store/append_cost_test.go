package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// Rows that leave memory leave it to those that come: with room for a fraction
// of the input, hardly more than that is ever asked for, whether cells are
// written or spilled.
func TestMemoryOfRowsIsUsedAgain(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates for itself")
	}
	const rows, days = 6000, 20
	var sorted []*store.Row
	size := 0
	for i := range rows {
		r := record(i)
		r.ID, r.Timestamp, r.App, r.Tags = fmt.Sprintf("id-%d", i), base+int64(i*days/rows)*day+int64(i), 100, []string{strings.Repeat("text ", 800)}
		row := new(store.Row)
		if err := storetest.Lift(r.Bytes(), row); err != nil {
			t.Fatal(err)
		}
		sorted = append(sorted, row)
		size += len(row.Text)
	}
	shuffled := append([]*store.Row{}, sorted...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(rows, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, c := range []struct {
		name string
		rows []*store.Row
		most float64
	}{{"written", sorted, 0.8}, {"spilled", shuffled, 0.8}} {
		t.Run(c.name, func(t *testing.T) {
			allocated := func() float64 {
				dir := filepath.Join(t.TempDir(), "lake")
				defer storetest.MustVerify(t, dir)
				w, err := store.OpenWriter(dir, store.WriterOptions{}.WithLimits(size/10, rows/days, 1<<40, 1<<20))
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				a, err := w.Begin(store.Run{RunID: store.NewRunID(time.Now()), Started: time.Now(), Outcome: "complete", Verb: "test"})
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range c.rows {
					if err := a.Add(context.Background(), row); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := a.Commit(context.Background(), store.Commit{Run: a.Run()}); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				return float64(after.TotalAlloc-before.TotalAlloc) / float64(size)
			}
			allocated() // what is made once
			if got := allocated(); got > c.most {
				t.Errorf("%.2f bytes allocated for each byte of the rows, want %.2f at most", got, c.most)
			} else {
				t.Logf("%.2f bytes allocated for each byte of the rows", got)
			}
		})
	}
}

// Input in no order, of many more cells than memory has room for rows: each cell
// still is one file, and none is written, and read again, because it has seen no row
// for a while. The small ones are those that see none for long.
func TestShuffledInputIsOneFileForEachCell(t *testing.T) {
	const rows, days = 8000, 400
	var shuffled []storetest.Record
	for i := range rows {
		r := record(i)
		r.ID, r.App = fmt.Sprintf("id-%d", i), 100
		r.Timestamp = base + int64(i*i%days*(i%3)/2)*day + int64(i)
		shuffled = append(shuffled, r)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(rows, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	cells := map[int64]bool{}
	for _, r := range shuffled {
		cells[r.Timestamp/day] = true
	}
	dir := filepath.Join(t.TempDir(), "lake")
	r := storetest.Ingest(t, dir, store.WriterOptions{}.WithLimits(1<<20, 200, 0, 0), shuffled...)
	if r.Files != len(cells) {
		t.Errorf("%d cells are %d files", len(cells), r.Files)
	}
	storetest.MustVerify(t, dir)
}
