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

// blocksOf reads all blocks and checks what holds for each of them.
func blocksOf(t rapid.TB, in io.Reader, limits importLimits) (all []byte, err error) {
	t.Helper()
	l := newLineReader("x", in, limits)
	if err := l.sniff(); err != nil {
		return nil, err
	}
	var buf []byte
	line := int64(1)
	for {
		b, err := l.next(buf)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return all, err
		}
		if len(b.data) == 0 {
			t.Fatal("an empty block")
		}
		if b.firstLine != line {
			t.Fatalf("the block's first line is %d, want %d", b.firstLine, line)
		}
		if b.data[len(b.data)-1] != '\n' && !l.eof {
			t.Fatalf("a line is cut")
		}
		line += int64(bytes.Count(b.data, []byte{'\n'}))
		all = append(all, b.data...)
		buf = b.data
	}
}

// Lines of every length around the block's come out as they went in.
func TestBlocksAreWholeLines(t *testing.T) {
	// What sniff has read is in memory already; the lines of interest come later.
	head := strings.Repeat("{\"a\":1}\n", 513)
	rapid.Check(t, func(t *rapid.T) {
		limits := importLimits{block: rapid.IntRange(8, 40).Draw(t, "block"), commit: 1 << 40}
		limits.line = limits.block + rapid.IntRange(0, 100).Draw(t, "further")
		length := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(limits.block-2, limits.block+2), rapid.IntRange(limits.line-3, limits.line+1), rapid.IntRange(0, limits.line))
		in := []byte(head)
		tooLong := 0
		lines := rapid.SliceOfN(length, 0, 30).Draw(t, "lengths")
		for i, n := range lines {
			end := rapid.SampledFrom([]string{"\n", "\n", "\r\n"}).Draw(t, "end")
			if i == len(lines)-1 && rapid.Bool().Draw(t, "open end") {
				end = ""
			}
			in = append(append(in, strings.Repeat(string(rune('a'+i%26)), n)...), end...)
			if tooLong == 0 && n+strings.Count(end, "\r") > limits.line {
				tooLong = 513 + i + 1
			}
		}
		c := &chunks{data: in, sizes: rapid.SliceOfN(rapid.IntRange(1, 200), 1, 5).Draw(t, "chunks")}
		if rapid.Bool().Draw(t, "bom") {
			c.data = append([]byte("\xef\xbb\xbf"), in...)
		}
		got, err := blocksOf(t, c, limits)
		var e *ImportError
		switch {
		case tooLong > 0 && (!errors.As(err, &e) || e.Line != int64(tooLong)):
			t.Fatalf("line %d is too long: %v", tooLong, err)
		case tooLong == 0 && err != nil:
			t.Fatal(err)
		case tooLong == 0 && !bytes.Equal(got, in):
			t.Fatalf("%q became %q", in, got)
		}
	})
}

func TestALineThatIsTooLongIsNamed(t *testing.T) {
	limits := importLimits{block: 1000, commit: 1 << 40, line: 5000}
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
			in := good + "{" + strings.Repeat("x", c.length-1) + c.end
			_, err := blocksOf(t, &chunks{data: []byte(in), sizes: []int{size}}, limits)
			var e *ImportError
			if (err != nil) != c.refused || c.refused && (!errors.As(err, &e) || e.Line != 2001 || !strings.Contains(err.Error(), "longer than 5000 bytes") || e.Hint() == "") {
				t.Errorf("%s, %d bytes at a time: %v", name, size, err)
			}
		}
	}
}

func TestAReadThatFailsNamesTheLine(t *testing.T) {
	broken := errors.New("the cable is out")
	in := strings.Repeat("{\"a\":1}\n", 700) + "{\"a"
	_, err := blocksOf(t, io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), importLimits{block: 1 << 20, commit: 1 << 40, line: 1 << 20})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `import "x", line 701: read: `) {
		t.Error(err)
	}
	_, err = blocksOf(t, idle{}, productLimits)
	if !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// A line far longer than a block is searched once, whatever the reader gives.
func TestAHugeLineInSmallReads(t *testing.T) {
	in := []byte(fmt.Sprintf("{\"a\":1}\n{%s}\n{\"b\":2}", strings.Repeat("x", 20<<20)))
	got, err := blocksOf(t, &chunks{data: in, sizes: []int{4096}}, productLimits)
	if err != nil || !bytes.Equal(in, got) {
		t.Errorf("%d bytes of %d: %v", len(got), len(in), err)
	}
}
