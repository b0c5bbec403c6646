package store

import (
	"context"
	"errors"
)

// Kept pages and purges. A page is what the service sent, so it cannot lose a
// record and still be that: a page that holds anything that is to be erased
// goes whole, and the chain says so.

// keptPages finds the kept pages that hold a record that goes.
func (s *purgeSearch) keptPages(ctx context.Context) error {
	for _, f := range sortedFiles(s.state.pages) {
		if err := ctx.Err(); err != nil {
			return err
		}
		holds, err := s.pageHolds(f.Path)
		if err != nil {
			return readFault(ctx, f.Path, err)
		}
		if holds {
			s.plan.Pages = append(s.plan.Pages, f.Path)
			s.plan.Bytes += f.Size
		}
	}
	return nil
}

var errFound = errors.New("found")

func (s *purgeSearch) pageHolds(path string) (bool, error) {
	body, err := readPage(s.layout.path(path))
	if err != nil {
		return false, err
	}
	if s.plan.request.Pages == nil {
		return false, errors.New("nobody has said how to read it")
	}
	err = s.plan.request.Pages(body, func(record []byte, row *Row) error {
		if s.goes(record, row) {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// goes says of a record in a page what the search says of rows.
func (s *purgeSearch) goes(record []byte, row *Row) bool {
	switch {
	case row == nil:
		return s.plan.erased[erasedBytes(record)] != "" || s.name != "" && namesIn(record, s.name)
	case s.name == "":
		return row.Numbers[Timestamp] < s.before
	default:
		return len(s.matches(row)) > 0 || s.plan.erased[erasedID(row.id())] != ""
	}
}
