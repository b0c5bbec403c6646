package query

import "strings"

// arrowHint is for the operator that binds weaker than people expect.
const arrowHint = "-> and ->> bind weaker than AND and =: write raw_text(raw, '$.a') or put parentheses around (raw->>'$.a')"

// hintFor adds what an error's own words do not say.
func hintFor(e *Error, sql string) string {
	if e.Hint != "" {
		return e.Hint
	}
	if (e.Kind == Names || e.Kind == Runtime || e.Kind == Syntax) && bareArrow(sql) {
		return arrowHint
	}
	if e.Kind == Names && strings.HasPrefix(e.Message, "Table with name") {
		return "the tables are " + strings.Join(tableNames(), ", ")
	}
	return ""
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
