package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The museum: testdata/lakes, explained in its README. v1 is a lake as it was
// written when there was format 1, and is never made anew. The others are v1
// with the damage that damage.txt describes; verify.txt and use.txt say what
// the program makes of each (UPDATE_GOLDEN=1 writes these two anew).
const museum = "../../testdata/lakes"

func TestTheMuseumOfLakes(t *testing.T) {
	t.Parallel()
	before := museumTree(t)
	entries, err := os.ReadDir(museum)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("lakes", func(t *testing.T) {
		for _, e := range entries {
			if e.IsDir() && e.Name() != "records" {
				t.Run(e.Name(), func(t *testing.T) {
					t.Parallel()
					exhibit(t, filepath.Join(museum, e.Name()))
				})
			}
		}
	})
	if museumTree(t) != before && os.Getenv("UPDATE_GOLDEN") == "" {
		t.Error("the museum has changed")
	}
}

// exhibit looks at one lake with the reading verbs, which must leave it as it
// is, and then has a record imported, which works or leaves it as it is.
func exhibit(t *testing.T, place string) {
	dir := t.TempDir()
	lake := filepath.Join(dir, "lake")
	if err := os.CopyFS(lake, os.DirFS(filepath.Join(museum, "v1", "lake"))); err != nil {
		t.Fatal(err)
	}
	damage(t, place, lake)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(museum, "records"))); err != nil {
		t.Fatal(err)
	}
	was := lakeTree(t, lake)

	verify := transcript(t, dir, "verify")
	if head, err := os.ReadFile(filepath.Join(place, "head.txt")); err == nil {
		verify += transcript(t, dir, "verify", "--expect-head", strings.TrimSpace(string(head)))
	}
	use := transcript(t, dir, "query", "-o", "csv", "select count(*) from activities") +
		transcript(t, dir, "query", "-o", "csv", "select activity_id, user_name, description from activities order by timestamp") +
		transcript(t, dir, "coverage")
	if lakeTree(t, lake) != was {
		t.Error("reading has changed the lake")
	}
	_, _, readable := mdcalake(t, dir, nil, "query", "from activities limit 0")
	text, code := imported(t, dir)
	use += text
	if code == exitDone && readable != exitDone {
		t.Error("the import has written on a lake that no reader can open")
	}
	if code != exitDone && lakeTree(t, lake) != was {
		t.Error("an import that was refused has changed the lake")
	}
	compareGolden(t, filepath.Join(place, "verify.txt"), verify)
	compareGolden(t, filepath.Join(place, "use.txt"), use)
}

// transcript is a command and what it answers.
func transcript(t *testing.T, dir string, args ...string) string {
	t.Helper()
	stdout, stderr, code := mdcalake(t, dir, nil, args...)
	return fmt.Sprintf("$ mdcalake%s\n%s%sexit code %d\n\n", quoted(args), stdout, strings.ReplaceAll(stderr, dir, "WORK"), code)
}

func quoted(args []string) string {
	var b strings.Builder
	for _, arg := range args {
		if strings.ContainsAny(arg, " *()") {
			arg = strconv.Quote(arg)
		}
		b.WriteString(" " + arg)
	}
	return b.String()
}

// imported adds one record to the cell where most of the damage is. What a
// successful run says differs from run to run; then the lake is verified.
func imported(t *testing.T, dir string) (text string, code int) {
	t.Helper()
	_, stderr, code := mdcalake(t, dir, nil, "import", "one.jsonl", "--quiet")
	text = fmt.Sprintf("$ mdcalake import one.jsonl --quiet\n%sexit code %d\n", strings.ReplaceAll(stderr, dir, "WORK"), code)
	if code == exitDone {
		_, _, then := mdcalake(t, dir, nil, "verify")
		rows, _, _ := mdcalake(t, dir, nil, "query", "-o", "csv", "--no-header", "select count(*) from activities")
		text += fmt.Sprintf("then verify: exit code %d, select count(*): %s", then, rows)
	}
	return text, code
}

