package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"mdcalake/query"
)

// promptWait is far more than a step takes.
const promptWait = 2 * time.Minute

// seat is a person at a terminal: a pseudo terminal with a screen, and
// mdcalake query at its other end.
type seat struct {
	t   *testing.T
	tty *os.File
	cmd *exec.Cmd

	mu      sync.Mutex
	screen  vt10x.Terminal
	changed chan struct{} // closed at the next change
	ended   bool
	pastes  bool // the terminal was asked to mark what is pasted
}

// sit starts mdcalake query in dir, which holds a lake.
func sit(t *testing.T, dir string, env []string, args ...string) *seat {
	t.Helper()
	s := &seat{t: t, changed: make(chan struct{})}
	s.cmd = command(dir, append([]string{"TERM=xterm", "XDG_STATE_HOME=", "INPUTRC=/dev/null", "PAGER=cat", "LESS=", "MDCALAKE_LAKE=lake"}, env...), append([]string{"query"}, args...)...)
	s.cmd.SysProcAttr = nil // a session of its own
	var err error
	if s.tty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	// The screen answers questions of the program, as where its cursor is.
	s.screen = vt10x.New(vt10x.WithSize(100, 30), vt10x.WithWriter(s.tty))
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := s.tty.Read(buf)
			s.mu.Lock()
			s.screen.Write(buf[:n])
			s.pastes = s.pastes || bytes.Contains(buf[:n], []byte("\x1b[?2004h"))
			s.ended = err != nil
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.cmd.Process.Kill()
			s.cmd.Wait()
		}
		s.tty.Close()
	})
	return s
}

