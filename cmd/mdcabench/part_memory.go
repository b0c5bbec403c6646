package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"
)

// Memory: does the peak stay where it is when there are ten times the records?
// Asked of the four ways in: a file in the order of time, one shuffled over a year's
// cells, one of a single cell, and the API.

func memoryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 200_000, Usage: "at first"},
		&cli.IntFlag{Name: "more", Value: 2_000_000, Usage: "then"},
		&cli.IntFlag{Name: "cell", Value: 200_000, Usage: "of one day and service at first"},
		&cli.IntFlag{Name: "more-cell", Value: 2_000_000, Usage: "then"},
	}
}

func (b *bench) memoryPart(ctx *cli.Context) (section, error) {
	s := newSection("memory", "Peak memory")
	s.say("The most that was resident of `mdcalake`, few records and ten times as many in turn. The first three are imports of a file; ingest takes all that the\n" +
		"simulator has, without a rate. Every lake was verified.")
	rounds := min(b.rounds, 3)
	text := "| input | records | peak | records | peak | growth |\n|---|---|---|---|---|---|\n"
	year := dataset{kind: "year", days: ctx.Int("days"), services: ctx.Int("services"), clean: true}
	for _, in := range []struct {
		name, title string
		data        dataset
		few, many   int
		shuffled    bool
	}{
		{"month", "30 days in the order of time", dataset{kind: "month"}, ctx.Int("records"), ctx.Int("more"), false},
		{"year", fmt.Sprintf("shuffled over %d days x %d services", year.days, year.services), year, ctx.Int("records"), ctx.Int("more"), true},
		{"cell", "one day of one service", dataset{kind: "cell"}, ctx.Int("cell"), ctx.Int("more-cell"), false},
		{"ingest", fmt.Sprintf("ingest of %d days", scanDays), dataset{kind: "month"}, ctx.Int("records"), ctx.Int("more"), false},
	} {
		var list []*contestant
		for _, n := range []int{in.few, in.many} {
			d := in.data
			d.records = n
			c, err := b.memoryOf(ctx.Context, in.name, d, in.shuffled)
			if err != nil {
				return s, err
			}
			list = append(list, c)
		}
		err := b.interleave(ctx.Context, rounds, list)
		if err == nil && list[1].failed != nil {
			err = list[1].failed
		}
		if err != nil {
			return s, err
		}
		few, many := list[0].series(peak), list[1].series(peak)
		growth := many.over(few)
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", in.title, count(in.few), few.show(memory), count(in.many), many.show(memory), growth.show(times))
		s.facts["memory."+in.name+".peak"] = slices.Max(append(few, many...))
		s.facts["memory."+in.name+".growth"] = growth.median()
		for _, n := range []int{in.few, in.many} {
			if err := remove(b.path(inputName(in.name, n)), b.path(lakeName(n))); err != nil {
				return s, err
			}
		}
	}
	s.say("%s", text)
	return s, nil
}

func inputName(kind string, records int) string { return fmt.Sprintf("%s-%d.jsonl", kind, records) }
func lakeName(records int) string               { return fmt.Sprintf("lake-%d", records) }

// memoryOf is one of them, with its input made.
func (b *bench) memoryOf(ctx context.Context, name string, d dataset, shuffled bool) (*contestant, error) {
	lake := b.path(lakeName(d.records))
	c := &contestant{name: fmt.Sprintf("%s, %s records", name, count(d.records)), ready: fresh(lake)}
	run := func(ctx context.Context) (cost, error) { return b.ingest(ctx, lake, d.records) }
	if name != "ingest" {
		records, _, err := b.make(ctx, d, inputName(name, d.records))
		if err == nil && shuffled {
			err = b.shuffle(ctx, records)
		}
		if err != nil {
			return nil, err
		}
		run = b.mdcalake("import", "--quiet", "--lake", lake, records).run
	}
	c.run = func(ctx context.Context) (cost, error) {
		k, err := run(ctx)
		if err == nil {
			err = b.verify(ctx, lake)
		}
		return k, err
	}
	return c, nil
}
