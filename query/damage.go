package query

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const verifyHint = "run 'mdcalake verify' for the whole list; put the file back from a copy of the lake"

// lost is the reason of a failed statement where a file of the snapshot is not
// there or has another length: DuckDB tells of it in words about patterns and
// settings. nil: all are there. Only a statement that has failed asks, because
// every file is looked at.
func (e *Engine) lost(failure *Error) *Error {
	if failure.Kind != Runtime && failure.Kind != Refused {
		return nil
	}
	for _, t := range lakeTables {
		for _, f := range t.files(e.snapshot) {
			info, err := os.Stat(filepath.Join(e.snapshot.Root, filepath.FromSlash(f.Path)))
			what := ""
			switch {
			case errors.Is(err, fs.ErrNotExist):
				what = "is missing"
			case err != nil || info.Size() == f.Size:
				continue
			default:
				what = fmt.Sprintf("has %d bytes, and was written with %d", info.Size(), f.Size)
			}
			return &Error{Kind: Runtime, SQL: failure.SQL, Position: -1, Message: fmt.Sprintf("the lake's file %q %s", f.Path, what), Hint: verifyHint, Err: failure}
		}
	}
	return nil
}

// unreadable says whether DuckDB complains of what is in a file and not of the
// statement; exception is its name for the kind of error.
func unreadable(exception, message string) bool {
	switch strings.ToLower(exception) {
	case "invalid": // from the reader of Parquet's headers; it does not name the file
		return true
	case "io", "invalid input":
		return strings.Contains(message, ".parquet")
	}
	return false
}
