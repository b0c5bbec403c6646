package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest"
	"mdcalake/store"
)

func ingestCommand(c console) *cli.Command {
	return &cli.Command{
		Name:  "ingest",
		Usage: "scan the Activities API into the lake",
		Description: `Fetches the activities of [--since, --until) in windows of a UTC day, oldest
first, and commits as it goes. Interrupted (Ctrl-C, a crash), the same command
goes on where it stood (with a filter, at the beginning of the day it was in);
asked again, it adds nothing that the lake has. Of a filter the lake keeps fields
and operators, and a hash of the values: it names nobody.

The credential comes from --token-file, MDCALAKE_TOKEN_FILE or MDCALAKE_TOKEN,
never from an argument.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "url", Usage: "API `URL` of the tenant (Settings > Cloud Apps > About)", EnvVars: []string{"MDCALAKE_URL"}},
			&cli.StringFlag{Name: "token-file", Usage: "`FILE` that holds the API token (- is stdin)", EnvVars: []string{"MDCALAKE_TOKEN_FILE"}},
			&cli.StringFlag{Name: "ca-file", Usage: "PEM `FILE` of further certificates to trust"},
			&cli.StringFlag{Name: "since", Usage: "begin of the event time (default: a day before the lake's last complete point, else 7d)"},
			&cli.StringFlag{Name: "until", Usage: "end of the event time (default: now, by the server's clock)"},
			&cli.Int64SliceFlag{Name: "service", Usage: "only this app `ID` (repeatable)"},
			&cli.StringFlag{Name: "filter", Usage: `further filters as the API takes them, e.g. '{"user.username":{"eq":["ada@example.com"]}}'`},
			&cli.StringFlag{Name: "filter-file", Usage: "the same from a `FILE`"},
			&cli.IntFlag{Name: "page-size", Value: 5000, Usage: "records to ask for in a request; the API gives what it likes"},
			&cli.BoolFlag{Name: "keep-pages", Usage: "keep the API's answers as they came, under _pages in the lake; the proof behind the page hashes of the log", DisableDefaultText: true},
			&cli.IntFlag{Name: "rate", Value: 28, Usage: "requests a minute, of the 30 that a tenant's tools share; 0: no limit"},
		}, runFlags()...),
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
	now := time.Now()
	o := ingest.Options{
		Services: ctx.Int64Slice("service"), PageSize: ctx.Int("page-size"), KeepPages: ctx.Bool("keep-pages"),
		ToolVersion: version, Operator: ctx.String("operator"), CaseID: ctx.String("case"),
	}
	if o.PageSize < 1 {
		return usage("5000 is what the API gives at most", "--page-size %d is no number of records", o.PageSize)
	}
	if n := ctx.Int("rate"); n < 0 {
		return usage("28 is the default; 0 means no limit", "--rate %d is no number of requests a minute", n)
	}
	if path := ctx.String("ca-file"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return usage("give a PEM file with the certificates", "--ca-file: %w", err)
		}
	}
	var err error
	if o.Filter, err = filterOf(ctx, c); err != nil {
		return err
	}
	if err := ingest.CheckFilter(o.Filter, o.Services); err != nil {
		return err
	}
	o.Until = now.UTC()
	if text := ctx.String("until"); ctx.IsSet("until") {
		if o.Until, err = parseTime("until", text, now); err != nil {
			return err
		}
	}
	if text := ctx.String("since"); ctx.IsSet("since") {
		if o.Since, err = parseTime("since", text, now); err != nil {
			return err
		}
		if !o.Since.Before(o.Until) {
			return usage("--since must be before --until", "the time range is empty: it begins at %s and ends at %s", o.Since.Format(time.RFC3339), o.Until.Format(time.RFC3339))
		}
	}
	credential, err := tokenOf(ctx, c)
	if err != nil {
		return err
	}
	p := newProgress(c, ctx.Bool("quiet"))
	if ctx.String("url") == "" {
		return usage("give the tenant's API URL: Settings > Cloud Apps > About", "--url is missing")
	}
	o.Client, err = ingest.NewClient(ingest.ClientOptions{
		BaseURL: ctx.String("url"), Credential: credential, CAFile: ctx.String("ca-file"), Rate: ctx.Int("rate"),
		UserAgent: "mdcalake/" + version, OnWait: p.wait,
	})
	if err != nil {
		return err
	}
	defer o.Client.Close()
	w, err := openWriter(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	if o.Since.IsZero() {
		snapshot, err := w.Snapshot()
		if err != nil {
			return err
		}
		o.Since = ingest.DefaultSince(snapshot, o.Services, o.Until)
		if !o.Since.Before(o.Until) {
			return usage("give --since to read it again", "the lake is complete up to %s already", o.Since.Format(time.RFC3339))
		}
	}
	o.Writer, o.Progress, o.Warn = w, p.show, p.warn
	return runAndMerge(ctx, c, w, p, func() (*ingest.Summary, error) { return ingest.Run(ctx.Context, o) })
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

// tokenOf reads the credential. What is wrong with it is said without it.
func tokenOf(ctx *cli.Context, c console) (ingest.Credential, error) {
	token := []byte(c.getenv("MDCALAKE_TOKEN"))
	if path := ctx.String("token-file"); path != "" {
		var err error
		if token, err = readSmall(c, "token-file", path, 64<<10); err != nil {
			return nil, err
		}
	} else if len(token) == 0 {
		return nil, usage("give --token-file FILE, or set MDCALAKE_TOKEN_FILE or MDCALAKE_TOKEN; a token is made under Settings > Cloud Apps > API tokens", "there is no credential")
	}
	return ingest.NewTokenCredential(string(token))
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
	Error         string           `json:"error,omitempty"`
	Windows       int              `json:"windows"`
	Finished      int              `json:"windows_finished"`
	Kept          int              `json:"windows_kept"`
	Failed        []failedJSON     `json:"windows_failed"`
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
		RunID: s.Run.RunID, Outcome: s.Run.Outcome, Windows: s.Windows, Finished: s.Finished, Kept: s.Kept, Failed: []failedJSON{},
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
