package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator/tenant"
	"mdcalake/query/hunts"
)

// Hunts: all of them over a year with attacks and honest noise in it, together and
// one by one. Together they share what they read; one by one is a process for each,
// as if there were no --all.

func huntsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 5_000_000, Usage: "in the year, beside the attacks and the noise"},
	}
}

func (b *bench) huntsPart(ctx *cli.Context) (section, error) {
	s := newSection("hunts", "Hunts")
	d := dataset{kind: "year", records: ctx.Int("records"), days: ctx.Int("days"), services: ctx.Int("services"), stories: true}
	lake := b.path("lake")
	if err := b.fillYear(ctx.Context, lake, d, true); err != nil {
		return s, err
	}
	if err := b.verify(ctx.Context, lake); err != nil {
		return s, err
	}
	catalog, err := hunts.Catalog()
	if err != nil {
		return s, err
	}
	var names [][]string
	for _, h := range catalog {
		names = append(names, []string{h.Name})
	}
	text := "| hunted in | findings | together | CPU | peak memory | one by one | CPU | largest peak | times faster together | CPU |\n|---|---|---|---|---|---|---|---|---|---|\n"
	for _, window := range []struct {
		name  string
		since time.Time
	}{
		{"month", tenant.End.AddDate(0, 0, -min(30, d.days/3))},
		{"year", d.tenant().Start().AddDate(0, 0, min(90, d.days*3/4))}, // before it lies what they compare with
	} {
		together := b.hunting(lake, window.since, []string{"--all"})
		single := b.hunting(lake, window.since, names...)
		together.name, single.name = "together, a "+window.name, "one by one, a "+window.name
		if err := b.interleave(ctx.Context, min(b.rounds, 3), []*contestant{together, single}); err != nil {
			return s, err
		}
		if single.failed != nil {
			return s, single.failed
		}
		found := together.costs[0].rows
		if alone := single.costs[0].rows; alone != found {
			return s, fmt.Errorf("hunts since %s: %d findings together, %d one by one", window.since.Format(time.DateOnly), found, alone)
		}
		faster, cheaper := single.series(wall).over(together.series(wall)), single.series(cpu).over(together.series(cpu))
		text += fmt.Sprintf("| %s to %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", window.since.Format(time.DateOnly), tenant.End.Format(time.DateOnly), count(found),
			together.series(wall).show(duration), together.series(cpu).show(duration), together.series(peak).show(memory),
			single.series(wall).show(duration), single.series(cpu).show(duration), single.series(peak).show(memory), faster.show(times), cheaper.show(times))
		s.facts["hunts."+window.name+".speed"] = faster.median()
		s.facts["hunts."+window.name+".peak"] = together.series(peak).median()
	}
	files, disk, err := filesIn(lake)
	if err != nil {
		return s, err
	}
	rows, err := rowsIn(lake)
	if err != nil {
		return s, err
	}
	s.say("`mdcalake hunt run --all` beside %s of `mdcalake hunt run NAME`, %s. Both find the same.\n\n### %s records of %d days x %d services: %s files, %s\n\n%s",
		things(int64(len(catalog)), "process", "processes"), b.warmth(), count(rows), d.days, d.services, count(files), size(disk), text)
	return s, nil
}

// hunting is a run of the hunts, or several, as one: times are added, the peak is
// that of the largest, and the rows are the findings.
func (b *bench) hunting(lake string, since time.Time, runs ...[]string) *contestant {
	out := b.path("findings.jsonl")
	return &contestant{run: func(ctx context.Context) (all cost, err error) {
		for _, which := range runs {
			args := append([]string{"hunt", "run"}, which...)
			k, err := b.must(ctx, b.mdcalake(append(args, "--lake", lake, "--since", since.Format(time.DateOnly), "--until", tenant.End.Format(time.DateOnly), "-o", "jsonl", "--out", out, "--quiet")...))
			if err != nil {
				return all, err
			}
			found, err := os.ReadFile(out)
			if err != nil {
				return all, err
			}
			if err := os.Remove(out); err != nil {
				return all, err
			}
			all.wall, all.cpu, all.peak = all.wall+k.wall, all.cpu+k.cpu, max(all.peak, k.peak)
			all.rows += int64(bytes.Count(found, []byte("\n")))
		}
		return all, nil
	}}
}
