package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mdcalake/query"
)

// entryReader reads what a person types in the prompt.
type entryReader interface {
	// read answers one entry, of as many lines as it takes. errCleared: the
	// person threw it away and begins anew; io.EOF: the person leaves.
	read(ctx context.Context) (string, error)
}

var errCleared = errors.New("the entry was cleared")

const (
	primaryPrompt   = "mdcalake> "
	secondaryPrompt = "      ... "
)

// lineReader reads from terminals that cannot move their cursor: no editing but
// the terminal's own, and no completion.
type lineReader struct {
	out         io.Writer
	lines       chan typedLine
	more        chan struct{} // asks for a line
	asked       bool          // and has no answer yet
	interrupted chan struct{}
}

type typedLine struct {
	text string
	err  error
}

func newLineReader(c console) *lineReader {
	r := &lineReader{out: c.out, lines: make(chan typedLine), more: make(chan struct{}), interrupted: make(chan struct{}, 1)}
	in := bufio.NewReader(c.in)
	// A read cannot be called off: one that nobody waits for is kept for later.
	go func() {
		for range r.more {
			text, err := in.ReadString('\n')
			r.lines <- typedLine{text, err}
		}
	}()
	return r
}

// interrupt throws the entry away.
func (r *lineReader) interrupt() {
	select {
	case r.interrupted <- struct{}{}:
	default:
	}
}

func (r *lineReader) read(ctx context.Context) (string, error) {
	entry := ""
	for prompt := primaryPrompt; ; prompt = secondaryPrompt {
		fmt.Fprint(r.out, prompt)
		if !r.asked {
			r.more <- struct{}{}
			r.asked = true
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-r.interrupted:
			fmt.Fprintln(r.out)
			return "", errCleared
		case line := <-r.lines:
			r.asked = false
			entry += line.text
			if line.err != nil && (line.err != io.EOF || strings.TrimSpace(entry) == "") {
				return "", line.err
			}
			if line.err == io.EOF || query.Finished(entry) {
				return strings.TrimRight(entry, "\r\n"), nil
			}
		}
	}
}
