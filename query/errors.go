package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Kind is what a caller can tell apart about a statement that gave no answer.
type Kind int

// The kinds.
const (
	Refused     Kind = iota + 1 // by the guard: it does more than read
	Syntax                      // it is no SQL
	Names                       // a table, column, function or type does not fit
	Runtime                     // it failed while running: a value, a file
	OutOfMemory                 // it needs more than it may have
	Cancelled                   // the context ended
	Internal                    // a fault of DuckDB's or ours
)

func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case Syntax:
		return "syntax"
	case Names:
		return "names"
	case Runtime:
		return "runtime"
	case OutOfMemory:
		return "out of memory"
	case Cancelled:
		return "cancelled"
	case Internal:
		return "internal"
	}
	return "unknown"
}

// Error is a statement that gave no answer, or no whole one.
type Error struct {
	Kind    Kind
	Message string // one line, without a full stop
	SQL     string // the statement as it was given
	// Position is the byte of SQL that the message is about; -1: unknown.
	Position int
	// Candidates are names that were perhaps meant, the likeliest first.
	Candidates []string
	Hint       string // what to do instead; may be empty
	Err        error  // what lies beneath; may be nil
}

func (e *Error) Error() string {
	s := "query: " + e.Message
	if line, column, ok := e.LineColumn(); ok {
		s += fmt.Sprintf(" (line %d, column %d)", line, column)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// LineColumn is the place in the statement, both from 1, the column in
// characters.
func (e *Error) LineColumn() (line, column int, ok bool) {
	if e.Position < 0 || e.Position > len(e.SQL) {
		return 0, 0, false
	}
	before := e.SQL[:e.Position]
	line = 1 + strings.Count(before, "\n")
	last := before[strings.LastIndexByte(before, '\n')+1:]
	return line, 1 + len([]rune(last)), true
}

// placeWidth is how much of a long line is shown around the caret.
const placeWidth = 96

// Place draws the line that the message is about and a caret below it; empty
// when the place is unknown.
func (e *Error) Place() string {
	line, _, ok := e.LineColumn()
	if !ok {
		return ""
	}
	start := strings.LastIndexByte(e.SQL[:e.Position], '\n') + 1
	end := len(e.SQL)
	if i := strings.IndexByte(e.SQL[e.Position:], '\n'); i >= 0 {
		end = e.Position + i
	}
	// Both halves as a terminal may safely show them; tabs as one blank, so
	// that the caret stands where it should.
	clean := func(s string) string {
		return string(appendVisible(nil, strings.NewReplacer("\t", " ", "\r", "").Replace(s)))
	}
	left, right := clean(e.SQL[start:e.Position]), clean(e.SQL[e.Position:end])
	if runewidth.StringWidth(left) > placeWidth*2/3 {
		left = "..." + runewidth.TruncateLeft(left, runewidth.StringWidth(left)-placeWidth*2/3, "")
	}
	right = runewidth.Truncate(right, placeWidth-min(runewidth.StringWidth(left), placeWidth*2/3), "...")
	prefix := "LINE " + strconv.Itoa(line) + ": "
	return prefix + left + right + "\n" + strings.Repeat(" ", len(prefix)+runewidth.StringWidth(left)) + "^"
}

// Explain is the whole error for a person: what, where, and what to do.
func (e *Error) Explain() string {
	parts := []string{e.Message}
	if p := e.Place(); p != "" {
		parts = append(parts, p)
	}
	if len(e.Candidates) > 0 {
		parts = append(parts, "Did you mean "+quoteNames(e.Candidates)+"?")
	}
	if e.Hint != "" {
		parts = append(parts, "Hint: "+e.Hint)
	}
	return strings.Join(parts, "\n")
}

func quoteNames(names []string) string {
	q := make([]string, 0, 3)
	for _, n := range names[:min(len(names), 3)] {
		q = append(q, strconv.Quote(n))
	}
	return strings.Join(q, " or ")
}

// engineError is an error as DuckDB writes it under errors_as_json.
type engineError struct {
	Type       string `json:"exception_type"`
	Message    string `json:"exception_message"`
	Subtype    string `json:"error_subtype"`
	Position   string `json:"position"`
	Candidates string `json:"candidates"`
	Name       string `json:"name"`
	EntryType  string `json:"type"`
}

// newEngineError makes an Error of DuckDB's text. sql is the statement as it
// was given, shift what to add to a position.
func newEngineError(text, sql string, shift int) *Error {
	var ee engineError
	e := &Error{Kind: Runtime, SQL: sql, Position: -1}
	// Parser errors carry a prefix before the JSON, and a fatal one may carry
	// anything after it.
	if i := strings.IndexByte(text, '{'); i < 0 || json.NewDecoder(strings.NewReader(text[i:])).Decode(&ee) != nil || ee.Message == "" {
		ee = engineError{Message: text}
	}
	if n, err := strconv.Atoi(ee.Position); err == nil && n >= 0 {
		if n += shift; n >= 0 && n <= len(sql) {
			e.Position = n
		}
	}
	switch strings.ToLower(ee.Type) {
	case "parser", "syntax":
		e.Kind = Syntax
	case "binder", "catalog", "parameter not resolved", "parameter not allowed":
		e.Kind = Names
	case "permission":
		e.Kind = Refused
		e.Hint = "a query reads the tables of the lake and nothing else; DESCRIBE and SHOW TABLES tell what there is"
	case "out of memory":
		e.Kind = OutOfMemory
		e.Hint = "give it more with --memory-limit, or ask for fewer rows or columns (raw is the widest)"
	case "interrupt":
		e.Kind = Cancelled
	case "internal", "fatal":
		e.Kind = Internal
	}
	e.Message, e.Candidates = splitMessage(ee.Message)
	if i := strings.Index(ee.Message, "Candidate functions:"); i >= 0 {
		e.Hint = callsHint(ee.Message[i:])
	}
	if unreadable(ee.Type, ee.Message) {
		e.Message, e.Hint = "a file of the lake cannot be read: "+strings.TrimSuffix(e.Message, ":"), verifyHint
	}
	// Of a function they are ways to call it, with commas of their own.
	if ee.Candidates != "" && !strings.HasPrefix(ee.Message, "No function matches") {
		e.Candidates = strings.Split(ee.Candidates, ",")
	}
	for i, c := range e.Candidates {
		e.Candidates[i] = strings.TrimSpace(c)
	}
	explainRanges(e)
	return e
}

// messageWidth is the most of a message, in bytes, that is told.
const messageWidth = 500

// splitMessage takes off what Explain says itself: the drawn place, the
// candidates and DuckDB's stack trace.
func splitMessage(m string) (message string, candidates []string) {
	for _, mark := range []string{"\n\nLINE ", "\nLINE ", "\nStack Trace", "\n\nStack Trace", "\nThis error signals"} {
		if i := strings.Index(m, mark); i >= 0 {
			m = m[:i]
		}
	}
	lines := strings.Split(m, "\n")
	keep := lines[:0]
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if rest, ok := strings.CutPrefix(l, "Did you mean "); ok {
			candidates = []string{strings.Trim(rest, `"?`)}
			continue
		}
		if kind, names, ok := strings.Cut(l, ": "); ok && (kind == "Candidate Entries" || kind == "Candidate tables") {
			for name := range strings.SplitSeq(names, ", ") {
				candidates = append(candidates, strings.Trim(name, `"`))
			}
			continue
		}
		if strings.HasPrefix(l, "Candidate functions:") || strings.HasPrefix(l, "Possible solutions:") {
			break // hintFor tells them
		}
		if strings.HasPrefix(l, "Candidate bindings:") || l == "" {
			continue
		}
		keep = append(keep, strings.TrimRight(l, "!."))
	}
	for i, l := range keep {
		switch {
		case i == 0:
		case strings.HasSuffix(message, ":"): // a list begins
			message += " "
		default:
			message += "; "
		}
		message += l
	}
	message = shortenTexts(strings.TrimRight(message, "!."))
	if len(message) > messageWidth {
		message = strings.ToValidUTF8(message[:messageWidth], "") + "..."
	}
	// A conversion that fails quotes the value, and values come from records.
	return string(appendVisible(nil, message)), candidates
}

// quotedWidth is the most, in bytes, that is told of a text in a message: the
// value that cannot be converted is a whole record where ->> took the wrong
// operand.
const quotedWidth = 80

// shortenTexts cuts what stands in a message in single quotes.
func shortenTexts(m string) string {
	var b strings.Builder
	for {
		begin := strings.IndexByte(m, '\'')
		// The last quote ends it: a value may hold quotes of its own.
		end := strings.LastIndexByte(m, '\'')
		if begin < 0 || end-begin <= quotedWidth {
			b.WriteString(m)
			return b.String()
		}
		if next := strings.IndexByte(m[begin+1:], '\''); next >= 0 && next < quotedWidth {
			end = begin + 1 + next
			b.WriteString(m[:end+1])
			m = m[end+1:]
			continue
		}
		b.WriteString(strings.ToValidUTF8(m[:begin+quotedWidth], "") + "...")
		m = m[end:]
	}
}

// asError finds the *Error in a chain.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
