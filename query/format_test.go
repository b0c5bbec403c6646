package query_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestParseFormat(t *testing.T) {
	for _, name := range query.Formats() {
		f, err := query.ParseFormat(strings.ToUpper(name))
		if err != nil || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := query.ParseFormat("xlsx"); err == nil || !strings.Contains(err.Error(), "choose one of table, box, csv") {
		t.Errorf("xlsx: %v", err)
	}
}

func TestFormatOfFile(t *testing.T) {
	for name, want := range map[string]query.Format{
		"a.csv": query.CSV, "a.TSV": query.TSV, "dir/a.json": query.JSON, "a.ndjson": query.JSONL, "a.jsonl": query.JSONL, "a.md": query.Markdown,
		"a.parquet": query.Parquet, "a.arrow": query.Arrow, "a.arrows": query.Arrow, "a.txt": query.Table,
	} {
		if f, ok := query.FormatOfFile(name); !ok || f != want {
			t.Errorf("%s is %v (%v), want %v", name, f, ok, want)
		}
	}
	for _, name := range []string{"a", "csv", ".", "a.csv.gz", "a.xlsx", ""} {
		if f, ok := query.FormatOfFile(name); ok {
			t.Errorf("%q is %v", name, f)
		}
	}
}

func TestTable(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, c := range []struct {
		name, sql string
		o         query.WriteOptions
		want      string
	}{
		{"numbers to the right, NULL as a word", "SELECT * FROM (VALUES ('ab', 1.5, 10), (NULL, NULL, 2000)) t(a, b, long)", query.WriteOptions{}, `
a        b  long
----  ----  ----
ab     1.5    10
NULL  NULL  2000
(2 rows)
`},
		{"NULL is dim where colour is", "SELECT NULL::VARCHAR AS a", query.WriteOptions{Color: true}, "\n\x1b[1ma\n\x1b[0m----\n\x1b[2mNULL\x1b[0m\n(1 row)\n"},
		{"no rows", "SELECT 1 AS a WHERE false", query.WriteOptions{}, "\na\n-\n(0 rows)\n"},
		{"no header", "SELECT 1 AS a", query.WriteOptions{NoHeader: true}, "\n1\n(1 row)\n"},
		{"times and numbers are never cut", "SELECT TIMESTAMPTZ '2026-11-20 12:00:00Z' AS t, repeat('a', 50) AS a, 1234567890123 AS n", query.WriteOptions{Width: 40, NoHeader: true}, `
2026-11-20T12:00:00Z  aaaa…  1234567890123
(1 row)
`},
		{"wide characters count twice", "SELECT * FROM (VALUES ('日本', 1), ('x', 2), ('😀', 3), ('é', 4)) t(a, b)", query.WriteOptions{}, `
a     b
----  -
日本  1
x     2
😀    3
é     4
(4 rows)
`},
		{"what acts on a terminal is shown", `SELECT E'a\x1b[31mb' AS a, E'x\ny\tz' AS b, chr(8238) || 'exe' AS c, 'a' || chr(8203) AS d, chr(155) AS e`, query.WriteOptions{}, `
a             b              c            d          e
------------  -------------  -----------  ---------  ------
a\u{1b}[31mb  x\u{a}y\u{9}z  \u{202e}exe  a\u{200b}  \u{9b}
(1 row)
`},
		{"cut to the width of a terminal", "SELECT repeat('a', 50) AS a, repeat('b', 5) AS b, repeat('c', 30) AS c", query.WriteOptions{Width: 30}, `
a           b      c
----------  -----  ----------
aaaaaaaaa…  bbbbb  ccccccccc…
(1 row)
`},
		{"not cut for a file", "SELECT repeat('a', 200) AS a", query.WriteOptions{NoHeader: true}, "\n" + strings.Repeat("a", 200) + "\n(1 row)\n"},
		{"some of the rows", "SELECT range AS a FROM range(1234)", query.WriteOptions{MaxRows: 2, NoHeader: true}, "\n0\n1\n(2 of 1,234 rows)\n"},
		{"some of very many rows", "SELECT range AS a FROM range(1_000_000_000)", query.WriteOptions{MaxRows: 1, NoHeader: true}, "\n0\n(1 of more than 100,352 rows)\n"},
		{"two columns of a name", "SELECT 1 AS a, 2 AS a", query.WriteOptions{}, "\na  a\n-  -\n1  2\n(1 row)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := answer(t, e, query.Table, c.sql, c.o)
			if want := c.want[1:]; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want[1:])
			}
		})
	}
}

func TestTableKeepsItsWidthsBehindTheFirstRows(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const q = "SELECT CASE WHEN range = 2500 THEN repeat('x', 300) ELSE 'abcdef' END AS a, range AS b FROM range(3000)"
	out, _ := answer(t, e, query.Table, q, query.WriteOptions{Width: 80})
	for i, line := range strings.Split(out, "\n") {
		if len([]rune(line)) > 80 {
			t.Fatalf("line %d is %d long: %s", i, len(line), line)
		}
	}
	if !strings.Contains(out, "xxxxx…") {
		t.Error("the long cell is not cut")
	}
	out, _ = answer(t, e, query.Table, q, query.WriteOptions{})
	if !strings.Contains(out, strings.Repeat("x", 300)) {
		t.Error("the long cell is cut although nobody asked")
	}
}

