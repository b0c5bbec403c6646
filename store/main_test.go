package store_test

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

func TestMain(m *testing.M) {
	// Hundreds of small lakes: most of the time would be the collector's.
	debug.SetGCPercent(800)
	if dir := os.Getenv("MDCALAKE_TEST_HOLD"); dir != "" {
		holdLake(dir)
		return
	}
	// A check is half a dozen lakes. -rapid.checks on the command line wins.
	flag.Set("rapid.checks", rapidChecks)
	code := m.Run()
	if n := crashes.Load(); n > 0 {
		fmt.Printf("%d crashes and faults, each at a file operation of its own\n", n)
	}
	os.Exit(code)
}
