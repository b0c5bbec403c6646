package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// cutValues are the records that the cutter makes of a text, with what holds
// for every text checked.
func cutValues(t testing.TB, in io.Reader, limits importLimits) (records []string, faults []Fault) {
	t.Helper()
	v := newValueCutter(newFeed(in, limits, func(f Fault) { faults = append(faults, f) }))
	var used block
	for {
		b, err := v.next(used)
		if err == io.EOF {
			return records, faults
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.spans) == 0 || b.first != int64(len(records)+1) {
			t.Fatalf("a block of %d records, the first is %d of %d", len(b.spans), b.first, len(records))
		}
		for _, s := range b.spans {
			if s.start >= s.end {
				t.Fatalf("an empty record: %v", s)
			}
			records = append(records, string(b.data[s.start:s.end]))
		}
		used = b
	}
}

var smallLimits = importLimits{block: 64, line: 1 << 20}

// rec is a record that can be lifted.
func rec(id string) string { return fmt.Sprintf(`{"_id":%q,"timestamp":1795089600000}`, id) }

func TestRecordsAreCutOutOfAllShapes(t *testing.T) {
	t.Parallel()
	a, b, c := rec("a"), rec("b"), rec("c")
	pretty := "{\n  \"_id\": \"p\",\n  \"timestamp\": 1795089600000,\n  \"user\": {\n    \"tags\": [\n      \"]}\\\"\"\n    ]\n  }\n}"
	long := `{"_id":"long","timestamp":1795089600000,"x":"` + strings.Repeat(`\"{[`, 500) + `"}`
	for name, x := range map[string]struct {
		text string
		want []string
	}{
		"an array":                     {"[" + a + "," + b + "]", []string{a, b}},
		"an array over many lines":     {"[\n  " + pretty + ",\n  " + a + "\n]\n", []string{pretty, a}},
		"an array with CRLF":           {"[\r\n" + a + "\r\n,\r\n" + b + "\r\n]\r\n", []string{a, b}},
		"a record a line, in an array": {"[\n" + a + ",\n" + b + "\n]", []string{a, b}},
		"none":                         {" [ ] ", nil},
		"arrays, one after the other":  {"[" + a + "][]\n[" + b + "," + c + "]", []string{a, b, c}},
		"an answer":                    {`{"data":[` + a + `,` + b + `],"hasNext":false,"nextQueryFilters":{"x":[1,{"y":"]"}]},"total":2}`, []string{a, b}},
		"an answer, data last":         {`{"total":2,"hasNext":true,"nextQueryFilters":{"data":[1]},"data":[` + a + `]}`, []string{a}},
		"an answer over many lines":    {"{\n  \"data\": [\n    " + a + ",\n    " + b + "\n  ],\n  \"hasNext\": false\n}\n", []string{a, b}},
		"answers, one after the other": {`{"data":[` + a + `]}{"data":[]}` + "\n" + `{"hasNext":false,"data":[` + b + `]}`, []string{a, b}},
		"an answer, its data twice":    {`{"data":[` + a + `],"data":[` + b + `]}`, []string{a, b}},
		"an escaped name":              {`{"d\u0061ta":[` + a + `]}`, []string{a}},
		"an answer without records":    {`{"data":null,"hasNext":false}`, []string{`{"data":null,"hasNext":false}`}},
		"a record with data":           {`{"_id":"a","data":[{"x":1}]}`, []string{`{"_id":"a","data":[{"x":1}]}`}},
		"a record":                     {pretty, []string{pretty}},
		"records over many lines":      {pretty + "\n" + pretty + pretty + "  " + a, []string{pretty, pretty, pretty, a}},
		"a long one":                   {"[" + a + "," + long + "," + b + "]", []string{a, long, b}},
		"what is no record":            {`[null, 1.50e2 ,"x,]",[1,[2]],true,` + a + `] 5 "y" null`, []string{"null", "1.50e2", `"x,]"`, "[1,[2]]", "true", a, "5", `"y"`, "null"}},
		"bad UTF-8, odd numbers":       {"[{\"a\":\"\xff\xfe\n\",\"b\":01,\"c\":NaN}," + a + "]", []string{"{\"a\":\"\xff\xfe\n\",\"b\":01,\"c\":NaN}", a}},
		"other brackets in other ones": {"[{\"a\":[{\"b\":[[],{}]}]}," + a + "]", []string{"{\"a\":[{\"b\":[[],{}]}]}", a}},
		"byte-order marks":             {"[" + a + "]\n\ufeff[" + b + "]\ufeff \ufeff" + c, []string{a, b, c}},
		"empty objects":                {"[{},{ }]{}", []string{"{}", "{ }", "{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			for pieces, in := range map[string]io.Reader{
				"whole":                  strings.NewReader(x.text),
				"a byte at a time":       iotest.OneByteReader(strings.NewReader(x.text)),
				"half of what is asked":  iotest.HalfReader(strings.NewReader(x.text)),
				"the end with the data":  iotest.DataErrReader(strings.NewReader(x.text)),
				"three and then seventy": &chunks{data: []byte(x.text), sizes: []int{3, 70}},
			} {
				for _, limits := range []importLimits{smallLimits, productLimits} {
					got, faults := cutValues(t, in, limits)
					if d := cmp.Diff(x.want, got); d != "" || len(faults) > 0 {
						t.Errorf("%s: %s %+v", pieces, d, faults)
					}
					in = strings.NewReader(x.text)
				}
			}
		})
	}
}

