package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// One process: how it is started, what it took, and how it is ended when the
// person has had enough.

// process is a program to run.
type process struct {
	program string
	args    []string
	dir     string // "" is here
	env     []string
	feed    *process // its output is the input of this one; it is not measured
}

func (p process) String() string {
	return strings.Join(append([]string{filepath.Base(p.program)}, p.args...), " ")
}

// cost is what a process took.
type cost struct {
	wall, cpu time.Duration // cpu: of user and system
	peak      int64         // resident memory at its highest, bytes
	wrote     int64         // bytes it gave the file system to write, those it removed again too
	bytes     int64         // what it left, where the contestant says where that is
	files     int
	rows      int64 // where it tells them
	out       string
	errs      string
}

// command is a process in a group of its own, so that it can be ended with all
// that it started, and so that a Ctrl-C reaches only us.
func (p process) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs a process to its end.
func (p process) run(ctx context.Context) (cost, error) {
	cmd := p.command(ctx)
	var out, errs tail
	cmd.Stdout, cmd.Stderr = &out, &errs
	feeding := func() error { return nil }
	if p.feed != nil {
		stop, done, err := p.feed.into(ctx, cmd)
		if err != nil {
			return cost{}, err
		}
		defer stop()
		feeding = done
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, fmt.Errorf("%s: %w", p, err)
	}
	if f, ok := cmd.Stdin.(*os.File); ok {
		f.Close() // the child has it
	}
	watch := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	c := cost{wall: time.Since(began), peak: watch(), out: out.text(), errs: errs.text()}
	if ctx.Err() != nil {
		return c, ctx.Err()
	}
	if err != nil {
		return c, &processError{process: p, err: err, said: c.errs}
	}
	if err := feeding(); err != nil {
		return c, err
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	c.wrote = int64(usage.Oublock) * 512
	if most := peakOf(usage); most > ownPeak() || c.peak == 0 {
		c.peak = most
	}
	return c, nil
}

// into starts the process that feeds another one.
func (p process) into(ctx context.Context, eater *exec.Cmd) (stop func(), done func() error, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := p.command(ctx)
	var errs tail
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, nil, errors.Join(err, r.Close(), w.Close())
	}
	w.Close()
	eater.Stdin = r
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var waited bool
	done = func() error {
		waited = true
		if err := <-ended; err != nil {
			return &processError{process: p, err: err, said: errs.text()}
		}
		return nil
	}
	return func() {
		cancel()
		if !waited {
			<-ended
		}
	}, done, nil
}

// processError is a process that did not do what it was asked.
type processError struct {
	process process
	err     error
	said    string
}

func (e *processError) Error() string {
	said := strings.TrimSpace(e.said)
	return fmt.Sprintf("%s: %v\n%s", e.process, e.err, said)
}

func (e *processError) Unwrap() error { return e.err }

// short is the line of it for a table.
func short(err error) string {
	var failed *processError
	if !errors.As(err, &failed) {
		return oneLine(err.Error())
	}
	lines := strings.Split(strings.TrimSpace(failed.said), "\n")
	said := lines[len(lines)-1]
	for _, line := range lines {
		if _, behind, ok := strings.Cut(line, "Error: "); ok {
			said = behind
		}
	}
	return oneLine(fmt.Sprintf("%v: %s", failed.err, said))
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "/")), " ")
	return text[:min(len(text), 200)]
}

// The system knows the peak of a process that has ended, but for one thing: on
// Linux a process starts with the peak of the one that made it, which is ours, and
// so a smaller one is not seen. Those are looked at while they run.

func peakOf(usage *syscall.Rusage) int64 {
	if runtime.GOOS == "linux" {
		return int64(usage.Maxrss) << 10
	}
	return int64(usage.Maxrss) // bytes, on macOS
}

func ownPeak() int64 {
	var usage syscall.Rusage
	if runtime.GOOS != "linux" || syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return peakOf(&usage)
}

// watchPeak looks at the peak of a process until it is asked for it.
func watchPeak(pid int) (seen func() int64) {
	if runtime.GOOS != "linux" {
		return func() int64 { return 0 }
	}
	var most atomic.Int64
	done, ended := make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
				if _, rest, ok := bytes.Cut(text, []byte("VmHWM:")); ok {
					var kilobytes int64
					if fmt.Sscan(string(rest[:min(len(rest), 24)]), &kilobytes); kilobytes > 0 {
						most.Store(max(most.Load(), kilobytes<<10))
					}
				}
			}
			wait := 20 * time.Millisecond
			if n < 100 {
				wait = time.Millisecond // it may soon be over
			}
			select {
			case <-done:
				return
			case <-time.After(wait):
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return most.Load()
	}
}

// tail keeps the end of what a process says.
type tail struct{ kept []byte }

const mostKept = 1 << 20

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*mostKept {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-mostKept:]...)
	}
	return len(p), nil
}

func (t *tail) text() string { return string(t.kept) }

// background is a process that runs until it is stopped.
type background struct {
	cmd  *exec.Cmd
	errs *tail
	line string // the first one of its output
}

// start starts a process that says one line when it is ready.
func (p process) start(ctx context.Context) (*background, error) {
	b := &background{cmd: p.command(ctx), errs: &tail{}}
	b.cmd.Stderr = b.errs
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b.cmd.Stdout = w
	if err := b.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", p, err), w.Close())
	}
	w.Close()
	var line []byte
	one := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, &processError{process: p, err: errors.Join(errors.New("ended before it was ready"), b.cmd.Wait()), said: b.errs.text()}
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	b.line = string(line)
	return b, nil
}

// stop asks it to end, and answers what it said.
func (b *background) stop() string {
	b.cmd.Process.Signal(syscall.SIGTERM)
	b.cmd.Wait()
	return b.errs.text()
}
