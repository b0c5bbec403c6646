package main

import "github.com/urfave/cli/v2"

// Start: from nothing to the answer of "select 1", which is what every question pays.

func startFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 20_000, Usage: "in the lake"},
		&cli.IntFlag{Name: "turns", Value: 25, Usage: "of each, in place of --rounds: it takes no time"},
	}
}

func (b *bench) startPart(ctx *cli.Context) (section, error) {
	s := newSection("start", "Start")
	lake, n := b.path("lake"), ctx.Int("records")
	if err := b.fill(ctx.Context, lake, dataset{kind: "month", records: n}); err != nil {
		return s, err
	}
	list := []*contestant{
		{name: "**mdcalake query \"select 1\"**", run: b.mdcalake("query", "--lake", lake, "select 1").run},
		{name: "DuckDB alone: open, select 1, close", run: b.child("glimpse", "select 1").run},
		{name: "mdcalake --version", run: b.mdcalake("--version").run},
		{name: "this program, doing nothing", run: b.child("nothing").run},
	}
	if err := b.interleave(ctx.Context, ctx.Int("turns"), list); err != nil {
		return s, err
	}
	text := "| process | wall | user + sys | peak memory |\n|---|---|---|---|\n"
	for _, c := range list {
		if c.failed != nil {
			return s, c.failed
		}
		text += "| " + c.name + " | " + c.series(wall).show(duration) + " | " + c.series(cpu).show(duration) + " | " + c.series(peak).show(memory) + " |\n"
	}
	ratio := list[0].series(wall).over(list[1].series(wall))
	s.say("Whole processes, %s; a lake of %s records. DuckDB is opened by the same driver, in a process of this program.\n\n%s", b.warmth(), count(n), text)
	s.say("mdcalake takes %s as long as DuckDB alone.", ratio.show(times))
	s.facts["start.ratio"] = ratio.median()
	return s, b.verify(ctx.Context, lake)
}
