package query

import (
	"math"
	"slices"
	"testing"

	"mdcalake/store"
)

const (
	least    = math.MinInt64
	greatest = math.MaxInt64
)

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want spans
	}{
		{"in order, overlapping ones joined", union([]span{{5, 9}, {1, 3}, {8, 12}, {20, 19}}), spans{{1, 3}, {5, 12}}},
		{"neighbours are one", union([]span{{1, 2}, {3, 4}}), spans{{1, 4}}},
		{"at the ends of numbers", union([]span{{greatest, greatest}, {least, least}, {least, 0}}), spans{{least, 0}, {greatest, greatest}}},
		{"both", intersection(spans{{1, 5}, {8, 20}}, spans{{4, 9}, {15, 30}}), spans{{4, 5}, {8, 9}, {15, 20}}},
		{"nothing in both", intersection(spans{{1, 5}}, spans{{6, 7}}), nil},
		{"everything and something", intersection(everything, spans{{6, 7}}), spans{{6, 7}}},
		{"moments of days", daysToMicros(spans{{0, 0}, {2, 3}}), spans{{0, dayMicros - 1}, {2 * dayMicros, 4*dayMicros - 1}}},
		{"moments of days before 1970", daysToMicros(spans{{-1, -1}}), spans{{-dayMicros, -1}}},
		{"moments of all days from one on", daysToMicros(spans{{1, greatest}}), spans{{dayMicros, greatest}}},
		{"moments of days without number", daysToMicros(spans{{least, math.MaxInt32}}), spans{{least, greatest}}},
		{"days that begin in a time", microsToDays(spans{{1, 2 * dayMicros}}), spans{{1, 2}}},
		{"days that begin in less than a day", microsToDays(spans{{1, dayMicros - 1}}), nil},
		{"days that begin before 1970", microsToDays(spans{{-dayMicros, -1}}), spans{{-1, -1}}},
		{"days of all time", microsToDays(everything), spans{{least / dayMicros, greatest / dayMicros}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	s := spans{{1, 3}, {10, 10}, {20, greatest}}
	for _, c := range []struct {
		lo, hi int64
		want   bool
	}{{0, 0, false}, {0, 1, true}, {3, 9, true}, {4, 9, false}, {4, 10, true}, {11, 19, false}, {11, 25, true}, {greatest, greatest, true}, {greatest, least, false}, {least, greatest, true}} {
		if got := s.touch(c.lo, c.hi); got != c.want {
			t.Errorf("%v touches %d to %d: %v", s, c.lo, c.hi, got)
		}
	}
	if spans(nil).touch(least, greatest) {
		t.Error("nothing touches something")
	}
}

func TestFiltersOfSeveral(t *testing.T) {
	day := &filter{kind: within, column: "date", spans: spans{{1, 1}}}
	name := &filter{kind: holds, column: "user_name", values: []string{"x"}}
	if f := both(open, day, open); f != day {
		t.Errorf("one condition beside others that are not understood: %+v", f)
	}
	if f := both(); f != open {
		t.Errorf("no condition: %+v", f)
	}
	if f := either(day, open); f != open {
		t.Errorf("a condition or one that is not understood: %+v", f)
	}
	if f := either(); f != open {
		t.Errorf("one of no conditions: %+v", f)
	}
	if f := both(name, day); f.of[0] != day {
		t.Errorf("the day does not come first: %+v", f)
	}
}

func TestExcludedBy(t *testing.T) {
	p := store.Partition{Day: 20513, Service: 7}
	day := int64(p.Day) * dayMillis
	times := store.Range{Min: day + 1000, Max: day + 2000}
	f := store.File{Path: "activities/" + p.Dir() + "/part-0.parquet", Partition: p, Version: 3, Stats: store.Stats{Timestamp: times, Created: store.Range{Min: greatest, Max: least, Nulls: 2}, AppID: store.Range{Min: 7, Max: 7}}}
	in := func(column string, lo, hi int64) *filter {
		return &filter{kind: within, column: column, spans: spans{{lo, hi}}}
	}
	cells := func(of ...store.Partition) *filter {
		m := map[store.Partition]bool{}
		for _, p := range of {
			m[p] = true
		}
		return &filter{kind: holds, column: "ip", cells: m}
	}
	micro := day * 1000
	for _, c := range []struct {
		name string
		by   *filter
		want Reason
	}{
		{"nothing", open, kept},
		{"its day", in("date", 20513, 20513), kept},
		{"another day", in("date", 20514, greatest), ByDate},
		{"its service", in("service", 7, 7), kept},
		{"another service", in("service", 8, 9), ByService},
		{"another app", in("app_id", 8, 9), ByService},
		{"before its first moment", in("timestamp", least, micro+999_999), ByTime},
		{"its first moment", in("timestamp", least, micro+1_000_000), kept},
		{"within its last millisecond, which the log cuts off", in("timestamp", micro+2_000_999, greatest), kept},
		{"after its last moment", in("timestamp", micro+2_001_000, greatest), ByTime},
		{"nothing was saved", in("created", least, greatest), ByTime},
		{"a column of which nothing is known", in("page", 1, 1), kept},
		{"its cell", cells(p), kept},
		{"another cell", cells(store.Partition{Day: 20513, Service: 8}), ByValue},
		{"cells that nobody knows", &filter{kind: holds, column: "ip"}, kept},
		{"all of several", both(in("date", 20513, 20513), cells()), ByValue},
		{"one of several", either(in("date", 1, 1), in("service", 7, 7)), kept},
		{"none of several", either(in("date", 1, 1), in("service", 8, 8), cells()), ByValue},
	} {
		facts := newFileFacts(&f, true, someValues{})
		if got := facts.excludedBy(c.by); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}

	// What is not believed excludes nothing.
	late := f
	late.Version = 9
	if facts := newFileFacts(&late, true, someValues{}); facts.excludedBy(cells()) != kept {
		t.Error("a file that the index does not know is left out by it")
	}
	if facts := newFileFacts(&f, true, nil); facts.excludedBy(cells()) != kept {
		t.Error("a file is left out by an index that is not there")
	}
	for name, wrong := range map[string]store.Range{
		"statistics of nothing":     {},
		"of another day":            {Min: day - 1, Max: day + 1},
		"that end on another day":   {Min: day, Max: day + dayMillis},
		"of which nothing is known": {Min: least, Max: greatest},
		"without a value":           {Min: greatest, Max: least},
	} {
		odd := f
		odd.Stats.Timestamp = wrong
		facts := newFileFacts(&odd, true, someValues{})
		for _, by := range []*filter{in("timestamp", 1, 1), in("created", 1, 1), in("app_id", 1, 1)} {
			if facts.excludedBy(by) != kept {
				t.Errorf("%s: left out by %s", name, by.column)
			}
		}
		if facts.excludedBy(in("date", 1, 1)) != ByDate {
			t.Errorf("%s: its path says its day all the same", name)
		}
	}

	elsewhere := f
	elsewhere.Partition.Day++
	if facts := newFileFacts(&elsewhere, true, someValues{}); facts.excludedBy(in("date", 1, 1)) != kept || facts.excludedBy(cells()) != kept {
		t.Error("a file that does not lie in its cell is left out")
	}

	// A file of revisions lies in no cell; its rows tell of their days.
	flat := store.File{Stats: f.Stats}
	facts := newFileFacts(&flat, false, someValues{})
	if facts.excludedBy(in("date", 20513, 20513)) != kept || facts.excludedBy(in("date", 20514, 20514)) != ByDate || facts.excludedBy(in("service", 9, 9)) != kept || facts.excludedBy(cells()) != kept {
		t.Error("a file without a cell")
	}
}

func TestPruneChoosesForAllScans(t *testing.T) {
	s := flatLake()
	day := func(n int64) *filter {
		return &filter{kind: within, column: "date", spans: spans{{pruneDay.Unix()/86400 + n, pruneDay.Unix()/86400 + n}}}
	}
	chosen, p, err := prune(lakeTables[0], s.Files, []*filter{day(1), day(2)}, nil)
	if err != nil || len(chosen) != 6 || p.Read != (Count{6, 6000}) || p.LeftOut[ByDate] != (Count{54, 54000}) {
		t.Errorf("%d files, %+v, %v", len(chosen), p, err)
	}
	chosen, p, _ = prune(lakeTables[0], s.Files, nil, nil)
	if len(chosen) != 0 || p.LeftOut[NotRead].Files != 60 {
		t.Errorf("no scan: %d files, %+v", len(chosen), p)
	}
	needle := &filter{kind: holds, column: "ip", values: []string{"10.0.0.99"}}
	if chosen, _, err = prune(lakeTables[0], s.Files, []*filter{needle}, someValues{failing: true}); err == nil || len(chosen) != 60 {
		t.Errorf("an index that fails: %d files, %v", len(chosen), err)
	}
	if chosen, p, err = prune(lakeTables[0], s.Files, []*filter{needle}, someValues{}); err != nil || len(chosen) != 6 || p.LeftOut[ByValue].Files != 54 {
		t.Errorf("files that the index does not know stay: %d files, %+v, %v", len(chosen), p, err)
	}
}