// damage does to a copy of v1 what damage.txt in place says, a line each; lines
// that begin with # explain it. Paths are those in the lake.
//
//	delete PATH            remove a file, or a directory with all in it
//	copy FROM TO           copy a file
//	move FROM TO           rename a file
//	flip PATH N            change the lowest bit of byte N
//	cut PATH N             keep the first N bytes
//	edit PATH OLD NEW      write NEW for OLD, everywhere in the file
//	put STORED PATH        write the file STORED of the museum at PATH
//	append PATH STORED     write it behind the end of PATH
func damage(t *testing.T, place, lake string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(place, "damage.txt"))
	if os.IsNotExist(err) {
		return // v1 itself
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			if err := operation(place, lake, words[0], words[1:]); err != nil {
				t.Fatalf("damage.txt: %s: %v", strings.TrimSpace(line), err)
			}
		}
	}
}

func operation(place, lake, name string, args []string) error {
	if want := map[string]int{"delete": 1, "edit": 3}[name]; len(args) != max(want, 2) && len(args) != want {
		return fmt.Errorf("it has %d words", len(args))
	}
	in := func(rel string) string { return filepath.Join(lake, filepath.FromSlash(rel)) }
	switch name {
	case "delete":
		return os.RemoveAll(in(args[0]))
	case "move":
		return rewrite(in(args[0]), in(args[1]), nil, os.Rename)
	case "copy":
		return rewrite(in(args[0]), in(args[1]), keep, nil)
	case "put":
		return rewrite(filepath.Join(place, args[0]), in(args[1]), keep, nil)
	case "append":
		more, err := os.ReadFile(filepath.Join(place, args[1]))
		if err != nil {
			return err
		}
		return rewrite(in(args[0]), in(args[0]), func(b []byte) ([]byte, error) { return append(b, more...), nil }, nil)
	case "edit":
		return rewrite(in(args[0]), in(args[0]), func(b []byte) ([]byte, error) {
			if !strings.Contains(string(b), args[1]) {
				return nil, fmt.Errorf("%q is not in it", args[1])
			}
			return []byte(strings.ReplaceAll(string(b), args[1], args[2])), nil
		}, nil)
	case "flip", "cut":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return rewrite(in(args[0]), in(args[0]), func(b []byte) ([]byte, error) {
			if n >= len(b) {
				return nil, fmt.Errorf("it has %d bytes", len(b))
			}
			if name == "cut" {
				return b[:n], nil
			}
			b[n] ^= 1
			return b, nil
		}, nil)
	}
	return fmt.Errorf("there is no operation %q", name)
}

func keep(b []byte) ([]byte, error) { return b, nil }

