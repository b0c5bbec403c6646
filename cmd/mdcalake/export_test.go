package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An export that is told to stop leaves neither a copy nor what it was to
// become.
func TestInterruptedExportLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.jsonl"), []byte(`{"_id":"a","timestamp":1795089600000}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := mdcalake(t, dir, nil, "import", "one.jsonl"); code != exitDone {
		t.Fatal(errs)
	}
	endless := "exists (select 1 from range(1000000000) a(x), range(1000000000) b(y) where x * y = -1)"
	for _, out := range []string{"copy", "copy.csv"} {
		place := t.TempDir()
		cmd := command(dir, nil, "export", "--where", endless, "--out", filepath.Join(place, out))
		var said, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		begun := false
		for deadline := time.Now().Add(time.Minute); !begun && time.Now().Before(deadline); runtime.Gosched() {
			hidden, err := filepath.Glob(filepath.Join(place, ".mdcalake-out-*"))
			begun = err == nil && len(hidden) > 0
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // its exit code tells
		if code := cmd.ProcessState.ExitCode(); !begun || code != exitInterrupted || said.Len() > 0 || !strings.HasPrefix(errs.String(), "mdcalake: ") {
			t.Errorf("%s: begun %v, exit code %d, stdout %q, stderr %q", out, begun, code, said.String(), errs.String())
		}
		if left, err := os.ReadDir(place); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v (%v)", out, left, err)
		}
	}
}
