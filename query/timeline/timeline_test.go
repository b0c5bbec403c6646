package timeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/query/timeline"
	"mdcalake/store"
)

// act is an activity. An empty text is a field that is not there; \x00 is one that is
// there and empty.
type act struct {
	at                                     string // 2026-11-19 10:00:00
	created                                string // "": a minute later; none: it has none
	id, user, actor, actorID, ip, otherIP  string
	country, city, isp, browser, os, agent string
	app, action, kind, session, objectID   string
	objectName, objectKind, objectItemID   string
	result                                 string
	failed                                 bool
}

// text is the field as a span of the row's text; there are none and empty ones.
func text(row *store.Row, s string) store.Span {
	if s == "" {
		return store.Null
	}
	s = strings.TrimPrefix(s, "\x00")
	at := len(row.Text)
	row.Text = append(row.Text, s...)
	return store.Span{Off: uint32(at), Len: uint32(len(s))}
}

// lift makes the row of it, as the decoder would of its record.
func (a act) lift(t *testing.T, n int, row *store.Row) {
	t.Helper()
	if a.id == "" {
		a.id = fmt.Sprintf("a%04d", n)
	}
	if a.app == "" {
		a.app = "Microsoft SharePoint Online"
	}
	at := moment(t, a.at)
	row.Reset()
	row.Text = fmt.Appendf(row.Text, `{"_id":%q}`, a.id)
	row.RawLen, row.ContentHash, row.Page = len(row.Text), int64(n+1), 1
	for column, s := range map[int]string{
		store.ActivityID: a.id, store.UserName: a.user, store.ActorName: a.actor, store.ActorID: a.actorID, store.IP: a.ip, store.UserAgent: a.agent,
		store.Country: a.country, store.City: a.city, store.ISP: a.isp, store.Browser: a.browser, store.OS: a.os, store.SessionID: a.session,
		store.AppName: a.app, store.Action: a.action, store.ActivityKind: a.kind, store.ResultMessage: a.result, store.ObjectID: a.objectID,
	} {
		row.Strings[column] = text(row, s)
	}
	row.SetNumber(store.Timestamp, at.UnixMilli())
	switch a.created {
	case "none":
	case "":
		row.SetNumber(store.Created, at.Add(time.Minute).UnixMilli())
	default:
		row.SetNumber(store.Created, moment(t, a.created).UnixMilli())
	}
	row.SetNumber(store.AppID, map[string]int64{"Microsoft SharePoint Online": 20892, "Microsoft Exchange Online": 20893}[a.app])
	if a.failed {
		row.SetNumber(store.IsSuccess, 0)
	}
	if a.otherIP != "" {
		row.Lists[store.OtherIPs].Valid = true
		row.Lists[store.OtherIPs].Items = append(row.Lists[store.OtherIPs].Items, text(row, a.otherIP))
	}
	if a.objectName != "" || a.objectItemID != "" {
		row.HasObjects = true
		row.Objects = append(row.Objects, store.Object{
			ID: text(row, a.objectItemID), Name: text(row, a.objectName), ServiceObjectType: text(row, a.objectKind), Value: store.Null,
			Type: 1, Role: 3, Set: store.ObjectHasType | store.ObjectHasRole,
		})
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	if len(s) == len(time.DateOnly) {
		s += " 00:00:00"
	}
	at, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// part is what a run brings, and the time that it covers; empty: it says nothing.
type part struct {
	covers [2]string
	acts   []act
}

func lakeOf(t *testing.T, parts ...part) *query.Engine {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	must(err)
	n := 0
	for _, p := range parts {
		a, err := w.Begin(store.Run{RunID: store.NewRunID(time.Now()), Started: time.Now().UTC(), Outcome: store.OutcomeComplete, Verb: "test"})
		must(err)
		t.Cleanup(func() { a.Close() }) // when it did not come to its end
		var row store.Row
		for _, act := range p.acts {
			act.lift(t, n, &row)
			must(a.Add(t.Context(), &row))
			n++
		}
		c := store.Commit{Run: a.Run()}
		if p.covers[0] != "" {
			c.Coverage = []store.Rectangle{{Since: moment(t, p.covers[0]), Until: moment(t, p.covers[1]), State: store.StateComplete, ThroughCreated: moment(t, "2026-12-01"), RunID: a.Run().RunID}}
		}
		_, err = a.Commit(t.Context(), c)
		must(err)
		a.Close()
	}
	must(w.Close())
	lake, err := store.Open(dir)
	must(err)
	t.Cleanup(func() { lake.Close() })
	e, err := query.Open(t.Context(), query.Options{Snapshot: lake.Snapshot(), TempDir: t.TempDir(), MemoryLimit: "256MiB"})
	must(err)
	t.Cleanup(func() { e.Close() })
	return e
}

func request(t *testing.T, kind timeline.Kind, value, since, until string) timeline.Request {
	t.Helper()
	r := timeline.Request{Entity: timeline.Entity{Kind: kind, Value: value}, Gap: timeline.DefaultGap, Baseline: timeline.DefaultBaseline, MaxEvents: timeline.DefaultMaxEvents, Now: moment(t, "2026-12-01")}
	if since != "" {
		r.Since, r.Until = moment(t, since), moment(t, until)
	}
	return r
}

func tell(t *testing.T, e *query.Engine, r timeline.Request) *timeline.Story {
	t.Helper()
	p, err := timeline.Prepare(t.Context(), e, r)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Tell(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t *testing.T, s *timeline.Story, markdown, every bool) string {
	t.Helper()
	var b strings.Builder
	if err := s.Write(context.Background(), &b, markdown, every); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// row is an event of jsonl.
type row struct {
	ID       string `json:"activity_id"`
	Session  int64
	Sentence string
	New      []string
	Silence  *float64 `json:"silence_seconds"`
}

func rowsOf(t *testing.T, s *timeline.Story) []row {
	t.Helper()
	rows, err := s.Rows(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out bytes.Buffer
	if _, err := query.Write(t.Context(), &out, query.JSONL, rows, query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var all []row
	for d := json.NewDecoder(&out); d.More(); {
		var r row
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// idsOf are the activities of a story, sorted.
func idsOf(t *testing.T, e *query.Engine, r timeline.Request) string {
	t.Helper()
	r.Wide = true
	s := tell(t, e, r)
	if s.Events == 0 {
		return ""
	}
	var ids []string
	for _, row := range rowsOf(t, s) {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// week is a past: a sign-in every day from Germany.
func week(first string, days int) []act {
	at, _ := time.Parse(time.DateOnly, first)
	var acts []act
	for range days {
		acts = append(acts, act{at: at.Format(time.DateOnly) + " 08:00:00", user: "ada@contoso.example", kind: "login", action: "OAuth2:Authorize", app: "Microsoft Exchange Online", country: "DE", isp: "Isarnetz", browser: "CHROME", os: "Windows 10", ip: "203.0.113.1", city: "Munich"})
		at = at.AddDate(0, 0, 1)
	}
	return acts
}

func TestAStory(t *testing.T) {
	file := func(at, name string) act {
		return act{at: at, user: "Ada@Contoso.example", action: "FileDownloaded", objectName: name, objectKind: "File", ip: "198.51.100.7", country: "NL", city: "Amsterdam", isp: "Amstel", browser: "CHROME", os: "Windows 11"}
	}
	hostile := file("2026-11-20 00:03:00", "x\x1b[2J, from 10.0.0.1\n  NEW                  country KP")
	hostile.action = "FileUploaded"
	e := lakeOf(t,
		part{[2]string{"2026-08-01", "2026-11-21"}, slices.Concat(week("2026-10-22", 28), []act{
			file("2026-11-19 23:58:00", "a.xlsx"), file("2026-11-19 23:59:00", "b.xlsx"), file("2026-11-20 00:02:00", "c.xlsx"), hostile,
			{at: "2026-11-20 00:04:00", user: "ada@contoso.example", action: "Strange-Deed", kind: "run", app: "Microsoft Exchange Online", failed: true, result: "not allowed"},
			{at: "2026-11-20 09:00:00", user: "bob@contoso.example", action: "FileDownloaded"},
		})},
		part{[2]string{"2026-11-22", "2026-11-25"}, []act{
			{at: "2026-11-24 12:00:00", user: "ada@contoso.example", kind: "failedLogin", action: "OAuth2:Authorize", app: "Microsoft Exchange Online", country: "DE", ip: "203.0.113.1", result: "wrong password", browser: "CHROME", os: "Windows 12"},
		}})
	s := tell(t, e, request(t, timeline.User, "ADA@contoso.EXAMPLE", "2026-11-19", "2026-11-25"))
	want := `user ADA@contoso.EXAMPLE, 2026-11-19 00:00:00 .. 2026-11-25 00:00:00: 6 events in 2 sessions
by hour (UTC), at most 3 an hour
           0     6     12    18
2026-11-19 ·······················▆      2
2026-11-20 █·······················      3
2026-11-21 ????????????????????????      0
2026-11-22 ························      0
2026-11-23 ························      0
2026-11-24 ············▃···········      1

session 1: 2026-11-19 23:58:00 .. 2026-11-20 00:04:00 (6m), 5 events
  in Amsterdam (NL); from 198.51.100.7; to SharePoint, Exchange; with Chrome on Windows
  2026-11-19 23:58:00  downloaded 3 files from SharePoint, from 198.51.100.7 in Amsterdam (NL), Chrome on Windows (until 2026-11-20 00:02:00, first a.xlsx, last c.xlsx)
  NEW                  country NL
  NEW                  ISP Amstel
  NEW                  app Microsoft SharePoint Online
  NEW                  action FileDownloaded
  2026-11-20 00:03:00  uploaded "x\u{1b}[2J, from 10.0.0.1\u{a}  NEW                  country KP" to SharePoint, from 198.51.100.7 in Amsterdam (NL), Chrome on Windows
  NEW                  action FileUploaded
  2026-11-20 00:04:00  ran "Strange-Deed" in Exchange [failed: not allowed]
  NEW                  action Strange-Deed

-- silent for 3d 11h, 2026-11-20 00:04:00 .. 2026-11-24 12:00:00, without 1d that was not collected

-- not collected: 2026-11-21 00:00:00 .. 2026-11-22 00:00:00 never asked

session 2: 2026-11-24 12:00:00, 1 event
  2026-11-24 12:00:00  failed to sign in to Exchange, from 203.0.113.1 in DE, Chrome on Windows (wrong password)
`
	if diff := cmp.Diff(want, written(t, s, false, false)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !s.Judged || s.Before != 28 {
		t.Errorf("judged %v by %d events before", s.Judged, s.Before)
	}
	if s.Usual.Weeks < 4 || s.Usual.Week != 24*time.Hour || s.Usual.Limit != 36*time.Hour {
		t.Errorf("what is usual: %+v", s.Usual)
	}
	if every := written(t, s, false, true); !strings.Contains(every, "2026-11-19 23:59:00  downloaded b.xlsx from SharePoint, from") {
		t.Errorf("each event has no line:\n%s", every)
	}
	marked := written(t, s, true, false)
	for _, part := range []string{
		"## Session 1: 2026-11-19 23:58:00 .. 2026-11-20 00:04:00 (6m), 5 events\n",
		"| 2026-11-20 00:03:00 | uploaded \"x\\\\u{1b}\\[2J, from 10.0.0.1<br>  NEW                  country KP\" to SharePoint",
		"| country NL, ISP Amstel, app Microsoft SharePoint Online, action FileDownloaded |\n",
		"\n**not collected: 2026-11-21 00:00:00 .. 2026-11-22 00:00:00 never asked**\n",
	} {
		if !strings.Contains(marked, part) {
			t.Errorf("the Markdown has no %q:\n%s", part, marked)
		}
	}
}

func TestAnEntityIsFoundByAllItsColumns(t *testing.T) {
	const at = "2026-11-19 10:00:00"
	e := lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, []act{
		{id: "name", at: at, user: "Ada@Contoso.example"},
		{id: "actor", at: at, actor: "ada@contoso.example"},
		{id: "actor-id", at: at, actorID: "ADA@contoso.example", user: "other@contoso.example"},
		{id: "o'hara", at: at, actor: "Maeve O'Hara"},
		{id: "ip", at: at, ip: "2001:db8::1"},
		{id: "spelled", at: at, ip: "2001:0DB8:0:0::1"},
		{id: "other-ip", at: at, ip: "203.0.113.9", otherIP: "2001:db8::1"},
		{id: "no-ip", at: at, ip: "no address", objectName: "other.txt"},
		{id: "object-id", at: at, objectID: "https://host/sites/Budget.xlsx"},
		{id: "object-name", at: at, objectName: "https://HOST/sites/Budget.xlsx"},
		{id: "object-item", at: at, objectItemID: "https://host/sites/budget.xlsx", objectName: "b"},
		{id: "object-part", at: at, objectName: "old budget.xlsx.zip"},
		{id: "session", at: at, session: "S-1"},
		{id: "outside", at: "2026-11-20 00:00:00", user: "ada@contoso.example", ip: "2001:db8::1", session: "s-1"},
	}})
	for _, c := range []struct {
		kind  timeline.Kind
		value string
		like  bool
		want  string
	}{
		{timeline.User, "ada@CONTOSO.example", false, "actor actor-id name"},
		{timeline.User, "maeve o'hara", false, "o'hara"},
		{timeline.User, "' OR true --", false, ""},
		{timeline.Address, "2001:db8::1", false, "ip other-ip spelled"},
		{timeline.Address, "203.0.113.0/24", false, "other-ip"},
		{timeline.Address, "2001:db8::/32", false, "ip other-ip spelled"},
		{timeline.Address, "198.51.100.1", false, ""},
		{timeline.Object, "https://host/sites/budget.xlsx", false, "object-id object-item object-name"},
		{timeline.Object, "budget.XLSX", false, ""},
		{timeline.Object, "budget.XLSX", true, "object-id object-item object-name object-part"},
		{timeline.Object, "%", true, ""},
		{timeline.Session, "s-1", false, "session"},
	} {
		r := request(t, c.kind, c.value, "2026-11-19", "2026-11-20")
		r.Entity.Like = c.like
		if got := idsOf(t, e, r); got != c.want {
			t.Errorf("%s: %q, want %q", r.Entity, got, c.want)
		}
	}
}

func TestWhatCannotBeAnEntityIsRefused(t *testing.T) {
	for _, e := range []timeline.Entity{{Kind: timeline.User}, {Kind: timeline.Address, Value: "host"}, {Kind: timeline.Address, Value: "10.0.0.0/99"}, {Kind: timeline.User, Value: "a", Like: true}} {
		if e.Check() == nil {
			t.Errorf("%+v is an entity", e)
		}
	}
}

func TestOnlyFilesThatCanHoldTheEntityAreRead(t *testing.T) {
	var acts []act
	for day := 1; day < 20; day++ {
		acts = append(acts, act{at: fmt.Sprintf("2026-11-%02d 10:00:00", day), user: fmt.Sprintf("u%d@contoso.example", day), objectName: fmt.Sprintf("f%d", day)})
	}
	e := lakeOf(t, part{[2]string{"2026-08-01", "2026-11-20"}, acts})
	for _, r := range []timeline.Request{
		request(t, timeline.User, "U7@contoso.example", "2026-11-01", "2026-11-20"),
		request(t, timeline.Object, "f7", "2026-11-01", "2026-11-20"),
	} {
		s := tell(t, e, r)
		if tables := s.Pruning.Tables; s.Events != 1 || len(tables) != 1 || tables[0].Read.Files != 1 {
			t.Errorf("%s: %d events, from %+v", r.Entity, s.Events, tables)
		}
	}
}

func TestTheUnknownIsNeverNew(t *testing.T) {
	with := func(at, value string) act {
		return act{at: at, user: "ada@contoso.example", country: value, isp: value, browser: value, agent: value, action: value}
	}
	e := lakeOf(t, part{[2]string{"2026-08-01", "2026-11-20"}, append(week("2026-11-10", 2), with("2026-11-19 08:00:00", ""), with("2026-11-19 09:00:00", "\x00"), with("2026-11-19 10:00:00", "--"), with("2026-11-19 10:00:01", "  "),
		act{at: "2026-11-19 11:00:00", user: "ada@contoso.example", country: "de", isp: "ISARNETZ", browser: "CHROME", os: "Windows 11", app: "Microsoft Exchange Online", action: "oauth2:authorize"})})
	r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.Wide = true
	s := tell(t, e, r)
	if !s.Judged {
		t.Fatal("there is a past, and it is not used")
	}
	var news []string
	for _, row := range rowsOf(t, s) {
		news = append(news, row.New...)
	}
	if diff := cmp.Diff([]string{"app Microsoft SharePoint Online"}, news); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatWasNotCollectedMakesNothingNew(t *testing.T) {
	fresh := act{at: "2026-11-19 11:00:00", user: "ada@contoso.example", country: "KP"}
	for _, c := range []struct {
		name   string
		covers [2]string
		past   []act
		news   int
	}{
		{"all of it", [2]string{"2026-08-01", "2026-11-20"}, week("2026-11-10", 3), 2},
		{"ten days", [2]string{"2026-11-09", "2026-11-20"}, week("2026-11-10", 3), 2},
		{"three days", [2]string{"2026-11-16", "2026-11-20"}, week("2026-11-10", 3), 0},
		{"nothing", [2]string{}, week("2026-11-10", 3), 0},
		{"all, and it was silent", [2]string{"2026-08-01", "2026-11-20"}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := lakeOf(t, part{c.covers, append(c.past, fresh)})
			r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
			r.Wide = true
			if rows := rowsOf(t, tell(t, e, r)); len(rows) != 1 || len(rows[0].New) != c.news {
				t.Errorf("%+v, want %d new", rows, c.news)
			}
		})
	}
}

func TestASessionIsComparedWithThePastOfItsUsers(t *testing.T) {
	e := lakeOf(t, part{[2]string{"2026-08-01", "2026-11-20"}, append(week("2026-11-10", 3),
		act{id: "s1", at: "2026-11-19 08:00:00", user: "ada@contoso.example", session: "abc", country: "DE", app: "Microsoft Exchange Online"},
		act{id: "s2", at: "2026-11-19 15:00:00", user: "ada@contoso.example", session: "abc", country: "KP", app: "Microsoft Exchange Online"},
		act{id: "s3", at: "2026-11-19 16:00:00", user: "ada@contoso.example", country: "BR"})})
	r := request(t, timeline.Session, "abc", "", "")
	r.Wide = true
	s := tell(t, e, r)
	rows := rowsOf(t, s)
	if len(rows) != 2 || rows[1].Session != 1 || len(rows[0].New) != 0 || !slices.Equal(rows[1].New, []string{"country KP"}) {
		t.Errorf("%+v", rows)
	}
	if !s.Since.Equal(moment(t, "2026-11-19 08:00:00")) || !s.Until.After(moment(t, "2026-11-19 15:00:00")) {
		t.Errorf("its window is %s .. %s", s.Since, s.Until)
	}
	if s := tell(t, e, request(t, timeline.Session, "none", "", "")); s.Events != 0 {
		t.Errorf("%d events of a session that there is not", s.Events)
	}
}

func TestTheOrderIsTotal(t *testing.T) {
	const at = "2026-11-19 10:00:00"
	acts := []act{{id: "d", at: at, created: "2026-11-19 10:05:00"}, {id: "c", at: at, created: "2026-11-19 10:05:00"}, {id: "z", at: at, created: "none"}, {id: "b", at: at, created: "2026-11-19 10:04:00"}, {id: "y", at: "2026-11-19 09:59:59", created: "2026-11-19 11:00:00"}}
	for i := range acts {
		acts[i].user = "ada@contoso.example"
	}
	for _, name := range []string{"as they come", "backwards"} {
		t.Run(name, func(t *testing.T) {
			e := lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, acts})
			r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
			r.Wide = true
			var got string
			for _, row := range rowsOf(t, tell(t, e, r)) {
				got += row.ID
			}
			if got != "yzbcd" {
				t.Errorf("the order is %q", got)
			}
		})
		slices.Reverse(acts)
	}
}

func TestWhatIsNotToldIsCounted(t *testing.T) {
	var acts []act
	for i := range 10 {
		acts = append(acts, act{at: fmt.Sprintf("2026-11-19 10:%02d:00", i*5), user: "ada@contoso.example", objectName: fmt.Sprint(i), ip: fmt.Sprintf("203.0.113.%d", i)})
	}
	e := lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, acts})
	r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.MaxEvents, r.Wide = 3, true
	s := tell(t, e, r)
	text := written(t, s, false, false)
	for _, part := range []string{": 10 events in 1 session\n", "(45m), 10 events\n", "from 203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3 and 6 more", "-- the first 3 of 10 events are told\n"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
	if rows := rowsOf(t, s); len(rows) != 3 || rows[2].ID != "a0002" {
		t.Errorf("%+v", rows)
	}
	r = request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.Allow = hunts.Allowlist{IPs: []string{"203.0.113.0/30"}}
	if s := tell(t, e, r); s.Events != 6 || s.LeftOut != 4 {
		t.Errorf("%d events, %d left out by the allow-list", s.Events, s.LeftOut)
	}
}

func TestSilencesEndSessions(t *testing.T) {
	var acts []act
	for _, at := range []string{"10:00:00", "10:30:00", "11:00:01", "11:10:00"} {
		acts = append(acts, act{at: "2026-11-19 " + at, user: "ada@contoso.example"})
	}
	e := lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, acts})
	r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.Wide = true
	var got string
	for _, row := range rowsOf(t, tell(t, e, r)) {
		got += fmt.Sprint(" ", row.Session)
		if row.Silence != nil {
			got += fmt.Sprint(" after ", *row.Silence)
		}
	}
	if got != " 1 1 2 after 1801 2" {
		t.Errorf("sessions%s", got)
	}
}

func TestAClientHasNoVersion(t *testing.T) {
	var acts []act
	for _, a := range []act{
		{browser: "CHROME", os: "Windows 10"}, {browser: "IE", os: "Windows 8.1"}, {browser: "MICROSOFT_OFFICE", os: "OS X 10.15 Catalina"}, {browser: "PYTHON_REQUESTS", os: "Unknown"},
		{agent: "python-requests/2.31.0"}, {agent: "axios/1.6"}, {agent: ";Windows 10;Edge 141.0;"}, {agent: "Mozilla/5.0 (X11) AppleWebKit/537.36 HeadlessChrome/140.0 Safari/537.36"},
		{agent: "BAV2ROPC"}, {agent: strings.Repeat("x", 500)}, {browser: "UNKNOWN", agent: "curl/8.1", os: "Linux"}, {browser: "OTHER"},
	} {
		a.at, a.user = fmt.Sprintf("2026-11-19 10:00:%02d", len(acts)), "ada@contoso.example"
		acts = append(acts, a)
	}
	r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.Wide = true
	var got []string
	for _, row := range rowsOf(t, tell(t, lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, acts}), r)) {
		_, client, _ := strings.Cut(row.Sentence, " in SharePoint")
		got = append(got, strings.TrimPrefix(client, ", "))
	}
	want := []string{"Chrome on Windows", "Internet Explorer on Windows", "Microsoft Office on OS X", "Python Requests", "python-requests", "axios", "Edge", "Headless Chrome", "BAV2ROPC", strings.Repeat("x", 60), "curl on Linux", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSentences(t *testing.T) {
	var acts []act
	for _, a := range []act{
		{action: "FileDownloaded", objectName: "Budget Q3.xlsx", objectKind: "File", ip: "203.0.113.7", city: "Amsterdam", country: "NL", browser: "CHROME", os: "Windows 10"},
		{action: "FileUploaded", ip: "203.0.113.7"},
		{action: "MailItemsAccessed", app: "Microsoft Exchange Online", objectName: "bob@contoso.example", country: "NL"},
		{kind: "login", action: "OAuth2:Authorize", objectName: "Portal"},
		{kind: "login", action: "OAuth2:Authorize", failed: true, result: "blocked"},
		{action: "Set-Mailbox", kind: "run", objectID: "https://host/a/Mail box/"},
		{action: "Invented", objectName: "x, from 10.0.0.1"},
	} {
		a.at, a.user = fmt.Sprintf("2026-11-19 10:00:%02d", len(acts)), "ada@contoso.example"
		acts = append(acts, a)
	}
	r := request(t, timeline.User, "ada@contoso.example", "2026-11-19", "2026-11-20")
	r.Wide = true
	var got []string
	for _, row := range rowsOf(t, tell(t, lakeOf(t, part{[2]string{"2026-11-01", "2026-11-20"}, acts}), r)) {
		got = append(got, row.Sentence)
	}
	want := []string{
		"downloaded Budget Q3.xlsx from SharePoint, from 203.0.113.7 in Amsterdam (NL), Chrome on Windows",
		"uploaded a file to SharePoint, from 203.0.113.7",
		"read mail of bob@contoso.example in Exchange, from NL",
		"signed in to SharePoint",
		"failed to sign in to SharePoint (blocked)",
		`ran "Set-Mailbox" on Mail box in SharePoint`,
		`did "Invented" on "x, from 10.0.0.1" in SharePoint`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
