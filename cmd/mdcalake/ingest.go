package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

func ingestCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "ingest",
		Usage: "scan the Activities API into the lake",
		Description: `Fetches the activities of [--since, --until) that the lake does not have yet, and
once more those that are an hour, a day or a week old, because records come late.
What has been read is in the lake's ledger (mdcalake coverage), so the same
command goes on where it stood, after Ctrl-C or a crash too, and asks for nothing
twice; --again asks for everything. --plan shows what would be asked, and asks
nothing. Of a filter the lake keeps fields and operators, and a hash of the
values: it names nobody.

With --follow it stays and reads every --every what has been saved since,
whenever that happened, until it is told to stop (Ctrl-C, SIGTERM).

The main route of the API shows 30 days. --archived reads what is older on a
route that is not documented: experimental.

` + signInDescription,
		Flags: slices.Concat(clientFlags(), []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "begin of the event time (default: where the lake's coverage begins, at most 30d back; else 7d)"},
			&cli.StringFlag{Name: "until", Usage: "end of the event time (default: now, by the server's clock)"},
			&cli.Int64SliceFlag{Name: "service", Usage: "only this app `ID` (repeatable)"},
			&cli.StringFlag{Name: "filter", Usage: `further filters as the API takes them, e.g. '{"user.username":{"eq":["ada@example.com"]}}'`},
			&cli.StringFlag{Name: "filter-file", Usage: "the same from a `FILE`"},
			&cli.BoolFlag{Name: "again", Usage: "ask also for what has been read and is not due again", DisableDefaultText: true},
			&cli.BoolFlag{Name: "plan", Usage: "print the windows, requests and minutes it would take, and ask nothing", DisableDefaultText: true},
			&cli.StringFlag{Name: "order", Value: string(ingest.NewestFirst), Usage: "which windows come first: newest or oldest"},
			&cli.IntFlag{Name: "parallel", Usage: "read `N` windows at a time", DefaultText: "as many as keep the rate busy"},
			&cli.BoolFlag{Name: "archived", Usage: "read what is older than 30 days, too, on the archived route (experimental)", DisableDefaultText: true},
			&cli.BoolFlag{Name: "follow", Usage: "stay, and read what is saved from now on", DisableDefaultText: true},
			&cli.DurationFlag{Name: "every", Value: 5 * time.Minute, Usage: "with --follow: how often"},
			&cli.IntFlag{Name: "page-size", Value: 5000, Usage: "records to ask for in a request; the API gives what it likes"},
			&cli.BoolFlag{Name: "keep-pages", Usage: "keep the API's answers as they came, under _pages in the lake; the proof behind the page hashes of the log", DisableDefaultText: true},
		}, signInFlags(), runFlags()),
		Action: func(ctx *cli.Context) error { return runIngest(ctx, c) },
	}
}

func runIngest(ctx *cli.Context, c console) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	if err := checkSummary(ctx); err != nil {
		return err
	}
	o, err := ingestOptions(ctx, c)
	if err != nil {
		return err
	}
	if ctx.Bool("plan") {
		return showPlan(ctx, c, o)
	}
	p := newProgress(ctx, c)
	if o.Client, o.ClientID, err = newClient(ctx, c, p); err != nil {
		return err
	}
	defer o.Client.Close()
	w, err := openWriter(ctx, c)
	if err != nil {
		return err
	}
	defer w.Close()
	o.Writer, o.Progress, o.Warn = w, p.show, p.warn
	if ctx.Bool("follow") {
		return follow(ctx, c, o, p)
	}
	return runAndMerge(ctx, c, w, p, func() (*ingest.Summary, error) {
		if err := defaultSince(&o, w, c.now()); err != nil {
			return &ingest.Summary{}, err
		}
		return ingest.Run(ctx.Context, o)
	})
}

// clientFlags say where the API is and how to treat it; signInFlags, who asks.
func clientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "url", Usage: "API `URL` of the tenant (Settings > Cloud Apps > About)", EnvVars: []string{"MDCALAKE_URL"}},
		&cli.StringFlag{Name: "ca-file", Usage: "PEM `FILE` of further certificates to trust"},
		&cli.IntFlag{Name: "rate", Value: 28, Usage: "requests a minute, of the 30 that a tenant's tools share; 0: no limit"},
	}
}

