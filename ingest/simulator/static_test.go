package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

func TestRecordsAreReadInEveryForm(t *testing.T) {
	one := "{ \"_id\" : \"a\",\n  \"timestamp\": 1795000000000, \"data\": [1,2] }"
	two := `{"_id":"b","timestamp":1795000000001,"x":1e400,"é":"\u00e9"}`
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"array":       {"[" + one + " , \n" + two + "\n]", []string{one, two}},
		"page":        {`{"total":2,"data":[` + one + "\n,\n" + two + `],"hasNext":false}`, []string{one, two}},
		"single":      {one, []string{one}},
		"ndjson":      {two + "\n" + two + "\n", []string{two, two}},
		"many pages":  {`{"data":[` + two + "]}\n" + `{"data":[` + one + `,null]}`, []string{two, one, "null"}},
		"null rows":   {`[null, ` + one + `, 5, "x"]`, []string{"null", one, "5", `"x"`}},
		"mark":        {"\xef\xbb\xbf" + two, []string{two}},
		"empty array": {`[]`, nil},
		"nothing":     {"\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := simulator.ReadRecords(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, b := range got {
				texts = append(texts, string(b))
			}
			if strings.Join(texts, "|") != strings.Join(c.want, "|") {
				t.Errorf("got %q, want %q", texts, c.want)
			}
		})
	}
	if _, err := simulator.ReadRecords(strings.NewReader(two + "\n{\"a\":")); err == nil || !strings.Contains(err.Error(), "is no JSON") {
		t.Errorf("broken file: %v", err)
	}
}

func TestGivenRecordsAreServedByteForByte(t *testing.T) {
	records := [][]byte{
		[]byte("{ \"_id\":\"a\",\r\n\t\"timestamp\":1795000000000 , \"created\":1795000001000,\"appId\":15600}"),
		[]byte("null"),
		[]byte(`{"_id":"a","timestamp":1795000000000,"created":1795000002000,"appId":15600,"n":9007199254740993}`),
		[]byte(`{"_id":"b","timestamp":"1795000000500","appId":20893,"location":{"countryCode":"SE"}}`),
		[]byte(`{"_id":"c","created":1795000003000}`),
		[]byte(`{"_id":"b","timestamp":"1795000000500","appId":20893,"location":{"countryCode":"SE"}}`),
	}
	s := newSim(t, simulator.Options{Records: records})
	c := client{t: t, s: s}
	a := c.post(`{"isScan":true,"sortDirection":"asc"}`)
	if len(a.Data) != len(records) {
		t.Fatalf("%d records, want %d", len(a.Data), len(records))
	}
	for _, b := range records {
		if !bytes.Contains(a.Body, b) {
			t.Errorf("page lacks %q", b)
		}
	}
	if got := c.do("GET", "/api/v1/activities/a/", "", "").Body; !bytes.Equal(got, records[2]) {
		t.Errorf("fetch gave %q", got)
	}
	if a := c.post(`{"filters":{"location.country":{"eq":"SE"},"service":{"eq":[20893]}},"isScan":true}`); len(a.Data) != 2 {
		t.Errorf("filter found %d, want 2", len(a.Data))
	}
	var lines bytes.Buffer
	if err := s.Truth(&lines); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(lines.String()) {
		var l struct {
			ID        *string `json:"_id"`
			Timestamp *int64
			Current   bool
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		id := "none"
		if l.ID != nil {
			id = *l.ID
		}
		got = append(got, fmt.Sprint(id, l.Timestamp != nil, l.Current))
	}
	want := map[string]int{"a true false": 1, "a true true": 1, "none false true": 1, "b true true": 1, "c false true": 1}
	for _, g := range got {
		g = strings.Join(strings.Fields(strings.NewReplacer("true", " true", "false", " false").Replace(g)), " ")
		want[g]--
	}
	for k, n := range want {
		if n != 0 {
			t.Errorf("truth holds %q %d times too few; all: %q", k, n, got)
		}
	}
}

func TestGivenRecordsThatTie(t *testing.T) {
	// Same _id, same created: the greater hash is current, whatever the order.
	x := []byte(`{"_id":"a","timestamp":1795000000000,"created":1795000002000,"v":1}`)
	y := []byte(`{"_id":"a","timestamp":1795000000000,"created":1795000002000,"v":2}`)
	current := func(records ...[]byte) string {
		for p := range newSim(t, simulator.Options{Records: records}).Expected() {
			if p.Current {
				return string(p.Bytes())
			}
		}
		return ""
	}
	if a, b := current(x, y), current(y, x); a == "" || a != b {
		t.Errorf("current is %q or %q, by order", a, b)
	}
}

// The recorded samples are no part of the project; where they lie beside it,
// they are served as they stand.
func TestSamples(t *testing.T) {
	dir := os.Getenv("MDCALAKE_SAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "api", "samples")
	}
	files, err := filepath.Glob(filepath.Join(dir, "1*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("no recorded samples in %s; set MDCALAKE_SAMPLES to their folder to run this test", dir)
	}
	var records [][]byte
	for _, f := range files {
		list, err := simulator.ReadRecordsFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			if !bytes.Contains(text, b) {
				t.Errorf("%s: a record was changed on reading", f)
			}
		}
		records = append(records, list...)
	}
	s := newSim(t, simulator.Options{Records: records})
	got, _ := client{t: t, s: s}.scan(`{}`, ``, 10)
	sameSet(t, got, records)

	// Every member of a recorded record is one of ours too.
	ours := map[string]bool{}
	for p := range newSim(t, simulator.Options{Seed: 1, Count: 3000}).Expected() {
		paths(decoded(t, p.Bytes()), "", ours)
	}
	for _, b := range records {
		theirs := map[string]bool{}
		paths(decoded(t, b), "", theirs)
		for p := range theirs {
			if !ours[p] {
				t.Errorf("recorded member %s is never generated", p)
			}
		}
	}
}

func paths(v any, at string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			into[at+"."+k] = true
			paths(e, at+"."+k, into)
		}
	case []any:
		for _, e := range v {
			paths(e, at+"[]", into)
		}
	}
}
