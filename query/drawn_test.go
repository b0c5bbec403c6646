package query_test

import (
	"strings"
	"testing"

	"mdcalake/query"
)

// The formats for people besides the table.
func TestDrawn(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, c := range []struct {
		name string
		f    query.Format
		sql  string
		o    query.WriteOptions
		want string
	}{
		{"box", query.Box, "SELECT * FROM (VALUES ('ab', 1.5, 10), (NULL, NULL, 2000)) t(a, b, long)", query.WriteOptions{}, `
┌──────┬──────┬──────┐
│ a    │    b │ long │
├──────┼──────┼──────┤
│ ab   │  1.5 │   10 │
│ NULL │ NULL │ 2000 │
└──────┴──────┴──────┘
(2 rows)
`},
		{"box without rows", query.Box, "SELECT 1 AS a WHERE false", query.WriteOptions{}, `
┌───┐
│ a │
├───┤
└───┘
(0 rows)
`},
		{"box without names", query.Box, "SELECT '日本' AS a, '' AS b, NULL::VARCHAR AS c", query.WriteOptions{NoHeader: true}, `
┌──────┬───┬──────┐
│ 日本 │   │ NULL │
└──────┴───┴──────┘
(1 row)
`},
		{"box cut to a terminal and to some rows", query.Box, "SELECT repeat('a', 50) AS a, range AS n FROM range(2000)", query.WriteOptions{Width: 20, MaxRows: 1}, `
┌──────────────┬───┐
│ a            │ n │
├──────────────┼───┤
│ aaaaaaaaaaa… │ 0 │
└──────────────┴───┘
(1 of 2,000 rows)
`},
		{"box shows what hides", query.Box, `SELECT E'\x1b[31m\n' || chr(8238) AS a`, query.WriteOptions{NoHeader: true}, `
┌─────────────────────────┐
│ \u{1b}[31m\u{a}\u{202e} │
└─────────────────────────┘
(1 row)
`},
		{"markdown", query.Markdown, "SELECT 'a_b@x.example' AS name, 5 AS n, NULL AS \"no|thing\"", query.WriteOptions{}, `
| name | n | no\|thing |
| --- | ---: | ---: |
| a_b@x.example | 5 | NULL |
`},
		{"markdown without names or rows", query.Markdown, "SELECT 1 AS a WHERE false", query.WriteOptions{NoHeader: true}, "\n"},
		{"markdown without rows", query.Markdown, "SELECT 1 AS a WHERE false", query.WriteOptions{}, "\n| a |\n| ---: |\n"},
		{"markdown of some rows", query.Markdown, "SELECT 'x' AS a FROM range(3)", query.WriteOptions{NoHeader: true, MaxRows: 1}, "\n| x |\n\n(1 of 3 rows)\n"},
		{"markdown runs and loads nothing", query.Markdown, `SELECT * FROM (VALUES ('<img src=x>'), ('![a](http://x.example/b)'), ('a|b\c'), ('*b* _i_ a_b __init__ ~~s~~'), (E'two\r\nlines'),
			(chr(27) || chr(8238) || 'x'), ('&lt; ' || chr(96) || 'c' || chr(96)), ('$\sqrt$')) t(a)`, query.WriteOptions{NoHeader: true}, "\n" +
			`| \<img src=x\> |` + "\n" +
			`| !\[a\](http://x.example/b) |` + "\n" +
			`| a\|b\\c |` + "\n" +
			`| \*b\* \_i\_ a_b \_\_init\_\_ \~\~s\~\~ |` + "\n" +
			`| two<br>lines |` + "\n" +
			`| \\u{1b}\\u{202e}x |` + "\n" +
			`| \&lt; ` + "\\`c\\`" + ` |` + "\n" +
			`| \$\\sqrt\$ |` + "\n"},
		{"markdown of lists", query.Markdown, "SELECT ['a', NULL] AS l", query.WriteOptions{NoHeader: true}, "\n" + `| \["a",null\] |` + "\n"},
		{"line", query.Line, "SELECT 1 AS n, NULL AS nothing, [1] AS \"日本\" UNION ALL SELECT 2, NULL, []", query.WriteOptions{}, `
      n = 1
nothing = NULL
   日本 = [1]

      n = 2
nothing = NULL
   日本 = []
`},
		{"line of a text of lines", query.Line, `SELECT E'one\nuser = eve\x1b[2J' AS text, '' AS user`, query.WriteOptions{}, `
text = one
       user = eve\u{1b}[2J
user = ` + `
`},
		{"line without rows", query.Line, "SELECT 1 AS a WHERE false", query.WriteOptions{}, "\n(0 rows)\n"},
		{"line of some rows", query.Line, "SELECT 1 AS a FROM range(9)", query.WriteOptions{MaxRows: 1}, "\na = 1\n\n(1 of 9 rows)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := answer(t, e, c.f, c.sql, c.o)
			if want := c.want[1:]; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestExplainIsADrawingInEveryFormatForPeople(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, f := range []query.Format{query.Table, query.Box, query.Markdown, query.Line} {
		out, _ := answer(t, e, f, "EXPLAIN SELECT 1", query.WriteOptions{Width: 40})
		if !strings.Contains(out, "└──") || strings.Contains(out, `\u{a}`) || strings.Contains(out, "rows)") || strings.Contains(out, "explain_key") {
			t.Errorf("%v\n%s", f, out)
		}
		if f == query.Markdown && !(strings.HasPrefix(out, "```\n") && strings.HasSuffix(out, "```\n")) {
			t.Errorf("no fences:\n%s", out)
		}
	}
}

func TestTSV(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const formulas = `SELECT * FROM (VALUES ('=1+1'), ('+1'), ('-x'), ('@s'), (E'\t=x'), (E'\r=x'), ('a=b')) t("=head")`
	for _, c := range []struct {
		name, sql   string
		o           query.WriteOptions
		want        string
		neutralised int64
	}{
		{"NULL and empty differ", `SELECT NULL AS a, '' AS b, 'x' AS c`, query.WriteOptions{}, "a\tb\tc\n\\N\t\tx\n", 0},
		{"a line stays a line", `SELECT E'a\tb\nc\rd' AS x, 'CONTOSO\ada' AS y, 'say "hi", x' AS z, '\N' AS n`, query.WriteOptions{NoHeader: true}, `a\tb\nc\rd` + "\t" + `CONTOSO\\ada` + "\t" + `say "hi", x` + "\t" + `\\N` + "\n", 0},
		{"the names alone", "SELECT 1 AS a, 2 AS \"b\tc\" WHERE false", query.WriteOptions{}, "a\tb\\tc\n", 0},
		{"formulas", formulas, query.WriteOptions{}, "'=head\n'=1+1\n'+1\n'-x\n'@s\n\\t=x\n\\r=x\na=b\n", 5},
		{"formulas as they are", formulas, query.WriteOptions{RawCSV: true, NoHeader: true}, "=1+1\n+1\n-x\n@s\n\\t=x\n\\r=x\na=b\n", 0},
		{"numbers and times are no formulas", "SELECT -1 AS a, INTERVAL '-90 minutes' AS b, TIMESTAMP '-infinity' AS c", query.WriteOptions{NoHeader: true}, "-1\t-01:30:00\t-infinity\n", 0},
		{"on a terminal", `SELECT E'\x1b[2J\tx' || chr(8238) AS a`, query.WriteOptions{NoHeader: true, Terminal: true}, `\u{1b}[2J\tx\u{202e}` + "\n", 0},
		{"in a file", `SELECT E'\x1b[2J' || chr(8238) AS a`, query.WriteOptions{NoHeader: true}, "\x1b[2J\u202e\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, res := answer(t, e, query.TSV, c.sql, c.o)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if res.Neutralised != c.neutralised {
				t.Errorf("%d cells neutralised, want %d", res.Neutralised, c.neutralised)
			}
		})
	}
}
