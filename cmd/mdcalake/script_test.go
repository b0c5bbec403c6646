package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	_ "github.com/duckdb/duckdb-go/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

// canary is the credential of every script. When one ends, its work directory
// must not hold it, but for files whose name begins with "token"; nor may any
// answer have shown it.
const canary = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mdcalake": testedMain})
}

// TestScripts runs the program as a person uses it. Beside testscript's own,
// scripts have these commands:
//
//	sim [flags]            start mdcasim (on the port it had before, if any); sets $URL and $MDCALAKE_URL,
//	                       and with --now mdcalake's clock
//	simstop                end it
//	exits CODE CMD...      run CMD, which must exit with CODE
//	refuses CODE ARGS...   mdcalake ARGS must exit with CODE, say one sentence and a hint on
//	                       stderr, nothing on stdout, and leave the whole work directory as it is
//	sqlerror TEXT SQL...   mdcalake query SQL must exit 1 the same way; stderr may show the place
//	sqlfault ARGS...       mdcalake ARGS must do so
//	unchanged ARGS...      mdcalake ARGS must exit 0 and leave the whole work directory as it is
//	truth FILE [LAKE]      the lake holds exactly the payloads of FILE, the truth of mdcasim
//	duckdb [FILE] SQL      a bare DuckDB runs SQL, behind the SQL of FILE; CSV on stdout
//	misread LAKE FILE      the lines of FILE go to quarantine, as if the decoder could not read them
//	lock LAKE              another process writes to the lake, until the script's end
//	count N [GLOB]         stdout has N lines that match GLOB as a regular expression (default: all)
//	same A B               the two files hold the same lines, in any order
func TestScripts(t *testing.T) {
	t.Parallel()
	simulatorProgram = buildSimulator(t.TempDir())
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("..", "..", "testdata", "script"),
		RequireUniqueNames: true,
		ContinueOnError:    true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MDCALAKE_TOKEN", canary)
			e.Setenv("CANARY", canary)
			e.Setenv("TZ", "UTC")
			e.Setenv("NL", "\n")
			s := &script{}
			e.Values[scriptKey{}] = s
			e.Defer(func() {
				s.stop()
				if s.lock != nil {
					s.lock.Close()
				}
				s.leavesNoSecret(e.T(), e.WorkDir)
				if s.leftWhole {
					verifies(e.T(), filepath.Join(e.WorkDir, "lake"))
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sim": cmdSim, "simstop": func(ts *testscript.TestScript, _ bool, _ []string) { scriptOf(ts).stop() },
			"exits": cmdExits, "refuses": cmdRefuses, "sqlerror": cmdSQLError, "sqlfault": cmdSQLFault, "unchanged": cmdUnchanged,
			"truth": cmdTruth, "duckdb": cmdDuckDB, "lock": cmdLock, "misread": cmdMisread, "count": cmdCount, "same": cmdSame,
		},
	})
}

type scriptKey struct{}

// script is what one script has running.
type script struct {
	sim       *exec.Cmd
	simOut    io.Closer
	address   string
	lock      *store.Writer
	leftWhole bool // a lake was written: it is verified at the end
}

func scriptOf(ts *testscript.TestScript) *script { return ts.Value(scriptKey{}).(*script) }

// run is ts.Exec with what every answer must hold to.
func (s *script) run(ts *testscript.TestScript, program string, args ...string) (stdout, stderr string, code int) {
	err := ts.Exec(program, args...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", program, err)
	}
	stdout, stderr = ts.ReadFile("stdout"), ts.ReadFile("stderr")
	for _, text := range []string{stdout, stderr} {
		if strings.Contains(text, canary) {
			ts.Fatalf("the credential was shown")
		}
		if strings.Contains(text, "goroutine ") || strings.Contains(text, "panic:") {
			ts.Fatalf("the program panicked")
		}
	}
	if program == "mdcalake" && len(args) > 0 && (args[0] == "ingest" || args[0] == "import") && code == 0 {
		s.leftWhole = true
	}
	return stdout, stderr, code
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if _, _, code := scriptOf(ts).run(ts, args[1], args[2:]...); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// sentence is one with its hint, perhaps after the word on who signs in.
var sentence = regexp.MustCompile(`^(sign(ed|ing) in with [^\n]+\n)?mdcalake: [^\n]+\nHint: [^\n]+\n$`)

func cmdRefuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refuses CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	stderr := unchangedBy(ts, want, args[1:])
	if stdout := ts.ReadFile("stdout"); stdout != "" {
		ts.Fatalf("stdout is not empty")
	}
	if !sentence.MatchString(stderr) {
		ts.Fatalf("stderr is not one sentence and a hint")
	}
}

// sqlFault is a sentence, perhaps the place in the SQL, perhaps a hint.
var sqlFault = regexp.MustCompile(`^mdcalake: [^\n]+\n(LINE \d+: [^\n]*\n *\^\n)?([A-Z][^\n]+\n)?$`)

