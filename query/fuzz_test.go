package query

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

func fuzzSeeds(f *testing.F) {
	for _, s := range []string{
		"SELECT 1", "explain (analyze, format json) select 1", "/* /* */ */ select $$;$$ -- x\n; copy x to 'y'", "FROM enable_logging()",
		"PIVOT t ON a, b USING sum(c)", "select E'\\'' || $a$;$a$ || \"a;\"\"b\"", "with x as (from read_csv('a')) select 1", "select 1e+5, .5, 0x1f, $1, ?",
		"EXPLAIN ANALYZE /* */ (select 1)", "select '\xff", "$", "$1$a$1$", "select\u00a01\u200b;", "explain (", "PIVOT (PIVOT t ON a) ON",
		"summarize from query('x')", "select [write_log(x) for x in [1]]", "describe 'x.csv'", "e'", "pivot ) on (", "select 1 -> 2 and 3",
	} {
		f.Add(s)
	}
}

// FuzzLexer: tokens are in order, whole and inside the text; statements are
// made of them; nothing panics.
func FuzzLexer(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		last := 0
		for _, tok := range lex(sql) {
			if tok.start < last || tok.end <= tok.start || tok.end > len(sql) {
				t.Fatalf("token %+v behind %d in %q", tok, last, sql)
			}
			last = tok.end
		}
		for _, s := range Split(sql) {
			if s.SQL == "" || sql[s.Offset:s.Offset+len(s.SQL)] != s.SQL {
				t.Fatalf("statement %+v of %q", s, sql)
			}
			if len(Split(s.SQL)) != 1 {
				t.Fatalf("statement %q is not one", s.SQL)
			}
		}
		prefix, body := splitExplain(sql)
		if !strings.HasSuffix(sql, body) || prefix != "" && !strings.HasPrefix(prefix, "EXPLAIN ") {
			t.Fatalf("%q is explained as %q and %q", sql, prefix, body)
		}
		filled, n := fillPivots(sql)
		if len(filled) != len(sql)+n*len(" IN ('x')") {
			t.Fatalf("%q is filled as %q", sql, filled)
		}
		bareArrow(sql)
		if utf8.ValidString(sql) {
			e := &Error{SQL: sql, Position: len(sql) / 2}
			_ = e.Explain() + e.Error()
		}
	})
}

// FuzzGuard: what passes the first two layers, DuckDB takes for one statement
// that reads, and it names no table function off the list.
func FuzzGuard(f *testing.F) {
	fuzzSeeds(f)
	in, err := openInstance(f.Context(), limits{spill: f.TempDir(), threads: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { in.close() })
	f.Fuzz(func(t *testing.T, sql string) {
		q, err := guard{in}.check(t.Context(), sql)
		if err != nil {
			var e *Error
			if errors.As(err, &e) && e.Message == "" {
				t.Fatalf("%q is refused without a word", sql)
			}
			return
		}
		var extracted bindings.ExtractedStatements
		n := int(bindings.ExtractStatements(in.handle, q.run, &extracted))
		defer bindings.DestroyExtracted(&extracted)
		if n != q.before+1 {
			t.Fatalf("%q passes, and is %d statements", sql, n)
		}
		text := strings.ToLower(q.run)
		tokens := lex(text)
		for i, tok := range tokens {
			name := strings.Trim(text[tok.start:tok.end], `"`)
			behind := i + 1
			if name == "enable_logging" && behind < len(tokens) && tokens[behind].is(text, "(") && i > 0 && (tokens[i-1].is(text, "from") || tokens[i-1].is(text, ",")) {
				t.Fatalf("%q passes", sql)
			}
		}
	})
}
