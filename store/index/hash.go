package index

import (
	"strconv"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// Kind says what a value is. It is written into runs: a number is never given
// to another kind.
type Kind uint8

// The kinds of the lake. Numbers up to 63 are free for more; 0 is no kind, so
// that a zeroed block can never pass for one.
const (
	ActivityID Kind = 1
	UserName   Kind = 2
	ActorID    Kind = 3
	IP         Kind = 4
	ObjectID   Kind = 5
	SessionID  Kind = 6
	// Revision is the activity_id of a payload that is not current; its cell is
	// the one it would be in.
	Revision Kind = 7

	maxKind = 63
)

var kindNames = [...]string{
	ActivityID: "activity_id",
	UserName:   "user_name",
	ActorID:    "actor_id",
	IP:         "ip",
	ObjectID:   "object_id",
	SessionID:  "session_id",
	Revision:   "revision",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// hashVersion names the function Hash: seeds, folding and the table in
// fold_table.go. Hashes outlive the process, so any change of them needs a new
// number; runs of another number are refused, which means a rebuild.
const hashVersion = 1

// seed is the xxh3 seed of a kind: "mdcalake" in ASCII, and the kind. With a
// seed for each kind, a user name that is also an IP address costs two cells
// nothing.
func (k Kind) seed() uint64 { return 0x6d6463616c616b65 ^ uint64(k)<<56 ^ uint64(k) }

// exact says that values of the kind are opaque: no spelling is another's.
func (k Kind) exact() bool { return k == ActivityID || k == Revision }

// Hash is the key under which a value is found: XXH3-64 with the kind's seed.
//
// An ActivityID is hashed as it is, byte for byte, for Revision too. Values of the other kinds
// are folded first, so that every spelling with the same lower(x) in DuckDB
// has the same hash. The reverse does not hold: two hashes may be equal where
// the values differ, and the caller looks at the cell. Folding also drops
// U+FFFD and bytes that are no UTF-8, so that a value and its repaired
// spelling are found under one key, whatever way it was repaired. It does not
// normalize, and neither does lower: e-acute as one code point and as two are
// different values.
func Hash(kind Kind, value []byte) uint64 {
	if kind.exact() {
		return xxh3.HashSeed(value, kind.seed())
	}
	var space [256]byte
	return xxh3.HashSeed(appendFolded(space[:0], value), kind.seed())
}

// HashString is Hash of a string.
func HashString(kind Kind, value string) uint64 {
	if kind.exact() {
		return xxh3.HashStringSeed(value, kind.seed())
	}
	var space [256]byte
	return xxh3.HashSeed(appendFolded(space[:0], value), kind.seed())
}

// appendFolded appends the folded value: each code point becomes the smallest
// of its class (foldRanges), ASCII letters thus capitals.
func appendFolded[T []byte | string](dst []byte, value T) []byte {
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c >= utf8.RuneSelf {
			return appendFoldedRunes(dst, string(value[i:]))
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendFoldedRunes(dst []byte, value string) []byte {
	for _, r := range value { // U+FFFD also for each byte that is no UTF-8
		if r != utf8.RuneError {
			dst = utf8.AppendRune(dst, fold(r))
		}
	}
	return dst
}

// foldRange says that the code points first, first+step, ... last are lowered
// by delta.
type foldRange struct {
	first, last rune
	step, delta rune
}

// fold returns the smallest code point of the class of r.
func fold(r rune) rune {
	low, high := 0, len(foldRanges)
	for low < high {
		if mid := int(uint(low+high) >> 1); foldRanges[mid].last < r {
			low = mid + 1
		} else {
			high = mid
		}
	}
	// Ranges of step 2 interleave with their neighbours' code points only
	// where those fold to themselves, so that one range is enough to look at.
	if low < len(foldRanges) {
		if f := foldRanges[low]; r >= f.first && (r-f.first)%f.step == 0 {
			return r - f.delta
		}
	}
	return r
}
