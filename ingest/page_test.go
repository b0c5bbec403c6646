package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest"
)

func parse(t testing.TB, body string) *ingest.Page {
	t.Helper()
	var p ingest.Page
	if err := ingest.ParsePage([]byte(body), &p); err != nil {
		t.Fatalf("ParsePage(%q): %v", body, err)
	}
	return &p
}

func texts(records [][]byte) []string {
	s := make([]string, len(records))
	for i, r := range records {
		s[i] = string(r)
	}
	return s
}

func TestParsePageSplitsRecordsVerbatim(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want []string
	}{
		"none":                        {"[ ]", []string{}},
		"white space around":          {"[\t{\"a\": 1 }\r\n,  {} ]", []string{`{"a": 1 }`, `{}`}},
		"null, numbers, text, arrays": {`[null,1.50e2,"x,]",[1,[2]],true]`, []string{"null", "1.50e2", `"x,]"`, "[1,[2]]", "true"}},
		"brackets in strings":         {`[{"a":"}]{[\"\\"},{"b":"\\\\"}]`, []string{`{"a":"}]{[\"\\"}`, `{"b":"\\\\"}`}},
		"invalid UTF-8":               {"[{\"a\":\"\xff\xfe\xc3\"},{}]", []string{"{\"a\":\"\xff\xfe\xc3\"}", "{}"}},
		"control characters":          {"[{\"a\":\"\x00\x01\n\"},{}]", []string{"{\"a\":\"\x00\x01\n\"}", "{}"}},
		"bad escapes and numbers":     {`[{"a":"\q\ud800","b":01,"c":NaN},{}]`, []string{`{"a":"\q\ud800","b":01,"c":NaN}`, "{}"}},
		"duplicate keys":              {`[{"a":1,"a":2}]`, []string{`{"a":1,"a":2}`}},
		"trailing comma in a record":  {`[{"a":1,},{}]`, []string{`{"a":1,}`, "{}"}},
		"a word that is none":         {`[nul,{}]`, []string{"nul", "{}"}},
		"long strings":                {`[{"a":"` + strings.Repeat("0123456789", 50) + `\""}]`, []string{`{"a":"` + strings.Repeat("0123456789", 50) + `\""}`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := parse(t, `{"data":`+c.data+`,"hasNext":false}`)
			if d := cmp.Diff(c.want, texts(p.Records)); d != "" {
				t.Error(d)
			}
			if !p.DataPresent || !p.HasNextPresent || p.HasNext {
				t.Errorf("envelope: %+v", p)
			}
		})
	}
}

