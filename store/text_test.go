package store_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"mdcalake/store"
)

func TestSpellingsOfARecordHaveOneText(t *testing.T) {
	same := [][]string{
		{`{"a":1,"b":[true,null]}`, ` { "b" : [ true , null ] , "a" : 1 } `},
		{`{"a":"ü\n/"}`, `{"\u0061":"\u00fc\u000a\/"}`},
		{`"😀"`, `"\ud83d\ude00"`},
		{`{"a":{"y":1,"x":2}}`, `{"a":{"x":2,"y":1}}`},
	}
	for _, group := range same {
		a, errA := store.Canonical([]byte(group[0]))
		b, errB := store.Canonical([]byte(group[1]))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %q, %v and %q, %v", group[0], a, errA, b, errB)
		}
	}
	for _, pair := range [][2]string{
		{`1`, `1.0`}, {`1e2`, `100`}, {`"1"`, `1`}, {`{"a":1}`, `{"A":1}`}, {`[1,2]`, `[2,1]`}, {`{"a":1,"a":2}`, `{"a":2,"a":1}`}, {`{"a":1}`, `{"a":1,"a":1}`},
		{`{"a":"\",\"b\":\""}`, `{"a":"","b":""}`}, {`""`, `null`}, {`{}`, `[]`}, {`"\\n"`, `"\n"`}, {`-0`, `0`},
	} {
		a, errA := store.Canonical([]byte(pair[0]))
		b, errB := store.Canonical([]byte(pair[1]))
		if errA != nil || errB != nil || bytes.Equal(a, b) {
			t.Errorf("%s and %s: %q, %v and %q, %v", pair[0], pair[1], a, errA, b, errB)
		}
	}
	if _, err := store.Canonical([]byte(strings.Repeat("[", 5_000_000))); err == nil {
		t.Error("a pile of brackets has a text")
	}
}

// Canonical text never panics, is the same for re-spellings, and is its own
// canonical text where it is JSON (control characters stand bare in it).
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1,{"c":"\u0041\n"}],"a":null}`, `[1e5,-0.0,""]`, `{"a":1,"a":2}`, `"\ud800"`, `{"a"`, `[1 2]`, `1 2`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := store.Canonical(raw)
		if !json.Valid(raw) {
			return
		}
		if err != nil {
			if strings.Count(string(raw), "[")+strings.Count(string(raw), "{") < 1000 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		var spaced bytes.Buffer
		if json.Indent(&spaced, raw, " ", "\t") == nil {
			if again, err := store.Canonical(spaced.Bytes()); err != nil || !bytes.Equal(text, again) {
				t.Errorf("%q is %q, spaced out %q, %v", raw, text, again, err)
			}
		}
		if json.Valid(text) {
			if again, err := store.Canonical(text); err != nil || !bytes.Equal(text, again) {
				t.Errorf("%q is %q, that is %q, %v", raw, text, again, err)
			}
		}
	})
}

func FuzzParsePartition(f *testing.F) {
	for _, s := range []string{"date=2026-11-01/service=20893", "date=1969-12-31/service=-1", "date=2026-11-01/service=007", "date=2026-02-30/service=1", "date=0000-01-01/service=9223372036854775807", "service=1/date=2026-11-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, dir string) {
		p, err := store.ParsePartition(dir)
		if err == nil && p.Dir() != dir {
			t.Errorf("%q is read as %q", dir, p.Dir())
		}
	})
}
