package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// console is where the program speaks: what a child answers on out, all else on err.
type console struct {
	in       io.Reader
	out, err io.Writer
	environ  []string // of the processes that are started
}

// errSaid: the person has been told already.
var errSaid = errors.New("said")

// count writes a number with separators: 1,234,567.
func count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes for people.
func size(n int64) string {
	value, unit := float64(n), 0
	for ; value >= 1000 && unit < 4; unit++ {
		value /= 1000
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGT"[unit-1])
}

// memory writes a peak, in the unit of the targets.
func memory(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }

// duration writes seconds with three figures.
func duration(seconds float64) string {
	switch {
	case seconds < 0.9995:
		return fmt.Sprintf("%.3g ms", seconds*1000)
	case seconds < 99.95:
		return fmt.Sprintf("%.3g s", seconds)
	}
	return (time.Duration(seconds) * time.Second).String()
}
