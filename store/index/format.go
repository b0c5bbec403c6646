package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
)

// The layout of a run; doc.go describes it field by field.
const (
	magic         = "mdcaIDX\n"
	formatVersion = 1

	blockSize    = 4096 // a page: the least that the disk reads anyway
	entrySize    = 12
	blockEntries = 340                      // (4096 - 16) / 12, without a rest
	tailAt       = blockEntries * entrySize // number, count, kind, checksum

	footerSize   = 4096
	sectionsAt   = 136
	sectionSize  = 32
	fenceSize    = 8
	cellSize     = 12
	maxCells     = math.MaxUint32 / 2
	maxBlocks    = math.MaxUint32
	runSuffix    = ".idx"
	runPrefix    = "run-"
	tempPrefix   = ".run-"
	tempSuffix   = ".tmp"
	versionWidth = 20 // as many digits as the log's own names have
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(seed uint32, b []byte) uint32 { return crc32.Update(seed, castagnoli, b) }

// runName is the file's name of a run that covers from..to.
func runName(from, to int64) string {
	return fmt.Sprintf("%s%0*d-%0*d%s", runPrefix, versionWidth, from, versionWidth, to, runSuffix)
}

// parseRunName reads it back; what runName would not have written is no run.
func parseRunName(name string) (from, to int64, ok bool) {
	a, b, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(name, runPrefix), runSuffix), "-")
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	return from, to, err1 == nil && err2 == nil && 0 <= from && from <= to && runName(from, to) == name
}

// isTemp says that a name is one that this package gives to files under way.
func isTemp(name string) bool {
	return strings.HasPrefix(name, tempPrefix) && strings.HasSuffix(name, tempSuffix)
}

// section is the entries of one kind.
type section struct {
	kind     Kind
	entries  int64
	min, max uint64

	first  int64 // its first block; follows from the sections before it
	blocks int64
}

// footer is the end of a run: all that is needed to read the rest.
type footer struct {
	span     Span
	cells    int64
	blocks   int64
	size     int64 // of the whole file
	fenceSum uint32
	cellSum  uint32
	sections []section
}

// seed starts the checksum of every part of the run, so that a part of
// another run does not pass for one of this.
func (s Span) seed() uint32 {
	var b [80]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(s.From))
	binary.LittleEndian.PutUint64(b[8:], uint64(s.To))
	copy(b[16:], s.Before[:])
	copy(b[48:], s.Head[:])
	return checksum(0, b[:])
}

func (f *footer) fencesOffset() int64 { return f.blocks * blockSize }
func (f *footer) cellsOffset() int64  { return f.fencesOffset() + f.blocks*fenceSize }
func (f *footer) footerOffset() int64 { return f.cellsOffset() + f.cells*cellSize }

func (f *footer) encode() []byte {
	b := make([]byte, footerSize)
	le := binary.LittleEndian
	copy(b, magic)
	le.PutUint32(b[8:], formatVersion)
	le.PutUint32(b[12:], hashVersion)
	le.PutUint64(b[16:], uint64(f.span.From))
	le.PutUint64(b[24:], uint64(f.span.To))
	copy(b[32:], f.span.Before[:])
	copy(b[64:], f.span.Head[:])
	le.PutUint64(b[96:], uint64(f.blocks))
	le.PutUint64(b[104:], uint64(f.cells))
	le.PutUint64(b[112:], uint64(f.footerOffset()+footerSize))
	le.PutUint32(b[120:], f.fenceSum)
	le.PutUint32(b[124:], f.cellSum)
	le.PutUint32(b[128:], uint32(len(f.sections)))
	for i, s := range f.sections {
		at := b[sectionsAt+i*sectionSize:]
		at[0] = byte(s.kind)
		le.PutUint64(at[8:], uint64(s.entries))
		le.PutUint64(at[16:], s.min)
		le.PutUint64(at[24:], s.max)
	}
	le.PutUint32(b[footerSize-4:], checksum(0, b[:footerSize-4]))
	return b
}

