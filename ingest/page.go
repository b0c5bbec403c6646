package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strconv"
	"time"
)

// A Page is one answer of the API. ParsePage fills the first half from the
// body; a Scan adds the second half.
type Page struct {
	// Records are the elements of data, byte for byte, without the white space
	// around them; an element null is the record "null". They are parts of Body.
	Records [][]byte

	HasNext        bool
	HasNextPresent bool // false where hasNext is missing or null

	// NextQueryFilters is the cursor, byte for byte; nil where it is missing or
	// null. It is a part of Body.
	NextQueryFilters []byte

	Total        int64 // what the API claims; only a hint
	TotalPresent bool  // false where total is missing or no whole number

	DataPresent bool // false where data is missing or null

	// What follows is set by a Scan.

	Body       []byte        // the whole body, as received (after decompression)
	Request    []byte        // the body of the request that it answers
	SHA256     [32]byte      // of Body
	Number     int64         // which page of the run this is, from 1
	Date       time.Time     // the server's clock when it answered; zero if it did not say
	FirstAsked time.Time     // the server's clock when the scan's first page was asked for: what was saved later may be missing
	Answered   time.Time     // when it had come, by the later of the server's clock and ours
	Took       time.Duration // from the request to the end of the answer
	Offset     time.Duration // the server's clock minus ours, as it said last; 0 if it never did
	Requests   int64         // requests it took, retries too
	Last       bool          // the API says that the window ends with this page
	Repeated   bool          // the cursor did not move: the same question is asked again

	answer *Answer
}

// Release gives the page's memory back: Records, NextQueryFilters and Body are
// gone afterwards. A second call does nothing. A page that nobody releases is
// left to the garbage collector.
func (p *Page) Release() {
	if p == nil {
		return
	}
	p.Records, p.NextQueryFilters, p.Body = nil, nil, nil
	p.answer.Release()
}

// maxPageRecords bounds what a body of commas can make us allocate.
const maxPageRecords = 1 << 20

// ParsePage finds the envelope's members in body in one pass. It is strict
// about the envelope: one JSON object and nothing after it, each member in
// order. It is lenient inside the records: there only brackets and strings
// count, so that a record with bad UTF-8, control characters or odd numbers is
// still split out alone, and can be judged alone.
//
// Members may come in any order, unknown ones are skipped, and of two of the
// same name the first counts. A byte-order mark at the start is skipped.
//
// The error is a *MalformedError; p then holds nothing.
func ParsePage(body []byte, p *Page) error {
	p.clearEnvelope()
	e := envelope{b: body}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		e.i = 3
	}
	if err := e.page(p); err != nil {
		p.clearEnvelope()
		return err
	}
	return nil
}

func (p *Page) clearEnvelope() {
	p.Records = p.Records[:0]
	p.HasNext, p.HasNextPresent = false, false
	p.NextQueryFilters = nil
	p.Total, p.TotalPresent = 0, false
	p.DataPresent = false
}

// envelope is a place in a body.
type envelope struct {
	b []byte
	i int
}

func (e *envelope) fail(what string) error {
	if e.i >= len(e.b) {
		what = "cut, " + what
	}
	return &MalformedError{What: what, Offset: int64(e.i)}
}

