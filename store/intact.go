package store

import (
	"errors"
	"fmt"
	"io/fs"
)

// intact says whether a committed file is what the log says of it. It is asked
// before a file is written again: a copy of a damaged file would be sound, and
// nobody would ever see the damage.
func (l layout) intact(f File) error {
	sum, size, err := hashFile(l.path(f.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &DamageError{Path: f.Path, What: "it is missing", Err: err}
	case err != nil:
		return err
	case size != f.Size || f.SHA256 != "" && sum != f.SHA256:
		return &DamageError{Path: f.Path, What: fmt.Sprintf("its bytes are not those that entry %d says", f.Version)}
	}
	return nil
}

// fits says whether rows that came out of files are those that the log says
// are in them, by number and bounds.
func fits(files []File, rows int64, stats Stats) error {
	if rowsOf(files) == rows && joined(files) == stats {
		return nil
	}
	return &DamageError{Path: files[0].Path, What: "the rows of it, or of a file it is merged with, are not those that the log says"}
}

// joined are the statistics that files have together by the log.
func joined(files []File) Stats {
	s := emptyStats()
	for _, f := range files {
		s.join(f.Stats)
	}
	return s
}

func (s *Stats) join(o Stats) {
	s.Timestamp.join(o.Timestamp)
	s.Created.join(o.Created)
	s.Ingested.join(o.Ingested)
	s.AppID.join(o.AppID)
}

func (r *Range) join(o Range) {
	r.Min, r.Max, r.Nulls = min(r.Min, o.Min), max(r.Max, o.Max), r.Nulls+o.Nulls
}
