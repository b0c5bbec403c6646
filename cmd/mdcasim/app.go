package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mdcalake/ingest/simulator"
)

const description = `Serves /api/v1/activities/ as Microsoft Defender for Cloud Apps does, with
records generated from a seed or taken from FILES, which are served byte for
byte. FILES hold a JSON array, an API page with "data", a single record, or
NDJSON. Stdout gets one line, the URL; everything else goes to stderr.

Any credential is accepted unless --token-file names one, or --entra-tenant has
tokens issued here, as Microsoft Entra ID does.

Examples:
  mdcasim --count 200000 --days 30
  mdcasim --now 2026-11-20T12:00:00Z --truth truth.jsonl --url-file url
  mdcasim --ndjson records.jsonl --count 1000000 --seed 7
  mdcasim page1.json page2.json --rate 0
  mdcasim --tls-ca ca.pem --entra-tenant contoso.example --token-uses 20
  mdcasim --fault status-500@page=3 --fault empty-page@every=4

Faults: KIND@page=N (the N-th list request), KIND@request=N (the N-th request),
KIND@every=N, KIND@rate=SHARE; ,times=M hits M in a row, times=-1 for ever.
Kinds: `

func newApp(stdout, stderr io.Writer) *cli.App {
	kinds := make([]string, len(simulator.FaultKinds))
	for i, k := range simulator.FaultKinds {
		kinds[i] = string(k)
	}
	return &cli.App{
		Name:                      "mdcasim",
		Usage:                     "an Activities API that pages, throttles and breaks on cue, and knows the truth",
		UsageText:                 "mdcasim [flags] [FILES]",
		Description:               description + strings.Join(kinds, " "),
		Version:                   version(),
		Writer:                    stdout,
		ErrWriter:                 stderr,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		Flags:                     flags(),
		Action: func(c *cli.Context) error {
			p, err := program(c)
			if err != nil {
				return &simulator.UsageError{Err: err}
			}
			return p.Run(c.Context, stdout, stderr)
		},
		// The library would print usage errors on stdout.
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return &simulator.UsageError{Err: err}
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

func flags() []cli.Flag {
	text := func(group, name, usage string) cli.Flag {
		return &cli.StringFlag{Category: group, Name: name, Usage: usage}
	}
	number := func(group, name string, value int, usage string) cli.Flag {
		return &cli.IntFlag{Category: group, Name: name, Value: value, Usage: usage}
	}
	share := func(group, name, usage string) cli.Flag {
		return &cli.Float64Flag{Category: group, Name: name, Usage: usage}
	}
	span := func(group, name, usage string) cli.Flag {
		return &cli.DurationFlag{Category: group, Name: name, Usage: usage}
	}
	on := func(group, name, usage string) cli.Flag {
		return &cli.BoolFlag{Category: group, Name: name, Usage: usage, DisableDefaultText: true}
	}
	const data, clock, doors, limits, paging, trouble, files, running = "1. Data", "2. Clock", "3. Credential", "4. Rate", "5. Pages", "6. Trouble", "7. Files", "8. Running"
	return []cli.Flag{
		&cli.Uint64Flag{Category: data, Name: "seed", Value: 1, Usage: "equal seeds and flags give equal bytes"},
		number(data, "count", simulator.DefaultCount, "records in the span (not used where FILES are given, unless set)"),
		number(data, "days", simulator.DefaultDays, "length of the span, back from its end"),
		text(data, "start", "begin of the span of event time (RFC 3339)"),
		text(data, "end", "end of the span (default: now, cut to the hour if the clock is real)"),
		span(data, "ahead", "how far beyond now the span reaches, so that records appear while it runs"),
		&cli.Int64SliceFlag{Category: data, Name: "service", Usage: "only this app `ID` (repeatable)"},
		&cli.Int64Flag{Category: data, Name: "tenant", Value: simulator.DefaultTenantID, Usage: "MDCA tenant `ID`; another tenant has other records"},
		&cli.StringSliceFlag{Category: data, Name: "records", Usage: "serve the records of `FILE` unchanged (repeatable; positional FILES too)"},
		share(data, "revisions", "share of records that come again later, changed, under the same _id"),
		share(data, "bad-records", "share of rows that are no usable record"),
		share(data, "huge", "share of records grown to --huge-bytes"),
		number(data, "huge-bytes", 1<<20, "size of a huge record"),
		number(data, "pile", 0, "this many of the records share one millisecond"),
		on(data, "pile-same-created", "they share their save time too"),

		text(clock, "now", "freeze the clock at this `TIME` (RFC 3339); the rate limit keeps real time"),
		on(clock, "run", "let the clock run on from --now"),
		span(clock, "date-skew", "add this to the Date header"),
		span(clock, "door", "hide records with event time older than this (MDCA: 720h)"),

		text(doors, "token-file", "accept only the token on the first line of `FILE`"),
		on(doors, "forbidden", "refuse every request with 403"),
		text(doors, "entra-tenant", "issue tokens for the directory `ID`, at /ID/oauth2/token and /ID/oauth2/v2.0/token"),
		text(doors, "entra-client", "to this application `ID` only"),
		text(doors, "entra-secret-file", "for the client secret on the first line of `FILE` (default: any)"),
		text(doors, "entra-certificate", "for assertions signed with the key of the certificate in PEM `FILE` (default: any)"),
		span(doors, "token-life", "life of a token, by the clock (default 3599s)"),
		number(doors, "token-uses", 0, "refuse a token after so many requests, without notice"),
		on(doors, "token-text-life", "send expires_in as text"),
		text(doors, "token-audience", "issue tokens for another `AUDIENCE` than was asked for"),
		on(doors, "token-no-roles", "issue tokens without a permission"),
		on(doors, "sign-in-echo", "repeat the secret in refusals, as no platform should"),
		&cli.StringSliceFlag{Category: doors, Name: "sign-in-fault", Usage: "`KIND@N`: the N-th token request fails, with ,times=M so many, times=-1 for ever; KIND is an AADSTS code such as AADSTS7000222, or a fault of transport (repeatable)"},

		number(limits, "rate", simulator.DefaultRate, "requests a minute over all clients; 0 means no limit"),
		on(limits, "no-retry-after", "send 429 without Retry-After"),
		text(limits, "throttle-body", "body of a 429: nested, empty (default: detail)"),
		span(limits, "latency", "wait before each answer"),

		number(paging, "plain-cap", 250, "largest page of a plain list"),
		number(paging, "scan-cap", 5000, "largest page of a scan by POST"),
		number(paging, "scan-get-cap", 500, "largest page of a scan by GET"),
		on(paging, "refuse-limits", "refuse a limit beyond the cap instead of cutting it"),
		on(paging, "empty-beyond", "skip+limit past 5000 gives an empty page instead of 400"),
		on(paging, "ignore-unknown", "pass over unknown filters instead of refusing them"),
		on(paging, "wrong-total", "total is off, another way on every page"),
		on(paging, "no-total", "total is missing"),
		number(paging, "drop-tail", 0, "drop so many records at the end of a page (default: those of its last millisecond)"),
		on(paging, "stand-still", "the cursor does not move where a millisecond fills a page"),
		on(paging, "extra-member", "put an unknown member into nextQueryFilters"),
		on(paging, "require-extra", "refuse a cursor that comes back without it"),
		number(paging, "refuse-cursor-at", 0, "refuse the n-th request that carries a cursor, once"),

		&cli.StringSliceFlag{Category: trouble, Name: "fault", Usage: "`KIND@WHERE`, see above (repeatable)"},

		text(files, "truth", "write the expected set to `FILE`, a JSON line for each payload (- is stdout)"),
		on(files, "truth-only", "end when --truth is written"),
		text(files, "ndjson", "write the records to `FILE`, one a line, and end (- is stdout)"),
		text(files, "since", "restrict these files to event times from this `TIME` on"),
		text(files, "until", "and to those before this `TIME`"),

		&cli.StringFlag{Category: running, Name: "listen", Value: "127.0.0.1:0", Usage: "loopback `ADDRESS`; port 0 takes a free one"},
		text(running, "url-file", "write the URL to `FILE` once ready"),
		text(running, "tls-ca", "serve https, with a certificate made at the start; write it to `FILE`, for those who are to trust it"),
		span(running, "max-time", "stop by itself after this time"),
		number(running, "max-requests", 0, "stop by itself after so many requests"),
	}
}

// program turns flags into what the package runs.
func program(c *cli.Context) (simulator.Program, error) {
	p := simulator.Program{
		Options: simulator.Options{
			Seed:          c.Uint64("seed"),
			Days:          c.Int("days"),
			Count:         c.Int("count"),
			Services:      c.Int64Slice("service"),
			TenantID:      c.Int64("tenant"),
			Revisions:     c.Float64("revisions"),
			BadRecords:    c.Float64("bad-records"),
			Huge:          c.Float64("huge"),
			HugeBytes:     c.Int("huge-bytes"),
			Pile:          simulator.Pile{Size: c.Int("pile"), SameCreated: c.Bool("pile-same-created")},
			DateSkew:      c.Duration("date-skew"),
			Door:          c.Duration("door"),
			Forbidden:     c.Bool("forbidden"),
			RatePerMinute: c.Int("rate"),
			Throttle:      simulator.Throttle{NoRetryAfter: c.Bool("no-retry-after"), Body: simulator.ThrottleBody(c.String("throttle-body"))},
			Latency:       c.Duration("latency"),
			SignIn: simulator.SignIn{
				TenantID: c.String("entra-tenant"), ClientID: c.String("entra-client"),
				Life: c.Duration("token-life"), Uses: c.Int("token-uses"), TextLife: c.Bool("token-text-life"),
				Audience: c.String("token-audience"), NoRoles: c.Bool("token-no-roles"), Echo: c.Bool("sign-in-echo"),
			},
			Paging: simulator.Paging{
				PlainCap: c.Int("plain-cap"), ScanCap: c.Int("scan-cap"), ScanGetCap: c.Int("scan-get-cap"),
				Refuse: c.Bool("refuse-limits"), EmptyBeyond: c.Bool("empty-beyond"), IgnoreUnknown: c.Bool("ignore-unknown"),
				WrongTotal: c.Bool("wrong-total"), NoTotal: c.Bool("no-total"),
			},
			Cursor: simulator.Cursor{
				DropTail: c.Int("drop-tail"), StandStill: c.Bool("stand-still"),
				Extra: c.Bool("extra-member"), RequireExtra: c.Bool("require-extra"), RefuseAt: c.Int("refuse-cursor-at"),
			},
		},
		RecordFiles: append(c.StringSlice("records"), c.Args().Slice()...),
		TokenFile:   c.String("token-file"),
		SecretFile:  c.String("entra-secret-file"),
		Certificate: c.String("entra-certificate"),
		CAFile:      c.String("tls-ca"),
		TruthFile:   c.String("truth"),
		NDJSONFile:  c.String("ndjson"),
		WriteOnly:   c.Bool("truth-only") || c.String("ndjson") != "",
		Listen:      c.String("listen"),
		URLFile:     c.String("url-file"),
		MaxTime:     c.Duration("max-time"),
		MaxRequests: c.Int("max-requests"),
	}
	switch {
	case len(p.RecordFiles) > 0 && !c.IsSet("count"):
		p.Options.Count = 0 // only what the files hold
	case p.Options.Count == 0:
		p.Options.Count = -1
	}
	if c.Bool("truth-only") && p.TruthFile == "" {
		return p, fmt.Errorf("--truth-only needs --truth FILE")
	}
	if c.Bool("run") && !c.IsSet("now") {
		return p, fmt.Errorf("--run needs --now TIME")
	}
	for _, text := range c.StringSlice("fault") {
		f, err := simulator.ParseFault(text)
		if err != nil {
			return p, err
		}
		p.Options.Faults = append(p.Options.Faults, f)
	}
	for _, text := range c.StringSlice("sign-in-fault") {
		f, err := simulator.ParseSignInFault(text)
		if err != nil {
			return p, err
		}
		p.Options.SignIn.Faults = append(p.Options.SignIn.Faults, f)
	}
	if !c.IsSet("entra-tenant") {
		for _, name := range []string{"entra-client", "entra-secret-file", "entra-certificate", "token-life", "token-uses", "token-text-life", "token-audience", "token-no-roles", "sign-in-echo", "sign-in-fault"} {
			if c.IsSet(name) {
				return p, fmt.Errorf("--%s needs --entra-tenant ID", name)
			}
		}
	}
	return p, times(c, &p)
}

// times reads the flags that are moments, and sets the clock.
func times(c *cli.Context, p *simulator.Program) error {
	var now time.Time
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{"now", &now}, {"start", &p.Options.Start}, {"end", &p.Options.End}, {"since", &p.Since}, {"until", &p.Until}} {
		if c.String(f.name) == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, c.String(f.name))
		if err != nil {
			return fmt.Errorf("--%s %q is no RFC 3339 time, such as 2026-11-20T12:00:00Z", f.name, c.String(f.name))
		}
		*f.to = t
	}
	p.Options.RateClock = time.Now
	if !now.IsZero() {
		p.Options.Clock = func() time.Time { return now }
		if c.Bool("run") {
			begin := time.Now()
			p.Options.Clock = func() time.Time { return now.Add(time.Since(begin)) }
		}
	} else {
		now = time.Now().Truncate(time.Hour)
	}
	if ahead := c.Duration("ahead"); ahead != 0 {
		if !p.Options.End.IsZero() {
			return fmt.Errorf("--ahead and --end both say where the span ends; give one")
		}
		p.Options.End = now.Add(ahead)
		if p.Options.Start.IsZero() {
			p.Options.Start = now.AddDate(0, 0, -p.Options.Days)
		}
	}
	return nil
}
