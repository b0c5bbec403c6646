package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhereTheHistoryLies(t *testing.T) {
	for _, c := range []struct{ state, home, want string }{
		{"", "/home/ada", "/home/ada/.local/state/mdcalake/history"},
		{"/var/state", "/home/ada", "/var/state/mdcalake/history"},
		{"relative", "/home/ada", "/home/ada/.local/state/mdcalake/history"}, // to be ignored, the rules say
		{"", "", ""},
		{"", "relative", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": c.state, "HOME": c.home}
		if got := historyPath(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("XDG_STATE_HOME=%q HOME=%q: %q, want %q", c.state, c.home, got, c.want)
		}
	}
}

func TestTheHistoryIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "mdcalake", "history")
	lake := t.TempDir()
	a, err := openHistory(path, lake)
	if err != nil {
		t.Fatal(err)
	}
	b, err := openHistory(path, lake)
	if err != nil {
		t.Fatal(err)
	}
	for h, entry := range map[*history]string{a: "select 1\nfrom a;", b: "select 2;"} {
		if err := h.add(entry); err != nil {
			t.Error(err)
		}
		h.add(entry)        // twice in a row is once
		h.add(" select 3;") // not to be kept
	}
	os.Chmod(path, 0o644) // somebody's umask
	c, err := openHistory(path, lake)
	if err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(c.entries))
	if !slices.Equal(got, []string{"select 1\nfrom a;", "select 2;"}) {
		t.Errorf("kept: %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v (%v), want a private file", info.Mode(), err)
	}
}

// A history that cannot be kept is one for the session, and nothing is made in
// the lake for it.
func TestAHistoryThatCannotBeKept(t *testing.T) {
	lake := t.TempDir()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(lake, link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(lake, "mdcalake", "history"):           "it lies in the lake",
		filepath.Join(link, "a", "b", "mdcalake", "history"): "it lies in the lake",
		filepath.Join(file, "mdcalake", "history"):           "not a directory",
		"": "",
	} {
		h, err := openHistory(path, lake)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if err := h.add("select 1;"); err != nil || h.Len() != 1 {
			t.Errorf("%s: %d entries in memory (%v)", path, h.Len(), err)
		}
	}
	if entries, err := os.ReadDir(lake); err != nil || len(entries) > 0 {
		t.Errorf("made in the lake: %v (%v)", entries, err)
	}
}
