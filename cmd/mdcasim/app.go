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
  mdcasim --days 30 --count 60000 --stories all --noise --story-truth stories.jsonl
  mdcasim --fault status-500@page=3 --fault empty-page@every=4

Faults: KIND@page=N (the N-th list request), KIND@request=N (the N-th request),
KIND@every=N, KIND@rate=SHARE; ,times=M hits M in a row (with every and rate:
the same question M times), times=-1 for ever.
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
	const data, clock, doors, limits, paging, archive, trouble, files, running = "1. Data", "2. Clock", "3. Credential", "4. Rate", "5. Pages", "6. Archived route", "7. Trouble", "8. Files", "9. Running"
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
		&cli.StringSliceFlag{Category: data, Name: "stories", Usage: "plant these attack stories, by `NAME` and comma (repeatable), or all of them: " + strings.Join(append([]string{simulator.StoriesAll}, simulator.StoryNames()...), " ")},
		text(data, "stories-from", "where in the span stories begin (RFC 3339; default: its last third)"),
		text(data, "stories-until", "and end; they need 48 hours"),
		on(data, "noise", "plant what looks like an attack and is none: travellers, service accounts, a migration ..."),
		on(data, "native-feeds", "connected apps have records of their own forms; gives other records than without"),
		share(data, "revisions", "share of records that come again later, changed, under the same _id"),
		share(data, "bad-records", "share of rows that are no usable record"),
		share(data, "broken-text", "share of records with invalid UTF-8, unpaired surrogates or repeated keys"),
		share(data, "huge", "share of records grown to --huge-bytes"),
		number(data, "huge-bytes", 1<<20, "size of a huge record"),
		number(data, "pile", 0, "this many of the records share one millisecond"),
		on(data, "pile-same-created", "they share their save time too"),
		&cli.Int64Flag{Category: data, Name: "connector", Usage: "app `ID` that is connected at --connector-at and brings the days before with it"},
		text(data, "connector-at", "when that is (RFC 3339)"),
		number(data, "connector-days", 7, "how many days back it brings"),
		span(data, "connector-spread", "time over which they are saved (default: one millisecond)"),

		text(clock, "now", "freeze the clock at this `TIME` (RFC 3339); the rate limit keeps real time"),
		on(clock, "run", "let the clock run on from --now"),
		share(clock, "clock-speed", "with --run: so many times as fast as real time; rate and --latency count in it too"),
		span(clock, "date-skew", "add this to the Date header"),
		span(clock, "visible-lag", "a fifth of the records is shown up to this long after their save"),
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
		text(limits, "retry-after", "form of Retry-After: date, zero, absurd, missing, mixed (default: seconds)"),
		text(limits, "throttle-body", "body of a 429: nested, html, empty, mixed (default: detail)"),
		number(limits, "expensive-rate", 0, "queries a minute without date and service; 0 means no limit of their own, -1 none"),
		span(limits, "latency", "wait before each answer"),

		number(paging, "plain-cap", 250, "largest page of a plain list"),
		number(paging, "scan-cap", 5000, "largest page of a scan by POST"),
		number(paging, "scan-get-cap", 500, "largest page of a scan by GET"),
		on(paging, "refuse-limits", "refuse a limit beyond the cap instead of cutting it"),
		on(paging, "empty-beyond", "skip+limit past 5000 gives an empty page instead of 400"),
		on(paging, "ignore-unknown", "pass over unknown filters instead of refusing them"),
		on(paging, "wrong-total", "total is off, another way on every page"),
		on(paging, "no-total", "total is missing"),
		&cli.StringSliceFlag{Category: paging, Name: "ignore", Usage: "accept this filter `FIELD` and do not apply it (repeatable)"},
		number(paging, "count-cap", 0, "the count routes stop there (default: no cap)"),
		number(paging, "count-extra", 0, "added to every count"),
		text(paging, "cursor-shape", "form of the bound in nextQueryFilters: range, range-list, resolved (default: the caller's)"),
		on(paging, "gzip", "compress pages where the request accepts it"),
		on(paging, "chunked", "send pages without Content-Length"),
		number(paging, "drop-tail", 0, "drop so many records at the end of a page (default: those of its last millisecond)"),
		on(paging, "stand-still", "the cursor does not move where a millisecond fills a page"),
		on(paging, "extra-member", "put an unknown member into nextQueryFilters"),
		on(paging, "require-extra", "refuse a cursor that comes back without it"),
		number(paging, "refuse-cursor-at", 0, "refuse the n-th request that carries a cursor, once"),

		span(archive, "archive-span", "how far back the archived route reaches (default 4320h)"),
		number(archive, "archive-cap", 250, "its largest page"),
		number(archive, "archive-reach", 5000, "how far skip+limit may reach; -1 is without end"),
		on(archive, "archive-refuse-scan", "refuse isScan instead of passing over it"),
		on(archive, "archive-steady", "ties keep their order from call to call"),
		on(archive, "archive-closed", "there is no such route"),

		&cli.StringSliceFlag{Category: trouble, Name: "fault", Usage: "`KIND@WHERE`, see above (repeatable)"},
		&cli.DurationFlag{Category: trouble, Name: "trickle", Value: simulator.DefaultTrickle, Usage: "how long a body of the fault trickle takes, in real time"},
		text(trouble, "redirect-to", "`URL` of the redirect faults (default: a host that does not exist)"),

		text(files, "truth", "write the expected set to `FILE`, a JSON line for each payload (- is stdout)"),
		on(files, "archived", "--truth holds what the archived route shows"),
		text(files, "story-truth", "write what the stories are, and what a hunt must find of them, to `FILE`, a JSON line for each"),
		text(files, "allow-list", "write what an honest tenant would leave out of hunts to `FILE`, as JSON"),
		on(files, "truth-only", "end when these files are written"),
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
			Noise:         c.Bool("noise"),
			NativeFeeds:   c.Bool("native-feeds"),
			Revisions:     c.Float64("revisions"),
			BadRecords:    c.Float64("bad-records"),
			BrokenText:    c.Float64("broken-text"),
			Huge:          c.Float64("huge"),
			HugeBytes:     c.Int("huge-bytes"),
			Pile:          simulator.Pile{Size: c.Int("pile"), SameCreated: c.Bool("pile-same-created")},
			Connector:     simulator.Connector{Service: c.Int64("connector"), Days: c.Int("connector-days"), Spread: c.Duration("connector-spread")},
			VisibleLag:    c.Duration("visible-lag"),
			DateSkew:      c.Duration("date-skew"),
			Door:          c.Duration("door"),
			Forbidden:     c.Bool("forbidden"),
			RatePerMinute: c.Int("rate"),
			Throttle: simulator.Throttle{
				NoRetryAfter: c.Bool("no-retry-after"), RetryAfter: simulator.RetryAfter(c.String("retry-after")),
				Body: simulator.ThrottleBody(c.String("throttle-body")), ExpensivePerMinute: c.Int("expensive-rate"),
			},
			Latency: c.Duration("latency"),
			SignIn: simulator.SignIn{
				TenantID: c.String("entra-tenant"), ClientID: c.String("entra-client"),
				Life: c.Duration("token-life"), Uses: c.Int("token-uses"), TextLife: c.Bool("token-text-life"),
				Audience: c.String("token-audience"), NoRoles: c.Bool("token-no-roles"), Echo: c.Bool("sign-in-echo"),
			},
			Paging: simulator.Paging{
				PlainCap: c.Int("plain-cap"), ScanCap: c.Int("scan-cap"), ScanGetCap: c.Int("scan-get-cap"),
				Refuse: c.Bool("refuse-limits"), EmptyBeyond: c.Bool("empty-beyond"), IgnoreUnknown: c.Bool("ignore-unknown"),
				WrongTotal: c.Bool("wrong-total"), NoTotal: c.Bool("no-total"),
				Ignore: c.StringSlice("ignore"), CountCap: c.Int("count-cap"), CountExtra: c.Int("count-extra"),
			},
			Cursor: simulator.Cursor{
				Shape:    simulator.CursorShape(c.String("cursor-shape")),
				DropTail: c.Int("drop-tail"), StandStill: c.Bool("stand-still"),
				Extra: c.Bool("extra-member"), RequireExtra: c.Bool("require-extra"), RefuseAt: c.Int("refuse-cursor-at"),
			},
			Archive: simulator.Archive{
				Span: c.Duration("archive-span"), Cap: c.Int("archive-cap"), Reach: c.Int("archive-reach"),
				Steady: c.Bool("archive-steady"), Closed: c.Bool("archive-closed"),
			},
			Wire:       simulator.Wire{Gzip: c.Bool("gzip"), Chunked: c.Bool("chunked"), Trickle: c.Duration("trickle")},
			RedirectTo: c.String("redirect-to"),
		},
		RecordFiles: append(c.StringSlice("records"), c.Args().Slice()...),
		TokenFile:   c.String("token-file"),
		SecretFile:  c.String("entra-secret-file"),
		Certificate: c.String("entra-certificate"),
		CAFile:      c.String("tls-ca"),
		TruthFile:   c.String("truth"),
		Archived:    c.Bool("archived"),
		NDJSONFile:  c.String("ndjson"),
		StoryFile:   c.String("story-truth"),
		AllowFile:   c.String("allow-list"),
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
	if c.Bool("archive-refuse-scan") {
		p.Options.Archive.Scan = simulator.ArchiveScanRefused
	}
	if c.Bool("archived") && p.TruthFile == "" {
		return p, fmt.Errorf("--archived needs --truth FILE")
	}
	if c.Bool("truth-only") && p.TruthFile+p.StoryFile+p.AllowFile == "" {
		return p, fmt.Errorf("--truth-only needs --truth FILE, or --story-truth or --allow-list")
	}
	if c.Bool("run") && !c.IsSet("now") {
		return p, fmt.Errorf("--run needs --now TIME")
	}
	if c.IsSet("clock-speed") && (!c.Bool("run") || !(c.Float64("clock-speed") > 0)) {
		return p, fmt.Errorf("--clock-speed N needs --run, and N above 0")
	}
	for _, names := range c.StringSlice("stories") {
		p.Options.Stories = append(p.Options.Stories, strings.Split(names, ",")...)
	}
	for _, name := range []string{"story-truth", "stories-from", "stories-until"} {
		if c.IsSet(name) && len(p.Options.Stories) == 0 {
			return p, fmt.Errorf("--%s needs --stories NAME", name)
		}
	}
	if c.IsSet("allow-list") && !p.Options.Noise {
		return p, fmt.Errorf("--allow-list FILE needs --noise")
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
	}{{"now", &now}, {"start", &p.Options.Start}, {"end", &p.Options.End}, {"connector-at", &p.Options.Connector.At}, {"stories-from", &p.Options.StoriesFrom}, {"stories-until", &p.Options.StoriesUntil}, {"since", &p.Since}, {"until", &p.Until}} {
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
			p.Options.Clock = simulator.Running(now, 1)
		}
		if speed := c.Float64("clock-speed"); speed > 0 {
			p.Options.Clock = simulator.Running(now, speed)
			p.Options.RateClock = p.Options.Clock
			p.Options.Latency = time.Duration(float64(p.Options.Latency) / speed)
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
