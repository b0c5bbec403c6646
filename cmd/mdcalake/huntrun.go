package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/query"
	"mdcalake/query/hunts"
	"mdcalake/store"
)

// huntMemory is what the engine's buffers may take when nobody says: with what lies
// beside them a run stays within 1 GiB, and spills to the disk beyond.
const huntMemory = "512MiB"

// huntDays is the window when nobody says.
const huntDays = 7

func huntRun(ctx *cli.Context, c console, all []*hunts.Hunt, names []string) (err error) {
	const hint = "mdcalake hunt run NAME..., or mdcalake hunt run --all"
	chosen := all
	switch {
	case ctx.Bool("all") && len(names) > 0:
		return usage(hint, "--all runs every hunt, and %q names one", names[0])
	case !ctx.Bool("all") && len(names) == 0:
		return usage(hint, "hunt run takes names of hunts")
	case len(names) > 0:
		if chosen, err = chooseHunts(all, names); err != nil {
			return err
		}
	}
	format, err := formatOf(ctx)
	if err != nil {
		return err
	}
	if least := hunts.Severity(ctx.String("severity")); ctx.IsSet("severity") && !slices.Contains(hunts.Severities, least) {
		return usage("choose one of high, medium, low, informational", "--severity %q is none", least)
	}
	h, err := openHunting(ctx, c, chosen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	out := h.out
	r := huntReport{c: c, quiet: ctx.Bool("quiet"), all: ctx.Bool("all"), request: h.request}
	if err := noneRuns(h.plans); err != nil && !r.all {
		return err
	}
	r.begin(h.plans)
	began := time.Now()
	progress := newHuntProgress(c, ctx.Bool("quiet"))
	found, err := hunts.Run(ctx.Context, h.engine, h.plans, progress.hunt)
	progress.clear()
	if err != nil {
		return err
	}
	found.Least = hunts.Severity(ctx.String("severity"))
	failed := huntFaults(c, found)
	if failed != nil && len(h.plans) == 1 {
		return failed
	}
	rows, err := found.Rows(ctx.Context, format.Drawn() && out.file == nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := writeWhole(ctx, c, out, format, rows); err != nil {
		return err
	}
	counts, err := found.BySeverity(ctx.Context)
	if err != nil {
		return err
	}
	verdict := r.end(h.lake.Snapshot(), found, h.plans, counts, time.Since(began), ctx.Bool("require-coverage"))
	if failed != nil {
		return failed
	}
	return verdict
}

// huntFaults names the hunts that failed; what is wrong with the last of them is
// told as the program's own error.
func huntFaults(c console, found *hunts.Findings) (last error) {
	for _, o := range found.Outcomes {
		if o.Err == nil {
			continue
		}
		if last != nil {
			c.explain(last)
		}
		if len(found.Outcomes) > 1 {
			fmt.Fprintf(c.err, "the hunt %s failed\n", o.Plan.Hunt.Name)
		}
		last = o.Err
	}
	return last
}

// hunting is a lake that hunts are about to run over.
type hunting struct {
	lake    *store.Lake
	engine  *query.Engine
	request hunts.Request
	plans   []*hunts.Plan
	out     *output
}

func (h *hunting) close() error {
	var err error
	if h.out != nil {
		h.out.discard()
	}
	if h.engine != nil {
		err = h.engine.Close()
	}
	return errors.Join(err, h.lake.Close())
}

// openHunting reads what the flags say of a run.
func openHunting(ctx *cli.Context, c console, chosen []*hunts.Hunt) (h *hunting, err error) {
	limit := huntMemory
	if ctx.IsSet("memory-limit") {
		if limit = ctx.String("memory-limit"); !memorySize.MatchString(limit) {
			return nil, usage("write 500MB or 2GiB", "--memory-limit %q is no size", limit)
		}
	}
	selection, err := selectionOf(ctx, c.now())
	if err != nil {
		return nil, err
	}
	request := hunts.Request{}
	if request.Values, err = huntValues(ctx.StringSlice("p"), chosen); err != nil {
		return nil, err
	}
	if ctx.IsSet("allow") {
		if request.Allow, err = hunts.ReadAllowlist(ctx.String("allow")); err != nil {
			return nil, err
		}
	}
	startFast(c.getenv)
	starting := query.Start(ctx.Context, limit)
	defer starting.Close()
	lake, err := store.Open(ctx.String("lake"))
	if err != nil {
		return nil, err
	}
	h = &hunting{lake: lake}
	fail := func(err error) (*hunting, error) { return nil, errors.Join(err, h.close()) }
	// The engine changes the working directory.
	if h.out, err = newOutput(c, "--out", ctx.String("out"), lake.Snapshot().Root); err != nil {
		return fail(err)
	}
	if h.engine, err = query.Open(ctx.Context, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir(), MemoryLimit: limit, Starting: starting}); err != nil {
		return fail(err)
	}
	boundAnswer()
	if request.Since, request.Until, err = huntWindow(h.engine, selection, c.now()); err != nil {
		return fail(err)
	}
	h.request = request
	for _, of := range chosen {
		p, err := hunts.Prepare(h.engine, of, request)
		if err != nil {
			return fail(usage("mdcalake hunt show "+of.Name+" tells of its parameters", "%w", err))
		}
		h.plans = append(h.plans, p)
	}
	return h, nil
}

// noneRuns is the error when each hunt that was named has too little to compare
// with.
func noneRuns(plans []*hunts.Plan) error {
	for _, p := range plans {
		if p.Refused == "" {
			return nil
		}
	}
	return &exitError{code: exitPartial, err: &usageError{
		err:  fmt.Errorf("the hunt %s did not run: %s", plans[0].Hunt.Name, plans[0].Refused),
		hint: "ingest the time before as well (mdcalake coverage shows what is there), or compare with less: -p baseline=7d",
	}}
}

// huntValues reads -p: values by hunt and name.
func huntValues(texts []string, chosen []*hunts.Hunt) (map[string]map[string]string, error) {
	values := map[string]map[string]string{}
	for _, text := range texts {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usage("write -p name=value or -p hunt.name=value", "-p %q has no =", text)
		}
		of, param, both := strings.Cut(name, ".")
		if !both {
			of, param = "", name
		}
		has := func(h *hunts.Hunt) bool {
			return (of == "" || h.Name == of) && (param == "baseline" && h.Baseline > 0 || slices.ContainsFunc(h.Params, func(p hunts.Param) bool { return p.Name == param }))
		}
		switch {
		case slices.Contains([]string{"since", "until"}, param):
			return nil, usage("write --"+param, "-p %s: the window is no parameter", name)
		case !slices.ContainsFunc(chosen, has):
			return nil, usage("mdcalake hunt show NAME has the parameters of one", "-p %s: none of the hunts that run has such a parameter", name)
		}
		if values[of] == nil {
			values[of] = map[string]string{}
		}
		if _, twice := values[of][param]; twice {
			return nil, usage("give each name one value", "-p %s is given twice", name)
		}
		values[of][param] = value
	}
	return values, nil
}

