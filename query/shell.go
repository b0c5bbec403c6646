package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The prompt, as far as it needs no terminal: what an entry says, when it is
// finished, what the commands mean, what may be completed. cmd reads lines,
// shows answers and keeps the files.

// Shell is what the commands of a prompt have set. It is not safe for use from
// several goroutines.
type Shell struct {
	Mode    Format // of the answers
	Timer   bool   // each answer says how long it took
	MaxRows int64  // most rows of an answer that are shown; 0: all
	// Parameters are the values of $name in statements.
	Parameters []Parameter
	// Hunts are the ready questions that .hunts tells of; there may be none.
	Hunts []Hunt
}

// Hunt is a ready question about a lake.
type Hunt struct {
	Name  string // short, without blanks
	About string // what it finds, in one line
	SQL   string
}

// Step is one part of an entry: a command of the prompt, or a statement.
type Step struct {
	Command string // from the dot to the end of its line; empty: a statement
	SQL     string // without the semicolon
	Offset  int    // where it begins in the entry, in bytes
}

// Steps takes an entry apart. A line that begins with a dot where a statement
// could begin is a command; a statement ends at a semicolon, the last one
// perhaps at the end.
func Steps(entry string) []Step {
	if command := bareCommand(entry); command != "" {
		return []Step{{Command: command}}
	}
	var steps []Step
	start, end := -1, 0 // of the statement that is being read
	finish := func() {
		if start >= 0 {
			steps = append(steps, Step{SQL: entry[start:end], Offset: start})
		}
		start = -1
	}
	for i := 0; i < len(entry); {
		if start < 0 && entry[i] == '.' && firstOnLine(entry, i) {
			n := len(entry)
			if k := strings.IndexAny(entry[i:], "\r\n"); k >= 0 {
				n = i + k
			}
			steps = append(steps, Step{Command: strings.TrimSpace(entry[i:n]), Offset: i})
			i = n
			continue
		}
		kind, next := next(entry, i)
		next = max(next, i+1)
		switch {
		case kind == semicolon:
			finish()
		case kind != 0:
			if start < 0 {
				start = i
			}
			end = next
		}
		i = next
	}
	finish()
	return steps
}

// firstOnLine says whether only blanks stand before i on its line.
func firstOnLine(s string, i int) bool {
	line := s[strings.LastIndexByte(s[:i], '\n')+1 : i]
	return strings.TrimSpace(line) == ""
}

// bareCommands are what people type who come from other prompts.
var bareCommands = map[string]string{
	"exit": ".quit", "quit": ".quit", `\q`: ".quit", "help": ".help", "?": ".help", `\?`: ".help", `\h`: ".help", `\d`: ".tables", `\dt`: ".tables",
}

func bareCommand(entry string) string {
	return bareCommands[strings.ToLower(strings.TrimRight(strings.TrimSpace(entry), "; "))]
}

// Finished says whether an entry can run, or more lines must come: SQL ends
// with a semicolon, a command with its line.
func Finished(entry string) bool {
	if strings.TrimSpace(entry) == "" || bareCommand(entry) != "" {
		return true
	}
	end := 0 // behind the last command or semicolon
	i, fresh := 0, true
	for i < len(entry) {
		if fresh && entry[i] == '.' && firstOnLine(entry, i) {
			if k := strings.IndexAny(entry[i:], "\r\n"); k >= 0 {
				i += k
			} else {
				i = len(entry)
			}
			end = i
			continue
		}
		kind, next := next(entry, i)
		next = max(next, i+1)
		switch {
		case kind == semicolon:
			fresh, end = true, next
		case kind != 0:
			fresh = false
		}
		i = next
	}
	// What follows may be blank or a finished comment, but a comment alone waits
	// for its statement, and one that has not ended for its end.
	return end > 0 && fresh && !unendedComment(entry[end:])
}

func unendedComment(s string) bool {
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], "--") {
			k := strings.IndexAny(s[i:], "\r\n")
			if k < 0 {
				return false
			}
			i += k
			continue
		}
		if strings.HasPrefix(s[i:], "/*") {
			if i = blockComment(s+" ", i); i > len(s) {
				return true
			}
			continue
		}
		i++
	}
	return false
}

