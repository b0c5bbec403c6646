package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/duckdb/duckdb-go/v2"
)

// furnish gives the instance its tables, empty as yet where they are files. A
// statement that names none pays for none.
func (e *Engine) furnish(ctx context.Context, in *instance, q *question) error {
	if err := registerTexts(in, e.functions); err != nil {
		return err
	}
	for _, t := range lakeTables {
		if !q.tree.sees(t.name) {
			continue
		}
		tpl, err := e.template(t)
		if err != nil {
			return err
		}
		if err := in.exec(ctx, "SET VARIABLE "+t.variable()+" = $1", []string{tpl.path}); err != nil {
			return fmt.Errorf("name the files of %s: %w", t.name, err)
		}
	}
	if sql := createTables(q, e.snapshot) + createStaged(q, e.staged()); sql != "" {
		if err := in.exec(ctx, sql); err != nil {
			return fmt.Errorf("make the tables of the lake: %w", err)
		}
	}
	return e.fill(in, q)
}

// allow locks the instance. Of files it leaves it those that were chosen, what was
// staged, and those of ours that are named.
func (e *Engine) allow(ctx context.Context, in *instance, q *question, chosen files, own ...string) error {
	allowed := own
	for _, t := range e.staged() {
		if q.tree.sees(t.name) {
			allowed = append(allowed, t.path)
		}
	}
	for _, t := range lakeTables {
		if !q.tree.sees(t.name) {
			continue
		}
		tpl, err := e.template(t)
		if err != nil {
			return err
		}
		allowed = append(append(allowed, tpl.path), chosen.paths(t)...)
	}
	return in.lock(ctx, allowed)
}

// hand gives the tables the files that were chosen, in place of the templates.
func (e *Engine) hand(ctx context.Context, in *instance, q *question, chosen files) error {
	for _, t := range lakeTables {
		paths := chosen.paths(t)
		if !q.tree.sees(t.name) || len(paths) == 0 {
			continue // the template stays: a list may not be empty
		}
		if err := in.exec(ctx, "SET VARIABLE "+t.variable()+" = $1", paths); err != nil {
			return fmt.Errorf("name the files of %s: %w", t.name, err)
		}
	}
	return nil
}

// fill puts the ledger into its tables, where the statement reads them.
func (e *Engine) fill(in *instance, q *question) error {
	for _, t := range memoryTables {
		if !q.reads(t.asked()) {
			continue
		}
		err := in.conn.Raw(func(c any) error {
			a, err := duckdb.NewAppenderFromConn(c.(driver.Conn), t.schema, t.name)
			if err != nil {
				return err
			}
			err = t.rows(e.snapshot, func(values ...any) error {
				row := make([]driver.Value, len(values))
				for i, v := range values {
					row[i] = v
				}
				return a.AppendRow(row...)
			})
			return errors.Join(err, a.Close())
		})
		if err != nil {
			return fmt.Errorf("fill the table %s: %w", t.name, err)
		}
	}
	return nil
}
