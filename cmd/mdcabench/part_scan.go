package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator/tenant"
)

// Scan: how fast could it be, does it use what the rate allows, and what does the
// loop that the API's documentation shows do in its place?

func scanFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 200_000, Usage: "without a limit"},
		&cli.IntFlag{Name: "pages", Value: 600, Usage: "of 100 records, at the rate"},
		&cli.Float64Flag{Name: "clock-speed", Value: 20, Usage: "so many times as fast the clock of the pages at the rate goes"},
	}
}

const (
	slowPage   = 100 // records of a page at the rate: small, so that the machine is never what it waits for
	slowRate   = 28  // requests a minute that we take
	tenantRate = 30  // that the tenant has
	slowAnswer = 8 * time.Second
)

func (b *bench) scanPart(ctx *cli.Context) (section, error) {
	s := newSection("scan", "Scan")
	n := ctx.Int("records")
	if err := b.scanFast(ctx.Context, n, &s); err != nil {
		return s, err
	}
	return s, b.scanAtRate(ctx.Context, ctx.Int("pages"), ctx.Float64("clock-speed"), &s)
}

// scanned is what a scan says of itself.
type scanned struct {
	Requests, Records int64
	Windows           int
	Seconds           float64 // by the clock that the simulator has
}

// simulate starts the simulator with records of scanDays.
func (b *bench) simulate(ctx context.Context, records int, args ...string) (*background, error) {
	return b.process(filepath.Join(b.programs, "mdcasim"), append([]string{
		"--seed", strconv.Itoa(dataSeed), "--count", strconv.Itoa(records), "--start", tenant.End.AddDate(0, 0, -scanDays).Format(time.RFC3339), "--end", tenant.End.Format(time.RFC3339),
	}, args...)...).start(ctx)
}

// scanDays are read some days after their end, when all has been saved, and before
// the first of them is older than what the main route shows: a client expects
// nothing from there, and reads it in one window.
const scanDays = 20

var (
	scanSince = tenant.End.AddDate(0, 0, -scanDays).Format(time.DateOnly)
	scanUntil = tenant.End.Format(time.DateOnly)
	allSaved  = tenant.End.AddDate(0, 0, 9)
)

// ingest takes all that a new simulator has, without a limit.
func (b *bench) ingest(ctx context.Context, lake string, records int) (cost, error) {
	sim, err := b.simulate(ctx, records, "--now", allSaved.Format(time.RFC3339), "--rate", "0")
	if err != nil {
		return cost{}, err
	}
	defer sim.stop()
	summary := b.path("summary.json")
	k, err := b.mdcalake("ingest", "--quiet", "--url", sim.line, "--rate", "0", "--since", scanSince, "--until", scanUntil, "--lake", lake, "--summary-json", summary).run(ctx)
	if err != nil {
		return k, err
	}
	text, err := os.ReadFile(summary)
	k.out = string(text)
	return k, err
}

func (b *bench) scanFast(ctx context.Context, records int, s *section) error {
	lake, out := b.path("lake"), b.path("loop.jsonl")
	list := []*contestant{
		{name: "**mdcalake ingest**", ready: fresh(lake), left: filepath.Join(lake, "activities"), run: func(ctx context.Context) (cost, error) { return b.ingest(ctx, lake, records) }},
		{name: "the documentation's loop, into a file", ready: fresh(out), left: out, run: func(ctx context.Context) (cost, error) {
			sim, err := b.simulate(ctx, records, "--now", allSaved.Format(time.RFC3339), "--rate", "0")
			if err != nil {
				return cost{}, err
			}
			defer sim.stop()
			return b.child("loop", "--url", sim.line, "--page", "5000", "--since", scanSince, "--until", scanUntil, out).run(ctx)
		}},
	}
	defer remove(lake, out)
	if err := b.interleave(ctx, b.rounds, list); err != nil {
		return err
	}
	if err := b.verify(ctx, lake); err != nil {
		return err
	}
	s.say("### As fast as it goes: %s records, no latency, no rate\n\nThe simulator makes its pages meanwhile, in a process of its own on the same cores.\n\n%s", count(records), costTable(list, int64(records)))
	text := "| | requests | records |\n|---|---|---|\n"
	var got []int64
	for _, c := range list {
		if c.failed != nil {
			return c.failed
		}
		var x scanned
		if err := json.Unmarshal([]byte(c.costs[len(c.costs)-1].out), &x); err != nil {
			return err
		}
		text += fmt.Sprintf("| %s | %s | %s |\n", c.name, count(x.Requests), count(x.Records))
		got = append(got, x.Records)
	}
	if held, err := rowsIn(lake); err != nil || held != got[1] {
		return fmt.Errorf("the lake has %d records, the loop got %d (%v)", held, got[1], err)
	}
	s.say("%s", text)
	return nil
}

// scanAtRate: 28 requests a minute, 8 s a page, in the time of a fast clock that
// both sides share.
func (b *bench) scanAtRate(ctx context.Context, pages int, speed float64, s *section) error {
	records := pages * slowPage
	lake, out := b.path("lake"), b.path("loop.jsonl")
	defer remove(lake, out)
	fast := strconv.FormatFloat(speed, 'g', -1, 64)
	text := "| | requests | windows | bound | simulated time | the rate forces | times as long | records |\n|---|---|---|---|---|---|---|---|\n"
	var got []int64
	for n, c := range []struct {
		name string
		args []string
	}{
		{"**mdcalake ingest**", []string{"scan", "--speed", fast, "--page", strconv.Itoa(slowPage), "--since", scanSince, "--until", scanUntil, lake}},
		{"the documentation's loop", []string{"loop", "--speed", fast, "--page", strconv.Itoa(slowPage), "--since", scanSince, "--until", scanUntil, out}},
	} {
		sim, err := b.simulate(ctx, records, "--now", allSaved.Format(time.RFC3339), "--run", "--clock-speed", fast, "--latency", slowAnswer.String(), "--rate", strconv.Itoa(tenantRate))
		if err != nil {
			return err
		}
		k, err := b.child(append([]string{c.args[0], "--url", sim.line}, c.args[1:]...)...).run(ctx)
		sim.stop()
		if err != nil {
			return err
		}
		var x scanned
		if err := json.Unmarshal([]byte(k.out), &x); err != nil {
			return err
		}
		got = append(got, x.Records)
		forced := float64(x.Requests) / slowRate * 60
		bound := 1.05*math.Ceil(float64(x.Records)/slowPage) + 2*float64(x.Windows)
		windows := "-"
		if n == 0 {
			windows = count(x.Windows)
			s.facts["scan.requests"] = float64(x.Requests) / bound
			s.facts["scan.forced"] = x.Seconds / forced
		}
		b.progress("  %s: %d requests, %.0f s of simulated time", c.name, x.Requests, x.Seconds)
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", c.name, count(x.Requests), windows, count(int64(bound)), duration(x.Seconds), duration(forced), times(x.Seconds/forced), count(x.Records))
	}
	if err := b.verify(ctx, lake); err != nil {
		return err
	}
	if held, err := rowsIn(lake); err != nil || held != got[1] {
		return fmt.Errorf("the lake has %d records, the loop got %d (%v)", held, got[1], err)
	}
	s.say("### At the rate: %d requests a minute, %s a page of %d records\n\nIn simulated time: the clocks of both sides run %s times as fast. Ours is the package ingest as `mdcalake ingest` uses it, with that clock.\n"+
		"The bound is 1.05 x ceil(records / page) + 2 x windows. The loop asks for one page after the other, and waits where it is told to.\n\n%s", slowRate, slowAnswer, slowPage, fast, text)
	return nil
}
