package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sweep tidies up after a crash. It deletes only names that a pending file
// holds and no commit took over, and files that our own commits removed and no
// reader can need. Anything else is left alone.
func (w *Writer) sweep() error {
	entries, err := os.ReadDir(filepath.Join(w.layout.root, privateDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		var err error
		switch {
		case strings.HasPrefix(e.Name(), pendingPrefix):
			err = w.sweepPending(w.layout.private(e.Name()))
		case strings.HasPrefix(e.Name(), spillPrefix): // died before it took the name away
			err = w.opts.FS.Remove(w.layout.private(e.Name()))
		}
		if err != nil {
			return fmt.Errorf("tidy up after an interrupted run: %w", err)
		}
	}
	if err := w.sweepLog(); err != nil {
		return err
	}
	return w.sweepRemoved()
}

func (w *Writer) sweepPending(pending string) error {
	data, err := os.ReadFile(pending)
	if err != nil {
		return err
	}
	// A line is whole only with its line feed: no file was made before its name
	// was synced.
	lines := bytes.Split(data, []byte{'\n'})
	dirs := map[string]bool{}
	for _, line := range lines[:len(lines)-1] {
		rel := string(line)
		if !ownName(rel) {
			continue
		}
		names := []string{tempName(rel)}
		if !w.state.knows(rel) {
			names = append(names, rel)
		}
		for _, name := range names {
			if _, err := os.Lstat(w.layout.path(name)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := w.removeIfThere(name); err != nil {
				return err
			}
			dirs[path.Dir(name)] = true
		}
	}
	// The note goes last, and durably so: without it nobody would know the
	// files, should the power fail and bring them back.
	for _, dir := range sortedKeys(dirs) {
		if err := w.opts.FS.SyncDir(w.layout.path(dir)); err != nil {
			return err
		}
	}
	return w.opts.FS.Remove(pending)
}

// ownName keeps a damaged pending file from pointing outside the lake.
func ownName(rel string) bool {
	if isPagePath(rel) {
		return true
	}
	first, _, _ := strings.Cut(rel, "/")
	return path.Clean(rel) == rel && filepath.IsLocal(filepath.FromSlash(rel)) && strings.HasSuffix(rel, ".parquet") &&
		strings.HasPrefix(path.Base(rel), "part-") && (first == activitiesDir || first == revisionsDir || first == quarantineDir || first == erasedDir)
}

// removable says whether a file that a commit has replaced may be deleted: one
// with a name of ours, or any that the table may have had. A log that was handed
// to us may name anything.
func removable(rel string) bool {
	name, inTable := strings.CutPrefix(rel, activitiesDir+"/")
	hidden := slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, "_") || strings.HasPrefix(part, ".") })
	return ownName(rel) || inTable && !hidden && path.Clean(rel) == rel && filepath.IsLocal(filepath.FromSlash(rel)) && strings.HasSuffix(rel, ".parquet")
}

func (w *Writer) removeIfThere(rel string) error {
	err := w.opts.FS.Remove(w.layout.path(rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// sweepLog removes entries and checkpoints under way that a crash has left.
func (w *Writer) sweepLog() error {
	names, err := logDir{fs: w.opts.FS, layout: w.layout}.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if leftover(name) {
			if err := w.opts.FS.Remove(filepath.Join(w.layout.logDir(), name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepRemoved deletes the files that our commits took out of their tables,
// unless a reader is at work: then the next writer does it.
func (w *Writer) sweepRemoved() error {
	_, err := w.removeReplaced()
	return err
}

// RemoveReplaced deletes the files that commits have replaced or erased, and
// answers how many are left because a reader is at work.
func (w *Writer) RemoveReplaced() (left int, err error) {
	left, err = w.removeReplaced()
	return left, w.fault("tidy up lake", err)
}

func (w *Writer) removeReplaced() (left int, err error) {
	var due []string
	for rel := range w.state.removed {
		if !w.swept[rel] && removable(rel) {
			due = append(due, rel)
		}
	}
	if len(due) == 0 {
		return 0, nil
	}
	slices.Sort(due)
	lock, free, err := tryExclusive(w.layout.private(readersName), w.layout.fileMode())
	if err != nil || !free {
		return len(due), err
	}
	defer lock.Close()
	for n, rel := range due {
		if err := w.removeIfThere(rel); err != nil {
			return len(due) - n, fmt.Errorf("remove a file that a commit has replaced: %w", err)
		}
		w.swept[rel] = true
	}
	return 0, nil
}
