package query_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mdcalake/query"
)

// Names of directories above a lake that DuckDB would take for columns or for
// patterns.
var oddNames = []string{"date=2020-01-01", "user_name=bob", "service=1", "a b", "it's", "weird[1]*", "what?", `back\slash`, "ünïcode 日本", "~", "x=1/date=1999-12-31"}

func TestLakesBelowOddDirectories(t *testing.T) {
	for _, name := range oddNames {
		t.Run(strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), filepath.FromSlash(name))
			lake := newLake(t, dir, 2)
			temp := filepath.Join(dir, "temp")
			if err := os.Mkdir(temp, 0o700); err != nil {
				t.Fatal(err)
			}
			e := open(t, lake, func(o *query.Options) { o.TempDir = temp })
			if got := csv(t, e, "SELECT count(*), count(DISTINCT user_name), min(user_name), min(date), max(date), min(service) FROM activities WHERE user_name LIKE 'user%'"); got != "96,5,user0@example.com,2026-03-01,2026-03-02,11161" {
				t.Errorf("got %s", got)
			}
			if got := csv(t, e, "SELECT (SELECT count(*) FROM revisions WHERE date = '2026-03-01'), (SELECT count(*) FROM quarantine), (SELECT count(*) FROM runs)"); got != "3,2,2" {
				t.Errorf("got %s", got)
			}
			// Empty: the templates lie in the odd folder.
			empty := *lake
			empty.Files, empty.Revisions, empty.Quarantine = nil, nil, nil
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = open(t, &empty, func(o *query.Options) { o.TempDir = temp })
			if got := csv(t, e, "SELECT count(*), max(user_name), max(date) FROM activities"); got != "0,," {
				t.Errorf("empty: got %s", got)
			}
			if got := csv(t, e, "SELECT count(*) FROM range(3_000_000) GROUP BY range ORDER BY 1 LIMIT 1"); got != "1" {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestEmptyLake(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, table := range []string{"activities", "revisions", "quarantine", "runs", "coverage"} {
		if got := csv(t, e, "SELECT count(*) FROM "+table); got != "0" {
			t.Errorf("%s has %s rows", table, got)
		}
	}
	for f, want := range map[query.Format]string{query.JSON: "[]\n", query.JSONL: "", query.CSV: "user_name\n", query.Table: "user_name\n---------\n(0 rows)\n"} {
		if got, _ := answer(t, e, f, "SELECT user_name FROM activities", query.WriteOptions{}); got != want {
			t.Errorf("%v: %q", f, got)
		}
	}
}

// TestTypesAreTheSameWithAndWithoutFiles: a notebook that is written against
// an empty lake must go on working.
func TestTypesAreTheSameWithAndWithoutFiles(t *testing.T) {
	full := newLake(t, t.TempDir(), 1)
	empty := *full
	empty.Files, empty.Revisions, empty.Quarantine = nil, nil, nil
	for _, table := range []string{"activities", "revisions", "quarantine", "runs", "coverage"} {
		sql := "DESCRIBE " + table
		e := open(t, full)
		a, _ := answer(t, e, query.CSV, sql, query.WriteOptions{})
		e.Close()
		e = open(t, &empty)
		b, _ := answer(t, e, query.CSV, sql, query.WriteOptions{})
		e.Close()
		if a != b {
			t.Errorf("%s: with files\n%s\nwithout\n%s", table, a, b)
		}
	}
}

func TestWorkingDirectoryComesBack(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	lake := newLake(t, t.TempDir(), 0)
	temp := t.TempDir()
	a, err := query.Open(t.Context(), query.Options{Snapshot: lake, TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	if wd, _ := os.Getwd(); wd != lake.Root {
		t.Errorf("in %s, want the lake", wd)
	}
	b, err := query.Open(t.Context(), query.Options{Snapshot: lake, TempDir: temp})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query.Open(t.Context(), query.Options{Snapshot: newLake(t, t.TempDir(), 0), TempDir: temp}); err == nil || !strings.Contains(err.Error(), "another lake is open") {
		t.Errorf("two lakes: %v", err)
	}
	for _, e := range []*query.Engine{a, b, a} {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if wd, _ := os.Getwd(); wd != before {
		t.Errorf("in %s, want %s", wd, before)
	}
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	lake := newLake(t, t.TempDir(), 0)
	for _, c := range []struct {
		o    query.Options
		want string
	}{
		{query.Options{TempDir: t.TempDir()}, "no snapshot"},
		{query.Options{Snapshot: lake}, "no temporary folder"},
		{query.Options{Snapshot: lake, TempDir: lake.Root}, "is in the lake"},
		{query.Options{Snapshot: lake, TempDir: filepath.Join(t.TempDir(), "nowhere")}, "no such file"},
		{query.Options{Snapshot: lake, TempDir: t.TempDir(), MemoryLimit: "much"}, "start DuckDB"},
	} {
		e, err := query.Open(t.Context(), c.o)
		if err == nil {
			e.Close()
			t.Errorf("%+v is opened", c.o)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// The time that a statement may take can end while DuckDB starts.
func TestOpenIsInterrupted(t *testing.T) {
	lake := newLake(t, t.TempDir(), 0)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{{late, "longer than it may"}, {stopped, "interrupted"}} {
		_, err := query.Open(c.ctx, query.Options{Snapshot: lake, TempDir: t.TempDir()})
		var e *query.Error
		if !errors.As(err, &e) || e.Kind != query.Cancelled || !strings.Contains(e.Explain(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestAMissingFileIsTold(t *testing.T) {
	lake := newLake(t, t.TempDir(), 1)
	if err := os.Remove(filepath.Join(lake.Root, lake.Files[0].Path)); err != nil {
		t.Fatal(err)
	}
	e := open(t, lake)
	if _, _, err := tryAnswer(t.Context(), e, query.CSV, "SELECT count(*) FROM activities", query.WriteOptions{}); err == nil || !strings.Contains(err.Error(), lake.Files[0].Path) {
		t.Errorf("%v", err)
	}
}