func TestParsePageReadsTheEnvelope(t *testing.T) {
	type envelope struct {
		Records                                 int
		HasNext, HasNextPresent                 bool
		Cursor                                  string
		Total                                   int64
		TotalPresent, DataPresent, CursorAbsent bool
	}
	for name, c := range map[string]struct {
		body string
		want envelope
	}{
		"empty object":            {`{}`, envelope{CursorAbsent: true}},
		"null everywhere":         {`{"data":null,"hasNext":null,"nextQueryFilters":null,"total":null}`, envelope{CursorAbsent: true}},
		"byte-order mark":         {"\ufeff {\"data\":[1]} ", envelope{DataPresent: true, Records: 1, CursorAbsent: true}},
		"any order":               {`{"total":-7,"nextQueryFilters":{ "x" : 1.0 },"max":100,"hasNext":true,"data":[]}`, envelope{HasNext: true, HasNextPresent: true, Cursor: `{ "x" : 1.0 }`, Total: -7, TotalPresent: true, DataPresent: true}},
		"first counts":            {`{"data":[1,2],"data":[],"hasNext":true,"hasNext":false,"total":1,"total":2}`, envelope{Records: 2, DataPresent: true, HasNext: true, HasNextPresent: true, Total: 1, TotalPresent: true, CursorAbsent: true}},
		"first counts, even null": {`{"data":null,"data":[1]}`, envelope{CursorAbsent: true}},
		"case counts":             {`{"Data":[1],"HASNEXT":true}`, envelope{CursorAbsent: true}},
		"escaped names":           {`{"d\u0061ta":[1]}`, envelope{Records: 1, DataPresent: true, CursorAbsent: true}},
		"odd total":               {`{"total":1.5,"data":[]}`, envelope{DataPresent: true, CursorAbsent: true}},
		"unknown members":         {`{"a":{"data":[1,2,3]},"b":[["]"]],"c":"data","data":[]}`, envelope{DataPresent: true, CursorAbsent: true}},
		"cursor no object":        {`{"nextQueryFilters":"x"}`, envelope{Cursor: `"x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			p := parse(t, c.body)
			got := envelope{len(p.Records), p.HasNext, p.HasNextPresent, string(p.NextQueryFilters), p.Total, p.TotalPresent, p.DataPresent, p.NextQueryFilters == nil}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParsePageRefusesWhatIsNoEnvelope(t *testing.T) {
	whole := `{"data":[{"a":"x\"y"},null],"hasNext":true,"nextQueryFilters":{"date":{"gte":1}},"total":2}`
	parse(t, whole)
	for i := range len(whole) {
		if err := ingest.ParsePage([]byte(whole[:i]), new(ingest.Page)); err == nil {
			t.Errorf("cut at %d was taken", i)
		}
	}
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "<html></html>", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{'a':1}`,
		`{} {}`, `{}x`, "{}\x00", `{"data":[,]}`, `{"data":[1,]}`, `{"data":[1 2]}`, `{"data":[{}{}]}`, `{"data":{}}`, `{"data":1}`,
		`{"data":[:]}`, `{"data":[}]}`, `{"hasNext":1}`, `{"hasNext":"true"}`, `{"hasNext":tru}`, `{"nextQueryFilters":{"a":01}}`,
		`{"x":nope}`, `{"x":{"a":}}`, "{\"\x01\":1}", `{"\q":1}`, "\xff\xfe{}", "\ufeff\ufeff{}",
	} {
		p := ingest.Page{Records: [][]byte{[]byte("old")}}
		err := ingest.ParsePage([]byte(body), &p)
		var malformed *ingest.MalformedError
		if !errors.As(err, &malformed) {
			t.Errorf("ParsePage(%q) = %v", body, err)
		} else if malformed.Hint() == "" {
			t.Errorf("ParsePage(%q): no hint", body)
		}
		if len(p.Records) != 0 || p.DataPresent || p.HasNextPresent {
			t.Errorf("ParsePage(%q) left something in the page", body)
		}
	}
}

func TestParsePageIsNotDeep(t *testing.T) {
	deep := strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20)
	p := parse(t, `{"data":[`+deep+`,{}]}`)
	if len(p.Records) != 2 || string(p.Records[0]) != deep {
		t.Errorf("%d records", len(p.Records))
	}
}

func TestParsePageBoundsTheNumberOfRecords(t *testing.T) {
	body := []byte(`{"data":[` + strings.Repeat("1,", 1<<20) + `1]}`)
	if err := ingest.ParsePage(body, new(ingest.Page)); err == nil || !strings.Contains(err.Error(), "records in a page") {
		t.Error(err)
	}
}

// checkAgainstOracle compares ParsePage with encoding/json, if that takes body.
func checkAgainstOracle(t *testing.T, body []byte) {
	t.Helper()
	var p ingest.Page
	err := ingest.ParsePage(body, &p)
	text := bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	first, valid := oracle(text)
	if err != nil {
		if data := first["data"]; valid && (data == nil || data[0] == '[' || string(data) == "null") {
			if h := string(first["hasNext"]); h == "" || h == "true" || h == "false" || h == "null" {
				t.Fatalf("valid page refused: %v: %q", err, body)
			}
		}
		return
	}
	rejoined := append(append([]byte("["), bytes.Join(p.Records, []byte(","))...), ']')
	if !valid {
		// Then it must be a record that is not valid, and nothing around it.
		if json.Valid(rejoined) && json.Valid(text) == false {
			t.Fatalf("invalid envelope taken: %q", body)
		}
		return
	}
	if p.DataPresent {
		var want []json.RawMessage
		if err := json.Unmarshal(first["data"], &want); err != nil {
			t.Fatalf("data is no array: %q", first["data"])
		}
		if len(want) != len(p.Records) {
			t.Fatalf("%d records, want %d: %q", len(p.Records), len(want), body)
		}
		for i := range want {
			if !bytes.Equal(want[i], p.Records[i]) {
				t.Fatalf("record %d is %q, want %q", i, p.Records[i], want[i])
			}
		}
		var a, b bytes.Buffer
		if json.Compact(&a, rejoined) != nil || json.Compact(&b, first["data"]) != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("rejoined %q, want %q", a.Bytes(), b.Bytes())
		}
	}
	if want := first["nextQueryFilters"]; want != nil && string(want) != "null" && !bytes.Equal(want, p.NextQueryFilters) {
		t.Fatalf("cursor %q, want %q", p.NextQueryFilters, want)
	}
	if want := string(first["hasNext"]); p.HasNextPresent != (want == "true" || want == "false") || p.HasNext != (want == "true") {
		t.Fatalf("hasNext %v %v, want %q", p.HasNextPresent, p.HasNext, want)
	}
}

