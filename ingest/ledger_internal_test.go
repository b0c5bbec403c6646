package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestALedgersFilterNamesFieldsAndNobody(t *testing.T) {
	hash := func(value string) string { return hashed([]byte(value)) }
	for filter, want := range map[string]string{
		"": "",
		`{"user.username":{"eq":["ada@example.com"]}}`:          "user.username eq " + hash(`["ada@example.com"]`),
		` {"b" : {"isset":true}, "a":{"neq":[1.0],"eq":"x"} } `: "a eq " + hash(`"x"`) + "; a neq " + hash(`[1.0]`) + "; b isset " + hash("true"),
		`{"ip":{}}`:                    "ip " + hash("{}"),
		`{"ip":"192.0.2.1"}`:           "ip " + hash(`"192.0.2.1"`),
		`{"ip":null}`:                  "ip " + hash("null"),
		`{"ada@example.com":{"eq":1}}`: hash("ada@example.com") + " eq " + hash("1"),
		`{"user":{"Ada Lovelace":1}}`:  "user " + hash("Ada Lovelace") + " " + hash("1"),
		`{"a":{"eq":1},"a":{"eq":2}}`:  joined("a eq "+hash("1"), "a eq "+hash("2")),
	} {
		if have := ledgerFilter([]byte(filter)); have != want {
			t.Errorf("%s: %s, want %s", filter, have, want)
		}
	}
	if hash(`{"b": 1, "a": [ "x" ]}`) != hash(`{"a":["\u0078"],"b":1}`) || hash("1") == hash("1.0") {
		t.Error("the hash is of the value's text, whatever its spelling")
	}
}

func joined(a, b string) string {
	if a > b {
		a, b = b, a
	}
	return a + "; " + b
}

func TestALedgersReasonDoesNotRepeatWhatAFilterNamed(t *testing.T) {
	filtered := Window{Filter: []byte(`{"user.username":{"eq":["ada@example.com"]}}`)}
	for name, fault := range map[string]error{
		"status":    &StatusError{Status: 500, Text: "cannot look up ada@example.com", Tries: 3},
		"throttled": &ThrottledError{Text: "too many of ada@example.com", Tries: 3},
	} {
		err := fmt.Errorf("read page 2: %w", fault)
		if have := ledgerReason(filtered, err); strings.Contains(have, "ada") || !strings.Contains(have, "read page 2: ") || !strings.Contains(have, "(after 3 tries)") {
			t.Errorf("%s: %s", name, have)
		}
		if have := ledgerReason(Window{}, err); have != err.Error() {
			t.Errorf("%s: %s", name, have)
		}
	}
	long := ledgerReason(Window{}, errors.New(strings.Repeat("é", 1000)))
	if len(long) > 310 || !strings.HasSuffix(long, "é ...") {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}
