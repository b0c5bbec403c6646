package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"mdcalake/query"
)

// history is what was typed in the prompt, kept for the next one in the user's
// state directory. It is private: a question says what is suspected.
type history struct {
	path    string // empty: nothing is kept
	entries []string
}

// historyPath is where the XDG rules put it; empty where no place is known.
func historyPath(getenv func(string) string) string {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // the rules: such a value is ignored
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "mdcalake", "history")
}

// openHistory reads what is there. An error leaves a history that is kept in
// memory alone.
func openHistory(path, lake string) (*history, error) {
	h := &history{}
	if path == "" {
		return h, nil
	}
	fail := func(err error) (*history, error) {
		return h, fmt.Errorf("keep the history in %s: %w", path, err)
	}
	// Before anything is made: a state directory may lie in the lake.
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			if within(real, lake) {
				return fail(errors.New("it lies in the lake, where nothing but records is stored"))
			}
			break
		}
		if dir == filepath.Dir(dir) {
			return fail(err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return fail(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, mostHistory))
	if err != nil {
		return fail(err)
	}
	var cut bool
	if h.entries, cut = query.DecodeHistory(data); cut {
		if err := rewriteHistory(path, h.entries); err != nil {
			return fail(err)
		}
	}
	h.path = path
	return h, nil
}

// mostHistory is far more than the bounds of the history let grow in one
// session.
const mostHistory = 64 << 20

func rewriteHistory(path string, entries []string) error {
	var data []byte
	for _, e := range entries {
		data = query.AppendHistory(data, e)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".history-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// add remembers an entry. What cannot be kept is remembered until the end.
func (h *history) add(entry string) error {
	last := ""
	if n := len(h.entries); n > 0 {
		last = h.entries[n-1]
	}
	if !query.Remembered(entry, last) {
		return nil
	}
	h.entries = append(h.entries, entry)
	if h.path == "" {
		return nil
	}
	err := h.keep(entry)
	if err != nil {
		err = fmt.Errorf("keep the history in %s: %w", h.path, err)
		h.path = "" // said once
	}
	return err
}

// keep appends in one write under a lock: several prompts share the file.
func (h *history) keep(entry string) error {
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err == nil {
		_, err = f.Write(query.AppendHistory(nil, entry))
	}
	return errors.Join(err, f.Close())
}

// The line editor's side of it, which only reads: the prompt itself says what
// is remembered.

func (h *history) Write(string) (int, error) { return len(h.entries), nil }

func (h *history) GetLine(i int) (string, error) {
	if i < 0 || i >= len(h.entries) {
		return "", fmt.Errorf("the history has no entry %d", i)
	}
	return h.entries[i], nil
}

func (h *history) Len() int { return len(h.entries) }

func (h *history) Dump() any { return h.entries }
