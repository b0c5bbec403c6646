package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mdcalake/query"
	"mdcalake/store"
)

// promptOptions are the flags of query that a prompt begins with.
type promptOptions struct {
	lake     string // its directory
	format   query.Format
	out      string // first .output; empty: the screen
	maxRows  int64  // that are shown on the screen; 0: all
	timeout  time.Duration
	memory   string
	asOf     time.Time // the lake as it was then; zero: as it is
	given    []query.Parameter
	explain  bool // statements are explained and not answered
	timer    bool
	noHeader bool
	rawCSV   bool
	color    bool
}

// prompt is `mdcalake query` on a terminal without SQL. All statements of an
// entry see one version of the lake. Before each entry it looks whether there
// is a newer one, and goes over to it: beside an ingest that follows, a prompt
// of the morning would otherwise answer for the morning all day, and keep the
// files that compact wants to remove. What is compared belongs into one entry,
// or one file for .read.
type prompt struct {
	c     console
	o     promptOptions
	shell query.Shell
	dir   string // where the person is: the engine works in the lake
	home  string

	covered coverageNote // the same is said once a session

	lake   *store.Lake
	engine *query.Engine

	history    *history
	startPager func(command string) (io.WriteCloser, func() error, error)
	output     *answerFile // nil: the screen
	cutSaid    bool        // how to see all rows has been said
}

// errLeave ends the prompt.
var errLeave = errors.New("leave")

// opensPrompt: no SQL is given, and a person sits at both ends.
func opensPrompt(ctx *cli.Context, c console) bool {
	if ctx.IsSet("c") || ctx.IsSet("f") || ctx.Args().Present() {
		return false
	}
	_, in := terminal(c.in)
	_, out := terminal(c.out)
	return in && out
}

// openPrompt makes of the flags what a prompt begins with.
func openPrompt(ctx *cli.Context, c console, format query.Format, given []query.Parameter, asOf time.Time) error {
	if ctx.IsSet("out") && ctx.String("out") == "" {
		return usage("give a file; without --out answers go to the screen", "--out is empty")
	}
	if ctx.Bool("require-coverage") {
		return usage("give the SQL with -c or -f; a prompt says behind each answer what is not covered", "--require-coverage is for a query with an end")
	}
	o := promptOptions{
		lake: ctx.String("lake"), format: format, out: ctx.String("out"), maxRows: shownRows,
		timeout: ctx.Duration("timeout"), memory: ctx.String("memory-limit"), timer: ctx.Bool("timing"), explain: ctx.Bool("explain"), given: given, asOf: asOf,
		noHeader: ctx.Bool("no-header"), rawCSV: ctx.Bool("raw-csv"), color: !ctx.Bool("no-color") && c.getenv("NO_COLOR") == "" && !dumb(c.getenv),
	}
	if ctx.IsSet("max-rows") {
		o.maxRows = ctx.Int64("max-rows")
	}
	return runPrompt(ctx.Context, c, o)
}

// runPrompt asks until the person leaves.
func runPrompt(ctx context.Context, c console, o promptOptions) (err error) {
	// When the terminal goes away, the temporary folder must still be removed.
	program := ctx
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	defer func() {
		if ctx.Err() != nil && program.Err() == nil {
			err = &exitError{code: exitInterrupted} // there is nobody to tell
		}
	}()
	if o.lake, err = filepath.Abs(o.lake); err != nil { // the working directory changes
		return fmt.Errorf("open the prompt: %w", err)
	}
	p := &prompt{c: c, o: o, covered: coverageNote{c: c}, home: c.getenv("HOME"), shell: query.Shell{Mode: o.format, Timer: o.timer, MaxRows: o.maxRows, Parameters: o.given}}
	p.startPager = func(command string) (io.WriteCloser, func() error, error) {
		return startPager(ctx, c, command, p.dir)
	}
	if p.dir, err = os.Getwd(); err != nil {
		return fmt.Errorf("open the prompt: %w", err)
	}
	if p.lake, p.engine, err = p.open(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, p.engine.Close(), p.lake.Close())
	}()
	boundAnswer()
	if p.shell.Hunts, err = readyQuestions(p.engine, c.now()); err != nil {
		return err
	}
	if o.out != "" {
		if err := p.setOutput(o.out); err != nil {
			return err
		}
	}
	if p.history, err = openHistory(historyPath(c.getenv), p.lake.Snapshot().Root); err != nil {
		p.note("%v", err)
	}
	editor, release, err := p.editor(ctx)
	if err != nil {
		return err
	}
	defer release()
	fmt.Fprintln(c.err, greeting(p.engine.Snapshot()))
	for {
		entry, err := editor.read(ctx)
		switch {
		case errors.Is(err, errCleared):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(c.out)
			return nil
		case err != nil:
			return err
		}
		if err := p.history.add(entry); err != nil {
			p.note("%v", err)
		}
		if err := p.entry(ctx, entry); err != nil {
			if errors.Is(err, errLeave) {
				return nil
			}
			return err
		}
	}
}

