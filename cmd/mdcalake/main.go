// Command mdcalake collects Microsoft Defender for Cloud Apps activities into a
// local lake and answers SQL over it. See the README at the root.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() { mainWith(func(c console) console { return c }) }

// mainWith is main with a console that may have been changed.
func mainWith(change func(console) console) {
	// The HTTP library logs bytes of a server that misbehaves; what we have to
	// say goes through errors.
	log.SetOutput(io.Discard)
	// A reader that has had enough, as head has, is an error like any other: to
	// die of it would leave an ingest half done and temporary files behind.
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	var ints interrupts
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal asks for a clean end; after it the second one ends the
		// process at once. The prompt keeps interrupts for its statements.
		for s := range signals {
			if s == os.Interrupt && ints.deliver() {
				continue
			}
			cancel()
			signal.Stop(signals)
			return
		}
	}()
	// Signals are not given back to the system before the end: one that comes
	// when all is done would kill a process that has succeeded.
	os.Exit(run(ctx, os.Args, change(console{in: os.Stdin, out: os.Stdout, err: os.Stderr, getenv: os.Getenv, interrupts: &ints})))
}

// run is main without the process: it answers the exit code.
func run(ctx context.Context, args []string, c console) int {
	app := newApp(c)
	err := app.RunContext(ctx, flagsFirst(app, habits(args)))
	if err == nil {
		return exitDone
	}
	var quiet *exitError
	if !errors.As(err, &quiet) || quiet.err != nil {
		c.explain(err)
	}
	return exitCode(ctx, err)
}
