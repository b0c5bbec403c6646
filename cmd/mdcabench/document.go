package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The result: one Markdown file with a section for each part. A part that is
// measured anew replaces its own section only, so each says when, where and at which
// commit it was; its figures stand behind it in a comment, from which the table of
// targets at the top is computed whenever the file is written.

// partOrder is that of the file, and of a run of all.
var partOrder = []string{"import", "memory", "scan", "start", "query", "hunts", "growth"}

// section is what a part found.
type section struct {
	part  string
	text  string // Markdown, with its heading
	facts map[string]float64
}

func newSection(part, title string) section {
	return section{part: part, text: "## " + title + "\n", facts: map[string]float64{}}
}

// say adds a paragraph or a table.
func (s *section) say(format string, args ...any) {
	s.text += "\n" + strings.TrimRight(fmt.Sprintf(format, args...), "\n") + "\n"
}

// document is the whole file.
type document map[string]section

const (
	sectionBegin = "<!-- part "
	factsBegin   = "<!-- figures "
	commentEnd   = " -->\n"
)

// parseDocument finds the sections of a file that was written by String. What it
// does not know it leaves out.
func parseDocument(text string) (document, error) {
	d := document{}
	for n, block := range strings.Split(text, sectionBegin) {
		if n == 0 {
			continue // title and targets
		}
		part, rest, ok := strings.Cut(block, commentEnd)
		if !ok || !slices.Contains(partOrder, part) {
			continue
		}
		body, figures, ok := strings.Cut(rest, factsBegin)
		if !ok {
			return nil, fmt.Errorf("section %s has no figures behind it; measure it anew, or remove the file", part)
		}
		s := section{part: part, text: body}
		figures, _, _ = strings.Cut(figures, commentEnd)
		if err := json.Unmarshal([]byte(figures), &s.facts); err != nil {
			return nil, fmt.Errorf("figures of section %s: %w; measure it anew, or remove the file", part, err)
		}
		d[part] = s
	}
	return d, nil
}

// encode is the file. It fails where a figure is no number.
func (d document) encode() (string, error) {
	var b strings.Builder
	b.WriteString(`# mdcalake beside what else one could take

Made by ` + "`make bench`" + `, or one part by ` + "`.build/mdcabench import`" + ` and so on (see ` + "`mdcabench --help`" + `). Every contestant is a process of
its own on the same data; they take turns, A B A B. Shown are the median of the rounds and, in brackets, the least and the most; a ratio
is computed round by round. Memory is the peak of what is resident. All data is the simulator's, made from a seed.

## Targets

`)
	facts := map[string]float64{}
	for _, s := range d {
		for name, value := range s.facts {
			facts[name] = value
		}
	}
	b.WriteString(targetTable(facts))
	for _, part := range partOrder {
		s, ok := d[part]
		if !ok {
			continue
		}
		figures, err := json.Marshal(s.facts) // sorted by name
		if err != nil {
			return "", fmt.Errorf("figures of section %s: %w", part, err)
		}
		fmt.Fprintf(&b, "\n%s%s%s%s\n%s%s%s", sectionBegin, s.part, commentEnd, strings.TrimRight(s.text, "\n"), factsBegin, figures, commentEnd)
	}
	return b.String(), nil
}

// keep puts a section into the file.
func (b *bench) keep(s section) error {
	s.text = strings.Replace(s.text, "\n", "\n\n"+b.machine()+"\n", 1)
	if b.result == "" {
		_, err := fmt.Fprintf(b.out, "%s\n", s.text)
		return err
	}
	text, err := os.ReadFile(b.result)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	d, err := parseDocument(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", b.result, err)
	}
	d[s.part] = s
	whole, err := d.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", b.result, err)
	}
	if err := os.MkdirAll(filepath.Dir(b.result), 0o755); err != nil {
		return err
	}
	temporary := b.result + ".new"
	if err := os.WriteFile(temporary, []byte(whole), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, b.result)
}
