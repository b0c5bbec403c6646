package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Asks DuckDB how it would run a statement, on tables without rows. It says
// there what each scan has to hand on, after everything that SQL allows in
// between: joins, subqueries, views, constants to be computed.

// planOptimizers are the only ones that may work on such a plan. Any other
// would either take statistics of the empty files for a truth, or make
// operators that cannot be written as JSON. One that a later DuckDB brings is
// off by itself.
var planOptimizers = []string{"expression_rewriter", "filter_pullup", "filter_pushdown", "cte_filter_pusher", "cte_inlining", "regex_range"}

const (
	// planFor is how long planning may take before every file is kept instead:
	// milliseconds nearly always, and never as long as reading too much.
	planFor = 5 * time.Second
	// maxPlan is the longest answer that is read. A list of 10,000 addresses
	// makes 2 MB.
	maxPlan = 16 << 20
)

// errPlanTime says that planning took longer than planFor.
var errPlanTime = errors.New("planning takes too long")

// plan is DuckDB's plan of a statement as JSON. The transaction must be the
// one that the statement runs in: then now() is the same in both.
func (e *Engine) plan(ctx context.Context, in *instance, sql string) (answer []byte, err error) {
	others, err := in.otherOptimizers(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.exec(ctx, "SET disabled_optimizers = "+quoteString(others)); err != nil {
		return nil, fmt.Errorf("plan the statement: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, e.planFor)
	defer cancel()
	// Empty lists and texts are wanted: what is missing is then missing.
	var text string
	err = in.conn.QueryRowContext(limited, "SELECT json_serialize_plan(?::VARCHAR, skip_null := true, skip_empty := false, optimize := true)::VARCHAR", sql).Scan(&text)
	late := err != nil && limited.Err() != nil
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		// The transaction is at its end.
		if rerr := in.exec(ctx, "ROLLBACK; BEGIN TRANSACTION"); rerr != nil {
			return nil, errors.Join(err, rerr)
		}
	}
	if rerr := in.exec(ctx, "RESET disabled_optimizers"); rerr != nil {
		return nil, fmt.Errorf("plan the statement: %w", rerr)
	}
	switch {
	case late:
		return nil, fmt.Errorf("%w: %w", errPlan, errPlanTime)
	case err != nil:
		return nil, planFault("%v", err)
	case len(text) > maxPlan:
		return nil, planFault("it has %d bytes", len(text))
	}
	return []byte(text), nil
}

// otherOptimizers is the list of those that are switched off.
func (in *instance) otherOptimizers(ctx context.Context) (string, error) {
	if in.optimizers == "" {
		err := in.conn.QueryRowContext(ctx, "SELECT string_agg(name, ',') FROM duckdb_optimizers() WHERE name NOT IN ('"+strings.Join(planOptimizers, "','")+"')").Scan(&in.optimizers)
		if err != nil {
			return "", fmt.Errorf("list the optimizers: %w", err)
		}
	}
	return in.optimizers, nil
}