func TestWhatIsSoundInADamagedTextIsCutOut(t *testing.T) {
	t.Parallel()
	a, b, c := rec("a"), rec("b"), rec("c")
	indented := func(id string) string {
		return "  {\n    \"_id\": \"" + id + "\",\n    \"timestamp\": 1795089600000,\n    \"x\": [\n      {\n        \"y\": 1\n      }\n    ]\n  }"
	}
	p, q, r := indented("p"), indented("q"), indented("r")
	nested := `{"x":{"_id":"n","timestamp":1795089600000}`
	// The place of the fault is marked in the text.
	for name, x := range map[string]struct {
		text   string
		want   []string // in order, what is damaged too
		what   string
		record int64
		passed int  // bytes, unless
		kept   bool // they are in quarantine as this record
	}{
		"cut between records":               {"[" + a + "," + b + ",¦", []string{a, b}, "it is cut in an array of records", 3, 0, false},
		"cut behind a record":               {"[" + a + "¦", []string{a}, "it is cut in an array of records", 2, 0, false},
		"cut in a record":                   {"[" + a + ",\n¦" + b[:20] + " ", []string{a, b[:20]}, "it is cut in a record", 2, 0, true},
		"cut in a string":                   {`[¦{"_id":"x`, []string{`{"_id":"x`}, "it is cut in a record", 1, 0, true},
		"cut in an answer":                  {`{"data":[` + a + `],¦"hasN`, []string{a}, "it is cut behind the records of an answer", 2, 0, false},
		"cut before its end":                {`{"data":[` + a + `],¦"hasNext":false`, []string{a}, "it is cut behind the records of an answer", 2, 0, false},
		"cut before its records":            {`¦{"hasNext":false,"da`, []string{`{"hasNext":false,"da`}, "it is cut in a record", 1, 0, true},
		"cut in a record of the top":        {a + "¦" + b[:9], []string{a, b[:9]}, "it is cut in a record", 2, 0, true},
		"no cut: a nested one is no record": {"[" + a + ",¦" + nested, []string{a, nested}, "it is cut in a record", 2, 0, true},

		"a bracket is missing": {"[" + a + `,¦{"_id":"x","y":{"z":1,"timestamp":5},` + b + "," + c + "]", []string{a, `{"_id":"x","y":{"z":1,"timestamp":5}`, b, c}, "a damaged record", 2, 0, true},
		"a bracket too many":   {"[" + a + `,{"_id":"x"}¦},` + b + "," + c + "]", []string{a, `{"_id":"x"}`, b, c}, "neither a comma nor the end of the array", 3, 2, false},
		"another bracket":      {"[" + a + `,¦{"_id":"x","y":[1,2},` + b + "]", []string{a, `{"_id":"x","y":[1,2}`, b}, "a damaged record", 2, 0, true},
		"a quote is missing":   {"[" + a + `,¦{"_id":"x","d":"foo,"e":"bar"},` + b + "," + c + "]", []string{a, `{"_id":"x","d":"foo,"e":"bar"}`, b, c}, "a damaged record", 2, 0, true},
		"bytes are missing":    {"[" + a + `,¦{"_id":"x","d":"fo` + b + "," + c + "]", []string{a, `{"_id":"x","d":"fo`, b, c}, "a damaged record", 2, 0, true},
		"it has an end, so it is a bad record as others are": {"[" + a + `,{"_id":"x","d":"fo` + b[5:] + "," + c + "]", []string{a, `{"_id":"x","d":"fo` + b[5:], c}, "", 0, 0, false},
		"an end is missing, over many lines":                 {"[\n" + p + ",\n  ¦" + q[2:len(q)-4] + ",\n" + r + "\n]", []string{p[2:], q[2 : len(q)-4], r[2:]}, "a damaged record", 2, 0, true},
		"in the first one":                                   {`[¦{"_id":"x",nonsense},` + b + "]", []string{`{"_id":"x",nonsense}`, b}, "a damaged record", 1, 0, true},
		"in the last one":                                    {"[" + a + `,¦{"_id":"x",nonsense}]`, []string{a, `{"_id":"x",nonsense}]`}, "a damaged record", 2, 0, true},
		"a nested one is no record":                          {"[" + a + `,¦{"_id":"x",no,"y":{"_id":"n","timestamp":1795089600000}},` + b + "]", []string{a, `{"_id":"x",no,"y":{"_id":"n","timestamp":1795089600000}}`, b}, "a damaged record", 2, 0, true},
		"zero bytes behind":                                  {"[" + a + "]\n¦" + strings.Repeat("\x00", 300), []string{a}, "no JSON value", 2, 300, false},
		"nor are those in an array":                          {"[" + a + `,¦{"_id":"x",no,"ys":[{"_id":"n"},{"_id":"m","timestamp":"never"}]},` + b + "]", []string{a, `{"_id":"x",no,"ys":[{"_id":"n"},{"_id":"m","timestamp":"never"}]}`, b}, "a damaged record", 2, 0, true},
		"the next line is an answer":                         {`¦{"_id":"x",no}` + "\n" + `{"data":[` + b + `]}`, []string{`{"_id":"x",no}`, b}, "a damaged record", 1, 0, true},
		"a comma is missing":                                 {"[" + a + "\n¦" + b + "]", []string{a, b}, "a comma is missing between records", 2, 0, false},
		"a comma too many":                                   {"[" + a + ",¦]", []string{a}, "a record is missing at a comma", 2, 0, false},
		"two commas":                                         {"[" + a + ",¦," + b + "]", []string{a, b}, "a record is missing at a comma", 2, 0, false},
		"part of an array":                                   {a + "¦,\n" + b + ",\n" + c + "\n]", []string{a, b, c}, "a comma stands between values that are in no array", 2, 0, false},
		"junk at the top":                                    {a + "\n¦ERROR: it broke\n" + b + "\n", []string{a, "ERROR: it broke", b}, "no JSON value", 2, 0, true},
		"a damaged answer among answers": {`{"data":[` + a + `]}` + "\n" + `{"data":[¦{"_id":"x` + "\n" + `{"data":[` + b + `],"hasNext":false}` + "\n" + `{"data":[` + c + `]}`,
			[]string{a, `{"_id":"x` + "\n" + `{"data":[`, b, c}, "a damaged record", 2, 0, true},
		"no answer's end": {`{"data":[` + a + `],¦"hasNext" false}` + "\n" + `{"data":[` + b + `]}`, []string{a, `"hasNext" false}`, b}, "no JSON between the records of an answer and its end", 2, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			before, after, _ := strings.Cut(x.text, "¦")
			text := before + after
			var want []Fault
			if x.kept {
				x.passed = len(x.want[x.record-1])
			}
			if x.what != "" {
				want = []Fault{{What: x.what, Line: int64(1 + strings.Count(before, "\n")), Byte: int64(len(before)), Record: x.record, Passed: int64(x.passed), Kept: x.kept}}
			}
			for pieces, in := range map[string]io.Reader{"whole": strings.NewReader(text), "a byte at a time": iotest.OneByteReader(strings.NewReader(text))} {
				for _, limits := range []importLimits{smallLimits, productLimits} {
					got, faults := cutValues(t, in, limits)
					if d := cmp.Diff(x.want, got) + cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", faults)); d != "" {
						t.Errorf("%s, blocks of %d: %s", pieces, limits.block, d)
					}
					in = strings.NewReader(text)
				}
			}
		})
	}
}

