package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query/querytest"
	"mdcalake/store"
)

// Query: the twelve questions of testdata/questions and five needles
// (testdata/bench/needles), put to a year beside DuckDB over the same files by a glob,
// as one who has just come and as one who has been there; and, where there are fewer
// records, beside DuckDB over the records as they came, which is what one has without
// a lake.

func queryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "records", Value: 5_000_000, Usage: "in the year"},
		&cli.IntFlag{Name: "in-files", Value: 200_000, Usage: "in the year that is also asked as records; 0: not"},
	}
}

func (b *bench) queryPart(ctx *cli.Context) (section, error) {
	s := newSection("query", "Query")
	questions, err := b.questions()
	if err != nil {
		return s, err
	}
	y := yearAsked{bench: b, lake: b.path("lake"), questions: questions, rounds: min(b.rounds, 3),
		dataset: dataset{kind: "year", records: ctx.Int("records"), days: ctx.Int("days"), services: ctx.Int("services")}}
	if err := y.make(ctx.Context, ""); err != nil {
		return s, err
	}
	s.say("Answers are the same value by value: `make questions` holds them together. Times are of whole processes, %s: ours writes CSV into a pipe,\n"+
		"DuckDB is opened by the same driver, makes a view over `activities/date=*/service=*/*.parquet` and fetches all rows. *Warm* is the second time the same\n"+
		"question is put within one process, ours through the package query as the prompt does.", b.warmth())
	if err := y.glob(ctx.Context, &s); err != nil {
		return s, err
	}
	if err := y.oneDay(ctx.Context, &s); err != nil {
		return s, err
	}
	if err := remove(y.lake); err != nil || ctx.Int("in-files") == 0 {
		return s, err
	}
	y.dataset.records, y.dataset.clean = ctx.Int("in-files"), true
	return s, y.records(ctx.Context, &s)
}

// questions are all of them, in the order of the table.
func (b *bench) questions() ([]querytest.Question, error) {
	needles, err := querytest.ReadQuestions(filepath.Join(b.testdata, "bench", "needles"))
	if err != nil {
		return nil, err
	}
	hunts, err := querytest.ReadQuestions(filepath.Join(b.testdata, "questions"))
	return append(needles, hunts...), err
}

// yearAsked is a lake of a year that is asked.
type yearAsked struct {
	*bench
	dataset
	lake      string
	questions []querytest.Question
	rounds    int
	asked     asked
	given     string // the values, as JSON
}

// make makes the lake, or brings a file into it.
func (y *yearAsked) make(ctx context.Context, file string) error {
	of := y.tenant()
	var err error
	if file == "" {
		err = y.fillYear(ctx, y.lake, y.dataset, false)
	} else {
		_, err = y.must(ctx, y.mdcalake("import", "--quiet", "--lake", y.lake, file))
	}
	if err != nil {
		return err
	}
	if err := y.verify(ctx, y.lake); err != nil {
		return err
	}
	k, err := y.must(ctx, y.child("values", "--lake", y.lake, "--attack", of.Attack().Format(time.RFC3339)))
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(k.out), &y.asked); err != nil {
		return err
	}
	values, err := json.Marshal(y.asked.Values)
	y.given = string(values)
	return err
}

// ours puts a question to mdcalake.
func (y *yearAsked) ours(q querytest.Question, lake string) *contestant {
	p := y.mdcalake(append([]string{"query", "--lake", lake, "-f", q.Path, "-o", "csv", "--timing"}, q.Flags(y.asked.Values)...)...)
	return &contestant{name: "mdcalake, " + q.Name, run: func(ctx context.Context) (cost, error) {
		k, err := p.run(ctx)
		if err != nil {
			return k, err
		}
		said := answered.FindStringSubmatch(k.errs)
		if said == nil {
			return k, fmt.Errorf("%s: --timing does not tell rows and files: %s", q.Name, k.errs)
		}
		k.rows, k.files = number(said[1]), int(number(said[2]))
		return k, nil
	}}
}

// answered is where --timing says rows and files.
var answered = regexp.MustCompile(`([\d,]+) rows? in .*\(([\d,]+) files?, `)

func number(text string) int64 {
	n, _ := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64) // digits and commas, as matched
	return n
}

// duckdb puts it to DuckDB over something.
func (y *yearAsked) duckdb(q querytest.Question, over ...string) *contestant {
	p := y.child(append(append([]string{"glimpse"}, over...), "--values", y.given, "--", q.SQL)...)
	return &contestant{name: "DuckDB, " + q.Name, run: func(ctx context.Context) (cost, error) {
		k, err := p.run(ctx)
		if err == nil {
			err = json.Unmarshal([]byte(k.out), &k.rows)
		}
		return k, err
	}}
}

// pair lets both answer in turn, and wants as many rows of both.
func (y *yearAsked) pair(ctx context.Context, q querytest.Question, lake string, over ...string) (ours, duck *contestant, err error) {
	ours, duck = y.ours(q, lake), y.duckdb(q, over...)
	if err := y.interleave(ctx, y.rounds, []*contestant{ours, duck}); err != nil {
		return ours, duck, err
	}
	if duck.failed != nil {
		return ours, duck, duck.failed
	}
	if a, b := ours.costs[0].rows, duck.costs[0].rows; a != b {
		return ours, duck, fmt.Errorf("%s: %d rows of mdcalake, %d of DuckDB", q.Name, a, b)
	}
	return ours, duck, nil
}

