package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text in the lake is chosen by attackers as well: a user agent may move the
// cursor, recolour the screen, or turn the reading direction so that one name
// looks like another. On a terminal such characters are shown as \u{..}.

// hides says whether a character acts on its surroundings or cannot be seen.
func hides(r rune) bool {
	switch {
	case r < 0x20, r == 0x7f:
		return true
	case r < 0xa0:
		return r >= 0x80
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0:
		return true
	case r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f:
		return true
	case r >= 0xfe00 && r <= 0xfe0e, r >= 0xe0100 && r <= 0xe01ef: // variation selectors but the one that makes emoji
		return true
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r)
}

// Visible is text from outside, fit for a terminal: what acts on its
// surroundings or cannot be seen is written \u{..}, what is no UTF-8 as U+FFFD.
func Visible(s string) string {
	return string(appendVisible(nil, strings.ToValidUTF8(s, "\ufffd")))
}

// appendVisible appends s with such characters as \u{..}.
func appendVisible(b []byte, s string) []byte {
	return appendVisibleBut(b, s, "")
}

// appendVisibleBut is appendVisible that leaves some characters as they are.
func appendVisibleBut(b []byte, s, leave string) []byte {
	return appendShown(b, s, func(r rune) bool { return hides(r) && !strings.ContainsRune(leave, r) }, func(b []byte, r rune) []byte {
		return append(appendHex(append(b, `\u{`...), uint32(r)), '}')
	})
}

// appendVisibleLines is appendVisible for a text whose lines stay lines.
func appendVisibleLines(b []byte, s string) []byte { return appendVisibleBut(b, s, "\n") }

// appendShown appends s, what is hidden in the way of show.
func appendShown(b []byte, s string, hidden func(rune) bool, show func([]byte, rune) []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if hidden(r) {
			b = append(b, s[start:i]...)
			b = show(b, r)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

func appendHex(b []byte, n uint32) []byte {
	shift := 28
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[n>>shift&15])
	}
	return b
}

// appendJSONVisible writes the same characters in finished JSON as \uXXXX,
// which means the same. Below 0x20 only line ends are left there, between the
// tokens.
func appendJSONVisible(b []byte, s string) []byte {
	return appendShown(b, s, func(r rune) bool { return r >= 0x7f && hides(r) }, func(b []byte, r rune) []byte {
		unit := func(b []byte, u rune) []byte {
			return append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
		}
		if r < 0x10000 {
			return unit(b, r)
		}
		r -= 0x10000
		return unit(unit(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
	})
}
