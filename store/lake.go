package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mdcalake/store/delta"
)

// Lake is a lake opened for reading. Nothing it does changes a byte below the
// lake's directory.
type Lake struct {
	layout   layout
	state    *fold
	snapshot *Snapshot
	readers  *fileLock
}

// Open reads the log and answers the lake at its newest version. The files of
// the snapshot stay until Close, as far as writers of ours are concerned.
func Open(dir string) (*Lake, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	// The lock comes before the log is read: a file that the snapshot names must
	// not vanish in between.
	lake := &Lake{layout: l, readers: lockShared(l.private(readersName))}
	state, _, err := openLog(l, true)
	if err == nil {
		lake.state = state
		lake.snapshot, err = state.snapshot(l.root)
	}
	if err != nil {
		lake.readers.Close()
		return nil, &LakeError{Op: "open lake", Path: dir, Err: err}
	}
	return lake, nil
}

// Snapshot is what the lake holds. It must not be changed.
func (l *Lake) Snapshot() *Snapshot { return l.snapshot }

// Grown says whether the lake has a newer version than the snapshot by now. It
// asks for one file, however long the log is.
func (l *Lake) Grown() (bool, error) {
	_, err := os.Stat(filepath.Join(l.layout.logDir(), delta.EntryName(l.snapshot.Version+1)))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, &LakeError{Op: "look for a newer version", Path: l.layout.root, Err: plain(err), Advice: adviceFor(err)}
}

// Close lets writers tidy up again.
func (l *Lake) Close() error { return l.readers.Close() }

const notALakeHint = "give the directory with --lake or MDCALAKE_LAKE; 'mdcalake ingest' or 'mdcalake import' makes a new one"

// openLayout checks that a directory is a lake.
func openLayout(dir string) (layout, error) {
	l, err := newLayout(dir)
	if err != nil {
		return l, err
	}
	info, err := os.Stat(l.root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return l, &LakeError{Op: "open lake", Path: dir, Err: fmt.Errorf("%w: there is no such directory", ErrNotALake), Advice: notALakeHint}
	case err != nil:
		return l, &LakeError{Op: "open lake", Path: dir, Err: plain(err), Advice: adviceFor(err)}
	case !info.IsDir():
		return l, &LakeError{Op: "open lake", Path: dir, Err: fmt.Errorf("%w: it is a file", ErrNotALake), Advice: notALakeHint}
	}
	there, err := isLake(l)
	switch {
	case err != nil:
		return l, &LakeError{Op: "open lake", Path: dir, Err: plain(err), Advice: adviceFor(err)}
	case !there:
		return l, &LakeError{Op: "open lake", Path: dir, Err: fmt.Errorf("%w: the directory has neither activities/_delta_log nor _mdcalake", ErrNotALake), Advice: notALakeHint}
	}
	return l, nil
}

func newLayout(dir string) (layout, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, &LakeError{Op: "open lake", Path: dir, Err: err}
	}
	return layout{root: root}, nil
}

// isLake says whether there is a lake. Where we may not look, nobody can say
// that there is none.
func isLake(l layout) (bool, error) {
	for _, path := range []string{l.logDir(), filepath.Join(l.root, privateDir)} {
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			return true, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			return false, err
		}
	}
	return false, nil
}

// readLog folds all entries, whatever a cached fold says. onEntry, if given,
// sees each one.
func readLog(l layout, onEntry func(int64, []byte, []delta.Action, *facts)) (*fold, error) {
	log := logDir{fs: osFS{}, layout: l}
	versions, err := delta.Versions(log)
	if err != nil {
		return nil, plain(err)
	}
	state := newFold()
	state.onEntry = onEntry
	_, err = state.advance(log, versions)
	return state, err
}

// advance folds the entries that came since, and answers how many bytes they
// have. Nearly all of the time goes into reading and parsing them, for which
// no entry needs another: all processors do it, a block of entries at a time.
func (s *fold) advance(log logDir, versions []int64) (size int64, err error) {
	first, _ := slices.BinarySearch(versions, s.table.Version+1)
	for block := range slices.Chunk(versions[first:], entriesAtOnce) {
		for _, p := range parseEntries(log, block) {
			if p.actions == nil {
				return size, p.err
			}
			if err := s.applyParsed(p); err != nil {
				return size, err
			}
			size += int64(len(p.entry))
		}
	}
	return size, nil
}

// plain takes the operation and the path out of a file error: ours name both.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// adviceFor says what a person can do about an error of the file system.
func adviceFor(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "check who owns the directory and its mode (ls -ld)"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space and run the command again; nothing that was committed is lost"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only; reading verbs work there, writing needs a copy"
	case errors.Is(err, syscall.ENOTDIR):
		return "a part of the path is a file, not a directory"
	}
	return ""
}

// checkNewLake says whether a lake may be made at a place that is none yet.
func checkNewLake(l layout, dir string) error {
	info, err := os.Stat(l.root)
	if errors.Is(err, fs.ErrNotExist) {
		return checkWritable(filepath.Dir(l.root), dir)
	}
	if err != nil {
		return &LakeError{Op: "open lake", Path: dir, Err: plain(err), Advice: adviceFor(err)}
	}
	if !info.IsDir() {
		return &LakeError{Op: "open lake", Path: dir, Err: fmt.Errorf("%w: it is a file", ErrNotALake), Advice: notALakeHint}
	}
	entries, err := os.ReadDir(l.root)
	if err != nil {
		return &LakeError{Op: "open lake", Path: dir, Err: plain(err), Advice: adviceFor(err)}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.Name() == "lost+found" {
			continue
		}
		return &LakeError{
			Op: "open lake", Path: dir, Err: fmt.Errorf("%w: the directory holds other things (%q, ...)", ErrNotALake, printable(e.Name())),
			Advice: "give an empty or new directory for a new lake",
		}
	}
	return checkWritable(l.root, dir)
}

// checkWritable finds out early, before anything was fetched, that a lake
// cannot be made; it changes nothing.
func checkWritable(path, dir string) error {
	for {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) != path {
			path = filepath.Dir(path)
			continue
		}
		if err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		if err == nil {
			err = syscall.Access(path, 2|1) // W_OK|X_OK
		}
		if err != nil {
			return &LakeError{Op: "make lake", Path: dir, Err: fmt.Errorf("cannot write to %q: %w", path, plain(err)), Advice: adviceFor(err)}
		}
		return nil
	}
}
