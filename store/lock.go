package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// Locks are the kernel's (flock): they die with their process, so none is ever
// stale and none is taken over by age. The text in the lock file is only for
// the message that another process prints.

// fileLock is a lock that is held until Close.
type fileLock struct{ f *os.File }

// lockExclusive takes the writer's lock or says who has it.
func lockExclusive(path string, mode os.FileMode, text string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	// Somebody may only be looking: see lockHolder.
	for range lockTries {
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(lockPause)
		err = flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(f, 200))
			if who := strings.TrimSpace(string(holder)); who != "" {
				return nil, fmt.Errorf("%w (%s)", ErrLocked, printable(who))
			}
			return nil, ErrLocked
		}
		return nil, lockFault(err)
	}
	// The text is a courtesy: a disk too full for it must not stop the run here.
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(text+"\n"), 0)
	}
	return &fileLock{f}, nil
}

// A lock that is held all the while is a writer's: lockHolder lets go of it
// within microseconds.
const (
	lockTries = 10
	lockPause = 10 * time.Millisecond
)

// lockHolder says whether a process holds the writer's lock, and which one, in
// its own words. It finds out by taking the lock, beside others who look, and
// letting go of it at once.
func lockHolder(path string) (who string, held bool) {
	f, err := os.Open(path)
	if err != nil {
		return "", false // it was never written to, or lies where nobody can
	}
	defer f.Close()
	if !errors.Is(flock(f, syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK) {
		return "", false
	}
	holder, _ := io.ReadAll(io.LimitReader(f, 200))
	return printable(strings.TrimSpace(string(holder))), true
}

// tryExclusive takes a lock on an existing or new file if nobody holds it.
func tryExclusive(path string, mode os.FileMode) (l *fileLock, free bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, false, err
	}
	if err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, false, nil
		}
		return nil, false, lockFault(err)
	}
	return &fileLock{f}, true, nil
}

// lockShared takes the readers' lock, and nil where it cannot: on read-only
// media and file systems without locks nobody deletes files either.
func lockShared(path string) *fileLock {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	if flock(f, syscall.LOCK_SH) != nil {
		f.Close()
		return nil
	}
	return &fileLock{f}
}

// Close lets go of the lock; a nil lock is fine.
func (l *fileLock) Close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func lockFault(err error) error {
	if errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOLCK) {
		return fmt.Errorf("%w: %v", ErrNoLocks, err)
	}
	return err
}

// printable keeps foreign text fit for a message.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