func cmdSQLError(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sqlerror TEXT SQL...")
	}
	cmdSQLFault(ts, neg, append([]string{"query"}, args[1:]...))
	if !strings.Contains(ts.ReadFile("stderr"), args[0]) {
		ts.Fatalf("stderr does not speak of %q", args[0])
	}
}

func cmdSQLFault(ts *testscript.TestScript, _ bool, args []string) {
	stderr := unchangedBy(ts, exitFailed, args)
	if stdout := ts.ReadFile("stdout"); stdout != "" {
		ts.Fatalf("stdout is not empty")
	}
	if !sqlFault.MatchString(stderr) {
		ts.Fatalf("stderr is not a sentence, a place and a hint")
	}
}

func cmdUnchanged(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: unchanged ARGS...")
	}
	unchangedBy(ts, exitDone, args)
}

// unchangedBy runs mdcalake, which must leave every file below the work
// directory as it was, temporary ones too, and make none.
func unchangedBy(ts *testscript.TestScript, want int, args []string) (stderr string) {
	dir := ts.Getenv("WORK")
	before := tree(ts, dir)
	_, stderr, code := scriptOf(ts).run(ts, "mdcalake", args...)
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	after := tree(ts, dir)
	if args[0] == "ingest" || args[0] == "import" {
		// A writer notes in the lock who holds it, for messages.
		maps.DeleteFunc(before, isLock)
		maps.DeleteFunc(after, isLock)
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			ts.Fatalf("%s is changed or new: %q, was %q", name, after[name], before[name])
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			ts.Fatalf("%s is gone", name)
		}
	}
	return stderr
}

func isLock(path, _ string) bool { return strings.HasSuffix(path, "/_mdcalake/lock") }

// tree is every name below dir with its mode and the hash of its bytes.
func tree(ts *testscript.TestScript, dir string) map[string]string {
	all := map[string]string{}
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		sum := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum = fmt.Sprintf(" %x", sha256.Sum256(data))
		}
		all[path] = info.Mode().String() + sum
		return nil
	}))
	return all
}

// simulatorProgram is mdcasim, built at the first script that needs it: it is
// another main package.
var simulatorProgram func() (string, error)

func buildSimulator(dir string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		program := filepath.Join(dir, "mdcasim")
		out, err := exec.Command("go", "build", "-o", program, "mdcalake/cmd/mdcasim").CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("build mdcasim: %w\n%s", err, out)
		}
		return program, nil
	})
}

func cmdSim(ts *testscript.TestScript, _ bool, args []string) {
	s := scriptOf(ts)
	s.stop()
	program, err := simulatorProgram()
	ts.Check(err)
	if s.address == "" {
		s.address = "127.0.0.1:0"
	}
	// It ends by itself should the test be killed.
	s.sim = exec.Command(program, append([]string{"--listen", s.address, "--max-time", "5m"}, args...)...)
	s.sim.Dir = ts.MkAbs(".")
	var stderr bytes.Buffer
	s.sim.Stderr = &stderr
	out, err := s.sim.StdoutPipe()
	ts.Check(err)
	ts.Check(s.sim.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		ts.Fatalf("mdcasim does not start: %v\n%s", err, stderr.String())
	}
	s.simOut = out
	u, err := url.Parse(strings.TrimSpace(line))
	ts.Check(err)
	s.address = u.Host
	ts.Setenv(fastClockVariable, "")
	if i := slices.Index(args, "--now"); i >= 0 {
		now, err := time.Parse(time.RFC3339, args[i+1])
		ts.Check(err)
		_, clock, _ := strings.Cut(clockAt(now), "=")
		ts.Setenv(fastClockVariable, clock)
	}
	ts.Setenv("URL", u.String())
	ts.Setenv("MDCALAKE_URL", u.String())
}

func (s *script) stop() {
	if s.sim == nil {
		return
	}
	_ = s.sim.Process.Kill()
	_ = s.sim.Wait() // killed: no result of interest
	s.sim = nil
}

func cmdLock(ts *testscript.TestScript, _ bool, args []string) {
	w, err := store.OpenWriter(ts.MkAbs(args[0]), store.WriterOptions{ToolVersion: version, Verb: "ingest"})
	ts.Check(err)
	scriptOf(ts).lock = w
}

func cmdMisread(ts *testscript.TestScript, _ bool, args []string) {
	w, err := store.OpenWriter(ts.MkAbs(args[0]), store.WriterOptions{ToolVersion: version, Verb: "ingest"})
	ts.Check(err)
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: store.NewRunID(time.Now()), Started: time.Now().UTC(), Outcome: "complete", Verb: "ingest"})
	ts.Check(err)
	defer a.Close()
	n := int32(0)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		record := []byte(strings.TrimSuffix(line, "\n"))
		ts.Check(a.Quarantine(context.Background(), store.Quarantined{Bytes: record, Reason: "of another day", Page: 1, Position: n}))
		n++
	}
	_, err = a.Commit(context.Background(), store.Commit{Run: a.Run()})
	ts.Check(err)
}

