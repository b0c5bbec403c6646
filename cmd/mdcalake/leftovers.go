package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// outPrefix begins the name of what an answer or a copy is written to until it
// is whole. A process holds a lock on its own; one without was left by a process
// that was killed.
const outPrefix = ".mdcalake-out-"

// outGrace is far longer than it takes to lock what was made.
const outGrace = time.Minute

// hold locks a file or directory of ours for as long as it is open.
func hold(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// sweepOutputs removes from a directory what killed processes of this person
// left there: a part of the evidence that nobody would look for. It is a
// courtesy: what goes wrong is left to the next one.
func sweepOutputs(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), outPrefix) {
			continue
		}
		info, err := e.Info() // of the entry itself: a link is not followed
		if err != nil || !info.Mode().IsRegular() && !info.IsDir() || info.Mode().Perm()&0o077 != 0 || time.Since(info.ModTime()) < outGrace {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if hold(f) == nil {
			os.RemoveAll(path)
		}
		f.Close()
	}
}
