package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is who the program runs as where the tests run as root, whom no mode
// keeps out.
const nobody = 65534

// stranger runs the program in dir as one to whom modes apply. dir and all
// above it must let everybody through.
type stranger struct {
	t       *testing.T
	program string
	dir     string
}

func newStranger(t *testing.T) stranger {
	t.Helper()
	s := stranger{t: t, program: "mdcalake", dir: t.TempDir()}
	t.Cleanup(func() { s.modes(s.dir, 0, 0o700) }) // to be deleted
	if os.Geteuid() != 0 {
		return s
	}
	s.must(os.Chmod(filepath.Dir(s.dir), 0o755))
	s.must(os.Chmod(s.dir, 0o777))
	s.must(os.Mkdir(filepath.Join(s.dir, "tmp"), 0o700))
	s.must(os.Chown(filepath.Join(s.dir, "tmp"), nobody, nobody))
	// The program lies where only its builder may go.
	built, err := exec.LookPath("mdcalake")
	s.must(err)
	from, err := os.Open(built)
	s.must(err)
	defer from.Close()
	s.program = filepath.Join(s.dir, "tmp", "mdcalake")
	to, err := os.OpenFile(s.program, os.O_WRONLY|os.O_CREATE, 0o755)
	s.must(err)
	_, err = io.Copy(to, from)
	s.must(errors.Join(err, to.Close()))
	s.must(os.Chmod(filepath.Join(s.dir, "tmp"), 0o755))
	if _, errs, code := s.run("version"); code != exitDone {
		t.Skipf("the program cannot be run as another user here: %s", errs)
	}
	return s
}

func (s stranger) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s stranger) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	cmd := command(s.dir, []string{"TMPDIR=" + filepath.Join(s.dir, "tmp")}, args...)
	if os.Geteuid() == 0 {
		cmd.Path, cmd.Err = s.program, nil
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return "", err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// refused: one sentence and a hint, and exit code 1.
func (s stranger) refused(says string, args ...string) {
	s.t.Helper()
	out, errs, code := s.run(args...)
	if code != exitFailed || out != "" || !sentence.MatchString(errs) || !strings.Contains(errs, says) {
		s.t.Errorf("%q: exit code %d, stdout %q, stderr %q; want a sentence with %q", args, code, out, errs, says)
	}
}

// modes takes rights from everything in a tree, and gives others.
func (s stranger) modes(tree string, take, give fs.FileMode) {
	s.t.Helper()
	s.must(filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()&^take | give
		if !d.IsDir() {
			mode &^= give & 0o111
		}
		return os.Chmod(path, mode)
	}))
}

func TestAccessThatIsDenied(t *testing.T) {
	t.Parallel()
	make := func(t *testing.T) (stranger, string) {
		s := newStranger(t)
		s.must(os.WriteFile(filepath.Join(s.dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o644))
		s.must(os.WriteFile(filepath.Join(s.dir, "two.jsonl"), []byte(`{"_id":"b","timestamp":1795089600000}`+"\n"), 0o644))
		s.must(os.WriteFile(filepath.Join(s.dir, "list.txt"), []byte("203.0.113.7\n"), 0o644))
		if _, errs, code := mdcalake(t, s.dir, nil, "import", "one.jsonl"); code != exitDone {
			t.Fatal(errs)
		}
		return s, filepath.Join(s.dir, "lake")
	}
	const ask = "select activity_id from activities"
	t.Run("to the lake", func(t *testing.T) {
		t.Parallel()
		s, lake := make(t)
		s.must(os.Chmod(lake, 0))
		for _, args := range [][]string{{"query", ask}, {"hunt", "run", "--all"}, {"timeline", "--user", "lena"}, {"ioc", "list.txt", "--quiet"}, {"verify"}, {"coverage"}, {"import", "two.jsonl"}} {
			s.refused("permission denied", args...)
		}
	})
	t.Run("to change the lake", func(t *testing.T) {
		t.Parallel()
		s, lake := make(t)
		s.modes(lake, 0o222, 0o555)
		was := lakeTree(t, lake)
		if out, errs, code := s.run("query", "-o", "csv", "--no-header", ask); code != exitDone || out != "a\n" {
			t.Errorf("query: exit code %d, %q, %s", code, out, errs)
		}
		if out, errs, code := s.run("verify"); code != exitDone {
			t.Errorf("verify: exit code %d, %q, %s", code, out, errs)
		}
		s.refused("permission denied", "import", "two.jsonl")
		if lakeTree(t, lake) != was {
			t.Error("the lake has changed")
		}
	})
	t.Run("to one of its directories", func(t *testing.T) {
		t.Parallel()
		s, lake := make(t)
		s.modes(lake, 0, 0o777)
		cell := filepath.Join(lake, "activities", "date=2026-11-19", "service=0")
		s.must(os.Chmod(cell, 0o555))
		was := lakeTree(t, lake)
		s.refused("permission denied", "import", "two.jsonl")
		if lakeTree(t, lake) != was {
			t.Error("the lake has changed")
		}
		s.must(os.Chmod(cell, 0o777))
		if _, errs, code := s.run("import", "two.jsonl"); code != exitDone {
			t.Errorf("import, once it may: exit code %d, %s", code, errs)
		}
		if out, errs, code := s.run("verify"); code != exitDone {
			t.Errorf("verify: exit code %d, %q, %s", code, out, errs)
		}
	})
	t.Run("to one of its files", func(t *testing.T) {
		t.Parallel()
		s, lake := make(t)
		s.modes(lake, 0, 0o777)
		names, err := filepath.Glob(filepath.Join(lake, "activities", "*", "*", "*.parquet"))
		s.must(err)
		s.must(os.Chmod(names[0], 0))
		rel := filepath.ToSlash(names[0][len(lake)+1:])
		if out, errs, code := s.run("verify"); code != exitDamage || !strings.HasPrefix(out, rel+": it cannot be read: permission denied\n") {
			t.Errorf("verify: exit code %d, %q, %s", code, out, errs)
		}
		was := len(names)
		for _, args := range [][]string{{"query", ask}, {"hunt", "run", "anonymous-proxy"}, {"timeline", "--user", "lena"}, {"ioc", "list.txt", "--quiet"}} {
			s.refused(rel, args...)
		}
		s.must(os.WriteFile(filepath.Join(s.dir, "again.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000,"severity":"INFO"}`+"\n"), 0o644))
		s.refused(rel, "import", "again.jsonl")
		if names, _ := filepath.Glob(filepath.Join(lake, "activities", "*", "*", "*")); len(names) != was {
			t.Errorf("files after a refused import: %q", names)
		}
		// What is new has nothing to do with that file.
		if _, errs, code := s.run("import", "two.jsonl"); code != exitDone {
			t.Errorf("import of a new record: exit code %d, %s", code, errs)
		}
		s.must(os.Chmod(names[0], 0o444))
		if out, errs, code := s.run("verify"); code != exitDone {
			t.Errorf("verify: exit code %d, %q, %s", code, out, errs)
		}
	})
	t.Run("to make a lake", func(t *testing.T) {
		t.Parallel()
		s := newStranger(t)
		s.must(os.WriteFile(filepath.Join(s.dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o644))
		s.must(os.Chmod(s.dir, 0o555))
		s.refused("permission denied", "import", "one.jsonl")
		if _, err := os.Stat(filepath.Join(s.dir, "lake")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a lake appeared: %v", err)
		}
	})
}
