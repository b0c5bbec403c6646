package ingest

import "strconv"

// The JSON scanner under the decoder: one pass, everything checked.
//
// Every byte of a record is checked against JSON's grammar, also in fields that
// nobody asked for, because raw is queried as JSON later and one bad record
// would fail such a query over the whole lake.
//
// Most of a record is keys, and records of one feed have the same keys in the
// same order. So each key remembers which key came behind it last time, and
// one alternative, and the scanner compares the text with those before it does
// anything else. Only on a miss it reads the key and looks it up. Keys nobody
// asked for are remembered too, up to a bound, so that skipped objects pass as
// fast as lifted ones.
//
// Functions take the index of a value's first byte and return the index behind
// the value, or -1 after fail. The text has scanPadding zero bytes behind its end:
// a zero byte is legal nowhere in JSON, so whatever runs beyond the end stops
// there without asking for the length.

const (
	// maxDepth is how deep a record may nest. Real ones stay below ten. The
	// scanner recurses, and so do readers of raw, some with small limits.
	maxDepth = 512
	// scanPadding is one step of plainEnd.
	scanPadding = 8
	// Keys are remembered, with their order, up to these bounds: a hundred or
	// two per feed are usual, and maps with a key per user or file must neither
	// fill the memory nor crowd out the rest.
	maxLearned       = 4096
	maxLearnedInNode = 1024
	maxLearnedLength = 128
)

// members are the keys seen, or asked for, in objects at one place.
type members struct {
	keys    map[string]*member
	first   guesses
	learned int
}

// member is one key of members.
type member struct {
	literal string // as it stands in compact JSON: "key":
	next    guesses
	inner   *members // of the objects that are the value; nil: none seen yet
	stamp   uint64   // the last object that had the key, to find duplicates
	lifting          // what to do with the value
}

// guesses are the keys that came next last time and before that.
type guesses [2]*member

func (g *guesses) remember(m *member) { g[0], g[1] = m, g[0] }

// match is the guess that the text at i agrees with, and the index behind its
// colon.
func (g *guesses) match(text []byte, i int) (*member, int) {
	for _, m := range g {
		if m == nil {
			break
		}
		if end := i + len(m.literal); end <= len(text) && string(text[i:end]) == m.literal {
			return m, end
		}
	}
	return nil, i
}

func newMembers() *members { return &members{keys: make(map[string]*member)} }

func (n *members) add(key string) *member {
	m := &member{literal: `"` + key + `":`}
	n.keys[key] = m
	return m
}

// A lifter takes the values that somebody asked for.
type lifter interface {
	// lift takes the value at i, which belongs to m in an object at depth, and
	// returns as the scanner's own functions do.
	lift(i int, m *member, depth int) int
	// again hears that m stood twice in its object; the scanner skips the value.
	again(m *member)
}

// scanner is the state of one pass over a record, and what was learned from
// those before.
type scanner struct {
	lifter  lifter
	text    []byte // the record, and padding
	length  int    // of the record
	lone    bool   // an unpaired surrogate escape was seen
	reason  string // why the record was refused
	place   int    // and where
	token   bool   // it was a word, number or escape that begins there
	objects uint64 // objects seen in all records: the stamp of each
	learned int
	key     []byte // an unescaped key
}

// fail notes why the record is refused; the first reason counts.
func (s *scanner) fail(reason string, i int) int {
	if i >= s.length {
		reason = "ends too early"
	}
	s.reason, s.place = "not JSON: "+reason+" at byte "+strconv.Itoa(i), i
	return -1
}

// failToken is fail for a word, a number or an escape that begins at i.
func (s *scanner) failToken(reason string, i int) int {
	s.token = true
	return s.fail(reason, i)
}

