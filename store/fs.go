package store

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// FS is the few file operations the store uses to change a lake. It is an
// interface so that a test can fail step N, or lose all that was not synced,
// for every N; the order of the calls is the store's promise about crashes and
// is argued in FORMAT.md. Paths are absolute.
type FS interface {
	// Create makes a new file; it is an error (fs.ErrExist) if the name is taken.
	Create(path string, mode fs.FileMode) (WritableFile, error)
	MkdirAll(path string, mode fs.FileMode) error
	// Rename must replace atomically within one file system.
	Rename(from, to string) error
	// Link gives a file a second name; fs.ErrExist if that name is taken. A
	// rename would overwrite.
	Link(from, to string) error
	Remove(path string) error
	Chmod(path string, mode fs.FileMode) error
	// SyncDir makes the directory's names durable.
	SyncDir(path string) error
}

// WritableFile is a file being written. What was written is durable only
// after Sync.
type WritableFile interface {
	io.Writer
	Sync() error
	Close() error
}

// osFS is the real disk.
type osFS struct{}

func (osFS) Create(path string, mode fs.FileMode) (WritableFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}
func (osFS) MkdirAll(path string, mode fs.FileMode) error { return os.MkdirAll(path, mode) }
func (osFS) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osFS) Link(from, to string) error                   { return os.Link(from, to) }
func (osFS) Remove(path string) error                     { return os.Remove(path) }
func (osFS) Chmod(path string, mode fs.FileMode) error    { return os.Chmod(path, mode) }

func (osFS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a directory and say EINVAL; there the
	// names are as durable as they get.
	if err := d.Sync(); err != nil && !isErrno(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func isErrno(err error, want syscall.Errno) bool {
	for err != nil {
		if e, ok := err.(syscall.Errno); ok {
			return e == want
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

// writeFile makes a small file whole and durable under its name, replacing
// what was there: written beside, synced, renamed, directory synced.
func writeFile(fsys FS, path string, data []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := fsys.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := writeNew(fsys, tmp, data, mode); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, path); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// writeNew writes a new file and syncs it.
func writeNew(fsys FS, path string, data []byte, mode fs.FileMode) error {
	f, err := fsys.Create(path, mode)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
