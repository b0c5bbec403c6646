package indicators

import "strings"

// What a text of a record holds: hosts, mail addresses, a file's name, hashes. All
// texts here are in small letters, but for lastPart.

// words are the parts of a text that may be a host, an address or a URL. A guest's
// login, eve_evil.example#EXT#@contoso.example, holds the guest's own address too.
func words(text string, each func(string)) {
	const guest = "#ext#@"
	for {
		i := 0
		for i < len(text) && !betweenWords[text[i]] {
			i++
		}
		word := text[:i]
		if word != "" {
			if n := strings.Index(word, guest); n > 0 {
				own := word[:n]
				if at := strings.LastIndexByte(own, '_'); at > 0 && !strings.Contains(own, "@") {
					each(own[:at] + "@" + own[at+1:])
				}
			}
			each(word)
		}
		if i == len(text) {
			return
		}
		text = text[i+1:]
	}
}

// betweenWords are the bytes that stand between words.
var betweenWords = func() (is [256]bool) {
	for _, c := range []byte(" \t\r\n,;<>\"'()[]{}|") {
		is[c] = true
	}
	return is
}()

// hostOf is the host that a word names: of a URL, of a mail address, or itself.
// Empty: it names none.
func hostOf(word string) string {
	if i := strings.Index(word, "://"); i >= 0 {
		word = word[i+3:]
		word = word[:endOf(word, "/?#\\")]
	} else {
		word = word[:endOf(word, "/?\\")]
	}
	if i := strings.LastIndexByte(word, '@'); i >= 0 {
		word = word[i+1:]
	}
	if strings.HasPrefix(word, "[") { // an IPv6 address in a URL
		return strings.Trim(word[:endOf(word, "]")], "[]")
	}
	if i := strings.IndexByte(word, ':'); i >= 0 {
		word = word[:i]
	}
	return strings.Trim(word, ".")
}

// endOf is where the first of some characters stands, or the end.
func endOf(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// mailOf is the mail address that a word is; empty: it is none.
func mailOf(word string) string {
	word = strings.TrimPrefix(word, "mailto:")
	word = strings.Trim(word, ".")
	if i := strings.IndexByte(word, '@'); i <= 0 || i == len(word)-1 || strings.Contains(word, "://") {
		return ""
	}
	return word
}

// lastPart is the last part of a path or a URL.
func lastPart(text string) string {
	if strings.Contains(text, "://") {
		text = text[:endOf(text, "?#")]
	}
	text = strings.TrimRight(text, `/\`)
	return strings.TrimSpace(text[strings.LastIndexAny(text, `/\`)+1:])
}

// urlKey is a URL without what does not count: a slash at its end and its
// fragment. One without a scheme is any.
func urlKey(text string) string {
	return strings.TrimRight(text[:endOf(text, "#")], "/")
}

// withoutScheme is the rest of a URL.
func withoutScheme(url string) string {
	if i := strings.Index(url, "://"); i >= 0 {
		return url[i+3:]
	}
	return url
}

// hashes are the runs of hex digits that are as long as one, and border on no
// other letter or digit.
func hashes(text string, each func(string)) {
	begin := 0
	plain := true
	flush := func(end int) {
		if plain && hashLength(end-begin) {
			each(text[begin:end])
		}
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case isHexDigit(c):
		case isWordByte(c):
			plain = false
		default:
			flush(i)
			begin, plain = i+1, true
		}
	}
	flush(len(text))
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