// decodeFooter reads the last bytes of a file of the given size. Everything
// that is later used as a length or an offset is checked here.
func decodeFooter(path string, b []byte, size int64) (footer, error) {
	var f footer
	le := binary.LittleEndian
	if len(b) != footerSize || string(b[:8]) != magic {
		return f, damaged(path, "it does not end in a footer")
	}
	// The version comes before the checksum: a later format may put it elsewhere.
	if format, hash := le.Uint32(b[8:]), le.Uint32(b[12:]); format != formatVersion || hash != hashVersion {
		return f, &RunError{Path: path, Err: ErrUnknownVersion,
			What: fmt.Sprintf("format %d, hash %d, want %d and %d", format, hash, formatVersion, hashVersion)}
	}
	if sum := checksum(0, b[:footerSize-4]); sum != le.Uint32(b[footerSize-4:]) {
		return f, damaged(path, "the footer's checksum is %08x, want %08x", sum, le.Uint32(b[footerSize-4:]))
	}
	f.span.From, f.span.To = int64(le.Uint64(b[16:])), int64(le.Uint64(b[24:]))
	copy(f.span.Before[:], b[32:])
	copy(f.span.Head[:], b[64:])
	blocks, cells := le.Uint64(b[96:]), le.Uint64(b[104:])
	f.size = size
	f.fenceSum, f.cellSum = le.Uint32(b[120:]), le.Uint32(b[124:])
	if blocks > maxBlocks || cells > maxCells {
		return f, damaged(path, "%d blocks and %d cells", blocks, cells)
	}
	f.blocks, f.cells = int64(blocks), int64(cells)
	if want := f.footerOffset() + footerSize; le.Uint64(b[112:]) != uint64(want) || size != want {
		return f, damaged(path, "%d bytes, want %d", size, want)
	}
	if f.span.From < 0 || f.span.To < f.span.From {
		return f, damaged(path, "it covers %d to %d", f.span.From, f.span.To)
	}
	n := le.Uint32(b[128:])
	if n > maxKind {
		return f, damaged(path, "%d kinds", n)
	}
	next := int64(0)
	for i := range int(n) {
		at := b[sectionsAt+i*sectionSize:]
		entries := le.Uint64(at[8:])
		s := section{kind: Kind(at[0]), min: le.Uint64(at[16:]), max: le.Uint64(at[24:]), first: next}
		if s.kind == 0 || s.kind > maxKind || i > 0 && s.kind <= f.sections[i-1].kind {
			return f, damaged(path, "kind %d out of place", at[0])
		}
		if entries == 0 || entries > blocks*blockEntries || s.min > s.max {
			return f, damaged(path, "%d entries of %v from %x to %x", entries, s.kind, s.min, s.max)
		}
		s.entries = int64(entries)
		s.blocks = (s.entries + blockEntries - 1) / blockEntries
		next += s.blocks
		f.sections = append(f.sections, s)
	}
	if next != f.blocks || (f.blocks == 0) != (f.cells == 0) {
		return f, damaged(path, "%d blocks and %d cells, want %d blocks", f.blocks, f.cells, next)
	}
	return f, nil
}

// section returns the entries of a kind; none is nil.
func (f *footer) section(kind Kind) *section {
	for i := range f.sections {
		if f.sections[i].kind == kind {
			return &f.sections[i]
		}
	}
	return nil
}

// blockKind is the kind that block n is of, and how many entries it has.
func (f *footer) block(n int64) (kind Kind, count int) {
	for i := range f.sections {
		if s := &f.sections[i]; n < s.first+s.blocks {
			return s.kind, int(min(blockEntries, s.entries-(n-s.first)*blockEntries))
		}
	}
	return 0, 0
}

// block is one block's bytes, checked.
type block []byte

func (b block) hash(i int) uint64 { return binary.LittleEndian.Uint64(b[i*entrySize:]) }
func (b block) cell(i int) uint32 { return binary.LittleEndian.Uint32(b[i*entrySize+8:]) }

// seal writes the tail of a block.
func (b block) seal(n int64, kind Kind, count int, seed uint32) {
	le := binary.LittleEndian
	le.PutUint32(b[tailAt:], uint32(n))
	le.PutUint32(b[tailAt+4:], uint32(count))
	le.PutUint32(b[tailAt+8:], uint32(kind))
	le.PutUint32(b[tailAt+12:], checksum(seed, b[:tailAt+12]))
}

// check compares the tail with what the footer says.
func (b block) check(n int64, kind Kind, count int, seed uint32) string {
	le := binary.LittleEndian
	switch {
	case le.Uint32(b[tailAt+12:]) != checksum(seed, b[:tailAt+12]):
		return "wrong checksum"
	case le.Uint32(b[tailAt:]) != uint32(n):
		return fmt.Sprintf("it calls itself %d", le.Uint32(b[tailAt:]))
	case le.Uint32(b[tailAt+4:]) != uint32(count) || le.Uint32(b[tailAt+8:]) != uint32(kind):
		return fmt.Sprintf("%d entries of kind %d, want %d of %d", le.Uint32(b[tailAt+4:]), le.Uint32(b[tailAt+8:]), count, kind)
	}
	return ""
}
