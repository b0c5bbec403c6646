package ingest

import (
	"testing"
	"time"
)

func TestAWindowInWords(t *testing.T) {
	since, until := at("2026-11-01"), at("2026-11-02T00:00:00.001Z")
	for want, w := range map[string]Window{
		"2026-11-01T00:00:00Z..2026-11-02T00:00:00.001Z":                     {Since: since.In(time.FixedZone("", 3600)), Until: until},
		"2026-11-01T00:00:00Z..":                                             {Since: since},
		"2026-11-01T00:00:00Z..2026-11-02T00:00:00.001Z of services 5,-7":    {Since: since, Until: until, Services: []int64{5, -7}},
		"saved 2026-11-01T00:00:00Z..":                                       {Since: since, CreatedSince: since},
		"saved ..2026-11-02T00:00:00.001Z of services 5":                     {Since: since, CreatedUntil: until, Services: []int64{5}},
		"saved 2026-11-01T00:00:00Z..2026-11-02T00:00:00.001Z of services 5": {CreatedSince: since, CreatedUntil: until, Services: []int64{5}},
	} {
		if got := w.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAPartOfAWindowLiesAlongItsScan(t *testing.T) {
	w := Window{Since: at("2026-11-01"), Until: at("2026-11-02"), CreatedSince: at("2026-11-03"), CreatedUntil: at("2026-11-04")}
	a, b := at("2026-11-05"), at("2026-11-06")
	for _, field := range []SortField{"", SortDate, SortCreated} {
		w.SortField = field
		want := w
		if field == SortCreated {
			want.CreatedSince, want.CreatedUntil = a, b
		} else {
			want.Since, want.Until = a, b
		}
		same(t, string(field)+" part", want, w.part(a, b))
		since, until := w.part(a, b).along()
		same(t, string(field)+" along", []time.Time{a, b}, []time.Time{since, until})
	}
}

func TestWhichRecordsAWindowHolds(t *testing.T) {
	ms := func(text string) int64 { return at(text).UnixMilli() }
	number := func(n int64) *int64 { return &n }
	event := Window{Since: at("2026-11-01T00:00:00.0001Z"), Until: at("2026-11-02T00:00:00.0001Z")}
	saved := Window{CreatedSince: at("2026-11-01"), CreatedUntil: at("2026-11-02"), SortField: SortCreated, Services: []int64{5, 7}}
	open := Window{Since: at("2026-11-01"), CreatedSince: at("2026-11-01")}
	for name, c := range map[string]struct {
		w                *Window
		timestamp        int64
		created, service *int64
		want             bool
	}{
		"before it":                    {&event, ms("2026-11-01"), nil, nil, false},
		"its first millisecond":        {&event, ms("2026-11-01T00:00:00.001Z"), nil, nil, true},
		"its last one":                 {&event, ms("2026-11-02"), nil, nil, true},
		"behind it":                    {&event, ms("2026-11-02T00:00:00.001Z"), nil, nil, false},
		"any save time, any service":   {&event, ms("2026-11-01T12:00:00Z"), number(0), number(9), true},
		"saved before it":              {&saved, 0, number(ms("2026-11-01") - 1), number(5), false},
		"saved within it":              {&saved, 0, number(ms("2026-11-01")), number(7), true},
		"saved behind it":              {&saved, 0, number(ms("2026-11-02")), number(7), false},
		"of another service":           {&saved, 0, number(ms("2026-11-01")), number(6), false},
		"without a save time":          {&saved, 0, nil, number(5), true},
		"without a service":            {&saved, 0, number(ms("2026-11-01")), nil, true},
		"an open end":                  {&open, ms("9999-12-31"), number(ms("9999-12-31")), nil, true},
		"an open end has a beginning":  {&open, ms("2026-10-31"), number(ms("9999-12-31")), nil, false},
		"and one of the save time too": {&open, ms("9999-12-31"), number(ms("2026-10-31")), nil, false},
	} {
		if got := c.w.holds(c.timestamp, c.created, c.service); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAFilterThatFiltersNothingIsNone(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "{}": "", " { \n } ": "", ` {"a":1} `: `{"a":1}`,
	} {
		if got := string(effective([]byte(in))); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestBoundsBetweenMillisecondsMeanTheLaterOne(t *testing.T) {
	for text, want := range map[string]int64{
		"1970-01-01": 0, "1970-01-01T00:00:00.001Z": 1, "1970-01-01T00:00:00.000000001Z": 1, "1970-01-01T00:00:00.001999999Z": 2,
		"1969-12-31T23:59:59.9990001Z": 0, "1969-12-31T23:59:59.9980001Z": -1,
	} {
		if got := ceilMillis(at(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
