package query

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Format is a way to write rows.
type Format int

// The formats.
const (
	Table    Format = iota + 1 // columns under their names
	Box                        // the same within lines
	CSV                        // RFC 4180
	TSV                        // a line a row, a tab between cells, for cut and awk
	JSON                       // one array
	JSONL                      // an object a line
	Markdown                   // a table of GitHub's Markdown
	Line                       // a line for each value of a row
	Parquet
	Arrow // an IPC stream
)

var formatNames = []string{"", "table", "box", "csv", "tsv", "json", "jsonl", "markdown", "line", "parquet", "arrow"}

// otherNames are what people call a format besides, the endings of files
// among them.
var otherNames = map[string]Format{"ndjson": JSONL, "md": Markdown, "tab": TSV, "txt": Table, "pq": Parquet, "arrows": Arrow, "ipc": Arrow}

// Formats are the names of all formats.
func Formats() []string { return formatNames[1:] }

func (f Format) String() string {
	if f < 1 || int(f) >= len(formatNames) {
		return "unknown"
	}
	return formatNames[f]
}

// Binary says that the format is not for a terminal, and that a file of it
// holds one answer.
func (f Format) Binary() bool { return f == Parquet || f == Arrow }

// Drawn says that the format is a drawing for people. It tells itself when it
// leaves rows out, and what would act on a terminal is shown as \u{..} in it
// wherever it goes; the other formats keep their bytes in files and pipes.
func (f Format) Drawn() bool { return f == Table || f == Box || f == Markdown || f == Line }

// HasHeader says that NoHeader leaves something out.
func (f Format) HasHeader() bool {
	return f == Table || f == Box || f == Markdown || f.Spreadsheet()
}

// Spreadsheet says that people open the format in one.
func (f Format) Spreadsheet() bool { return f == CSV || f == TSV }

// Several is what stands before, between and behind several answers in one
// output. Of JSON they make one array; each other format has an empty line
// between them, but for jsonl, whose rows follow one another.
func (f Format) Several() (before, between, behind string) {
	switch f {
	case JSON:
		return "[\n", ",\n", "]\n"
	case JSONL:
		return "", "", ""
	}
	return "", "\n", ""
}

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	for i, n := range formatNames[1:] {
		if strings.EqualFold(name, n) {
			return Format(i + 1), nil
		}
	}
	if f, ok := otherNames[strings.ToLower(name)]; ok {
		return f, nil
	}
	return 0, fmt.Errorf("output format %q is unknown: choose one of %s", name, strings.Join(Formats(), ", "))
}

// FormatOfFile is the format that a file's name says.
func FormatOfFile(name string) (Format, bool) {
	f, err := ParseFormat(strings.TrimPrefix(filepath.Ext(name), "."))
	return f, err == nil
}

// WriteOptions are how rows are written. The zero value writes all of them,
// for a file.
type WriteOptions struct {
	// MaxRows is the most that are shown; 0: all.
	MaxRows int64
	// NoHeader leaves out the names of the columns (HasHeader).
	NoHeader bool
	// Width is that of the terminal in columns; 0: cells are not cut (table,
	// box).
	Width int
	// Color allows escape sequences of our own (table, box).
	Color bool
	// Terminal says that a person reads it there: characters that would act on
	// the terminal are shown instead, in every text format, and binary formats
	// are refused.
	Terminal bool
	// RawCSV leaves cells as they are that a spreadsheet would run (csv, tsv).
	RawCSV bool
}

// Result is what was written.
type Result struct {
	Rows  int64 // of the answer, as far as they were counted
	Shown int64 // of these
	// More says that there are more than Rows: counting stops some way behind
	// MaxRows, for the rest may be large.
	More bool
	// Neutralised are the cells of a csv or tsv that a spreadsheet would have run.
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
	if f.Binary() && o.Terminal {
		return res, fmt.Errorf("write %s: it is binary, and this is a terminal: name a file with --out, or choose -o table", f)
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	out, err := newWriter(f, buffered, rows, o)
	if err != nil {
		return res, writing(f, err)
	}
	if r, ok := out.(interface{ release() }); ok {
		defer r.release()
	}
	// A writer that waits for its reader ends with the context as well; the
	// error is then the statement's end.
	failed := func(err error) error {
		if ctx.Err() != nil {
			return cancelled(ctx, rows.question.sql)
		}
		return writing(f, err)
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
			return res, failed(err)
		}
		if o.MaxRows > 0 && res.Rows >= o.MaxRows+countBehind {
			res.More = true
			break
		}
	}
	if err := out.end(res); err != nil {
		return res, failed(err)
	}
	if c, ok := out.(interface{ count() int64 }); ok {
		res.Neutralised = c.count()
	}
	if err := buffered.Flush(); err != nil {
		return res, failed(err)
	}
	return res, nil
}

func newWriter(f Format, w *bufio.Writer, rows *Rows, o WriteOptions) (rowWriter, error) {
	switch f {
	case Table:
		return newTable(w, rows, o, bare), nil
	case Box:
		return newTable(w, rows, o, boxed), nil
	case CSV:
		return newCSV(w, rows, o)
	case TSV:
		return newTSV(w, rows, o)
	case JSON, JSONL:
		return newJSON(w, rows, f, o), nil
	case Markdown:
		return newMarkdown(w, rows, o)
	case Line:
		return newLine(w, rows), nil
	case Parquet:
		return newParquet(w, rows)
	case Arrow:
		return newArrow(w, rows)
	}
	return nil, fmt.Errorf("unknown format %d", f)
}

// writing says what failed, unless the error is a sentence about the answer.
func writing(f Format, err error) error {
	if _, ok := asError(err); ok {
		return err
	}
	return fmt.Errorf("write %s: %w", f, err)
}
