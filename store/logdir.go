package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// logDir is the delta log on disk. A new entry is a synced temporary file that
// is made visible by link(2): that fails when the version exists, where a
// rename would silently replace another writer's commit.
type logDir struct {
	fs     FS
	layout layout
}

func (d logDir) List() ([]string, error) {
	dir, err := os.Open(d.layout.logDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

func (d logDir) Read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(d.layout.logDir(), name))
}

func (d logDir) PutIfAbsent(name string, data []byte) error {
	dir := d.layout.logDir()
	// The name holds our process: a leftover of a crash is never in the way, and
	// is tidied up with the rest.
	tmp := filepath.Join(dir, "."+name+"."+strconv.Itoa(os.Getpid())+".tmp")
	if err := d.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(d.fs, tmp, data, d.layout.dataMode()); err != nil {
		d.fs.Remove(tmp) // it may hold the last free bytes of the disk
		return err
	}
	if err := d.fs.Link(tmp, filepath.Join(dir, name)); err != nil {
		d.fs.Remove(tmp)
		return err
	}
	if err := d.fs.SyncDir(dir); err != nil {
		return err
	}
	// From here on the entry is durable; a leftover name does no harm.
	d.fs.Remove(tmp)
	return nil
}
