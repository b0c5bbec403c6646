package main

import (
	"math"
	"runtime"
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

// startingGarbage is the collector's pace while a lake is opened for a question:
// hardly anything of what that leaves behind is rubbish, and to look for some at
// every doubling takes a sixth of the time until the first row. What an answer may
// take is bounded all the same (boundAnswer).
const startingGarbage = 400

// startFast sets that pace, unless the person has set GOGC.
func startFast(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(startingGarbage)
	}
}

// answerMemory is what the heap may grow by while an answer is written: rows
// go through it and leave rubbish behind, beside which DuckDB has its buffers.
const answerMemory = 48 << 20

// boundAnswer sets that limit over what is there when the lake is open, unless
// the person has set GOMEMLIMIT.
func boundAnswer() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + answerMemory)
	}
}
