package store

import (
	"fmt"
	"slices"
	"strings"
)

// What the log says of entries that other programs have written. Such an entry
// is read as Delta says, and nothing is written on top of it until an entry of
// ours has said what became of it: its rows were looked at and taken over
// (adopt.go), or it was undone (revert.go).

// Adoption is what an entry says of other programs' entries.
type Adoption struct {
	// Version is the entry's that says so; not stored.
	Version  int64   `json:"-"`
	Versions []int64 `json:"versions"`
	// Files are the SHA-256, in hex, of the files that those entries had brought,
	// by path in the lake. Their rows stand in files of ours now, or nowhere.
	Files map[string]string `json:"files,omitempty"`
	// Lost and Came count rows that those entries took out of the table, and that
	// they brought into it. A row that was only written again is neither.
	Lost int64 `json:"lost,omitempty"`
	Came int64 `json:"came,omitempty"`
	// Unseen counts rows of files that were gone when it was looked: of them only
	// the number was compared.
	Unseen int64 `json:"unseen,omitempty"`
	// Reverted: what those entries did was undone.
	Reverted bool `json:"reverted,omitempty"`
}

// adopt takes over what an entry says of other programs' entries. The files
// that they took out of the table are nobody's any more.
func (s *fold) adopt(version int64, a *Adoption) {
	for rel := range s.takenOut(a.Versions) {
		s.removed[rel] = true
	}
	s.foreign = slices.DeleteFunc(s.foreign, func(v int64) bool { return slices.Contains(a.Versions, v) })
	adopted := *a
	adopted.Version = version
	s.adoptions = append(s.adoptions, adopted)
}

// takenOut are the files that these entries took out of the table and that did
// not come back.
func (s *fold) takenOut(versions []int64) map[string]bool {
	files := map[string]bool{}
	if len(versions) == 0 {
		return files
	}
	for _, r := range s.table.Removed() {
		if slices.Contains(versions, r.Version) {
			files[activitiesDir+"/"+r.Name] = true
		}
	}
	return files
}

// Text tells a person what became of other programs' entries.
func (a Adoption) Text() string {
	entries := make([]string, len(a.Versions))
	for i, v := range a.Versions {
		entries[i] = fmt.Sprint(v)
	}
	text := fmt.Sprintf("entry %s was another program's", entries[0])
	if len(entries) > 1 {
		text = fmt.Sprintf("entries %s were another program's", strings.Join(entries, ", "))
	}
	if a.Reverted {
		return fmt.Sprintf("%s, undone by entry %d", text, a.Version)
	}
	text = fmt.Sprintf("%s, adopted by entry %d: %d rows were taken out, %d came in", text, a.Version, a.Lost, a.Came)
	if a.Unseen > 0 {
		text += fmt.Sprintf("; %d rows of files that were gone could only be counted", a.Unseen)
	}
	return text
}
