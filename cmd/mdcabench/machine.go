package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// machine says when, at which commit and on what a part was measured.
func (b *bench) machine() string {
	cold := ""
	if b.cold {
		cold = ", file cache emptied before each run"
	}
	return fmt.Sprintf("*%s, commit %s; %s/%s, %d cores (%s), %s of memory, kernel %s; %s, DuckDB driver %s%s; loads of the minute before: %s.*",
		time.Now().UTC().Format(time.DateOnly), commit(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), totalMemory(), kernel(), runtime.Version(), module("github.com/duckdb/duckdb-go/v2"), cold, load())
}

func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	text := strings.TrimSpace(string(out))
	if changed, err := exec.Command("git", "status", "--porcelain", ":/", ":(exclude,top)testdata/results").Output(); err != nil || len(changed) > 0 {
		text += " with changes"
	}
	return text
}

// line finds what stands behind a name in a file of the system.
func line(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:"))
		}
	}
	return ""
}

// control asks the system where it has no such files.
func control(name string) string {
	out, err := exec.Command("sysctl", "-n", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return "unknown"
}

func processor() string {
	return first(line("/proc/cpuinfo", "model name"), control("machdep.cpu.brand_string"))
}

func totalMemory() string {
	var n int64
	if _, err := fmt.Sscanf(line("/proc/meminfo", "MemTotal"), "%d kB", &n); err == nil {
		return size(n << 10)
	}
	if _, err := fmt.Sscan(control("hw.memsize"), &n); err == nil {
		return size(n)
	}
	return "unknown"
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return first(control("kern.osrelease"))
	}
	return strings.TrimSpace(string(text))
}

// load is what else the machine had to do, when the part ended: what was measured
// on a busy machine should say so.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return first(control("vm.loadavg"))
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

func module(path string) string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "of an unknown version"
}

// free is what the disk still has.
func free(dir string) string {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return "unknown"
	}
	return size(int64(s.Bavail) * int64(s.Bsize))
}