// jsonValues is what encoding/json says that the records of a text are. sound:
// all of it is JSON.
func jsonValues(text []byte) (records []string, sound bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return records, err == io.EOF
		}
		if rest := text[d.InputOffset():]; isScalar(string(v)) && len(rest) > 0 && !strings.ContainsRune(" \t\r\n{[\"", rune(rest[0])) {
			return records, false // to encoding/json, 00 is two numbers
		}
		elements, ok := elementsOf(v)
		if !ok {
			elements = []string{string(v)}
		}
		records = append(records, elements...)
	}
}

// elementsOf are those of an array, or of the arrays for data in an answer.
func elementsOf(v json.RawMessage) (elements []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(v))
	array := func() {
		for d.More() {
			var e json.RawMessage
			if d.Decode(&e) != nil {
				panic("a sound value has no sound element")
			}
			elements = append(elements, string(e))
		}
		d.Token()
	}
	switch first, _ := d.Token(); first {
	case json.Delim('['):
		array()
		return elements, true
	case json.Delim('{'):
	default:
		return nil, false
	}
	for d.More() {
		name, _ := d.Token()
		if name == "_id" && !ok {
			return nil, false
		}
		rest := bytes.TrimLeft(v[d.InputOffset():], " \t\r\n:")
		if name == "data" && rest[0] == '[' {
			d.Token()
			array()
			ok = true
			continue
		}
		var skipped json.RawMessage
		d.Decode(&skipped)
	}
	return elements, ok
}

