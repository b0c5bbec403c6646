package ingest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// gapped is a text in which each bar is a piece that is missing.
type gapped struct {
	pieces []string
	joined bool
}

func (g *gapped) Read(p []byte) (int, error) {
	if g.pieces[0] != "" {
		n := copy(p, g.pieces[0])
		g.pieces[0] = g.pieces[0][n:]
		return n, nil
	}
	if len(g.pieces) == 1 {
		return 0, io.EOF
	}
	g.pieces = g.pieces[1:]
	return 0, &unpackError{what: "a piece is missing", resumes: true, joined: g.joined}
}

// Where a piece of the text is missing, the records on both sides come.
func TestRecordsAroundAMissingPiece(t *testing.T) {
	t.Parallel()
	a, b, c := rec("a"), rec("b"), rec("c")
	for name, x := range map[string]struct {
		text   string
		want   []string
		faults int
	}{
		"between records":      {"[" + a + ",|" + b + "," + c + "]", []string{a, b, c}, 1},
		"before a comma":       {"[" + a + "|," + b + "," + c + "]", []string{a, b, c}, 1},
		"in records":           {"[" + a + "," + b[:9] + "|" + b[14:] + "," + c + "]", []string{a, b[:9], b[14:], c}, 1},
		"in a string":          {"[" + a + `,{"_id":"x","y":"a{[|b{["},` + c + "]", []string{a, `{"_id":"x","y":"a{[`, `b{["}`, c}, 1},
		"all up to the end":    {"[" + a + "," + b[:9] + "|}]", []string{a, b[:9]}, 1},
		"another array":        {"[" + a + ",|[" + b + "]", []string{a, b}, 1},
		"another answer":       {`{"data":[` + a + `|{"data":[` + b + `],"hasNext":true}`, []string{a, b}, 1},
		"the end of an answer": {`{"data":[` + a + `,|` + b + `],"hasNext":true}{"data":[` + c + `]}`, []string{a, b, c}, 1},
		"twice":                {"[" + a + ",|" + b + ",|" + c + "]", []string{a, b, c}, 2},
		"at the beginning":     {"|" + a[5:] + "," + b + "," + c + "]", []string{a[5:], b, c}, 1},
		"at the end":           {"[" + a + "," + b + ",|", []string{a, b}, 1},
		"and white space":      {"[" + a + ",  |  \n  " + b + "]", []string{a, b}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, limits := range []importLimits{smallLimits, productLimits} {
				for _, read := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
					got, faults := cutValues(t, read(&gapped{pieces: strings.Split(x.text, "|")}), limits)
					if !slices.Equal(got, x.want) || len(faults) != x.faults {
						t.Errorf("%q, want %q; %+v", got, x.want, faults)
					}
				}
			}
		})
	}
	t.Run("lines", func(t *testing.T) {
		for text, want := range map[string][]string{
			a + "\n|" + b + "\n":                {a, b},
			a + "|" + b + "\n":                  {a, b},
			a + "\n" + b[:5] + "|" + c[9:]:      {a, b[:5], c[9:]},
			a + "\n" + b[:5] + "|\n" + c + "\n": {a, b[:5], "", c},
		} {
			var got []string
			var faults []Fault
			l := newLineCutter(newFeed(&gapped{pieces: strings.Split(text, "|")}, smallLimits, func(f Fault) { faults = append(faults, f) }))
			for {
				b, err := l.next(block{})
				if err == io.EOF {
					break
				}
				got = append(got, strings.Split(strings.TrimSuffix(string(b.data), "\n"), "\n")...)
			}
			if !slices.Equal(got, want) || len(faults) != 1 {
				t.Errorf("%q, want %q; %+v", got, want, faults)
			}
		}
	})
	t.Run("nothing is missing", func(t *testing.T) {
		got, faults := cutValues(t, &gapped{pieces: []string{"[" + a + "," + b[:9], b[9:] + "]"}, joined: true}, smallLimits)
		if !slices.Equal(got, []string{a, b}) || len(faults) != 1 || faults[0].Byte != 48 {
			t.Errorf("%q, %+v", got, faults)
		}
	})
}

// A record too long to be held is passed over, and so is long damage; what
// stands behind comes.
func TestWhatIsTooLongIsPassedOver(t *testing.T) {
	t.Parallel()
	limits := importLimits{block: 64, line: 4000}
	a, b := rec("a"), rec("b")
	long := `{"_id":"long","timestamp":1795089600000,"x":"` + strings.Repeat("x", 5000) + `"}`
	junk := "{" + strings.Repeat("junk ", 1000)
	for name, x := range map[string]struct {
		text string
		want []string
		says string
	}{
		"a record":            {"[" + a + "," + long + "," + b + "]", []string{a, b}, fmt.Sprintf("line 1, byte %d, record 2: a record longer than 4000 bytes, 5,048 bytes were passed over", 2+len(a))},
		"a record at the end": {"[" + a + "," + long + "]", []string{a}, "a record longer than 4000 bytes, 5,048 bytes were passed over"},
		"damage":              {"[" + a + ",\n" + junk + "," + b + "]", []string{a, b}, "line 2, byte 40, record 2: a damaged record, 5,002 bytes were passed over"},
		"the longest":         {"[" + a + "," + long[:60] + strings.Repeat("x", 4000-62) + `"},` + b + "]", []string{a, long[:60] + strings.Repeat("x", 4000-62) + `"}`, b}, ""},
		"damage, not so long": {"[" + a + "," + junk[:900] + "," + b + "]", []string{a, strings.TrimRight(junk[:900], " "), b}, "bytes are in quarantine"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(x.text), iotest.OneByteReader(strings.NewReader(x.text))} {
				got, faults := cutValues(t, in, limits)
				if !slices.Equal(got, x.want) || len(faults) != min(1, len(x.says)) || x.says != "" && !strings.Contains(faults[0].String(), x.says) {
					t.Errorf("%d records; %+v", len(got), faults)
				}
			}
		})
	}
}

// Hostile text does not keep us busy for ever.
func TestASearchInVainEnds(t *testing.T) {
	t.Parallel()
	limits := importLimits{block: 64, line: 2000}
	a := rec("a")
	text := "[" + a + ",{]" + strings.Repeat(`{"_id":[`, 5000) + "," + a + "]"
	got, faults := cutValues(t, strings.NewReader(text), limits)
	if len(faults) != 1 || !faults[0].Stopped || len(got) != 1 || faults[0].Passed == 0 {
		t.Errorf("%q, %+v", got, faults)
	}
}

// A record of another beginning than those before is not believed behind
// damage; its bytes are kept.
func TestBehindDamageRecordsBeginAsBefore(t *testing.T) {
	t.Parallel()
	a, b := rec("a"), rec("b")
	other := `{"timestamp":1795089600000,"_id":"other"}`
	got, faults := cutValues(t, strings.NewReader("["+a+`,{"_id":"x",no},`+other+","+b+"]"), smallLimits)
	if want := []string{a, `{"_id":"x",no},` + other, b}; !slices.Equal(got, want) || len(faults) != 1 {
		t.Errorf("%q, %+v", got, faults)
	}
	// Where both were seen, both are.
	got, faults = cutValues(t, strings.NewReader("["+other+","+a+strings.Repeat(","+b, 9)+`,{"_id":"x",no},`+other+","+b+"]"), smallLimits)
	if len(got) != 14 || got[12] != other || len(faults) != 1 {
		t.Errorf("%q, %+v", got, faults)
	}
}