// newClient makes the client that the flags ask for, and signs in. clientID is
// who it is, as far as the sign-in tells.
func newClient(ctx *cli.Context, c console, p *progress) (client *ingest.Client, clientID string, err error) {
	if n := ctx.Int("rate"); n < 0 {
		return nil, "", usage("28 is the default; 0 means no limit", "--rate %d is no number of requests a minute", n)
	}
	if path := ctx.String("ca-file"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, "", usage("give a PEM file with the certificates", "--ca-file: %w", err)
		}
	}
	credential, err := credentialOf(ctx, c)
	if err != nil {
		return nil, "", err
	}
	if ctx.String("url") == "" {
		return nil, "", usage("give the tenant's API URL: Settings > Cloud Apps > About", "--url is missing")
	}
	client, err = ingest.NewClient(ingest.ClientOptions{
		BaseURL: ctx.String("url"), Credential: credential.Credential, CAFile: ctx.String("ca-file"), Rate: ctx.Int("rate"),
		UserAgent: "mdcalake/" + version, OnWait: p.wait, Clock: c.clock,
	})
	if err != nil {
		return nil, "", err
	}
	if clientID, err = credential.signIn(ctx, c, p); err != nil {
		client.Close()
		return nil, "", err
	}
	return client, clientID, nil
}

// ingestOptions are what the flags ask for, client and lake apart.
func ingestOptions(ctx *cli.Context, c console) (o ingest.Options, err error) {
	now := c.now()
	o = ingest.Options{
		Services: ctx.Int64Slice("service"), PageSize: ctx.Int("page-size"), KeepPages: ctx.Bool("keep-pages"),
		Again: ctx.Bool("again"), Archived: ctx.Bool("archived"), Order: ingest.Order(ctx.String("order")), Parallel: ctx.Int("parallel"),
		ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"), Clock: c.clock,
	}
	switch {
	case o.PageSize < 1:
		return o, usage("5000 is what the API gives at most", "--page-size %d is no number of records", o.PageSize)
	case o.Order != ingest.NewestFirst && o.Order != ingest.OldestFirst:
		return o, usage("choose newest or oldest", "--order %q is unknown", string(o.Order))
	case o.Parallel < 0 || o.Parallel > mostParallel || o.Parallel == 0 && ctx.IsSet("parallel"):
		return o, usage(fmt.Sprintf("give a number from 1 to %d; more cannot be faster than the rate", mostParallel), "--parallel %d is no number of windows", o.Parallel)
	case ctx.Duration("every") < time.Second || ctx.IsSet("every") && !ctx.Bool("follow"):
		return o, usage("give a second or more, such as --follow --every 5m", "--every %s: rounds are at least a second apart, and come with --follow only", ctx.Duration("every"))
	case ctx.Bool("follow") && ctx.IsSet("until"):
		return o, usage("give one of the two", "--follow has no end, and --until names one")
	case ctx.Bool("follow") && ctx.Bool("plan"):
		return o, usage("give one of the two", "--plan asks nothing, and --follow never ends")
	}
	if o.Filter, err = filterOf(ctx, c); err != nil {
		return o, err
	}
	if err := ingest.CheckFilter(o.Filter, o.Services); err != nil {
		return o, err
	}
	if text := ctx.String("until"); ctx.IsSet("until") {
		if o.Until, err = parseTime("until", text, now); err != nil {
			return o, err
		}
	}
	if text := ctx.String("since"); ctx.IsSet("since") {
		if o.Since, err = parseTime("since", text, now); err != nil {
			return o, err
		}
		if until := o.Until; !until.IsZero() && !o.Since.Before(until) || until.IsZero() && o.Since.After(now) {
			if until.IsZero() {
				until = now.UTC()
			}
			return o, usage("--since must be before --until", "the time range is empty: it begins at %s and ends at %s", o.Since.Format(time.RFC3339), until.Format(time.RFC3339))
		}
	}
	return o, nil
}

// mostParallel bounds what a flag can ask for.
const mostParallel = 64

// defaultSince finds the beginning where nobody gave one.
func defaultSince(o *ingest.Options, w *store.Writer, now time.Time) error {
	if !o.Since.IsZero() {
		return nil
	}
	snapshot, err := w.Snapshot()
	if err != nil {
		return err
	}
	o.Since = ingest.DefaultSince(snapshot, o.Services, o.Filter, now)
	if !o.Until.IsZero() && !o.Since.Before(o.Until) {
		return usage("give --since", "the lake begins at %s, and --until is before that", o.Since.Format(time.RFC3339))
	}
	return nil
}

// runAndMerge does a run that adds records, says what came of it, and merges
// small files.
func runAndMerge(ctx *cli.Context, c console, w *store.Writer, p *progress, run func() (*ingest.Summary, error)) error {
	known, before := sightings(w), w.Version()
	summary, err := run()
	p.done()
	if err = finishRun(ctx, c, p, summary, sightings(w)-known, err); failed(err) {
		return err
	}
	return errors.Join(compactAfter(ctx.Context, w, before, p), err)
}

// failed tells a run that broke off from one that is done, if not whole.
func failed(err error) bool {
	var exit *exitError
	return err != nil && !(errors.As(err, &exit) && exit.code == exitPartial)
}

// sightings is how often records that were in quarantine already came again.
func sightings(w *store.Writer) (n int64) {
	snapshot, err := w.Snapshot()
	if err != nil {
		return 0 // the run itself meets the same trouble, and says so
	}
	for _, s := range snapshot.Seen {
		n += s.Times
	}
	return n
}