// huntWindow is the time to hunt in: what was asked for, or the last days that
// the lake has.
func huntWindow(e *query.Engine, s query.Selection, now time.Time) (since, until time.Time, err error) {
	_, last := e.Span()
	if until = s.Until; until.IsZero() {
		if until = last; until.IsZero() || until.After(now) {
			until = now.UTC().Truncate(time.Millisecond)
		}
	}
	if since = s.Since; since.IsZero() {
		since = until.AddDate(0, 0, -huntDays)
	}
	if !since.Before(until) {
		return since, until, usage("the lake ends at "+shortTime(last)+"; give --until as well", "there is nothing between %s and %s", shortTime(since), shortTime(until))
	}
	return since, until, nil
}

// huntReport is what is said beside the findings.
type huntReport struct {
	c       console
	quiet   bool
	all     bool
	request hunts.Request
}

// begin says which hunts have less to compare with than they want, or too little.
func (r huntReport) begin(plans []*hunts.Plan) {
	// What is the same for many hunts is said once.
	var order []string
	by := map[string][]string{}
	for _, p := range plans {
		text := ""
		switch {
		case p.Refused != "":
			text = "did not run: " + p.Refused
		case !p.Baseline.Whole() && p.Hunt.OptionalBaseline:
			text = fmt.Sprintf("baseline %s (%s): compares with that part", p.Baseline, p.Baseline.Why)
			if p.Baseline.Covered == 0 {
				text = fmt.Sprintf("no baseline that is enough (%s): runs without saying what is new", p.Baseline.Why)
			}
		case !p.Baseline.Whole():
			text = fmt.Sprintf("baseline %s (%s): a step less severe", p.Baseline, p.Baseline.Why)
		default:
			continue
		}
		if by[text] == nil {
			order = append(order, text)
		}
		by[text] = append(by[text], p.Hunt.Name)
	}
	for _, text := range order {
		fmt.Fprintf(r.c.err, "%s: %s\n", strings.Join(by[text], ", "), text)
	}
}