// text is what stands on the screen, without blanks at the ends of its lines.
func (s *seat) text() string {
	var lines []string
	for line := range strings.SplitSeq(s.screen.String(), "\n") {
		lines = append(lines, strings.TrimRight(line, " \x00"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// until waits for the screen to be as ok wants it.
func (s *seat) until(what string, ok func(screen string) bool) {
	s.t.Helper()
	deadline := time.After(promptWait)
	for {
		s.mu.Lock()
		text, changed, ended := s.text(), s.changed, s.ended
		s.mu.Unlock()
		if ok(text) {
			return
		}
		if ended {
			s.t.Fatalf("the program ended before %s:\n%s", what, text)
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("never %s:\n%s", what, text)
		}
	}
}

func (s *seat) sees(want string) {
	s.t.Helper()
	s.until(fmt.Sprintf("%q on the screen", want), func(screen string) bool { return strings.Contains(screen, want) })
}

// ready waits until the prompt waits for an entry.
func (s *seat) ready() {
	s.t.Helper()
	s.until("a prompt", func(screen string) bool {
		return strings.TrimSpace(screen[strings.LastIndexByte(screen, '\n')+1:]) == strings.TrimSpace(primaryPrompt)
	})
}

func (s *seat) types(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// asks types an entry, waits for its answer and for the next prompt.
func (s *seat) asks(entry string, answers ...string) {
	s.t.Helper()
	s.types(entry + "\r")
	for _, a := range answers {
		s.sees(a)
	}
	s.ready()
}

// clears empties the screen.
func (s *seat) clears() {
	s.t.Helper()
	s.types("\x0c")
	s.until("a cleared screen", func(screen string) bool { return strings.TrimSpace(screen) == strings.TrimSpace(primaryPrompt) })
}

// leaves waits for the end of the program.
func (s *seat) leaves(code int) {
	s.t.Helper()
	s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.t.Errorf("exit code %d, want %d:\n%s", got, code, s.text())
	}
}

// promptLake makes a lake of n activities below a new directory.
func promptLake(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	addToLake(t, dir, 0, n)
	return dir
}

func addToLake(t *testing.T, dir string, from, n int) {
	t.Helper()
	var b bytes.Buffer
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, `{"_id":"id-%d","timestamp":%d,"appId":20893,"user":{"userName":"user%d@contoso.example"},"description":"%s"}`+"\n",
			i, at.Add(time.Duration(i)*time.Minute).UnixMilli(), i%7, strings.Repeat("word ", 20))
	}
	if err := os.WriteFile(filepath.Join(dir, "records.jsonl"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "records.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
}

// filesBelow lists all files of a directory with sizes and modes.
func filesBelow(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePromptAnswers(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 300)
	before := filesBelow(t, filepath.Join(dir, "lake"))
	s := sit(t, dir, nil)
	s.sees("300 activities, 2026-03-01 to 2026-03-01 (UTC)")
	s.ready()
	// Over several lines, until the semicolon.
	s.types("select user_name, count(*) as n\r")
	s.types("from activities where user_name < 'user2' group by 1\r")
	s.types("order by 1;\r")
	s.sees("user1@contoso.example  43\n(2 rows)\ncoverage: records may be missing: 2026-03-01 .. 2026-03-01T04:59:01Z imported (see")
	s.ready()
	// What is not covered is said once.
	s.clears()
	s.asks("select count(*) as again from activities where user_name < 'user2';", "86\n(1 row)\nmdcalake>")
	s.asks(".param who user1@contoso.example", "")
	s.asks("select count(*) as his from activities where user_name = $who;", "43\n(1 row)\nmdcalake>")
	s.asks("select $nobody;", "parameter $nobody has no value", ".param nobody VALUE")
	s.asks("explain select count(*) from activities where date = '2020-01-01';", "activities: reads 0 files of 1", "left out by date: 1 file")
	s.clears()
	s.asks(".tables", "activities        300  one row for each activity")
	s.asks(".schema activities", "content_hash        BIGINT", "(52 rows)")
	s.clears()
	// Errors point at the place, and the prompt goes on.
	s.asks("select '日本', usr_name from activities;",
		`Referenced column "usr_name" not found`, `Did you mean "user_name"`)
	s.asks("select count(*) from activities where service = 20893 and raw->>'$.x' = 'y';", "put parentheses around")
	s.asks(".tabels", `Did you mean ".tables"?`)
	s.clears()
	// Ctrl-C clears what is typed, on whichever line.
	s.types("select 1\rfrom no")
	s.sees("from no")
	s.types("\x03")
	s.ready()
	s.asks("select 7 as seven;", "seven\n-----\n    7\n(1 row)")
	s.clears()
	// Completion adds what all suggestions share, then shows them.
	s.types("select act\t")
	s.sees("activity_kind")
	s.types("\x03")
	s.ready()
	s.types("select user_na\t from acti\t\t;")
	s.sees("select user_name from activities;")
	s.types("\x03")
	s.ready()
	s.clears()
	// A paste is text: its tabs complete nothing, and what follows the first
	// statement is not lost.
	s.types("\x1b[200~select 1\tas a;\rselect 2 as b,\r3 as c;\r.mode json\rselect 4 as d;\r\x1b[201~")
	s.sees("select 4 as d;")
	s.until("asked to mark pastes", func(string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.pastes
	})
	s.types("\r")
	s.sees("b  c\n-  -\n2  3\n(1 row)")
	s.sees("[\n{\"d\":4}\n]")
	s.ready()
	// Escape by mistake does not eat the next key.
	s.types("\x1b")
	s.types("select 5 as e;\r")
	s.sees("[\n{\"e\":5}\n]")
	s.ready()
	s.types("\x04")
	s.leaves(exitDone)
	if after := filesBelow(t, filepath.Join(dir, "lake")); after != before {
		t.Errorf("the lake was changed:\n%s\nwas\n%s", after, before)
	}

	// What was typed is there the next time, in one piece, and is private.
	path := filepath.Join(dir, ".local", "state", "mdcalake", "history")
	for p, mode := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
		if info, err := os.Stat(p); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v (%v), want %v", p, info.Mode(), err, mode)
		}
	}
	entries, _ := query.DecodeHistory([]byte(readFile(t, path)))
	if want := "select user_name, count(*) as n\nfrom activities where user_name < 'user2' group by 1\norder by 1;"; len(entries) < 5 || entries[0] != want {
		t.Errorf("the history begins with %q, want %q", entries, want)
	}
	for _, e := range entries {
		if strings.Contains(e, "from no") {
			t.Errorf("an entry that was cleared is remembered: %q", e)
		}
	}
	s = sit(t, dir, nil)
	s.ready()
	s.types("\x1b[A\x1b[A")
	s.sees("select 2 as b,\n          3 as c;")
	s.types("\r")
	s.sees("[\n{\"d\":4}\n]")
	s.ready()
	s.types("quit\r")
	s.leaves(exitDone)
}

// A name that is asked for is the name that was typed: marks that join others,
// and characters without a width.
func TestThePromptTakesTextAsItIs(t *testing.T) {
	t.Parallel()
	s := sit(t, promptLake(t, 3), []string{"LANG=C.UTF-8"})
	s.ready()
	s.asks(".mode csv", "")
	for _, text := range []string{"e\u0301x", "a\u200db", "नमस्ते", "日本", "اَلْعَرَبِيَّة", "x\u202ey"} {
		for _, split := range []bool{false, true} {
			s.clears()
			want := fmt.Sprintf("%X", text)
			if split {
				for _, r := range "select hex('" + text + "');\r" {
					s.types(string(r)) // a terminal sends the bytes of a key together
				}
			} else {
				s.types("select hex('" + text + "');\r")
			}
			s.sees("\n" + want + "\n")
			s.ready()
		}
	}
	s.types("\x04")
	s.leaves(exitDone)
}

func TestThePromptShowsLongAnswersInThePager(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 300)
	// A pager that is left after three lines.
	s := sit(t, dir, []string{"PAGER=head -n 3 && echo was paged with $LESS && pwd"}, "--timing")
	s.ready()
	s.asks("select user_name from activities limit 10;", "(10 rows)")
	s.asks("select activity_id from activities order by timestamp;", "id-0\nwas paged with -SRX\n"+dir)
	s.asks("select 1 as still_there;", "still_there")
	// A million rows are not computed for it.
	s.asks("select i from range(1000000000000) as r(i);", "was paged")
	s.asks(".max-rows 5", "at most 5 rows")
	s.asks("select activity_id from activities;", "(5 of 300 rows)", ".max-rows 0 shows all rows")
	s.asks(".mode csv", "")
	s.asks("select activity_id from activities;", "-- 5 of 300 rows")
	s.types("\x04")
	s.leaves(exitDone)
}

func TestCtrlCEndsTheStatementAlone(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 3)
	s := sit(t, dir, nil)
	s.ready()
	// The second one would not end; the third is left out.
	s.types("select 'begun' as x; select count(*) from range(1000000000) a, range(1000000000) b; select 'never' as y;\r")
	s.sees("begun\n(1 row)")
	s.types("\x03")
	s.sees("interrupted")
	s.ready()
	s.asks("select 'alive' as z;", "alive\n(1 row)")
	if strings.Contains(s.text(), "never\n") {
		t.Error("the statement behind the interrupted one was run")
	}
	s.types(".quit\r")
	s.leaves(exitDone)
}

