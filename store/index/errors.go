package index

import (
	"errors"
	"fmt"
)

// States that a caller tells apart. Each means that the index cannot be
// believed for some versions of the log: take every cell for one that may
// hold the value, and rebuild.
var (
	// ErrDamaged: a run's bytes are not those that were written.
	ErrDamaged = errors.New("the run is damaged")
	// ErrUnknownVersion: the run is of a format or a hash function that this
	// program does not know.
	ErrUnknownVersion = errors.New("the run's version is not known")
)

// RunError is what is wrong with one run.
type RunError struct {
	Path string
	Err  error // ErrDamaged, ErrUnknownVersion, or what the disk said
	What string
}

func (e *RunError) Error() string {
	if e.What == "" {
		return fmt.Sprintf("read index %q: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("read index %q: %v: %s", e.Path, e.Err, e.What)
}

func (e *RunError) Unwrap() error { return e.Err }

// Hint tells the person what to do.
func (e *RunError) Hint() string {
	return "the index holds nothing that the lake's files do not: it is built again by the next writer"
}

func damaged(path, format string, args ...any) error {
	return &RunError{Path: path, Err: ErrDamaged, What: fmt.Sprintf(format, args...)}
}
