package query

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The guard lets reading statements through. DuckDB's settings alone leave the
// lake writable: COPY may overwrite a file that it may read, a SELECT may
// switch on logging to files, EXPLAIN ANALYZE runs what it explains. So:
//
//	1  our lexer takes off EXPLAIN, DuckDB parses the rest to a tree and
//	   binds nothing; only what has such a tree is a reading statement
//	2  the tree: table functions from a list, no function with an effect, no
//	   table name that is a file                              (tree.go)
//	3  prepared, it is one statement, of type SELECT or EXPLAIN  (stream.go)
//	4  only the chosen files are open, settings are locked       (instance.go)
//
// What runs is, byte for byte, what was parsed in 1, behind an EXPLAIN that we
// write ourselves. Were our lexer wrong about something, the guard would
// refuse too much.

// question is a statement that passed layers 1 and 2.
type question struct {
	sql     string // as it was given
	run     string // what runs
	plan    string // the same as DuckDB can plan it: without EXPLAIN, every PIVOT with values
	shift   int    // a position in run plus shift is one in sql
	before  int    // how many types DuckDB makes first (PIVOT without IN)
	explain bool
	tree    treeFacts
}

// reads says whether the statement may read the table.
func (q *question) reads(table string) bool { return q.tree.reads(table) }

// check is layers 1 and 2.
func (g guard) check(ctx context.Context, sql string) (*question, error) {
	q := &question{sql: sql}
	if i := strings.IndexByte(sql, 0); i >= 0 {
		// DuckDB would see the text end there, once here and once not.
		return nil, q.refuse(i, "the statement holds a zero byte", "remove it")
	}
	if !utf8.ValidString(sql) {
		return nil, q.refuse(invalidAt(sql), "the statement is not UTF-8", "save the file as UTF-8")
	}
	statements := Split(sql)
	if len(statements) == 0 {
		return nil, &Error{Kind: Syntax, SQL: sql, Position: -1, Message: "there is no statement", Hint: "for example: select count(*) from activities"}
	}
	if len(statements) > 1 {
		return nil, q.refuse(statements[1].Offset, fmt.Sprintf("there are %d statements in one text, and one is answered at a time", len(statements)), "ask them one by one")
	}
	q.run, q.shift = statements[0].SQL, statements[0].Offset
	prefix, body := splitExplain(q.run)
	q.explain = prefix != ""
	q.plan = body
	bodyAt := len(q.run) - len(body)

	tree, perr, err := g.parse(ctx, body)
	if err != nil {
		return nil, err
	}
	if perr != nil && perr.notSelect() && mayHoldPivot(body) {
		// Perhaps a PIVOT whose values DuckDB looks up itself: then the same
		// with made-up values has a tree.
		if filled, n := fillPivots(body); n > 0 {
			copied, cerr, err := g.parse(ctx, filled)
			if err != nil {
				return nil, err
			}
			if cerr != nil {
				return nil, q.refuse(q.shift+bodyAt, "this PIVOT cannot be checked", "write its values: PIVOT ... ON column IN ('a', 'b')")
			}
			if err := q.checkTree(copied, bodyAt); err != nil {
				return nil, err
			}
			q.plan = filled
			if q.explain {
				// DuckDB answers EXPLAIN of the original with nothing at all.
				q.run = padTo(prefix, bodyAt) + filled
				return q, nil
			}
			q.before = n
			return q, nil
		}
	}
	if perr != nil {
		return nil, q.parseError(perr, body, bodyAt)
	}
	if err := q.checkTree(tree, bodyAt); err != nil {
		return nil, err
	}
	if q.explain {
		q.run = padTo(prefix, bodyAt) + body
	}
	return q, nil
}

// guard asks DuckDB for the tree of a statement.
type guard struct{ in *instance }

// parseFailure is the other answer of json_serialize_sql.
type parseFailure struct {
	Error    bool              `json:"error"`
	Type     string            `json:"error_type"`
	Message  string            `json:"error_message"`
	Subtype  string            `json:"error_subtype"`
	Position string            `json:"position"`
	Trees    []json.RawMessage `json:"statements"`
}

// notSelect: it has been parsed, and has no tree.
func (p *parseFailure) notSelect() bool { return p.Type == "not implemented" }

// parse makes the tree of exactly one statement. The text goes in as a bound
// value: nothing of it is bound or run.
func (g guard) parse(ctx context.Context, sql string) (tree any, failed *parseFailure, err error) {
	var answer string
	err = g.in.conn.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", sql).Scan(&answer)
	if err != nil {
		return nil, nil, err
	}
	var p parseFailure
	if err := json.Unmarshal([]byte(answer), &p); err != nil {
		return nil, &parseFailure{Error: true, Type: "not implemented", Message: "its tree cannot be read"}, nil
	}
	if p.Error {
		return nil, &p, nil
	}
	if len(p.Trees) != 1 {
		return nil, &parseFailure{Error: true, Type: "not implemented", Message: "it is not one statement"}, nil
	}
	d := json.NewDecoder(strings.NewReader(string(p.Trees[0])))
	d.UseNumber() // positions may be 2^64-1
	if err := d.Decode(&tree); err != nil {
		return nil, &parseFailure{Error: true, Type: "not implemented", Message: "its tree cannot be read"}, nil
	}
	return tree, nil, nil
}

func (q *question) checkTree(tree any, bodyAt int) error {
	facts, bad := inspect(tree)
	if bad != nil {
		at := -1
		// Behind made-up values of a PIVOT positions mean nothing.
		if bad.position >= 0 && bodyAt+bad.position < len(q.run) {
			at = q.shift + bodyAt + bad.position
		}
		e := q.refuse(at, bad.what, bad.hint)
		if bad.hint == rangeHint {
			e.Kind = Names
		}
		return e
	}
	q.tree = facts
	return nil
}

