package ingest_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// What an import costs beside time: time is a machine's mood, allocations and
// bytes are not.

// someRecords are records of so many days as a file has them, one a line.
func someRecords(tb testing.TB, count, days int) []byte {
	tb.Helper()
	sim, err := simulator.New(simulator.Options{Seed: 6, Start: now.AddDate(0, 0, -days), End: now, Count: count})
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	start, end := sim.Span()
	if err := sim.WriteNDJSON(&b, start, end); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// importCost is what an import allocates.
func importCost(tb testing.TB, records []byte) (objects, bytesOf uint64) {
	tb.Helper()
	dir := lakeDir(tb)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	mustImport(tb, dir, nil, ingest.Source{Name: "records", Size: int64(len(records)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(records)), nil
	}})
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
}

// A record more in an import is hardly an allocation more, and the memory of all
// of them is not asked for twice: what grows is used again.
func TestAnImportHardlyAllocates(t *testing.T) {
	if ingest.RaceEnabled {
		t.Skip("the race detector allocates for itself")
	}
	small, large := someRecords(t, 5_000, 1), someRecords(t, 20_000, 1)
	importCost(t, large) // what is made once, and used again
	objects, size := importCost(t, small)
	moreObjects, moreSize := importCost(t, large)
	records := bytes.Count(large, []byte("\n")) - bytes.Count(small, []byte("\n"))
	perRecord := (float64(moreObjects) - float64(objects)) / float64(records)
	perByte := (float64(moreSize) - float64(size)) / float64(len(large)-len(small))
	t.Logf("%.2f allocations a record, %.2f bytes allocated a byte", perRecord, perByte)
	if perRecord > 0.5 {
		t.Errorf("%.2f allocations a record", perRecord)
	}
	// Rows that wait lie in memory of their own: a byte for each byte.
	if perByte > 1.6 {
		t.Errorf("%.2f bytes allocated for each byte of the records", perByte)
	}
}

func BenchmarkImport(b *testing.B) {
	for _, c := range []struct {
		name        string
		count, days int
	}{{"one day", 20_000, 1}, {"a month", 20_000, 30}} {
		b.Run(c.name, func(b *testing.B) {
			records := someRecords(b, c.count, c.days)
			b.SetBytes(int64(len(records)))
			b.ReportAllocs()
			for b.Loop() {
				importCost(b, records)
			}
		})
	}
}
