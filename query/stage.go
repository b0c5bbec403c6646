package query

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// A stage is the answer of a statement in a file of the engine's private folder.
// Statements after it read it as a table, so that what many of them need is read from
// the lake once: thirty hunts want the same columns of the same days.

// staged is such a table.
type staged struct {
	name string
	path string   // as DuckDB is to read it
	file *os.File // where its path is that of an open file
}

// Stage is what is known of one.
type Stage struct {
	Rows    int64
	Pruning Pruning
}

var stageName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Stage answers a statement, and keeps the answer as a table for the statements
// that come after it: of this engine, and until it is closed. name is in lower
// case and that of no other table. The statement goes the road of any other (see
// Query); its columns must have names, each another one.
func (e *Engine) Stage(ctx context.Context, name, sql string) (s Stage, err error) {
	if !stageName.MatchString(name) {
		return s, fmt.Errorf("stage %q: a table's name has small letters, digits and _ only", name)
	}
	for _, t := range append(tableNames(), e.stagedNames()...) {
		if t == name {
			return s, fmt.Errorf("stage %q: there is a table of that name", name)
		}
	}
	if err := ctx.Err(); err != nil {
		return s, cancelled(ctx, sql)
	}
	in, err := e.takeInstance(ctx)
	if err != nil {
		return s, err
	}
	release := in.interruptOn(ctx)
	defer func() {
		release()
		err = errors.Join(err, in.close())
	}()
	e.warmUp(ctx)
	written := e.temp.file(name + ".parquet")
	if s, err = e.stage(ctx, in, sql, written); err != nil {
		os.Remove(written)
		if ctx.Err() != nil {
			return s, cancelled(ctx, sql)
		}
		return s, e.explain(ctx, sql, err)
	}
	t := staged{name: name, path: written}
	if strings.ContainsAny(t.path, "*?[\\=") { // as in template.go
		if t.file, err = os.Open(t.path); err != nil {
			return s, fmt.Errorf("open what was staged: %w", err)
		}
		t.path = fmt.Sprintf("/dev/fd/%d", t.file.Fd())
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stages = append(e.stages, t)
	return s, nil
}

// stage writes the file. It is the road of ask, up to where the rows go.
func (e *Engine) stage(ctx context.Context, in *instance, sql, path string) (s Stage, err error) {
	q, err := e.check(ctx, in, sql)
	if err != nil {
		return s, err
	}
	if q.explain || q.before > 0 {
		return s, q.refuse(0, "this statement's answer cannot be kept as a table", "write a SELECT, and a PIVOT with its values: ON column IN ('a', 'b')")
	}
	if err := e.furnish(ctx, in, q); err != nil {
		return s, err
	}
	if err := in.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return s, err
	}
	c, err := e.choose(ctx, in, q)
	if err != nil {
		return s, err
	}
	s.Pruning = c.pruning
	// A table has no order. To keep that of thousands of small files took five times
	// as long, most of it waiting.
	if err := in.exec(ctx, "SET preserve_insertion_order = false"); err != nil {
		return s, err
	}
	if err := e.allow(ctx, in, q, c.files, path); err != nil {
		return s, err
	}
	// On the templates first: what is wrong with it is told in its own words.
	p, err := e.bind(ctx, in, q, c.files)
	if err != nil {
		return s, err
	}
	p.close()
	if err := e.hand(ctx, in, q, c.files); err != nil {
		return s, err
	}
	const before = "COPY ("
	// It may end in a comment.
	copied := before + q.run + "\n) TO " + quoteString(path) + " (FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 20480)" // wide rows: a group of each thread is in memory
	q.shift -= len(before)
	if p, err = in.prepare(copied, 0); err != nil {
		return s, e.statementError(q, err)
	}
	defer p.close()
	var result bindings.Result
	defer bindings.DestroyResult(&result)
	if bindings.ExecutePrepared(p.stmt, &result) == bindings.StateError {
		return s, e.statementError(q, engineText(bindings.ResultError(&result)))
	}
	s.Rows = int64(bindings.RowsChanged(&result))
	return s, nil
}

func (e *Engine) stagedNames() []string {
	var names []string
	for _, t := range e.staged() {
		names = append(names, t.name)
	}
	return names
}

// staged are the tables that there are by now.
func (e *Engine) staged() []staged {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stages[:len(e.stages):len(e.stages)]
}

// createStaged is the SQL that makes the views of those that a statement sees.
func createStaged(q *question, stages []staged) string {
	var b strings.Builder
	for _, t := range stages {
		if q.tree.sees(t.name) {
			fmt.Fprintf(&b, "CREATE VIEW %s AS SELECT * FROM read_parquet(%s, hive_partitioning = false);\n", quoteName(t.name), quoteString(filepath.ToSlash(t.path)))
		}
	}
	return b.String()
}

// closeStages lets go of the files, which go with the folder.
func (e *Engine) closeStages() {
	for _, t := range e.staged() {
		if t.file != nil {
			t.file.Close()
		}
	}
}
