package query

import "strings"

// arrowHint is for the operator that binds weaker than people expect.
const arrowHint = "-> and ->> bind weaker than AND and =: write raw_text(raw, '$.a') or put parentheses around (raw->>'$.a')"

// hintFor adds what an error's own words do not say.
func hintFor(e *Error, sql string) string {
	if (e.Kind == Names || e.Kind == Runtime || e.Kind == Syntax) && bareArrow(sql) {
		return arrowHint
	}
	if e.Hint != "" {
		return e.Hint
	}
	if e.Kind == Names && strings.HasPrefix(e.Message, "Table with name") {
		return "the tables are " + strings.Join(tableNames(), ", ")
	}
	if hint := quoteHint(e, sql); hint != "" {
		return hint
	}
	for _, h := range wordedHints {
		if strings.Contains(e.Message, h.words) {
			return h.hint
		}
	}
	return ""
}

// wordedHints are for what people write who come from other dialects, by
// DuckDB's words about it.
var wordedHints = []struct{ words, hint string }{
	{"unterminated quoted string", "close the text with a single quote; two of them stand for one within"},
	{"must appear in the GROUP BY clause", "add GROUP BY ALL"},
	{"WHERE clause cannot contain aggregates", "put it behind HAVING, which comes after GROUP BY"},
	{`Cannot extract field`, `raw is text, raw_text(raw, '$.user.userName') looks into it; of a list such as objects, objects[1].name is of the first, and unnest(objects) makes a row of each`},
	{"Cannot mix values of type TIMESTAMP", "a time goes in single quotes: '2026-03-01'"},
	{"Cannot compare values of type TIMESTAMP", "a time goes in single quotes: '2026-03-01'"},
	{"Cannot mix values of type DATE", "a day goes in single quotes: '2026-03-01'"},
	{"Cannot compare values of type DATE", "a day goes in single quotes: '2026-03-01'"},
}

// quoteHint is for what stands at the place of an error: a text in the quotes
// of a name, an interval without its word, the LIMIT of another dialect.
func quoteHint(e *Error, sql string) string {
	tokens := lex(sql)
	for i, t := range tokens {
		if e.Kind == Syntax && t.kind == number && t.start < e.Position && e.Position < t.end {
			return "write INTERVAL " + sql[t.start:e.Position] + " DAY" // 7d
		}
		if t.start != e.Position {
			continue
		}
		here := sql[t.start:t.end]
		before := ""
		if i > 0 {
			before = sql[tokens[i-1].start:tokens[i-1].end]
		}
		switch {
		case e.Kind == Names && t.kind == quoted && strings.HasPrefix(e.Message, "Referenced column"):
			return "double quotes are for names; a text goes in single ones: '" + Visible(strings.Trim(here, `"`)) + "'"
		case e.Kind == Syntax && strings.EqualFold(before, "TOP"):
			return "write LIMIT " + here + " at the end"
		}
	}
	return ""
}

// callsHint tells how a function is called, from DuckDB's list of its forms.
func callsHint(list string) string {
	var forms []string
	for line := range strings.Lines(list) {
		form, _, ok := strings.Cut(strings.TrimSpace(line), " -> ")
		if ok && len(forms) < 3 {
			forms = append(forms, form)
		}
	}
	if len(forms) == 0 {
		return ""
	}
	return "it takes " + strings.Join(forms, " or ")
}

// bareArrow says whether -> or ->> stands beside AND, OR, NOT or a comparison
// in the same parentheses.
func bareArrow(sql string) bool {
	type level struct{ arrow, other bool }
	levels := []level{{}}
	for _, t := range lex(sql) {
		top := &levels[len(levels)-1]
		s := strings.ToUpper(sql[t.start:t.end])
		switch {
		case t.kind == operator && s == "(":
			levels = append(levels, level{})
			continue
		case t.kind == operator && s == ")":
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
			continue
		case t.kind == operator && (s == "->" || s == "->>"):
			top.arrow = true
		case t.kind == operator && (s == "=" || s == "<" || s == ">" || s == "!"):
			top.other = true
		case t.kind == word:
			switch s {
			case "AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS":
				top.other = true
			case "WHERE", "HAVING", "SELECT", "FROM", "QUALIFY", "ON":
				*top = level{}
			}
		case t.kind == semicolon:
			levels = []level{{}}
			continue
		}
		if top.arrow && top.other {
			return true
		}
	}
	return false
}
