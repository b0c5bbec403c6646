package ingest

import (
	"math"
	"testing"
	"time"

	"mdcalake/store"
)

// densityOf is the density of a lake that has read so many records of each of
// some days.
func densityOf(from string, records ...int64) *density {
	s := &store.Snapshot{}
	if len(records) > 0 {
		s = lakeOf(at(from), records...)
	}
	return newDensity(s, nil)
}

func lakeOf(from time.Time, records ...int64) *store.Snapshot {
	s := &store.Snapshot{Coverage: []store.Rectangle{{Since: from, Until: from.Add(time.Duration(len(records)) * day), State: StateComplete, ThroughCreated: planNow}}}
	for i, n := range records {
		s.Files = append(s.Files, store.File{Partition: store.Partition{Day: int32(dayOf(from)) + int32(i), Service: 5}, Rows: n})
	}
	return s
}

func TestTheDensityOfALake(t *testing.T) {
	from := at("2026-11-10")
	s := lakeOf(from, 100, 0, 300)
	s.Files = append(s.Files,
		store.File{Partition: store.Partition{Day: int32(dayOf(from)), Service: 7}, Rows: 11},
		store.File{Partition: store.Partition{Day: int32(dayOf(from)) + 9, Service: 5}, Rows: 1000}, // of a day that was not read
	)
	for _, c := range []struct {
		services []int64
		at       string
		want     float64
	}{
		{nil, "2026-11-10T23:59:59.999Z", 111}, {nil, "2026-11-11", 0}, {nil, "2026-11-12", 300},
		{nil, "2026-11-19", 137}, {nil, "1969-12-31T23:00:00Z", 137}, // the mean
		{[]int64{5}, "2026-11-10", 100}, {[]int64{7}, "2026-11-10", 11}, {[]int64{5, 7}, "2026-11-10", 111},
		{[]int64{9}, "2026-11-10", 0},
	} {
		if got, known := newDensity(s, c.services).perDay(at(c.at)); got != c.want || !known {
			t.Errorf("services %v at %s: %v a day, want %v", c.services, c.at, got, c.want)
		}
	}
	if got, known := newDensity(&store.Snapshot{Files: s.Files}, nil).perDay(from); got != 0 || known {
		t.Errorf("of a lake whose days were not read: %v %v", got, known)
	}
	imported := &store.Snapshot{Files: s.Files, Coverage: []store.Rectangle{rect("2026-11-10", "2026-11-11", "imported", "")}}
	if got, known := newDensity(imported, nil).perDay(from); got != 111 || !known {
		t.Errorf("of an imported day: %v %v", got, known)
	}
	part := &store.Snapshot{Files: s.Files, Coverage: []store.Rectangle{rect("2026-11-10T00:00:00.001Z", "2026-11-11", "complete", "2026-11-20"), rect("2026-11-12", "2026-11-12T23:59:59.999Z", "complete", "2026-11-20")}}
	if _, known := newDensity(part, nil).perDay(from); known {
		t.Error("a day that was read in part is none")
	}
}

func TestWhatTheRunHasSeenCountsWhereTheLakeSaysNothing(t *testing.T) {
	d := densityOf("2026-11-10", 100)
	mean := func() float64 { n, _ := d.perDay(at("2026-11-15")); return n }
	d.saw(day/2-time.Second, 1000, 0)
	if got := mean(); got != 100 {
		t.Errorf("after less than half a day: %v", got)
	}
	d.saw(time.Second, 1000, 0)
	if got := mean(); got != 4000 {
		t.Errorf("after half a day: %v", got)
	}
	if got, _ := d.perDay(at("2026-11-10")); got != 100 {
		t.Errorf("a day of the lake: %v", got)
	}
	if got, known := densityOf("").perDay(planNow); got != 0 || known {
		t.Errorf("of an empty lake: %v %v", got, known)
	}
}

func TestExpectationsEndAtTheClock(t *testing.T) {
	d := densityOf("2026-11-10", 100, 200)
	for _, c := range []struct {
		since, until string
		want         float64
	}{
		{"2026-11-10", "2026-11-12", 300},
		{"2026-11-10T12:00:00Z", "2026-11-11T06:00:00Z", 100},
		{"2026-11-09T12:00:00Z", "2026-11-10T12:00:00Z", 125},
		{"2026-11-11T12:00:00Z", "2026-11-13", 250},
		{"2026-11-20", "9999-12-31", 75},
		{"2026-11-21", "2026-11-22", 0},
		{"0026-11-10", "2026-11-10", 150 * 730485},
		{"2026-11-12", "2026-11-11", 0},
	} {
		if got, known := d.expect(at(c.since), at(c.until), planNow); math.Abs(got-c.want) > 0.001 || !known {
			t.Errorf("%s to %s: %v, want %v", c.since, c.until, got, c.want)
		}
	}
	if _, known := densityOf("").expect(at("2026-11-10"), at("2026-11-11"), planNow); known {
		t.Error("an empty lake knows")
	}
}

func TestTheSizeOfARecord(t *testing.T) {
	d := densityOf("")
	if got := d.bytesPerRecord(); got != 4096 {
		t.Errorf("when nobody knows: %v", got)
	}
	runs := []store.Run{{Verb: "ingest", Records: 10, Bytes: 1000}, {Verb: "import", Records: 10, Bytes: 3000}, {Verb: "compact", Records: 1, Bytes: 1 << 40}}
	d = newDensity(&store.Snapshot{Runs: runs}, nil)
	if got := d.bytesPerRecord(); got != 200 {
		t.Errorf("of the lake: %v", got)
	}
	d.saw(0, 2, 20)
	if got := d.bytesPerRecord(); got != 10 {
		t.Errorf("of this run: %v", got)
	}
}

func TestAWindowsLengthIsRound(t *testing.T) {
	for _, span := range spans {
		if day%span != 0 {
			t.Errorf("%v does not divide a day", span)
		}
	}
	for records, want := range map[float64]time.Duration{
		0.1: time.Minute, 1: time.Minute, 6: 5 * time.Minute, 100: time.Hour, 720: 12 * time.Hour, 1439: 12 * time.Hour,
		1440: day, 2879: day, 2880: 2 * day, 1440 * 30: 30 * day, 1 << 40: 30 * day,
	} {
		if got := densityOf("2026-11-10", 1440).window(planNow, -1, records); got != want {
			t.Errorf("for %v of 1440 records a day: %v, want %v", records, got, want)
		}
	}
	if got := densityOf("").window(planNow, 1, 1<<40); got != day {
		t.Errorf("when nobody knows: %v", got)
	}
}
