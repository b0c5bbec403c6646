package main

import (
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
)

func importCommand(c console) *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "append saved records (NDJSON, a record a line) to the lake",
		ArgsUsage: "FILE... (- is stdin)",
		Description: `Takes in what the lake does not have yet. The ledger gets the SHA-256 of each
file, and rows have the line as their page; the files themselves are not kept.`,
		Flags:  runFlags(),
		Action: func(ctx *cli.Context) error { return runImport(ctx, c) },
	}
}

func runImport(ctx *cli.Context, c console) error {
	if !ctx.Args().Present() {
		return usage("name the files to import; - is the standard input", "no file is given")
	}
	if err := checkSummary(ctx); err != nil {
		return err
	}
	var sources []ingest.Source
	stdin := false
	for _, path := range ctx.Args().Slice() {
		if path == "-" {
			if stdin {
				return usage("name it once", "the standard input is given twice")
			}
			stdin = true
			sources = append(sources, ingest.Source{Name: "standard input", Open: func() (io.ReadCloser, error) { return io.NopCloser(c.in), nil }})
			continue
		}
		// All are looked at before the first is read: a typing error in the last
		// name should not be found an hour later.
		info, err := os.Stat(path)
		if err != nil {
			return usage("check the path; - is the standard input", "import: %w", err)
		}
		if info.IsDir() {
			return usage("name the files in it", "import: %q is a directory", path)
		}
		sources = append(sources, ingest.Source{Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}
	w, err := openWriter(ctx, c)
	if err != nil {
		return err
	}
	defer w.Close()
	p := newProgress(ctx, c)
	if _, typed := terminal(c.in); typed && stdin && !ctx.Bool("quiet") {
		fmt.Fprintln(c.err, "reading records from the terminal, one a line; Ctrl-D ends them")
	}
	return runAndMerge(ctx, c, w, p, func() (*ingest.Summary, error) {
		return ingest.Import(ctx.Context, ingest.ImportOptions{
			Writer: w, ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"), Progress: p.show,
		}, sources)
	})
}
