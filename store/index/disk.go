package index

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// FS is the file operations that change an index, in the store's own shape; a
// test fails step N of them for every N. Reading does not pass here: it never
// changes anything.
type FS interface {
	// Create makes a new file; it is an error (fs.ErrExist) if the name is taken.
	Create(path string, mode fs.FileMode) (File, error)
	MkdirAll(path string, mode fs.FileMode) error
	// Rename must replace atomically within one file system.
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the directory's names durable.
	SyncDir(path string) error
}

// File is a file being written. What was written is durable only after Sync.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// Using makes an FS of one whose files have another type, such as the store's:
// in Go, a method that returns another interface is another method.
func Using[F File](disk interface {
	Create(path string, mode fs.FileMode) (F, error)
	MkdirAll(path string, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}) FS {
	return using{disk, func(path string, mode fs.FileMode) (File, error) {
		f, err := disk.Create(path, mode)
		if err != nil {
			return nil, err
		}
		return f, nil
	}}
}

// changer is FS without Create.
type changer interface {
	MkdirAll(path string, mode fs.FileMode) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}

type using struct {
	changer
	create func(string, fs.FileMode) (File, error)
}

func (u using) Create(path string, mode fs.FileMode) (File, error) { return u.create(path, mode) }

// osFS is the real disk.
type osFS struct{}

func (osFS) Create(path string, mode fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err // not a nil *os.File in an interface
	}
	return f, nil
}
func (osFS) MkdirAll(path string, mode fs.FileMode) error { return os.MkdirAll(path, mode) }
func (osFS) Rename(from, to string) error                 { return os.Rename(from, to) }
func (osFS) Remove(path string) error                     { return os.Remove(path) }

func (osFS) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync a directory and say EINVAL; there the
	// names are as durable as they get.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