func (q *question) parseError(p *parseFailure, body string, bodyAt int) error {
	if p.notSelect() {
		what, hint := refusalOf(body)
		return q.refuse(q.shift+bodyAt, what, hint)
	}
	text, _ := json.Marshal(engineError{Type: "Parser", Message: p.Message, Subtype: p.Subtype, Position: p.Position})
	e := newEngineError(string(text), q.sql, q.shift+bodyAt)
	e.Hint = hintFor(e, q.sql)
	return e
}

func (q *question) refuse(at int, what, hint string) *Error {
	return &Error{Kind: Refused, SQL: q.sql, Position: at, Message: what, Hint: hint}
}

// refusalOf says why a statement that is no question is refused, by its first
// word.
func refusalOf(sql string) (what, hint string) {
	tokens := lex(sql)
	if len(tokens) == 0 {
		return "there is nothing to explain", "write a SELECT behind EXPLAIN"
	}
	first := strings.ToUpper(sql[tokens[0].start:tokens[0].end])
	switch first {
	case "COPY", "EXPORT":
		return first + " writes files, and a query only reads", "choose where the answer goes with -o and --out"
	case "IMPORT":
		return "IMPORT runs statements from files, and a query only reads the lake", "load records with mdcalake import"
	case "CREATE", "ALTER", "DROP", "COMMENT":
		return first + " changes what there is, and a query only reads", "name a part of a question with WITH name AS (...)"
	case "INSERT", "UPDATE", "DELETE", "TRUNCATE", "MERGE":
		return first + " changes data, and a query only reads", "records come with mdcalake ingest or import and go with mdcalake purge"
	case "SET", "RESET", "USE":
		return first + " changes settings, which are fixed", "see the flags of mdcalake query"
	case "PRAGMA", "CALL":
		return first + " may change settings or files, and a query only reads", "DESCRIBE, SHOW TABLES and duckdb_columns() tell what there is"
	case "ATTACH", "DETACH":
		return first + " opens other databases, and a query reads the lake alone", "export what you need with -o parquet and join it elsewhere"
	case "INSTALL", "LOAD", "FORCE":
		return first + " loads code into the program, which is never done", ""
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "ABORT", "END":
		return first + " is not needed: a query sees one version of the lake", "leave it out"
	case "PREPARE", "EXECUTE", "DEALLOCATE":
		return first + " is not needed here", "write the statement itself"
	case "EXPLAIN":
		return "EXPLAIN cannot be explained", "write EXPLAIN once"
	}
	return first + " is not a statement that reads, and a query only reads", "begin with SELECT, FROM, WITH, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN"
}

// splitExplain takes EXPLAIN and its options off a statement and writes them
// anew. What it does not know stays with the body, where DuckDB then refuses
// it.
func splitExplain(sql string) (prefix, body string) {
	tokens := lex(sql)
	at := func(i int, s string) bool { return i < len(tokens) && tokens[i].is(sql, s) }
	rest := func(i int) string {
		if i < len(tokens) {
			return sql[tokens[i].start:]
		}
		return ""
	}
	if !at(0, "EXPLAIN") {
		return "", sql
	}
	switch {
	case at(1, "ANALYZE"), at(1, "ANALYSE"):
		return "EXPLAIN ANALYZE ", rest(2)
	case at(1, "("):
		options, n := explainOptions(sql, tokens[2:])
		if n > 0 {
			return "EXPLAIN (" + options + ") ", rest(2 + n)
		}
	}
	return "EXPLAIN ", rest(1)
}

// explainOptions reads `ANALYZE, FORMAT json)` and counts its tokens; 0 when
// it is something else, as in EXPLAIN (SELECT 1).
func explainOptions(sql string, tokens []token) (options string, n int) {
	var parts []string
	for i := 0; i < len(tokens); {
		var part string
		switch {
		case tokens[i].is(sql, "ANALYZE"), tokens[i].is(sql, "ANALYSE"):
			part, i = "ANALYZE", i+1
		case tokens[i].is(sql, "FORMAT") && i+1 < len(tokens) && tokens[i+1].kind == word:
			part, i = "FORMAT "+sql[tokens[i+1].start:tokens[i+1].end], i+2
		default:
			return "", 0
		}
		parts = append(parts, part)
		if i >= len(tokens) {
			return "", 0
		}
		if tokens[i].is(sql, ")") {
			return strings.Join(parts, ", "), i + 1
		}
		if !tokens[i].is(sql, ",") {
			return "", 0
		}
		i++
	}
	return "", 0
}

// mayHoldPivot: only what begins like a question may be one in two parts.
func mayHoldPivot(sql string) bool {
	tokens := lex(sql)
	for _, w := range []string{"SELECT", "FROM", "WITH", "PIVOT", "PIVOT_WIDER", "SUMMARIZE", "DESCRIBE", "("} {
		if len(tokens) > 0 && tokens[0].is(sql, w) {
			return true
		}
	}
	return false
}

// padTo fills with blanks, so that positions behind a shortened prefix stay
// what they were.
func padTo(s string, n int) string {
	if len(s) >= n {
		return s
	}
	return s + strings.Repeat(" ", n-len(s))
}

func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return 0
}

// Explains says whether a statement begins with EXPLAIN.
func Explains(sql string) bool {
	prefix, _ := splitExplain(sql)
	return prefix != ""
}
