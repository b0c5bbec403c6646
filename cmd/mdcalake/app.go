package main

import (
	"fmt"
	"os"
	"regexp"

	"github.com/urfave/cli/v2"

	"mdcalake/store"
)

// version of the program; it goes into every commit and every file.
const version = "0.1.0"

const appDescription = `Collects the activities of Microsoft Defender for Cloud Apps into a lake of
Parquet files on this machine, and answers SQL over it, offline.

  mdcalake ingest --url https://TENANT.REGION.portal.cloudappsecurity.com --token-file FILE --since 30d
  mdcalake query "select date, service, count(*) from activities group by all order by 1, 3 desc"

Times are UTC: 2026-11-01, 2026-11-01T08:00:00Z, or how long ago (30d, 12h, 90m).
Exit codes: 0 done, 1 failed, 2 usage, 3 done but not whole, 4 sign-in refused,
5 the lake is being written, 6 verify found damage, 130 interrupted.`

func newApp(c console) *cli.App {
	app := &cli.App{
		Name:                      "mdcalake",
		Usage:                     "a local, queryable lake of Defender for Cloud Apps activities",
		UsageText:                 "mdcalake VERB [flags] [arguments]",
		Description:               appDescription,
		HideHelpCommand:           true,
		HideVersion:               true,
		Writer:                    c.out,
		ErrWriter:                 c.err,
		Reader:                    c.in,
		DisableSliceFlagSeparator: true,
		Commands:                  []*cli.Command{ingestCommand(c), importCommand(c), probeCommand(c), queryCommand(c), huntCommand(c), timelineCommand(c), iocCommand(c), suggestedCommand(c), pivotCommand(c), exportCommand(c), connectCommand(c), coverageCommand(c), statusCommand(c), schemaCommand(c), verifyCommand(c), compactCommand(c), quarantineCommand(c), purgeCommand(c), adoptCommand(c), versionCommand(c)},
		Action: func(ctx *cli.Context) error {
			if name := ctx.Args().First(); name != "" {
				return usage("mdcalake --help lists the verbs", "there is no verb %q", name)
			}
			fmt.Fprintf(c.err, "%s\n", appDescription)
			return usage("mdcalake --help lists the verbs and their flags", "no verb is given")
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	// The library would print usage errors, and the whole help, on stdout.
	misuse := func(ctx *cli.Context, err error, _ bool) error {
		name := "mdcalake"
		if ctx.Command != nil && ctx.Command.Name != "" && ctx.Command.Name != "mdcalake" {
			name += " " + ctx.Command.Name
		}
		err = plainly(err)
		return &usageError{err: err, hint: name + " --help explains every flag"}
	}
	app.OnUsageError = misuse
	for _, command := range app.Commands {
		command.OnUsageError = misuse
		command.HideHelpCommand = true
	}
	return app
}

// The library's complaints, which write every flag with one dash and name
// functions of Go.
var (
	unknownFlag = regexp.MustCompile(`^flag provided but not defined: -(\S+)$`)
	wrongValue  = regexp.MustCompile(`(?s)^invalid value (".*") for flag -(\S+): `)
)

// plainly says in our words what the library complains of.
func plainly(err error) error {
	if m := unknownFlag.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("there is no flag %s", dashed(m[1]))
	}
	if m := wrongValue.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s does not take %s", dashed(m[2]), m[1])
	}
	return err
}

// dashed writes a flag's name as people do: -o, --output.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func lakeFlag() cli.Flag {
	return &cli.StringFlag{Name: "lake", Value: "lake", Usage: "the lake's `DIR`", EnvVars: []string{"MDCALAKE_LAKE"}}
}

// runFlags are those of the verbs that add records.
func runFlags() []cli.Flag {
	return []cli.Flag{
		lakeFlag(),
		&cli.StringFlag{Name: "lake-mode", Value: "private", Usage: "who may read a new lake: private (0700) or group (0750)"},
		&cli.BoolFlag{Name: "allow-tenant", Usage: "make a new lake one for several tenants", DisableDefaultText: true},
		&cli.StringFlag{Name: "operator", Usage: "`NAME` of who collects, for the chain of custody"},
		&cli.StringFlag{Name: "case", Usage: "`NUMBER` of the case, for the chain of custody"},
		&cli.BoolFlag{Name: "strict", Usage: "exit 3 for any record in quarantine, known ones too", DisableDefaultText: true},
		&cli.StringFlag{Name: "summary-json", Usage: "write the summary to `FILE` (- is stdout)"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no summary", DisableDefaultText: true},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "a line for each window and each wait", DisableDefaultText: true},
	}
}

// openWriter opens the lake that the flags name.
func openWriter(ctx *cli.Context, c console) (*store.Writer, error) {
	boundMemory()
	mode := ctx.String("lake-mode")
	if mode != "private" && mode != "group" {
		return nil, usage("choose private or group", "--lake-mode %q is unknown", mode)
	}
	return store.OpenWriter(ctx.String("lake"), store.WriterOptions{
		ToolVersion: version, Verb: ctx.Command.Name, Group: mode == "group", SeveralTenants: ctx.Bool("allow-tenant"), Clock: c.now,
	})
}

// openWritten opens a lake for a verb that changes what is there. A writer
// alone would make a new one where there is none.
func openWritten(ctx *cli.Context) (*store.Writer, error) {
	boundMemory()
	lake, err := store.Open(ctx.String("lake"))
	if err == nil {
		err = lake.Close()
	}
	if err != nil {
		return nil, err
	}
	return store.OpenWriter(ctx.String("lake"), store.WriterOptions{ToolVersion: version, Verb: ctx.Command.Name})
}

func versionCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "print the version of the program and of what it writes",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprintf(c.out, "mdcalake %s (lake schema %d)\n", version, store.SchemaVersion)
			return err
		},
	}
}

// noArguments refuses what a verb would silently ignore.
func noArguments(ctx *cli.Context) error {
	if ctx.Args().Present() {
		return usage("mdcalake "+ctx.Command.Name+" --help explains every flag", "%s takes no argument, and %q is one", ctx.Command.Name, ctx.Args().First())
	}
	return nil
}

// readSmall reads a small file that a flag names: a token, a filter, SQL.
func readSmall(c console, flag, path string, limit int64) ([]byte, error) {
	in := c.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("check the path; - is the standard input", "--%s: %w", flag, err)
		}
		defer f.Close()
		in = f
	}
	return readLimited(in, flag, limit)
}
