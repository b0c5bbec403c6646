package timeline

import (
	"bufio"
	"context"
	"io"
	"strings"

	"mdcalake/query"
)

// Write tells the story to people, as text for a terminal or in Markdown; every: each
// event has its own line. Of a story without events there is nothing to tell.
func (s *Story) Write(ctx context.Context, w io.Writer, markdown, every bool) error {
	if s.Events == 0 {
		return nil
	}
	b := bufio.NewWriterSize(w, 64<<10)
	var t teller = &textTeller{w: b}
	if markdown {
		t = &markdownTeller{w: b}
	}
	if err := s.tell(ctx, t, every); err != nil {
		return err
	}
	return b.Flush()
}

// textTeller writes lines for a terminal.
type textTeller struct {
	w       *bufio.Writer
	subject bool
}

func (t *textTeller) print(indent, text string) error {
	t.w.WriteString(indent)
	t.w.WriteString(query.Visible(text))
	return t.w.WriteByte('\n')
}

func (t *textTeller) begin(s *Story) error {
	t.subject = s.Entity.Kind != User
	t.print("", s.Headline())
	for _, line := range s.histogram() {
		t.print("", line)
	}
	return nil
}

func (t *textTeller) session(e *event) error {
	t.w.WriteByte('\n')
	err := t.print("", e.head())
	if facts := e.facts(t.subject); facts != "" {
		err = t.print("  ", facts)
	}
	return err
}

func (t *textTeller) line(f *fold) error {
	text := f.sentence(t.subject)
	if span := f.span(); span != "" {
		text += " (" + span + ")"
	}
	err := t.print("  ", f.first.time().Format(dayAndTime)+"  "+text)
	// A line of its own: no text of a record can pass for it.
	for _, n := range f.first.New {
		err = t.print("  NEW                  ", n)
	}
	return err
}

func (t *textTeller) aside(text string) error {
	t.w.WriteByte('\n')
	return t.print("-- ", text)
}

func (t *textTeller) end(s *Story) error {
	if rest := s.Rest(); rest != "" {
		t.w.WriteByte('\n')
		return t.print("-- ", rest)
	}
	return nil
}

// markdownTeller writes a section a session.
type markdownTeller struct {
	w       *bufio.Writer
	subject bool
}

func (m *markdownTeller) begin(s *Story) error {
	m.subject = s.Entity.Kind != User
	m.w.WriteString("# Timeline: " + query.MarkdownText(s.Headline()) + "\n\n```\n")
	for _, line := range s.histogram() {
		m.w.WriteString(line + "\n")
	}
	_, err := m.w.WriteString("```\n")
	return err
}

func (m *markdownTeller) session(e *event) error {
	m.w.WriteString("\n## S" + query.MarkdownText(e.head()[1:]) + "\n\n")
	if facts := e.facts(m.subject); facts != "" {
		m.w.WriteString(query.MarkdownText(strings.ToUpper(facts[:1])+facts[1:]) + "\n\n")
	}
	_, err := m.w.WriteString("| time | what happened | new |\n| --- | --- | --- |\n")
	return err
}

func (m *markdownTeller) line(f *fold) error {
	text := f.sentence(m.subject)
	if span := f.span(); span != "" {
		text += " (" + span + ")"
	}
	m.w.WriteString("| " + f.first.time().Format(dayAndTime) + " | " + query.MarkdownText(text) + " | " + query.MarkdownText(listed(f.first.New, int64(len(f.first.New)))) + " |\n")
	return nil
}

func (m *markdownTeller) aside(text string) error {
	_, err := m.w.WriteString("\n**" + query.MarkdownText(text) + "**\n")
	return err
}

func (m *markdownTeller) end(s *Story) error {
	if rest := s.Rest(); rest != "" {
		return m.aside(rest)
	}
	return nil
}
