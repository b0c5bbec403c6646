package query

import (
	"cmp"
	"slices"
	"strings"
)

// The order of suggestions: what lies in the tables that are asked first.
const (
	rankAsked = iota // columns of the tables that the statement names
	rankMacro
	rankTable
	rankColumn // of other tables
	rankKeyword
	rankFunction
)

// rank chooses and orders. before ends at the cursor, whole goes on behind it.
func (c *completer) rank(raw []suggested, before, whole string) (start int, items []Suggestion) {
	tokens := lex(before)
	start = len(before)
	if n := len(tokens); n > 0 && tokens[n-1].end == len(before) && (tokens[n-1].kind == word || tokens[n-1].kind == quoted) {
		start = tokens[n-1].start
		tokens = tokens[:n-1]
	}
	typed := before[start:]
	quote := strings.HasPrefix(typed, `"`)
	prefix := strings.ToLower(strings.Trim(typed, `"`))
	asked, aliases := c.tablesOf(whole)

	type ranked struct {
		Suggestion
		rank, at int
	}
	var found []ranked
	seen := map[string]bool{}
	add := func(rank int, name, text, about string) {
		if seen[strings.ToLower(name)] || !strings.HasPrefix(strings.ToLower(name), prefix) || len(found) > 10*mostSuggestions {
			return
		}
		seen[strings.ToLower(name)] = true
		found = append(found, ranked{Suggestion{text, about}, rank, len(found)})
	}
	addColumns := func(rank int, table string) {
		for _, k := range c.tables[table] {
			add(rank, k.name, c.name(k.name, quote), k.typ+", "+table)
		}
	}

	if n := len(tokens); n > 0 && tokens[n-1].is(before, ".") {
		// Behind a dot stands a part of what is before it.
		owner := ""
		if n > 1 {
			owner = strings.ToLower(strings.Trim(before[tokens[n-2].start:tokens[n-2].end], `"`))
		}
		switch table := aliases[owner]; {
		case table != "":
			addColumns(rankAsked, table)
		default:
			if owner == "]" {
				owner = listBefore(before, tokens[:n-1])
			}
			for _, f := range c.fields[owner] {
				add(rankAsked, f.name, c.name(f.name, quote), f.typ+", "+owner)
			}
		}
	} else {
		kinds := map[string]bool{}
		atStart := startsStatement(before, tokens)
		for _, s := range raw {
			kinds[s.kind] = true
		}
		// Where DuckDB understands nothing (a slip before the cursor), all names.
		lost := len(raw) == 0
		if kinds["column"] || lost {
			for _, t := range asked {
				addColumns(rankAsked, t)
			}
			if len(asked) == 0 {
				addColumns(rankAsked, "activities")
			}
			for _, t := range tableNames() {
				addColumns(rankColumn, t)
			}
		}
		if kinds["table"] || lost {
			for _, t := range tableNames() {
				add(rankTable, t, c.name(t, quote), "table")
			}
		}
		for _, s := range raw {
			name := strings.Trim(s.text, `" `)
			switch _, isTable := tableFunctions[name]; {
			case quote, name == "":
			case s.kind == "keyword":
				// Operators are keywords to it as well, and quicker typed.
				if isWordStart(rune(name[0])) && (!atStart || slices.Contains(readingWords, strings.ToLower(name))) {
					add(rankKeyword, name, name+" ", "")
				}
			case s.kind == "scalar_function" && c.macros[name]:
				add(rankMacro, name, name+"(", "function of the lake")
			case s.kind == "scalar_function" && deniedFunctions[name] == "":
				add(rankFunction, name, name+"(", "function")
			case (s.kind == "table" || s.kind == "table_function") && isTable:
				add(rankFunction, name, name+"(", "table function")
			case s.kind == "type":
				add(rankFunction, name, s.text, "type")
			}
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.at, b.at))
	})
	for _, f := range found[:min(len(found), mostSuggestions)] {
		items = append(items, f.Suggestion)
	}
	return start, items
}

// readingWords may begin a statement here; DuckDB's suggestions hold those
// that are refused as well.
var readingWords = []string{"select", "from", "with", "values", "table", "pivot", "unpivot", "describe", "desc", "show", "summarize", "explain"}

func startsStatement(sql string, tokens []token) bool {
	switch len(tokens) {
	case 0:
		return true
	case 1:
		return tokens[0].is(sql, "EXPLAIN")
	case 2:
		return tokens[0].is(sql, "EXPLAIN") && tokens[1].is(sql, "ANALYZE")
	}
	return false
}

// tablesOf are the lake's tables that a statement names, in its order, and what
// names stand for them there.
func (c *completer) tablesOf(sql string) (asked []string, aliases map[string]string) {
	aliases = map[string]string{}
	tokens := lex(sql)
	name := func(i int) string {
		if i < len(tokens) && (tokens[i].kind == word || tokens[i].kind == quoted) {
			return strings.ToLower(strings.Trim(sql[tokens[i].start:tokens[i].end], `"`))
		}
		return ""
	}
	for i := range tokens {
		table := name(i)
		if c.tables[table] == nil || i > 0 && tokens[i-1].is(sql, ".") || !behindFrom(sql, tokens[:i]) {
			continue
		}
		if !slices.Contains(asked, table) {
			asked = append(asked, table)
		}
		aliases[table] = table
		alias := name(i + 1)
		if alias == "as" {
			alias = name(i + 2)
		}
		if alias != "" && !c.reserved[alias] {
			aliases[alias] = table
		}
	}
	return asked, aliases
}

// behindFrom says whether a table may stand behind these tokens: a column may
// have the name of one.
func behindFrom(sql string, tokens []token) bool {
	for i := len(tokens) - 1; i >= 0; i-- {
		t := tokens[i]
		for _, w := range []string{"FROM", "JOIN", "DESCRIBE", "DESC", "SUMMARIZE", "PIVOT", "UNPIVOT", "TABLE", "SHOW"} {
			if t.is(sql, w) {
				return true
			}
		}
		// What lies between the names of a list: FROM activities a, runs r.
		if t.kind != word && t.kind != quoted && !t.is(sql, ",") && !t.is(sql, "(") {
			return false
		}
		for _, w := range []string{"SELECT", "WHERE", "ON", "USING", "BY", "HAVING", "AND", "OR"} {
			if t.is(sql, w) {
				return false
			}
		}
	}
	return false
}

// listBefore is the name of the list that the bracket belongs to which the
// tokens end with: objects in objects[1].
func listBefore(sql string, tokens []token) string {
	for i := len(tokens) - 1; i > 0; i-- {
		if tokens[i].is(sql, "[") {
			return strings.ToLower(strings.Trim(sql[tokens[i-1].start:tokens[i-1].end], `"`))
		}
	}
	return ""
}

// name writes a name as SQL takes it.
func (c *completer) name(name string, quote bool) string {
	if quote || c.reserved[name] {
		return quoteName(name)
	}
	return name
}
