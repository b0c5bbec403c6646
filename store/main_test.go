package store_test

import (
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
	os.Exit(m.Run())
}
