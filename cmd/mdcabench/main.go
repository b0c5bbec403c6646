// Command mdcabench compares mdcalake with what else one could take, on the same
// data in the same run, and keeps the result in testdata/results/bench.md.
//
// Every contestant is a process of its own, started here and measured by what the
// system says of it when it has ended; DuckDB alone, zstd and the plain loop are
// hidden commands of this program (child.go), so that no shell, no other driver and
// no other version stands between. Contestants take turns, A B A B, and a ratio is
// that of two neighbours: what the machine does meanwhile hits both.
//
// To read it: app.go (the parts) -> process.go (one run) -> rounds.go (turns) ->
// part_import.go and its neighbours (what is compared) -> document.go (what is
// kept) -> targets.go (what should come out).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()})
	stop()
	os.Exit(code)
}

// run is main without the process: exit code 0 done, 1 failed, 130 interrupted.
func run(ctx context.Context, args []string, c console) int {
	err := newApp(c).RunContext(ctx, args)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(c.err, "mdcabench: interrupted; what was made for it is gone, parts that had ended are kept")
		return 130
	case errors.Is(err, errSaid):
		return 1
	}
	fmt.Fprintln(c.err, "mdcabench:", err)
	return 1
}
