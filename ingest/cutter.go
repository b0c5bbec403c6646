package ingest

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// From a text to blocks of whole records. One goroutine cuts; the blocks are
// what the workers share.

// block is a run of whole lines, or of whole records.
type block struct {
	data  []byte
	spans []span // where the records are; nil: lines
	// first is the number of the first line, or record, in its text, from 1.
	first int64
}

// span is a record in a block.
type span struct{ start, end int }

// cutter cuts a text into blocks. What is wrong with the text is no error: it
// goes to the feed's faults.
type cutter interface {
	// next is the next block, made in the memory of a used one as far as that
	// serves. io.EOF comes alone, after the last block.
	next(used block) (block, error)
}

// Fault is a place at which an input is not whole.
type Fault struct {
	What string // "the array is cut", "the gzip data is damaged (at byte ... of the file)"
	// Line and Byte say where, in the text (of compressed data: as unpacked): the
	// line from 1, the byte from 0.
	Line, Byte int64
	// Record is the number of the record there, from 1; 0: it is not about one, or
	// the text is a record a line.
	Record int64
	// Passed is how many bytes from there on are no sound record. Kept: they are in
	// quarantine.
	Passed int64
	Kept   bool
	// Stopped: nothing behind this place was read.
	Stopped bool
	Err     error // of the reader; nil: it is the text that is wrong
}

// feed is a text on its way through a cutter. The text is one stretch, or
// several with damage in between.
type feed struct {
	in     io.Reader
	limits importLimits
	faults func(Fault)
	// record is the number of the record at hand; nil for lines.
	record func() int64

	rest   []byte // read, and behind the block before
	offset int64  // in the text, of the next block
	line   int64  // at offset, from 1
	number int64  // of the next line or record, from 1
	// state says what comes behind what was read, and broken, where it is not the
	// text's end, why the stretch ends.
	state  feedState
	broken error
}

type feedState int

const (
	feedMore feedState = iota // perhaps more text
	feedGap                   // a damaged place, and then more
	feedEnd
)

func newFeed(in io.Reader, limits importLimits, faults func(Fault)) feed {
	return feed{in: in, limits: limits, faults: faults, line: 1, number: 1}
}

// begin is a buffer with what is left over from the block before.
func (f *feed) begin(used []byte) []byte {
	if cap(used) < f.limits.block+scanPadding {
		used = make([]byte, 0, f.limits.block+scanPadding)
	}
	used = append(used[:0], f.rest...)
	f.rest = f.rest[:0]
	return used
}

// read appends text to buf, up to most bytes in all; a full buffer becomes twice
// as large.
func (f *feed) read(buf []byte, most int) []byte {
	if len(buf) >= cap(buf)-scanPadding {
		buf = slices.Grow(buf, max(1, min(len(buf), most-len(buf)))+scanPadding)
	}
	n, err := f.in.Read(buf[len(buf):max(len(buf)+1, min(cap(buf)-scanPadding, most))])
	buf = buf[:len(buf)+n]
	var u *unpackError
	switch {
	case err == nil:
	case err == io.EOF:
		f.state = feedEnd
	case errors.As(err, &u) && u.joined:
		at := f.place(buf, len(buf), Fault{What: u.Error(), Err: u})
		at.Record = 0 // it may be any before, too
		f.faults(at)
	case errors.As(err, &u) && u.resumes:
		f.state, f.broken = feedGap, err
	default:
		f.state, f.broken = feedEnd, err
	}
	return buf
}

// ending is the fault that ends the stretch; false: it ends as it should, with
// the text.
func (f *feed) ending() (Fault, bool) {
	if f.broken == nil {
		return Fault{}, false
	}
	what := "it cannot be read any further: " + f.broken.Error()
	var u *unpackError
	if errors.As(f.broken, &u) {
		what = u.Error()
	}
	return Fault{What: what, Err: f.broken, Stopped: f.state == feedEnd}, true
}

// resume goes on behind a damaged place.
func (f *feed) resume() { f.state, f.broken = feedMore, nil }

// fault tells of a fault at buf[i].
func (f *feed) fault(buf []byte, i int, at Fault) { f.faults(f.place(buf, i, at)) }

// place fills in where a fault at buf[i] is.
func (f *feed) place(buf []byte, i int, at Fault) Fault {
	at.Byte = f.offset + int64(i)
	at.Line = f.line + int64(bytes.Count(buf[:i], []byte{'\n'}))
	if f.record != nil {
		at.Record = f.record()
	}
	return at
}

// cut makes the first end bytes of buf a block, and keeps the rest.
func (f *feed) cut(buf []byte, end int) []byte {
	f.rest = append(f.rest[:0], buf[end:]...)
	f.pass(buf, end)
	return buf[:end]
}

// pass counts the first end bytes of buf as behind us.
func (f *feed) pass(buf []byte, end int) {
	f.offset += int64(end)
	f.line += int64(bytes.Count(buf[:end], []byte{'\n'}))
}
