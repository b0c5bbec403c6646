package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Status is a lake as it stands: what its log says, and whether the directory
// says the same. Nothing of it needs a data file to be opened.
type Status struct {
	Snapshot *Snapshot
	// Writing says that a process writes to the lake, and Writer which one, as it
	// says itself; empty where it could not.
	Writing bool
	Writer  string
	// InFlight are files that a run has announced and no commit has named: of the
	// run under way, or left by one that died, for the next writer to remove.
	InFlight int
	// Replaced are files that a commit took out of the lake and that are still
	// there: a reader was at work.
	Replaced int
	// TakenOut are files that another program took out of the table, which nobody
	// has adopted, and that are still there.
	TakenOut int
}

// AtRest says whether the directory holds exactly the lake: whoever reads it
// without the log then sees what the log names and nothing else.
func (s *Status) AtRest() bool {
	return !s.Writing && s.InFlight == 0 && s.Replaced == 0 && s.TakenOut == 0
}

// ReadStatus looks at the lake in dir. It changes nothing.
func ReadStatus(dir string) (*Status, error) {
	l, err := openLayout(dir)
	if err != nil {
		return nil, err
	}
	readers := lockShared(l.private(readersName))
	defer readers.Close()
	s, err := readStatus(l)
	if err != nil {
		return nil, &LakeError{Op: "open lake", Path: dir, Err: plain(err), Advice: adviceFor(err)}
	}
	return s, nil
}

func readStatus(l layout) (*Status, error) {
	s := &Status{}
	s.Writer, s.Writing = lockHolder(l.private(lockName))
	// Before the log: what a commit names meanwhile is then not taken for one of
	// its files to come.
	pending, err := pendingNames(l)
	if err != nil {
		return nil, err
	}
	state, _, err := openLog(l, false)
	if err != nil {
		return nil, err
	}
	if s.Snapshot, err = state.snapshot(l.root); err != nil {
		return nil, err
	}
	there := func(rel string) bool {
		_, err := os.Lstat(l.path(rel))
		return err == nil
	}
	for _, rel := range pending {
		if !state.knows(rel) && there(rel) || there(tempName(rel)) {
			s.InFlight++
		}
	}
	for rel := range state.removed {
		if removable(rel) && there(rel) {
			s.Replaced++
		}
	}
	for rel := range state.takenOut(state.foreign) {
		if there(rel) {
			s.TakenOut++
		}
	}
	return s, nil
}

// pendingNames are the files that runs have announced.
func pendingNames(l layout) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(l.root, privateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), pendingPrefix) {
			continue
		}
		data, err := os.ReadFile(l.private(e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was let go of
			return nil, err
		}
		for line := range bytes.Lines(data) {
			if rel, whole := strings.CutSuffix(string(line), "\n"); whole && ownName(rel) {
				names = append(names, rel)
			}
		}
	}
	return names, nil
}
