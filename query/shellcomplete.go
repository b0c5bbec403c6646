package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Suggestion is one way to go on with a word.
type Suggestion struct {
	Text  string // in place of the word
	About string // what it is, for a person; may be empty
}

// Completion is what may stand at a place of an entry.
type Completion struct {
	Start int // where the word begins that is replaced, in bytes
	Items []Suggestion
	// Path says that the word is the name of a file: the caller knows the disk.
	Path bool
}

// mostSuggestions is more than anybody reads.
const mostSuggestions = 50

// completer is the instance that knows what there is. DuckDB's own completion
// is asked (sql_auto_complete): it parses up to the cursor, and so knows where
// a table may stand and where a column.
type completer struct {
	mu       sync.Mutex
	in       *instance
	tables   map[string][]knownColumn
	fields   map[string][]knownColumn // of columns that are structs or lists of them
	reserved map[string]bool          // words that are no names without quotes
	macros   map[string]bool          // functions of the lake's own
}

type knownColumn struct{ name, typ string }

// Complete says what may stand at the cursor, a byte of the entry. The first
// call is slower: it makes the tables.
func (e *Engine) Complete(ctx context.Context, entry string, cursor int, hunts []Hunt) (Completion, error) {
	cursor = min(max(cursor, 0), len(entry))
	begin, command, open := cursorAt(entry, cursor)
	if command {
		return completeCommand(entry[begin:cursor], begin, hunts), nil
	}
	c := &e.completing
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := e.openCompleter(ctx); err != nil {
		return Completion{}, err
	}
	if open {
		return Completion{Start: cursor}, nil // within a comment or a text
	}
	raw, err := c.ask(ctx, entry[begin:cursor])
	if err != nil {
		return Completion{}, err
	}
	end := len(entry)
	for _, t := range lex(entry[begin:]) {
		if t.kind == semicolon && begin+t.start >= cursor {
			end = begin + t.start
			break
		}
	}
	start, items := c.rank(raw, entry[begin:cursor], entry[begin:end])
	return Completion{Start: begin + start, Items: items}, nil
}

// openCompleter makes the instance: all tables, empty ones, and locked like any
// other. It costs a few hundredths of a second once.
func (e *Engine) openCompleter(ctx context.Context) error {
	c := &e.completing
	if c.in != nil {
		return nil
	}
	in, err := e.takeInstance(ctx)
	if err != nil {
		return err
	}
	everything := &question{tree: treeFacts{catalog: true, tables: map[string]bool{}}}
	err = e.furnish(ctx, in, everything, &Timing{})
	if err == nil {
		err = c.learn(ctx, in)
	}
	if err != nil {
		in.close()
		return fmt.Errorf("complete: %w", err)
	}
	c.in = in
	return nil
}

func (c *completer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return nil
	}
	defer func() { c.in = nil }()
	return c.in.close()
}

// learn reads the names that DuckDB's suggestions do not tell apart.
func (c *completer) learn(ctx context.Context, in *instance) error {
	c.tables, c.fields = map[string][]knownColumn{}, map[string][]knownColumn{}
	c.reserved, c.macros = map[string]bool{}, map[string]bool{}
	each := func(sql string, row func(a, b, c string)) error {
		rows, err := in.conn.QueryContext(ctx, sql)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var x, y, z string
			if err := rows.Scan(&x, &y, &z); err != nil {
				return err
			}
			row(x, y, z)
		}
		return rows.Err()
	}
	ours := tableNames()
	err := each("SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal AND schema_name = 'main' ORDER BY table_name, column_index", func(table, name, typ string) {
		if slices.Contains(ours, table) {
			if inner, isStruct := strings.CutPrefix(typ, "STRUCT("); isStruct {
				fields, list, _ := strings.Cut(inner, ")")
				typ = "STRUCT" + list
				c.fields[name] = nil
				for f := range strings.SplitSeq(fields, ", ") {
					field, its, _ := strings.Cut(f, " ")
					c.fields[name] = append(c.fields[name], knownColumn{strings.Trim(field, `"`), its})
				}
			}
			c.tables[table] = append(c.tables[table], knownColumn{name, typ})
		}
	})
	if err == nil {
		err = each("SELECT keyword_name, '', '' FROM duckdb_keywords() WHERE keyword_category IN ('reserved', 'type_function')", func(word, _, _ string) { c.reserved[word] = true })
	}
	if err == nil {
		err = each("SELECT DISTINCT function_name, '', '' FROM duckdb_functions() WHERE NOT internal", func(name, _, _ string) { c.macros[name] = true })
	}
	return err
}

