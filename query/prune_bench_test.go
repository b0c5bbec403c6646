package query

import (
	"testing"

	"mdcalake/store"
)

// yearLake is a snapshot of 365 days and 20 services, of which one day is there
// on the disk. What is pruned is not looked at.
func yearLake(b *testing.B) (year, day *store.Snapshot) {
	b.Helper()
	s := *openLake(b, writePruneLake(b, b.TempDir()))
	there := s
	there.Files = nil
	last := pruneDay.AddDate(0, 0, pruneDays-1)
	for _, f := range s.Files {
		if f.Partition.Date() == last.Format("2006-01-02") {
			there.Files = append(there.Files, f)
		}
	}
	s.Files = append([]store.File(nil), there.Files...)
	for n := range 364 {
		for service := range int64(20) {
			p := store.Partition{Day: int32(last.Unix()/86400) - 1 - int32(n), Service: 20000 + service}
			times := store.Range{Min: int64(p.Day) * dayMillis, Max: int64(p.Day+1)*dayMillis - 1}
			s.Files = append(s.Files, store.File{Path: "activities/" + p.Dir() + "/part-20260306T101112Z-00000001-1-00001.parquet", Partition: p, Size: 1 << 20,
				Stats: store.Stats{Timestamp: times, Created: times, Ingested: times, AppID: store.Range{Min: p.Service, Max: p.Service}}})
		}
	}
	return &s, &there
}

// BenchmarkADayOfAYear: what a statement costs over a day of a year, beside the
// same over a lake that has no other day. The difference is the price of
// pruning, which may be 60 ms.
func BenchmarkADayOfAYear(b *testing.B) {
	year, day := yearLake(b)
	for _, lake := range []struct {
		name string
		s    *store.Snapshot
	}{{"the day alone", day}, {"of a year", year}} {
		for name, where := range map[string]string{
			"date":      "date = '2026-03-06'",
			"timestamp": "timestamp >= '2026-03-06' AND timestamp < '2026-03-07'",
			"value":     "ip IN ('203.0.113.7', '203.0.113.8')",
		} {
			b.Run(lake.name+"/"+name, func(b *testing.B) {
				e, err := Open(b.Context(), Options{Snapshot: lake.s, TempDir: b.TempDir(), Threads: 2})
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				for b.Loop() {
					_, p := readAll(b, e, "SELECT count(*) FROM activities WHERE "+where)
					if n := p.Tables[0].Read.Files; n > len(day.Files) {
						b.Fatalf("%d files are read", n)
					}
				}
			})
		}
	}
}

// BenchmarkChoose is the part of it that is done in Go.
func BenchmarkChoose(b *testing.B) {
	year, _ := yearLake(b)
	f := both(&filter{kind: within, column: "timestamp", spans: spans{{pruneDay.UnixMicro(), pruneDay.AddDate(0, 0, 1).UnixMicro()}}},
		&filter{kind: holds, column: "ip", cells: map[store.Partition]bool{}})
	for b.Loop() {
		if _, _, err := prune(lakeTables[0], year.Files, []*filter{f}, someValues{}); err != nil {
			b.Fatal(err)
		}
	}
}