// space is the index of the first byte at or behind i that is no white space.
func (s *scanner) space(i int) int {
	for {
		switch s.text[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
}

// skip passes any value. The keys of objects in it are learned in m, if any.
func (s *scanner) skip(i int, m *member, depth int) int {
	switch c := s.text[i]; c {
	case '"':
		end, _ := s.str(i)
		return end
	case '{':
		if m == nil {
			return s.object(i, nil, depth+1)
		}
		if m.inner == nil {
			m.inner = newMembers()
		}
		return s.object(i, m.inner, depth+1)
	case '[':
		return s.array(i, m, depth+1)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	default:
		if c != '-' && !isDigit(c) {
			return s.fail("unexpected character", i)
		}
		end := numberEnd(s.text, i)
		if end < 0 {
			return s.failToken("malformed number", i)
		}
		return end
	}
}

func (s *scanner) word(i int, word string) int {
	end := i + len(word)
	if string(s.text[i:end]) != word { // the padding is longer than any word
		return s.failToken("unexpected character", i)
	}
	return end
}

// str passes a string and says whether there are escapes in it.
func (s *scanner) str(i int) (end int, escaped bool) {
	i++
	for {
		i = plainEnd(s.text, i)
		switch s.text[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = s.escape(i); i < 0 {
				return i, true
			}
		default:
			return s.fail("control character in a string", i), escaped
		}
	}
}

func (s *scanner) escape(i int) int {
	c := s.text[i+1]
	if c == 'u' {
		r, end := escapedRune(s.text, i)
		if end < 0 {
			return s.failToken("malformed escape", i)
		}
		s.lone = s.lone || r < 0
		return end
	}
	if unescapes[c] == 0 {
		return s.failToken("malformed escape", i)
	}
	return i + 2
}

// array passes an array.
func (s *scanner) array(i int, m *member, depth int) int {
	i, more := s.open(i, ']', depth)
	for more {
		if i = s.skip(i, m, depth); i < 0 {
			return i
		}
		i, more = s.comma(i, ']')
	}
	return i
}

// open passes the bracket at i; more says whether an element follows, at the
// index returned.
func (s *scanner) open(i int, closing byte, depth int) (next int, more bool) {
	if depth > maxDepth {
		s.reason, s.place = "nested deeper than "+strconv.Itoa(maxDepth), i
		return -1, false
	}
	i = s.space(i + 1)
	if s.text[i] == closing {
		return i + 1, false
	}
	return i, true
}

// comma passes what stands behind an element: a comma, or the closing bracket.
func (s *scanner) comma(i int, closing byte) (next int, more bool) {
	c := s.text[i]
	if c <= ' ' {
		i = s.space(i)
		c = s.text[i]
	}
	switch c {
	case ',':
		i++
		if s.text[i] <= ' ' {
			i = s.space(i)
		}
		return i, true
	case closing:
		return i + 1, false
	}
	return s.fail("unexpected character", i), false
}

// object passes an object. What its members are for stands in n; nil means
// that nothing is known of them, nor to be learned.
func (s *scanner) object(i int, n *members, depth int) int {
	i, more := s.open(i, '}', depth)
	if n == nil {
		return s.strangers(i, more, depth)
	}
	s.objects++
	stamp := s.objects
	guess := &n.first
	for more {
		m, next := guess.match(s.text, i)
		if m == nil {
			if m, next = s.lookup(i, n); next < 0 {
				return next
			}
			if m != nil {
				guess.remember(m)
			}
		}
		if m != nil {
			guess = &m.next
		}
		if i = next; s.text[i] <= ' ' {
			i = s.space(i)
		}
		switch {
		case m == nil || m.kind == liftNothing:
			i = s.skip(i, m, depth)
		case m.stamp == stamp: // the first of duplicates counts
			s.lifter.again(m)
			i = s.skip(i, nil, depth)
		default:
			m.stamp = stamp
			i = s.lifter.lift(i, m, depth)
		}
		if i < 0 {
			return i
		}
		i, more = s.comma(i, '}')
	}
	return i
}

// strangers passes the members of an object of which nothing is known.
func (s *scanner) strangers(i int, more bool, depth int) int {
	for more {
		if _, i = s.lookup(i, nil); i < 0 {
			return i
		}
		if i = s.skip(s.space(i), nil, depth); i < 0 {
			return i
		}
		i, more = s.comma(i, '}')
	}
	return i
}

// lookup reads the key at i and returns what is known of it, and the index
// behind its colon. An unknown key is learned if there is room.
func (s *scanner) lookup(i int, n *members) (*member, int) {
	if s.text[i] != '"' {
		return nil, s.fail("unexpected character", i)
	}
	end, escaped := s.str(i)
	if end < 0 {
		return nil, end
	}
	colon := s.space(end)
	if s.text[colon] != ':' {
		return nil, s.fail("unexpected character", colon)
	}
	if n == nil {
		return nil, colon + 1
	}
	key := s.text[i+1 : end-1]
	if escaped {
		s.key = appendUnescaped(s.key[:0], key)
		key = s.key
	}
	m := n.keys[string(key)]
	// An escaped key would be learned by a literal that it is not written as.
	if m == nil && !escaped && len(key) <= maxLearnedLength && n.learned < maxLearnedInNode && s.learned < maxLearned {
		n.learned++
		s.learned++
		m = n.add(string(key))
	}
	return m, colon + 1
}