// peek skips white space and returns the byte there, or 0 at the end. (A byte 0
// in the body is no JSON wherever peek is used, so the two need no difference.)
func (e *envelope) peek() byte {
	for ; e.i < len(e.b); e.i++ {
		switch c := e.b[e.i]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (e *envelope) page(p *Page) error {
	switch c := e.peek(); {
	case c == '<':
		return &MalformedError{What: "an HTML page where JSON was expected", Offset: -1}
	case e.i >= len(e.b):
		return &MalformedError{What: "empty body", Offset: -1}
	case c != '{':
		return e.fail("a JSON object expected")
	}
	var seen [4]bool
	if err := e.members(func(name string) error {
		for k, known := range [...]string{"data", "hasNext", "nextQueryFilters", "total"} {
			if name != known || seen[k] {
				continue
			}
			seen[k] = true
			switch k {
			case 0:
				return e.data(p)
			case 1:
				return e.hasNext(p)
			case 2:
				return e.cursor(p)
			default:
				return e.total(p)
			}
		}
		_, err := e.value()
		return err
	}); err != nil {
		return err
	}
	if e.peek(); e.i < len(e.b) {
		return e.fail("something after the JSON object")
	}
	return nil
}

// members walks the object that begins here. each is called with the name of a
// member, at its value, and must read the value.
func (e *envelope) members(each func(name string) error) error {
	e.i++ // the brace
	if e.peek() == '}' {
		e.i++
		return nil
	}
	for {
		if e.peek() != '"' {
			return e.fail("a member name expected")
		}
		name, err := e.name()
		if err != nil {
			return err
		}
		if e.peek() != ':' {
			return e.fail("a colon expected")
		}
		e.i++
		e.peek()
		if err := each(name); err != nil {
			return err
		}
		switch e.peek() {
		case ',':
			e.i++
		case '}':
			e.i++
			return nil
		default:
			return e.fail("a comma or the end of the object expected")
		}
	}
}

func (e *envelope) name() (string, error) {
	end := textEnd(e.b, e.i)
	if end < 0 {
		e.i = len(e.b)
		return "", e.fail("a member name without end")
	}
	var name string
	if err := json.Unmarshal(e.b[e.i:end], &name); err != nil {
		return "", e.fail("a member name that is no JSON string")
	}
	e.i = end
	return name, nil
}

// value reads one JSON value outside the records, which must be valid.
func (e *envelope) value() ([]byte, error) {
	start := e.i
	end := rawEnd(e.b, start)
	if end < 0 {
		e.i = len(e.b)
		return nil, e.fail("a value without end")
	}
	if end == start || !json.Valid(e.b[start:end]) {
		return nil, e.fail("a JSON value expected")
	}
	e.i = end
	return e.b[start:end:end], nil
}

func (e *envelope) data(p *Page) error {
	if e.i >= len(e.b) || e.b[e.i] != '[' {
		v, err := e.value()
		if err != nil {
			return err
		}
		if string(v) != "null" {
			return &MalformedError{What: "data is no array", Offset: -1}
		}
		return nil
	}
	p.DataPresent = true
	e.i++
	if e.peek() == ']' {
		e.i++
		return nil
	}
	for {
		e.peek()
		end := rawEnd(e.b, e.i)
		if end < 0 {
			e.i = len(e.b)
			return e.fail("a record without end")
		}
		if end == e.i {
			return e.fail("a record expected")
		}
		if len(p.Records) == maxPageRecords {
			return &MalformedError{What: "more than " + strconv.Itoa(maxPageRecords) + " records in a page", Offset: -1, final: true}
		}
		p.Records = append(p.Records, e.b[e.i:end:end])
		e.i = end
		switch e.peek() {
		case ',':
			e.i++
		case ']':
			e.i++
			return nil
		default:
			return e.fail("a comma or the end of data expected")
		}
	}
}

func (e *envelope) hasNext(p *Page) error {
	v, err := e.value()
	if err != nil {
		return err
	}
	switch string(v) {
	case "true":
		p.HasNext, p.HasNextPresent = true, true
	case "false":
		p.HasNextPresent = true
	case "null":
	default:
		return &MalformedError{What: "hasNext is neither true nor false", Offset: -1}
	}
	return nil
}

func (e *envelope) cursor(p *Page) error {
	v, err := e.value()
	if err == nil && string(v) != "null" {
		p.NextQueryFilters = v
	}
	return err
}

func (e *envelope) total(p *Page) error {
	v, err := e.value()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		p.Total, p.TotalPresent = n, true
	}
	return nil
}

// usableCursor tells whether a cursor can be sent as filters. An object without
// members would ask for everything the tenant ever did.
func usableCursor(cursor []byte) bool {
	return len(cursor) > 1 && cursor[0] == '{' && len(bytes.Trim(cursor[1:len(cursor)-1], " \t\r\n")) > 0
}

// rawEnd returns where the value that begins at b[i] ends, looking at brackets
// and strings alone: i if no value begins there, -1 if it has no end. It counts
// depth and does not recurse, so that no nesting is too deep for it.
func rawEnd(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return textEnd(b, i)
	case '{', '[':
		return bracketEnd(b, i)
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case ',', ':', '"', '{', '}', '[', ']', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return -1 // in an envelope nothing bare is ever at the end
}

func bracketEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch pageMarks[b[i]] {
		case 0:
			i++
		case pageQuote:
			if i = textEnd(b, i); i < 0 {
				return -1
			}
		case pageOpens:
			depth++
			i++
		case pageCloses:
			depth--
			i++
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

const (
	pageQuote = iota + 1
	pageOpens
	pageCloses
)

var pageMarks = [256]uint8{'"': pageQuote, '{': pageOpens, '[': pageOpens, '}': pageCloses, ']': pageCloses}

// textEnd returns the place after the string that begins at b[i], -1 if it has
// no end. Eight bytes at a time: most bytes of a page are inside strings.
func textEnd(b []byte, i int) int {
	const (
		ones   = 0x0101010101010101
		tops   = 0x8080808080808080
		quotes = ones * '"'
		slash  = ones * '\\'
	)
	i++
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			q, s := w^quotes, w^slash
			// The lowest bit set is exact; higher ones may be wrong, and are not looked at.
			if hit := ((q-ones)&^q | (s-ones)&^s) & tops; hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				goto found
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= len(b) {
			return -1
		}
	found:
		if b[i] == '"' {
			return i + 1
		}
		i += 2 // the backslash and what it escapes
	}
}
