package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

func verifyCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "verify",
		Usage: "re-read the lake and name everything that is not as it was written",
		Description: `Checks the chain of log entries, the hash of every file and kept page, every
row against its own bytes, and that no record stands twice. It changes nothing.
Damage is printed a line each; exit code 6. What it cannot know is said on
stderr.

With --manifest FILE, 'cd LAKE && sha256sum -c FILE' repeats the comparison of
bytes with another tool.`,
		Flags: []cli.Flag{
			lakeFlag(),
			&cli.BoolFlag{Name: "quick", Usage: "only the log and the files' hashes", DisableDefaultText: true},
			&cli.StringFlag{Name: "expect-head", Usage: "`VERSION:SHA256` noted earlier: proves that nothing was taken off the end"},
			&cli.StringFlag{Name: "manifest", Usage: "write the SHA-256 of every file to `FILE`, as sha256sum does (- is stdout: the result goes to stderr)"},
		},
		Action: func(ctx *cli.Context) error { return runVerify(ctx, c) },
	}
}

// headForm is checked here: half a hash, badly copied, is no damage to a lake.
var headForm = regexp.MustCompile(`^\d{1,18}:[0-9a-f]{64}$`)

func runVerify(ctx *cli.Context, c console) error {
	boundMemory()
	if err := noArguments(ctx); err != nil {
		return err
	}
	o := store.VerifyOptions{Lift: ingest.Lift, Quick: ctx.Bool("quick"), ExpectHead: strings.ToLower(strings.TrimSpace(ctx.String("expect-head")))}
	if ctx.IsSet("expect-head") && !headForm.MatchString(o.ExpectHead) {
		return usage("copy the whole of it: a run prints it behind the word head", "--expect-head %q is not VERSION:SHA256", ctx.String("expect-head"))
	}
	result := c.out
	var manifest *output
	if ctx.IsSet("manifest") {
		var err error
		if manifest, result, err = manifestOf(ctx, c); err != nil {
			return err
		}
		defer manifest.discard()
		o.Manifest = manifest.w
	}
	p := newProgress(ctx, c)
	o.Progress = p.step(time.Now())
	v, err := store.Verify(ctx.Context, ctx.String("lake"), o, func(problem store.Problem) {
		p.done()
		fmt.Fprintln(result, problem)
	})
	p.done()
	if err != nil {
		return err
	}
	if manifest != nil {
		if err := manifest.keep(); err != nil {
			return err
		}
	}
	for _, note := range v.Notes {
		fmt.Fprintf(c.err, "note: %s\n", note)
	}
	return verdict(c, result, v)
}

// manifestOf is where the manifest goes, and where the result goes then.
func manifestOf(ctx *cli.Context, c console) (manifest *output, result io.Writer, err error) {
	switch path := ctx.String("manifest"); path {
	case "":
		return nil, nil, usage("name a file; - is stdout", "--manifest is empty")
	case "-":
		manifest, err = newOutput(c, "--manifest", "", "")
		return manifest, c.err, err
	default:
		manifest, err = newOutput(c, "--manifest", path, ctx.String("lake"))
		return manifest, c.out, err
	}
}

// verdict is the last line.
func verdict(c console, result io.Writer, v *store.Verified) error {
	if v.InFlight > 0 {
		fmt.Fprintf(c.err, "note: %s of a run under way, or left by an interrupted one for the next to remove\n", things(int64(v.InFlight), "file is", "files are"))
	}
	looked := fmt.Sprintf("%s, %s, %s, %s, %d in quarantine", things(v.Entries, "entry", "entries"), things(int64(v.Files), "file", "files"),
		things(v.Rows, "row", "rows"), things(v.Revisions, "revision", "revisions"), v.Quarantine)
	if v.Pages > 0 {
		looked += ", " + things(v.Pages, "page", "pages")
	}
	looked += fmt.Sprintf("; head %d:%s", v.Version, v.Head)
	if v.Problems > 0 {
		fmt.Fprintf(result, "damaged: %s in %s\n", things(int64(v.Problems), "problem", "problems"), looked)
		return &exitError{code: exitDamage}
	}
	_, err := fmt.Fprintf(result, "ok: %s\n", looked)
	return err
}