// oracle is the envelope by encoding/json: the first of each member.
func oracle(text []byte) (map[string]json.RawMessage, bool) {
	if !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	first := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, false
		}
		if _, ok := first[name.(string)]; !ok {
			first[name.(string)] = v
		}
	}
	_, err := d.Token()
	_, end := d.Token()
	return first, err == nil && end == io.EOF
}

// FuzzParsePage: it never panics, it agrees with encoding/json on what is valid,
// and what it takes beyond that is odd inside a record only.
func FuzzParsePage(f *testing.F) {
	for _, s := range []string{
		`{"data":[{"a":"}]\"","b":[1,{}]} , null],"hasNext":true,"nextQueryFilters":{ "date":{"gte":1.0} },"total":3}`,
		`{"data":null}`, `{}`, "\ufeff{}", `{"data":[],"data":[1],"x":"\\"}`, `{"d\u0061ta":["\\\\\"",[[]]]}`, `{"data":[{"a":"` + "\xff\x00" + `"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkAgainstOracle(t, body) })
}

// benchmarkPage looks like a page of the API: short keys, some long texts.
func benchmarkPage(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"data":[`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"_id":"97134000_15600_%032d","timestamp":1595092800123,"created":1595092953000,"tenantId":97134000,"appId":15600,"appName":"Microsoft OneDrive for Business","user":{"userName":"ada.lovelace@example.com","userTags":["5f01dbbc68df27c17aa6ca81"]},"device":{"clientIP":"203.0.113.17","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/83.0.4103.116 Safari/537.36","countryCode":"NL"},"location":{"countryCode":"NL","city":"amsterdam","latitude":52.35,"longitude":4.91,"category":0,"anonymousProxy":false},"mainInfo":{"eventObjects":[{"objType":21,"role":4,"tags":[],"name":"Quarterly \"plan\".docx","instanceId":0,"id":"21fc1a4b-a4a8-4d8f-a5e1-2a5f5d1ab111","saasId":15600}],"rawOperationName":"FilePreviewed","activityResult":{"isSuccess":true}}}`, i)
	}
	b.WriteString(`],"hasNext":false}`)
	return b.Bytes()
}

func BenchmarkParsePage(b *testing.B) {
	body := benchmarkPage(8 << 20)
	var p ingest.Page
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ingest.ParsePage(body, &p); err != nil {
			b.Fatal(err)
		}
	}
}