// A lake that grows beside the prompt is answered for as it is now, and the
// prompt says so.
func TestThePromptFollowsTheLake(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 10)
	s := sit(t, dir, nil)
	s.ready()
	s.asks("select count(*) as n from activities;", "10\n(1 row)")
	addToLake(t, dir, 10, 5)
	s.asks("select count(*) as n from activities;", "-- the lake is at version 1 now (5 more activities)", "15\n(1 row)")
	s.types("select user_na\t")
	s.sees("select user_name")
	s.types("\x03")
	s.ready()
	s.types("\x04")
	s.leaves(exitDone)
}

func TestThePromptReadsAndWritesFiles(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 3)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a b.sql", "-- what a hunt asks\n.mode csv\nselect count(*) as n from activities;\n\nselect nope from activities;\nselect 3")
	write("self.sql", ".read self.sql\n")
	s := sit(t, dir, nil)
	s.ready()
	s.asks(".read 'a b.sql'", "n\n3\n", "-- a b.sql, from line 5:", `Referenced column "nope" not found`)
	s.asks(".read self.sql", "8 files read each other")
	s.asks(".read nothing.sql", "read nothing.sql: no such file or directory")
	s.clears()
	// Files are made where the person is, not in the lake.
	s.asks(".output out.csv", "-- the next answers go to "+dir)
	s.asks("select 1 as x;", "-- 1 row in "+dir)
	if got := readFile(t, filepath.Join(dir, "out.csv")); got != "x\n1\n" {
		t.Errorf("the first answer: %q", got)
	}
	s.asks("select 'a' as y;", "-- 1 row")
	// An answer that fails leaves nothing.
	s.asks("select error('no') from range(3) where range > 1;", "no")
	s.asks(".output", "-- 2 answers in "+dir)
	if got := readFile(t, filepath.Join(dir, "out.csv")); got != "x\n1\n\ny\na\n" {
		t.Errorf("two answers: %q", got)
	}
	s.clears()
	s.asks(".output lake/out.csv", "lies in the lake")
	s.asks(".mode parquet")
	s.asks("select 1;", "parquet is binary, and this is a terminal")
	s.asks(".output out.parquet")
	s.asks("select 1 as x;", "-- 1 row")
	s.asks("select 1 as x;", "holds an answer already")
	s.types(".exit\r")
	s.leaves(exitDone)
	if got := readFile(t, filepath.Join(dir, "out.parquet")); !strings.HasPrefix(got, "PAR1") {
		t.Errorf("no Parquet: %.20q", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".mdcalake-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Whoever ends the program or closes the window leaves no temporary files, and
// the terminal as it was.
func TestThePromptTidiesUp(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"told to end": syscall.SIGTERM, "the window is closed": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := promptLake(t, 3)
			temp := t.TempDir()
			s := sit(t, dir, []string{"TMPDIR=" + temp})
			s.ready()
			s.asks("select 1;", "(1 row)")
			s.types("select 2")
			s.sees("select 2")
			s.cmd.Process.Signal(signal)
			s.leaves(exitInterrupted)
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %v (%v)", left, err)
			}
		})
	}
}

