package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Unpacking gzip and zstd as a stream. A file may be many members (gzip) or
// frames (zstd), one after the other. One that is damaged does not take those
// behind it along: the text goes on at the next one, after an error that says
// what is missing.

// maxWindow is how far back zstd data may refer, and so how much memory it can
// make us hold. zstd itself refuses more unless it is told otherwise.
const maxWindow = 128 << 20

// unpackError is compressed data that is cut or damaged, or cannot be read.
type unpackError struct {
	what   string
	at     int64 // byte of the file
	err    error
	advice string // what to do, where that is not to find a better copy
	// resumes: the text goes on behind the damage; else nothing comes any more.
	resumes bool
	passed  int64 // bytes of the file that were passed over
	// joined: nothing is missing between the text before and behind, though some
	// of the text before may be wrong.
	joined bool
}

func (e *unpackError) Error() string { return fmt.Sprintf("%s (at byte %d of the file)", e.what, e.at) }
func (e *unpackError) Unwrap() error { return e.err }

// resumes says whether a text goes on behind its error.
func resumes(err error) bool {
	var u *unpackError
	return errors.As(err, &u) && u.resumes
}

var (
	gzipMagic = []byte("\x1f\x8b\x08")
	zstdMagic = []byte("\x28\xb5\x2f\xfd")
)

func isGzip(head []byte) bool { return bytes.HasPrefix(head, gzipMagic) }

// isZstd: a frame, or one that is to be skipped, as pzstd writes them.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, zstdMagic) || len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], []byte("\x2a\x4d\x18"))
}

// packed is a file of compressed pieces, gzip's members or zstd's frames.
type packed struct {
	raw   *bufio.Reader
	file  *fileReader
	again *bytes.Reader // what is read once more, before the file goes on
	kind  string        // "gzip", "zstd"
	magic []byte
	// plausible says whether a piece begins where the magic was found.
	plausible func() bool
	any       bool  // a piece has come
	began     int64 // the piece at hand, in the file
}

func newPacked(raw *bufio.Reader, file *fileReader, kind string, magic []byte) packed {
	file.looksBack = true
	head, _ := raw.Peek(raw.Buffered())
	file.history = append(file.history, head...)
	return packed{raw: raw, file: file, again: bytes.NewReader(nil), kind: kind, magic: magic}
}

// at is the place in the file up to which it was used.
func (p *packed) at() int64 { return p.file.size - int64(p.raw.Buffered()+p.again.Len()) }

// next looks at the beginning of the next piece. io.EOF is the end of the file;
// zero bytes before it, with which tapes and some copies fill up, are no more.
func (p *packed) next(size int) ([]byte, error) {
	for {
		head, err := p.raw.Peek(size)
		p.began = p.at()
		switch {
		case len(head) == 0 && p.file.broken() != nil:
			return nil, p.unreadable()
		case len(head) == 0:
			return nil, err
		case head[0] != 0 || !p.any:
			return head, nil
		}
		p.raw.Discard(1)
	}
}

func (p *packed) unreadable() *unpackError {
	err := p.file.broken()
	return &unpackError{what: fmt.Sprintf("it cannot be read any further: %v", err), at: p.at(), err: err}
}

// damage says what is wrong with the piece at hand, and goes to the next one.
func (p *packed) damage(what string, err error) *unpackError {
	if p.file.broken() != nil {
		return p.unreadable()
	}
	u := &unpackError{what: "the " + p.kind + " data " + what, at: p.at(), err: err}
	u.resumes = p.seek()
	switch {
	case u.resumes:
		u.passed = max(0, p.at()-u.at)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		u.what = "the " + p.kind + " data is cut"
	}
	return u
}