// rewrite makes the file to out of the file from, by a change of its bytes or
// by a move.
func rewrite(from, to string, change func([]byte) ([]byte, error), move func(from, to string) error) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if move != nil {
		return move(from, to)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if data, err = change(data); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// lakeTree is every name and byte of a lake, but for the locks: a writer notes
// there who it is.
func lakeTree(t *testing.T, lake string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(lake, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "_mdcalake" && (d.Name() == "lock" || d.Name() == "readers") {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s %x\n", path, sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// museumTree is lakeTree of everything, and when each thing was written.
func museumTree(t *testing.T) string {
	t.Helper()
	all := lakeTree(t, museum)
	err := filepath.WalkDir(museum, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all += fmt.Sprintf("%s %s %s\n", path, info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// compareGolden compares with a file; UPDATE_GOLDEN=1 writes it.
func compareGolden(t *testing.T, path, have string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("%s (- want, + have):\n%s", path, diff)
	}
}

// Whoever wrote a lake with the first version asks it with every later one. It
// is asked where it lies, and stays as it is.
func TestTheLakeOfVersion1AnswersForEver(t *testing.T) {
	t.Parallel()
	lake, err := filepath.Abs(filepath.Join(museum, "v1", "lake"))
	if err != nil {
		t.Fatal(err)
	}
	before := museumTree(t)
	dir := t.TempDir()
	const head = "4:c265f197837aad30c83fbf87d5dae90e848305c8dd66ffb27630b1935046952e"
	for _, flags := range [][]string{nil, {"--quick"}} {
		out, _, code := mdcalake(t, dir, nil, append([]string{"verify", "--lake", lake, "--expect-head", head}, flags...)...)
		if code != exitDone || !strings.HasPrefix(out, "ok: 5 entries, 7 files, ") || !strings.HasSuffix(out, "head "+head+"\n") {
			t.Errorf("verify %v: exit code %d\n%s", flags, code, out)
		}
	}
	for _, c := range []struct{ sql, want string }{
		{"select count(*), count(distinct activity_id), min(timestamp), max(timestamp) from activities", "7,7,2026-11-18T12:00:00Z,2026-11-19T13:00:00Z"},
		{"select date, service, count(*) from activities group by all order by all", "2026-11-18,20893,5\n2026-11-19,11161,2"},
		{"select activity_id, user_name from activities order by timestamp", "m-1,ada@example.com\nm-2,bö@example.com\nm-3,carol@example.com\nm-6,mallory@example.com\nm-7,ada@example.com\nm-4,ada@example.com\nm-5,ada@example.com"},
		{"select a.description, r.description, r.replaced > r.ingested from activities a join revisions r using (activity_id)", `"Send mail, and what became of it",Send mail,true`},
		{"select description, raw_original is not null from activities where activity_id = 'm-6'", "Half a pair: \ufffd,true"},
		{"select decode(bytes), times_seen from quarantine", `"{""_id"":""no time"",""tenantId"":48213377,""appId"":20893}",2`},
		{"select verb, outcome, operator, case_id, records, added, revisions, duplicates, quarantined from runs order by started", "ingest,complete,ada,17,4,4,0,0,0\ningest,complete,ada,17,6,1,1,4,0\nimport,complete,bob,,4,2,0,1,1"},
		{"select distinct since, until, state from coverage order by all", "2026-11-18T00:00:00Z,2026-11-19T00:00:00Z,complete\n2026-11-18T14:30:00Z,2026-11-18T15:30:00.001Z,imported\n2026-11-19T00:00:00Z,2026-11-20T00:00:00Z,complete"},
		{"select app_id, source, event_type, generic_event_type, action, activity_kind, is_success, is_admin, severity, confidence, actor_id, user_tags, ip, other_ips from activities where activity_id = 'm-1'",
			`20893,2,2293781,ENUM_ACTIVITY_GENERIC_TYPE_LOGIN,UserLoggedIn,login,true,false,INFO,30,u-1,"[""5f01dbbc68df27c17aa6ca81""]",192.0.2.1,"[""192.0.2.1"",""2001:db8::1""]"`},
		{"select ip_category, country, city, latitude, longitude, isp, is_anonymous_proxy, browser, os, device_type, session_id, objects[1].value, workload, object_id from activities where activity_id = 'm-1'",
			"1,IS,Reykjavík,64.1466,-21.9426,Síminn,false,CHROME,Windows 10,DESKTOP,s-1,ada@example.com,Exchange,ada@example.com"},
	} {
		out, errs, code := mdcalake(t, dir, nil, "query", "--lake", lake, "-o", "csv", "--no-header", c.sql)
		if code != exitDone || out != c.want+"\n" {
			t.Errorf("%s: exit code %d, %q, want %q\n%s", c.sql, code, out, c.want, errs)
		}
	}
	// Byte for byte what was sent.
	for line := range strings.Lines(readFile(t, filepath.Join(museum, "records", "first.jsonl")) + readFile(t, filepath.Join(museum, "records", "second.jsonl")) + readFile(t, filepath.Join(museum, "records", "third.jsonl"))) {
		if strings.Contains(line, "no time") {
			continue
		}
		sql := fmt.Sprintf("select count(*) from (select raw, raw_original from activities union all select raw, raw_original from revisions) where sha256(coalesce(raw_original, encode(raw))) = '%x'", sha256.Sum256([]byte(strings.TrimSpace(line))))
		if out, _, _ := mdcalake(t, dir, nil, "query", "--lake", lake, "-o", "csv", "--no-header", sql); out != "1\n" {
			t.Errorf("%.30s is there %s times", line, strings.TrimSpace(out))
		}
	}
	if museumTree(t) != before {
		t.Error("reading has changed the museum")
	}
}
