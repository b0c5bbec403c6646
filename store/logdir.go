package store

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"mdcalake/store/delta"
)

// logDir is the delta log on disk. A new entry is a synced temporary file that
// is made visible by link(2): that fails when the version exists, where a
// rename would silently replace another writer's commit. A checkpoint only says
// what the entries say, and may be replaced.
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
	tmp, err := d.writeBeside(name, data)
	if err != nil {
		return err
	}
	if err := d.fs.Link(tmp, filepath.Join(d.layout.logDir(), name)); err != nil {
		d.fs.Remove(tmp)
		return err
	}
	if err := d.fs.SyncDir(d.layout.logDir()); err != nil {
		return err
	}
	// From here on the entry is durable; a leftover name does no harm.
	d.fs.Remove(tmp)
	return nil
}

func (d logDir) Replace(name string, data []byte) error {
	tmp, err := d.writeBeside(name, data)
	if err != nil {
		return err
	}
	if err := d.fs.Rename(tmp, filepath.Join(d.layout.logDir(), name)); err != nil {
		d.fs.Remove(tmp)
		return err
	}
	return d.fs.SyncDir(d.layout.logDir())
}

// writeBeside writes the data, synced, under a hidden name, and answers its
// path. The name holds our process: a leftover of a crash is never in the way,
// and is tidied up with the rest.
func (d logDir) writeBeside(name string, data []byte) (string, error) {
	tmp := filepath.Join(d.layout.logDir(), "."+name+"."+strconv.Itoa(os.Getpid())+".tmp")
	if err := d.fs.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := writeNew(d.fs, tmp, data, d.layout.dataMode()); err != nil {
		d.fs.Remove(tmp) // it may hold the last free bytes of the disk
		return "", err
	}
	return tmp, nil
}

// leftover says whether a name is one that writeBeside has given. Other
// programs have temporary names much like it.
func leftover(tmp string) bool {
	name, hidden := strings.CutPrefix(tmp, ".")
	name, temporary := strings.CutSuffix(name, ".tmp")
	process := path.Ext(name)
	name = strings.TrimSuffix(name, process)
	if _, err := strconv.ParseUint(strings.TrimPrefix(process, "."), 10, 32); err != nil || !hidden || !temporary {
		return false
	}
	_, entry := delta.ParseEntryName(name)
	_, kind, _ := delta.ParseCheckpointName(name)
	return entry || kind == delta.CheckpointClassic || name == delta.LastCheckpointName
}