func (y *yearAsked) glob(ctx context.Context, s *section) error {
	var table strings.Builder
	warmOurs, warmGlob, err := y.warm(ctx)
	if err != nil {
		return err
	}
	fileCount, bytes, err := filesIn(y.lake)
	if err != nil {
		return err
	}
	for _, q := range y.questions {
		ours, duck, err := y.pair(ctx, q, y.lake, "--lake", y.lake)
		if err != nil {
			return err
		}
		speed := duck.series(wall).over(ours.series(wall))
		warmSpeed := warmGlob[q.Name].over(warmOurs[q.Name])
		k := ours.costs[0]
		fmt.Fprintf(&table, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", q.Name, count(k.rows), count(k.files), ours.series(wall).show(duration), duck.series(wall).show(duration), speed.show(times),
			duration(ours.series(cpu).median()), duration(duck.series(cpu).median()), warmOurs[q.Name].show(duration), warmGlob[q.Name].show(duration), warmSpeed.show(times))
		s.facts["query."+q.Name+".speed"] = speed.median()
		if cells, ok := y.asked.Cells[q.Name]; ok {
			s.facts["query."+q.Name+".extra"] = float64(k.files - cells)
		}
	}
	s.say("### %s records of %d days x %d services: %s files, %s\n\n| question | rows | files read | mdcalake | DuckDB over the glob | times faster | CPU | CPU of DuckDB | warm | DuckDB warm | times faster warm |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|\n%s", count(y.dataset.records), y.days, y.services, count(fileCount), size(bytes), table.String())
	s.say("Cells that hold what is looked for: user %d, IP %d, object %d.", y.asked.Cells["one-user"], y.asked.Cells["one-ip"], y.asked.Cells["one-object"])
	return nil
}

// warm is one process of each in turn, which is asked everything twice.
func (y *yearAsked) warm(ctx context.Context) (ours, glob map[string]series, err error) {
	var all []string
	for _, q := range y.questions {
		all = append(all, q.Name, q.SQL)
	}
	ours, glob = map[string]series{}, map[string]series{}
	for range y.rounds {
		for _, c := range []struct {
			flag string
			into map[string]series
		}{{"--ours", ours}, {"--lake", glob}} {
			k, err := y.must(ctx, y.child(append([]string{"warm", c.flag, y.lake, "--values", y.given, "--"}, all...)...))
			if err != nil {
				return nil, nil, err
			}
			var took map[string]float64
			if err := json.Unmarshal([]byte(k.out), &took); err != nil {
				return nil, nil, err
			}
			for name, seconds := range took {
				c.into[name] = append(c.into[name], seconds)
			}
			y.progress("  warm, %s: %s", c.flag, duration(k.wall.Seconds()))
		}
	}
	return ours, glob, nil
}

// oneDay: the same day in a lake that has no other. What the year costs beyond that
// is the price of finding the day.
func (y *yearAsked) oneDay(ctx context.Context, s *section) error {
	lake := y.path("day")
	defer remove(lake)
	d := y.dataset
	d.since, d.until = y.asked.Values["day"], y.asked.Values["next_day"]
	if err := y.fill(ctx, lake, d); err != nil {
		return err
	}
	if err := y.verify(ctx, lake); err != nil {
		return err
	}
	text := "| question | of a lake with this day alone | of the year | over its own work |\n|---|---|---|---|\n"
	for _, q := range y.questions {
		if !strings.HasPrefix(q.Name, "day-by-") {
			continue
		}
		year, day := y.ours(q, y.lake), y.ours(q, lake)
		if err := y.interleave(ctx, 3*y.rounds, []*contestant{year, day}); err != nil {
			return err
		}
		if day.failed != nil {
			return day.failed
		}
		over := year.series(wall).less(day.series(wall))
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", q.Name, day.series(wall).show(duration), year.series(wall).show(duration), over.show(duration))
		s.facts["query."+q.Name+".over"] = over.median()
	}
	s.say("What it costs to find one day of the year:\n\n%s", text)
	return nil
}

// records: both over fewer records, DuckDB over the file of them.
func (y *yearAsked) records(ctx context.Context, s *section) error {
	file, bytes, err := y.bench.make(ctx, y.dataset, "year.jsonl")
	if err != nil {
		return err
	}
	if err := y.make(ctx, file); err != nil {
		return err
	}
	lift, err := y.lift("activities.sql", querytest.Literal(file))
	if err != nil {
		return err
	}
	if err := y.warmFile(file); err != nil {
		return err
	}
	text := "| question | rows | mdcalake | DuckDB over the records | times faster |\n|---|---|---|---|---|\n"
	for _, q := range y.questions {
		ours, duck, err := y.pair(ctx, q, y.lake, "--lift", lift)
		if err != nil {
			return err
		}
		text += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", q.Name, count(ours.costs[0].rows), ours.series(wall).show(duration), duck.series(wall).show(duration), duck.series(wall).over(ours.series(wall)).show(times))
	}
	s.say("### %s records, and DuckDB over the NDJSON itself: %s\n\nDuckDB's view is the SELECT of [activities.sql](../bench/activities.sql).\n\n%s", count(y.dataset.records), size(bytes), text)
	return nil
}

func (y *yearAsked) warmFile(path string) error { return y.bench.warm(path) }

// filesIn are the files of activities that a lake has.
func filesIn(lake string) (files int, bytes int64, err error) {
	l, err := store.Open(lake)
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	for _, f := range l.Snapshot().Files {
		bytes += f.Size
	}
	return len(l.Snapshot().Files), bytes, nil
}

// rowsIn is how many activities it has.
func rowsIn(lake string) (rows int64, err error) {
	l, err := store.Open(lake)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	for _, f := range l.Snapshot().Files {
		rows += f.Rows
	}
	return rows, nil
}
