package query_test

import (
	"errors"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestErrorsSayWhere(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for _, c := range []struct {
		sql  string
		kind query.Kind
		want string
	}{
		{"selec 1", query.Syntax, "syntax error at or near \"selec\"\nLINE 1: selec 1\n        ^"},
		{"select 1,\n  from", query.Syntax, "syntax error at end of input\nLINE 2:   from\n              ^"},
		{"-- a comment\nselect\n\tusr_name from activities", query.Names,
			"Referenced column \"usr_name\" not found in FROM clause\nLINE 3:  usr_name from activities\n         ^\nDid you mean \"user_name\""},
		{"select '日本', nope", query.Names, "Referenced column \"nope\" was not found because the FROM clause is missing\nLINE 1: select '日本', nope\n                       ^"},
		{"select * from activitie", query.Names,
			"Table with name activitie does not exist\nLINE 1: select * from activitie\n                      ^\nDid you mean \"activities\"?\nHint: the tables are activities, revisions, quarantine, runs, coverage"},
		{"EXPLAIN ANALYZE /* x */ select * from activities where sevice = 1", query.Names,
			"Referenced column \"sevice\" not found in FROM clause\nLINE 1: EXPLAIN ANALYZE /* x */ select * from activities where sevice = 1\n                                                               ^\nDid you mean \"service\""},
		{"select 'abc'::int", query.Runtime, "Could not convert string 'abc' to INT32\nLINE 1: select 'abc'::int\n                    ^"},
		{"select count(*) from activities where service = 20893 and raw->>'$.x' = 'y1'", query.Runtime, "Could not convert string '{"},
		{"select raw_text(raw, '$.x') = 'y1' and 1 = 'a' from activities", query.Runtime, "Could not convert string 'a' to INT32"},
		{"select " + strings.Repeat("x", 200) + ", nope", query.Names, ""},
		{"select counted(1, 'file')", query.Names, "Macro counted() does not support the supplied arguments. You might need to add explicit type casts; Candidate macros: counted(n, one, many)\nLINE 1: "},
		{"select * from activities limit -1", query.Names, "LIMIT/OFFSET cannot be negative"},
		{"", query.Syntax, "there is no statement\nHint: for example: select count(*) from activities"},
		{"COPY runs TO 'x'", query.Refused, "COPY writes files, and a query only reads\nLINE 1: COPY runs TO 'x'\n        ^\nHint: choose where the answer goes with -o and --out"},
	} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, c.sql, query.WriteOptions{})
		var qe *query.Error
		if !errors.As(err, &qe) {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if qe.Kind != c.kind {
			t.Errorf("%s\n kind is %v, want %v (%s)", c.sql, qe.Kind, c.kind, qe.Message)
		}
		// Names that are equally near come in any order: only the first is compared.
		if got := qe.Explain(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.sql, got, c.want)
		}
	}
}

// What people write who come from other dialects gets a word on how it is done
// here.
func TestHintsForHabits(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for sql, want := range map[string]string{
		`select 1 from activities where user_name = "bob@contoso.example"`:  "a text goes in single ones: 'bob@contoso.example'",
		`select 1 from activities where user_name = 'bob`:                   "close the text with a single quote",
		`select user_name, count(*) from activities`:                        "GROUP BY ALL",
		`select user_name from activities where count(*) > 3 group by 1`:    "HAVING",
		`select raw.user.userName from activities`:                          "raw_text(raw, '$.user.userName')",
		`select objects.name from activities`:                               "unnest(objects)",
		`from activities where timestamp between 2026-03-01 and 2026-03-02`: "'2026-03-01'",
		`from activities where timestamp > now() - 7d`:                      "INTERVAL 7 DAY",
		`select top 10 * from activities`:                                   "LIMIT 10 at the end",
		`select substr(user_name) from activities`:                          "it takes substr(VARCHAR, BIGINT, BIGINT) or substr(VARCHAR, BIGINT)",
		`select lowr(user_name) from activities`:                            `Did you mean "lower"?`,
		`select objects[1].nam from activities`:                             `Did you mean "name"`,
		`select b.user_name from activities a`:                              `Did you mean "a"?`,
	} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		var qe *query.Error
		if !errors.As(err, &qe) {
			t.Errorf("%s: %v", sql, err)
		} else if got := qe.Explain(); !strings.Contains(got, want) {
			t.Errorf("%s\n%s\n does not say %q", sql, got, want)
		}
	}
}

func TestValuesInMessagesAreCut(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for sql, want := range map[string]string{
		`select (repeat('x', 300) || 'it''s')::int from range(3) where range > random()`: "Could not convert string '" + strings.Repeat("x", 79) + "...' to INT32",
		`select 'it''s'::int`: "Could not convert string 'it's' to INT32",
	} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		var qe *query.Error
		if !errors.As(err, &qe) || !strings.HasPrefix(qe.Message, want) {
			t.Errorf("%s\n got %v\nwant %s", sql, err, want)
		}
	}
}

func TestArrowHint(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for sql, want := range map[string]bool{
		"select count(*) from activities where service = 20893 and raw->>'$.x' = 'y1'":    true,
		"select count(*) from activities where raw->>'$.x' = 'y1' and nope = 1":           true,
		"select count(*) from activities where (raw->>'$.x') = 'y1' and nope = 1":         false,
		"select raw->>'$.x', nope from activities where service = 1":                      false,
		"select count(*) from activities where raw_text(raw, '$.x') = '->>' and nope = 1": false,
	} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		var qe *query.Error
		if !errors.As(err, &qe) {
			t.Errorf("%s: %v", sql, err)
		} else if got := strings.Contains(qe.Hint, "parentheses"); got != want {
			t.Errorf("%s\n hint is %q", sql, qe.Hint)
		}
	}
}

// TestErrorsAreOneCleanLine: what a record holds may end up in a message.
func TestErrorsAreOneCleanLine(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	_, _, err := tryAnswer(t.Context(), e, query.CSV, `SELECT (E'\x1b[2J\n' || repeat('x', 5000))::INTEGER FROM range(3) WHERE range > random()`, query.WriteOptions{})
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 600 || !strings.Contains(err.Error(), `\u{1b}`) {
		t.Errorf("%q", err)
	}
}