// suggested is a suggestion of DuckDB's.
type suggested struct {
	text, kind string
	start      int
}

func (c *completer) ask(ctx context.Context, sql string) ([]suggested, error) {
	rows, err := c.in.conn.QueryContext(ctx, "SELECT suggestion, suggestion_start, suggestion_type FROM sql_auto_complete(?::VARCHAR)", sql)
	if err != nil {
		return nil, fmt.Errorf("complete: %w", err)
	}
	defer rows.Close()
	var out []suggested
	for rows.Next() {
		var s suggested
		if err := rows.Scan(&s.text, &s.start, &s.kind); err != nil {
			return nil, fmt.Errorf("complete: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// cursorAt finds the statement or command that the cursor stands in, and
// whether it stands in a comment or a text that has not ended.
func cursorAt(entry string, cursor int) (begin int, command, open bool) {
	entry = entry[:cursor]
	fresh := true
	for i := 0; i < len(entry); {
		if fresh && entry[i] == '.' && firstOnLine(entry, i) {
			k := strings.IndexAny(entry[i:], "\r\n")
			if k < 0 {
				return i, true, false
			}
			i += k
			begin = i
			continue
		}
		kind, end := next(entry, i)
		end = max(end, i+1)
		switch kind {
		case semicolon:
			begin, fresh = end, true
		case 0:
			if end == len(entry) && (entry[i] == '-' || entry[i] == '/') {
				return begin, false, true
			}
		case text:
			fresh = false
			// Were it closed, one more character would not be part of it.
			if _, more := next(entry+" ", i); more > len(entry) {
				return begin, false, true
			}
		default:
			fresh = false
		}
		i = end
	}
	return begin, false, false
}

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
			case quote:
			case s.kind == "keyword":
				if name != "(" && (!atStart || slices.Contains(readingWords, strings.ToLower(name))) {
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

// completeCommand completes a command of the prompt, which begins at a byte of
// the entry.
func completeCommand(line string, at int, hunts []Hunt) Completion {
	words := strings.Fields(line)
	blank := line != strings.TrimRight(line, " \t")
	c := Completion{Start: at + strings.LastIndexAny(line, " \t") + 1}
	if len(words) == 1 && !blank {
		for _, s := range commandSpecs {
			if strings.HasPrefix("."+s.name, strings.ToLower(words[0])) {
				text := "." + s.name
				if s.most > 0 {
					text += " "
				}
				c.Items = append(c.Items, Suggestion{text, s.about})
			}
		}
		return c
	}
	spec, err := findCommand(words[0])
	if err != nil {
		return c
	}
	typed := strings.ToLower(line[c.Start-at:])
	offer := func(name, about string) {
		if strings.HasPrefix(strings.ToLower(name), typed) {
			c.Items = append(c.Items, Suggestion{name, about})
		}
	}
	switch spec.name {
	case "help":
		for _, s := range commandSpecs {
			offer(s.name, s.about)
		}
	case "mode":
		for _, f := range Formats() {
			offer(f, "")
		}
	case "timer":
		offer("on", "")
		offer("off", "")
	case "schema":
		for _, t := range tableNames() {
			offer(t, "table")
		}
	case "hunts":
		for _, h := range hunts {
			offer(h.Name, h.About)
		}
	case "read", "output":
		// A name with blanks is one word, perhaps in quotes.
		rest := strings.TrimLeft(line[len(words[0]):], " \t")
		c.Start, c.Path = at+len(line)-len(rest), true
	}
	return c
}