// seek goes to where the next piece begins; false: there is none. It looks from
// the beginning of the piece at hand on, as far back as is kept: where that one
// breaks off, the next one was taken for a part of it.
func (p *packed) seek() bool {
	from := max(p.began+int64(len(p.magic)), p.file.size-int64(len(p.file.history)))
	if from < p.at() {
		p.again = bytes.NewReader(bytes.Clone(p.file.history[len(p.file.history)-int(p.file.size-from):]))
		p.raw.Reset(io.MultiReader(p.again, p.file))
	}
	for {
		head, err := p.raw.Peek(p.raw.Size())
		if i := bytes.Index(head, p.magic); i >= 0 {
			p.raw.Discard(i)
			if p.plausible() {
				return true
			}
			p.raw.Discard(1)
			continue
		}
		if err != nil {
			p.raw.Discard(len(head))
			return false
		}
		p.raw.Discard(len(head) - len(p.magic) + 1)
	}
}

// gzipReader unpacks the members of a gzip file.
type gzipReader struct {
	packed
	z      *gzip.Reader
	inside bool // a member
}

func newGzipReader(raw *bufio.Reader, file *fileReader) *gzipReader {
	g := &gzipReader{packed: newPacked(raw, file, "gzip", gzipMagic), z: new(gzip.Reader)}
	g.plausible = g.unpacks
	return g
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for {
		if !g.inside {
			if err := g.begin(); err != nil {
				return 0, err
			}
		}
		n, err := g.z.Read(p)
		switch {
		case err == io.EOF:
			g.inside, err = false, nil
		case errors.Is(err, gzip.ErrChecksum):
			g.inside = false
			return n, g.wrongSum(err)
		case err != nil:
			g.inside = false
			return n, g.damage("is damaged", err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// wrongSum says what is to say of a member whose checksum is wrong. Where one
// breaks off and the next one was taken for a part of it, that is read again.
func (g *gzipReader) wrongSum(err error) *unpackError {
	u := &unpackError{what: "the gzip data has a wrong checksum: records that came before may be altered", at: g.at(), err: err, resumes: true}
	again := g.seek() && g.at() < u.at
	u.joined, u.passed = !again, max(0, g.at()-u.at)
	return u
}

// begin begins the next member.
func (g *gzipReader) begin() error {
	head, err := g.next(len(gzipMagic))
	if err != nil {
		return err
	}
	if !isGzip(head) {
		return g.damage("is followed by something else", gzip.ErrHeader)
	}
	if err := g.z.Reset(g.raw); err != nil {
		return g.damage("is damaged", err)
	}
	g.z.Multistream(false)
	g.inside, g.any = true, true
	return nil
}

// unpacks tries whether a member begins here. The magic is three bytes, which
// stand in other data now and then; and what comes must be text.
func (g *gzipReader) unpacks() bool {
	const enough = 64
	head, _ := g.raw.Peek(g.raw.Size())
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return false
	}
	z.Multistream(false)
	text := make([]byte, 32<<10)
	n, err := io.ReadFull(z, text)
	ended := n < len(text) && (err == io.EOF || err == io.ErrUnexpectedEOF) && z.Close() == nil
	return (n >= enough || ended && n > 0) && !hasControls(text[:n])
}

// zstdReader unpacks the frames of a zstd file.
type zstdReader struct {
	packed
	z     *zstd.Decoder
	frame frameReader
	open  bool
}

func newZstdReader(raw *bufio.Reader, file *fileReader) *zstdReader {
	z := &zstdReader{packed: newPacked(raw, file, "zstd", zstdMagic)}
	z.plausible = func() bool {
		head, _ := raw.Peek(zstd.HeaderMaxSize)
		var h zstd.Header
		return h.Decode(head) == nil && h.FirstBlock.OK && frameMemory(&h) <= maxWindow
	}
	return z
}

func (z *zstdReader) Read(p []byte) (int, error) {
	for {
		if !z.open {
			if err := z.begin(); err != nil {
				return 0, err
			}
		}
		n, err := z.z.Read(p)
		switch {
		case err == io.EOF:
			z.open, err = false, nil
		case err != nil:
			z.open = false
			return n, z.broken(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// begin begins the next frame.
func (z *zstdReader) begin() error {
	for {
		head, err := z.next(zstd.HeaderMaxSize)
		if err != nil {
			return err
		}
		if !isZstd(head) {
			return z.damage("is followed by something else", zstd.ErrMagicMismatch)
		}
		var h zstd.Header
		if err := h.Decode(head); err != nil {
			return z.damage("is damaged", err)
		}
		z.any = true
		if h.Skippable {
			if _, err := io.CopyN(io.Discard, z.raw, int64(h.HeaderSize)+int64(h.SkippableSize)); err != nil {
				return z.damage("is cut", err)
			}
			continue
		}
		switch {
		case frameMemory(&h) > maxWindow:
			return &unpackError{what: fmt.Sprintf("the zstd data takes %d MiB of memory to unpack, and 128 MiB are allowed", frameMemory(&h)>>20), at: z.at(), err: zstd.ErrWindowSizeExceeded, advice: "unpack it on the way: zstd -dc --long=31 FILE | mdcalake import -"}
		case h.DictionaryID != 0:
			return &unpackError{what: "the zstd data was packed with a dictionary", at: z.at(), err: zstd.ErrUnknownDictionary, advice: "unpack it on the way: zstd -dc -D DICTIONARY FILE | mdcalake import -"}
		}
		z.frame = frameReader{raw: z.raw, left: h.HeaderSize, checksum: h.HasCheckSum}
		if z.z == nil {
			z.z, err = zstd.NewReader(&z.frame, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		} else {
			err = z.z.Reset(&z.frame)
		}
		if err != nil {
			return z.damage("is damaged", err)
		}
		z.open = true
		return nil
	}
}

// frameMemory is what a frame makes us hold to unpack it.
func frameMemory(h *zstd.Header) uint64 {
	if h.SingleSegment {
		return h.FrameContentSize
	}
	return h.WindowSize
}

// broken says what is wrong with the frame at hand. Its blocks say where the
// next one begins, unless it is they that are damaged.
func (z *zstdReader) broken(err error) *unpackError {
	at, began, what := z.at(), z.began, "is damaged"
	if errors.Is(err, zstd.ErrCRCMismatch) {
		what = "has a wrong checksum: records that came before may be altered"
	}
	if _, derr := io.Copy(io.Discard, &z.frame); derr != nil {
		return z.damage("is damaged", derr)
	}
	if head, end := z.next(len(zstdMagic)); end == io.EOF || isZstd(head) {
		return &unpackError{what: "the zstd data " + what, at: at, err: err, resumes: true, passed: z.began - at}
	}
	z.began = began
	return z.damage(what, err)
}

// frameReader gives the bytes of one zstd frame, going from block to block by
// their headers.
type frameReader struct {
	raw      *bufio.Reader
	left     int  // bytes of the header or block at hand
	last     bool // that is the last block
	checksum bool // one follows the last block
}

var errFrame = errors.New("a block of the frame is damaged")

func (f *frameReader) Read(p []byte) (int, error) {
	for f.left == 0 {
		if err := f.next(); err != nil {
			return 0, err
		}
	}
	n, err := f.raw.Read(p[:min(len(p), f.left)])
	f.left -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next goes to the next block.
func (f *frameReader) next() error {
	const (
		header   = 3
		maxBlock = 128 << 10
	)
	if f.last {
		if !f.checksum {
			return io.EOF
		}
		f.checksum, f.left = false, 4
		return nil
	}
	head, err := f.raw.Peek(header)
	if len(head) < header {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	bits := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	size := bits >> 3
	switch kind := bits >> 1 & 3; {
	case kind == 3, size > maxBlock:
		return errFrame
	case kind == 1: // one byte, so many times
		size = 1
	}
	f.last, f.left = bits&1 != 0, header+size
	return nil
}
