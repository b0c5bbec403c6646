package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2"

	"mdcalake/store"
)

// Options are what Open needs to know.
type Options struct {
	// Snapshot is the version of the lake that every statement sees.
	Snapshot *store.Snapshot
	// TempDir is the folder below which the engine makes a private one of its
	// own, for what does not fit in memory. It must exist, on this machine, and
	// not be in the lake.
	TempDir string
	// MemoryLimit is the most that DuckDB's buffers may take, such as 2GiB.
	// Empty: 4 GiB, or what DuckDB would take by itself where that is less.
	MemoryLimit string
	// Threads that work on a statement; 0: as many as there are processors, and no
	// more than one for each 256 MiB of memory.
	Threads int
	// MaxSpill is the most that may lie in TempDir, such as 50GiB. Empty: nine
	// tenths of what is free there.
	MaxSpill string
	// Starting is one that Start has begun; nil: Open begins its own.
	Starting *Starting
	// Functions are those of the caller that statements may use.
	Functions []TextFunction
}

// Engine answers statements over one snapshot. Its methods may be called from
// several goroutines.
type Engine struct {
	snapshot  *store.Snapshot
	functions []TextFunction
	limits    limits
	temp      *tempDir
	leave     func() error
	planFor   time.Duration      // a test may have more, or none
	values    *store.ValueLookup // nil: there is none, as noValues says
	noValues  string

	mu        sync.Mutex
	warm      *Starting // for the next statement; nil: it opens its own
	open      map[*Rows]bool
	closed    bool
	templates map[*lakeTable]template
	stages    []staged

	completing completer

	// Statements that did not notice their end, and how many there still are.
	abandoned sync.WaitGroup
	forsaken  atomic.Int32
	left      chan struct{} // closed when the working directory is given back
}

// Open makes the snapshot ready to be asked. It makes the lake the working
// directory of the process (see doc.go) until Close.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Snapshot == nil {
		return nil, errors.New("open lake: no snapshot is given")
	}
	for _, f := range o.Functions {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	temp, err := checkTempDir(o.TempDir, o.Snapshot.Root)
	if err != nil {
		return nil, err
	}
	e := &Engine{snapshot: o.Snapshot, functions: o.Functions, planFor: planFor, left: make(chan struct{}), open: map[*Rows]bool{}, templates: map[*lakeTable]template{}}
	if e.leave, err = enterLake(o.Snapshot.Root); err != nil {
		return nil, err
	}
	fail := func(err error) (*Engine, error) { return nil, errors.Join(err, e.Close()) }
	if e.temp, err = newTempDir(temp); err != nil {
		return fail(err)
	}
	e.limits = limits{memory: o.MemoryLimit, threads: o.Threads, spill: e.temp.spill(), maxDisk: o.MaxSpill}
	in, err := o.first(ctx, e.limits)
	if err != nil {
		return fail(err)
	}
	e.warm = started(in)
	e.openValues()
	return e, nil
}

// first is the instance of the first statement.
func (o Options) first(ctx context.Context, l limits) (*instance, error) {
	if o.Starting == nil {
		return openInstance(ctx, l)
	}
	in, err := o.Starting.take()
	if err != nil {
		return nil, err
	}
	if err := in.limit(ctx, l); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

// openValues opens the value index now, since one that a writer has brought
// further would not fit the snapshot any more. Without it more files are read.
func (e *Engine) openValues() {
	var err error
	switch e.values, err = e.snapshot.Values(); {
	case err != nil:
		e.values, e.noValues = nil, err.Error()
	case !e.snapshot.AsOf.IsZero():
		e.noValues = "it knows the lake as it is now"
	case !e.values.Useful():
		e.noValues = "there is none for this version of the lake"
	}
}

// checkTempDir: the folder is open to SQL, and an answer must not write below
// the lake.
func checkTempDir(dir, root string) (string, error) {
	if dir == "" {
		return "", errors.New("open lake: no temporary folder is given")
	}
	abs, err := filepath.Abs(dir) // before the working directory changes
	if err != nil {
		return "", fmt.Errorf("open lake: temporary folder: %w", err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("open lake: temporary folder: %w", err)
	}
	lake, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", fmt.Errorf("open lake: %w", err)
	}
	if rel, err := filepath.Rel(lake, real); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("open lake: temporary folder %s is in the lake: choose one outside", dir)
	}
	return real, nil
}

// Snapshot is what it was opened for.
func (e *Engine) Snapshot() *store.Snapshot { return e.snapshot }

// abandonAfter is how long a cancelled statement may take to notice. Binding
// never looks; its instance is then left to end by itself.
const abandonAfter = time.Second

