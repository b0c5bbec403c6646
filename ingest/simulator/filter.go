package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// filter is a parsed filters object: two time spans, and conditions on facts.
// All of it must hold.
type filter struct {
	date, saved span
	services    []condition // decided without a look at the record
	rest        []condition
	bounded     bool // it names a date or a service, applied or not
}

// span bounds a time: lo <= t <= hi, and t lies in one interval of each list.
type span struct {
	lo, hi int64
	lists  [][]interval
}

type interval struct{ lo, hi int64 }

func everything() span { return span{lo: math.MinInt64, hi: math.MaxInt64} }

func (s *span) admits(t int64) bool {
	if t < s.lo || t > s.hi {
		return false
	}
	for _, list := range s.lists {
		if !slices.ContainsFunc(list, func(i interval) bool { return i.lo <= t && t <= i.hi }) {
			return false
		}
	}
	return true
}

// within narrows the span to what a list of intervals covers.
func (s *span) within(list []interval) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, i := range list {
		lo, hi = min(lo, i.lo), max(hi, i.hi)
	}
	s.lo, s.hi = max(s.lo, lo), min(s.hi, hi)
	if len(list) > 1 {
		s.lists = append(s.lists, list)
	}
}

// condition is one operator of one field.
type condition struct {
	field, op string
	values    []string
}

// invalid is a filter the API refuses, with the value it names.
type invalid struct{ value string }

func (e *invalid) Error() string { return fmt.Sprintf("filter %q is not valid", e.value) }

// operators of the activity filters, by field.
var operators = map[string]string{
	"service":                  "eq neq",
	"instance":                 "eq neq",
	"user.orgUnit":             "eq neq isset isnotset",
	"user.username":            "eq neq isset isnotset startswith",
	"user.tags":                "eq neq isset isnotset startswith",
	"user.domain":              "eq neq isset isnotset",
	"entity":                   "eq neq isset isnotset startswith",
	"actionType":               "contains eq neq isset isnotset",
	"activity.actionType":      "contains eq neq isset isnotset",
	"activity.eventActionType": "eq neq",
	"activity.eventType":       "eq neq",
	"activity.id":              "eq",
	"activity.impersonated":    "eq",
	"activity.type":            "eq",
	"activity.takenAction":     "eq neq",
	"activity.alertId":         "eq",
	"activityObject":           "eq neq",
	"device.type":              "eq neq",
	"device.tags":              "eq neq",
	"userAgent.userAgent":      "contains ncontains",
	"userAgent.tags":           "eq neq",
	"location.country":         "eq neq isset isnotset",
	"location.organizations":   "eq neq isset isnotset contains",
	"ip.address":               "eq neq startswith doesnotstartwith isset isnotset",
	"ip.category":              "eq neq",
	"ip.tags":                  "eq neq",
	"fileSelector":             "eq neq",
	"fileId":                   "eq",
	"office365url":             "startswith eq endswith",
	"text":                     "eq startswithsingle text",
	"date":                     "lte gte range lte_ndays gte_ndays",
	"created":                  "lte gte range gt lt eq",
	"policy":                   "eq neq isset isnotset",
	"source":                   "eq neq",
}

// oldNames are filters that clients still send under a former name.
var oldNames = map[string]string{
	"activity.eventType":  "activity.eventActionType",
	"activity.actionType": "actionType",
}

func operatorAllowed(field, op string) bool {
	return slices.Contains(strings.Fields(operators[field]), op)
}

func newFilter() *filter { return &filter{date: everything(), saved: everything()} }

// parseFilter reads a filters object. Unknown names are refused or passed over,
// those to be ignored are checked and not applied, as the caps say; extra is a
// member that is no filter.
func parseFilter(text []byte, nowMS int64, caps Paging, extra string) (*filter, error) {
	f, unused := newFilter(), newFilter()
	if len(bytes.TrimSpace(text)) == 0 {
		return f, nil
	}
	members, err := parseMembers(text)
	if err != nil {
		return nil, &invalid{"filters"}
	}
	for _, m := range members {
		if m.key == extra && extra != "" {
			continue
		}
		if operators[m.key] == "" {
			if caps.IgnoreUnknown {
				continue
			}
			return nil, &invalid{m.key}
		}
		to := f
		if caps.ignores(m.key) {
			to = unused
		}
		ops, err := parseMembers(m.value)
		if err != nil {
			return nil, &invalid{m.key}
		}
		for _, o := range ops {
			if !operatorAllowed(m.key, o.key) {
				if caps.IgnoreUnknown {
					continue
				}
				return nil, &invalid{o.key}
			}
			if err := to.add(m.key, o.key, o.value, nowMS); err != nil {
				return nil, err
			}
			f.bounded = f.bounded || m.key == "date" || m.key == "service"
		}
	}
	return f, nil
}