// entry runs one entry. Ctrl-C ends the statement that runs, and leaves out
// those behind it; the prompt goes on. So it does after an error.
func (p *prompt) entry(ctx context.Context, text string) error {
	steps := query.Steps(text)
	if len(steps) == 0 {
		return nil
	}
	p.refresh(ctx)
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	defer p.interrupts().take(cancel)()
	err := p.run(run, steps, 0)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errLeave):
		return err
	case run.Err() != nil:
		fmt.Fprintln(p.c.err, "\ninterrupted") // behind the terminal's ^C
	case err != nil:
		p.explain(err)
	}
	return nil
}

// completeWithin is long: on a busy machine the first completion waits for the
// tables to be made.
const completeWithin = 5 * time.Second

// editor is the one that fits the terminal.
func (p *prompt) editor(ctx context.Context) (entryReader, func(), error) {
	if dumb(p.c.getenv) {
		r := newLineReader(p.c)
		return r, p.interrupts().take(r.interrupt), nil
	}
	e, err := newLineEditor(p.c, p.history, func(entry string, cursor int) query.Completion {
		// A completion that takes longer than one waits for is none.
		ctx, cancel := context.WithTimeout(ctx, completeWithin)
		defer cancel()
		found, err := p.engine.Complete(ctx, entry, cursor, p.shell.Hunts)
		if err != nil {
			return query.Completion{Start: cursor}
		}
		return completePath(found, entry, cursor, p.dir, p.home)
	})
	// Keys come as bytes while it reads. An interrupt from elsewhere is not the
	// end of the day's work.
	return e, p.interrupts().take(func() {}), err
}

func (p *prompt) interrupts() *interrupts {
	if p.c.interrupts == nil {
		p.c.interrupts = &interrupts{}
	}
	return p.c.interrupts
}

// open opens the lake as it is now, or as it was.
func (p *prompt) open(ctx context.Context) (*store.Lake, *query.Engine, error) {
	lake, err := store.Open(p.o.lake)
	if err != nil {
		return nil, nil, err
	}
	var engine *query.Engine
	snapshot, err := snapshotOf(ctx, lake, p.o.asOf)
	if err == nil {
		engine, err = query.Open(ctx, query.Options{Snapshot: snapshot, TempDir: os.TempDir(), MemoryLimit: p.o.memory})
	}
	if err != nil {
		return nil, nil, errors.Join(err, lake.Close())
	}
	// The first completion is slow, so it happens before anybody waits for it.
	go engine.Complete(ctx, "select ", 7, nil)
	return lake, engine, nil
}

// refresh goes over to a newer version of the lake, if there is one. Where it
// cannot be opened, the one at hand still answers.
func (p *prompt) refresh(ctx context.Context) {
	grown, err := p.lake.Grown()
	if !grown && err == nil {
		return
	}
	var lake *store.Lake
	var engine *query.Engine
	if err == nil {
		lake, engine, err = p.open(ctx)
	}
	if err != nil {
		p.note("the lake may have grown, and its newest version cannot be read (%v): answers are of version %d", err, p.engine.Snapshot().Version)
		return
	}
	before, now := p.lake.Snapshot(), lake.Snapshot()
	if p.o.asOf.IsZero() {
		p.note("the lake is at version %d now (%s)", now.Version, change(activities(now)-activities(before)))
	}
	err = errors.Join(p.engine.Close(), p.lake.Close())
	p.lake, p.engine = lake, engine
	if err != nil {
		p.note("%v", err)
	}
}

func change(n int64) string {
	switch {
	case n > 0:
		return things(n, "more activity", "more activities")
	case n < 0:
		return things(-n, "activity less", "activities less")
	}
	return "as many activities as before"
}

func activities(s *store.Snapshot) (n int64) {
	for _, f := range s.Files {
		n += f.Rows
	}
	return n
}

