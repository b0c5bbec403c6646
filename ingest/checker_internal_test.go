package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// A text that breaks off anywhere in a sound value is unfinished, and one to
// which anything wrong is put is wrong there; what stands behind is not looked at.
func TestJudging(t *testing.T) {
	t.Parallel()
	const value = `{"a":[true,false,null,-12.50e-3,0,"x\"\u00e4\ud83d\ude00é"],"b":{"c":{}},"d":[ ]}`
	c := newChecker()
	for behind := range map[string]bool{"": true, " , ": true, "]": true, "\x00": true} {
		if end, v := c.judge([]byte(" "+value+behind), 1); v != whole || end != len(value)+1 {
			t.Errorf("%q behind: %d, ends at %d", behind, v, end)
		}
	}
	for i := range len(value) {
		b := append(make([]byte, 0, 200), value[:i]...)
		copy(b[i:200], value[i:]) // what lies in the room behind is not the text's
		if end, v := c.judge(b, 0); i > 0 && (v != unfinished || end != i) {
			t.Errorf("%q: %d at %d", value[:i], v, end)
		}
		if i > 0 {
			if end, v := c.judge([]byte(value[:i]+"\x01"), 0); v != wrong && !(v == unfinished && end == i+1) || v == whole {
				t.Errorf("%q and a control character: %d at %d", value[:i], v, end)
			}
		}
	}
	for text, want := range map[string]int{
		`{"a":1,}`: 7, `{"a" 1}`: 5, `[1,2}`: 4, `{"a":nul}`: 5, `{"a":01}`: 5, `{"a":1.}`: 5, `{"a":"\x"}`: 6, "{\"a\":\"\n\"}": 6, `}`: 0, `E`: 0, `[-]`: 1,
	} {
		if end, v := c.judge([]byte(text), 0); v != wrong || end != want {
			t.Errorf("%q: %d at %d, want %d", text, v, end, want)
		}
	}
}

// FuzzJudge: what is whole, unfinished or wrong is what a strict decoder says.
func FuzzJudge(f *testing.F) {
	for _, text := range []string{`{"a":[1,2,{"b":"c"}]}`, `[1.5e`, `"\u12`, `tru`, `-`, `E`, `{"a":1]`, `[1 2]`, "\"\x01\"", `{"a"`, `1.`, `[0`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		i := spaceEnd(text, 0)
		if i == len(text) || bytes.IndexByte([]byte(`{["`), text[i]) < 0 || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxDepth {
			return
		}
		end, v := newChecker().judge(text, i)
		d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		value, err := d.ReadValue()
		var syntax *jsontext.SyntacticError
		switch {
		case err == nil:
			if v != whole || end != i+len(value) {
				t.Fatalf("%q: %d, ends at %d; it is whole and ends at %d", text, v, end, i+len(value))
			}
		case errors.Is(err, io.ErrUnexpectedEOF):
			if v != unfinished {
				t.Fatalf("%q: %d; it is unfinished: %v", text, v, err)
			}
		case errors.As(err, &syntax):
			if v == whole || v == unfinished && !lenientEscape(text) {
				t.Fatalf("%q: %d; it is wrong: %v", text, v, err)
			}
		}
	})
}

// lenientEscape: the strict decoder refuses half of a surrogate pair, which is no
// damage here.
func lenientEscape(text []byte) bool { return strings.Contains(fmt.Sprintf("%q", text), `\\u`) }
