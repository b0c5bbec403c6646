package query

import (
	"fmt"
	"slices"
	"strings"
)

// Command is a command of the prompt, understood: its full name without the
// dot, and as many arguments as it takes.
type Command struct {
	Name string
	Args []string
}

// CommandError is a command that cannot be carried out.
type CommandError struct {
	What       string
	Candidates []string // that were perhaps meant
	Hint       string
}

func (e *CommandError) Error() string { return e.What }

// Explain is the whole error for a person.
func (e *CommandError) Explain() string {
	s := e.What
	if len(e.Candidates) > 0 {
		s += "\nDid you mean " + quoteNames(e.Candidates) + "?"
	}
	if e.Hint != "" {
		s += "\nHint: " + e.Hint
	}
	return s
}

// commandSpec is one line of .help.
type commandSpec struct {
	name  string
	args  string // as .help writes them
	least int
	most  int
	about string
}

var commandSpecs = []commandSpec{
	{"help", "[COMMAND]", 0, 1, "this list, or one line of it"},
	{"tables", "", 0, 0, "the tables, and how many rows they have"},
	{"schema", "[TABLE]", 0, 1, "the columns of a table, or of all"},
	{"hunts", "[NAME]", 0, 1, "ready questions, or the SQL of one"},
	{"mode", "[FORMAT]", 0, 1, "how answers are written: table, csv, json, ..."},
	{"param", "[NAME [VALUE]]", 0, 2, "give $NAME a value, take it away, or list all"},
	{"output", "[FILE]", 0, 1, "the next answers go to FILE; without one, to the screen"},
	{"read", "FILE", 1, 1, "run the statements and commands of FILE"},
	{"max-rows", "[N]", 0, 1, "most rows of an answer that are shown; 0: all"},
	{"timer", "[on|off]", 0, 1, "say how long each answer took"},
	{"quit", "", 0, 0, "leave (Ctrl-D does the same)"},
}

// commandNames are all commands, without the dot.
func commandNames() []string {
	names := make([]string, len(commandSpecs))
	for i, c := range commandSpecs {
		names[i] = c.name
	}
	return names
}

// findCommand takes a name, or the beginning of one where no other begins so.
func findCommand(name string) (commandSpec, error) {
	typed := name
	name = strings.ToLower(strings.TrimPrefix(name, "."))
	if name == "exit" {
		name = "quit"
	}
	var near []string
	for _, c := range commandSpecs {
		if c.name == name {
			return c, nil
		}
		if name != "" && strings.HasPrefix(c.name, name) {
			near = append(near, c.name)
		}
	}
	if len(near) == 1 {
		return commandSpecs[slices.Index(commandNames(), near[0])], nil
	}
	if len(near) == 0 {
		near = nearest(name, commandNames())
	}
	for i, n := range near {
		near[i] = "." + n
	}
	return commandSpec{}, &CommandError{What: fmt.Sprintf("there is no command %q", typed), Candidates: near, Hint: ".help lists the commands; SQL ends with a semicolon"}
}

// ParseCommand reads a line that begins with a dot. Errors are *CommandError.
func ParseCommand(line string) (Command, error) {
	words, err := commandWords(strings.TrimRight(line, "; \t\r\n"))
	if err != nil {
		return Command{}, err
	}
	c, err := findCommand(words[0])
	if err != nil {
		return Command{}, err
	}
	args := words[1:]
	if len(args) >= c.least && len(args) <= c.most {
		return Command{Name: c.name, Args: args}, nil
	}
	wrong := &CommandError{Hint: strings.TrimSpace("write ." + c.name + " " + c.args)}
	switch {
	case len(args) < c.least:
		wrong.What = fmt.Sprintf(".%s needs %s", c.name, c.args)
	case c.most > 0:
		wrong.What = fmt.Sprintf(".%s takes %s, and %q is one more", c.name, c.args, args[c.most])
		wrong.Hint = "put a name with blanks in quotes"
	default:
		wrong.What = fmt.Sprintf(".%s takes no argument", c.name)
	}
	return Command{}, wrong
}

// commandWords splits a command at its blanks; quotes keep them together, and
// a doubled quote within stands for itself. There is at least one word.
func commandWords(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	in := false // a word has begun
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote && i+1 < len(line) && line[i+1] == quote:
			b.WriteByte(c)
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if in {
				words = append(words, b.String())
				b.Reset()
			}
			in = false
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, &CommandError{What: fmt.Sprintf("a quote %c is not closed", quote), Hint: "a doubled quote stands for one within"}
	}
	if in {
		words = append(words, b.String())
	}
	if len(words) == 0 {
		words = []string{"."}
	}
	return words, nil
}

const keysHelp = `SQL may go over several lines and ends with a semicolon. Tab completes, Up and
Ctrl-R go back in what was typed, Ctrl-C clears the line or stops the statement.`

// helpText is all of .help, or its line on one command.
func helpText(name string) (string, error) {
	var rows [][2]string
	for _, c := range commandSpecs {
		rows = append(rows, [2]string{strings.TrimSpace("." + c.name + " " + c.args), c.about})
	}
	if name == "" {
		return twoColumns(rows) + "\n\n" + keysHelp, nil
	}
	c, err := findCommand(name)
	if err != nil {
		return "", err
	}
	i := slices.Index(commandNames(), c.name)
	return twoColumns(rows[i : i+1]), nil
}

// nearest picks the names that are like one that is not there, the likeliest
// first.
func nearest(name string, names []string) []string {
	name = strings.ToLower(name)
	type near struct {
		name     string
		distance int
	}
	var found []near
	for _, n := range names {
		d := editDistance(name, strings.ToLower(n))
		if name != "" && strings.HasPrefix(strings.ToLower(n), name) {
			d = 0
		}
		if d <= 1+len(n)/4 {
			found = append(found, near{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.distance - b.distance })
	out := make([]string, len(found))
	for i, f := range found {
		out[i] = f.name
	}
	return out
}

// completeCommand completes a command of the prompt, which begins at a byte of
// the entry.
func completeCommand(line string, at int, hunts []Hunt) Completion {
	words := strings.Fields(line)
	blank := line != strings.TrimRight(line, " \t")
	c := Completion{Start: at + strings.LastIndexAny(line, " \t") + 1}
	if len(words) == 1 && !blank {
		for _, s := range commandSpecs {
			if strings.HasPrefix("."+s.name, strings.ToLower(words[0])) {
				text := "." + s.name
				if s.most > 0 {
					text += " "
				}
				c.Items = append(c.Items, Suggestion{text, s.about})
			}
		}
		return c
	}
	spec, err := findCommand(words[0])
	if err != nil {
		return c
	}
	typed := strings.ToLower(line[c.Start-at:])
	offer := func(name, about string) {
		if strings.HasPrefix(strings.ToLower(name), typed) {
			c.Items = append(c.Items, Suggestion{name, about})
		}
	}
	switch spec.name {
	case "help":
		for _, s := range commandSpecs {
			offer(s.name, s.about)
		}
	case "mode":
		for _, f := range Formats() {
			offer(f, "")
		}
	case "timer":
		offer("on", "")
		offer("off", "")
	case "schema":
		for _, t := range tableNames() {
			offer(t, "table")
		}
	case "hunts":
		for _, h := range hunts {
			offer(h.Name, h.About)
		}
	case "read", "output":
		// A name with blanks is one word, perhaps in quotes.
		rest := strings.TrimLeft(line[len(words[0]):], " \t")
		c.Start, c.Path = at+len(line)-len(rest), true
	}
	return c
}
