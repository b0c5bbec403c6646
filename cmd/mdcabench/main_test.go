package main

import (
	"fmt"
	"os"
	"testing"
)

// programsDir is where mdcalake and mdcasim are built for the tests.
var programsDir string

// The test binary is also the program: with the word that begins the hidden
// commands it is one of them.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		main()
		return
	}
	var err error
	if programsDir, err = os.MkdirTemp("", "mdcabench-programs-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(programsDir)
	os.Exit(code)
}