func TestThePromptOnATerminalWithoutCursor(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 3)
	s := sit(t, dir, []string{"TERM=dumb"})
	s.ready()
	s.types("select 1 as one,\r")
	s.sees("      ...")
	s.types("2 as two;\r")
	s.sees("one  two\n---  ---\n  1    2\n(1 row)")
	s.ready()
	s.types("select 3 as\r")
	s.sees("select 3 as\n      ...")
	s.types("\x03")
	s.until("a new prompt", func(screen string) bool { return strings.HasSuffix(screen, "^C\nmdcalake>") })
	s.asks("select 4 as four;", "four\n----\n   4")
	s.types("select 'begun' as x; select count(*) from range(1000000000) a, range(1000000000) b;\r")
	s.sees("begun\n(1 row)")
	s.types("\x03")
	s.sees("interrupted")
	s.ready()
	s.types("\x04")
	s.leaves(exitDone)
}

// A pipe at either end never opens the prompt.
func TestPipesOpenNoPrompt(t *testing.T) {
	t.Parallel()
	dir := promptLake(t, 3)
	for _, args := range [][]string{{}, {"-o", "csv"}} {
		tty, other, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer tty.Close()
		defer other.Close()
		var out, errs, answer bytes.Buffer
		cmd := command(dir, []string{"TERM=xterm"}, append([]string{"query"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = other, &out, &errs
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitUsage || out.Len() > 0 || !strings.Contains(errs.String(), "no SQL is given") {
			t.Errorf("stdout is a pipe: exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
		}
		cmd = command(dir, []string{"TERM=xterm"}, append([]string{"query"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("select 1 as x"), other, &answer
		cmd.Run()
		other.Close()
		answer.ReadFrom(tty) // ends with an error: nobody writes there any more
		if code := cmd.ProcessState.ExitCode(); code != exitDone || strings.Contains(answer.String(), "mdcalake>") || !strings.Contains(answer.String(), "\r\n1\r\n") {
			t.Errorf("stdin is a pipe: exit code %d, %q", code, answer.String())
		}
	}
}