// finishRun reports what a run did, also one that failed. known is how many
// records came that were in quarantine already.
func finishRun(ctx *cli.Context, c console, p *progress, s *ingest.Summary, known int64, err error) error {
	if s.Head != "" || err == nil {
		p.summary(ctx.String("lake"), s, known)
	}
	if path := ctx.String("summary-json"); path != "" {
		if werr := writeSummary(c, path, s, err); werr != nil && err == nil {
			err = werr
		}
	}
	switch {
	case err != nil:
		return err
	case len(s.Failed) > 0, len(s.NotWhole) > 0, s.Declared != nil && !s.Declared.Complete, s.Run.Quarantined > 0, known > 0 && ctx.Bool("strict"):
		return &exitError{code: exitPartial}
	}
	return nil
}

// checkSummary looks at where the summary will go: an hour's run should not end
// in a typing error.
func checkSummary(ctx *cli.Context) error {
	path := ctx.String("summary-json")
	if path == "-" || !ctx.IsSet("summary-json") {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() || path == "" {
		return usage("name a file; - is stdout", "--summary-json %q is no file", path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return usage("make the directory first", "--summary-json: there is no directory %q", filepath.Dir(path))
	}
	return nil
}

func filterOf(ctx *cli.Context, c console) ([]byte, error) {
	text, path := ctx.String("filter"), ctx.String("filter-file")
	switch {
	case text != "" && path != "":
		return nil, usage("give one of the two", "--filter and --filter-file are both given")
	case path != "":
		return readSmall(c, "filter-file", path, 1<<20)
	case ctx.IsSet("filter") && text == "":
		return nil, usage(`a filter looks like {"user.username":{"eq":["ada@example.com"]}}`, "--filter is empty")
	}
	return []byte(text), nil
}

func readLimited(in io.Reader, flag string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, usage("check the path; - is the standard input", "--%s: %w", flag, err)
	}
	if int64(len(data)) > limit {
		return nil, usage("is it the right file?", "--%s: the file is longer than %s", flag, size(limit))
	}
	return data, nil
}

// summaryJSON is the machine's form of a summary.
type summaryJSON struct {
	RunID         string           `json:"run_id"`
	Outcome       string           `json:"outcome"`
	Host          string           `json:"host,omitempty"`
	Credential    string           `json:"credential_kind,omitempty"`
	ClientID      string           `json:"client_id,omitempty"`
	ClockOffsetMS *int64           `json:"clock_offset_ms,omitempty"` // the server's clock minus ours
	Error         string           `json:"error,omitempty"`
	Windows       int              `json:"windows"`
	Finished      int              `json:"windows_finished"`
	Failed        []failedJSON     `json:"windows_failed"`
	Rounds        int              `json:"rounds,omitempty"` // of --follow
	Requests      int64            `json:"requests"`
	Records       int64            `json:"records"`
	Added         int64            `json:"added"`
	Duplicates    int64            `json:"duplicates"`
	Revisions     int64            `json:"revisions"`
	Quarantined   int64            `json:"quarantined"`
	Erased        int64            `json:"erased"` // refused: a purge has erased them
	OutsideWindow int64            `json:"outside_window"`
	Bytes         int64            `json:"bytes"`
	Seconds       float64          `json:"seconds"`
	Drift         map[string]int64 `json:"drift"`
	Head          string           `json:"head"`
	importJSON                     // of an import
}

type failedJSON struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

func writeSummary(c console, path string, s *ingest.Summary, failure error) error {
	out := summaryJSON{
		RunID: s.Run.RunID, Outcome: s.Run.Outcome, Host: s.Run.Host, Credential: s.Run.CredentialKind, ClientID: s.Run.ClientID, ClockOffsetMS: s.Run.ClockOffsetMS,
		Windows: s.Windows, Rounds: s.Rounds, Finished: s.Finished, Failed: []failedJSON{},
		Requests: s.Run.Requests, Records: s.Run.Records, Added: s.Run.Added, Duplicates: s.Run.Duplicates, Revisions: s.Run.Revisions,
		Quarantined: s.Run.Quarantined, Erased: s.Run.Erased, OutsideWindow: s.OutsideWindow, Bytes: s.Run.Bytes, Seconds: s.Elapsed.Seconds(), Drift: s.Run.Drift, Head: s.Head,
	}
	out.importJSON = importSummary(s)
	if out.Drift == nil {
		out.Drift = map[string]int64{}
	}
	if failure != nil {
		out.Error = failure.Error()
	}
	for _, f := range s.Failed {
		out.Failed = append(out.Failed, failedJSON{Since: f.Window.Since.UTC(), Until: f.Window.Until.UTC(), Reason: f.Err.Error()})
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if path == "-" {
		_, err = c.out.Write(data)
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".summary-")
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(data); err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write summary: %w", err)
	}
	return nil
}
