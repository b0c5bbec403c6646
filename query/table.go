package query

import (
	"bufio"
	"bytes"

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
	frame   frame
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
	ellipsis    = "…"
	// widestCell is the most that is looked at of a cell on a terminal.
	widestCell = 4096
)

func newTable(w *bufio.Writer, rows *Rows, o WriteOptions, f frame) *tableWriter {
	return &tableWriter{w: w, columns: rows.Columns(), o: o, frame: f, plan: rows.Explains()}
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
		t.widths[k] = 1
		if !t.o.NoHeader {
			t.widths[k] = max(1, runewidth.StringWidth(head[k].text))
		}
		for _, row := range t.waiting {
			t.widths[k] = max(t.widths[k], runewidth.StringWidth(row[k].text))
		}
	}
	if t.o.Width > 0 {
		t.fit(t.o.Width - t.frame.room(len(t.widths)))
	}
	t.rule(t.frame.top)
	if !t.o.NoHeader && len(t.columns) > 0 {
		if t.o.Color {
			t.w.WriteString("\x1b[1m")
		}
		t.line(head)
		if t.o.Color {
			t.w.WriteString("\x1b[0m")
		}
		t.rule(t.frame.under)
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
	t.w.WriteString(t.frame.left)
	for k, c := range row {
		if k > 0 {
			t.w.WriteString(t.frame.between)
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
		if !right && (k < len(row)-1 || t.frame.right != "") { // no blanks at the end of a line
			t.pad(pad)
		}
	}
	t.w.WriteString(t.frame.right)
	t.w.WriteByte('\n')
}

func (t *tableWriter) pad(n int) {
	for range n {
		t.w.WriteByte(' ')
	}
}

func (t *tableWriter) writePlan(batch arrow.RecordBatch, n int) error {
	return writePlan(t.w, t.columns, batch, n)
}

func (t *tableWriter) end(res Result) error {
	if t.plan {
		return t.err()
	}
	if t.widths == nil {
		t.begin()
	}
	t.rule(t.frame.bottom)
	t.w.WriteString(footer(res) + "\n")
	return t.err()
}