// FuzzImportSource: what is cut out of sound JSON is what encoding/json sees in
// it, byte for byte; what is cut out of a text that breaks off is the same up to
// there, and at most the piece of a record; and whatever a text is, and where
// pieces of it are missing, the records stand in it in order, one behind the
// other.
func FuzzImportSource(f *testing.F) {
	a, b := rec("a"), rec("b")
	for _, text := range []string{
		"[" + a + "," + b + "]", "[\n  " + a + ",\n  " + b + "\n]\n", `{"data":[` + a + `,` + b + `],"hasNext":false}{"data":[` + b + `]}`,
		a + b + "[null,1,\"x\"] 5 {}", "[" + a + `,{"_id":"x","y":{"z":1},` + b + "]", "[" + a + `,{"_id":"x","d":"foo,"e":1},` + b + "]", `{"hasNext":[{"a":"\\\""}],"data":[{}]}`,
		a + ",\n" + b + ",", "{\n \"_id\": \"\xff\",\n \"x\": NaN\n}", "[[[[{}]]],\"\\u12", "[1,2]]}" + a, "\n{\"data\":\n[", `[{"_id":{"_id":[{"_id":`,
	} {
		f.Add([]byte(text), uint16(len(text)*2/3), uint8(7))
		f.Add([]byte(text), uint16(len(text)), uint8(200))
	}
	f.Fuzz(func(t *testing.T, text []byte, at uint16, size uint8) {
		limits := importLimits{block: 16 + int(size), line: 1 << 12}
		cut := func(text []byte) ([]string, []Fault) {
			return cutValues(t, &chunks{data: bytes.Clone(text), sizes: []int{1 + int(size), 3}}, limits)
		}
		inOrder := func(records []string) {
			from := 0
			for _, r := range records {
				i := bytes.Index(text[from:], []byte(r))
				if i < 0 {
					t.Fatalf("%q is made up, or comes in another order, of %q", r, text)
				}
				from += i + len(r)
			}
		}
		all, faults := cut(text)
		inOrder(all)
		broken, _ := cutValues(t, &gapped{pieces: []string{string(text[:min(int(at), len(text))]), string(text[min(int(at), len(text)):])}}, limits)
		inOrder(broken)
		want, sound := jsonValues(text)
		if !sound || len(text) > limits.line {
			return
		}
		if !slices.Equal(all, want) || len(faults) > 0 {
			t.Fatalf("of %q came %q, want %q; %+v", text, all, want, faults)
		}
		kind := []string{"gzip", "zstd"}[size%2]
		packed := append(piece(t, kind, string(text[:len(text)/2])), piece(t, kind, string(text[len(text)/2:]))...)
		if tx, _, err := newText("x", &chunks{data: packed, sizes: []int{1 + int(size)}}, new(atomic.Int64)); err == nil {
			if all, faults = cutValues(t, tx, limits); !slices.Equal(all, want) || len(faults) > 0 {
				t.Fatalf("of %q, packed, came %q, want %q; %+v", text, all, want, faults)
			}
		}

		short := text[:min(int(at), len(text))]
		part, faults := cut(short)
		n := 0
		for n < len(part) && n < len(all) && part[n] == all[n] {
			n++
		}
		if n < len(part)-1 || n == len(part)-1 && !isScalar(part[n]) && (len(faults) != 1 || !faults[0].Kept) {
			t.Fatalf("%q breaks off with %q; the whole has %q", short, part, all)
		}
		// None that ends before the cut is missing.
		end := 0
		for i, r := range all {
			end += bytes.Index(text[end:], []byte(r)) + len(r)
			if end <= len(short) && i >= n && !isScalar(r) {
				t.Fatalf("%q is missing of %q, which ends behind it; %q came", r, short, part)
			}
		}
	})
}

// isScalar: at the end of a text a number may go on, and a word has an end only
// where something stands behind it.
func isScalar(r string) bool { return r[0] != '{' && r[0] != '[' && r[0] != '"' }
