package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"index/suffixarray"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/query"
	"mdcalake/query/indicators"
	"mdcalake/query/indicators/lookup"
	"mdcalake/store"
)

// iocRecords is how many the lake of the model has, and iocWanted how many indicators.
const (
	iocRecords = 50_000
	iocWanted  = 10_000
)

var iocEnd = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// iocTenant is a lake of the simulator's records, in all the odd forms that it knows.
func iocTenant(t *testing.T, n int) *store.Lake {
	t.Helper()
	sim, err := simulator.New(simulator.Options{
		Seed: 11, Start: iocEnd.AddDate(0, 0, -60), End: iocEnd, Count: n, Stories: []string{simulator.StoriesAll}, NativeFeeds: true,
		Clock: func() time.Time { return iocEnd.AddDate(0, 0, 30) },
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	from, to := io.Pipe()
	go func() { to.CloseWithError(sim.WriteNDJSON(to, time.Time{}, time.Time{})) }()
	_, err = ingest.Import(t.Context(), ingest.ImportOptions{Writer: w},
		[]ingest.Source{{Name: "tenant", Size: -1, Open: func() (io.ReadCloser, error) { return from, nil }}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lake, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	return lake
}

func iocEngine(t *testing.T, lake *store.Lake, functions []query.TextFunction) *query.Engine {
	t.Helper()
	e, err := query.Open(t.Context(), query.Options{Snapshot: lake.Snapshot(), TempDir: t.TempDir(), Functions: functions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func iocLines(t *testing.T, rows *query.Rows, err error) *bufio.Scanner {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var text bytes.Buffer
	if _, err := query.Write(t.Context(), &text, query.JSONL, rows, query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(&text)
	lines.Buffer(nil, 64<<20)
	return lines
}

// iocActivity is what the model looks at.
type iocActivity struct {
	ID      string    `json:"activity_id"`
	At      time.Time `json:"timestamp"`
	User    string    `json:"user_name"`
	Actor   string    `json:"actor_name"`
	IP      string    `json:"ip"`
	Others  []string  `json:"other_ips"`
	Agent   string    `json:"user_agent"`
	Object  string    `json:"object_id"`
	Objects []struct{ ID, Name, Value string }
}

func iocActivities(t *testing.T, e *query.Engine) []iocActivity {
	t.Helper()
	rows, err := e.Query(t.Context(), "SELECT activity_id, timestamp, user_name, actor_name, ip, other_ips, user_agent, object_id, list_transform(objects, o -> {'id': o.id, 'name': o.name, 'value': o.value}) AS objects FROM activities")
	var all []iocActivity
	for lines := iocLines(t, rows, err); lines.Scan(); {
		var a iocActivity
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// texts are those of an activity, by column.
func (a iocActivity) texts() map[indicators.Column][]string {
	m := map[indicators.Column][]string{"ip": {a.IP}, "other_ips": a.Others, "user_name": {a.User}, "actor_name": {a.Actor}, "user_agent": {a.Agent}, "object_id": {a.Object}}
	for _, o := range a.Objects {
		m["objects.id"], m["objects.name"], m["objects.value"] = append(m["objects.id"], o.ID), append(m["objects.name"], o.Name), append(m["objects.value"], o.Value)
	}
	return m
}

// The model says in regular expressions, one indicator and one text at a time, what
// package indicators does for all at once.
func iocModelColumns(k indicators.Kind) []indicators.Column {
	switch k {
	case indicators.IP, indicators.Range:
		return []indicators.Column{"ip", "other_ips"}
	case indicators.Domain:
		return []indicators.Column{"user_name", "object_id", "objects.id", "objects.name", "objects.value"}
	case indicators.Email:
		return []indicators.Column{"user_name", "actor_name", "objects.id", "objects.name", "objects.value"}
	case indicators.UserAgent:
		return []indicators.Column{"user_agent"}
	case indicators.FileName:
		return []indicators.Column{"object_id", "objects.name"}
	}
	return []indicators.Column{"object_id", "objects.value"}
}

const iocBetween = `[\s,;<>"'()\[\]{}|]`

// modelOf is a test of a text.
func iocModelOf(i *indicators.Indicator, c indicators.Column) func(string) bool {
	quoted := regexp.QuoteMeta(i.Value)
	expression := ""
	switch i.Kind {
	case indicators.Domain:
		host := `([\w-]+\.)*` + quoted + `\.?`
		expression = `(^|` + iocBetween + `)(\S*@)?` + host + `(:\d+)?([/?\\]\S*)?($|` + iocBetween + `)|` + `://([^/?#]*@)?` + host + `(:\d+)?($|[/?#\\]|` + iocBetween + `)`
		if c == "user_name" {
			expression = `@` + host + `($|` + iocBetween + `)`
		}
		expression += `|[^\s@]_([a-z0-9-]+\.)*` + quoted + `#EXT#@`
	case indicators.Email:
		expression = `(^|` + iocBetween + `)` + quoted + `\.?($|` + iocBetween + `)`
		expression += `|(^|` + iocBetween + `)` + regexp.QuoteMeta(guestLogin(i.Value)) + `#EXT#@`
	case indicators.UserAgent:
		if strings.HasPrefix(i.Value, "*") {
			expression = regexp.QuoteMeta(strings.Trim(i.Value, "*"))
			break
		}
		expression = `^` + quoted + `$`
	case indicators.FileName:
		expression = `(^|[/\\])` + quoted + `[/\\]*([?#].*)?$`
	case indicators.Hash:
		expression = `\b` + quoted + `\b`
	case indicators.URL:
		expression = `^` + strings.TrimRight(quoted, "/") + `/*(#.*)?$`
	}
	return regexp.MustCompile(`(?i)` + expression).MatchString
}

// guestLogin is the login of a guest, up to the tenant's own part.
func guestLogin(mail string) string { return strings.Replace(mail, "@", "_", 1) }

var dotted = regexp.MustCompile(`^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?$`)

// plainAddress undoes what feeds do to addresses.
func plainAddress(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if m := dotted.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.String()
	}
	return s
}

// iocFeed is a list of indicators: some that are in the lake, and more that are not.
func iocFeed(all []iocActivity) string {
	r := rand.New(rand.NewPCG(3, 4))
	seen := map[string]bool{}
	var b strings.Builder
	b.WriteString("type,value\n")
	add := func(typ, value string) {
		if line := typ + `,"` + strings.ReplaceAll(value, `"`, `""`) + "\"\n"; value != "" && !seen[line] {
			seen[line] = true
			b.WriteString(line)
		}
	}
	for range 150 {
		a := all[r.IntN(len(all))]
		add("ip", plainAddress(a.IP))
		if p, err := netip.ParseAddr(plainAddress(a.IP)); err == nil {
			p, _ := p.Prefix(p.BitLen() - 1 - r.IntN(9))
			add("cidr", p.String())
		}
		if strings.Contains(a.User, "@") {
			add("email", a.User)
			_, domain, _ := strings.Cut(a.User, "@")
			add("domain", domain)
		}
		add("user-agent", a.Agent)
		if len(a.Agent) > 20 {
			add("user-agent", "*"+a.Agent[5:15]+"*")
		}
		if a.Object != "" {
			add("url", a.Object)
			add("filename", a.Object)
		}
		for _, o := range a.Objects {
			if strings.Contains(o.Name, ".") {
				add("filename", o.Name)
			}
			if strings.Contains(o.Name, "@") {
				add("email", o.Name)
			}
			add("url", o.Value)
		}
	}
	for n := len(seen); n < iocWanted; n++ {
		switch n % 8 {
		case 0:
			add("ip", fmt.Sprintf("45.%d.%d.%d", n>>16, n>>8&255, n&255))
		case 1:
			add("cidr", fmt.Sprintf("46.%d.%d.0/24", n>>8, n&255))
		case 2:
			add("domain", fmt.Sprintf("bad%d.example", n))
		case 3:
			add("email", fmt.Sprintf("eve%d@bad.example", n))
		case 4:
			add("user-agent", fmt.Sprintf("evil %d/1.0", n))
		case 5:
			add("filename", fmt.Sprintf("drop%d.exe", n))
		case 6:
			add("md5", fmt.Sprintf("%032x", n))
		case 7:
			add("url", fmt.Sprintf("https://bad.example/%d", n))
		}
	}
	return b.String()
}

// iocColumn is where each of its texts stands.
type iocColumn struct {
	rows      map[string][]int // text -> activities
	texts     []string
	begins    []int // of each text in all
	all       *suffixarray.Index
	addresses []netip.Addr // of each text
}

func (c *iocColumn) index() {
	var all []byte
	for text := range c.rows {
		c.texts, c.begins = append(c.texts, text), append(c.begins, len(all))
		all = append(all, strings.ToLower(text)+"\n"...)
		a, _ := netip.ParseAddr(plainAddress(text))
		c.addresses = append(c.addresses, a)
	}
	c.all = suffixarray.New(all)
}

// find are the activities in which an indicator is. An expression is tried where
// the text has its value at all: on every text it would take minutes.
func (c *iocColumn) find(i *indicators.Indicator, of indicators.Column) map[int]bool {
	in := map[int]bool{}
	add := func(n int) {
		for _, row := range c.rows[c.texts[n]] {
			in[row] = true
		}
	}
	switch i.Kind {
	case indicators.IP:
		for n, a := range c.addresses {
			if a.IsValid() && a.String() == i.Value {
				add(n)
			}
		}
		return in
	case indicators.Range:
		p := netip.MustParsePrefix(i.Value)
		for n, a := range c.addresses {
			if p.Contains(a) {
				add(n)
			}
		}
		return in
	}
	matches := iocModelOf(i, of)
	needle := strings.ToLower(strings.TrimRight(strings.Trim(i.Value, "*"), "/"))
	for _, s := range []string{needle, guestLogin(needle)} {
		for _, at := range c.all.Lookup([]byte(s), -1) {
			n, exact := slices.BinarySearch(c.begins, at)
			if !exact {
				n--
			}
			if matches(c.texts[n]) {
				add(n)
			}
		}
	}
	return in
}

// Ten thousand indicators over some fifty thousand records: the hits, their counts
// and their times are those of a plain matcher, and each record is handed over once.
func TestIndicatorsAreFoundAsByAPlainMatcher(t *testing.T) {
	n := iocRecords
	if testing.Short() || raceEnabled {
		n /= 10
	}
	lake := iocTenant(t, n)
	all := iocActivities(t, iocEngine(t, lake, nil))
	set := &indicators.Set{}
	if err := set.Read("feed", strings.NewReader(iocFeed(all)), indicators.Options{}); err != nil {
		t.Fatal(err)
	}
	if len(set.Indicators) < iocWanted*9/10 {
		t.Fatalf("only %d indicators; refused %v", len(set.Indicators), set.Refused)
	}
	search, err := lookup.New(set, false)
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	functions := search.Functions()
	match := functions[0].Call
	functions[0].Call = func(of []string) (string, error) { calls.Add(1); return match(of) }
	e := iocEngine(t, lake, functions)
	found, err := search.Find(t.Context(), e, lookup.Request{})
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Count       int64
		First, Last time.Time
	}
	got := map[string]result{}
	rows, err := found.Rows(t.Context(), false)
	for lines := iocLines(t, rows, err); lines.Scan(); {
		var h struct {
			Indicator, Kind, Matched string
			Count                    int64
			First                    time.Time `json:"first_seen"`
			Last                     time.Time `json:"last_seen"`
			IDs                      []string  `json:"activity_ids"`
		}
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			t.Fatal(err)
		}
		got[h.Kind+" "+h.Indicator+" "+h.Matched] = result{h.Count, h.First, h.Last}
		if int64(len(h.IDs)) != min(h.Count, 100) {
			t.Errorf("%s: %d activities are named of %d", h.Indicator, len(h.IDs), h.Count)
		}
	}
	if int64(len(got)) != found.Hits {
		t.Errorf("%d hits are told, and there are %d", found.Hits, len(got))
	}

	columns := map[indicators.Column]*iocColumn{}
	for n, a := range all {
		for c, texts := range a.texts() {
			if columns[c] == nil {
				columns[c] = &iocColumn{rows: map[string][]int{}}
			}
			for _, text := range texts {
				if text != "" {
					columns[c].rows[text] = append(columns[c].rows[text], n)
				}
			}
		}
	}
	for _, c := range columns {
		c.index()
	}
	want := map[string]result{}
	kinds := map[indicators.Kind]bool{}
	for _, i := range set.Indicators {
		for _, c := range iocModelColumns(i.Kind) {
			var r result
			for n := range columns[c].find(i, c) {
				at := all[n].At
				if r.Count++; r.Count == 1 || at.Before(r.First) {
					r.First = at
				}
				if at.After(r.Last) {
					r.Last = at
				}
			}
			if r.Count > 0 {
				want[string(i.Kind)+" "+i.Value+" "+string(c)] = r
				kinds[i.Kind] = true
			}
		}
	}
	wrong := 0
	tell := func(format string, args ...any) {
		if wrong++; wrong <= 20 {
			t.Errorf(format, args...)
		}
	}
	for k, w := range want {
		if g := got[k]; g.Count != w.Count || !g.First.Equal(w.First) || !g.Last.Equal(w.Last) {
			tell("%s: got %v, want %v", k, g, w)
		}
	}
	for k, g := range got {
		if want[k].Count == 0 {
			tell("%s: got %v, and there is none", k, g)
		}
	}
	for _, k := range []indicators.Kind{indicators.IP, indicators.Range, indicators.Domain, indicators.Email, indicators.UserAgent, indicators.FileName, indicators.URL} {
		if !kinds[k] {
			t.Errorf("no indicator of the kind %s is in the lake: the test shows nothing of it", k)
		}
	}
	rest := slices.Sorted(func(yield func(int64) bool) {
		for _, w := range want {
			if !yield(w.Count) {
				return
			}
		}
	})
	t.Logf("%d indicators, %d records, %d hits (up to %d activities), %d calls", len(set.Indicators), len(all), len(got), rest[len(rest)-1], calls.Load())
	if calls.Load() != int64(len(all)) {
		t.Errorf("%d texts were handed over, and there are %d records", calls.Load(), len(all))
	}
}
