package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

func verifyCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "re-read the lake and name everything that is not as it was written",
		Description: `Checks the chain of log entries, the hash of every file, and every row against
its own bytes. It changes nothing. Damage is printed a line each; exit code 6.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "quick", Usage: "only the log and the files' hashes", DisableDefaultText: true},
			&cli.StringFlag{Name: "expect-head", Usage: "`VERSION:SHA256` noted earlier: proves that nothing was taken off the end"},
		},
		Action: func(ctx *cli.Context) error { return runVerify(ctx, c) },
	}
}

// headForm is checked here: half a hash, badly copied, is no damage to a lake.
var headForm = regexp.MustCompile(`^\d{1,18}:[0-9a-f]{64}$`)

func runVerify(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	expect := strings.ToLower(strings.TrimSpace(ctx.String("expect-head")))
	if ctx.IsSet("expect-head") && !headForm.MatchString(expect) {
		return usage("copy the whole of it: a run prints it behind the word head", "--expect-head %q is not VERSION:SHA256", ctx.String("expect-head"))
	}
	decoder := ingest.NewDecoder()
	v, err := store.Verify(ctx.Context, ctx.String("lake"), store.VerifyOptions{
		Lift: decoder.Decode, Quick: ctx.Bool("quick"), ExpectHead: expect,
	}, func(p store.Problem) { fmt.Fprintln(c.out, p) })
	if err != nil {
		return err
	}
	for _, note := range v.Notes {
		fmt.Fprintf(c.err, "note: %s\n", note)
	}
	if v.InFlight > 0 {
		fmt.Fprintf(c.err, "note: %s of a run under way, or left by an interrupted one for the next to remove\n", things(int64(v.InFlight), "file is", "files are"))
	}
	looked := fmt.Sprintf("%s, %s, %s, %s, %d in quarantine; head %d:%s", things(v.Entries, "entry", "entries"), things(int64(v.Files), "file", "files"),
		things(v.Rows, "row", "rows"), things(v.Revisions, "revision", "revisions"), v.Quarantine, v.Version, v.Head)
	if v.Problems > 0 {
		fmt.Fprintf(c.out, "damaged: %s in %s\n", things(int64(v.Problems), "problem", "problems"), looked)
		return &exitError{code: exitDamage}
	}
	_, err = fmt.Fprintf(c.out, "ok: %s\n", looked)
	return err
}
