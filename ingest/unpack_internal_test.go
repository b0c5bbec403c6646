package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// piece packs a text as one member or frame. It does not pack well: damage is
// to be noticed where it is.
func piece(t testing.TB, kind, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == "zstd" {
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true))
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise is lines of about so many bytes in all, each with much that is its own.
func noise(n int) string {
	var b strings.Builder
	for x := uint64(n) | 1; b.Len() < n; {
		b.WriteString(`{"_id":"`)
		for range 4 {
			x = x*6364136223846793005 + 1442695040888963407
			fmt.Fprintf(&b, "%x", x>>20)
		}
		fmt.Fprintf(&b, `","timestamp":%d,"description":"Opened a file","severity":"LOW","user":{"userName":"user%d@contoso.example"}}`+"\n", 1795089600000+x>>40, x>>60)
	}
	return b.String()
}

// unpacked is all text of a file, with a bar at each place where a piece is
// missing, and the error that ends it.
func unpacked(t testing.TB, in io.Reader) (text string, told []string, err error) {
	t.Helper()
	file := &fileReader{in: in, sum: noSum{}, total: new(atomic.Int64)}
	tx, _, err := newText("x", file, new(atomic.Int64))
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	buf := make([]byte, 1000)
	for {
		n, err := tx.Read(buf)
		b.Write(buf[:n])
		var u *unpackError
		switch {
		case err == nil:
		case err == io.EOF:
			return b.String(), told, nil
		case errors.As(err, &u) && u.resumes:
			told = append(told, u.what)
			if !u.joined {
				b.WriteString("|")
			}
		default:
			return b.String(), told, err
		}
	}
}

type noSum struct{}

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum(b []byte) []byte         { return b }
func (noSum) Reset()                      {}
func (noSum) Size() int                   { return 0 }
func (noSum) BlockSize() int              { return 1 }

// A damaged piece does not take along those behind it.
func TestDamageInAPieceStaysThere(t *testing.T) {
	t.Parallel()
	one, two, three := "[\n"+noise(300_000), noise(400_000), noise(300_000)
	for _, kind := range []string{"gzip", "zstd"} {
		t.Run(kind, func(t *testing.T) {
			a, b, c := piece(t, kind, one), piece(t, kind, two), piece(t, kind, three)
			damaged := func(p []byte, at, n int) []byte {
				p = bytes.Clone(p)
				for i := range n {
					p[at+i] ^= 0xa5
				}
				return p
			}
			join := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
			const damage, sum = "is damaged", "has a wrong checksum: records that came before may be altered"
			for name, x := range map[string]struct {
				file []byte
				all  bool     // the text comes whole; else only that of the first and the third for certain
				says []string // one of these
			}{
				"nothing":          {join(a, b, c), true, nil},
				"in the middle":    {join(a, damaged(b, len(b)/2, 60), c), false, []string{damage, sum}},
				"at its beginning": {join(a, damaged(b, 0, 2), c), false, []string{"is followed by something else"}},
				// Of a frame, the last block does not come, for it may be wrong.
				"the checksum":       {join(a, damaged(b, len(b)-map[string]int{"gzip": 8, "zstd": 4}[kind], 2), c), kind == "gzip", []string{sum}},
				"something between":  {join(a, []byte("something else"), c), false, []string{"is followed by something else"}},
				"zero bytes between": {join(a, make([]byte, 5000), b, c, make([]byte, 3)), true, nil},
				"its end is missing": {join(a, b[:len(b)/2], c), false, []string{damage, sum}},
				"nearly all of it":   {join(a, b[:30], c), false, []string{damage, sum}},
				"all but a byte":     {join(a, b[:len(b)-1], c), false, []string{damage, sum}},
				"it is all missing":  {join(a, c), false, nil},
			} {
				t.Run(name, func(t *testing.T) {
					for _, in := range []io.Reader{bytes.NewReader(x.file), iotest.HalfReader(bytes.NewReader(x.file))} {
						text, told, err := unpacked(t, in)
						if err != nil || len(told) != min(1, len(x.says)) {
							t.Fatalf("%v, %q", err, told)
						}
						if len(told) > 0 && !slices.Contains(x.says, strings.TrimPrefix(told[0], "the "+kind+" data ")) {
							t.Errorf("%q", told)
						}
						if x.all && text != one+two+three {
							t.Error("another text came")
						}
						if !strings.HasPrefix(text, one) || !strings.HasSuffix(text, three) {
							t.Errorf("what is sound is not all there: %q, %d of %d", told, len(text), len(one+two+three))
						}
					}
				})
			}
		})
	}
}

// What breaks off gives all that can be unpacked, and says so.
func TestWhatBreaksOffIsUnpackedUpToThere(t *testing.T) {
	t.Parallel()
	text := "[" + noise(200_000)
	cable := errors.New("the cable is out")
	for _, kind := range []string{"gzip", "zstd"} {
		whole := piece(t, kind, text)
		for _, at := range []int{len(whole) - 1, len(whole) - 5, len(whole) - 9, len(whole) * 9 / 10, len(whole) / 2} {
			got, told, err := unpacked(t, bytes.NewReader(whole[:at]))
			var u *unpackError
			if !errors.As(err, &u) || u.at != int64(at) || u.what != "the "+kind+" data is cut" || len(told) > 0 {
				t.Errorf("%s cut at %d: %v, %q", kind, at, err, told)
			}
			if !strings.HasPrefix(text, got) || len(got) < len(text)*at/len(whole)-140_000 {
				t.Errorf("%s cut at %d: %d bytes of %d came", kind, at, len(got), len(text))
			}
			_, _, err = unpacked(t, io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(cable)))
			if !errors.Is(err, cable) || !strings.Contains(err.Error(), "cannot be read any further") {
				t.Errorf("%s, not read behind %d: %v", kind, at, err)
			}
		}
	}
}

// A magic number in other data is no beginning.
func TestAMagicNumberAloneIsNoPiece(t *testing.T) {
	t.Parallel()
	for kind, magic := range map[string]string{"gzip": "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "zstd": "\x28\xb5\x2f\xfd\x04"} {
		a, b := piece(t, kind, "[1]"), piece(t, kind, "[2]")
		junk := strings.Repeat("junk"+magic+"\xff\xff\xff\xff", 100)
		if kind == "gzip" { // what comes out is no text, so it is none of ours
			junk += string(piece(t, kind, strings.Repeat("\x00\x01\x02\x03", 100)))
		}
		text, told, err := unpacked(t, strings.NewReader(string(a)+junk+string(b)+junk))
		if err == nil || text != "[1]|[2]" || len(told) != 1 || !strings.Contains(err.Error(), "is followed by something else") {
			t.Errorf("%s: %q, %q, %v", kind, text, told, err)
		}
	}
}

// An input that gives nothing is not waited for forever.
func TestAReaderThatGivesNothing(t *testing.T) {
	t.Parallel()
	_, _, err := unpacked(t, idle{})
	if !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
