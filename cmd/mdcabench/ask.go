package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator/tenant"
	"mdcalake/query"
	"mdcalake/query/querytest"
	"mdcalake/store"
)

// Asking, as children: DuckDB alone, once from nothing (glimpse); both from within a
// process that is warm (warm); and what there is to ask for (values).

// askFlags say what DuckDB is to ask over.
func askFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "lake", Usage: "over its files, by a glob"},
		&cli.StringFlag{Name: "lift", Usage: "over records, by this SELECT"},
		&cli.StringFlag{Name: "values", Usage: "of parameters, as JSON"},
	}
}

func openAsked(ctx *cli.Context) (querytest.DuckDB, error) {
	var statements []string
	switch {
	case ctx.IsSet("lake"):
		statements = querytest.OverGlob(ctx.String("lake"))
	case ctx.IsSet("lift"):
		statements = querytest.OverRecords(ctx.String("lift"))
	}
	return querytest.Open(ctx.Context, statements...)
}

// glimpseCommand answers how many rows a question has.
func glimpseCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "glimpse", Flags: askFlags(),
		Action: func(ctx *cli.Context) error {
			values, err := valuesOf(ctx)
			if err != nil {
				return err
			}
			d, err := openAsked(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			q := querytest.Question{SQL: ctx.Args().First()}
			a, err := d.Ask(ctx.Context, q.SQL, q.Args(values)...)
			if err != nil {
				return err
			}
			return answerJSON(c, len(a.Rows))
		},
	}
}

func nothingCommand() *cli.Command {
	return &cli.Command{Name: "nothing", Action: func(*cli.Context) error { return nil }}
}

func valuesOf(ctx *cli.Context) (values map[string]string, err error) {
	if ctx.IsSet("values") {
		err = json.Unmarshal([]byte(ctx.String("values")), &values)
	}
	return values, err
}

// asked is what there is to ask for in a lake.
type asked struct {
	Values map[string]string
	Cells  map[string]int // question -> cells (date, service) that hold what it looks for
}

func valuesCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "values", Flags: append(askFlags(), &cli.StringFlag{Name: "attack"}),
		Action: func(ctx *cli.Context) error {
			attack, err := time.Parse(time.RFC3339, ctx.String("attack"))
			if err != nil {
				return err
			}
			d, err := openAsked(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			a, err := findAsked(ctx.Context, d, attack)
			if err != nil {
				return err
			}
			return answerJSON(c, a)
		},
	}
}

func findAsked(ctx context.Context, d querytest.DuckDB, attack time.Time) (a asked, err error) {
	if a.Values, err = querytest.FindValues(ctx, d, attack); err != nil {
		return a, err
	}
	day, err := time.Parse(time.DateOnly, a.Values["day"])
	if err != nil {
		return a, err
	}
	a.Values["next_day"] = day.AddDate(0, 0, 1).Format(time.DateOnly)
	a.Values["account"], a.Values["stranger"] = tenant.Account, tenant.Stranger
	a.Cells = map[string]int{}
	for name, where := range map[string]string{
		"one-user": "user_name = " + querytest.Literal(a.Values["account"]), "one-ip": "ip = " + querytest.Literal(a.Values["stranger"]),
		"one-object": "object_id = " + querytest.Literal(a.Values["object"]),
	} {
		answer, err := d.Ask(ctx, "SELECT count(*) FROM (SELECT DISTINCT date, service FROM activities WHERE "+where+")")
		if err != nil {
			return a, err
		}
		a.Cells[name] = int(answer.Rows[0][0].(int64))
	}
	return a, nil
}

// warmCommand asks each question (name, SQL, name, SQL, ...) twice and answers how
// long the second time took, in seconds: ours through the package query, as the
// prompt does, or DuckDB over the glob.
func warmCommand(c console) *cli.Command {
	return &cli.Command{
		Name: "warm", Flags: append(askFlags(), &cli.StringFlag{Name: "ours"}),
		Action: func(ctx *cli.Context) error {
			values, err := valuesOf(ctx)
			if err != nil {
				return err
			}
			ask, done, err := asker(ctx, values)
			if err != nil {
				return err
			}
			defer done()
			took := map[string]float64{}
			for n := 0; n+1 < ctx.Args().Len(); n += 2 {
				q := querytest.Question{Name: ctx.Args().Get(n), SQL: ctx.Args().Get(n + 1)}
				for range 2 {
					began := time.Now()
					if err := ask(q); err != nil {
						return fmt.Errorf("%s: %w", q.Name, err)
					}
					took[q.Name] = time.Since(began).Seconds()
				}
			}
			return answerJSON(c, took)
		},
	}
}

func asker(ctx *cli.Context, values map[string]string) (ask func(querytest.Question) error, done func(), err error) {
	if !ctx.IsSet("ours") {
		d, err := openAsked(ctx)
		if err != nil {
			return nil, nil, err
		}
		return func(q querytest.Question) error {
			_, err := d.Ask(ctx.Context, q.SQL, q.Args(values)...)
			return err
		}, func() { d.Close() }, nil
	}
	temp, err := os.MkdirTemp("", "mdcabench-")
	if err != nil {
		return nil, nil, err
	}
	lake, err := store.Open(ctx.String("ours"))
	if err != nil {
		return nil, nil, err
	}
	e, err := query.Open(ctx.Context, query.Options{Snapshot: lake.Snapshot(), TempDir: temp})
	if err != nil {
		return nil, nil, errors.Join(err, lake.Close())
	}
	return func(q querytest.Question) error { return askOurs(ctx.Context, e, q, values) },
		func() { e.Close(); lake.Close(); os.RemoveAll(temp) }, nil
}

func askOurs(ctx context.Context, e *query.Engine, q querytest.Question, values map[string]string) error {
	var given []query.Parameter
	for _, name := range query.Parameters(q.SQL) {
		given = append(given, query.Parameter{Name: name, Value: values[name]})
	}
	bound, _, err := e.Bind(ctx, q.SQL, given)
	if err != nil {
		return err
	}
	rows, err := e.Query(ctx, bound)
	if err != nil {
		return err
	}
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			return rows.Close()
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
		batch.Release()
	}
}