func cmdCount(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	pattern := regexp.MustCompile("")
	if len(args) > 1 {
		pattern, err = regexp.Compile(args[1])
		ts.Check(err)
	}
	n := 0
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if pattern.MatchString(strings.TrimSuffix(line, "\n")) {
			n++
		}
	}
	if n != want {
		ts.Fatalf("%d lines, want %d", n, want)
	}
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	lines := func(name string) []string {
		all := strings.Split(ts.ReadFile(name), "\n")
		slices.Sort(all)
		return all
	}
	if slices.Equal(lines(args[0]), lines(args[1])) == neg {
		ts.Fatalf("the lines of %s and %s are the same: %v", args[0], args[1], neg)
	}
}

// cmdDuckDB lets the engine alone read what we wrote.
func cmdDuckDB(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("duckdb", "")
	ts.Check(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	if len(args) > 1 {
		_, err := db.Exec(ts.ReadFile(args[0]))
		ts.Check(err)
		args = args[1:]
	}
	rows, err := db.Query(os.Expand(args[0], ts.Getenv))
	ts.Check(err)
	defer rows.Close()
	columns, err := rows.Columns()
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), strings.Join(columns, ","))
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		ts.Check(rows.Scan(into...))
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = v.String
		}
		fmt.Fprintln(ts.Stdout(), strings.Join(line, ","))
	}
	ts.Check(rows.Err())
}

// cmdTruth compares the lake, file by file and not through the engine, with
// what the simulator says it served.
func cmdTruth(ts *testscript.TestScript, neg bool, args []string) {
	lake := ts.MkAbs("lake")
	if len(args) > 1 {
		lake = ts.MkAbs(args[1])
	}
	diff, err := compareWithTruth(ts.MkAbs(args[0]), lake)
	ts.Check(err)
	if (diff != "") != neg {
		ts.Fatalf("lake against truth: %q", diff)
	}
}

// compareWithTruth says how a lake differs from a truth file; "" is not at all.
func compareWithTruth(truthFile, lake string) (string, error) {
	text, err := os.ReadFile(truthFile)
	if err != nil {
		return "", err
	}
	current, old := map[string]int{}, map[string]int{}
	for line := range bytes.Lines(text) {
		var p struct {
			ID      string `json:"_id"`
			SHA256  string
			Current bool
		}
		if err := json.Unmarshal(line, &p); err != nil {
			return "", err
		}
		if p.Current {
			current[p.ID+" "+p.SHA256]++
		} else {
			old[p.ID+" "+p.SHA256]++
		}
	}
	l, err := store.Open(lake)
	if err != nil {
		return "", err
	}
	defer l.Close()
	s := l.Snapshot()
	var diff strings.Builder
	for _, part := range []struct {
		name  string
		files []store.File
		want  map[string]int
	}{{"activities", s.Files, current}, {"revisions", s.Revisions, old}} {
		missing, extra := part.want, 0
		for _, f := range part.files {
			err := store.ReadRows(context.Background(), filepath.Join(lake, filepath.FromSlash(f.Path)), func(r *store.Row) error {
				sum := sha256.Sum256(r.Verbatim())
				key := string(r.Bytes(r.Strings[store.ActivityID])) + " " + hex.EncodeToString(sum[:])
				if missing[key]--; missing[key] < 0 {
					extra++
				} else if missing[key] == 0 {
					delete(missing, key)
				}
				return nil
			})
			if err != nil {
				return "", err
			}
		}
		if lost := len(missing) - extra; extra != 0 || lost != 0 {
			fmt.Fprintf(&diff, "%s: %d missing, %d too many; ", part.name, lost, extra)
		}
	}
	return diff.String(), nil
}

// leavesNoSecret looks for the credential in everything a script left behind.
func (s *script) leavesNoSecret(t testscript.T, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "token") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(canary)) {
			return fmt.Errorf("%s holds the credential", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// verifies runs our own verifier over a lake.
func verifies(t testscript.T, lake string) {
	if _, err := os.Stat(filepath.Join(lake, "activities")); err != nil {
		return
	}
	_, err := store.Verify(context.Background(), lake, store.VerifyOptions{Lift: ingest.Lift}, func(p store.Problem) {
		t.Fatal("the lake is damaged: " + p.String())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mdcalake runs the program as a process of its own.
func mdcalake(t *testing.T, dir string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(dir, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	t.Logf("mdcalake %q: %v\n%s", args, err, errs.String())
	if strings.Contains(out.String()+errs.String(), canary) {
		t.Errorf("mdcalake %q shows the credential", args)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func command(dir string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("mdcalake", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "MDCALAKE_TOKEN="+canary)
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 30 * time.Second
	return cmd
}
