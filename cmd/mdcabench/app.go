package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
)

const description = `Measures mdcalake beside DuckDB alone and others, part by part, and keeps the
result. 'all' takes some three hours and 25 GB of disk at its full size; every
part can be run alone, at any size:

  mdcabench import --records 20000 --shuffled 0 --more 0 --more-shuffled 0 --cell 0 --small 0
  mdcabench --result "" start

Each part replaces its own section of --result, and the table of targets at the
top is computed anew. Data lies below --dir and is removed when a part ends, also
after Ctrl-C.`

// A part is a command of its own.
type part struct {
	name, usage string
	flags       func() []cli.Flag
	run         func(*bench, *cli.Context) (section, error)
}

var parts = []part{
	{"import", "files of records to Parquet, beside DuckDB's COPY, zstd and others", importFlags, (*bench).importPart},
	{"memory", "peak memory of import and ingest with ten times the records", memoryFlags, (*bench).memoryPart},
	{"scan", "the simulator's API, beside the loop of the documentation", scanFlags, (*bench).scanPart},
	{"start", "from nothing to the answer of 'select 1'", startFlags, (*bench).startPart},
	{"query", "twelve questions and needles in a year, beside DuckDB over files and records", queryFlags, (*bench).queryPart},
	{"hunts", "all hunts over a year, together and one by one", huntsFlags, (*bench).huntsPart},
	{"growth", "a lake that grows to a year; long logs and large indexes", growthFlags, (*bench).growthPart},
}

// yearFlags say how wide a year is: a test has a narrow one.
func yearFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "days", Value: 365, Usage: "of the year", Hidden: true},
		&cli.IntFlag{Name: "services", Value: 20, Usage: "of the year", Hidden: true},
		&cli.IntFlag{Name: "rounds", Value: 5, Usage: "turns of each contestant"},
	}
}

func newApp(c console) *cli.App {
	a := &cli.App{
		Name: "mdcabench", Usage: "compares mdcalake with what else one could take", Description: description,
		Reader: c.in, Writer: c.out, ErrWriter: c.err, HideHelpCommand: true, HideVersion: true, DisableSliceFlagSeparator: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".build/bench", Usage: "`DIR` of the data, on the disk that is to be measured"},
			&cli.StringFlag{Name: "programs", Usage: "`DIR` of mdcalake and mdcasim (default: where this program is)"},
			&cli.StringFlag{Name: "testdata", Value: "testdata", Usage: "`DIR` of questions and scripts"},
			&cli.StringFlag{Name: "venv", Value: ".build/bench-venv", Usage: "`DIR` into which the contestants in Python are installed"},
			&cli.StringFlag{Name: "result", Value: "testdata/results/bench.md", Usage: "`FILE` of the result; \"\" is stdout"},
			&cli.BoolFlag{Name: "drop-caches", Usage: "empty the system's file cache before each run; only root on Linux can"},
		},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return err },
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(ctx *cli.Context) error {
			if ctx.Args().Present() {
				return fmt.Errorf("there is no part %q; mdcabench --help lists them", ctx.Args().First())
			}
			return cli.ShowAppHelp(ctx)
		},
	}
	a.Commands = append(a.Commands, &cli.Command{
		Name: "all", Usage: "every part at its full size, one after the other",
		Action: func(ctx *cli.Context) error { return all(ctx, c) },
	})
	for _, p := range parts {
		a.Commands = append(a.Commands, &cli.Command{
			Name: p.name, Usage: p.usage, Flags: append(yearFlags(), p.flags()...), HideHelpCommand: true,
			Action:       func(ctx *cli.Context) error { return p.measure(ctx, c) },
			OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
		})
	}
	a.Commands = append(a.Commands, childCommand(c))
	return a
}

// all runs the parts as one would run them by hand, each with its own flags. A
// part that fails does not take the next ones along.
func all(ctx *cli.Context, c console) error {
	var global []string
	for _, name := range []string{"dir", "programs", "testdata", "venv", "result"} {
		if ctx.IsSet(name) {
			global = append(global, "--"+name+"="+ctx.String(name))
		}
	}
	if ctx.Bool("drop-caches") {
		global = append(global, "--drop-caches")
	}
	var errs []error
	for _, p := range parts {
		err := newApp(c).RunContext(ctx.Context, append(append([]string{"mdcabench"}, global...), p.name))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(c.err, "mdcabench: %s: %v\n", p.name, err)
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	if len(errs) > 0 {
		return errSaid
	}
	return nil
}

// measure runs one part in a directory of its own.
func (p part) measure(ctx *cli.Context, c console) (err error) {
	if ctx.Args().Present() {
		return fmt.Errorf("%s takes no argument, and %q is none of its flags", p.name, ctx.Args().First())
	}
	b := &bench{testdata: ctx.String("testdata"), venv: ctx.String("venv"), result: ctx.String("result"), rounds: ctx.Int("rounds"),
		cold: ctx.Bool("drop-caches"), programs: ctx.String("programs"), began: time.Now(), console: c}
	if b.rounds < 1 {
		return fmt.Errorf("--rounds %d: give 1 or more", b.rounds)
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.programs == "" {
		b.programs = filepath.Dir(b.self)
	}
	if b.programs, err = filepath.Abs(b.programs); err != nil {
		return err
	}
	for _, name := range []string{"mdcalake", "mdcasim"} {
		if _, err := os.Stat(filepath.Join(b.programs, name)); err != nil {
			return fmt.Errorf("%w; 'make build' puts it there, or name its directory with --programs", err)
		}
	}
	if b.work, err = makeWork(ctx.String("dir")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(b.work)) }()
	b.progress("%s: data in %s, %s free", p.name, b.work, free(b.work))
	s, err := p.run(b, ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	return b.keep(s)
}
