package query_test

import (
	"encoding/json"
	"strings"
	"testing"

	"mdcalake/query"
)

// Every type in its one form: in csv, and in JSON where that differs from the
// same in quotes.
var forms = []struct{ sql, text, json string }{
	{"true", "true", "true"},
	{"(-128)::TINYINT", "-128", "-128"},
	{"255::UTINYINT", "255", "255"},
	{"9007199254740992::BIGINT", "9007199254740992", "9007199254740992"},
	{"9007199254740993::BIGINT", "9007199254740993", `"9007199254740993"`},
	{"(-9223372036854775808)::BIGINT", "-9223372036854775808", `"-9223372036854775808"`},
	{"18446744073709551615::UBIGINT", "18446744073709551615", `"18446744073709551615"`},
	{"5::HUGEINT", "5", "5"},
	{"170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727", `"170141183460469231731687303715884105727"`},
	{"(-170141183460469231731687303715884105728)::HUGEINT", "-170141183460469231731687303715884105728", `"-170141183460469231731687303715884105728"`},
	{"340282366920938463463374607431768211455::UHUGEINT", "340282366920938463463374607431768211455", `"340282366920938463463374607431768211455"`},
	{"'-123456789012345678901234567890123456789012345'::BIGNUM", "-123456789012345678901234567890123456789012345", `"-123456789012345678901234567890123456789012345"`},
	{"'7'::BIGNUM", "7", "7"},
	{"'0'::BIGNUM", "0", "0"},
	{"1.50::DECIMAL(4,2)", "1.50", "1.50"},
	{"(-0.05)::DECIMAL(18,4)", "-0.0500", "-0.0500"},
	{"12345678901234567890.12::DECIMAL(38,2)", "12345678901234567890.12", `"12345678901234567890.12"`},
	{"1::DOUBLE", "1.0", "1.0"},
	{"0.1::DOUBLE", "0.1", "0.1"},
	{"1e300::DOUBLE", "1e+300", "1e+300"},
	{"0.1::FLOAT", "0.1", "0.1"},
	{"'-0'::DOUBLE", "-0.0", "-0.0"},
	{"'nan'::DOUBLE", "NaN", `"NaN"`},
	{"'inf'::DOUBLE", "Infinity", `"Infinity"`},
	{"'-inf'::FLOAT", "-Infinity", `"-Infinity"`},
	{"'text'", "text", ""},
	{"'a'::ENUM ('a', 'b')", "a", ""},
	{"'0b0e6b5e-7a1c-4e52-9a4e-0123456789ab'::UUID", "0b0e6b5e-7a1c-4e52-9a4e-0123456789ab", ""},
	{"'\\x00\\xFFa'::BLOB", "00ff61", ""},
	{"'0101100111'::BIT", "0101100111", ""},
	{"TIMESTAMPTZ '2026-03-01 01:02:03+00'", "2026-03-01T01:02:03Z", ""},
	{"TIMESTAMPTZ '2026-03-01 01:02:03.100+02'", "2026-02-28T23:02:03.100Z", ""},
	{"TIMESTAMPTZ '2026-03-01 01:02:03.000001+00'", "2026-03-01T01:02:03.000001Z", ""},
	{"TIMESTAMPTZ '1969-12-31 23:59:59.999+00'", "1969-12-31T23:59:59.999Z", ""},
	{"TIMESTAMPTZ 'infinity'", "infinity", ""},
	{"TIMESTAMP '-infinity'", "-infinity", ""},
	{"TIMESTAMP '2026-03-01 01:02:03'", "2026-03-01T01:02:03", ""},
	{"'2026-03-01 01:02:03'::TIMESTAMP_S", "2026-03-01T01:02:03", ""},
	{"'2026-03-01 01:02:03.5'::TIMESTAMP_MS", "2026-03-01T01:02:03.500", ""},
	{"'2026-03-01 01:02:03.000000001'::TIMESTAMP_NS", "2026-03-01T01:02:03.000000001", ""},
	{"TIMESTAMP '20000-02-29 00:00:00'", "+20000-02-29T00:00:00", ""},
	{"DATE '2024-02-29'", "2024-02-29", ""},
	{"DATE '0044-03-15 (BC)'", "-0043-03-15", ""},
	{"DATE 'infinity'", "infinity", ""},
	{"TIME '01:02:03.5'", "01:02:03.500", ""},
	{"INTERVAL '14 months 3 days 4 hours 5.5 seconds'", "1 year 2 months 3 days 04:00:05.500", ""},
	{"INTERVAL '0 seconds'", "00:00:00", ""},
	{"INTERVAL '-90 minutes'", "-01:30:00", ""},
	{"'{\"b\": 1 ,\"a\":12345678901234567890}'::JSON", `{"b": 1 ,"a":12345678901234567890}`, `{"b": 1 ,"a":12345678901234567890}`},
	{"[1, NULL, 3]", "[1,null,3]", "[1,null,3]"},
	{"[1, 2]::INTEGER[2]", "[1,2]", "[1,2]"},
	{"[]::VARCHAR[]", "[]", "[]"},
	{"{'b': 1, 'a': {'x': 'y\"'}}", `{"b":1,"a":{"x":"y\""}}`, `{"b":1,"a":{"x":"y\""}}`},
	{"row(1, 'a')", `{"":1,"_1":"a"}`, `{"":1,"_1":"a"}`},
	{"MAP {'k': 1, 'j': NULL}", `{"k":1,"j":null}`, `{"k":1,"j":null}`},
	{"MAP {DATE '2026-01-01': [1]}", `{"2026-01-01":[1]}`, `{"2026-01-01":[1]}`},
	{"union_value(num := 2)", "2", "2"},
	{"[union_value(a := 'x')::UNION(a VARCHAR, b INTEGER)]", `["x"]`, `["x"]`},
	{"[TIMESTAMPTZ '2026-03-01 00:00:00+00']", `["2026-03-01T00:00:00Z"]`, `["2026-03-01T00:00:00Z"]`},
	{"['nan'::DOUBLE, 1]", `["NaN",1.0]`, `["NaN",1.0]`},
	{"[340282366920938463463374607431768211455::UHUGEINT]", `["340282366920938463463374607431768211455"]`, `["340282366920938463463374607431768211455"]`},
	{"['101'::BIT]", `["101"]`, `["101"]`},
	{"['{\"a\":1}'::JSON]", `[{"a":1}]`, `[{"a":1}]`},
	{"['a'::ENUM ('a', 'b')]", `["a"]`, `["a"]`},
	{"['x'::BLOB]", `["78"]`, `["78"]`},
}

