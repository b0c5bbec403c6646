package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"mdcalake/query/hunts"
)

// huntTest holds hunts against what is known to have happened.
func huntTest(ctx *cli.Context, c console, all []*hunts.Hunt, names []string) (err error) {
	for _, name := range []string{"out", "require-coverage", "raw-csv", "severity"} {
		if ctx.IsSet(name) {
			return usage("it belongs to mdcalake hunt run", "hunt test does not take --%s", name)
		}
	}
	format := ctx.String("output")
	switch {
	case !ctx.IsSet("output"):
		format = "markdown"
	case format != "markdown" && format != "json":
		return usage("choose one of markdown, json", "output format %q is unknown", format)
	}
	if !ctx.IsSet("truth") {
		return usage("mdcasim --stories all --story-truth FILE writes one", "hunt test needs --truth FILE: what is known to have happened")
	}
	chosen := all
	if len(names) > 0 {
		if chosen, err = chooseHunts(all, names); err != nil {
			return err
		}
	}
	file, err := os.Open(ctx.String("truth"))
	if err != nil {
		return fmt.Errorf("read --truth: %w", err)
	}
	truth, err := hunts.ReadTruth(file)
	file.Close()
	if err != nil {
		return fmt.Errorf("read --truth %q: %w", ctx.String("truth"), err)
	}
	h, err := openHunting(ctx, c, chosen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	huntReport{c: c, quiet: ctx.Bool("quiet"), request: h.request}.begin(h.plans)
	progress := newHuntProgress(c, ctx.Bool("quiet"))
	found, err := hunts.Run(ctx.Context, h.engine, h.plans, progress.hunt)
	progress.clear()
	if err != nil {
		return err
	}
	if err := huntFaults(c, found); err != nil {
		return err
	}
	scores, err := found.Judge(ctx.Context, truth)
	if err != nil {
		return err
	}
	for _, s := range scores {
		if len(s.Missed) > 0 {
			fmt.Fprintf(c.err, "%s did not find: %v\n", s.Hunt, s.Missed)
		}
	}
	if format == "json" {
		return writeJSON(c.out, scores)
	}
	_, err = fmt.Fprint(c.out, hunts.ScoreTable(scores))
	return err
}