// Query checks one statement and starts it. What comes back streams; it must
// be closed. Errors about the statement are *Error.
//
// When ctx ends, so does the statement, within about a second; also later,
// while its rows are read.
func (e *Engine) Query(ctx context.Context, sql string) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, cancelled(ctx, sql)
	}
	in, err := e.takeInstance(ctx)
	if ctx.Err() != nil && err != nil {
		return nil, cancelled(ctx, sql)
	}
	if err != nil {
		return nil, err
	}
	type answer struct {
		rows *Rows
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		rows, err := e.ask(ctx, in, sql)
		done <- answer{rows, err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		select {
		case a = <-done:
		case <-time.After(abandonAfter):
			e.forsaken.Add(1)
			e.abandoned.Go(func() {
				defer e.forsaken.Add(-1)
				if a := <-done; a.rows != nil {
					a.rows.Close()
				}
			})
			return nil, cancelled(ctx, sql)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.rows, nil
}

// Check says what Query would refuse about a statement, without running it:
// of several statements none should run if one of them may not. What only
// binding or running can find is not found.
func (e *Engine) Check(ctx context.Context, sql string) error {
	in, err := e.takeInstance(ctx)
	if err != nil {
		return err
	}
	// A check leaves nothing behind in the instance.
	defer e.giveBack(in)
	q, err := (guard{in}).check(ctx, sql)
	if err == nil {
		err = q.checkPast(e.snapshot)
	}
	if err != nil {
		return e.explain(ctx, sql, err)
	}
	return nil
}

// check lets the guard see a statement, and whether this snapshot has what it
// asks for.
func (e *Engine) check(ctx context.Context, in *instance, sql string) (*question, error) {
	q, err := guard{in}.check(ctx, sql)
	if err != nil {
		return nil, err
	}
	q.reachBack(e.snapshot)
	return q, q.checkPast(e.snapshot)
}

// giveBack keeps an unused instance for the next statement.
func (e *Engine) giveBack(in *instance) {
	e.mu.Lock()
	keep := e.warm == nil && !e.closed
	if keep {
		e.warm = started(in)
	}
	e.mu.Unlock()
	if !keep {
		in.close()
	}
}

func (e *Engine) takeInstance(ctx context.Context) (*instance, error) {
	e.mu.Lock()
	warm, closed := e.warm, e.closed
	e.warm = nil
	e.mu.Unlock()
	switch {
	case closed:
		return nil, errors.New("query: the engine is closed")
	case warm != nil:
		// One that did not come up was begun for a statement that was interrupted.
		if in, err := warm.take(); err == nil {
			return in, nil
		}
	}
	return openInstance(ctx, e.limits)
}

// warmUp starts the instance of the next statement, which is sure to come.
func (e *Engine) warmUp(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.warm == nil && !e.closed {
		e.warm = start(ctx, e.limits)
	}
}

// ask is the road of a statement (doc.go). It owns the instance: what it does
// not hand on with the rows it closes.
func (e *Engine) ask(ctx context.Context, in *instance, sql string) (rows *Rows, err error) {
	timing := Timing{Started: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	release := in.interruptOn(ctx)
	var p *prepared
	defer func() {
		if err == nil {
			return
		}
		if p != nil {
			p.close()
		}
		err = e.explain(ctx, sql, err)
		cancel()
		release()
		in.close()
	}()

	q, err := e.check(ctx, in, sql)
	if err != nil {
		return nil, err
	}
	timing.Guarded = time.Now()
	if err := e.furnish(ctx, in, q); err != nil {
		return nil, err
	}
	// One transaction from planning to the last row: now() is one moment.
	if err := in.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return nil, err
	}
	c, err := e.choose(ctx, in, q)
	if err != nil {
		return nil, err
	}
	if c.refused && q.before == 0 {
		// Nearly always a mistake in it, which is told sooner on the templates.
		wrong, err := in.prepare(q.run, q.before)
		if err != nil {
			return nil, e.statementError(q, err)
		}
		wrong.close()
	}
	for _, t := range c.pruning.Tables {
		timing.Files += t.Read.Files
		timing.Bytes += t.Read.Bytes
	}
	timing.Chosen = time.Now()
	if err := e.allow(ctx, in, q, c.files); err != nil {
		return nil, err
	}
	timing.Furnished = time.Now()

	if p, err = e.bind(ctx, in, q, c.files); err != nil {
		return nil, err
	}
	if err := e.hand(ctx, in, q, c.files); err != nil {
		return nil, err
	}
	timing.Bound = time.Now()
	s, err := p.run()
	if err != nil {
		return nil, e.statementError(q, err)
	}
	rows = &Rows{engine: e, in: in, stream: s, question: q, choice: c, ctx: ctx, cancel: cancel, release: release, timing: timing}
	e.mu.Lock()
	e.open[rows] = true
	e.mu.Unlock()
	return rows, nil
}

// bind prepares a statement, on the templates. DuckDB binds whatever reads files
// once more when it runs, and looks each of them up in both: here they are
// not there yet.
func (e *Engine) bind(ctx context.Context, in *instance, q *question, chosen files) (*prepared, error) {
	if q.before > 0 {
		// What the types of a PIVOT are made of is read now.
		if err := e.hand(ctx, in, q, chosen); err != nil {
			return nil, err
		}
	}
	p, err := in.prepare(q.run, q.before)
	if err != nil {
		return nil, e.statementError(q, err)
	}
	if err := p.checkType(); err != nil {
		p.close()
		return nil, e.statementError(q, err)
	}
	if p.parameters() > 0 {
		p.close()
		return nil, &Error{Kind: Names, SQL: q.sql, Position: firstParameter(q.sql), Message: "a parameter has no value", Hint: "write the value in its place"}
	}
	return p, nil
}

// retellFor bounds the search for a reason.
const retellFor = 10 * time.Second

// retell runs a statement that failed without a reason once more, on one
// thread, where nobody can interrupt the one that knows. Its rows are dropped:
// all that is wanted is the error.
func (e *Engine) retell(ctx context.Context, sql string, failure error) error {
	var plain *Error
	if errors.As(failure, &plain) {
		plain.Kind, plain.Message, plain.Hint = Runtime, "the statement failed while it ran, and DuckDB does not say why", "run it again over fewer rows"
	}
	ctx, cancel := context.WithTimeout(ctx, retellFor)
	defer cancel()
	alone := e.limits
	alone.threads = 1
	in, err := openInstance(ctx, alone)
	if err != nil {
		return failure
	}
	rows, err := e.ask(ctx, in, sql)
	for err == nil {
		rows.retold = true
		var batch arrow.RecordBatch
		if batch, err = rows.Next(); err == nil {
			batch.Release()
		}
	}
	if rows != nil {
		rows.Close()
	}
	if err == io.EOF || ctx.Err() != nil || unexplained(err) {
		return failure
	}
	return err
}

// Close ends the statements that still run, removes the temporary folder and
// takes the process back to where it was. It may be called twice.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	var open []*Rows
	for r := range e.open {
		open = append(open, r)
	}
	warm := e.warm
	e.warm = nil
	e.mu.Unlock()

	var errs []error
	for _, r := range open {
		errs = append(errs, r.Close())
	}
	errs = append(errs, warm.Close())
	errs = append(errs, e.completing.close())
	for _, t := range e.templates {
		if t.file != nil {
			t.file.Close()
		}
	}
	e.closeStages()
	if e.values != nil {
		e.values.Close() // a reader of whole files: there is nothing to lose
	}
	if e.temp != nil {
		errs = append(errs, e.temp.remove())
	}
	// A statement that goes on in the background must not see its relative
	// paths mean something else: then the way back waits for it.
	if e.forsaken.Load() > 0 {
		go func() {
			defer close(e.left)
			e.abandoned.Wait()
			e.leave()
		}()
	} else {
		defer close(e.left)
		errs = append(errs, e.leave())
	}
	return errors.Join(errs...)
}

// statementError makes an *Error of what DuckDB said about a statement.
func (e *Engine) statementError(q *question, err error) error {
	var text engineText
	switch {
	case errors.As(err, &text):
		se := newEngineError(string(text), q.sql, q.shift)
		se.Hint = hintFor(se, q.sql)
		if strings.HasPrefix(se.Message, "Table with name") {
			se.Candidates = nearestTables(se.Message)
		}
		return se
	case errors.Is(err, errManyStatements), errors.Is(err, errStatementType):
		return q.refuse(-1, "this is "+err.Error()+", and a query only reads", "ask one SELECT at a time")
	case errors.Is(err, errNoStatement):
		return &Error{Kind: Syntax, SQL: q.sql, Position: -1, Message: "there is no statement"}
	}
	return err
}

// explain gives the last form to an error of a statement: ended by its
// context, or what it was.
func (e *Engine) explain(ctx context.Context, sql string, err error) error {
	if ctx.Err() != nil {
		return cancelled(ctx, sql)
	}
	if se, ok := asError(err); ok {
		if lost := e.lost(se); lost != nil {
			return lost
		}
		return se
	}
	var de *duckdb.Error
	if errors.As(err, &de) {
		se := newEngineError(de.Msg, sql, 0)
		se.Position = -1 // it counts in a text of ours
		se.Err = err
		if se.Kind == Runtime || se.Kind == Refused {
			se.Hint = ""
		}
		return se
	}
	return err
}

// cancelled is the error of a statement whose context ended.
func cancelled(ctx context.Context, sql string) *Error {
	e := &Error{Kind: Cancelled, SQL: sql, Position: -1, Message: "the statement was interrupted", Err: context.Cause(ctx)}
	if errors.Is(e.Err, context.DeadlineExceeded) {
		e.Message = "the statement took longer than it may"
		e.Hint = "allow more with --timeout, or ask about fewer days"
	}
	return e
}

func firstParameter(sql string) int {
	for _, t := range lex(sql) {
		if t.kind == parameter {
			return t.start
		}
	}
	return -1
}

// nearestTables picks the tables whose names are like the one in DuckDB's
// message; its own guesses are from its catalog.
func nearestTables(message string) []string {
	name := strings.TrimPrefix(message, "Table with name ")
	name, _, _ = strings.Cut(name, " ")
	name = strings.ToLower(strings.Trim(name, `"`))
	return nearest(name, tableNames())
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			last, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, last+cost)
		}
	}
	return row[len(b)]
}
