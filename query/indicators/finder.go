package indicators

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Finds many phrases in a running text, in one walk over it: the automaton of Aho
// and Corasick, with a whole table of transitions. Bytes that no phrase has are one
// class, so that the table of ten thousand phrases fits in some ten megabytes.

// phrase is a text to be found, in small letters.
type phrase struct {
	text      string
	indicator int32
	before    border // what may stand before it
	after     border
}

// border says which neighbours would make another text of it: evil.example is not
// in notevil.example, nor in evil.example.org. nil: any may stand there.
type border func(text string, at int) bool

// wordEnds: no letter and no digit goes on there.
func wordEnds(text string, at int) bool { return at < 0 || at >= len(text) || !isWordByte(text[at]) }

// hostBegins: it may be the end of a longer host, and not of a longer label.
func hostBegins(text string, at int) bool {
	return at < 0 || !isWordByte(text[at]) && text[at] != '-' && text[at] != '_'
}

// hostEnds: no label goes on, and none follows.
func hostEnds(text string, at int) bool {
	switch {
	case at >= len(text):
		return true
	case isWordByte(text[at]) || text[at] == '-' || text[at] == '_':
		return false
	}
	return text[at] != '.' || at+1 >= len(text) || !isWordByte(text[at+1])
}

// mailBegins: nothing that could belong to the name before the @.
func mailBegins(text string, at int) bool {
	return at < 0 || !isWordByte(text[at]) && !strings.ContainsRune("._%+-", rune(text[at]))
}

// numberBegins: no digit, letter or dot, nor the groups of an IPv6 address; but the
// text ::ffff: may stand before an IPv4 address.
func numberBegins(text string, at int) bool {
	if at >= 0 && text[at] == ':' {
		return at < 5 || strings.EqualFold(text[max(0, at-6):at+1], "::ffff:") || !isHexDigit(text[at-1]) && text[at-1] != ':'
	}
	return at < 0 || !isWordByte(text[at]) && text[at] != '.'
}

// numberEnds: of IPv4 a port may follow.
func numberEnds(text string, at int) bool {
	switch {
	case at >= len(text):
		return true
	case isWordByte(text[at]):
		return false
	}
	return text[at] != '.' || at+1 >= len(text) || text[at+1] < '0' || text[at+1] > '9'
}

// rawPhrases are the texts that stand for an indicator in a record's JSON: its
// value, and that as JSON writes it.
func rawPhrases(i *Indicator, at int32) []phrase {
	text := strings.ToLower(i.Value)
	p := phrase{indicator: at, before: wordEnds, after: wordEnds}
	switch i.Kind {
	case IP:
		p.before, p.after = numberBegins, numberEnds
		if strings.Contains(text, ":") {
			p.after = func(text string, at int) bool { return numberEnds(text, at) && (at >= len(text) || text[at] != ':') }
		}
	case Domain:
		p.before, p.after = hostBegins, hostEnds
	case Email:
		p.before, p.after = mailBegins, hostEnds
	case FileName:
		p.before = hostBegins
	case URL:
		text = urlKey(text)
	case UserAgent:
		var part bool
		if text, part = agentPart(text); part {
			p.before, p.after = nil, nil
		}
	}
	texts := []string{text}
	if quoted, err := json.Marshal(text); err == nil {
		texts = append(texts, string(quoted[1:len(quoted)-1]))
	}
	texts = append(texts, strings.ReplaceAll(text, "/", `\/`)) // some write it so
	slices.Sort(texts)
	var phrases []phrase
	for _, t := range slices.Compact(texts) {
		p.text = t
		phrases = append(phrases, p)
	}
	return phrases
}

// mostTable bounds the table, in bytes.
const mostTable = 384 << 20

type finder struct {
	class   [256]uint16
	classes int32
	next    []int32 // [state*classes + class]
	ends    [][]int // phrases that end in a state
	shorter []int32 // the state of the longest phrase that ends here too and is shorter; 0: none
	phrases []phrase
}

// newFinder makes the table; nil: there is nothing to be found.
func newFinder(phrases []phrase) (*finder, error) {
	if len(phrases) == 0 {
		return nil, nil
	}
	f := &finder{phrases: phrases, classes: 1}
	states := 1
	for _, p := range phrases {
		states += len(p.text)
		for i := range len(p.text) {
			if f.class[p.text[i]] == 0 {
				f.class[p.text[i]] = uint16(f.classes)
				f.classes++
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		f.class[c] = f.class[c+'a'-'A']
	}
	if n := states * int(f.classes) * 4; n > mostTable {
		return nil, fmt.Errorf("the indicators have %d characters together, which is too many at once: look for them in parts", states)
	}
	f.next = make([]int32, f.classes, states*int(f.classes))
	f.ends = make([][]int, 1, states)
	for n, p := range phrases {
		at := int32(0)
		for i := range len(p.text) {
			slot := at*f.classes + int32(f.class[p.text[i]])
			if f.next[slot] == 0 {
				f.next[slot] = int32(len(f.ends))
				f.next = append(f.next, make([]int32, f.classes)...)
				f.ends = append(f.ends, nil)
			}
			at = f.next[slot]
		}
		f.ends[at] = append(f.ends[at], n)
	}
	f.link()
	return f, nil
}

// link fills in where to go on when no phrase goes on: breadth first, so that the
// shorter suffix of a state is done before it.
func (f *finder) link() {
	f.shorter = make([]int32, len(f.ends))
	fail := make([]int32, len(f.ends))
	var queue []int32
	for c := range f.classes {
		if s := f.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if back := fail[s]; len(f.ends[back]) > 0 {
			f.shorter[s] = back
		} else {
			f.shorter[s] = f.shorter[back]
		}
		for c := range f.classes {
			slot := s*f.classes + c
			onward := f.next[fail[s]*f.classes+c]
			if f.next[slot] == 0 {
				f.next[slot] = onward
				continue
			}
			fail[f.next[slot]] = onward
			queue = append(queue, f.next[slot])
		}
	}
}

// find tells each phrase that stands in the text between its borders.
func (f *finder) find(text string, tell func(indicator int32, begin, end int)) {
	state := int32(0)
	for i := range len(text) {
		state = f.next[state*f.classes+int32(f.class[text[i]])]
		for s := state; s != 0; s = f.shorter[s] {
			for _, n := range f.ends[s] {
				p := &f.phrases[n]
				begin := i + 1 - len(p.text)
				if (p.before == nil || p.before(text, begin-1)) && (p.after == nil || p.after(text, i+1)) {
					tell(p.indicator, begin, i+1)
				}
			}
		}
	}
}