// greeting says what one is asking.
func greeting(s *store.Snapshot) string {
	text := fmt.Sprintf("mdcalake %s, lake %s", version, query.Visible(s.Root))
	const how = "\nSQL ends with a semicolon; .help lists the commands"
	if !s.AsOf.IsZero() {
		return text + "\n" + pastText(s) + how
	}
	var first, last int64
	for i, f := range s.Files {
		if r := f.Stats.Timestamp; r.Min <= r.Max {
			if first == 0 || r.Min < first {
				first = r.Min
			}
			if i == 0 || r.Max > last {
				last = r.Max
			}
		}
	}
	n := activities(s)
	text += "\n" + things(n, "activity", "activities")
	if n > 0 && first > 0 {
		day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }
		text += fmt.Sprintf(", %s to %s (UTC)", day(first), day(last))
	}
	return text + how
}

// mostReads bounds files that .read each other.
const mostReads = 8

// run carries out the steps of an entry or a file, until one fails.
func (p *prompt) run(ctx context.Context, steps []query.Step, depth int) error {
	for _, s := range steps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		if s.Command != "" {
			err = p.command(ctx, s.Command, depth)
		} else {
			err = p.answer(ctx, s.SQL)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// command carries out one command.
func (p *prompt) command(ctx context.Context, line string, depth int) error {
	command, err := query.ParseCommand(line)
	if err != nil {
		return err
	}
	said, done, err := p.shell.Set(command)
	if err != nil {
		return err
	}
	arg := ""
	if len(command.Args) > 0 {
		arg = command.Args[0]
	}
	switch {
	case done:
		p.say(said)
		return nil
	case command.Name == "quit":
		return errLeave
	case command.Name == "tables":
		p.say(p.engine.Tables())
		return nil
	case command.Name == "schema":
		sql, err := query.SchemaSQL(arg)
		if err != nil {
			return err
		}
		return p.answer(ctx, sql)
	case command.Name == "output":
		return p.setOutput(arg)
	case command.Name == "read":
		return p.read(ctx, arg, depth)
	}
	return fmt.Errorf("command .%s: not carried out", command.Name)
}

// read runs a file. What it changes with commands stays.
func (p *prompt) read(ctx context.Context, name string, depth int) error {
	if depth >= mostReads {
		return &query.CommandError{What: fmt.Sprintf(".read: %d files read each other", depth), Hint: "does one read itself?"}
	}
	const limit = 16 << 20
	f, err := os.Open(absolute(name, p.dir, p.home))
	if err != nil {
		return fmt.Errorf("read %s: %w", query.Visible(name), bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", query.Visible(name), bare(err))
	}
	if len(data) > limit {
		return &query.CommandError{What: fmt.Sprintf("read %s: it is longer than %s", query.Visible(name), size(limit)), Hint: "is it the right file?"}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	for _, s := range query.Steps(text) {
		err := p.run(ctx, []query.Step{s}, depth+1)
		if err != nil && !errors.Is(err, errLeave) && ctx.Err() == nil {
			line := 1 + strings.Count(text[:s.Offset], "\n")
			p.note("%s, from line %d:", query.Visible(name), line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// say tells what a command answers.
func (p *prompt) say(text string) {
	if text != "" {
		fmt.Fprintln(p.c.out, text)
	}
}

// note tells what goes on beside the answers.
func (p *prompt) note(format string, args ...any) {
	fmt.Fprintf(p.c.err, "-- "+format+"\n", args...)
}

// explain tells what went wrong; the prompt goes on.
func (p *prompt) explain(err error) {
	var asked *query.Error
	var wrong *query.CommandError
	switch {
	case errors.As(err, &asked):
		fmt.Fprintln(p.c.err, asked.Explain())
		return
	case errors.As(err, &wrong):
		fmt.Fprintln(p.c.err, wrong.Explain())
		return
	}
	fmt.Fprintln(p.c.err, strings.ReplaceAll(err.Error(), "\n", "; "))
	hint := hintOf(err)
	if hint == "" {
		hint = systemHint(err)
	}
	if hint != "" {
		fmt.Fprintf(p.c.err, "Hint: %s\n", hint)
	}
}

// bare takes the path out of an error that names it already.
func bare(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// screen is the size of the terminal as it is now.
func screen(c console) (width, height int) {
	width, _ = terminal(c.out)
	height = 24
	if f, ok := c.out.(*os.File); ok {
		if _, h, err := term.GetSize(int(f.Fd())); err == nil && h > 0 {
			height = h
		}
	}
	return width, height
}

// ended says that a write failed because nobody reads on.
func ended(err error) bool {
	return errors.Is(err, errPagerLeft) || errors.Is(err, syscall.EPIPE)
}
