package ingest

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Text and numbers as JSON writes them. All functions work on bytes, keep no
// reference to them and allocate nothing but what the destination grows by.

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// plainEnd is the index of the first quote, backslash or control character at
// or behind i, eight bytes a step. Such a byte must exist, and seven more
// behind it: the scanner's text ends in zero bytes for that.
//
// A byte c below 0x20 and the quote (0x22) are found by one test: they, and
// no others, have c^2 < 0x21. A borrow can spoil only bytes behind a true hit,
// and the first hit is all we ask for.
func plainEnd(b []byte, i int) int {
	for {
		w := binary.LittleEndian.Uint64(b[i:])
		quoteOrControl := (w ^ 0x02*lowBits) - 0x21*lowBits
		backslash := (w ^ '\\'*lowBits) - lowBits
		if hit := (quoteOrControl | backslash) &^ w & highBits; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
		i += 8
	}
}

// hex4 is the value of the four hexadecimal digits at i, or -1.
func hex4(b []byte, i int) int {
	if i+4 > len(b) {
		return -1
	}
	v := 0
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		v = v<<4 | int(c)
	}
	return v
}

// escapedRune reads the escape \uXXXX at i, or the pair of them that stands for
// one character, and returns the index behind it. The rune is -1 when the
// escape is half of a surrogate pair without the other half; the index is -1
// when the digits are no digits.
func escapedRune(b []byte, i int) (r rune, end int) {
	v := hex4(b, i+2)
	switch {
	case v < 0:
		return -1, -1
	case v < 0xD800 || v > 0xDFFF:
		return rune(v), i + 6
	case v <= 0xDBFF && i+8 <= len(b) && b[i+6] == '\\' && b[i+7] == 'u':
		if low := hex4(b, i+8); low >= 0xDC00 && low <= 0xDFFF {
			return rune(v-0xD800)<<10 + rune(low-0xDC00) + 0x10000, i + 12
		}
	}
	return -1, i + 6
}

// unescapes gives the byte that a one-letter escape stands for, 0 for none.
var unescapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// appendUnescaped appends what the inside of a JSON string means. The scanner
// must have passed it. The result is never longer than s.
func appendUnescaped(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		if s[i+1] == 'u' {
			var r rune
			r, i = escapedRune(s, i)
			dst = utf8.AppendRune(dst, r) // -1 becomes U+FFFD
		} else {
			dst = append(dst, unescapes[s[i+1]])
			i += 2
		}
		start = i
	}
	return append(dst, s[start:]...)
}

// appendRepaired appends JSON text with U+FFFD in the place of every unpaired
// surrogate escape and of every byte that is not part of a valid UTF-8
// sequence: one per byte, as encoding/json counts them. The scanner must have
// passed the text; so backslashes and bytes from 0x80 on stand only in strings.
func appendRepaired(dst, text []byte) []byte {
	start := 0
	for i := 0; i < len(text); {
		next, good := i+1, true
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(text[i:])
			next, good = i+size, r != utf8.RuneError || size > 1
		case c == '\\' && text[i+1] == 'u':
			var r rune
			r, next = escapedRune(text, i)
			good = r >= 0
		case c == '\\':
			next = i + 2
		}
		if !good {
			dst = append(dst, text[start:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			start = next
		}
		i = next
	}
	return append(dst, text[start:]...)
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// digitsEnd is the index of the first byte at or behind i that is no digit.
func digitsEnd(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// numberEnd is the index behind the number at i, in JSON's grammar, or -1.
func numberEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	i = digitsEnd(b, i)
	if i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = digitsEnd(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = digitsEnd(b, start); i == start {
			return -1
		}
	}
	return i
}

func isNumber(b []byte) bool { return numberEnd(b, 0) == len(b) }

// parseWhole is the value of a number in JSON's grammar, if it is whole and
// fits: exactly, never by way of a float. 1.50e1 is 15; 1e-1 is not whole.
func parseWhole(b []byte) (v int64, ok bool) {
	if !isNumber(b) {
		return 0, false
	}
	negative := b[0] == '-'
	if negative {
		b = b[1:]
	}
	magnitude, ok := parseMagnitude(b)
	switch {
	case !ok:
		return 0, false
	case negative && magnitude <= 1<<63:
		return -int64(magnitude), true
	case !negative && magnitude < 1<<63:
		return int64(magnitude), true
	}
	return 0, false
}

// parseMagnitude is the value of a number without sign. It takes the digits
// that count, without zeros at either end, and the power of ten to raise them
// by; both may be as long as a record.
func parseMagnitude(b []byte) (v uint64, ok bool) {
	whole := digitsEnd(b, 0)
	if whole == len(b) && whole <= 19 { // the usual case
		for _, c := range b {
			v = v*10 + uint64(c-'0')
		}
		return v, true
	}
	fraction := whole
	if whole < len(b) && b[whole] == '.' {
		fraction = digitsEnd(b, whole+1)
	}
	power := int64(0)
	if fraction < len(b) {
		power = parseExponent(b[fraction+1:])
	}
	pending := int64(0) // zeros seen since the last digit that counts
	for i, c := range b[:fraction] {
		if c == '.' {
			continue
		}
		if i > whole {
			power--
		}
		if c == '0' {
			if v > 0 {
				pending++
			}
			continue
		}
		if v, ok = raise(v, pending+1, uint64(c-'0')); !ok {
			return 0, false
		}
		pending = 0
	}
	if v == 0 {
		return 0, true
	}
	if power += pending; power < 0 {
		return 0, false
	}
	return raise(v, power, 0)
}

// raise is v*10^power + add, if that fits. v may be 0 only when power is small.
func raise(v uint64, power int64, add uint64) (uint64, bool) {
	for ; power > 0; power-- {
		high, low := bits.Mul64(v, 10)
		if high > 0 {
			return 0, false
		}
		v = low
	}
	v, carry := bits.Add64(v, add, 0)
	return v, carry == 0
}

// parseExponent reads the digits behind the e. What is far beyond the length
// of any record stays there.
func parseExponent(b []byte) int64 {
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	v := int64(0)
	for _, c := range b {
		if v < 1<<40 {
			v = v*10 + int64(c-'0')
		}
	}
	if negative {
		return -v
	}
	return v
}

// parseDouble is the value of a number in JSON's grammar, if it is finite.
func parseDouble(b []byte) (v float64, ok bool) {
	if !isNumber(b) {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(b), 64)
	return v, err == nil
}

// parseBool reads true and false in any letter case, 0 and 1.
func parseBool(b []byte) (v int64, ok bool) {
	switch {
	case isWord(b, "true"):
		return 1, true
	case isWord(b, "false"):
		return 0, true
	}
	v, ok = parseWhole(b)
	return v, ok && (v == 0 || v == 1)
}

// isWord compares in ASCII alone: bytes.EqualFold would take the long s of
// "falſe" for an s.
func isWord(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c|0x20 != lower[i] {
			return false
		}
	}
	return true
}
