package hunts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mdcalake/query"
)

// Request is what is asked for.
type Request struct {
	Since, Until time.Time
	// Values of parameters, by hunt and name; under "" for each hunt that has one of
	// that name.
	Values map[string]map[string]string
	Allow  Allowlist
}

// Plan is a hunt that is about to run.
type Plan struct {
	Hunt         *Hunt
	Since, Until time.Time
	Baseline     Baseline
	Allow        Allowlist
	// Refused says why it cannot run; empty: it can.
	Refused string
	values  map[string]query.Literal
}

// from is where the events that it reads begin.
func (p *Plan) from() time.Time { return p.Since.Add(-p.Baseline.Covered) }

// needs are the columns that it reads, the allow-list's included.
func (p *Plan) needs() []string {
	needs := slices.Clone(p.Hunt.Needs)
	for _, c := range p.Allow.columns() {
		if !slices.Contains(needs, c) {
			needs = append(needs, c)
		}
	}
	return needs
}

// Prepare makes the plan of a hunt: its values, and what there is of its
// baseline.
func Prepare(e *query.Engine, h *Hunt, r Request) (*Plan, error) {
	if !r.Since.Before(r.Until) {
		return nil, fmt.Errorf("the window is empty: it begins at %s and ends at %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	}
	p := &Plan{Hunt: h, Since: r.Since, Until: r.Until, Allow: r.Allow, values: map[string]query.Literal{}}
	given := map[string]string{}
	for _, from := range []map[string]string{r.Values[""], r.Values[h.Name]} {
		for name, value := range from {
			given[name] = value
		}
	}
	for _, param := range h.Params {
		value, ok := given[param.Name]
		if !ok {
			value = param.Default
		}
		literal, err := param.Type.literal(value)
		if err != nil {
			return nil, fmt.Errorf("hunt %s: parameter %s: %w", h.Name, param.Name, err)
		}
		p.values[param.Name] = literal
	}
	if h.Baseline > 0 {
		wanted := time.Duration(h.Baseline)
		if value, ok := given["baseline"]; ok {
			var err error
			if wanted, err = ParseDuration(value); err != nil {
				return nil, fmt.Errorf("hunt %s: baseline: %w", h.Name, err)
			}
			if wanted <= 0 {
				return nil, fmt.Errorf("hunt %s: a baseline of %s is none", h.Name, value)
			}
		}
		p.Baseline = BaselineOf(e.Snapshot(), r.Since, wanted)
		enough := p.Baseline.Enough() && (p.Baseline.Whole() || !h.WholeBaseline)
		if !enough && h.OptionalBaseline {
			p.Baseline.Covered = 0
		} else if !enough {
			p.Refused = fmt.Sprintf("its baseline was not collected: %s, %s", p.Baseline, p.Baseline.Why)
		}
	}
	p.values["since"], p.values["until"], p.values["baseline"] = query.Moment(p.Since), query.Moment(p.Until), query.Span(p.Baseline.Covered)
	return p, nil
}

// Outcome is what became of a plan.
type Outcome struct {
	Plan     *Plan
	Findings int64
	// Missing are the columns that it needs and no activity of the window has.
	Missing []string
	Err     error // of the hunt itself; the others ran all the same
}

// Findings are the answers of several hunts, as a table of the engine.
type Findings struct {
	Outcomes []Outcome
	// Least is the least severity that Rows has; "": any. The others are counted all
	// the same.
	Least  Severity
	engine *query.Engine
	tables []string
}

// runs counts them: an engine's stages have names of their own.
var runs atomic.Int64

// Run runs the plans that are not refused, one after the other. Where there are
// several, the lake is read once for all of them. told is called before each.
func Run(ctx context.Context, e *query.Engine, plans []*Plan, told func(*Plan)) (*Findings, error) {
	f := &Findings{engine: e}
	ready := slices.DeleteFunc(slices.Clone(plans), func(p *Plan) bool { return p.Refused != "" })
	from, run, alone := theLake, runs.Add(1), len(ready) == 1
	readOnce := func() (err error) {
		from = source{table: fmt.Sprintf("hunt_events_%d", run), staged: true}
		if _, err = e.Stage(ctx, from.table, stageStatement(ready)); err != nil {
			err = fmt.Errorf("read what the hunts need: %w", err)
		}
		return err
	}
	empty := map[string]bool{}
	if len(ready) > 1 {
		if err := readOnce(); err != nil {
			return nil, err
		}
		var err error
		if empty, err = emptyColumns(ctx, e, from, ready); err != nil {
			return nil, err
		}
	}
	for n, p := range ready {
		told(p)
		o := Outcome{Plan: p}
		table := fmt.Sprintf("hunt_findings_%d_%d", run, n)
		var err error
		o.Findings, err = p.find(ctx, e, from, table)
		if alone && outOfMemory(err) {
			// Its SQL may look at the events several times, and each look takes the records
			// apart, with memory of its own. Where there is enough, one hunt is faster
			// without a stage: most take only the records apart that they are after.
			if err = readOnce(); err == nil {
				o.Findings, err = p.find(ctx, e, from, table)
			}
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			o.Err = fmt.Errorf("hunt %s: %w", p.Hunt.Name, err)
		} else {
			f.tables = append(f.tables, table)
		}
		if err == nil && alone && o.Findings == 0 {
			if empty, err = emptyColumns(ctx, e, from, ready); err != nil {
				return nil, err
			}
		}
		for _, need := range p.Hunt.Needs {
			if empty[need] {
				o.Missing = append(o.Missing, need)
			}
		}
		f.Outcomes = append(f.Outcomes, o)
	}
	return f, nil
}

// find puts what a plan finds into a table of the engine, and answers how many
// findings there are.
func (p *Plan) find(ctx context.Context, e *query.Engine, from source, table string) (int64, error) {
	sql, err := p.statement(from)
	if err != nil {
		return 0, err
	}
	s, err := e.Stage(ctx, table, sql)
	return s.Rows, err
}

func outOfMemory(err error) bool {
	var of *query.Error
	return errors.As(err, &of) && of.Kind == query.OutOfMemory
}

// emptyColumns are the needed columns that no activity of the window has.
func emptyColumns(ctx context.Context, e *query.Engine, from source, plans []*Plan) (map[string]bool, error) {
	var needs, counts []string
	for _, p := range plans {
		for _, need := range p.Hunt.Needs {
			if !slices.Contains(needs, need) {
				needs = append(needs, need)
				counts = append(counts, fmt.Sprintf("count(%s) AS c%d", quoted(need), len(counts)))
			}
		}
	}
	var numbers map[string]int64
	// All of them have the same window.
	err := query.Each(ctx, e, "SELECT count(*) AS n, "+strings.Join(counts, ", ")+" FROM ("+from.events(needs, plans[0].Since, plans[0].Until, "")+")",
		func(of map[string]int64) error { numbers = of; return nil })
	if err != nil {
		return nil, fmt.Errorf("see what the events have: %w", err)
	}
	empty := map[string]bool{}
	for i, need := range needs {
		// Where there is nothing at all, nothing is missing.
		empty[need] = numbers["n"] > 0 && numbers[fmt.Sprintf("c%d", i)] == 0
	}
	return empty, nil
}

// Rows are all findings, the gravest first. The caller closes them. drawn: for
// people to look at, who see the first activity of each and how many more it
// names.
func (f *Findings) Rows(ctx context.Context, drawn bool) (*query.Rows, error) {
	columns := "*"
	if drawn {
		columns = "* REPLACE (activity_ids[1] || CASE WHEN len(activity_ids) > 1 THEN format(' and {} more', len(activity_ids) - 1) ELSE '' END AS activity_ids)"
	}
	return f.engine.Query(ctx, "SELECT "+columns+" FROM (SELECT * FROM ("+f.union()+")"+f.least()+" ORDER BY "+findingOrder+")")
}

// BySeverity are the numbers of findings.
func (f *Findings) BySeverity(ctx context.Context) (map[Severity]int64, error) {
	counts := map[Severity]int64{}
	err := query.Each(ctx, f.engine, "SELECT severity, count(*) AS n FROM ("+f.union()+") GROUP BY ALL", func(of struct {
		Severity Severity
		N        int64
	}) error {
		counts[of.Severity] = of.N
		return nil
	})
	return counts, err
}

// least is the condition that leaves out what is less severe.
func (f *Findings) least() string {
	i := slices.Index(Severities, f.Least)
	if i < 0 {
		return ""
	}
	var of []string
	for _, s := range Severities[:i+1] {
		of = append(of, string(query.Text(string(s))))
	}
	return " WHERE severity IN (" + strings.Join(of, ", ") + ")"
}

func (f *Findings) union() string {
	if len(f.tables) == 0 {
		return "SELECT '' AS hunt, * FROM (" + noFinding + ")"
	}
	var parts []string
	for _, t := range f.tables {
		parts = append(parts, "SELECT "+strings.Join(FindingColumns, ", ")+" FROM "+t)
	}
	return strings.Join(parts, " UNION ALL ")
}
