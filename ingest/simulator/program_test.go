package simulator_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// What is no file, such as /dev/null, is written to and stays what it is.
func TestAPipeIsWrittenToAndStaysOne(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skip(err)
	}
	read := make(chan []byte)
	go func() {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			close(read)
			return
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			t.Error(err)
		}
		read <- text
	}()
	end := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := simulator.Options{Count: 20, End: end, Clock: func() time.Time { return end.AddDate(0, 1, 0) }} // all is saved
	p := simulator.Program{Options: o, NDJSONFile: name, WriteOnly: true}
	if err := p.Run(t.Context(), io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(<-read, []byte("\n")); lines != 20 {
		t.Errorf("%d lines came through the pipe, want 20", lines)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("the pipe is %v now (%v)", info, err)
	}
}
