package ingest

import (
	"bytes"
	"encoding/json"
)

// What a text is: lines, or JSON values of whatever layout. Lines are the form
// in which one bad record can never take others along, so what can be read as
// lines is.

// shape is how records stand in a text.
type shape int

const (
	// shapeLines: a record a line (NDJSON).
	shapeLines shape = iota + 1
	// shapeValues: JSON values one after the other, on one line or on many:
	// arrays of records, answers of the API, records.
	shapeValues
)

const blanks = " \t\r\n" // what may stand around a record

// shapeOf tells from the head of a text, which may be all of it, how records
// stand in it; or that there are none.
func shapeOf(head []byte, all bool) (shape, foreign) {
	head = bytes.TrimLeft(head, blanks)
	if len(head) == 0 {
		return shapeLines, foreign{}
	}
	if head[0] != '{' && head[0] != '[' {
		return strangeShape(head)
	}
	line, rest, broken := bytes.Cut(head, []byte{'\n'})
	if !broken && !all {
		return longLineShape(head), foreign{}
	}
	if !json.Valid(line) {
		return brokenLineShape(head, len(line), rest), foreign{}
	}
	switch {
	case line[0] == '{' && !isAnswer(line):
		return shapeLines, foreign{}
	case line[0] == '{':
		return shapeValues, foreign{}
	}
	// An array, whole on the first line: a bad record among lines, or one of
	// several arrays, or all there is.
	if objects, _ := linesAlone(rest, all, false); objects > 0 {
		return shapeLines, foreign{}
	}
	return shapeValues, foreign{}
}

// longLineShape is the shape of what does not end its first line in the head.
func longLineShape(head []byte) shape {
	if head[0] == '[' || isAnswer(head) {
		return shapeValues
	}
	if _, v := newChecker().judge(head, 0); v == whole {
		return shapeValues // more than one value on the line
	}
	return shapeLines
}

// brokenLineShape is the shape of what begins with an object or array that its
// first line, of so many bytes, does not end soundly.
func brokenLineShape(head []byte, line int, rest []byte) shape {
	objects, others := linesAlone(rest, false, true)
	array := head[0] == '['
	end, v := newChecker().judge(head, 0)
	switch {
	case v == whole && end > line: // it stands on several lines
		return shapeValues
	case v == whole:
		if next := bytes.TrimLeft(head[end:line], blanks); len(next) > 0 && bytes.IndexByte([]byte("{[,"), next[0]) >= 0 {
			return shapeValues
		}
	case objects > others:
		// So it is lines, of which the first is damaged.
	case array, isAnswer(head), end > line: // sound beyond the first line
		return shapeValues
	}
	return shapeLines
}

// linesAlone counts the lines that are an object, each for itself and from the
// first column on, and the others.
func linesAlone(text []byte, all, sound bool) (objects, others int) {
	for line := range bytes.Lines(text) {
		ended := line[len(line)-1] == '\n'
		line = bytes.TrimRight(line, blanks)
		switch {
		case len(line) == 0, !ended && !all:
		case line[0] == '{' && len(line) > 2 && (!sound || json.Valid(line)):
			objects++
		default:
			others++
		}
	}
	return objects, others
}

// strangeShape is the shape of what begins with neither object nor array: lines,
// if any of them begins with an object, or the first is JSON at all.
func strangeShape(head []byte) (shape, foreign) {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	if json.Valid(bytes.TrimSpace(line)) {
		return shapeLines, foreign{}
	}
	for line := range bytes.Lines(head) {
		if bytes.HasPrefix(bytes.TrimLeft(line, blanks), []byte{'{'}) {
			return shapeLines, foreign{}
		}
	}
	return 0, strange(head)
}

// strange names what is no JSON.
func strange(head []byte) foreign {
	switch {
	case head[0] == '<':
		return foreign{"it is HTML or XML; import takes JSON", "is it the right file? A saved page of an error, perhaps?"}
	case hasControls(head):
		return foreign{"it is binary data of a kind that is not known here; import takes JSON", "is it the right file?"}
	}
	return foreign{"it does not begin with records; import takes JSON objects: one a line (NDJSON), in arrays, or as answers of the API", "is it the right file? CSV and plain text have no records in them"}
}

// hasControls says whether there are control characters that no text has.
func hasControls(b []byte) bool {
	return bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != '\f' && r != '\x1b' })
}