func TestExplainIsADrawing(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for _, q := range []string{"EXPLAIN SELECT count(*) FROM activities", "EXPLAIN ANALYZE SELECT count(*) FROM activities"} {
		out, _ := answer(t, e, query.Table, q, query.WriteOptions{Width: 40})
		if !strings.Contains(out, "│") || strings.Contains(out, `\u{a}`) || strings.Contains(out, "rows)") {
			t.Errorf("%s\n%s", q, out)
		}
	}
}

func TestCSV(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const formulas = `SELECT * FROM (VALUES ('=1+1'), ('+4512345'), ('-x'), ('@sum'), (E'\tx'), (E'\rx'), ('a=b'), ('"=x"'), ('')) t("=head")`
	for _, c := range []struct {
		name, sql   string
		o           query.WriteOptions
		want        string
		neutralised int64
	}{
		{"NULL and empty differ", "SELECT NULL AS a, '' AS b, ' c' AS c, 'd,\"e\"' AS d, E'f\ng' AS e", query.WriteOptions{}, "a,b,c,d,e\n,\"\",\" c\",\"d,\"\"e\"\"\",\"f\ng\"\n", 0},
		{"the header alone", "SELECT 1 AS a, 2 AS b WHERE false", query.WriteOptions{}, "a,b\n", 0},
		{"nothing at all", "SELECT 1 AS a WHERE false", query.WriteOptions{NoHeader: true}, "", 0},
		{"formulas", formulas, query.WriteOptions{}, "'=head\n'=1+1\n'+4512345\n'-x\n'@sum\n'\tx\n\"'\rx\"\na=b\n\"\"\"=x\"\"\"\n\"\"\n", 7},
		{"formulas behind what is not seen, and wide ones", "SELECT chr(65279) || '=1' UNION ALL SELECT chr(8203) || '@a' UNION ALL SELECT chr(65309) || '1' UNION ALL SELECT chr(65279) || 'x' UNION ALL SELECT chr(8203) || 'x'",
			query.WriteOptions{NoHeader: true}, "'\ufeff=1\n'\u200b@a\n'\uff1d1\n'\ufeffx\n\u200bx\n", 4},
		{"formulas as they are", formulas, query.WriteOptions{RawCSV: true, NoHeader: true}, "=1+1\n+4512345\n-x\n@sum\n\tx\n\"\rx\"\na=b\n\"\"\"=x\"\"\"\n\"\"\n", 0},
		{"numbers are no formulas", "SELECT -1 AS a, -1.5::DOUBLE AS b", query.WriteOptions{NoHeader: true}, "-1,-1.5\n", 0},
		{"on a terminal", `SELECT E'\x1b[2Jx' AS a`, query.WriteOptions{NoHeader: true, Terminal: true}, "\\u{1b}[2Jx\n", 0},
		{"in a file", `SELECT E'\x1b[2Jx' AS a`, query.WriteOptions{NoHeader: true}, "\x1b[2Jx\n", 0},
		{"some of the rows", "SELECT * FROM range(10)", query.WriteOptions{NoHeader: true, MaxRows: 2}, "0\n1\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, res := answer(t, e, query.CSV, c.sql, c.o)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if res.Neutralised != c.neutralised {
				t.Errorf("%d cells neutralised, want %d", res.Neutralised, c.neutralised)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, c := range []struct {
		name, sql string
		f         query.Format
		o         query.WriteOptions
		want      string
	}{
		{"an empty array", "SELECT 1 AS a WHERE false", query.JSON, query.WriteOptions{}, "[]\n"},
		{"no lines", "SELECT 1 AS a WHERE false", query.JSONL, query.WriteOptions{}, ""},
		{"an array", "SELECT * FROM range(2)", query.JSON, query.WriteOptions{}, "[\n{\"range\":0},\n{\"range\":1}\n]\n"},
		{"lines", "SELECT * FROM range(2)", query.JSONL, query.WriteOptions{}, "{\"range\":0}\n{\"range\":1}\n"},
		{"names that repeat", `SELECT 1 AS a, 2 AS a, 3 AS "A", 4 AS a_1, 5 AS "b""c"`, query.JSONL, query.WriteOptions{}, `{"a":1,"a_2":2,"A_3":3,"a_1":4,"b\"c":5}` + "\n"},
		{"some of the rows", "SELECT * FROM range(9)", query.JSON, query.WriteOptions{MaxRows: 1}, "[\n{\"range\":0}\n]\n"},
		{"on a terminal", `SELECT E'\x1b' || chr(155) || chr(8238) || chr(917505) || '😀' AS a`, query.JSONL, query.WriteOptions{Terminal: true}, `{"a":"\u001b\u009b\u202e\udb40\udc01😀"}` + "\n"},
		{"in a file", `SELECT chr(8238) || '😀' AS a`, query.JSONL, query.WriteOptions{}, "{\"a\":\"\u202e😀\"}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := answer(t, e, c.f, c.sql, c.o)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestParquet(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	read := func(t *testing.T, data, sqlText string) (got string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "out.parquet")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("duckdb", "")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("SELECT (" + strings.ReplaceAll(sqlText, "FILE", sqlString(path)) + ")::VARCHAR").Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	t.Run("the lake's columns keep their types and values", func(t *testing.T) {
		out, res := answer(t, e, query.Parquet, "SELECT * FROM activities ORDER BY timestamp, service", query.WriteOptions{})
		if res.Rows != 96 {
			t.Errorf("%d rows", res.Rows)
		}
		want := csv(t, e, "SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE activities)")
		got := read(t, out, "SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE FROM read_parquet(FILE))")
		if want = strings.ReplaceAll(strings.Trim(want, `"`), `""`, `"`); want != got {
			t.Errorf("types\n%s\nwant\n%s", got, want)
		}
		again := read(t, out, "SELECT md5(string_agg(x::VARCHAR, ';' ORDER BY activity_id)) FROM read_parquet(FILE) x")
		direct := csv(t, e, "SELECT md5(string_agg(x::VARCHAR, ';' ORDER BY activity_id)) FROM activities x")
		if again != direct {
			t.Errorf("values differ: %s, %s", again, direct)
		}
	})
	t.Run("what Parquet has no type for is text", func(t *testing.T) {
		out, _ := answer(t, e, query.Parquet, `SELECT 1 AS a, 2 AS A, INTERVAL 1 DAY AS i, '101'::BIT AS b, union_value(n := 5) AS u, 'x'::ENUM ('x') AS e,
			['x'::ENUM ('x')] AS l, row(1, 2) AS r, 5::UHUGEINT AS h, 1.25 AS d, 7::HUGEINT AS hi, MAP {'a': 1} AS m, '{"a":1}'::JSON AS j, NULL AS n,
			'0b0e6b5e-7a1c-4e52-9a4e-0123456789ab'::UUID AS uu, [1, 2]::INTEGER[2] AS ar, TIME '01:00:00' AS ti, {'x': [INTERVAL 1 DAY]} AS deep`, query.WriteOptions{})
		got := read(t, out, "SELECT to_json(x) FROM read_parquet(FILE) x")
		want := `{"a":1,"A_1":2,"i":"1 day","b":"101","u":"5","e":"x","l":"[\"x\"]","r":"{\"\":1,\"_1\":2}","h":"5","d":1.25,"hi":7,"m":{"a":1},"j":"{\"a\":1}","n":null,"uu":"0b0e6b5e-7a1c-4e52-9a4e-0123456789ab","ar":[1,2],"ti":"01:00:00","deep":"{\"x\":[\"1 day\"]}"}`
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("no rows", func(t *testing.T) {
		out, _ := answer(t, e, query.Parquet, "SELECT * FROM activities WHERE false", query.WriteOptions{})
		if got := read(t, out, "SELECT count(*) FROM read_parquet(FILE)"); got != "0" {
			t.Errorf("%s rows", got)
		}
	})
	t.Run("several row groups, cut at MaxRows", func(t *testing.T) {
		out, _ := answer(t, e, query.Parquet, "SELECT * FROM range(400_000)", query.WriteOptions{MaxRows: 300_001})
		got := read(t, out, "SELECT count(*) || ' ' || sum(range) || ' ' || (SELECT count(DISTINCT row_group_id) FROM parquet_metadata(FILE)) FROM read_parquet(FILE)")
		if got != "300001 45000150000 3" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("not on a terminal", func(t *testing.T) {
		_, _, err := tryAnswer(t.Context(), e, query.Parquet, "SELECT 1", query.WriteOptions{Terminal: true})
		if err == nil || !strings.Contains(err.Error(), "name a file") {
			t.Errorf("%v", err)
		}
	})
}

type failingWriter struct{ left int }

var errFull = errors.New("no space left")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestAFullDiskIsToldInEveryFormat(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, name := range query.Formats() {
		f, _ := query.ParseFormat(name)
		const q = "SELECT range, md5(range::VARCHAR) AS u FROM range(130_000)"
		whole, _ := answer(t, e, f, q, query.WriteOptions{})
		// Of parquet a row group ends in the middle as well.
		for _, room := range []int{0, 100_000, len(whole) / 2, len(whole) - 1000} {
			rows, err := e.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := query.Write(t.Context(), &failingWriter{left: room}, f, rows, query.WriteOptions{}); !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d: %v", name, room, err)
			}
			rows.Close()
		}
	}
}

func TestOutputIsTheSameTwice(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	for _, name := range query.Formats() {
		f, _ := query.ParseFormat(name)
		const q = "SELECT * FROM activities ORDER BY activity_id"
		a, _ := answer(t, e, f, q, query.WriteOptions{})
		b, _ := answer(t, e, f, q, query.WriteOptions{})
		if !bytes.Equal([]byte(a), []byte(b)) {
			t.Errorf("%s differs", name)
		}
		if f == query.JSON && !json.Valid([]byte(a)) {
			t.Error("json is no JSON")
		}
	}
}
