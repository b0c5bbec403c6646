package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

// The loop that the API's documentation shows: post the filters, keep the data, put
// nextQueryFilters in their place, until hasNext is false. It knows no more of
// trouble than to wait when it is told to.

func scanningFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "url"}, &cli.IntFlag{Name: "page"}, &cli.StringFlag{Name: "since"}, &cli.StringFlag{Name: "until"},
		&cli.Float64Flag{Name: "speed", Value: 1},
	}
}

func between(ctx *cli.Context) (since, until time.Time, err error) {
	if since, err = time.Parse(time.DateOnly, ctx.String("since")); err == nil {
		until, err = time.Parse(time.DateOnly, ctx.String("until"))
	}
	return since, until, err
}

func loopCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "loop", Flags: scanningFlags(),
		Action: func(ctx *cli.Context) error {
			since, until, err := between(ctx)
			if err != nil {
				return err
			}
			clock := newFastClock(time.Now(), ctx.Float64("speed"))
			began := clock.Now()
			l := loop{url: ctx.String("url") + "/api/v1/activities/", page: ctx.Int("page"), clock: clock}
			if err := writeFile(ctx.Args().First(), func(w io.Writer) error { return l.run(ctx.Context, w, since, until) }); err != nil {
				return err
			}
			return answerJSON(c, scanned{Requests: l.requests, Records: l.records, Seconds: clock.Now().Sub(began).Seconds()})
		},
	}
}

type loop struct {
	url               string
	page              int
	clock             ingest.Clock
	requests, records int64
}

func (l *loop) run(ctx context.Context, w io.Writer, since, until time.Time) error {
	filters := json.RawMessage(fmt.Sprintf(`{"date":{"gte":%d,"lte":%d}}`, since.UnixMilli(), until.UnixMilli()-1))
	for {
		body := fmt.Appendf(nil, `{"filters":%s,"isScan":true,"limit":%d,"sortField":"date","sortDirection":"asc"}`, filters, l.page)
		answer, wait, err := l.ask(ctx, body)
		if err != nil {
			return err
		}
		if wait > 0 {
			if err := l.clock.Sleep(ctx, wait); err != nil {
				return err
			}
			continue
		}
		for _, record := range answer.Data {
			if _, err := w.Write(append(record, '\n')); err != nil {
				return err
			}
		}
		l.records += int64(len(answer.Data))
		if !answer.HasNext {
			return nil
		}
		filters = answer.NextQueryFilters
	}
}

// listAnswer is a page.
type listAnswer struct {
	Data             []json.RawMessage `json:"data"`
	HasNext          bool              `json:"hasNext"`
	NextQueryFilters json.RawMessage   `json:"nextQueryFilters"`
}

func (l *loop) ask(ctx context.Context, body []byte) (a listAnswer, wait time.Duration, err error) {
	l.requests++
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return a, 0, err
	}
	r.Header.Set("Authorization", "Token bench")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return a, 0, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return a, 0, json.NewDecoder(bufio.NewReader(answer.Body)).Decode(&a)
	case http.StatusTooManyRequests:
		seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil {
			seconds = 60
		}
		return a, max(time.Duration(seconds), 1) * time.Second, nil
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 500)) // for the message only
	return a, 0, fmt.Errorf("%s: %s: %s", l.url, answer.Status, text)
}

// fastClock runs so many times as fast as the machine's.
type fastClock struct {
	began, shows time.Time
	speed        float64
}

func newFastClock(shows time.Time, speed float64) fastClock {
	return fastClock{began: time.Now(), shows: shows, speed: speed}
}

func (c fastClock) Now() time.Time {
	return c.shows.Add(time.Duration(float64(time.Since(c.began)) * c.speed))
}

func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	return ingest.SystemClock().Sleep(ctx, time.Duration(float64(d)/c.speed)+time.Microsecond)
}

// fastScanCommand is mdcalake ingest with that clock, which the program itself has
// not: nobody should be able to give it a wrong one.
func fastScanCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "scan", Flags: scanningFlags(),
		Action: func(ctx *cli.Context) error {
			since, until, err := between(ctx)
			if err != nil {
				return err
			}
			clock := newFastClock(allSaved, ctx.Float64("speed"))
			began := clock.Now()
			s, err := fastScan(ctx.Context, ctx.Args().First(), ingest.ClientOptions{BaseURL: ctx.String("url"), Rate: slowRate, UserAgent: "mdcabench", Clock: clock},
				ingest.Options{Since: since, Until: until, PageSize: ctx.Int("page"), Clock: clock, ToolVersion: "mdcabench"})
			if err != nil {
				return err
			}
			if s.Run.Outcome != ingest.OutcomeComplete {
				return fmt.Errorf("the scan ended as %s", s.Run.Outcome)
			}
			return answerJSON(c, scanned{Requests: s.Run.Requests, Records: s.Run.Records, Windows: s.Windows, Seconds: clock.Now().Sub(began).Seconds()})
		},
	}
}

func fastScan(ctx context.Context, lake string, client ingest.ClientOptions, o ingest.Options) (s *ingest.Summary, err error) {
	if client.Credential, err = ingest.NewTokenCredential("bench"); err != nil {
		return nil, err
	}
	if o.Client, err = ingest.NewClient(client); err != nil {
		return nil, err
	}
	defer o.Client.Close()
	if o.Writer, err = openWriter(lake); err != nil {
		return nil, err
	}
	defer o.Writer.Close()
	return ingest.Run(ctx, o)
}

func openWriter(lake string) (*store.Writer, error) {
	return store.OpenWriter(lake, store.WriterOptions{ToolVersion: "mdcabench", Verb: "scan"})
}