func TestEveryTypeHasOneForm(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	// One statement with a row of values and a row of NULLs, so that the whole
	// table costs one engine.
	var values, nulls []string
	for i, f := range forms {
		values = append(values, f.sql+" AS c"+string(rune('0'+i/10))+string(rune('0'+i%10)))
		nulls = append(nulls, "NULL")
	}
	sql := "SELECT " + strings.Join(values, ",\n") + " UNION ALL SELECT " + strings.Join(nulls, ", ")
	text, _ := answer(t, e, query.JSONL, sql, query.WriteOptions{})
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), text)
	}
	var row, null map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil {
		t.Fatalf("%v\n%s", err, lines[0])
	}
	if err := json.Unmarshal([]byte(lines[1]), &null); err != nil {
		t.Fatal(err)
	}
	for i, f := range forms {
		name := "c" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		want := f.json
		if want == "" {
			b, _ := json.Marshal(f.text)
			want = string(b)
		}
		if got := string(row[name]); got != want {
			t.Errorf("%s in JSON is %s, want %s", f.sql, got, want)
		}
		if string(null[name]) != "null" {
			t.Errorf("NULL of the type of %s in JSON is %s", f.sql, null[name])
		}
	}
	for _, f := range forms {
		out, _ := answer(t, e, query.CSV, "SELECT "+f.sql+" AS c", query.WriteOptions{NoHeader: true, RawCSV: true})
		want := f.text
		if strings.ContainsAny(want, ",\"\n") {
			want = `"` + strings.ReplaceAll(want, `"`, `""`) + `"`
		}
		if got := strings.TrimSuffix(out, "\n"); got != want {
			t.Errorf("%s in csv is %s, want %s", f.sql, got, want)
		}
		out, _ = answer(t, e, query.Table, "SELECT "+f.sql+" AS c", query.WriteOptions{NoHeader: true})
		if got := strings.TrimSuffix(strings.TrimRight(out, "\n"), "\n(1 row)"); strings.TrimSpace(got) != strings.TrimSpace(f.text) {
			t.Errorf("%s in a table is %q, want %q", f.sql, got, f.text)
		}
	}
}

func TestTypesThatWouldLoseSomethingAreRefused(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for _, sql := range []string{"SELECT 1::VARIANT AS v", "SELECT TIMETZ '12:00:00+02' AS v", "SELECT [{'a': 1::VARIANT}] AS v"} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), `column "v" has type`) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestRawComesOutByteForByte(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	const sql = "SELECT raw FROM activities WHERE starts_with(raw, '{\"z\"') LIMIT 1"
	out, _ := answer(t, e, query.JSON, sql, query.WriteOptions{})
	var rows []map[string]string
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 || rows[0]["raw"] != awkwardRaw {
		t.Errorf("json: %v\n%s", err, out)
	}
	out, _ = answer(t, e, query.JSONL, sql, query.WriteOptions{Terminal: true})
	if err := json.Unmarshal([]byte(out), &rows); err == nil {
		t.Errorf("jsonl is an array")
	}
	var row map[string]string
	if err := json.Unmarshal([]byte(out), &row); err != nil || row["raw"] != awkwardRaw {
		t.Errorf("jsonl on a terminal: %v\n%s", err, out)
	}
	out, _ = answer(t, e, query.CSV, sql, query.WriteOptions{NoHeader: true})
	if want := `"` + strings.ReplaceAll(awkwardRaw, `"`, `""`) + "\"\n"; out != want {
		t.Errorf("csv:\n%s\nwant\n%s", out, want)
	}
	// As JSON it is embedded, and nothing of it rewritten.
	out, _ = answer(t, e, query.JSONL, strings.Replace(sql, "SELECT raw", "SELECT raw::JSON AS raw", 1), query.WriteOptions{})
	if want := `{"raw":` + awkwardRaw + "}\n"; out != want {
		t.Errorf("json column:\n%s\nwant\n%s", out, want)
	}
}

func TestJSONOfDuckDBThatIsNoJSON(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	out, _ := answer(t, e, query.JSONL, "SELECT '{\"a\": NaN}'::JSON AS nan, E'{\"a\":\\n 1}'::JSON AS lines", query.WriteOptions{})
	if want := `{"nan":"{\"a\": NaN}","lines":{"a":1}}` + "\n"; out != want {
		t.Errorf("got %s\nwant %s", out, want)
	}
}
