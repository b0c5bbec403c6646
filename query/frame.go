package query

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// frame is what stands around the cells of a table.
type frame struct {
	left, between, right string // of each line
	top, under, bottom   *rule  // above, below the names, below; nil: none
}

// rule is a line across.
type rule struct{ left, dash, between, right string }

var (
	// bare is a table whose columns stand apart: easy to copy and to grep.
	bare = frame{between: "  ", under: &rule{dash: "-", between: "  "}}
	// boxed is one within lines.
	boxed = frame{
		left: "│ ", between: " │ ", right: " │",
		top:    &rule{"┌─", "─", "─┬─", "─┐"},
		under:  &rule{"├─", "─", "─┼─", "─┤"},
		bottom: &rule{"└─", "─", "─┴─", "─┘"},
	}
)

// room is what the frame takes of a line of n columns, each of its characters
// one place wide.
func (f frame) room(n int) int {
	count := func(s string) int { return len([]rune(s)) }
	return count(f.left) + count(f.right) + count(f.between)*max(0, n-1)
}

func (t *tableWriter) rule(r *rule) {
	if r == nil || len(t.widths) == 0 {
		return
	}
	t.w.WriteString(r.left)
	for k, width := range t.widths {
		if k > 0 {
			t.w.WriteString(r.between)
		}
		t.w.WriteString(strings.Repeat(r.dash, width))
	}
	t.w.WriteString(r.right)
	t.w.WriteByte('\n')
}

// writePlan writes the drawing of an EXPLAIN, which is text of many lines.
func writePlan(w *bufio.Writer, columns []Column, batch arrow.RecordBatch, n int) error {
	last := int(batch.NumCols()) - 1
	for i := range n {
		text := appendText(nil, columns[last].typ, batch.Column(last), i)
		for line := range strings.SplitSeq(strings.TrimRight(string(text), "\n"), "\n") {
			w.Write(appendVisible(nil, line))
			w.WriteByte('\n')
		}
	}
	_, err := w.Write(nil)
	return err
}

// footer says how many rows there are, and how many of them one sees.
func footer(res Result) string { return "(" + res.Said() + ")" }

// Said is the number of rows in words: 1,234 rows, or 10 of 1,234 rows, or 10
// of more than 100,000 rows.
func (res Result) Said() string {
	rows := func(n int64) string {
		if n == 1 {
			return "1 row"
		}
		return grouped(n) + " rows"
	}
	switch {
	case res.More:
		return fmt.Sprintf("%s of more than %s", grouped(res.Shown), rows(res.Rows))
	case res.Shown < res.Rows:
		return fmt.Sprintf("%s of %s", grouped(res.Shown), rows(res.Rows))
	}
	return rows(res.Rows)
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
