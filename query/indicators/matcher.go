package indicators

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mdcalake/query/ipaddr"
)

// Row is what of an activity is looked at. A column that the matcher does not want
// may be empty.
type Row struct {
	At        time.Time // of the event; only where Timed
	IP        string
	OtherIPs  []string
	UserName  string
	ActorName string
	UserAgent string
	ObjectID  string
	IDs       []string // of the objects
	Names     []string
	Values    []string
	Raw       string

	known   [looks]map[string]struct{} // texts that hold nothing that is looked for
	knownBy *Matcher
}

// The ways to look at a text.
const (
	asAddress = iota
	asLogin
	asAgent
	asObject
	looks
)

// A row that is used again remembers texts in which there was nothing: users,
// addresses and user agents come again and again. So many of them, so long:
const (
	mostKnown    = 8192
	longestKnown = 256
)

// Hit is an indicator in a row.
type Hit struct {
	Indicator int // in the set
	Column    Column
	Value     string // as the row has it
}

// Matcher looks for a set. It may be used by several goroutines at once.
type Matcher struct {
	set     *Set
	raw     bool
	ips     map[netip.Addr]int32
	ranges  map[netip.Prefix]int32
	bits    [2][]int // lengths of the prefixes there are, of IPv4 and IPv6
	exact   map[Kind]map[string]int32
	parts   *finder // of user agents
	inRaw   *finder
	schemes map[string][]int32
	wanted  map[Column]bool
	timed   bool
}

// NewMatcher makes the tables of a set. raw: it looks into the text of records as
// well, for all kinds but ranges. The error: that would take too much memory.
func NewMatcher(s *Set, raw bool) (*Matcher, error) {
	m := &Matcher{set: s, raw: raw, ips: map[netip.Addr]int32{}, ranges: map[netip.Prefix]int32{}, exact: map[Kind]map[string]int32{}, schemes: map[string][]int32{}, wanted: map[Column]bool{}}
	var parts, texts []phrase
	for n, i := range s.Indicators {
		at := int32(n)
		for _, c := range columnsOf[i.Kind] {
			m.wanted[c] = true
		}
		m.timed = m.timed || len(i.Spans) > 0
		switch i.Kind {
		case IP:
			a, err := netip.ParseAddr(i.Value)
			if err != nil {
				return nil, fmt.Errorf("indicator %q: %w", i.Value, err)
			}
			m.ips[a] = at
		case Range:
			p, err := netip.ParsePrefix(i.Value)
			if err != nil {
				return nil, fmt.Errorf("indicator %q: %w", i.Value, err)
			}
			m.ranges[p] = at
			family := 0
			if p.Addr().Is6() {
				family = 1
			}
			if !slices.Contains(m.bits[family], p.Bits()) {
				m.bits[family] = append(m.bits[family], p.Bits())
			}
		case UserAgent:
			if inner, part := agentPart(i.Value); part {
				parts = append(parts, phrase{text: strings.ToLower(inner), indicator: at})
				break
			}
			fallthrough
		default:
			if m.exact[i.Kind] == nil {
				m.exact[i.Kind] = map[string]int32{}
			}
			m.exact[i.Kind][keyOf(i.Kind, i.Value)] = at
		}
		if i.Kind == URL && !strings.Contains(i.Value, "://") {
			m.schemes[keyOf(URL, i.Value)] = append(m.schemes[keyOf(URL, i.Value)], at)
		}
		if raw && i.Kind != Range {
			texts = append(texts, rawPhrases(i, at)...)
		}
	}
	if raw {
		m.wanted[ColumnRaw] = true
	}
	var err error
	if m.parts, err = newFinder(parts); err != nil {
		return nil, fmt.Errorf("parts of user agents: %w", err)
	}
	if m.inRaw, err = newFinder(texts); err != nil {
		return nil, fmt.Errorf("look into raw: %w", err)
	}
	return m, nil
}

// Wants says whether it looks at a column at all.
func (m *Matcher) Wants(c Column) bool { return m.wanted[c] }

// Timed says whether it looks at the time of the event.
func (m *Matcher) Timed() bool { return m.timed }

// Match tells each indicator that a row matches, once a column, with the first
// value that it matches there. Who fills the same Row again and again has its
// answers sooner.
func (m *Matcher) Match(r *Row, tell func(Hit)) {
	if r.knownBy != m {
		r.knownBy, r.known = m, [looks]map[string]struct{}{}
	}
	s := seeker{Matcher: m, row: r, tell: tell}
	s.texts(asAddress, ColumnIP, r.IP)
	s.texts(asAddress, ColumnOtherIPs, r.OtherIPs...)
	s.texts(asLogin, ColumnUserName, r.UserName)
	s.texts(asLogin, ColumnActorName, r.ActorName)
	s.texts(asAgent, ColumnAgent, r.UserAgent)
	s.texts(asObject, ColumnObjectID, r.ObjectID)
	s.texts(asObject, ColumnIDs, r.IDs...)
	s.texts(asObject, ColumnNames, r.Names...)
	s.texts(asObject, ColumnValues, r.Values...)
	if m.inRaw != nil && r.Raw != "" {
		m.inRaw.find(r.Raw, func(indicator int32, begin, end int) { s.hit(indicator, ColumnRaw, r.Raw[begin:end]) })
	}
}

