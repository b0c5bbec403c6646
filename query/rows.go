package query

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Column is a column of an answer.
type Column struct {
	Name string
	Type string // as DuckDB writes it
	typ  *valueType
}

// Timing is where the time of a statement went, and what it had to read.
type Timing struct {
	Started   time.Time
	Guarded   time.Time // checked
	Chosen    time.Time // planned, and its files chosen
	Furnished time.Time // files named, doors locked
	Bound     time.Time // prepared
	First     time.Time // the first batch was there, or the end
	Ended     time.Time // the last was read; zero until then
	Files     int       // that it was given
	Bytes     int64     // of these files on disk, read or not
}

// Rows are the answer to a statement, as it is computed. One goroutine reads
// them; Close may come from any.
type Rows struct {
	engine   *Engine
	in       *instance
	stream   *stream
	question *question
	choice   choice
	ctx      context.Context
	cancel   context.CancelFunc // ends the statement, and so a Next that waits
	release  func()

	retold bool // this is the second telling already

	mu     sync.Mutex
	timing Timing
	err    error // what Next said last, io.EOF included
	closed bool
}

// Columns are the answer's columns. Names may be there twice.
func (r *Rows) Columns() []Column { return r.stream.columns }

// Schema is the batches' Arrow schema.
func (r *Rows) Schema() *arrow.Schema { return r.stream.schema }

// Explains says that the statement was an EXPLAIN: its answer is a drawing.
func (r *Rows) Explains() bool { return r.question.explain }

// Pruning tells which files the statement was given, and why not the others.
func (r *Rows) Pruning() Pruning { return r.choice.pruning }

// Timing tells where the time went so far.
func (r *Rows) Timing() Timing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.timing
}

// Next is the next batch, never an empty one; behind the last io.EOF. The
// caller releases it.
func (r *Rows) Next() (arrow.RecordBatch, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, errors.New("query: the rows are closed")
	case r.err != nil:
		return nil, r.err
	}
	if r.ctx.Err() != nil {
		r.err = cancelled(r.ctx, r.question.sql)
		return nil, r.err
	}
	batch, err := r.stream.next()
	if r.timing.First.IsZero() {
		r.timing.First = time.Now()
	}
	if err == io.EOF && r.ctx.Err() == nil {
		r.timing.Ended = time.Now()
		r.err = io.EOF
		return nil, r.err
	}
	if err != nil {
		r.err = r.engine.explain(r.ctx, r.question.sql, r.engine.statementError(r.question, err))
		if unexplained(r.err) && r.ctx.Err() == nil && !r.retold {
			r.err = r.engine.retell(r.ctx, r.question.sql, r.err)
		}
		return nil, r.err
	}
	return batch, nil
}

// unexplained: when a thread of DuckDB's fails, it interrupts the others, and
// now and then the one that is asked for rows tells of that and not of why.
func unexplained(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.HasPrefix(e.Message, "Interrupted")
}

// Close ends the statement, whether all was read or not.
func (r *Rows) Close() error {
	r.cancel() // before the lock: a Next that runs holds it
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.stream.close()
	r.stream.p.close()
	r.release()
	r.engine.mu.Lock()
	delete(r.engine.open, r)
	r.engine.mu.Unlock()
	return r.in.close()
}
