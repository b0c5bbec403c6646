package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"mdcalake/ingest"
	"mdcalake/query"
	"mdcalake/store"
)

// The exit codes, and the one place where an error becomes words.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3 // done but not whole
	exitSignIn      = 4
	exitLocked      = 5
	exitDamage      = 6
	exitInterrupted = 130
)

// usageError is a command line that cannot be carried out.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.hint }

func usage(hint, format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), hint: hint}
}

// exitError is a result that is no failure and yet not 0. Without an error,
// everything has been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// exitCode is the table of DESIGN: error -> code.
func exitCode(ctx context.Context, err error) int {
	var exit *exitError
	var bad *usageError
	var option *ingest.OptionError
	var asked *query.Error
	switch {
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &bad), errors.As(err, &option), errors.Is(err, store.ErrTenant):
		return exitUsage
	case errors.Is(err, ingest.ErrSignInRefused):
		return exitSignIn
	case errors.Is(err, store.ErrLocked):
		return exitLocked
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.As(err, &asked) && asked.Kind == query.Cancelled):
		return exitInterrupted
	}
	return exitFailed
}

// explain tells the person what happened and what to do.
func (c console) explain(err error) {
	var asked *query.Error
	if errors.As(err, &asked) {
		fmt.Fprintf(c.err, "mdcalake: %s\n", asked.Explain())
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(c.err, "mdcalake: interrupted")
		return
	}
	// Several workers may have met one and the same fault.
	lines := slices.Compact(strings.Split(err.Error(), "\n"))
	fmt.Fprintf(c.err, "mdcalake: %s\n", strings.Join(lines, "; "))
	hint := hintOf(err)
	if hint == "" {
		hint = systemHint(err)
	}
	if hint != "" {
		fmt.Fprintf(c.err, "Hint: %s\n", hint)
	}
}

// systemHint is for the errors of the operating system that nobody below has
// anything to say about.
func systemHint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space; what was committed before is kept"
	case errors.Is(err, syscall.EROFS):
		return "it is mounted read-only: choose another place, or mount it for writing"
	case errors.Is(err, fs.ErrPermission):
		return "check whose it is, and who may read and write there"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path"
	}
	return ""
}

// hintOf is the first hint in the chain that says something.
func hintOf(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" {
			return h.Hint()
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				if hint := hintOf(e); hint != "" {
					return hint
				}
			}
		}
	}
	return ""
}