// seeker is the work on one row.
type seeker struct {
	*Matcher
	row   *Row
	tell  func(Hit)
	told  []Hit // only a few, or none
	found bool  // the text that is looked at holds something, if in another column or time
}

// texts looks at those of a column that are not known to hold nothing.
func (s *seeker) texts(way int, c Column, of ...string) {
	if !s.wanted[c] {
		return
	}
	known := s.row.known[way]
	for _, text := range of {
		if text == "" {
			continue
		}
		if _, ok := known[text]; ok {
			continue
		}
		s.found = false
		switch way {
		case asAddress:
			s.address(c, text)
		case asLogin:
			s.login(c, text)
		case asAgent:
			s.agent(c, text)
		case asObject:
			s.object(c, text)
		}
		if s.found || len(text) > longestKnown {
			continue
		}
		if known == nil {
			known = map[string]struct{}{}
			s.row.known[way] = known
		}
		if len(known) == mostKnown {
			clear(known)
		}
		known[strings.Clone(text)] = struct{}{}
	}
}

// hit tells of an indicator, if it counts at the time of the row.
func (s *seeker) hit(indicator int32, c Column, value string) {
	s.found = true
	for _, h := range s.told {
		if h.Indicator == int(indicator) && h.Column == c {
			return
		}
	}
	spans := s.set.Indicators[indicator].Spans
	if len(spans) > 0 && !slices.ContainsFunc(spans, func(span Span) bool {
		return !s.row.At.Before(span.Since) && (span.Until.IsZero() || s.row.At.Before(span.Until))
	}) {
		return
	}
	h := Hit{int(indicator), c, value}
	s.told = append(s.told, h)
	s.tell(h)
}

// look looks a key up; the value is what the row has.
func (s *seeker) look(k Kind, key string, c Column, value string) {
	if i, ok := s.exact[k][key]; ok {
		s.found = true
		if slices.Contains(columnsOf[k], c) {
			s.hit(i, c, value)
		}
	}
}

func (s *seeker) address(c Column, text string) {
	a, ok := ipaddr.Parse(text)
	if !ok {
		return
	}
	if i, ok := s.ips[a]; ok {
		s.hit(i, c, text)
	}
	family := 0
	if a.Is6() {
		family = 1
	}
	for _, bits := range s.bits[family] {
		if p, err := a.Prefix(bits); err == nil {
			if i, ok := s.ranges[p]; ok {
				s.hit(i, c, text)
			}
		}
	}
}

// login looks at the name that somebody signs in by.
func (s *seeker) login(c Column, text string) {
	words(strings.ToLower(text), func(word string) {
		if mail := mailOf(word); mail != "" {
			s.look(Email, mail, c, text)
			s.domain(hostOf(mail), c, text)
		}
	})
}

// domain looks for a host and all that it lies below.
func (s *seeker) domain(host string, c Column, value string) {
	if s.exact[Domain] == nil {
		return
	}
	for strings.Contains(host, ".") {
		s.look(Domain, host, c, value)
		_, host, _ = strings.Cut(host, ".")
	}
}

func (s *seeker) agent(c Column, text string) {
	s.look(UserAgent, strings.ToLower(text), c, text)
	if s.parts != nil {
		s.parts.find(text, func(i int32, _, _ int) { s.hit(i, c, text) })
	}
}

// object looks at a text that may stand for anything.
func (s *seeker) object(c Column, text string) {
	low := strings.ToLower(text)
	if s.exact[FileName] != nil {
		s.look(FileName, lastPart(low), c, text)
	}
	if (s.exact[Domain] != nil || s.exact[Email] != nil) && strings.IndexByte(low, '.') >= 0 {
		words(low, func(word string) {
			if mail := mailOf(word); mail != "" {
				s.look(Email, mail, c, text)
			}
			s.domain(hostOf(word), c, text)
		})
	}
	if s.exact[Hash] != nil {
		hashes(low, func(h string) { s.look(Hash, h, c, text) })
	}
	if s.exact[URL] != nil {
		key := urlKey(strings.TrimSpace(low))
		s.look(URL, key, c, text)
		if strings.Contains(key, "://") {
			for _, i := range s.schemes[urlKey(withoutScheme(key))] {
				s.found = true
				if slices.Contains(columnsOf[URL], c) {
					s.hit(i, c, text)
				}
			}
		}
	}
}
