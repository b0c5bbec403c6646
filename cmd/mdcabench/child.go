package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/urfave/cli/v2"

	"mdcalake/query/querytest"
)

// The hidden commands: what is compared, and what makes data, each as a process.

func childCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "child", Hidden: true, HideHelp: true,
		Subcommands: []*cli.Command{dataCommand(c), shuffleCommand(), nothingCommand(), sqlCommand(), sameCommand(c), zstdCommand(), valuesCommand(c), glimpseCommand(c), warmCommand(c), loopCommand(c), fastScanCommand(c)},
	}
}

// sqlCommand runs statements with DuckDB alone.
func sqlCommand() *cli.Command {
	return &cli.Command{
		Name: "sql",
		Action: func(ctx *cli.Context) error {
			d, err := querytest.Open(ctx.Context, ctx.Args().Slice()...)
			if err != nil {
				return err
			}
			return d.Close()
		},
	}
}

// copySQL is the baseline of an import: a SELECT of testdata/bench, into the same
// partitions.
func (b *bench) copySQL(file, records, out string) (string, error) {
	lift, err := b.lift(file, querytest.Literal(records))
	if err != nil {
		return "", err
	}
	return "COPY (" + lift + ") TO " + querytest.Literal(out) + " (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date, service))", nil
}

// lift is a SELECT of testdata/bench over files of records.
func (b *bench) lift(file, records string) (string, error) {
	text, err := os.ReadFile(b.testdata + "/bench/" + file)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(string(text), "$records", records), nil
}

// zstdCommand is zstd -3 where the system has no such program.
func zstdCommand() *cli.Command {
	return &cli.Command{
		Name: "zstd",
		Action: func(ctx *cli.Context) error {
			in, err := os.Open(ctx.Args().Get(0))
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := os.Create(ctx.Args().Get(1))
			if err != nil {
				return err
			}
			defer out.Close()
			w, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(3)), zstd.WithEncoderConcurrency(1))
			if err != nil {
				return err
			}
			if _, err := w.ReadFrom(in); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			return out.Close()
		},
	}
}

// answerJSON is how a child gives a value to its parent.
func answerJSON(c console, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.out, string(text))
	return err
}
