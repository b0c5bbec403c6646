package query_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"mdcalake/query"
)

// Functions of texts see every row once, NULL as an empty text, and answer what
// they answer, however long it is.
func TestTextFunctions(t *testing.T) {
	lake := newLake(t, t.TempDir(), 10)
	var calls atomic.Int64
	functions := []query.TextFunction{
		{Name: "twice", Arguments: 1, Call: func(of []string) (string, error) { calls.Add(1); return of[0] + of[0], nil }},
		{Name: "joined", Arguments: 3, Call: func(of []string) (string, error) { return strings.Join(of, "|"), nil }},
		{Name: "fails", Arguments: 1, Call: func(of []string) (string, error) { return "", errors.New("no " + of[0]) }},
	}
	e, err := query.Open(context.Background(), query.Options{Snapshot: lake, TempDir: t.TempDir(), Functions: functions})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for sql, want := range map[string]string{
		"SELECT twice('ab'), twice(''), twice(NULL), length(twice(repeat('x', 10000)))":                                                           "abab,\"\",\"\",20000\n",
		"SELECT joined('é', NULL, 'c'), joined(chr(0), 'b', '') = chr(0) || '|b|'":                                                                "é||c,true\n",
		"SELECT count(*), sum(length(twice(i::VARCHAR))) FROM range(5000) AS t(i)":                                                                "5000,37780\n",
		"SELECT string_agg(DISTINCT twice(CASE WHEN i % 3 = 0 THEN NULL ELSE (i % 3)::VARCHAR END), '') FROM range(5000) AS t(i) WHERE i % 3 = 1": "11\n",
	} {
		got, _, err := tryAnswer(context.Background(), e, query.CSV, sql, query.WriteOptions{NoHeader: true})
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", sql, got, err, want)
		}
	}
	calls.Store(0)
	if _, _, err := tryAnswer(context.Background(), e, query.CSV, "SELECT * FROM (SELECT twice(i::VARCHAR) AS t FROM range(5000) AS r(i)) WHERE t <> '11'", query.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 5000 {
		t.Errorf("it was called %d times for 5000 rows", calls.Load())
	}
	if _, _, err := tryAnswer(context.Background(), e, query.CSV, "SELECT fails('way')", query.WriteOptions{}); err == nil || !strings.Contains(err.Error(), "no way") {
		t.Errorf("its own error is told as %v", err)
	}
	other, err := query.Open(context.Background(), query.Options{Snapshot: lake, TempDir: t.TempDir(), Functions: []query.TextFunction{{Name: "ip_in", Arguments: 1, Call: functions[0].Call}}})
	if err == nil {
		other.Close()
		t.Error("a function took the name of another one")
	}
}
