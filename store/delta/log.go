package delta

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Dir is the log's directory below the table's.
const Dir = "_delta_log"

// Storage is where the entries and checkpoints lie. PutIfAbsent must make the
// whole of data visible under the name at once and durably, or not at all, and
// must answer an error that is fs.ErrExist when the name is taken: it is the
// only thing that keeps two writers apart. Replace does the same for what may
// be written again; until then, what was there is there. Entries are never
// replaced.
type Storage interface {
	List() ([]string, error) // names; an absent directory has none
	Read(name string) ([]byte, error)
	PutIfAbsent(name string, data []byte) error
	Replace(name string, data []byte) error
}

// ErrConflict says that another writer has committed the version.
var ErrConflict = errors.New("another writer committed this version first")

// GapError says that an entry is missing.
type GapError struct{ Missing, Last int64 }

func (e *GapError) Error() string {
	return fmt.Sprintf("log entry %d is missing, though entry %d exists", e.Missing, e.Last)
}

// Hint tells the person what to do.
func (e *GapError) Hint() string {
	return "put the missing file back from a copy of the lake; without it nothing can be said about the table"
}

// EntryName is the file name of an entry.
func EntryName(version int64) string { return fmt.Sprintf("%020d.json", version) }

// ParseEntryName reads it back; other files of the directory answer false.
func ParseEntryName(name string) (version int64, ok bool) {
	digits, ok := strings.CutSuffix(name, ".json")
	if !ok || len(digits) != 20 {
		return 0, false
	}
	if strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	version, err := strconv.ParseInt(digits, 10, 64)
	return version, err == nil
}

// Versions lists the entries, which must run from 0 without a gap: this
// package never deletes one, and without the first ones the table's state
// cannot be known.
func Versions(s Storage) ([]int64, error) {
	versions, err := listVersions(s)
	if gap := (*GapError)(nil); errors.As(err, &gap) {
		// A directory that is read while a writer commits may show the later of two
		// new entries and not the earlier. A gap that is there is there again.
		versions, err = listVersions(s)
	}
	return versions, err
}

func listVersions(s Storage) ([]int64, error) {
	names, err := s.List()
	if err != nil {
		return nil, err
	}
	have, last := make([]bool, len(names)), int64(-1)
	for _, name := range names {
		v, ok := ParseEntryName(name)
		if !ok {
			continue
		}
		last = max(last, v)
		if v < int64(len(have)) {
			have[v] = true
		}
	}
	var versions []int64
	for v := int64(0); v <= last; v++ {
		if v >= int64(len(have)) || !have[v] {
			return nil, &GapError{Missing: v, Last: last}
		}
		versions = append(versions, v)
	}
	return versions, nil
}

// ReadEntry reads one entry: its bytes and its actions.
func ReadEntry(s Storage, version int64) ([]byte, []Action, error) {
	data, err := s.Read(EntryName(version))
	if err != nil {
		return nil, nil, fmt.Errorf("read log entry %d: %w", version, err)
	}
	actions, err := Decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read log entry %d: %w", version, err)
	}
	return data, actions, nil
}

// WriteEntry commits a version. ErrConflict: it exists already.
func WriteEntry(s Storage, version int64, entry []byte) error {
	err := s.PutIfAbsent(EntryName(version), entry)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write log entry %d: %w", version, ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("write log entry %d: %w", version, err)
	}
	return nil
}
