package query

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/mattn/go-runewidth"
)

// tableWriter writes columns for people. The widths come from the first rows,
// which wait until there are enough of them; what comes later is cut to fit
// on a terminal, and moves the rest of its line otherwise.
type tableWriter struct {
	w       *bufio.Writer
	columns []Column
	o       WriteOptions
	plan    bool // an EXPLAIN: its text is a drawing, and no table

	widths  []int // nil while rows wait
	waiting [][]cell
	bytes   int
}

// cell is a value as it is shown; null tells NULL from the word.
type cell struct {
	text string
	null bool
}

const (
	sampleRows  = 1000
	sampleBytes = 8 << 20
	narrowest   = 5 // a column that had to give way
	gap         = "  "
	ellipsis    = "…"
	// widestCell is the most that is looked at of a cell on a terminal.
	widestCell = 4096
)

func newTable(w *bufio.Writer, rows *Rows, o WriteOptions) *tableWriter {
	return &tableWriter{w: w, columns: rows.Columns(), o: o, plan: rows.Explains()}
}

func (t *tableWriter) write(batch arrow.RecordBatch, n int) error {
	if t.plan {
		return t.writePlan(batch, n)
	}
	var buf []byte
	for i := range n {
		row := make([]cell, len(t.columns))
		for k, c := range t.columns {
			a := plain(batch.Column(k))
			if isNull(a, i) {
				row[k] = cell{"NULL", true}
				continue
			}
			buf = appendText(buf[:0], c.typ, a, i)
			row[k].text = t.show(buf)
			t.bytes += len(row[k].text)
		}
		if t.widths != nil {
			t.line(row)
			continue
		}
		t.waiting = append(t.waiting, row)
		if len(t.waiting) >= sampleRows || t.bytes >= sampleBytes {
			t.begin()
		}
	}
	return t.err()
}

// err is the buffered writer's: it keeps the first.
func (t *tableWriter) err() error {
	_, err := t.w.Write(nil)
	return err
}

// show makes a cell of a value. On a terminal nobody sees the end of a long
// one, so that is not even copied.
func (t *tableWriter) show(b []byte) string {
	cut := false
	if t.o.Width > 0 && len(b) > widestCell {
		b, cut = b[:widestCell], true
	}
	s := string(appendVisible(nil, string(bytes.ToValidUTF8(b, nil))))
	if cut {
		s += ellipsis
	}
	return s
}

// begin chooses the widths and writes what has waited.
func (t *tableWriter) begin() {
	t.widths = make([]int, len(t.columns))
	head := make([]cell, len(t.columns))
	for k, c := range t.columns {
		head[k].text = string(appendVisible(nil, c.Name))
		if !t.o.NoHeader {
			t.widths[k] = runewidth.StringWidth(head[k].text)
		}
		for _, row := range t.waiting {
			t.widths[k] = max(t.widths[k], runewidth.StringWidth(row[k].text))
		}
	}
	if t.o.Width > 0 {
		t.fit(t.o.Width - len(gap)*(len(t.widths)-1))
	}
	if !t.o.NoHeader && len(t.columns) > 0 {
		if t.o.Color {
			t.w.WriteString("\x1b[1m")
		}
		t.line(head)
		if t.o.Color {
			t.w.WriteString("\x1b[0m")
		}
		for k, width := range t.widths {
			if k > 0 {
				t.w.WriteString(gap)
			}
			t.w.WriteString(strings.Repeat("-", max(width, 1)))
		}
		t.w.WriteByte('\n')
	}
	for _, row := range t.waiting {
		t.line(row)
	}
	t.waiting = nil
}

// fit cuts texts, and only texts: half a number or half a time says something
// else. Where that is not enough, lines are longer than the terminal is wide.
func (t *tableWriter) fit(room int) {
	var texts []int
	var widths []int
	for k, c := range t.columns {
		if c.typ.text() {
			texts, widths = append(texts, k), append(widths, t.widths[k])
		} else {
			room -= t.widths[k]
		}
	}
	fit(widths, room)
	for i, k := range texts {
		t.widths[k] = widths[i]
	}
}

// fit lowers the widest columns until all of them fit, and none below the
// narrowest.
func fit(widths []int, room int) {
	total := 0
	for _, w := range widths {
		total += w
	}
	for total > room {
		widest, second := 0, narrowest
		count := 0
		for _, w := range widths {
			switch {
			case w > widest:
				widest, second, count = w, max(widest, narrowest), 1
			case w == widest:
				count++
			case w > second:
				second = w
			}
		}
		if widest <= narrowest {
			return
		}
		// All of the widest come down together, to the second or as far as needed.
		target := max(second, widest-(total-room+count-1)/count)
		lowered := 0
		for k, w := range widths {
			if w == widest && lowered < total-room {
				widths[k] = target
				lowered += w - target
			}
		}
		total -= lowered
	}
}

func (t *tableWriter) line(row []cell) {
	for k, c := range row {
		if k > 0 {
			t.w.WriteString(gap)
		}
		text := c.text
		width := runewidth.StringWidth(text)
		if t.o.Width > 0 && width > t.widths[k] && t.columns[k].typ.text() {
			text = runewidth.Truncate(text, t.widths[k], ellipsis)
			width = runewidth.StringWidth(text)
		}
		pad := max(0, t.widths[k]-width)
		right := t.columns[k].typ.numeric()
		if right {
			t.pad(pad)
		}
		if c.null && t.o.Color {
			text = "\x1b[2m" + text + "\x1b[0m"
		}
		t.w.WriteString(text)
		if !right && k < len(row)-1 { // no blanks at the end of a line
			t.pad(pad)
		}
	}
	t.w.WriteByte('\n')
}

func (t *tableWriter) pad(n int) {
	for range n {
		t.w.WriteByte(' ')
	}
}

// writePlan writes the drawing of an EXPLAIN, which is text of many lines.
func (t *tableWriter) writePlan(batch arrow.RecordBatch, n int) error {
	last := int(batch.NumCols()) - 1
	for i := range n {
		text := appendText(nil, t.columns[last].typ, batch.Column(last), i)
		for line := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n") {
			t.w.Write(appendVisible(nil, line))
			t.w.WriteByte('\n')
		}
	}
	return t.err()
}

func (t *tableWriter) end(res Result) error {
	if t.plan {
		return t.err()
	}
	if t.widths == nil {
		t.begin()
	}
	t.w.WriteString(footer(res) + "\n")
	return t.err()
}

// footer says how many rows there are, and how many of them one sees.
func footer(res Result) string {
	rows := func(n int64) string {
		if n == 1 {
			return "1 row"
		}
		return grouped(n) + " rows"
	}
	switch {
	case res.More:
		return fmt.Sprintf("(%s of more than %s)", grouped(res.Shown), rows(res.Rows))
	case res.Shown < res.Rows:
		return fmt.Sprintf("(%s of %s)", grouped(res.Shown), rows(res.Rows))
	}
	return "(" + rows(res.Rows) + ")"
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
