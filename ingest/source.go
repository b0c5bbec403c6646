package ingest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"
)

// A source on its way in: the file's bytes are counted and hashed as they lie
// on the disk, unpacked if they are compressed, and looked at for what they
// are. The content decides, never the name.

// Source is one input: a name for messages and its bytes.
type Source struct {
	Name string
	// Size is the number of bytes on the disk, for the progress; negative where
	// nobody knows.
	Size int64
	// Open is called once. The bytes may be compressed.
	Open func() (io.ReadCloser, error)
}

// ImportError says of an input why nothing of it can be read.
type ImportError struct {
	Name   string
	Err    error
	advice string
}

func (e *ImportError) Error() string { return fmt.Sprintf("import %q: %v", e.Name, e.Err) }
func (e *ImportError) Unwrap() error { return e.Err }

// Hint tells the person what to do.
func (e *ImportError) Hint() string { return e.advice }

// headSize is how much text is looked at to see what it is: some dozens of
// records.
const headSize = 256 << 10

// maxIdleReads is how often in a row an input may give nothing.
const maxIdleReads = 100

// fileReader reads a file's own bytes. Its errors stay: what has failed once
// is not asked again.
type fileReader struct {
	in    io.Reader
	sum   hash.Hash
	size  int64         // bytes read
	total *atomic.Int64 // of all sources, for the progress
	err   error
	// history are the last bytes read, at least keepHistory of them, if looksBack.
	history   []byte
	looksBack bool
}

// keepHistory is how far unpacking goes back to find where a piece begins: a
// broken one may have swallowed it.
const keepHistory = 1 << 20

