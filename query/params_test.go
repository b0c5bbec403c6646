package query_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestParameters(t *testing.T) {
	got := query.Parameters(`SELECT $b, '$no', "$no", $$ $no $$, $A, $a -- $no
		/* $no */ FROM t WHERE x = $1 AND y = ?`)
	if want := []string{"b", "a", "1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBind(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	for _, c := range []struct{ name, sql, values, want string }{
		{"text", "SELECT $a || '!'", "a=it's", "it's!"},
		{"text with all that SQL knows", "SELECT $a", `a='; DROP TABLE x; -- $a ? $$ "`, `"'; DROP TABLE x; -- $a ? $$ """`},
		{"nothing", "SELECT $a = ''", "a=", "true"},
		{"beside quotes", "SELECT 'x'||$a||'y'", "a=v", "xvy"},
		{"twice, in any case", "SELECT $Name || $NAME", "name=a", "aa"},
		{"a number against a number", "SELECT count(*) FROM activities WHERE service = $s", "s=20893", "48"},
		{"a number against text stays text", "SELECT count(*) FROM activities WHERE user_name <> $u", "u=00123", "96"},
		{"and so does one that would fail as a number", "SELECT count(*) FROM activities WHERE user_name = $u", "u=7", "0"},
		{"a time against a time", "SELECT count(*) FROM activities WHERE timestamp >= $t", "t=2026-03-02", "48"},
		{"a limit", "SELECT service FROM activities ORDER BY service LIMIT $n", "n=1", "11161"},
		{"arithmetic", "SELECT $n + 1", "n=5", "6"},
		{"a negative number behind a minus", "SELECT 1 -$n", "n=-5", "6"},
		{"a fraction", "SELECT $n * 2", "n=1.5", "3.0"},
		{"a fraction beside whole numbers", "SELECT count(*) FROM activities WHERE service > $n", "n=20892.6", "48"},
		{"a fraction beside text", "SELECT count(*) FROM activities WHERE user_name > $n", "n=1.5", "96"},
		{"a number beside text and numbers", "SELECT count(*) FROM activities WHERE user_name = $n OR service = $n", "n=20893", "48"},
		{"in a list", "SELECT count(*) FROM activities WHERE service IN (1, $n)", "n=20893", "48"},
		{"a list", "SELECT count(*) FROM activities WHERE list_contains($l::VARCHAR[], user_name)", "l=[user1@example.com, x]", "20"},
		{"days", "SELECT DATE '2026-03-08' - to_days($days)", "days=7", "2026-03-01T00:00:00"},
		{"a date in arithmetic", "SELECT $d + 1", "d=2026-03-01", "2026-03-02"},
		{"a moment in arithmetic", "SELECT $d - INTERVAL 1 HOUR", "d=2026-03-01T00:30:00Z", "2026-02-28T23:30:00Z"},
		{"an interval", "SELECT TIMESTAMPTZ '2026-03-08 00:00:00Z' - $i", "i=7 days", "2026-03-01T00:00:00Z"},
		{"a series", "SELECT count(*) FROM range($n)", "n=4", "4"},
		{"true", "SELECT count(*) FROM activities WHERE is_success = $b", "b=true", "48"},
		{"text and number in one", "SELECT count(*) + $n FROM activities WHERE user_name <> $u AND date <= DATE '2026-03-01' + $m", "n=1 u=12 m=0", "49"},
		{"a function of the lake", "SELECT max(raw_text(raw, $p)) FROM activities", "p=$.x", "y9"},
		{"only what is asked for", "SELECT $a", "a=1 b=2", "1"},
		{"EXPLAIN", "EXPLAIN SELECT $n + 1", "n=1", ""},
		{"a PIVOT that finds its values", "SELECT count(*) FROM (PIVOT (SELECT service, user_name FROM activities WHERE service = $s) ON user_name USING count(*))", "s=20893", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var given []query.Parameter
			parts := strings.Split(c.values, " ")
			if strings.Count(c.values, "=") == 1 {
				parts = []string{c.values}
			}
			for _, p := range parts {
				name, value, _ := strings.Cut(p, "=")
				given = append(given, query.Parameter{Name: name, Value: value})
			}
			sql, _, err := e.Bind(t.Context(), c.sql, given)
			if err != nil {
				t.Fatal(err)
			}
			if got := csv(t, e, sql); c.want != "" && got != c.want {
				t.Errorf("%s\ngives %s, want %s", sql, got, c.want)
			}
		})
	}
	for _, c := range []struct{ name, sql, value, at, says string }{
		{"no value", "SELECT $b, $a", "b=1", "$a", "-p a=VALUE"},
		{"another name was meant", "SELECT $user", "users=1", "$user", `Did you mean "users"?`},
		{"no name", "SELECT ?", "b=1", "?", "write $name"},
		{"a zero byte", "SELECT $b", "b=a\x00", "$b", "zero byte"},
		{"not UTF-8", "SELECT $b", "b=\xff", "$b", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, _ := strings.Cut(c.value, "=")
			_, _, err := e.Bind(t.Context(), c.sql, []query.Parameter{{Name: name, Value: value}})
			var qe *query.Error
			if !errors.As(err, &qe) || qe.Kind != query.Names || qe.Position != strings.Index(c.sql, c.at) || !strings.Contains(qe.Explain(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// What does not bind either way is left to the statement, whose error is about
// the values as text.
func TestBindLeavesErrorsToTheStatement(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for _, q := range []string{"SELECT $n + nosuch FROM activities", "SELECT to_days($n, $n)", "SELECT count(*) FROM activities WHERE service = $n AND nosuch", "COPY (SELECT $n) TO 'x'", "SELECT $n FROM read_csv('/etc/passwd')", "SELEC $n"} {
		sql, _, err := e.Bind(t.Context(), q, []query.Parameter{{Name: "n", Value: "5"}})
		if err != nil || !strings.Contains(sql, "'5'") {
			t.Errorf("%s: %s, %v", q, sql, err)
		}
		if _, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{}); err == nil {
			t.Errorf("%s: runs", q)
		}
	}
}

func TestBindSaysWhatIsTakenAsText(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	for sql, want := range map[string]string{
		"SELECT $a < $b": "[a b]",
		"SELECT max(x) FROM (VALUES ($a), ($b)) t(x)":                 "[a b]",
		"SELECT $a::INT < $b::INT":                                    "[]",
		"SELECT count(*) FROM activities WHERE user_name = $a":        "[]",
		"SELECT count(*) FROM activities WHERE service = $a LIMIT $b": "[]",
		"SELECT $a + $b": "[]",
		"SELECT $c":      "[]",
	} {
		_, asText, err := e.Bind(t.Context(), sql, []query.Parameter{{Name: "a", Value: "10"}, {Name: "b", Value: "9"}, {Name: "c", Value: "x"}})
		if got := fmt.Sprint(asText); err != nil || got != want {
			t.Errorf("%s: %s, want %s (%v)", sql, got, want, err)
		}
	}
}
