package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The lexer knows just enough of DuckDB's SQL to tell statements, words and
// parentheses from what only looks like them inside strings and comments.
//
// Nothing is allowed on its word alone: what it cuts out is parsed again by
// DuckDB, and that very text is what runs.

type tokenKind uint8

const (
	word      tokenKind = iota + 1 // select, activities
	quoted                         // "a name"
	text                           // 'text', E'text', $$text$$
	number                         // 1, 0x1f, 1e5
	parameter                      // ?, $1, $name
	operator                       // everything else, -> and ->> in one piece
	semicolon
)

type token struct {
	kind       tokenKind
	start, end int // bytes of the statement
}

// is says whether the token is this keyword or operator, in any case.
func (t token) is(sql, s string) bool {
	return (t.kind == word || t.kind == operator) && strings.EqualFold(sql[t.start:t.end], s)
}

// lex cuts sql into tokens and leaves out blanks and comments. What is not
// ended (a string, a comment) reaches to the end: DuckDB will say so better.
func lex(sql string) []token {
	var tokens []token
	for i := 0; i < len(sql); {
		start := i
		kind, end := next(sql, i)
		if end <= i { // cannot be; a lexer that stands still would never end
			end = i + 1
		}
		i = end
		if kind != 0 {
			tokens = append(tokens, token{kind, start, end})
		}
	}
	return tokens
}

// next is the token at i; kind 0 for blanks and comments.
func next(sql string, i int) (kind tokenKind, end int) {
	c := sql[i]
	rest := sql[i:]
	switch {
	case c == ';':
		return semicolon, i + 1
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexAny(rest, "\r\n"); n >= 0 {
			return 0, i + n
		}
		return 0, len(sql)
	case strings.HasPrefix(rest, "/*"):
		return 0, blockComment(sql, i)
	case c == '\'':
		return text, quotedEnd(sql, i, '\'', false)
	case (c == 'e' || c == 'E') && len(rest) > 1 && rest[1] == '\'':
		return text, quotedEnd(sql, i+1, '\'', true)
	case c == '"':
		return quoted, quotedEnd(sql, i, '"', false)
	case c == '$':
		return dollar(sql, i)
	case c == '?':
		return parameter, i + 1
	case c >= '0' && c <= '9', c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return number, numberEnd(sql, i)
	case strings.HasPrefix(rest, "->>"):
		return operator, i + 3
	case strings.HasPrefix(rest, "->"):
		return operator, i + 2
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case isBlank(r):
		return 0, i + size
	case isWordStart(r):
		end = i + size
		for end < len(sql) {
			r, size := utf8.DecodeRuneInString(sql[end:])
			if !isWordStart(r) && !(r < utf8.RuneSelf && isDigit(byte(r))) && r != '$' {
				break
			}
			end += size
		}
		return word, end
	}
	return operator, i + size
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isBlank: DuckDB takes the blanks of Unicode for blanks as well.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }

func isWordStart(r rune) bool {
	return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf && !isBlank(r)
}

// quotedEnd is the end of what begins with a quote at i; a doubled quote stays
// inside, and so does an escaped one where backslashes escape.
func quotedEnd(sql string, i int, quote byte, backslash bool) int {
	for i++; i < len(sql); i++ {
		switch {
		case backslash && sql[i] == '\\':
			i++
		case sql[i] == quote:
			if i+1 < len(sql) && sql[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(sql)
}

// blockComment is the end of a /* comment */; they nest.
func blockComment(sql string, i int) int {
	depth := 0
	for i < len(sql) {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(sql)
}

// dollar is a $tag$text$tag$, a parameter or a lone sign.
func dollar(sql string, i int) (tokenKind, int) {
	end := i + 1
	for end < len(sql) {
		r, size := utf8.DecodeRuneInString(sql[end:])
		if !isWordStart(r) && !(r < utf8.RuneSelf && isDigit(byte(r))) {
			break
		}
		end += size
	}
	tagged := end < len(sql) && sql[end] == '$' && (end == i+1 || !isDigit(sql[i+1]))
	if !tagged {
		if end == i+1 {
			return operator, end
		}
		return parameter, end
	}
	tag := sql[i : end+1]
	if n := strings.Index(sql[end+1:], tag); n >= 0 {
		return text, end + 1 + n + len(tag)
	}
	return text, len(sql)
}

func numberEnd(sql string, i int) int {
	for i < len(sql) {
		c := sql[i]
		sign := (c == '+' || c == '-') && (sql[i-1] == 'e' || sql[i-1] == 'E')
		if !isDigit(c) && c != '.' && c != '_' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !sign {
			break
		}
		i++
	}
	return i
}

// Statement is one statement of a text.
type Statement struct {
	SQL    string // without the semicolon
	Offset int    // where it begins in the text, in bytes
}

// Split cuts a text into its statements. Empty ones are left out.
func Split(sql string) []Statement {
	var out []Statement
	start := -1
	end := 0
	for _, t := range lex(sql) {
		if t.kind == semicolon {
			if start >= 0 {
				out = append(out, Statement{SQL: sql[start:end], Offset: start})
			}
			start = -1
			continue
		}
		if start < 0 {
			start = t.start
		}
		end = t.end
	}
	if start >= 0 {
		out = append(out, Statement{SQL: sql[start:end], Offset: start})
	}
	return out
}
