package query

import (
	"bufio"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// markdownWriter writes a table of GitHub's Markdown, for tickets and reports.
//
// Text in the lake is chosen by attackers as well, and where Markdown is shown
// it may load pictures and hide where a link leads: whatever would be markup
// is escaped, and so shown as it is. (What looks like an address, renderers
// make a link of by themselves, to what one sees.)
type markdownWriter struct {
	w       *bufio.Writer
	columns []Column
	plan    bool // an EXPLAIN: a drawing between fences
	cell    []byte
	line    []byte
}

func newMarkdown(w *bufio.Writer, rows *Rows, o WriteOptions) (*markdownWriter, error) {
	m := &markdownWriter{w: w, columns: rows.Columns(), plan: rows.Explains()}
	if m.plan {
		w.WriteString("```\n")
		return m, nil
	}
	if o.NoHeader {
		return m, nil
	}
	b := []byte("|")
	for _, c := range m.columns {
		b = append(appendMarkdown(append(b, ' '), string(appendVisible(nil, c.Name))), " |"...)
	}
	b = append(b, "\n|"...)
	for _, c := range m.columns {
		if c.typ.numeric() {
			b = append(b, " ---: |"...)
		} else {
			b = append(b, " --- |"...)
		}
	}
	_, err := w.Write(append(b, '\n'))
	return m, err
}

func (m *markdownWriter) write(batch arrow.RecordBatch, n int) error {
	if m.plan {
		return writePlan(m.w, m.columns, batch, n)
	}
	for i := range n {
		b := append(m.line[:0], '|')
		for k, c := range m.columns {
			b = append(b, ' ')
			a := plain(batch.Column(k))
			if isNull(a, i) {
				b = append(b, "NULL |"...)
				continue
			}
			m.cell = appendText(m.cell[:0], c.typ, a, i)
			b = append(appendMarkdown(b, string(m.cell)), " |"...)
		}
		m.line = append(b, '\n')
		if _, err := m.w.Write(m.line); err != nil {
			return err
		}
	}
	return nil
}

func (m *markdownWriter) end(res Result) error {
	if m.plan {
		_, err := m.w.WriteString("```\n")
		return err
	}
	if res.Shown == res.Rows && !res.More {
		return nil
	}
	_, err := m.w.WriteString("\n" + footer(res) + "\n")
	return err
}

// markup are the characters that Markdown gives a meaning within a line. A
// backslash before any of them takes it away.
const markup = "\\`*[]<>|&~$"

// appendMarkdown appends a text that is shown as it is. A line of a table
// cannot end within a cell.
func appendMarkdown(b []byte, s string) []byte {
	var before rune
	for i, r := range s {
		switch {
		case r == '\n':
			b = append(b, "<br>"...)
		case r == '\r' && strings.HasPrefix(s[i+1:], "\n"):
		case hides(r):
			b = append(appendHex(append(b, `\\u{`...), uint32(r)), '}')
		case r < utf8.RuneSelf && strings.IndexByte(markup, byte(r)) >= 0,
			r == '_' && !(inWord(before) && inWord(runeAt(s, i+1))): // a_b is no markup, _b_ is
			b = append(b, '\\', byte(r))
		default:
			b = utf8.AppendRune(b, r)
		}
		before = r
	}
	return b
}

// MarkdownText is text from outside, fit for a line of Markdown: it is shown as it
// is, and ends no line.
func MarkdownText(s string) string {
	return string(appendMarkdown(nil, strings.ToValidUTF8(s, "\ufffd")))
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func runeAt(s string, i int) rune {
	if i >= len(s) {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}
