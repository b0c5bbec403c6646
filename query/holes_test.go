package query

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
)

// coveredLake has its coverage in March 2026: the 2nd to the 9th complete for all
// services but for a hole on the 5th, service 20893 failed on the 7th and then
// asked by name for the 12th.
func coveredLake() *store.Snapshot {
	s := flatLake()
	s.Files = nil
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	through := day(30)
	named := int64(20893)
	add := func(from, to int, service *int64, state, reason string) {
		r := store.Rectangle{Since: day(from), Until: day(to), Service: service, State: state, Reason: reason, RunID: "R"}
		if state == store.StateComplete {
			r.ThroughCreated = through
		}
		s.Coverage = append(s.Coverage, r)
	}
	add(2, 5, nil, store.StateComplete, "")
	add(5, 6, nil, store.StateFailed, "HTTP 500")
	add(6, 10, nil, store.StateComplete, "")
	add(12, 13, &named, store.StateComplete, "")
	return s
}

// askedAs is what a filter asks about.
func askedAs(f *filter) []asked { return []asked{{times: f.times(), services: f.services()}} }

func TestHolesOfWhatIsAskedAbout(t *testing.T) {
	p, s := newPlanner(t), coveredLake()
	now := time.Date(2026, 3, 20, 6, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		where string
		want  string
	}{
		{"", "05..06 failed; 10..13 never asked"},
		{"WHERE timestamp >= '2026-03-06' AND timestamp < '2026-03-10'", ""},
		{"WHERE timestamp BETWEEN '2026-03-06' AND '2026-03-10'", ""},
		{"WHERE date BETWEEN '2026-03-06' AND '2026-03-09'", ""},
		{"WHERE date = '2026-03-05'", "05..06 failed"},
		{"WHERE date IN ('2026-03-05', '2026-03-07')", "05..06 failed"},
		{"WHERE timestamp = '2026-03-05 12:00:00+00'", "05T12:00:00..05T12:00:00.001 failed"},
		{"WHERE timestamp::date = '2026-03-10' AND service = 20893", "10..11 never asked 20893"},
		{"WHERE date = '2026-03-12' AND service = 20893", ""},
		{"WHERE date = '2026-03-12' AND service = 11161", "12..13 never asked 11161"},
		{"WHERE date = '2026-03-12' AND service IN (20893, 20892)", "12..13 never asked 20892"},
		{"WHERE date = '2026-03-12' AND service > 0", "12..13 never asked"},
		{"WHERE date = '2026-03-12'", "12..13 never asked"},
		{"WHERE date = '2026-03-05' AND service = 20893", "05..06 failed 20893"},
		{"WHERE date = '2026-03-05' AND user_name = 'x' OR date = '2026-03-07'", "05..06 failed"},
		// Open to one side, as far as the lake goes; beyond it, as far as time.
		{"WHERE timestamp >= '2026-03-12' AND service = 20893", ""},
		{"WHERE timestamp > '2026-03-15' AND service = 20893", "15..20T06:00:00 never asked 20893"},
		{"WHERE timestamp < '2026-03-03'", ""},
		{"WHERE timestamp < '2026-03-01'", "..01 never asked"},
		{"WHERE date = '2026-03-01' AND service = 7", "01..02 never asked 7"},
		{"WHERE date = '2026-03-20' AND service = 7", "20..20T06:00:00 never asked 7"},
		{"WHERE date = '2027-03-20'", ""},
		{"WHERE created < '2026-03-03' AND date = '2026-03-09'", ""},
		{"WHERE false", ""},
	} {
		found, err := readPlan(p.plan("SELECT count(*) FROM activities "+c.where), p.tables, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		var of []asked
		for _, f := range found[lakeTables[0]] {
			of = append(of, askedAs(f)...)
		}
		if got := holesText(holes(s, of, now)); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.where, got, c.want)
		}
	}
}

func holesText(holes []store.Hole) string {
	short := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return strings.TrimSuffix(strings.TrimSuffix(t.Format("02T15:04:05.999"), "T00:00:00"), ".000")
	}
	var parts []string
	for _, h := range holes {
		text := short(h.Since) + ".." + short(h.Until) + " " + h.State
		if h.Service != nil {
			text += fmt.Sprint(" ", *h.Service)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func TestHolesOfALakeWithoutALedger(t *testing.T) {
	now := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	empty := &store.Snapshot{Version: -1}
	if got := holesText(holes(empty, askedAs(open), now)); got != ".. never asked" {
		t.Errorf("nothing was done: %s", got)
	}
	if got := holes(empty, nil, now); got != nil {
		t.Errorf("nothing is asked: %v", got)
	}
	// Where everything was asked for by name, all else is no hole, unless it is
	// asked about by name.
	named := coveredLake()
	named.Coverage = named.Coverage[3:]
	if got := holesText(holes(named, askedAs(open), now)); got != "" {
		t.Error(got)
	}
	if got := holesText(holes(named, askedAs(&filter{kind: within, column: "service", spans: spans{{7, 7}}}), now)); got != "12..13 never asked 7" {
		t.Error(got)
	}
	// Records of which nobody knows how they came.
	if got := holesText(holes(flatLake(), askedAs(open), now)); got != "01T06:00:00..20T18:00:00.001 never asked" {
		t.Error(got)
	}
}

// TestHolesOfStatements: those that read no activities have none; the others
// have theirs on the whole road.
func TestHolesOfStatements(t *testing.T) {
	root := writePruneLake(t, t.TempDir())
	s := *openLake(t, root)
	s.Coverage = coveredLake().Coverage
	e := openEngine(t, &s)
	for sql, want := range map[string]string{
		"SELECT 1":                       "",
		"SELECT count(*) FROM runs":      "",
		"SELECT count(*) FROM revisions": "",
		"DESCRIBE activities":            "",
		"SELECT count(*) FROM activities WHERE date = '2026-03-03'":                "",
		"SELECT count(*) FROM activities WHERE date = '2026-03-05'":                "05..06 failed",
		"EXPLAIN SELECT * FROM activities WHERE date = '2026-03-05'":               "05..06 failed",
		"SELECT count(*) FROM activities a, revisions WHERE a.date = '2026-03-04'": "",
	} {
		rows, err := e.Query(context.Background(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := holesText(rows.Holes(time.Now())); got != want {
			t.Errorf("%s: %s", sql, got)
		}
		rows.Close()
	}
}

// readAll is the text of all values, and what was read for them.
func readAll(t testing.TB, e *Engine, sql string) (lines []string, p Pruning) {
	t.Helper()
	rows, err := e.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			slices.Sort(lines)
			return lines, rows.Pruning()
		}
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		for i := range int(batch.NumRows()) {
			var cells []string
			for _, c := range batch.Columns() {
				cells = append(cells, c.ValueStr(i))
			}
			lines = append(lines, strings.Clone(strings.Join(cells, " "))) // the batch goes
		}
		batch.Release()
	}
}