// Set carries out a command that only changes or tells of the shell itself,
// and returns what it has to say. done is false for the others.
func (s *Shell) Set(c Command) (said string, done bool, err error) {
	arg := ""
	if len(c.Args) > 0 {
		arg = c.Args[0]
	}
	switch c.Name {
	case "help":
		said, err = helpText(arg)
	case "mode":
		said, err = s.setMode(arg)
	case "timer":
		said, err = s.setTimer(arg)
	case "max-rows":
		said, err = s.setMaxRows(arg)
	case "param":
		said, err = s.setParameter(c.Args)
	case "hunts":
		said, err = s.hunts(arg)
	default:
		return "", false, nil
	}
	return said, true, err
}

func (s *Shell) setMode(arg string) (string, error) {
	if arg == "" {
		return fmt.Sprintf("answers come as %s; there are %s", s.Mode, strings.Join(Formats(), ", ")), nil
	}
	f, err := ParseFormat(arg)
	if err != nil {
		return "", &CommandError{What: fmt.Sprintf(".mode does not know %q", arg), Hint: "choose one of " + strings.Join(Formats(), ", ")}
	}
	s.Mode = f
	return "", nil
}

func (s *Shell) setTimer(arg string) (string, error) {
	switch strings.ToLower(arg) {
	case "on":
		s.Timer = true
	case "off":
		s.Timer = false
	case "":
		s.Timer = !s.Timer
	default:
		return "", &CommandError{What: fmt.Sprintf(".timer does not take %q", arg), Hint: "write .timer on or .timer off"}
	}
	if s.Timer {
		return "each answer says how long it took", nil
	}
	return "answers do not say how long they took", nil
}

func (s *Shell) setMaxRows(arg string) (string, error) {
	if arg != "" {
		n, err := strconv.ParseInt(strings.ReplaceAll(arg, ",", ""), 10, 64)
		if err != nil || n < 0 {
			return "", &CommandError{What: fmt.Sprintf("%q is no number of rows", arg), Hint: "0 means all"}
		}
		s.MaxRows = n
	}
	if s.MaxRows == 0 {
		return "all rows of an answer are shown", nil
	}
	if s.MaxRows == 1 {
		return "at most 1 row of an answer is shown", nil
	}
	return fmt.Sprintf("at most %s rows of an answer are shown; .max-rows 0 means all", grouped(s.MaxRows)), nil
}

// setParameter gives $name a value, takes it away, or tells of all.
func (s *Shell) setParameter(args []string) (string, error) {
	if len(args) == 0 {
		if len(s.Parameters) == 0 {
			return "no parameter has a value; .param NAME VALUE gives $NAME one", nil
		}
		var rows [][2]string
		for _, p := range s.Parameters {
			rows = append(rows, [2]string{"$" + p.Name, Visible(p.Value)})
		}
		return twoColumns(rows), nil
	}
	name, ok := ParameterName(args[0])
	if !ok {
		return "", &CommandError{What: fmt.Sprintf("%q is no name of a parameter", args[0]), Hint: "a name has letters, digits and _"}
	}
	rest := slices.DeleteFunc(slices.Clone(s.Parameters), func(p Parameter) bool { return strings.EqualFold(p.Name, name) })
	if len(args) == 1 {
		if len(rest) == len(s.Parameters) {
			return "", &CommandError{What: fmt.Sprintf("$%s has no value that could be taken away", name), Hint: ".param " + name + " VALUE gives it one"}
		}
		s.Parameters = rest
		return "", nil
	}
	s.Parameters = append(rest, Parameter{Name: name, Value: args[1]})
	return "", nil
}

func (s *Shell) hunts(arg string) (string, error) {
	if len(s.Hunts) == 0 {
		return "no hunts come with this version; .read FILE runs questions of your own", nil
	}
	if arg == "" {
		rows := make([][2]string, len(s.Hunts))
		for i, h := range s.Hunts {
			rows[i] = [2]string{h.Name, h.About}
		}
		return twoColumns(rows) + "\n.hunts NAME shows the SQL of one", nil
	}
	names := make([]string, len(s.Hunts))
	for i, h := range s.Hunts {
		if strings.EqualFold(h.Name, arg) {
			return "-- " + h.About + "\n" + strings.TrimRight(h.SQL, "; \n") + ";", nil
		}
		names[i] = h.Name
	}
	return "", &CommandError{What: fmt.Sprintf("there is no hunt %q", arg), Candidates: nearest(arg, names), Hint: ".hunts lists them"}
}

// twoColumns writes names and what they are about below each other.
func twoColumns(rows [][2]string) string {
	width := 0
	for _, r := range rows {
		width = max(width, len(r[0]))
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = strings.TrimRight(fmt.Sprintf("%-*s  %s", width, r[0], r[1]), " ")
	}
	return strings.Join(lines, "\n")
}
