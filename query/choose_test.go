package query

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/store"
)

// TestPruningOnTheWholeRoad: the same as the comparison of many statements, for
// few, by Query itself.
func TestPruningOnTheWholeRoad(t *testing.T) {
	root := writePruneLake(t, t.TempDir())
	s := openLake(t, root)
	e := openEngine(t, s)
	e.planFor = time.Minute
	blind := openEngine(t, s)
	blind.values = nil
	blind.planFor = 0 // no plan is ever there in time: all files
	for sql, want := range map[string]struct{ read, value int }{
		"SELECT activity_id FROM activities WHERE date = '2026-03-02'":                                         {6, 0},
		"SELECT activity_id FROM activities WHERE date = '2026-03-02' AND service = 20893":                     {2, 0},
		"SELECT activity_id FROM activities WHERE lower(activity_id) <> '' AND activity_id = 'Id-0-1-20893-2'": {2, 25},
		"SELECT activity_id, user_name FROM activities WHERE ip = '203.0.113.250'":                             {0, 30},
		"SELECT activity_id FROM activities WHERE timestamp > now()":                                           {0, 0},
		"SELECT count(*) FROM activities":                                                                      {len(s.Files), 0},
		"EXPLAIN ANALYZE SELECT count(*) FROM activities WHERE date = '2026-03-02'":                            {6, 0},
		"PIVOT (FROM activities WHERE date = '2026-03-02') ON service USING count(*) GROUP BY date":            {6, 0},
	} {
		got, p := readAll(t, e, sql)
		if !p.Planned {
			t.Errorf("%s: not planned: %s", sql, p.Why)
		}
		if a := p.Tables[0]; a.Table != "activities" || a.Read.Files != want.read || want.value > 0 && a.LeftOut[ByValue].Files < want.value {
			t.Errorf("%s: %+v", sql, p)
		}
		all, p := readAll(t, blind, sql)
		if p.Planned || p.Tables[0].Read.Files != len(s.Files) {
			t.Errorf("%s: without a plan %+v", sql, p)
		}
		if !slices.Equal(got, all) && sql[:7] != "EXPLAIN" {
			t.Errorf("%s:\n%q\n%q", sql, got, all)
		}
	}
}

func TestWithoutAnIndexFilesStay(t *testing.T) {
	root := writePruneLake(t, t.TempDir())
	s := openLake(t, root)
	const sql = "SELECT count(*) FROM activities WHERE ip = '203.0.113.250'"
	count := func(e *Engine) (int, string) {
		e.planFor = time.Minute
		_, p := readAll(t, e, sql)
		return p.Tables[0].Read.Files, p.Index
	}
	if n, why := count(openEngine(t, s)); n != 0 || why != "" {
		t.Errorf("with an index %d files are read (%s)", n, why)
	}
	past := *s
	past.AsOf = time.UnixMilli(s.Ingested)
	if n, why := count(openEngine(t, &past)); n != len(s.Files) || why == "" {
		t.Errorf("of the past %d files are read (%s)", n, why)
	}
	older := *s
	older.Version--
	if n, why := count(openEngine(t, &older)); n != len(s.Files) || why == "" {
		t.Errorf("with an index of a later version %d files are read (%s)", n, why)
	}
	// Damaged: noticed when it is read.
	dir := filepath.Join(root, "_mdcalake", "index")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(data) - 4096 {
			data[i] ^= 0xff
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, why := count(openEngine(t, s)); n != len(s.Files) || why == "" {
		t.Errorf("with a damaged index %d files are read (%s)", n, why)
	}
}

// TestNowIsOneMoment: planned at one time and run at a later one, a bound would
// let rows fall into the gap.
func TestNowIsOneMoment(t *testing.T) {
	b := newPruneBench(t, &store.Snapshot{Root: t.TempDir(), Version: -1})
	lines, p := readAll(t, b.e, "SELECT count(*) FROM activities WHERE created < now()")
	if !p.Planned || len(lines) != 1 {
		t.Errorf("%v %+v", lines, p)
	}
	b.exec("BEGIN TRANSACTION")
	defer b.exec("ROLLBACK")
	b.name(lakeTables[0], nil)
	before, err := b.rows(t.Context(), "SELECT epoch_us(now())")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.e.plan(t.Context(), b.in, "SELECT count(*) FROM activities WHERE created < now()"); err != nil {
		t.Fatal(err)
	}
	after, err := b.rows(t.Context(), "SELECT epoch_us(now())")
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("%v, then %v (%v)", before, after, err)
	}
	// The optimizers are all back.
	if off, err := b.rows(t.Context(), "SELECT current_setting('disabled_optimizers')"); err != nil || len(off) != 1 || off[0] != "" {
		t.Errorf("switched off: %q, %v", off, err)
	}
}

// TestAMistakeIsToldBeforeAnyFileIsNamed: with the files of a year it would
// take half a second.
func TestAMistakeIsToldBeforeAnyFileIsNamed(t *testing.T) {
	s := flatLake() // its files do not exist
	s.Root = t.TempDir()
	e := openEngine(t, s)
	e.planFor = time.Minute
	for sql, want := range map[string]string{
		"SELECT nosuch FROM activities":                  "nosuch",
		"SELECT count(*) FROM activities WHERE ip + 1":   "",
		"EXPLAIN SELECT nosuch FROM activities":          "nosuch",
		"SELECT nosuch(ip) FROM activities, activitiess": "activitiess",
	} {
		_, err := e.Query(t.Context(), sql)
		var qe *Error
		if !errors.As(err, &qe) || !strings.Contains(qe.Message, want) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
