package indicators

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Options say what to take.
type Options struct {
	// AllAttributes takes those of MISP that are not meant for detection.
	AllAttributes bool
}

// MaxFile bounds a file, in bytes: it is held in memory.
const MaxFile = 256 << 20

// Read adds what a file holds to a set; name is what messages call it. What the
// file is, its content tells: MISP and STIX are JSON, a CSV begins with a header
// that names its columns, and all else is a list. An error means that the file is
// none of them, is too large, or that the set is (*FileError); single indicators that cannot be
// read are in s.Refused.
func (s *Set) Read(name string, r io.Reader, o Options) error {
	fail := func(err error) error { return &FileError{name, err} }
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return fail(err)
	}
	if len(text) > MaxFile {
		return fail(fmt.Errorf("it has more than %d MiB: split it", MaxFile>>20))
	}
	if err := s.read(name, text, o); err != nil {
		return fail(err)
	}
	if s.failed {
		return fail(fmt.Errorf("there are more than %d indicators: look for them in parts", MaxIndicators))
	}
	s.sort()
	return nil
}

// FileError is a file that has no indicators as they are read here.
type FileError struct {
	Name string
	Err  error
}

func (e *FileError) Error() string { return "read " + e.Name + ": " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// Hint is for the person.
func (e *FileError) Hint() string {
	return "lists, CSV with a header, MISP and STIX 2.1 in JSON are read; mdcalake ioc --help tells more"
}

func (s *Set) read(name string, text []byte, o Options) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return errors.New("it is no text in UTF-8: save it as UTF-8")
	}
	switch begin := bytes.TrimSpace(text); {
	case len(begin) == 0:
		return errors.New("it is empty")
	// A list may begin with [2001:db8::1], or with a domain in brackets.
	case begin[0] == '{', begin[0] == '[' && bytes.ContainsAny(firstLine(begin[1:]), "{\"") || bytes.Equal(firstLine(begin), []byte("[")):
		return s.readJSON(name, begin, o)
	}
	if separator, header, ok := csvHeader(text); ok {
		return s.readCSV(name, text, separator, header)
	}
	s.readList(name, string(text))
	return nil
}

func firstLine(text []byte) []byte {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSpace(line)
}

// readJSON tells MISP from STIX.
func (s *Set) readJSON(name string, text []byte, o Options) error {
	var of struct {
		Type    string           `json:"type"`
		Objects []jsonRawMessage `json:"objects"`
		Event   jsonRawMessage   `json:"Event"`
		Resp    jsonRawMessage   `json:"response"`
		Attrs   jsonRawMessage   `json:"Attribute"`
	}
	if text[0] == '{' {
		if err := unmarshal(text, &of); err != nil {
			return err
		}
		switch {
		case of.Type == "bundle":
			return s.readSTIX(name, of.Objects)
		case of.Type == "indicator":
			return s.readSTIX(name, []jsonRawMessage{text})
		case of.Event == nil && of.Resp == nil && of.Attrs == nil:
			return errors.New("it is JSON, but neither of MISP (Event, response or Attribute) nor a bundle of STIX")
		}
	}
	return s.readMISP(name, text, o)
}
