package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWhatAKilledProcessLeftGoes(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gone := []string{file(outPrefix+"1", 0o600), filepath.Join(dir, outPrefix+"2")}
	if err := os.MkdirAll(filepath.Join(gone[1], "date=2026-01-01"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(gone[1], old, old); err != nil {
		t.Fatal(err)
	}
	held := file(outPrefix+"held", 0o600)
	f, err := os.Open(held)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := hold(f); err != nil {
		t.Fatal(err)
	}
	fresh := file(outPrefix+"fresh", 0o600)
	if err := os.Chtimes(fresh, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	target := file("target", 0o600)
	link := filepath.Join(dir, outPrefix+"link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	stays := []string{held, fresh, target, link, file(outPrefix+"shared", 0o644), file("mine.csv", 0o600)}

	o, err := newOutput(console{}, "--out", filepath.Join(dir, "answer.csv"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stays = append(stays, o.file.Name())
	for _, path := range gone {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	for _, path := range stays {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	// Its own is held, however long it takes.
	if err := os.Chtimes(o.file.Name(), old, old); err != nil {
		t.Fatal(err)
	}
	sweepOutputs(dir)
	if _, err := os.Lstat(o.file.Name()); err != nil {
		t.Error(err)
	}
	o.discard()
}
