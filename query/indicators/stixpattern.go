package indicators

import (
	"errors"
	"fmt"
	"strings"
)

// The simple patterns of STIX: one observation, in it comparisons with = or IN, with
// OR between them:
//
//	[ipv4-addr:value = '203.0.113.9' OR ipv4-addr:value IN ('203.0.113.10', '203.0.113.11')]
//
// All else (AND, NOT, LIKE, MATCHES, times between observations) says more than one
// row of activities can be asked, and is refused: half of a pattern would match
// what its author did not mean.

// term is a value to compare with.
type term struct {
	kind  Kind
	value string
}

// stixPaths are the object paths that activities know, in small letters and
// without quotes.
var stixPaths = map[string]Kind{
	"ipv4-addr:value": IP, "ipv6-addr:value": IP, "domain-name:value": Domain, "url:value": URL,
	"email-addr:value": Email, "email-message:from_ref.value": Email, "email-message:sender_ref.value": Email,
	"user-account:account_login": Email, "user-account:user_id": Email,
	"file:name": FileName, "file:hashes.md5": Hash, "file:hashes.sha-1": Hash, "file:hashes.sha1": Hash, "file:hashes.sha-256": Hash, "file:hashes.sha256": Hash,
	"network-traffic:src_ref.value": IP, "network-traffic:dst_ref.value": IP,
	"network-traffic:extensions.http-request-ext.request_header.user-agent": UserAgent,
}

// longestPattern bounds a pattern, in bytes.
const longestPattern = 1 << 20

func parsePattern(s string) ([]term, error) {
	if len(s) > longestPattern {
		return nil, errors.New("its pattern is longer than 1 MiB")
	}
	p := &patternReader{rest: s}
	if !p.takes("[") {
		return nil, errors.New("its pattern does not begin with [")
	}
	var terms []term
	for {
		more, err := p.comparison()
		if err != nil {
			return nil, err
		}
		terms = append(terms, more...)
		if p.takes("]") {
			break
		}
		if word := p.word(); !strings.EqualFold(word, "OR") {
			return nil, fmt.Errorf("its comparisons are joined by %s, and only OR is read", found(word, p.rest))
		}
	}
	if p.space(); p.rest != "" {
		return nil, fmt.Errorf("behind its observation stands %s, and only one observation by itself is read", found(p.word(), p.rest))
	}
	return terms, nil
}

type patternReader struct{ rest string }

func (p *patternReader) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *patternReader) takes(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

// word takes letters; empty: there are none.
func (p *patternReader) word() string {
	p.space()
	n := 0
	for n < len(p.rest) && (p.rest[n] >= 'A' && p.rest[n] <= 'Z' || p.rest[n] >= 'a' && p.rest[n] <= 'z') {
		n++
	}
	w := p.rest[:n]
	p.rest = p.rest[n:]
	return w
}

// found names what stands in a place.
func found(word, rest string) string {
	switch {
	case word != "":
		return shortened(word)
	case rest == "":
		return "nothing"
	}
	return fmt.Sprintf("%q", shortened(rest))
}

// path takes an object path, without the quotes of its parts.
func (p *patternReader) path() string {
	p.space()
	var b strings.Builder
	quoted := false
	for i := range len(p.rest) {
		c := p.rest[i]
		if c == '\'' || c == '"' {
			quoted = !quoted
			continue
		}
		if !quoted && (c == '=' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '!' || c == '<' || c == '>' || c == ']' || c == '(' || c == ')') {
			p.rest = p.rest[i:]
			return b.String()
		}
		b.WriteByte(c)
	}
	p.rest = ""
	return b.String()
}

func (p *patternReader) comparison() ([]term, error) {
	p.space()
	if strings.HasPrefix(p.rest, "(") {
		return nil, errors.New("there are parentheses in its pattern, and only comparisons side by side are read")
	}
	path := p.path()
	if strings.EqualFold(path, "NOT") || strings.EqualFold(path, "EXISTS") {
		return nil, fmt.Errorf("its pattern says %s, and only what is equal can be looked for", path)
	}
	kind, ok := stixPaths[strings.ToLower(path)]
	if !ok {
		return nil, fmt.Errorf("its pattern is about %q, which activities do not have", shortened(path))
	}
	if p.takes("==") || p.takes("=") {
		v, err := p.literal()
		return []term{{kind, v}}, err
	}
	operator := p.word()
	if !strings.EqualFold(operator, "IN") {
		return nil, fmt.Errorf("it compares with %s, and only = and IN are read", found(operator, p.rest))
	}
	if !p.takes("(") {
		return nil, errors.New("behind IN stands no list")
	}
	var terms []term
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term{kind, v})
		switch {
		case p.takes(")"):
			return terms, nil
		case !p.takes(","):
			return nil, errors.New("the list behind IN does not end")
		}
	}
}

// literal takes a text in single quotes, in which a backslash lets the next
// character stand for itself.
func (p *patternReader) literal() (string, error) {
	if !p.takes("'") {
		return "", fmt.Errorf("it compares with %s, and only texts in quotes are read", found("", p.rest))
	}
	var b strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c == '\'':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a text in its pattern has no end")
}
