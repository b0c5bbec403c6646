package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestHistoryKeepsEntriesOfManyLines(t *testing.T) {
	want := []string{"select 1;", "select a,\n\tb -- \"x\"\nfrom t where x < '\\' and y > '日本\u2028';", ".mode csv", "\r\n;", "\x1b[0m;"}
	var file []byte
	for _, e := range want {
		file = query.AppendHistory(file, e)
	}
	if n := strings.Count(string(file), "\n"); n != len(want) {
		t.Errorf("%d entries have %d lines", len(want), n)
	}
	if got, cut := query.DecodeHistory(file); !slices.Equal(got, want) || cut {
		t.Errorf("got %q (cut %v), want %q", got, cut, want)
	}
	// A crash in the middle of a line, and somebody who appends behind it.
	broken := append(slices.Clone(file), `"select 2`...)
	if got, cut := query.DecodeHistory(broken); !slices.Equal(got, want) || !cut {
		t.Errorf("a broken end: got %q (cut %v), want %q", got, cut, want)
	}
	broken = append([]byte("rubbish\n\xff\n{}\n\n"), file...)
	if got, _ := query.DecodeHistory(broken); !slices.Equal(got, want) {
		t.Errorf("a broken beginning: got %q, want %q", got, want)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var file []byte
	for i := range 3000 {
		file = query.AppendHistory(file, fmt.Sprintf("select %d;", i))
	}
	got, cut := query.DecodeHistory(file)
	if len(got) != 1000 || got[999] != "select 2999;" || !cut {
		t.Errorf("%d entries, the last %q (cut %v)", len(got), got[len(got)-1], cut)
	}
	file = nil
	for range 100 {
		file = query.AppendHistory(file, strings.Repeat("x", 60<<10))
	}
	if got, _ := query.DecodeHistory(file); len(got) != 17 {
		t.Errorf("%d entries of 60 KiB are kept, want 17: one MiB", len(got))
	}
}

func TestWhatIsRemembered(t *testing.T) {
	for entry, want := range map[string]bool{
		"select 1;": true, "": false, " \n": false, " select 1;": false, "select 2;": false, "\nselect 1;": true, strings.Repeat("x", 100<<10): false,
	} {
		if got := query.Remembered(entry, "select 2;"); got != want {
			t.Errorf("%.20q: %v, want %v", entry, got, want)
		}
	}
}
