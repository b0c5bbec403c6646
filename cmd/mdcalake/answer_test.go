package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mdcalake/query"
)

// asked is a directory with a lake of one record, and a folder for temporary
// files that must be empty behind each query.
type asked struct{ dir, temp string }

func newAsked(t *testing.T) asked {
	t.Helper()
	a := asked{dir: t.TempDir()}
	a.temp = filepath.Join(a.dir, "temp")
	if err := os.Mkdir(a.temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(a.dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, a.dir, nil, "import", "one.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
	return a
}

// query is a query that is about to start.
func (a asked) query(args ...string) (cmd *exec.Cmd, errs *bytes.Buffer) {
	cmd = command(a.dir, []string{"TMPDIR=" + a.temp}, append([]string{"query"}, args...)...)
	errs = new(bytes.Buffer)
	cmd.Stderr = errs
	return cmd, errs
}

// leftNothing: neither in the folder for temporary files nor beside the output.
func (a asked) leftNothing(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(a.temp); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v (%v)", left, err)
	}
	if left, _ := filepath.Glob(filepath.Join(a.dir, ".mdcalake-*")); len(left) > 0 {
		t.Errorf("left beside the output: %v", left)
	}
}

// eventually polls for something another process does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// endsSoon interrupts a query and sees it end.
func endsSoon(t *testing.T, cmd *exec.Cmd, errs *bytes.Buffer) {
	t.Helper()
	began := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		<-ended
		t.Fatal("it did not end within half a minute")
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it took %v to end", d)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || errs.String() != "mdcalake: the statement was interrupted\n" {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

const endless = "select range, md5(range::varchar) as a, md5((range + 1)::varchar) as b from range(10_000_000_000)"

// Ctrl-C reaches less and the query that writes to it; less stays, and reads
// no more.
func TestInterruptWhileNobodyReads(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	a := newAsked(t)
	for _, format := range query.Formats() {
		cmd, errs := a.query("-o", format, endless)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, out, 100_000); err != nil {
			t.Fatal(err)
		}
		used := ""
		eventually(t, format+": the query waits for its reader", func() bool {
			before := used
			used = processorTime(t, cmd.Process.Pid)
			time.Sleep(100 * time.Millisecond)
			return used == before
		})
		endsSoon(t, cmd, errs)
		a.leftNothing(t)
	}
}

// processorTime is what a process has used so far.
func processorTime(t *testing.T, pid int) string {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold blanks
	return strings.Join(strings.Fields(rest)[11:13], " ")
}

// The time that a query may take passes while nobody reads, too.
func TestTimeoutWhileNobodyReads(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	cmd, errs := a.query("-o", "csv", "--timeout", "2s", endless)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	err = cmd.Run()
	w.Close()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(errs.String(), "--timeout") {
		t.Errorf("%v: %s", err, errs.String())
	}
	a.leftNothing(t)
}

func TestInterruptLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	const name = "answer"
	for _, format := range query.Formats() {
		for _, before := range []string{"", "what was there"} {
			path := filepath.Join(a.dir, name)
			if before == "" {
				os.Remove(path)
			} else if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd, errs := a.query("-o", format, "--out", name, endless)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, format+": half the answer is written", func() bool {
				half, _ := filepath.Glob(filepath.Join(a.dir, ".mdcalake-out-*"))
				if len(half) != 1 {
					return false
				}
				info, err := os.Stat(half[0])
				return err == nil && info.Size() > 1<<20
			})
			endsSoon(t, cmd, errs)
			a.leftNothing(t)
			if text, err := os.ReadFile(path); before == "" && err == nil || string(text) != before {
				t.Errorf("%s: --out holds %d bytes (%v)", format, len(text), err)
			}
		}
	}
}

// An error in the middle leaves no half of a file either.
func TestAnErrorInTheMiddleLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	for _, format := range query.Formats() {
		cmd, errs := a.query("-o", format, "--out", "answer", "select range, case when range = 500000 then error('half way') end as x from range(1000000)")
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(errs.String(), "half way") {
			t.Errorf("%s: exit code %d: %s", format, code, errs.String())
		}
		if _, err := os.Stat(filepath.Join(a.dir, "answer")); err == nil {
			t.Errorf("%s: there is an answer", format)
		}
		a.leftNothing(t)
	}
}

// What does not fit in memory lies in a folder that nobody else may read, and
// goes with the query.
func TestInterruptWhileSpilling(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	cmd, errs := a.query("-o", "csv", "--memory-limit", "100MB", "select range, md5(range::varchar) as m from range(100_000_000) order by m")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it spills", func() bool {
		spilled, _ := filepath.Glob(filepath.Join(a.temp, "mdcalake-query-*", "spill", "*"))
		return len(spilled) > 0
	})
	folders, _ := filepath.Glob(filepath.Join(a.temp, "*"))
	for _, f := range folders {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v (%v)", f, info.Mode(), err)
		}
	}
	endsSoon(t, cmd, errs)
	a.leftNothing(t)
}

// A reader that has had enough, as head has, is no reason for a complaint, in
// any format, and between two answers neither.
func TestReaderThatHasHadEnough(t *testing.T) {
	t.Parallel()
	a := newAsked(t)
	for _, format := range query.Formats() {
		for _, sql := range []string{"select range, md5(range::varchar) as x from range(1000000)", "select 1 as x; select range, md5(range::varchar) as x from range(1000000)"} {
			f, _ := query.ParseFormat(format)
			if f.Binary() && strings.Contains(sql, ";") {
				continue
			}
			cmd, errs := a.query("-o", format, sql)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, out, 1); err != nil {
				t.Error(err)
			}
			out.Close()
			if err := cmd.Wait(); err != nil || errs.Len() > 0 {
				t.Errorf("%s: %v: %s", format, err, errs.String())
			}
			a.leftNothing(t)
		}
	}
}

// --out names what the program writes to already, or what is no file.
func TestOutNamesAStream(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/stdout"); err != nil {
		t.Skip("there is no /dev/stdout")
	}
	a := newAsked(t)
	path := filepath.Join(a.dir, "redirected")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, "before")
	cmd, errs := a.query("-o", "csv", "--out", "/dev/stdout", "select 1 as x")
	cmd.Stdout = f
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	fmt.Fprintln(f, "behind")
	if text := readFile(t, path); text != "before\nx\n1\nbehind\n" {
		t.Errorf("redirected: %q", text)
	}
	fifo := filepath.Join(a.dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, "/dev/null"} {
		cmd, errs := a.query("--out", name, "select 1")
		cmd.Stdout = new(bytes.Buffer) // not what the name leads to
		cmd.Run()
		info, err := os.Lstat(name)
		if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(errs.String(), "is no file") || err != nil || info.Mode().IsRegular() {
			t.Errorf("%s: exit code %d: %s (%v)", name, code, errs.String(), err)
		}
	}
	a.leftNothing(t)
}
