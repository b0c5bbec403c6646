package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mdcalake/query"
)

// answer runs one statement and shows its rows, on the screen or in a file.
func (p *prompt) answer(ctx context.Context, sql string) error {
	if p.output == nil && p.shell.Mode.Binary() {
		return &query.CommandError{What: fmt.Sprintf("%s is binary, and this is a terminal", p.shell.Mode), Hint: "name a file with .output FILE, or choose .mode table"}
	}
	if p.o.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, p.o.timeout)
		defer stop()
	}
	started := time.Now()
	if p.o.explain {
		sql = explanation(sql)
	}
	bound, asText, err := p.engine.Bind(ctx, sql, p.shell.Parameters)
	if err != nil {
		return err
	}
	if len(asText) > 0 {
		p.note("%s", asTextNote(asText))
	}
	rows, err := p.engine.Query(ctx, bound)
	var result query.Result
	var reading time.Duration // of the person, in the pager
	if err == nil {
		defer rows.Close()
		if rows.Explains() {
			p.say(strings.TrimRight(pruningText(rows.Pruning()), "\n"))
		}
		o := query.WriteOptions{NoHeader: p.o.noHeader, RawCSV: p.o.rawCSV}
		if p.output != nil {
			result, err = p.output.write(ctx, p.c, p.shell.Mode, rows, o, p.lake.Snapshot().Root)
		} else {
			result, reading, err = p.show(ctx, rows, o)
		}
	}
	if err != nil && !ended(err) {
		return err
	}
	took := time.Since(started) - reading
	if result.Neutralised > 0 {
		p.note("%s would have run in a spreadsheet and got a ' in front; mdcalake query --raw-csv leaves them", things(result.Neutralised, "cell", "cells"))
	}
	p.covered.tell(rows)
	if p.output != nil {
		p.note("%s in %s", things(result.Rows, "row", "rows"), query.Visible(p.output.path))
	}
	if p.shell.Timer {
		p.note("%s", timingText(rows.Timing(), result.Rows, took))
	}
	return nil
}

// show writes rows on the screen. A pager outlives a statement that was
// interrupted: what has come can still be read.
func (p *prompt) show(ctx context.Context, rows *query.Rows, o query.WriteOptions) (result query.Result, reading time.Duration, err error) {
	width, height := screen(p.c)
	o.Width, o.Terminal, o.Color, o.MaxRows = width, true, p.o.color, p.shell.MaxRows
	w := &pager{out: p.c.out, width: width, height: height - 1} // one line is the prompt's
	if command := pagerCommand(p.c.getenv); command != "" {
		w.start = func() (io.WriteCloser, func() error, error) { return p.startPager(command) }
	}
	result, err = query.Write(ctx, w, p.shell.Mode, rows, o)
	if err != nil {
		rows.Close() // it must not work on while somebody reads
	}
	err = errors.Join(err, w.close())
	if w.failed != nil && ctx.Err() == nil {
		p.note("the pager ended badly (%v), and may not have shown the answer; PAGER=cat shows answers without one", w.failed)
	}
	cut := result.More || result.Shown < result.Rows
	if err == nil && cut && p.shell.Mode != query.Table {
		// A table says so itself.
		than := ""
		if result.More {
			than = "more than "
		}
		p.note("%s of %s%s", count(result.Shown), than, things(result.Rows, "row", "rows"))
	}
	if err == nil && cut && !p.cutSaid {
		p.note(".max-rows 0 shows all rows, .output FILE writes them all to a file")
		p.cutSaid = true
	}
	return result, w.waited, err
}

// answerFile is where answers go after .output. The first makes the file, or
// replaces it, once it is whole; each further one is put behind it, or not at
// all.
type answerFile struct {
	path    string
	format  query.Format // as its ending says; 0: .mode's
	answers int
	alone   bool // what it holds can have nothing behind it
}

// setOutput sends the next answers to a file, or back to the screen.
func (p *prompt) setOutput(name string) error {
	if name == "" {
		if p.output != nil {
			p.note("%s in %s; the next answers come here", things(int64(p.output.answers), "answer", "answers"), query.Visible(p.output.path))
		}
		p.output = nil
		return nil
	}
	path := absolute(name, p.dir, p.home)
	// Refused now rather than after an hour's question.
	o, err := newOutput(p.c, ".output", path, p.lake.Snapshot().Root)
	if err != nil {
		return err
	}
	o.discard()
	p.output = &answerFile{path: path}
	what := "the next answers go to %s"
	if f, ok := query.FormatOfFile(path); ok {
		p.output.format = f
		what += " as " + f.String()
	}
	if _, err := os.Stat(path); err == nil {
		what += ", which the first of them replaces"
	}
	p.note(what, query.Visible(path))
	return nil
}

func (a *answerFile) write(ctx context.Context, c console, f query.Format, rows *query.Rows, o query.WriteOptions, lake string) (query.Result, error) {
	if a.format != 0 {
		f = a.format
	}
	alone := f.Binary() || f == query.JSON
	if a.answers > 0 && (a.alone || alone) {
		return query.Result{}, &query.CommandError{What: fmt.Sprintf("%s holds an answer already, and %s takes one a file", query.Visible(a.path), f), Hint: "name another file with .output"}
	}
	if a.answers > 0 {
		return a.append(ctx, f, rows, o)
	}
	out, err := newOutput(c, ".output", a.path, lake)
	if err != nil {
		return query.Result{}, err
	}
	defer out.discard()
	result, err := query.Write(ctx, out.w, f, rows, o)
	if err == nil {
		err = out.keep()
	}
	if err == nil {
		a.answers, a.alone = 1, alone
	}
	return result, err
}

// append takes back what it wrote when it does not come to the end.
func (a *answerFile) append(ctx context.Context, f query.Format, rows *query.Rows, o query.WriteOptions) (result query.Result, err error) {
	file, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return result, fmt.Errorf("write %q: %w", a.path, bare(err))
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return result, fmt.Errorf("write %q: %w", a.path, bare(err))
	}
	if f != query.JSONL {
		_, err = fmt.Fprintln(file)
	}
	if err == nil {
		result, err = query.Write(ctx, file, f, rows, o)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return result, errors.Join(err, file.Truncate(info.Size()))
	}
	a.answers++
	return result, nil
}
