package query

import (
	"bytes"
	"context"
	"encoding/json"
)

// Each answers a statement row by row, each as a T by the names of its columns, as
// encoding/json reads an object. An error of row's ends it.
func Each[T any](ctx context.Context, e *Engine, sql string, row func(T) error) error {
	rows, err := e.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	return EachOf(ctx, rows, row)
}

// EachOf is Each of an answer that is there already.
func EachOf[T any](ctx context.Context, rows *Rows, row func(T) error) error {
	lines := &lineReader{line: func(line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		return row(v)
	}}
	_, err := Write(ctx, lines, JSONL, rows, WriteOptions{})
	return err
}

// lineReader hands on what is written to it, line by line.
type lineReader struct {
	rest []byte
	line func([]byte) error
}

func (l *lineReader) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.rest = append(l.rest, p...)
			return n, nil
		}
		line := p[:end]
		if len(l.rest) > 0 {
			l.rest = append(l.rest, line...)
			line = l.rest
		}
		if err := l.line(line); err != nil {
			return 0, err
		}
		l.rest, p = l.rest[:0], p[end+1:]
	}
}
