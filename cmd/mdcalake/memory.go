package main

import (
	"math"
	"runtime/debug"
)

// writerMemory is the heap's soft limit for verbs that write or read a whole
// lake: waiting rows take up to 160 MiB, encoding about as much again. Without it
// the heap may double before it is collected, and the process grows with its
// input.
const writerMemory = 320 << 20

// boundMemory sets it, unless the person has set GOMEMLIMIT.
func boundMemory() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(writerMemory)
	}
}
