package query

import (
	"slices"
	"strings"
)

// PIVOT t ON column, without IN, is two statements to DuckDB: it first makes a
// type of the values that occur. Such a pair has no tree. fillPivots writes
// the copy that has one, with IN ('x') behind each column; the copy is
// checked, and the original runs.

// fillPivots returns the copy, and how many values it made up.
func fillPivots(sql string) (filled string, n int) {
	tokens := lex(sql)
	var at []int // where to put them
	for i, t := range tokens {
		if t.is(sql, "PIVOT") || t.is(sql, "PIVOT_WIDER") {
			at = append(at, pivotColumns(sql, tokens[i+1:])...)
		}
	}
	slices.Sort(at) // the columns of a PIVOT within another come first
	var b strings.Builder
	last := 0
	for _, p := range at {
		b.WriteString(sql[last:p])
		b.WriteString(" IN ('x')")
		last = p
		n++
	}
	b.WriteString(sql[last:])
	return b.String(), n
}

// pivotColumns finds the ends of the columns behind ON that have no IN, from
// the first token behind PIVOT.
func pivotColumns(sql string, tokens []token) (ends []int) {
	depth, inOn, hasIn, lastEnd := 0, false, false, 0
	finish := func() {
		if inOn && !hasIn && lastEnd > 0 {
			ends = append(ends, lastEnd)
		}
		hasIn, lastEnd = false, 0
	}
	for _, t := range tokens {
		if t.kind == semicolon {
			break
		}
		switch {
		case t.is(sql, "("), t.is(sql, "["), t.is(sql, "{"):
			depth++
		case t.is(sql, ")"), t.is(sql, "]"), t.is(sql, "}"):
			depth--
			if depth < 0 { // the end of the subquery that holds the PIVOT
				finish()
				return ends
			}
		}
		if depth > 0 || t.is(sql, ")") || t.is(sql, "]") || t.is(sql, "}") {
			if inOn {
				lastEnd = t.end
			}
			continue
		}
		switch {
		case t.is(sql, "ON"):
			// The last ON counts: one before it belonged to a join.
			ends, inOn, hasIn, lastEnd = nil, true, false, 0
		case !inOn:
		case t.is(sql, ","):
			finish()
		case t.is(sql, "IN"):
			hasIn = true
		case endsPivotColumns(sql, t):
			finish()
			return ends
		default:
			lastEnd = t.end
		}
	}
	finish()
	return ends
}

func endsPivotColumns(sql string, t token) bool {
	for _, w := range []string{"USING", "GROUP", "ORDER", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "WHERE", "QUALIFY", "WINDOW", "HAVING", "SELECT"} {
		if t.is(sql, w) {
			return true
		}
	}
	return false
}
