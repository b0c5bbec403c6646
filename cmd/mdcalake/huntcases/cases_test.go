// Package huntcases holds every hunt against its cases, and against the simulator's
// stories. It has a room of its own above both wings: the events go in through
// ingest, and the hunts are of query. And a process of its own: one that has grown
// hands its size down to those that it starts, whose memory is measured elsewhere.
package huntcases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"mdcalake/ingest"
	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/store"
)

// The cases of a hunt are in testdata/NAME.yaml: what happened, and what is found.
// Each case is a lake of its own.

type caseFile struct {
	Since, Until time.Time // of the window, where a case has no other
	Cases        []huntCase
}

type huntCase struct {
	Name         string
	Since, Until time.Time
	Covers       string            // how long before the window was collected; "": 400d
	Params       map[string]string // as with -p
	Allow        hunts.Allowlist
	Events       []event
	Findings     []expected
	Refused      string // why it does not run, a part of it
}

// event is a record, or several of the same form.
type event struct {
	At      time.Time
	Times   int            // how many; 0: one
	Every   hunts.Duration // between them
	ID      string         // %d is the number; "": made
	User    *string        // user.userName
	Actor   *string        // resolvedActor.name
	ActorID *string        `yaml:"actor_id"`
	IP      *string        // device.clientIP; %d is the number
	Country *string        // location.countryCode
	City    *string        //
	Lat     *float64       //
	Lon     *float64       //
	ISP     *string        //
	Cat     *int           // location.category
	Proxy   *bool          // location.anonymousProxy
	Agent   *string        // device.userAgent
	Browser *string        //
	OS      *string        //
	Device  *string        // userAgent.deviceType
	Tags    []string       // userAgent.tags
	Success *bool          //
	Result  *string        // activityResult.message
	App     int64          // appId; 0: 20893
	AppName *string        `yaml:"app_name"`
	Action  *string        // mainInfo.rawOperationName
	Kind    *string        // mainInfo.type
	Type    *string        // eventTypeValue
	Admin   *bool          // eventRouting.adminEvent
	Session *string        //
	Objects []eventObject  //
	Raw     map[string]any // members of rawDataJson; %d in a text is the number
	Changed map[string]any `yaml:"record"` // members of the record, over all others
}

type eventObject struct {
	ID, Name, Value string
	Type, Role      int
	App             int64
}

// expected is what must be true of a finding; what is not given may be anything.
type expected struct {
	Severity, User, IP, Country, App string
	Count                            int64
	Why                              string   // a part of it
	Cites                            []string // these activities, in this order
	First, Last                      time.Time
}

func (e event) records(n int) (lines []string) {
	for i := range max(e.Times, 1) {
		lines = append(lines, e.record(n, i))
	}
	return lines
}

func (e event) record(n, i int) string {
	at := e.At.Add(time.Duration(i) * time.Duration(e.Every)).UnixMilli()
	id := fmt.Sprintf("e%d-%d", n, i)
	numbered := func(s string) string { return strings.ReplaceAll(s, "%d", fmt.Sprint(i)) }
	if e.ID != "" {
		id = numbered(e.ID)
	}
	app := e.App
	if app == 0 {
		app = 20893
	}
	r := map[string]any{"_id": id, "timestamp": at, "created": at + 180_000, "tenantId": 1, "appId": app}
	set := func(path string, value any) {
		switch v := value.(type) {
		case *string:
			if v == nil {
				return
			}
			value = numbered(*v)
		case *bool:
			if v == nil {
				return
			}
		case *int:
			if v == nil {
				return
			}
		case *float64:
			if v == nil {
				return
			}
		}
		m := r
		keys := strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			if m[k] == nil {
				m[k] = map[string]any{}
			}
			m = m[k].(map[string]any)
		}
		m[keys[len(keys)-1]] = value
	}
	set("user.userName", e.User)
	set("resolvedActor.name", e.Actor)
	set("resolvedActor.id", e.ActorID)
	set("device.clientIP", e.IP)
	set("device.userAgent", e.Agent)
	set("location.countryCode", e.Country)
	set("location.city", e.City)
	set("location.latitude", e.Lat)
	set("location.longitude", e.Lon)
	set("location.organizationSearchable", e.ISP)
	set("location.category", e.Cat)
	set("location.anonymousProxy", e.Proxy)
	set("userAgent.browser", e.Browser)
	set("userAgent.operatingSystem.name", e.OS)
	set("userAgent.deviceType", e.Device)
	if e.Tags != nil {
		set("userAgent.tags", e.Tags)
	}
	set("mainInfo.activityResult.isSuccess", e.Success)
	set("mainInfo.activityResult.message", e.Result)
	set("appName", e.AppName)
	set("mainInfo.rawOperationName", e.Action)
	set("mainInfo.type", e.Kind)
	set("eventTypeValue", e.Type)
	set("eventRouting.adminEvent", e.Admin)
	set("session.sessionId", e.Session)
	if e.Objects != nil {
		var list []any
		for _, o := range e.Objects {
			m := map[string]any{"objType": o.Type, "role": o.Role, "id": numbered(o.ID), "name": numbered(o.Name)}
			if o.Value != "" {
				m["value"] = numbered(o.Value)
			}
			if o.App != 0 {
				m["saasId"] = o.App
			}
			list = append(list, m)
		}
		set("mainInfo.eventObjects", list)
	}
	if e.Raw != nil {
		text, err := json.Marshal(e.Raw)
		if err != nil {
			panic(err)
		}
		set("rawDataJson", json.RawMessage(numbered(string(text))))
	}
	for k, v := range e.Changed {
		r[k] = v
	}
	line, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(line)
}