func (f *fileReader) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	for range maxIdleReads {
		n, err := f.in.Read(p)
		f.sum.Write(p[:n])
		f.size += int64(n)
		f.total.Add(int64(n))
		f.err = err
		if f.looksBack {
			if len(f.history)+n > 2*keepHistory {
				f.history = append(f.history[:0], f.history[max(0, len(f.history)-keepHistory):]...)
			}
			f.history = append(f.history, p[:n]...)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	f.err = io.ErrNoProgress
	return 0, f.err
}

// broken is the error that reading the file ended with, if it was not its end.
func (f *fileReader) broken() error {
	if f.err == io.EOF {
		return nil
	}
	return f.err
}

// text is the unpacked content of a source.
type text struct {
	name string
	file *fileReader
	raw  *bufio.Reader // over file
	in   io.Reader     // the text: raw, or what unpacks it
	lead error         // of damage before the first byte
	head []byte        // read already, and not handed out
	err  error         // that came behind head
	size int64         // bytes handed out
}

// newText begins to read a source. What is no text of records is refused with
// an *ImportError.
func newText(name string, in io.Reader, total *atomic.Int64) (*text, shape, error) {
	t := &text{name: name, file: &fileReader{in: in, sum: sha256.New(), total: total}}
	t.raw = bufio.NewReaderSize(t.file, headSize)
	t.in = t.raw
	head, _ := t.raw.Peek(64)
	switch {
	case isGzip(head):
		t.in = newGzipReader(t.raw, t.file)
	case isZstd(head):
		t.in = newZstdReader(t.raw, t.file)
	}
	t.look()
	if err := t.refused(); err != nil {
		return t, 0, err
	}
	t.head = bytes.TrimPrefix(t.head, byteOrderMark)
	shape, foreign := shapeOf(t.head, t.err == io.EOF)
	if foreign.what != "" {
		return t, 0, &ImportError{Name: name, Err: errors.New(foreign.what), advice: foreign.advice}
	}
	return t, shape, nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// look reads the text's head.
func (t *text) look() {
	t.head = make([]byte, 0, headSize)
	for len(t.head) < headSize && t.err == nil {
		var n int
		n, t.err = t.in.Read(t.head[len(t.head):headSize])
		t.head = t.head[:len(t.head)+n]
		if len(t.head) == 0 && t.lead == nil && resumes(t.err) {
			t.lead, t.err = t.err, nil
		}
	}
}

// refused says why nothing can be made of the text: it is of another kind, or
// there is none because the file is cut or broken at its very beginning.
func (t *text) refused() error {
	if t.in != t.raw && (isGzip(t.head) || isZstd(t.head)) {
		return &ImportError{Name: t.name, Err: errors.New("it is compressed twice"), advice: "unpack it once on the way, with gunzip -c or zstd -dc: gunzip -c FILE | mdcalake import -"}
	}
	if foreign := foreignKind(t.head); foreign.what != "" {
		return &ImportError{Name: t.name, Err: errors.New(foreign.what), advice: foreign.advice}
	}
	if len(t.head) > 0 || t.err == nil || t.err == io.EOF {
		return nil
	}
	advice := "put a whole copy of it in its place, and import that"
	var u *unpackError
	switch {
	case t.file.broken() != nil:
		advice = "see whether it can be read at all, and run the same import again then"
	case errors.As(t.err, &u) && u.advice != "":
		advice = u.advice
	}
	return &ImportError{Name: t.name, Err: t.err, advice: advice}
}

// Read gives the text. An error comes alone. One that resumes comes once, at its
// place, and the text goes on behind it; any other one stays.
func (t *text) Read(p []byte) (n int, err error) {
	if t.lead != nil {
		err, t.lead = t.lead, nil
		return 0, err
	}
	if len(t.head) > 0 {
		n = copy(p, t.head)
		t.head = t.head[n:]
		t.size += int64(n)
		return n, nil
	}
	if t.err == nil {
		n, t.err = t.in.Read(p)
		t.size += int64(n)
	}
	if n > 0 {
		return n, nil
	}
	err = t.err
	if resumes(err) {
		t.err = nil
	}
	return 0, err
}

// hash reads what is left of the file, and is the SHA-256 of all of it; empty if
// it cannot be read to its end.
func (t *text) hash(ctx context.Context) string {
	buf := make([]byte, 64<<10)
	for t.file.err == nil && ctx.Err() == nil {
		t.file.Read(buf)
	}
	if t.file.err != io.EOF {
		return ""
	}
	return hex.EncodeToString(t.file.sum.Sum(nil))
}

// foreign says what content is that is not ours, and what to do about it.
type foreign struct{ what, advice string }

// foreignKinds are files that people have beside JSON, known by their first
// bytes.
var foreignKinds = []struct {
	magic string
	at    int
	foreign
}{
	{"PK\x03\x04", 0, foreign{"it is a ZIP archive (or an Excel workbook)", "unpack it on the way: unzip -p FILE | mdcalake import -"}},
	{"PK\x05\x06", 0, foreign{"it is an empty ZIP archive", "is it the right file?"}},
	{"PAR1", 0, foreign{"it is Parquet; import takes JSON", "is it part of a lake? Then ask that lake: mdcalake query --lake DIR; else write its records out as JSON, one a line"}},
	{"ARROW1", 0, foreign{"it is Arrow; import takes JSON", "write its records out as JSON, one a line"}},
	{"Obj\x01", 0, foreign{"it is Avro; import takes JSON", "write its records out as JSON, one a line"}},
	{"ORC", 0, foreign{"it is ORC; import takes JSON", "write its records out as JSON, one a line"}},
	{"SQLite format 3\x00", 0, foreign{"it is an SQLite database; import takes JSON", "write the records out as JSON, one a line"}},
	{"BZh", 0, foreign{"it is compressed with bzip2", "unpack it on the way: bzip2 -dc FILE | mdcalake import -"}},
	{"\xfd7zXZ\x00", 0, foreign{"it is compressed with xz", "unpack it on the way: xz -dc FILE | mdcalake import -"}},
	{"7z\xbc\xaf\x27\x1c", 0, foreign{"it is a 7-Zip archive", "unpack it on the way: 7z e -so FILE | mdcalake import -"}},
	{"Rar!\x1a\x07", 0, foreign{"it is a RAR archive", "unpack it on the way: unrar p -inul FILE | mdcalake import -"}},
	{"\x04\x22\x4d\x18", 0, foreign{"it is compressed with lz4", "unpack it on the way: lz4 -dc FILE | mdcalake import -"}},
	{"\xff\x06\x00\x00sNaPpY", 0, foreign{"it is compressed with Snappy", "unpack it on the way, and pipe it into: mdcalake import -"}},
	{"\x1f\x9d", 0, foreign{"it is compressed with compress (.Z)", "unpack it on the way: gunzip -c FILE | mdcalake import -"}},
	{"ustar", 257, foreign{"it is a tar archive", "unpack it on the way: tar -xOf FILE | mdcalake import -"}},
	{"%PDF-", 0, foreign{"it is a PDF document", "is it the right file?"}},
	{"\xd0\xcf\x11\xe0", 0, foreign{"it is an old Office document", "is it the right file?"}},
	{"\xff\xfe", 0, utf16},
	{"\xfe\xff", 0, utf16},
	{"{\x00", 0, utf16},
	{"[\x00", 0, utf16},
	{"\x00{", 0, utf16},
	{"\x00[", 0, utf16},
}

var utf16 = foreign{"it is UTF-16", "turn it into UTF-8 on the way: iconv -f UTF-16 -t UTF-8 FILE | mdcalake import -"}

// foreignKind names what begins with head, if it is of a kind that we know and
// do not read.
func foreignKind(head []byte) foreign {
	for _, k := range foreignKinds {
		if len(head) >= k.at && bytes.HasPrefix(head[k.at:], []byte(k.magic)) {
			return k.foreign
		}
	}
	return foreign{}
}
