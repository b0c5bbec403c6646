package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// chunks is a reader that gives as many bytes at a time as it is told, in turn.
type chunks struct {
	data  []byte
	sizes []int
	n     int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	size := c.sizes[c.n%len(c.sizes)]
	c.n++
	n := copy(p[:min(len(p), size)], c.data)
	c.data = c.data[n:]
	if len(c.data) == 0 && c.n%2 == 0 {
		return n, io.EOF // together with the last bytes, as a reader may
	}
	return n, nil
}

// allLines reads all blocks of lines and checks what holds for each of them.
func allLines(t rapid.TB, in io.Reader, limits importLimits) (all []byte, faults []Fault) {
	t.Helper()
	l := newLineCutter(newFeed(in, limits, func(f Fault) { faults = append(faults, f) }))
	var used block
	line := int64(1)
	for {
		b, err := l.next(used)
		if err == io.EOF {
			return all, faults
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.data) == 0 || b.spans != nil {
			t.Fatal("an empty block, or one of no lines")
		}
		if b.first != line && len(faults) == 0 {
			t.Fatalf("the block's first line is %d, want %d", b.first, line)
		}
		if b.data[len(b.data)-1] != '\n' && l.state == feedMore {
			t.Fatalf("a line is cut")
		}
		line = b.first + b.numbers()
		all = append(all, b.data...)
		used = b
	}
}

// Lines of every length around the block's come out as they went in; those that
// are too long for a record are left out, and told.
func TestBlocksAreWholeLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := importLimits{block: rapid.IntRange(8, 40).Draw(t, "block")}
		limits.line = limits.block + rapid.IntRange(0, 100).Draw(t, "further")
		length := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(limits.block-2, limits.block+2), rapid.IntRange(limits.line-3, limits.line+3), rapid.IntRange(0, limits.line))
		var in, want []byte
		var tooLong []int64
		lines := rapid.SliceOfN(length, 0, 30).Draw(t, "lengths")
		for i, n := range lines {
			end := rapid.SampledFrom([]string{"\n", "\n", "\r\n"}).Draw(t, "end")
			if i == len(lines)-1 && rapid.Bool().Draw(t, "open end") {
				end = ""
			}
			line := strings.Repeat(string(rune('A'+i%26)), n) + end
			in = append(in, line...)
			if n+strings.Count(end, "\r") > limits.line {
				tooLong = append(tooLong, int64(i+1))
			} else {
				want = append(want, line...)
			}
		}
		c := &chunks{data: bytes.Clone(in), sizes: rapid.SliceOfN(rapid.IntRange(1, 200), 1, 5).Draw(t, "chunks")}
		got, faults := allLines(t, c, limits)
		var told []int64
		for _, f := range faults {
			if f.Kept || f.Stopped || f.Passed == 0 || in[f.Byte] != in[f.Byte+f.Passed/2] {
				t.Fatalf("%+v", f)
			}
			told = append(told, f.Line)
		}
		if fmt.Sprint(told) != fmt.Sprint(tooLong) {
			t.Fatalf("lines %d are too long, told are %+v", tooLong, faults)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}

func TestALineThatIsTooLongIsLeftOut(t *testing.T) {
	limits := importLimits{block: 1000, line: 5000}
	good := strings.Repeat("{\"a\":1}\n", 2000)
	for name, c := range map[string]struct {
		length  int
		end     string
		refused bool
	}{
		"the longest":          {5000, "\n", false},
		"one more":             {5001, "\n", true},
		"much more":            {100_000, "\n", true},
		"the longest at end":   {5000, "", false},
		"one more at the end":  {5001, "", true},
		"much more at the end": {50_000, "", true},
	} {
		for _, size := range []int{1, 7, 1000, 1 << 20} {
			long := strings.Repeat("x", c.length) + c.end
			behind := ""
			if c.end != "" {
				behind = good
			}
			got, faults := allLines(t, &chunks{data: []byte(good + long + behind), sizes: []int{size}}, limits)
			want := good + long + behind
			if c.refused {
				want = good + behind
				if len(faults) != 1 || faults[0].Line != 2001 || faults[0].Byte != int64(len(good)) || faults[0].Passed != int64(len(long)) || !strings.Contains(faults[0].What, "longer than 5000 bytes") {
					t.Errorf("%s, %d bytes at a time: %+v", name, size, faults)
				}
			} else if len(faults) > 0 {
				t.Errorf("%s, %d bytes at a time: %+v", name, size, faults)
			}
			if string(got) != want {
				t.Errorf("%s, %d bytes at a time: other lines came", name, size)
			}
		}
	}
}

// What came before a read that fails is all there.
func TestAReadThatFailsNamesTheLine(t *testing.T) {
	cable := errors.New("the cable is out")
	in := strings.Repeat("{\"a\":1}\n", 700)
	for tail, want := range map[string]Fault{
		"":               {Line: 701, Byte: 5600},
		"{\"a":           {Line: 701, Byte: 5600, Passed: 3, Kept: true},
		"{\"a\":1}":      {Line: 701, Byte: 5607},
		"{\"a\":1}\n  {": {Line: 702, Byte: 5610, Passed: 1, Kept: true},
	} {
		got, faults := allLines(t, io.MultiReader(strings.NewReader(in+tail), iotest.ErrReader(cable)), importLimits{block: 1 << 10, line: 1 << 20})
		want.What, want.Err, want.Stopped = "it cannot be read any further: the cable is out", cable, true
		if tail == "{\"a\":1}" {
			want.Byte = 5600 // the line is sound, and was the last
		}
		if string(got) != in+tail || len(faults) != 1 || faults[0] != want {
			t.Errorf("%q: %+v, want %+v", tail, faults, want)
		}
	}
}

// The last line shows whether there was more.
func TestACutInTheLastLineIsTold(t *testing.T) {
	for tail, want := range map[string]bool{
		"":                     false,
		"  \r\n ":              false,
		`{"_id":"a"}`:          false,
		`{"_id":"a"} `:         false,
		`garbage`:              false, // bad, and yet nothing says that it was cut
		`{"_id":"a"`:           true,
		`{"_id":"a","x":tr`:    true,
		`{"_id":"a","x":12.`:   true,
		`{"_id":"a","x":"\u00`: true,
		`{`:                    true,
		`{"_id":"a"}}`:         false,
		`{"_id":"a" "b"`:       false,
	} {
		_, faults := allLines(t, strings.NewReader("{\"_id\":\"x\"}\n"+tail), importLimits{block: 1 << 10, line: 1 << 20})
		if (len(faults) > 0) != want || want && (faults[0].Line != 2 || faults[0].What != "it is cut in its last line" || !faults[0].Kept) {
			t.Errorf("%q: %+v", tail, faults)
		}
	}
}

// A line far longer than a block is searched once, whatever the reader gives.
func TestAHugeLineInSmallReads(t *testing.T) {
	in := []byte(fmt.Sprintf("{\"a\":1}\n{%s}\n{\"b\":2}", strings.Repeat("x", 20<<20)))
	got, faults := allLines(t, &chunks{data: bytes.Clone(in), sizes: []int{4096}}, productLimits)
	if len(faults) > 0 || !bytes.Equal(in, got) {
		t.Errorf("%d bytes of %d: %v", len(got), len(in), faults)
	}
}
