package query

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mdcalake/store"
)

// What a statement opens is counted here, since a time says little: what takes
// the time of a question to a year is how often its files are looked at.

// opens runs a statement and counts how often each file of the lake was opened
// for it, by DuckDB's own log. It also answers what the instance still held of
// these files at the end, in bytes.
func opens(t *testing.T, e *Engine, sql string) (times map[string]int, held int64, chosen []string) {
	t.Helper()
	in, err := e.takeInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.exec(t.Context(), "CALL enable_logging('FileSystem', level = 'trace')"); err != nil {
		t.Fatal(err)
	}
	rows, err := e.ask(t.Context(), in, sql)
	if err != nil {
		t.Fatalf("%s\n%v", sql, err)
	}
	defer rows.Close()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s\n%v", sql, err)
		}
		batch.Release()
	}
	rows.stream.close() // one at a time
	log, err := in.conn.QueryContext(t.Context(), "SELECT path, count(*) FROM duckdb_logs_parsed('FileSystem') WHERE op = 'OPEN' GROUP BY path")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	times = map[string]int{}
	for log.Next() {
		var path string
		var n int
		if err := log.Scan(&path, &n); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "activities/") {
			times[path] = n
		}
	}
	if err := log.Err(); err != nil {
		t.Fatal(err)
	}
	if err := in.conn.QueryRowContext(t.Context(), "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() WHERE tag = 'EXTERNAL_FILE_CACHE'").Scan(&held); err != nil {
		t.Fatal(err)
	}
	chosen = rows.choice.files.paths(tableNamed("activities"))
	slices.Sort(chosen)
	return times, held, chosen
}

func TestFilesAreOpenedNoOftenerThanTheyAreScanned(t *testing.T) {
	e := openEngine(t, openLake(t, writePruneLake(t, t.TempDir())))
	all := len(e.Snapshot().Files)
	if all < 20 {
		t.Fatalf("the lake has %d files", all)
	}
	for _, c := range []struct {
		name, sql string
		scans     int
		files     func(n int) bool
	}{
		{"the whole lake", "SELECT user_name, count(*) FROM activities GROUP BY ALL", 1, func(n int) bool { return n == all }},
		{"the whole lake twice", "SELECT count(*) FROM activities a JOIN activities b USING (activity_id, run_id)", 2, func(n int) bool { return n == all }},
		{"one activity", "SELECT raw FROM activities WHERE activity_id = 'Id-0-1-20893-0'", 1, func(n int) bool { return n >= 1 && n < all/4 }},
		{"one day", "SELECT count(ip) FROM activities WHERE date = '" + pruneDay.Format("2006-01-02") + "'", 1, func(n int) bool { return n >= 1 && n < all/2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			times, held, chosen := opens(t, e, c.sql)
			if opened := slices.Sorted(maps.Keys(times)); !slices.Equal(opened, chosen) || !c.files(len(opened)) {
				t.Errorf("%d of %d files were opened, and %d chosen", len(opened), all, len(chosen))
			}
			// A scan opens a file for its footer and for its rows; and the first file says
			// what columns there are, once for each scan.
			total := 0
			for path, n := range times {
				total += n
				if n > 3*c.scans {
					t.Errorf("%s was opened %d times", path, n)
				}
			}
			if most := c.scans * (2*len(chosen) + 1); total > most {
				t.Errorf("%d files were opened %d times, more than %d", len(chosen), total, most)
			}
			if held > 0 {
				t.Errorf("%d bytes of files are held at the end", held)
			}
		})
	}
}

// TestBindingLooksAtNoFile: the files are elsewhere while a statement is bound.
func TestBindingLooksAtNoFile(t *testing.T) {
	root := writePruneLake(t, t.TempDir())
	e := openEngine(t, openLake(t, root))
	in, err := e.takeInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	q, err := e.check(t.Context(), in, "SELECT count(*) FROM activities")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.furnish(t.Context(), in, q); err != nil {
		t.Fatal(err)
	}
	if err := in.exec(t.Context(), "BEGIN TRANSACTION"); err != nil {
		t.Fatal(err)
	}
	c, err := e.choose(t.Context(), in, q)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.allow(t.Context(), in, q, c.files); err != nil {
		t.Fatal(err)
	}
	there, away := filepath.Join(root, "activities"), filepath.Join(root, "elsewhere")
	if err := os.Rename(there, away); err != nil {
		t.Fatal(err)
	}
	p, err := e.bind(t.Context(), in, q, c.files)
	if err := os.Rename(away, there); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatalf("without its files the statement is not bound: %v", err)
	}
	defer p.close()
	if err := e.hand(t.Context(), in, q, c.files); err != nil {
		t.Fatal(err)
	}
	s, err := p.run()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	batch, err := s.next()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	var rows int64
	for _, f := range e.Snapshot().Files {
		rows += f.Rows
	}
	if got := batch.Column(0).ValueStr(0); got != strconv.FormatInt(rows, 10) {
		t.Errorf("%s rows are counted, and the log has %d", got, rows)
	}
}

// A thread needs memory of its own: there are no more than it has room for, if
// nobody says how many.
func TestThreadsHaveRoom(t *testing.T) {
	threads := func(l limits) (n int64) {
		in, err := openInstance(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		defer in.close()
		if err := in.conn.QueryRowContext(t.Context(), "SELECT current_setting('threads')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	processors := threads(limits{memory: "1TiB"})
	for memory, most := range map[string]int64{"10MiB": 1, "511MiB": 1, "512MiB": 2, "1GiB": 4} {
		if got, want := threads(limits{memory: memory}), min(processors, most); got != want {
			t.Errorf("%d threads in %s, want %d", got, memory, want)
		}
	}
	if got := threads(limits{memory: "64MiB", threads: 3}); got != 3 {
		t.Errorf("%d threads, want the 3 that were asked for", got)
	}
}

// TestAnInstanceIsStartedAhead: one is ready while the lake is opened, and one
// more while values are given to parameters.
func TestAnInstanceIsStartedAhead(t *testing.T) {
	root := writePruneLake(t, t.TempDir())
	ahead := Start(t.Context(), "")
	e, err := Open(t.Context(), Options{Snapshot: openLake(t, root), TempDir: t.TempDir(), Threads: 1, MaxSpill: "1GiB", Starting: ahead})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in, err := e.takeInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if in != ahead.in {
		t.Error("the instance that was started ahead is not used")
	}
	for setting, want := range map[string]string{"temp_directory": e.temp.spill(), "threads": "1", "max_temp_directory_size": "1.0 GiB"} {
		var got string
		if err := in.conn.QueryRowContext(t.Context(), "SELECT current_setting('"+setting+"')::VARCHAR").Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", setting, got, want, err)
		}
	}
	e.giveBack(in)
	if _, _, err := e.Bind(t.Context(), "SELECT count(*) FROM activities WHERE date = $day", []Parameter{{Name: "day", Value: "2026-03-02"}}); err != nil {
		t.Fatal(err)
	}
	if e.warm == nil {
		t.Error("while a value was given to a parameter no instance was started for the statement")
	}
	if err := Start(t.Context(), "").Close(); err != nil {
		t.Errorf("one that nobody needs: %v", err)
	}
	if err := ahead.Close(); err != nil {
		t.Errorf("one that was taken: %v", err)
	}
	var none *Starting
	if err := none.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Options{Snapshot: &store.Snapshot{Root: root}, TempDir: t.TempDir(), Starting: Start(t.Context(), "nonsense")}); err == nil || !strings.Contains(err.Error(), "start DuckDB") {
		t.Errorf("one that did not come up: %v", err)
	}
}
