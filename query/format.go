package query

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Format is a way to write rows.
type Format int

// The formats.
const (
	Table Format = iota + 1
	CSV
	JSON
	JSONL
	Parquet
)

var formatNames = []string{"", "table", "csv", "json", "jsonl", "parquet"}

// Formats are the names of all formats.
func Formats() []string { return formatNames[1:] }

func (f Format) String() string {
	if f < 1 || int(f) >= len(formatNames) {
		return "unknown"
	}
	return formatNames[f]
}

// Binary says that the format is not for a terminal.
func (f Format) Binary() bool { return f == Parquet }

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames[1:] {
		if strings.EqualFold(name, n) {
			return Format(i + 1), nil
		}
	}
	if strings.EqualFold(name, "ndjson") {
		return JSONL, nil
	}
	return 0, fmt.Errorf("output format %q is unknown: choose one of %s", name, strings.Join(Formats(), ", "))
}

// WriteOptions are how rows are written. The zero value writes all of them,
// for a file.
type WriteOptions struct {
	// MaxRows is the most that are shown; 0: all.
	MaxRows int64
	// NoHeader leaves out the names of the columns (table, csv).
	NoHeader bool
	// Width is that of the terminal in columns; 0: cells are not cut (table).
	Width int
	// Color allows escape sequences of our own (table).
	Color bool
	// Terminal says that a person reads it there: characters that would act on
	// the terminal are shown instead, in every text format, and binary formats
	// are refused.
	Terminal bool
	// RawCSV leaves cells as they are that a spreadsheet would run.
	RawCSV bool
}

// Result is what was written.
type Result struct {
	Rows  int64 // of the answer, as far as they were counted
	Shown int64 // of these
	// More says that there are more than Rows: counting stops some way behind
	// MaxRows, for the rest may be large.
	More bool
	// Neutralised are the cells of a csv that a spreadsheet would have run.
	Neutralised int64
}

// countBehind is how many rows behind MaxRows are counted, so that most
// answers can say "10 of 5,321 rows".
const countBehind = 100_000

// rowWriter writes an answer in one format.
type rowWriter interface {
	// write takes the first n rows of a batch.
	write(batch arrow.RecordBatch, n int) error
	// end writes what stands behind the rows.
	end(Result) error
}

// Write writes the rows to w and says how many. It reads batch by batch, and
// leaves closing the rows to the caller. What was written before an error is
// not whole: JSON is then left open, the others cannot tell.
func Write(ctx context.Context, w io.Writer, f Format, rows *Rows, o WriteOptions) (res Result, err error) {
	stop := context.AfterFunc(ctx, rows.cancel)
	defer stop()
	buffered := bufio.NewWriterSize(w, 64<<10)
	var out rowWriter
	var neutralised *int64
	switch f {
	case Table:
		out = newTable(buffered, rows, o)
	case CSV:
		c, err := newCSV(buffered, rows, o)
		if err != nil {
			return res, writing(f, err)
		}
		out, neutralised = c, &c.neutralised
	case JSON, JSONL:
		out = newJSON(buffered, rows, f, o)
	case Parquet:
		if o.Terminal {
			return res, errors.New("write parquet: it is binary, and this is a terminal: name a file with --out, or choose -o table")
		}
		p, err := newParquet(buffered, rows)
		if err != nil {
			return res, writing(f, err)
		}
		defer p.release()
		out = p
	default:
		return res, fmt.Errorf("write rows: unknown format %d", f)
	}
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			buffered.Flush()
			if ctx.Err() != nil {
				err = cancelled(ctx, rows.question.sql)
			}
			return res, err
		}
		n := batch.NumRows()
		show := n
		if o.MaxRows > 0 {
			show = min(n, max(0, o.MaxRows-res.Shown))
		}
		if show > 0 {
			err = out.write(batch, int(show))
		}
		batch.Release()
		res.Rows += n
		res.Shown += show
		if err != nil {
			return res, writing(f, err)
		}
		if o.MaxRows > 0 && res.Rows >= o.MaxRows+countBehind {
			res.More = true
			break
		}
	}
	if err := out.end(res); err != nil {
		return res, writing(f, err)
	}
	if neutralised != nil {
		res.Neutralised = *neutralised
	}
	if err := buffered.Flush(); err != nil {
		return res, writing(f, err)
	}
	return res, nil
}

func writing(f Format, err error) error { return fmt.Errorf("write %s: %w", f, err) }
