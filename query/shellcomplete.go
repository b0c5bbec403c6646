package query

import (
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
	in, err := openInstance(ctx, e.limits) // the warm one is the next statement's
	if err != nil {
		return err
	}
	everything := &question{tree: treeFacts{catalog: true, tables: map[string]bool{}}}
	err = e.furnish(ctx, in, everything)
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
