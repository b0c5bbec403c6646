package ingest

import (
	"bytes"
	"regexp"
)

// Looking at JSON in a buffer whose end may be the end of the text, or not yet.

// verdict is what can be said of a value in a buffer.
type verdict int

const (
	whole verdict = iota + 1
	// unfinished: nothing is wrong with it so far as it goes.
	unfinished
	wrong
)

// checker judges values by JSON's grammar, as the decoder does.
type checker struct{ scanner }

func newChecker() *checker { return &checker{} }

// judge says how the value stands that begins at b[i], and where it ends, is
// wrong, or leaves off. If b has scanPadding bytes of room behind its end, they
// are made zero; else b is copied.
func (c *checker) judge(b []byte, i int) (end int, v verdict) {
	if cap(b)-len(b) < scanPadding {
		b = append(make([]byte, 0, len(b)+scanPadding), b...)
	}
	c.text, c.length, c.place, c.token = b[:len(b)+scanPadding], len(b), i, false
	clear(c.text[len(b):])
	end = c.skip(i, nil, 0)
	c.text = nil
	switch {
	case end >= 0:
		return end, whole
	case c.place >= len(b), c.token && unfinishedToken(b[c.place:]):
		return len(b), unfinished
	}
	return c.place, wrong
}

var (
	unfinishedNumber = regexp.MustCompile(`^-?((0|[1-9][0-9]*)(\.[0-9]*|(\.[0-9]+)?[eE][-+]?[0-9]*)?)?$`)
	unfinishedEscape = regexp.MustCompile(`^\\(u[0-9a-fA-F]{0,3})?$`)
)

// unfinishedToken says whether what the scanner refused is only a token that
// wants its end.
func unfinishedToken(t []byte) bool {
	for _, word := range []string{"true", "false", "null"} {
		if len(t) < len(word) && word[:len(t)] == string(t) {
			return true
		}
	}
	return unfinishedNumber.Match(t) || unfinishedEscape.Match(t)
}

// What a byte is outside of strings. Letters are those of true, false and null,
// and of the NaN and Infinity that some programs write: the extent of a record
// with one of these can be told, and of all else it cannot.
const (
	tokenForeign = iota
	tokenPlain
	tokenQuote
	tokenOpensObject
	tokenOpensArray
	tokenClosesObject
	tokenClosesArray
)

var tokens = func() (t [256]uint8) {
	for _, c := range []byte(blanks + "0123456789+-.eE:,truefalsnNaIity") {
		t[c] = tokenPlain
	}
	t['"'], t['{'], t['['], t['}'], t[']'] = tokenQuote, tokenOpensObject, tokenOpensArray, tokenClosesObject, tokenClosesArray
	return t
}()

// maxOpen is how many brackets may be open; no reader goes nearly as deep.
const maxOpen = 4096

// valueEnd finds the end of the value that begins at b[i] by its brackets and
// strings, much faster than judge and less strictly: so that a record with bad
// UTF-8, control characters or odd numbers is still cut out alone, and can be
// judged alone. The place is where the value ends, is wrong, or len(b) where it
// is unfinished, as a bare word at the end of b always is.
func valueEnd(b []byte, i int) (end int, v verdict) {
	switch tokens[b[i]] {
	case tokenQuote:
		if end = textEnd(b, i); end < 0 {
			return len(b), unfinished
		}
		return end, whole
	case tokenOpensObject, tokenOpensArray:
		return bracketsEnd(b, i)
	}
	start := i
	for ; i < len(b); i++ {
		if tokens[b[i]] > tokenPlain || bytes.IndexByte([]byte(blanks+",:"), b[i]) >= 0 {
			if i == start {
				return i, wrong
			}
			return i, whole
		}
	}
	return len(b), unfinished
}

func bracketsEnd(b []byte, i int) (end int, v verdict) {
	var arrays [maxOpen / 64]uint64 // a bit for each bracket that is open
	depth := 0
	for i < len(b) {
		switch kind := tokens[b[i]]; kind {
		case tokenPlain:
			i++
		case tokenQuote:
			if i = textEnd(b, i); i < 0 {
				return len(b), unfinished
			}
		case tokenOpensObject, tokenOpensArray:
			if depth == maxOpen {
				return i, wrong
			}
			word, bit := depth/64, uint64(1)<<(depth%64)
			arrays[word] &^= bit
			if kind == tokenOpensArray {
				arrays[word] |= bit
			}
			depth++
			i++
		case tokenClosesObject, tokenClosesArray:
			depth--
			if isArray := arrays[depth/64]>>(depth%64)&1 != 0; isArray != (kind == tokenClosesArray) {
				return i, wrong
			}
			i++
			if depth == 0 {
				return i, whole
			}
		default:
			return i, wrong
		}
	}
	return len(b), unfinished
}

// spaceEnd is the index of the first byte at or behind i that is no white space.
func spaceEnd(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}