func (f *filter) add(field, op string, value []byte, nowMS int64) error {
	if field == "date" || field == "created" {
		s := &f.date
		if field == "created" {
			s = &f.saved
		}
		return s.add(op, value, nowMS)
	}
	if name := oldNames[field]; name != "" {
		field = name
	}
	values, err := parseValues(value)
	if err != nil {
		return &invalid{string(value)}
	}
	c := condition{field, op, values}
	if op == "isset" || op == "isnotset" {
		if len(values) != 1 || !strings.EqualFold(values[0], "true") {
			return &invalid{string(value)}
		}
	}
	if field == "service" {
		f.services = append(f.services, c)
	} else {
		f.rest = append(f.rest, c)
	}
	return nil
}

func (s *span) add(op string, value []byte, nowMS int64) error {
	if op == "range" {
		list, err := parseRanges(value)
		if err != nil {
			return &invalid{string(value)}
		}
		s.within(list)
		return nil
	}
	times, err := parseTimes(value)
	if err != nil || len(times) == 0 {
		return &invalid{string(value)}
	}
	// A list is OR, and of several bounds the widest is the OR.
	least, most := slices.Min(times), slices.Max(times)
	switch op {
	case "gte":
		s.lo = max(s.lo, least)
	case "lte":
		s.hi = min(s.hi, most)
	case "gt":
		s.lo = max(s.lo, least+1)
	case "lt":
		s.hi = min(s.hi, most-1)
	case "gte_ndays":
		s.lo = max(s.lo, daysBefore(nowMS, most))
	case "lte_ndays":
		s.hi = min(s.hi, daysBefore(nowMS, least))
	case "eq":
		list := make([]interval, len(times))
		for i, t := range times {
			list[i] = interval{t, t}
		}
		s.within(list)
	}
	return nil
}

// farthest keeps sums and products of times from running over.
const farthest = 1 << 62

// number reads ms in any of the forms clients send: integer, float, text.
func number(v any) (int64, error) {
	text := textOf(v)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && -farthest <= n && n <= farthest {
		return n, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.Abs(x) > farthest {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return int64(math.Round(x)), nil
}

// daysBefore is the moment n days before now; a million days is as good as ever.
func daysBefore(now, n int64) int64 {
	const most = 1_000_000
	return now - max(-most, min(most, n))*24*hourMS
}

func decode(value []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

func parseTimes(value []byte) ([]int64, error) {
	v, err := decode(value)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var times []int64
	for _, e := range list {
		t, err := number(e)
		if err != nil {
			return nil, err
		}
		times = append(times, t)
	}
	return times, nil
}

// parseRanges reads a list of {start,end}, or a bare one. An absent end is open.
func parseRanges(value []byte) ([]interval, error) {
	v, err := decode(value)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("a range needs an interval")
	}
	var ranges []interval
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a range is no object")
		}
		r := interval{math.MinInt64, math.MaxInt64}
		for key, to := range map[string]*int64{"start": &r.lo, "end": &r.hi} {
			if b, ok := m[key]; ok && b != nil {
				n, err := number(b)
				if err != nil {
					return nil, err
				}
				*to = n
			}
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// parseValues reads a scalar or a list. Of an object (an entity key, a role
// pair) the id counts; a pair that names a role only has none.
func parseValues(value []byte) ([]string, error) {
	v, err := decode(value)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var texts []string
	for _, e := range list {
		switch e := e.(type) {
		case nil:
			texts = append(texts, "null")
		case map[string]any:
			if id := textOf(e["id"]); id != "" {
				texts = append(texts, id)
			}
		case []any:
			return nil, fmt.Errorf("a list lies in a list")
		default:
			texts = append(texts, textOf(e))
		}
	}
	return texts, nil
}

// holds decides the condition for the values a record has.
func (c *condition) holds(values []string) bool {
	set := func() bool { return len(values) > 0 }
	any := func(match func(v, want string) bool) bool {
		for _, want := range c.values {
			if want == "null" && !set() {
				return true
			}
			if slices.ContainsFunc(values, func(v string) bool { return match(v, want) }) {
				return true
			}
		}
		return false
	}
	fold := func(f func(s, sub string) bool) func(v, want string) bool {
		return func(v, want string) bool { return f(strings.ToLower(v), strings.ToLower(want)) }
	}
	equal := func(v, want string) bool { return v == want }
	switch c.field {
	case "user.username", "user.domain":
		equal = strings.EqualFold
	case "ip.address":
		equal = sameAddress
	case "source":
		equal = func(v, want string) bool { return v == want || "t:"+v == want || "s:"+v == want }
	}
	switch c.op {
	case "eq":
		if c.field == "text" {
			return any(fold(strings.Contains))
		}
		return any(equal)
	case "neq":
		return !any(equal)
	case "isset":
		return set()
	case "isnotset":
		return !set()
	case "contains", "text":
		return any(fold(strings.Contains))
	case "ncontains":
		return !any(fold(strings.Contains))
	case "startswith":
		return any(fold(strings.HasPrefix))
	case "doesnotstartwith":
		return !any(fold(strings.HasPrefix))
	case "endswith":
		return any(fold(strings.HasSuffix))
	case "startswithsingle":
		return any(func(v, want string) bool {
			return slices.ContainsFunc(strings.Fields(v), func(w string) bool { return fold(strings.HasPrefix)(w, want) })
		})
	}
	return false
}