// end says what was found, and what could not be.
func (r huntReport) end(s *store.Snapshot, found *hunts.Findings, plans []*hunts.Plan, counts map[hunts.Severity]int64, took time.Duration, required bool) error {
	finding := 0
	blind := map[string][]string{}
	for _, o := range found.Outcomes {
		if o.Findings > 0 {
			finding++
		}
		for _, field := range o.Missing {
			blind[field] = append(blind[field], o.Plan.Hunt.Name)
		}
	}
	if len(blind) > 0 && !r.quiet {
		fmt.Fprintln(r.c.err, blindText(blind))
	}
	covered := s.Holes(s.CoverageByService(r.request.Since, r.request.Until))
	note := coverageNote{c: r.c}
	note.say(covered)
	if !r.quiet {
		var parts []string
		total := int64(0)
		for _, severity := range hunts.Severities {
			if n := counts[severity]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", count(n), severity))
				total += n
			}
		}
		less := int64(0)
		if i := slices.Index(hunts.Severities, found.Least); i >= 0 {
			for _, s := range hunts.Severities[i+1:] {
				less += counts[s]
			}
		}
		text := "no findings"
		if total > 0 {
			text = fmt.Sprintf("%s (%s) from %s", things(total, "finding", "findings"), strings.Join(parts, ", "), things(int64(finding), "hunt", "hunts"))
		}
		text += fmt.Sprintf("; %s of %s ran over %s", count(int64(len(found.Outcomes))), things(int64(len(plans)), "hunt", "hunts"), stretchText(r.request.Since, r.request.Until))
		if less > 0 {
			text += fmt.Sprintf("; %s less severe than %s not shown", things(less, "finding", "findings"), found.Least)
		}
		if a := r.request.Allow; !a.Empty() {
			text += fmt.Sprintf(", without %s of the allow-list", things(int64(a.Len()), "entry", "entries"))
		}
		fmt.Fprintf(r.c.err, "%s, in %s\n", text, took.Round(time.Millisecond))
	}
	// Who names a hunt wants its answer; all of them are as many as can run.
	if !r.all && len(found.Outcomes) < len(plans) {
		return &exitError{code: exitPartial}
	}
	return note.verdict(required)
}

// blindText says in a line which fields no record of the window has, and who
// looks at them. Most hunts know several spellings of one thing, of which a tenant
// has one.
func blindText(blind map[string][]string) string {
	var fields, by []string
	for _, field := range slices.Sorted(maps.Keys(blind)) {
		fields = append(fields, field)
		for _, name := range blind[field] {
			if !slices.Contains(by, name) {
				by = append(by, name)
			}
		}
	}
	slices.Sort(by)
	return fmt.Sprintf("no record here has %s, which %s would look at", strings.Join(fields, ", "), strings.Join(by, ", "))
}

// huntProgress shows on a terminal which hunt runs.
type huntProgress struct {
	c     console
	shown bool
}

func newHuntProgress(c console, quiet bool) *huntProgress {
	_, ok := terminal(c.err)
	return &huntProgress{c: c, shown: ok && !quiet}
}

func (p *huntProgress) hunt(plan *hunts.Plan) {
	if p.shown {
		fmt.Fprintf(p.c.err, "\r\x1b[K%s", plan.Hunt.Name)
	}
}

func (p *huntProgress) clear() {
	if p.shown {
		fmt.Fprint(p.c.err, "\r\x1b[K")
	}
}
