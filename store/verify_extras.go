package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mdcalake/store/delta"
)

// extras looks for files that are none of the lake's. Those of a run under way
// and those that wait for the next writer to remove them are no damage.
func (v *verifier) extras() error {
	if !v.log.whole() {
		v.note("the log has holes: what is not in it is not told, and what it says may be out of date")
		return nil
	}
	entries, err := os.ReadDir(v.layout.root)
	if err != nil {
		return plain(err)
	}
	var strangers, others []string
	for _, e := range entries {
		switch name := e.Name(); name {
		case activitiesDir, revisionsDir, quarantineDir, erasedDir, pagesDir:
			for _, rel := range v.walk(name) {
				if hiddenInLog(rel) {
					others = append(others, rel)
				} else {
					strangers = append(strangers, rel)
				}
			}
		case privateDir:
			others = append(others, v.privateStrangers()...)
		default:
			others = append(others, name)
		}
	}
	for i, name := range others {
		if i == 10 {
			v.note("%d more files are none of the lake's", len(others)-i)
			break
		}
		v.note("%s is none of the lake's files", printable(name))
	}
	return v.judge(strangers)
}

// walk answers the files below a directory that the log does not name.
func (v *verifier) walk(dir string) (strangers []string) {
	filepath.WalkDir(v.layout.path(dir), func(abs string, d fs.DirEntry, err error) error {
		rel, rerr := filepath.Rel(v.layout.root, abs)
		if rerr != nil {
			return rerr
		}
		rel = filepath.ToSlash(rel)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case err != nil:
			v.problem(rel, "it cannot be read: %v", plain(err))
			return fs.SkipDir
		case !d.IsDir() && !v.log.state.names(rel) && !inLog(rel):
			strangers = append(strangers, rel)
		}
		return nil
	})
	return strangers
}

// inLog says whether a file has its place in the log's directory: an entry
// (one may have come since the log was read) or a checkpoint.
func inLog(rel string) bool {
	dir, name := path.Split(rel)
	_, entry := delta.ParseEntryName(name)
	_, _, checkpoint := delta.ParseCheckpointName(name)
	return dir == activitiesDir+"/"+delta.Dir+"/" && (entry || checkpoint || name == delta.LastCheckpointName)
}

// entryUnderWay says whether a file is an entry or a checkpoint of ours that
// has not got its name yet.
func entryUnderWay(rel string) bool {
	dir, name := path.Split(rel)
	return dir == activitiesDir+"/"+delta.Dir+"/" && leftover(name)
}

// hiddenInLog says whether a file of the log's directory is one that no reader
// takes for an entry: other programs keep checksums and such there.
func hiddenInLog(rel string) bool {
	name, ok := strings.CutPrefix(rel, activitiesDir+"/"+delta.Dir+"/")
	return ok && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) && !leftover(name)
}

// privateStrangers are files in our own directory that we do not know.
// Directories there hold what can be made again.
func (v *verifier) privateStrangers() (others []string) {
	entries, err := os.ReadDir(v.layout.path(privateDir))
	if err != nil {
		v.problem(privateDir, "it cannot be read: %v", plain(err))
		return nil
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir(), name == lockName, name == readersName, name == headName, name == headName+".tmp", isFold(name):
		case strings.HasPrefix(name, pendingPrefix), strings.HasPrefix(name, spillPrefix):
		default:
			others = append(others, privateDir+"/"+name)
		}
	}
	return others
}

// judge decides on files that the log, as it was read at the beginning, does
// not name. A run may be at work meanwhile. It notes a name before it makes the
// file, and lets the note go only after the commit: so whoever looks at the
// notes first and at the log then finds every file of a run in one of them.
func (v *verifier) judge(files []string) error {
	if len(files) == 0 {
		return nil
	}
	pending, err := v.pendingNames()
	if err != nil {
		return err
	}
	now, err := readLedger(v.layout, nil)
	if err != nil {
		return err
	}
	takenOut := now.state.takenOut(now.state.foreign)
	for _, rel := range files {
		_, err := os.Lstat(v.layout.path(rel))
		switch {
		case takenOut[rel]:
			v.takenOut++
		case pending[rel] || now.state.removed[rel] || now.state.names(rel) || entryUnderWay(rel):
			v.result.InFlight++
		case !errors.Is(err, fs.ErrNotExist):
			v.problem(rel, "the log does not name it: it is not part of the lake")
		}
	}
	return nil
}

func (v *verifier) pendingNames() (map[string]bool, error) {
	names := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(v.layout.root, privateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	if err != nil {
		return nil, plain(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), pendingPrefix) {
			continue
		}
		data, err := os.ReadFile(v.layout.private(e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, plain(err)
		}
		for line := range bytes.Lines(data) {
			rel := strings.TrimSuffix(string(line), "\n")
			names[rel], names[tempName(rel)] = true, true
		}
	}
	return names, nil
}