// finding is a row as query writes it in JSON.
type finding struct {
	Hunt, Severity        string
	FirstSeen             time.Time `json:"first_seen"`
	LastSeen              time.Time `json:"last_seen"`
	UserName, IP, Country string
	User                  string   `json:"user_name"`
	App                   string   `json:"app_name"`
	Count                 int64    `json:"count"`
	Why                   string   `json:"why"`
	Cites                 []string `json:"activity_ids"`
}

func readCases(t *testing.T, path string) caseFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	var f caseFile
	if err := d.Decode(&f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

func TestCasesOfEachHunt(t *testing.T) {
	for _, h := range catalog(t) {
		t.Run(h.Name, func(t *testing.T) {
			f := readCases(t, filepath.Join("testdata", h.Name+".yaml"))
			shared := false
			for _, c := range f.Cases {
				if c.Since.IsZero() {
					c.Since, c.Until = f.Since, f.Until
				}
				t.Run(strings.ReplaceAll(c.Name, " ", "-"), func(t *testing.T) {
					// Once for each hunt is enough.
					share := !shared && len(c.Findings) > 0
					shared = shared || share
					c.check(t, h, share)
				})
			}
		})
	}
}

// check runs a case alone, and, if it is to, once more as one of several hunts,
// which share what was read.
func (c huntCase) check(t *testing.T, h *hunts.Hunt, share bool) {
	e := c.lake(t, "256MiB")
	request := hunts.Request{Since: c.Since, Until: c.Until, Values: map[string]map[string]string{"": c.Params}, Allow: c.Allow}
	plan, err := hunts.Prepare(e, h, request)
	if err != nil {
		t.Fatal(err)
	}
	if c.Refused != "" || plan.Refused != "" {
		if c.Refused == "" || !strings.Contains(plan.Refused, c.Refused) {
			t.Errorf("it is refused as %q, want %q", plan.Refused, c.Refused)
		}
		return
	}
	got := run(t, e, plan)
	c.compare(t, got)
	if !share {
		return
	}
	shared := run(t, e, plan, plan)
	if len(shared) != 2*len(got) {
		t.Errorf("%d findings alone, and %d of two that share what was read", len(got), len(shared))
	}
}

func (c huntCase) lake(t *testing.T, memory string) *query.Engine {
	t.Helper()
	var lines []string
	for n, ev := range c.Events {
		lines = append(lines, ev.records(n)...)
	}
	dir := filepath.Join(t.TempDir(), "lake")
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	back := 400 * 24 * time.Hour
	if c.Covers != "" {
		if back, err = hunts.ParseDuration(c.Covers); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.Join(lines, "\n")
	s, err := ingest.Import(t.Context(), ingest.ImportOptions{Writer: w, Covers: &ingest.Declaration{Since: c.Since.Add(-back), Until: c.Until}},
		[]ingest.Source{{Name: "events", Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Run.Added != int64(len(lines)) {
		t.Fatalf("%d of %d events are in the lake", s.Run.Added, len(lines))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lake, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	e, err := query.Open(t.Context(), query.Options{Snapshot: lake.Snapshot(), TempDir: t.TempDir(), MemoryLimit: memory, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func run(t *testing.T, e *query.Engine, plans ...*hunts.Plan) []finding {
	t.Helper()
	f, err := hunts.Run(t.Context(), e, plans, func(*hunts.Plan) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range f.Outcomes {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	rows, err := f.Rows(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out bytes.Buffer
	if _, err := query.Write(t.Context(), &out, query.JSONL, rows, query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	var all []finding
	for d := json.NewDecoder(&out); d.More(); {
		var one finding
		if err := d.Decode(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func (c huntCase) compare(t *testing.T, got []finding) {
	t.Helper()
	if len(got) != len(c.Findings) {
		t.Errorf("%d findings, want %d:", len(got), len(c.Findings))
	}
	for i, g := range got {
		if g.FirstSeen.IsZero() || g.LastSeen.Before(g.FirstSeen) || g.Why == "" || g.Count < 1 || len(g.Cites) == 0 || len(g.Cites) > 100 {
			t.Errorf("finding %d is not whole: %+v", i, g)
		}
		if g.FirstSeen.Before(c.Since) || !g.LastSeen.Before(c.Until) {
			t.Errorf("finding %d lies outside the window: %+v", i, g)
		}
		if i >= len(c.Findings) {
			t.Errorf("one more: %+v", g)
			continue
		}
		want := c.Findings[i]
		for _, f := range []struct{ name, got, want string }{
			{"severity", g.Severity, want.Severity}, {"user_name", g.User, want.User}, {"ip", g.IP, want.IP}, {"country", g.Country, want.Country}, {"app_name", g.App, want.App},
		} {
			if f.want != "" && f.got != f.want {
				t.Errorf("finding %d has %s %q, want %q", i, f.name, f.got, f.want)
			}
		}
		if want.Count != 0 && g.Count != want.Count || !strings.Contains(g.Why, want.Why) || want.Cites != nil && !slices.Equal(g.Cites, want.Cites) {
			t.Errorf("finding %d is %+v, want %+v", i, g, want)
		}
		if !want.First.IsZero() && !g.FirstSeen.Equal(want.First) || !want.Last.IsZero() && !g.LastSeen.Equal(want.Last) {
			t.Errorf("finding %d goes from %s to %s, want %s to %s", i, g.FirstSeen, g.LastSeen, want.First, want.Last)
		}
	}
}

// catalog are the hunts that come with the program.
func catalog(t testing.TB) []*hunts.Hunt {
	t.Helper()
	all, err := hunts.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
