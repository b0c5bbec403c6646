// Command mdcasim serves a simulated Activities API on a loopback port.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"mdcalake/ingest/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: exit code 0 done, 1 failed, 2 usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := newApp(stdout, stderr)
	err := a.RunContext(ctx, flagsFirst(a, args))
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "mdcasim:", err)
	var usage *simulator.UsageError
	if errors.As(err, &usage) {
		fmt.Fprintln(stderr, "hint: mdcasim --help explains every flag")
		return 2
	}
	return 1
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
