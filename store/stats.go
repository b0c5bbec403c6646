package store

import (
	"encoding/json"
	"math"
	"time"
)

// The statistics of a file that go into the log. No personal data and no free
// text: a log is handed around more freely than the records.

func emptyRange() Range { return Range{Min: math.MaxInt64, Max: math.MinInt64} }

func emptyStats() Stats {
	return Stats{Timestamp: emptyRange(), Created: emptyRange(), Ingested: emptyRange(), AppID: emptyRange()}
}

// Empty says that no row had a value.
func (r Range) Empty() bool { return r.Min > r.Max }

func (r *Range) add(v int64, has bool) {
	if !has {
		r.Nulls++
		return
	}
	r.Min, r.Max = min(r.Min, v), max(r.Max, v)
}

func (s *Stats) add(r *Row) {
	s.Timestamp.add(r.Numbers[Timestamp], true)
	s.Created.add(r.Numbers[Created], r.HasNumber(Created))
	s.Ingested.add(r.Ingested, true)
	s.AppID.add(r.Numbers[AppID], r.HasNumber(AppID))
}

// deltaStats is the form the protocol gives them: times as text with
// milliseconds, which is all the precision ours have.
type deltaStats struct {
	NumRecords int64            `json:"numRecords"`
	MinValues  map[string]any   `json:"minValues"`
	MaxValues  map[string]any   `json:"maxValues"`
	NullCount  map[string]int64 `json:"nullCount"`
}

const statsTime = "2006-01-02T15:04:05.000Z"

func (s Stats) encode(rows int64) (string, error) {
	d := deltaStats{NumRecords: rows, MinValues: map[string]any{}, MaxValues: map[string]any{}, NullCount: map[string]int64{}}
	put := func(name string, r Range, value func(int64) any) {
		d.NullCount[name] = r.Nulls
		if !r.Empty() {
			d.MinValues[name], d.MaxValues[name] = value(r.Min), value(r.Max)
		}
	}
	timeText := func(ms int64) any { return time.UnixMilli(ms).UTC().Format(statsTime) }
	number := func(v int64) any { return v }
	put("timestamp", s.Timestamp, timeText)
	put("created", s.Created, timeText)
	put("ingested", s.Ingested, timeText)
	put("app_id", s.AppID, number)
	b, err := json.Marshal(d)
	return string(b), err
}

// decodeStats reads them back. What is missing or not understood (a file of
// another writer) leaves the range open: such a file may hold anything.
func decodeStats(text string) (Stats, int64) {
	open := Range{Min: math.MinInt64, Max: math.MaxInt64}
	s := Stats{Timestamp: open, Created: open, Ingested: open, AppID: open}
	var d struct {
		NumRecords *int64                     `json:"numRecords"`
		MinValues  map[string]json.RawMessage `json:"minValues"`
		MaxValues  map[string]json.RawMessage `json:"maxValues"`
		NullCount  map[string]int64           `json:"nullCount"`
	}
	if json.Unmarshal([]byte(text), &d) != nil || d.NumRecords == nil {
		return s, -1
	}
	get := func(name string, r *Range, parse func(json.RawMessage) (int64, bool)) {
		nulls, known := d.NullCount[name]
		if known && nulls == *d.NumRecords {
			*r = emptyRange()
			r.Nulls = nulls
			return
		}
		lo, okLo := parse(d.MinValues[name])
		hi, okHi := parse(d.MaxValues[name])
		if okLo && okHi {
			r.Min, r.Max = lo, hi
		}
		r.Nulls = nulls
	}
	get("timestamp", &s.Timestamp, parseStatsTime)
	get("created", &s.Created, parseStatsTime)
	get("ingested", &s.Ingested, parseStatsTime)
	get("app_id", &s.AppID, func(m json.RawMessage) (int64, bool) {
		var v int64
		return v, len(m) > 0 && json.Unmarshal(m, &v) == nil
	})
	return s, *d.NumRecords
}

func parseStatsTime(m json.RawMessage) (int64, bool) {
	var text string
	if json.Unmarshal(m, &text) != nil {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UnixMilli(), err == nil
}
