package main

import (
	"context"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator"
)

// parsed is what the flags come to, without running it.
func parsed(t *testing.T, args ...string) simulator.Program {
	t.Helper()
	var p simulator.Program
	a := newApp(io.Discard, io.Discard)
	a.Action = func(c *cli.Context) error {
		var err error
		p, err = program(c)
		return err
	}
	if err := a.RunContext(context.Background(), flagsFirst(a, append([]string{"mdcasim"}, args...))); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return p
}

// A flag that is read nowhere would be found here: each one, alone, must change
// what the program does.
func TestEveryFlagChangesTheProgram(t *testing.T) {
	const at = "2026-11-20T12:00:00Z"
	values := map[string]string{"fault": "reset@page=1", "listen": "127.0.0.1:9", "start": at, "end": at, "since": at, "until": at, "connector-at": at, "stories-from": at, "stories-until": at, "stories": "all", "sign-in-fault": "AADSTS7000222@1"}
	besides := map[string][]string{"truth-only": {"--truth", "t"}, "archived": {"--truth", "t"}, "allow-list": {"--noise"}}
	for _, name := range []string{"stories-from", "stories-until", "story-truth"} {
		besides[name] = []string{"--stories", "all"}
	}
	for _, name := range []string{"entra-client", "entra-secret-file", "entra-certificate", "token-life", "token-uses", "token-text-life", "token-audience", "token-no-roles", "sign-in-echo", "sign-in-fault"} {
		besides[name] = []string{"--entra-tenant", "contoso.example"}
	}
	for _, f := range newApp(io.Discard, io.Discard).Flags {
		name := f.Names()[0]
		switch name {
		case "help", "version", "now", "run", "ahead", "clock-speed": // the next test is theirs
			continue
		}
		args := slices.Clone(besides[name])
		without := parsed(t, args...)
		switch f.(type) {
		case *cli.BoolFlag:
			args = append(args, "--"+name)
		case *cli.DurationFlag:
			args = append(args, "--"+name, "77s")
		case *cli.Float64Flag:
			args = append(args, "--"+name, "0.25")
		case *cli.StringFlag, *cli.StringSliceFlag:
			value := values[name]
			if value == "" {
				value = "anything"
			}
			args = append(args, "--"+name, value)
		default:
			args = append(args, "--"+name, "3")
		}
		with := parsed(t, args...)
		for _, p := range []*simulator.Program{&with, &without} {
			p.Options.Clock, p.Options.RateClock = nil, nil
		}
		if reflect.DeepEqual(with, without) {
			t.Errorf("%s changes nothing", strings.Join(args, " "))
		}
	}
}

func TestClocksOfTheFlags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		now := at.Format(time.RFC3339)
		for _, c := range []struct {
			args        []string
			clock, rate time.Duration // after ten seconds
			latency     time.Duration
		}{
			{[]string{"--now", now}, 0, 10 * time.Second, time.Minute},
			{[]string{"--now", now, "--run"}, 10 * time.Second, 10 * time.Second, time.Minute},
			{[]string{"--now", now, "--run", "--clock-speed", "360"}, time.Hour, time.Hour, time.Second / 6},
		} {
			o := parsed(t, append(c.args, "--latency", "1m")...).Options
			rate := o.RateClock()
			time.Sleep(10 * time.Second) // the test's time is not real
			if got := o.Clock().Sub(at); got != c.clock {
				t.Errorf("%v: the clock ran %s, want %s", c.args, got, c.clock)
			}
			if got := o.RateClock().Sub(rate); got != c.rate {
				t.Errorf("%v: the rate's clock ran %s, want %s", c.args, got, c.rate)
			}
			if d := o.Latency - c.latency; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("%v: latency %s, want %s", c.args, o.Latency, c.latency)
			}
		}
		if o := parsed(t, "--now", now, "--ahead", "3h").Options; !o.End.Equal(at.Add(3 * time.Hour)) {
			t.Errorf("ahead: the span ends at %s", o.End)
		}
	})
}
