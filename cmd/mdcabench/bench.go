package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the program: where things are, and who is told.
type bench struct {
	work     string // of this run, below --dir; gone at its end
	programs string // where mdcalake and mdcasim are
	self     string // this program
	testdata string
	venv     string
	result   string // "" for none: the section goes to stdout
	rounds   int
	cold     bool // the system's cache is emptied before each run
	began    time.Time
	console
}

// progress says on stderr what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.err, "%6.0fs %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// path is a name in the run's own directory.
func (b *bench) path(name string) string { return filepath.Join(b.work, name) }

// process is a program with our environment, but for where temporary files go.
func (b *bench) process(program string, args ...string) process {
	return process{program: program, args: args, env: append(slices.Clone(b.environ), "TMPDIR="+b.work)}
}

// mdcalake is the program, with what it needs for one lake.
func (b *bench) mdcalake(args ...string) process {
	p := b.process(filepath.Join(b.programs, "mdcalake"), args...)
	p.env = append(p.env, "MDCALAKE_TOKEN=bench")
	return p
}

// child is a hidden command of this program.
func (b *bench) child(args ...string) process {
	return b.process(b.self, append([]string{"child"}, args...)...)
}

// must runs a process that is no contestant.
func (b *bench) must(ctx context.Context, p process) (cost, error) { return p.run(ctx) }

// verify ends every lake.
func (b *bench) verify(ctx context.Context, lake string) error {
	_, err := b.must(ctx, b.mdcalake("verify", "--lake", lake))
	return err
}

// remove takes away what a part has made, the parts' own files being read-only.
func remove(paths ...string) error {
	var errs []error
	for _, path := range paths {
		filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				os.Chmod(name, 0o700)
			}
			return nil
		})
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// forget empties the system's cache, if that was asked for.
func (b *bench) forget() error {
	if !b.cold {
		return nil
	}
	syscall.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return fmt.Errorf("--drop-caches: %w; only root on Linux can", err)
	}
	return nil
}

// warmth says what was warm.
func (b *bench) warmth() string {
	if b.cold {
		return "cold files: the system's cache was emptied before each run"
	}
	return "warm files: they were in the system's cache as far as it holds them"
}

// warm reads a file, so that the first contestant does not pay for all.
func (b *bench) warm(path string) error {
	if b.cold {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// workPrefix begins the names of directories of runs; the process's number ends them.
const workPrefix = "run-"

// makeWork makes a directory for this run, and removes those of runs that died.
func makeWork(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(dir, workPrefix+"*"))
	if err != nil {
		return "", err
	}
	for _, path := range old {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), workPrefix))
		if err == nil && pid > 0 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			if err := remove(path); err != nil {
				return "", err
			}
		}
	}
	work := filepath.Join(dir, workPrefix+strconv.Itoa(os.Getpid()))
	if err := remove(work); err != nil {
		return "", err
	}
	return work, os.Mkdir(work, 0o700)
}
