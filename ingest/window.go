package ingest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// SortField is what a scan runs along: the API sorts by it, and moves the bound
// of it from page to page.
type SortField string

const (
	// SortDate is event time, the member timestamp: when it happened.
	SortDate SortField = "date"
	// SortCreated is save time, the member created: when MDCA stored it.
	SortCreated SortField = "created"
)

// A Window is what one scan reads: the activities that happened in [Since,
// Until), and, where CreatedSince or CreatedUntil are set, were saved in
// [CreatedSince, CreatedUntil).
type Window struct {
	// Since and Until bound event time. A zero Until is open, and so is a zero
	// Since where save time has a beginning.
	Since, Until time.Time
	// CreatedSince and CreatedUntil bound save time; zero is open.
	CreatedSince, CreatedUntil time.Time
	SortField                  SortField // "" is SortDate
	Services                   []int64   // app ids; none for all
	Filter                     []byte    // further filters, a JSON object as text; nil for none
}

func (w Window) sortField() SortField {
	if w.SortField == "" {
		return SortDate
	}
	return w.SortField
}

// along are the bounds that the scan runs along.
func (w Window) along() (since, until time.Time) {
	if w.sortField() == SortCreated {
		return w.CreatedSince, w.CreatedUntil
	}
	return w.Since, w.Until
}

// part is the window between other bounds of what its scan runs along.
func (w Window) part(since, until time.Time) Window {
	if w.sortField() == SortCreated {
		w.CreatedSince, w.CreatedUntil = since, until
	} else {
		w.Since, w.Until = since, until
	}
	return w
}

// other is the same window, scanned along the other time.
func (w Window) other() Window {
	if w.sortField() == SortCreated {
		w.SortField = SortDate
	} else {
		w.SortField = SortCreated
	}
	return w
}

func (w Window) String() string {
	between := func(since, until time.Time) string {
		text := func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format(time.RFC3339Nano)
		}
		return text(since) + ".." + text(until)
	}
	s := between(w.Since, w.Until)
	if !w.CreatedSince.IsZero() || !w.CreatedUntil.IsZero() {
		s = "saved " + between(w.CreatedSince, w.CreatedUntil)
	}
	if len(w.Services) > 0 {
		s += " of services " + joinInts(w.Services)
	}
	return s
}

func joinInts(ns []int64) string {
	var b []byte
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

// check says what is wrong with a window before anything is sent.
func (w Window) check() error {
	empty := func(since, until time.Time) bool {
		return !until.IsZero() && ceilMillis(since) >= ceilMillis(until)
	}
	switch {
	case w.Since.IsZero() && w.CreatedSince.IsZero():
		return &OptionError{Option: "window", Problem: "has no beginning", hint: "give --since"}
	case empty(w.Since, w.Until), empty(w.CreatedSince, w.CreatedUntil):
		return &OptionError{Option: "window " + w.String(), Problem: "is empty", hint: "--since must be before --until"}
	}
	return CheckFilter(w.Filter, w.Services)
}

// filters are the filters of the window's first request. The user's own follow
// ours in their own order and bytes.
func (w Window) filters() []byte {
	b := []byte{'{'}
	bounds := func(field SortField, since, until time.Time) {
		if since.IsZero() && until.IsZero() {
			return
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, `"`+string(field)+`":{`...)
		if !since.IsZero() {
			b = strconv.AppendInt(append(b, `"gte":`...), ceilMillis(since), 10)
		}
		if !until.IsZero() {
			if !since.IsZero() {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `"lte":`...), ceilMillis(until)-1, 10) // lte is inclusive
		}
		b = append(b, '}')
	}
	bounds(SortDate, w.Since, w.Until)
	bounds(SortCreated, w.CreatedSince, w.CreatedUntil)
	member := func(text []byte) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	if len(w.Services) > 0 {
		member([]byte(`"service":{"eq":[` + joinInts(w.Services) + `]}`))
	}
	if filter := effective(w.Filter); filter != nil {
		member(bytes.TrimSpace(filter[1 : len(filter)-1]))
	}
	return append(b, '}')
}

// holds tells whether a record is one of those that were asked for, as far as
// its times and its service tell. created and service are looked at only where
// the record has them.
func (w *Window) holds(timestamp int64, created, service *int64) bool {
	within := func(ms int64, since, until time.Time) bool {
		return (since.IsZero() || ms >= ceilMillis(since)) && (until.IsZero() || ms < ceilMillis(until))
	}
	return within(timestamp, w.Since, w.Until) &&
		(created == nil || within(*created, w.CreatedSince, w.CreatedUntil)) &&
		(service == nil || len(w.Services) == 0 || contains(w.Services, *service))
}

func contains(ns []int64, n int64) bool {
	for _, m := range ns {
		if m == n {
			return true
		}
	}
	return false
}

// ceilMillis is the first whole millisecond not before t: activities have whole
// milliseconds, so a bound between two of them means the later one.
func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}

func wholeMillis(t time.Time) time.Time { return time.UnixMilli(ceilMillis(t)).UTC() }

// CheckFilter says what is wrong with a user's filter: it must be a JSON object,
// must not bound the time of the event or of its saving, and must not name
// services if services are given. nil is no filter and fine.
func CheckFilter(filter []byte, services []int64) error {
	bad := func(problem, hint string) error {
		return &OptionError{Option: "filter", Problem: problem, hint: hint}
	}
	filter = bytes.TrimSpace(filter)
	if len(filter) == 0 {
		return nil
	}
	const shape = `a filter looks like {"user.username":{"eq":["ada@example.com"]}}`
	if filter[0] != '{' || !json.Valid(filter) || !utf8.Valid(filter) {
		return bad("is no JSON object", shape)
	}
	e := envelope{b: filter}
	return e.members(func(name string) error {
		switch {
		case name == string(SortDate):
			return bad("bounds the date", "use --since and --until: they are what coverage is counted by")
		case name == string(SortCreated):
			return bad("bounds the time of saving", "a filter must hold for all records of the time range, or coverage cannot be told")
		case name == "service" && len(services) > 0:
			return bad("names services, and so does --service", "give one of the two")
		}
		_, err := e.value()
		return err
	})
}

// effective is a filter that has been checked, or nil where it filters nothing:
// what is read with it is as complete as without.
func effective(filter []byte) []byte {
	filter = bytes.TrimSpace(filter)
	if len(filter) < 2 || len(bytes.TrimSpace(filter[1:len(filter)-1])) == 0 {
		return nil
	}
	return filter
}
