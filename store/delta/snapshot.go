package delta

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The versions of the protocol that this package reads and writes.
const (
	ReaderVersion = 1
	WriterVersion = 2
)

// UnsupportedError says that the table asks for more than this package can do.
type UnsupportedError struct {
	Version  int64 // of the entry
	Protocol Protocol
	Why      string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("log entry %d: %s (minReaderVersion %d, minWriterVersion %d)", e.Version, e.Why, e.Protocol.MinReaderVersion, e.Protocol.MinWriterVersion)
}

// Hint tells the person what to do.
func (e *UnsupportedError) Hint() string {
	return "another program has upgraded the table; read it with that program, or restore the lake from a copy made before"
}

// File is a file of a snapshot and the version that added it.
type File struct {
	Add
	Name    string // decoded path
	Version int64
}

// Snapshot is the state of the table at one version. Apply moves it on.
type Snapshot struct {
	Version  int64 // -1: no entry yet
	Protocol Protocol
	MetaData *MetaData
	Txns     map[string]Txn
	files    map[string]File
	removed  map[string]Removed
}

// Removed is a file that was taken out of the table, as the action said, and
// the version that did so.
type Removed struct {
	Remove
	Name    string // decoded path
	Version int64
}

// NewSnapshot is the state before the first entry.
func NewSnapshot() *Snapshot {
	return &Snapshot{Version: -1, Txns: map[string]Txn{}, files: map[string]File{}, removed: map[string]Removed{}}
}

// RestoreSnapshot puts together a snapshot from what its exported fields, Files
// and Removed have told.
func RestoreSnapshot(s Snapshot, files []File, removed []Removed) *Snapshot {
	s.files, s.removed = make(map[string]File, len(files)), make(map[string]Removed, len(removed))
	for _, f := range files {
		s.files[f.Name] = f
	}
	for _, r := range removed {
		s.removed[r.Name] = r
	}
	return &s
}

// Apply moves the snapshot on by the entry of the next version. After an error
// the snapshot must not be used.
func (s *Snapshot) Apply(version int64, actions []Action) error {
	if version != s.Version+1 {
		return fmt.Errorf("log entry %d: want %d next", version, s.Version+1)
	}
	for _, a := range actions {
		switch {
		case a.Protocol != nil:
			if err := check(version, *a.Protocol); err != nil {
				return err
			}
			s.Protocol = *a.Protocol
		case a.MetaData != nil:
			s.MetaData = a.MetaData
		case a.Txn != nil:
			s.Txns[a.Txn.AppID] = *a.Txn
		case a.Add != nil:
			name, err := FilePath(a.Add.Path)
			if err != nil {
				return fmt.Errorf("log entry %d: %w", version, err)
			}
			if err := s.noVector(version, a.Add.DeletionVector); err != nil {
				return err
			}
			s.files[name] = File{Add: *a.Add, Name: name, Version: version}
			delete(s.removed, name)
		case a.Remove != nil:
			name, err := FilePath(a.Remove.Path)
			if err != nil {
				return fmt.Errorf("log entry %d: %w", version, err)
			}
			if err := s.noVector(version, a.Remove.DeletionVector); err != nil {
				return err
			}
			delete(s.files, name)
			s.removed[name] = Removed{Remove: *a.Remove, Name: name, Version: version}
		}
	}
	if version == 0 && (s.MetaData == nil || s.Protocol.MinReaderVersion == 0) {
		return fmt.Errorf("log entry 0: want a protocol and a metaData action in it")
	}
	s.Version = version
	return nil
}

// Skip moves the snapshot past an entry that is missing or could not be
// applied, for whoever wants to see what can still be seen. Files that the
// entry added are not in the snapshot then, and files that it removed may be.
func (s *Snapshot) Skip(version int64) { s.Version = version }

// noVector refuses deletion vectors: a reader that passed over one would show
// deleted rows.
func (s *Snapshot) noVector(version int64, vector json.RawMessage) error {
	if len(vector) == 0 || string(vector) == "null" {
		return nil
	}
	return &UnsupportedError{Version: version, Protocol: s.Protocol, Why: "it uses deletion vectors, which this version cannot read"}
}

// check refuses what this package cannot read. A table that only asks more of
// a writer can still be read; CanWrite says so later.
func check(version int64, p Protocol) error {
	if p.MinReaderVersion > ReaderVersion {
		return &UnsupportedError{Version: version, Protocol: p, Why: fmt.Sprintf("it needs a reader of version %d%s, this is version %d", p.MinReaderVersion, with(p.ReaderFeatures), ReaderVersion)}
	}
	return nil
}

// with names the features that a protocol asks for.
func with(features []string) string {
	if len(features) == 0 {
		return ""
	}
	return " with " + strings.Join(slices.Sorted(slices.Values(features)), ", ")
}

// CanWrite is an error when the table asks for more than this writer can do.
func (s *Snapshot) CanWrite() error {
	if s.Protocol.MinWriterVersion > WriterVersion {
		return &UnsupportedError{Version: s.Version, Protocol: s.Protocol, Why: fmt.Sprintf("it needs a writer of version %d%s, this is version %d", s.Protocol.MinWriterVersion, with(s.Protocol.WriterFeatures), WriterVersion)}
	}
	return nil
}

// Files are the files of the table, by name.
func (s *Snapshot) Files() []File {
	return slices.SortedFunc(maps.Values(s.files), func(a, b File) int { return strings.Compare(a.Name, b.Name) })
}

// Has says whether a file is part of the table.
func (s *Snapshot) Has(name string) bool { _, ok := s.files[name]; return ok }

// WasRemoved says whether a file was part of the table once and no longer is.
func (s *Snapshot) WasRemoved(name string) bool { _, ok := s.removed[name]; return ok }

// Removed are the files that were taken out and did not come back, by path.
func (s *Snapshot) Removed() []Removed {
	return slices.SortedFunc(maps.Values(s.removed), func(a, b Removed) int { return strings.Compare(a.Path, b.Path) })
}
