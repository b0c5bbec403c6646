package main

import (
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
)

// A run of a follower lasts so long. Then it is in the ledger as a whole, small
// files are merged, what failed is tried again, and the next run begins.
const followRun = time.Hour

// follow reads what is saved, until it is told to stop. That is its proper end,
// and no interruption.
func follow(ctx *cli.Context, c console, o ingest.Options, p *progress) error {
	o.Tail = &ingest.Tail{Every: ctx.Duration("every"), For: followRun}
	since := o.Since
	var whole error
	for ctx.Context.Err() == nil {
		o.Since = since
		err := runAndMerge(ctx, c, o.Writer, p, func() (*ingest.Summary, error) {
			if err := defaultSince(&o, o.Writer, c.now()); err != nil {
				return &ingest.Summary{}, err
			}
			return ingest.Run(ctx.Context, o)
		})
		var exit *exitError
		switch {
		case ctx.Context.Err() != nil:
		case errors.As(err, &exit) && exit.code == exitPartial:
			whole = err
		case err != nil:
			return err
		}
	}
	return whole
}
