package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
)

// selectionFlags choose a part of the activities.
func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "since", Usage: "only what happened at or after `TIME`"},
		&cli.StringFlag{Name: "until", Usage: "only what happened before `TIME`"},
		&cli.Int64SliceFlag{Name: "service", Usage: "only this app, by its `ID`; may be given again"},
	}
}

// selectionOf reads them.
func selectionOf(ctx *cli.Context, now time.Time) (s query.Selection, err error) {
	for name, into := range map[string]*time.Time{"since": &s.Since, "until": &s.Until} {
		if !ctx.IsSet(name) {
			continue
		}
		if *into, err = parseTime(name, ctx.String(name), now); err != nil {
			return s, err
		}
	}
	if !s.Since.IsZero() && !s.Until.IsZero() && !s.Since.Before(s.Until) {
		return s, usage("--since must be before --until", "the time range is empty: it begins at %s and ends at %s", s.Since.Format(time.RFC3339), s.Until.Format(time.RFC3339))
	}
	s.Services = ctx.Int64Slice("service")
	return s, nil
}
