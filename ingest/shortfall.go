package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Shortfall says of an input that it did not come in whole: where it is damaged,
// and what came of it all the same.
type Shortfall struct {
	Name    string
	Input   int   // which of the run's, from 1
	Records int64 // that came, those in quarantine among them
	// Read and Size are bytes of the file as it is on the disk; a Size of 0 is not
	// known.
	Read, Size int64
	Err        error   // why nothing of it was read; then there are no Faults
	Faults     []Fault // the first ones, in the order of the text
	Further    int     // faults beside those
}

// mostFaults is how many places of an input are told one by one.
const mostFaults = 20

func (s *Shortfall) add(f Fault) {
	// A place at which reading stopped is the last; it must not be left out.
	if len(s.Faults) < mostFaults || f.Stopped {
		s.Faults = append(s.Faults, f)
		return
	}
	s.Further++
}

// String says it in a sentence or a few.
func (s *Shortfall) String() string {
	if s.Err != nil {
		text := s.Err.Error()
		var e *ImportError
		if errors.As(s.Err, &e) && e.advice != "" {
			text += " (" + e.advice + ")"
		}
		return text
	}
	const most = 3 // a warning that fills the screen is not read
	text := fmt.Sprintf("import %q: it is not whole; %s came of it", s.Name, counted(s.Records, "record", "records"))
	for _, f := range s.Faults[:min(most, len(s.Faults))] {
		text += "; " + f.String()
	}
	if more := len(s.Faults) - most + s.Further; more > 0 {
		text += fmt.Sprintf("; and %s more", counted(int64(more), "place", "places"))
	}
	return text
}

// String says where the fault is, and what became of what stands there.
func (f Fault) String() string {
	text := fmt.Sprintf("line %d, byte %d", f.Line, f.Byte)
	if f.Record > 0 {
		text += fmt.Sprintf(", record %d", f.Record)
	}
	text += ": " + f.What
	switch {
	case f.Kept:
		text += ", " + counted(f.Passed, "byte is", "bytes are") + " in quarantine"
	case f.Passed > 0:
		text += ", " + counted(f.Passed, "byte was", "bytes were") + " passed over"
	}
	if f.Stopped {
		text += ", and nothing behind it was read"
	}
	return text
}

// reason is what the ledger says: it names no file, for names name people.
func (s *Shortfall) reason() string {
	if len(s.Faults) == 0 {
		return ""
	}
	return fmt.Sprintf("input %d was not whole", s.Input)
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String() + " " + many
}

// nothingCame is the error of a run of whose inputs not one gave anything.
func nothingCame(all []Shortfall, inputs int) error {
	first := all[0]
	err := first.Err
	if err == nil {
		err = &ImportError{Name: first.Name, Err: errors.New(strings.TrimPrefix(first.String(), fmt.Sprintf("import %q: ", first.Name))), advice: "put a whole copy of it in its place, and import that"}
	}
	if inputs == 1 {
		return err
	}
	return fmt.Errorf("nothing came of %d inputs; the first: %w", inputs, err)
}
