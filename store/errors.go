package store

import (
	"context"
	"errors"
	"fmt"
)

// States that a caller tells apart.
var (
	// ErrNotALake: the directory holds no lake.
	ErrNotALake = errors.New("no lake here")
	// ErrLocked: another process is writing the lake.
	ErrLocked = errors.New("the lake is being written by another process")
	// ErrTenant: the records belong to another tenant than the lake's.
	ErrTenant = errors.New("the records are another tenant's")
	// ErrForeignCommit: another program has committed to the table.
	ErrForeignCommit = errors.New("another program has written to the table")
	// ErrNoLocks: the file system has no kernel locks.
	ErrNoLocks = errors.New("the file system does not support locks")
)

// LakeError is a failure with the place where it happened and what to do.
type LakeError struct {
	Op     string // "open lake", "commit to lake", ...
	Path   string
	Err    error
	Advice string
}

func (e *LakeError) Error() string { return fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err) }
func (e *LakeError) Unwrap() error { return e.Err }

// Hint tells the person what to do; it may be empty.
func (e *LakeError) Hint() string {
	if e.Advice != "" {
		return e.Advice
	}
	var h interface{ Hint() string }
	if errors.As(e.Err, &h) {
		return h.Hint()
	}
	return ""
}

// CommittedError says that a commit is part of the lake though something went
// wrong behind it. Nothing has to be fetched again; the next writer tidies up.
type CommittedError struct {
	Receipt Receipt
	Err     error
}

func (e *CommittedError) Error() string {
	return fmt.Sprintf("commit %d is in the log, but what follows it failed: %v", e.Receipt.Version, e.Err)
}

func (e *CommittedError) Unwrap() error { return e.Err }

// DamageError says that what is on the disk is not what was written.
type DamageError struct {
	Path string // relative to the lake
	What string
	Err  error // what the reader said; may be nil
}

func (e *DamageError) Error() string { return fmt.Sprintf("%s: %s", e.Path, e.What) }
func (e *DamageError) Unwrap() error { return e.Err }

// Hint tells the person what to do.
func (e *DamageError) Hint() string {
	return "run 'mdcalake verify' for the whole list; put the file back from a copy of the lake"
}

// readFault names the file of the lake that could not be read. That the
// context ended is no damage.
func readFault(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &DamageError{Path: path, What: err.Error(), Err: err}
}
