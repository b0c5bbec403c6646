package index_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"mdcalake/store/index"
)

// disk is a directory as an index.FS that does not really sync, notes each
// step, stops at one, and can then forget what was not made durable.
type disk struct {
	steps  []string
	stopAt int // index of the step that fails; -1 is none
	kept   string
	undo   []func()          // what becomes of names that no SyncDir has made durable, newest last
	dirty  map[string]string // files with bytes that were not synced, by the name they were created with
}

var errStopped = errors.New("the disk has stopped")

func newDisk(t testing.TB, stopAt int) *disk {
	t.Helper()
	return &disk{stopAt: stopAt, kept: t.TempDir(), dirty: map[string]string{}}
}

func (d *disk) step(format string, args ...any) error {
	if d.stopAt >= 0 && len(d.steps) >= d.stopAt {
		return errStopped
	}
	d.steps = append(d.steps, fmt.Sprintf(format, args...))
	return nil
}

func (d *disk) Create(path string, mode fs.FileMode) (*diskFile, error) {
	if err := d.step("create %s", filepath.Base(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	d.undo = append(d.undo, func() { os.Remove(path) })
	d.dirty[path] = path
	return &diskFile{d, f, path}, nil
}

func (d *disk) MkdirAll(path string, mode fs.FileMode) error {
	if err := d.step("mkdir %s", filepath.Base(path)); err != nil {
		return err
	}
	return os.MkdirAll(path, mode)
}

// keep gives a file another name outside, so that it can come back.
func (d *disk) keep(path string) (back func()) {
	kept := filepath.Join(d.kept, fmt.Sprint(len(d.steps)))
	if os.Link(path, kept) != nil {
		return func() { os.Remove(path) }
	}
	return func() { os.Rename(kept, path) }
}

func (d *disk) Rename(from, to string) error {
	if err := d.step("rename %s %s", filepath.Base(from), filepath.Base(to)); err != nil {
		return err
	}
	back := d.keep(to)
	if err := os.Rename(from, to); err != nil {
		return err
	}
	for created, now := range d.dirty {
		if now == from {
			d.dirty[created] = to
		}
	}
	d.undo = append(d.undo, func() { os.Rename(to, from); back() })
	return nil
}

func (d *disk) Remove(path string) error {
	if _, err := os.Lstat(path); err != nil {
		return err // no step: nothing changes
	}
	if err := d.step("remove %s", filepath.Base(path)); err != nil {
		return err
	}
	back := d.keep(path)
	d.undo = append(d.undo, back)
	return os.Remove(path)
}

func (d *disk) SyncDir(path string) error {
	if err := d.step("sync dir %s", filepath.Base(path)); err != nil {
		return err
	}
	d.undo = nil
	return nil
}

// lose leaves of the disk what a loss of power may: names without their
// bytes, or nothing that was not synced.
func (d *disk) lose(t testing.TB, names bool) {
	t.Helper()
	for _, now := range d.dirty {
		if info, err := os.Stat(now); err == nil {
			os.Chmod(now, 0o600)
			if err := os.Truncate(now, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names {
		for i := len(d.undo) - 1; i >= 0; i-- {
			d.undo[i]()
		}
	}
}

type diskFile struct {
	d    *disk
	f    *os.File
	path string
}

func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.d.step("write"); err != nil {
		n, _ := f.f.Write(b[:len(b)/2])
		return n, err
	}
	return f.f.Write(b)
}

func (f *diskFile) Sync() error {
	if err := f.d.step("sync"); err != nil {
		return err
	}
	delete(f.d.dirty, f.path)
	return nil
}

func (f *diskFile) Close() error {
	if err := f.d.step("close"); err != nil {
		f.f.Close()
		return err
	}
	return f.f.Close()
}

// writer is a Writer on a disk that does not stop.
func writer(t testing.TB, dir string) index.Writer {
	t.Helper()
	return index.Writer{Dir: dir, FS: index.Using(newDisk(t, -1))}
}
