package query

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// tempDir is the private folder of one engine: templates, and below spill/
// what DuckDB moves out of memory. SQL may read and write in spill/ (DuckDB
// allows its temp_directory by itself), so nothing else lies there.
//
// A folder is alive while a process holds the lock on its file "lock". Process
// numbers would not do: they repeat, and differ between containers that share
// one /tmp.
type tempDir struct {
	path string
	lock *os.File
}

const (
	tempPrefix    = "mdcalake-query-"
	tempNewPrefix = "mdcalake-new-" // not locked yet
	tempNewGrace  = time.Hour       // after which one that never got its lock is a dead one's
)

func newTempDir(parent string) (*tempDir, error) {
	sweepTempDirs(parent)
	path, err := os.MkdirTemp(parent, tempNewPrefix) // mode 0700
	if err != nil {
		return nil, fmt.Errorf("make a private temporary folder: %w", err)
	}
	t := &tempDir{path: path}
	fail := func(err error) (*tempDir, error) {
		return nil, errors.Join(fmt.Errorf("make a private temporary folder: %w", err), t.remove())
	}
	// Locked first and named second: a sweep of another process never sees it
	// without its lock.
	if t.lock, err = os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err != nil {
		return fail(err)
	}
	if err := flock(t.lock); err != nil {
		return fail(fmt.Errorf("lock %s: %w", t.lock.Name(), err))
	}
	// DuckDB makes only the last level, and says so at the first spill.
	if err := os.Mkdir(filepath.Join(path, "spill"), 0o700); err != nil {
		return fail(err)
	}
	final := filepath.Join(parent, tempPrefix+strings.TrimPrefix(filepath.Base(path), tempNewPrefix))
	if err := os.Rename(path, final); err != nil {
		return fail(err)
	}
	t.path = final
	return t, nil
}

func (t *tempDir) spill() string           { return filepath.Join(t.path, "spill") }
func (t *tempDir) file(name string) string { return filepath.Join(t.path, name) }

// remove deletes the folder. It is safe to call it twice.
func (t *tempDir) remove() error {
	err := os.RemoveAll(t.path)
	if t.lock != nil {
		t.lock.Close()
		t.lock = nil
	}
	if err != nil {
		return fmt.Errorf("remove the temporary folder: %w", err)
	}
	return nil
}

// sweepTempDirs removes what processes of ours left that were killed. It is a
// courtesy: whatever goes wrong is left to the next one.
func sweepTempDirs(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		named := strings.HasPrefix(e.Name(), tempPrefix)
		if !named && !strings.HasPrefix(e.Name(), tempNewPrefix) {
			continue
		}
		info, err := e.Info() // of the entry itself: a link is not followed
		if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if !named {
			if time.Since(info.ModTime()) > tempNewGrace {
				os.RemoveAll(path)
			}
			continue
		}
		lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			if errors.Is(err, os.ErrNotExist) {
				os.RemoveAll(path) // died while removing it
			}
			continue
		}
		if flock(lock) == nil {
			os.RemoveAll(path)
		}
		lock.Close()
	}
}

func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
