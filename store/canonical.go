package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// sameRecord says whether two payloads of one activity are two spellings of
// the same record: equal in canonical text, which sorts keys bytewise (case
// and duplicates kept), unescapes strings, keeps numbers as they were written
// and drops white space between tokens. A payload whose bytes had to be
// repaired is never another's spelling: its text no longer tells it apart.
func sameRecord(a, b *Row) bool {
	if a.ContentHash == b.ContentHash {
		return true
	}
	if a.Original != nil || b.Original != nil {
		return false
	}
	ca, err := canonical(a.Raw())
	if err != nil {
		return false
	}
	cb, err := canonical(b.Raw())
	return err == nil && bytes.Equal(ca, cb)
}

// maxNesting is more than the decoder of any record lets pass; what nests
// deeper has no canonical text, and only equal bytes are equal then.
const maxNesting = 1000

// canonical writes valid JSON in its canonical text.
func canonical(raw []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out strings.Builder
	if err := canonicalValue(d, &out, maxNesting); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errRowCodec
	}
	return []byte(out.String()), nil
}

// canonicalValue writes one value with at most this much nesting.
func canonicalValue(d *json.Decoder, out *strings.Builder, nesting int) error {
	tok, err := d.Token()
	if err != nil {
		return err
	}
	if nesting == 0 {
		return errors.New("it nests too deep")
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return canonicalObject(d, out, nesting)
		}
		out.WriteByte('[')
		for n := 0; d.More(); n++ {
			if n > 0 {
				out.WriteByte(',')
			}
			if err := canonicalValue(d, out, nesting-1); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		_, err := d.Token()
		return err
	case string:
		canonicalString(out, t)
	case json.Number:
		out.WriteString(t.String())
	case bool:
		if t {
			out.WriteString("true")
		} else {
			out.WriteString("false")
		}
	default:
		out.WriteString("null")
	}
	return nil
}

func canonicalObject(d *json.Decoder, out *strings.Builder, nesting int) error {
	type member struct{ key, text string }
	var members []member
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		var value strings.Builder
		if err := canonicalValue(d, &value, nesting-1); err != nil {
			return err
		}
		members = append(members, member{key, value.String()})
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	// Duplicates stay in their order: the first one counts.
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	out.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		canonicalString(out, m.key)
		out.WriteByte(':')
		out.WriteString(m.text)
	}
	out.WriteByte('}')
	return nil
}

var quoteMarks = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// canonicalString writes the unescaped text between quotes, with only quote
// and backslash marked, so that no text can pass for structure.
func canonicalString(out *strings.Builder, s string) {
	out.WriteByte('"')
	out.WriteString(quoteMarks.Replace(s))
	out.WriteByte('"')
}
