package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"github.com/reeflective/readline"
	"golang.org/x/term"

	"mdcalake/query"
)

// lineEditor is the prompt on a terminal, with github.com/reeflective/readline.
// Two libraries with lines of their own were tried on a real terminal (wide and
// joined characters, pastes of many lines, changes of the window's size,
// completion); those that edit one line only (x/term, liner, chzyer/readline)
// were not:
//
//   - readline takes a paste as text, keeps what is typed ahead for the next
//     read, follows ~/.inputrc (vi keys), and is kept up. Its faults are met
//     below: it asks the terminal where the cursor is, waits for ever for one
//     that does not answer, and loses the keys that come together with an answer;
//     when it does not ask, it is lost at the bottom of the screen; ~/.inputrc may
//     switch off what we need; a lone Escape eats the next key; it counts a word
//     in bytes; of a character that is joined from several, typed and not pasted,
//     it takes the first part alone, and puts what is without a width behind the
//     cursor. Bytes that are no UTF-8 it drops, and so it does with a character whose
//     bytes come apart: terminals send them together, but one that is typed ahead
//     may lie across the 1,024th byte of what is read at once.
//   - knz/bubbline lost whatever was pasted behind the first finished
//     statement, always has a line of help below, and has stood still since 2023.
type lineEditor struct {
	shell *readline.Shell
	fd    int
	out   io.Writer
	row   int // of the entry that the cursor was left in
}

// keys that the person's own settings may not change: without them text is
// lost or a paste runs by pieces.
var editorSettings = map[string]any{
	"convert-meta": false, "input-meta": true, "output-meta": true,
	"enable-bracketed-paste": true,
	"cursor-position-probe":  false,
	"completion-ignore-case": true,
	// Tab first adds what all suggestions share and shows them.
	"menu-complete-display-prefix": true,
	"completion-query-items":       0,
	"multiline-column":             false,
	"autocomplete":                 false,
	"history-autosuggest":          false,
	"bell-style":                   "none",
}

const escape = "\x1b"

var editorKeys = map[string]string{
	"\t": "menu-complete",
	// Within an entry of several lines first, and then in the history.
	escape + "[A": "up-line-or-history", escape + "OA": "up-line-or-history",
	escape + "[B": "down-line-or-history", escape + "OB": "down-line-or-history",
}

func newLineEditor(c console, h *history, complete func(entry string, cursor int) query.Completion) (*lineEditor, error) {
	in, ok := c.in.(*os.File)
	if !ok {
		return nil, errors.New("set up the line editor: this is no terminal")
	}
	rl := readline.NewShell()
	for name, value := range editorSettings {
		if err := rl.Config.Set(name, value); err != nil {
			return nil, fmt.Errorf("set up the line editor: %s: %w", name, err)
		}
	}
	insertWhole(rl)
	for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert"} {
		binds := rl.Config.Binds[keymap]
		if binds == nil {
			continue
		}
		for key, action := range editorKeys {
			if err := rl.Config.Bind(keymap, key, action, false); err != nil {
				return nil, fmt.Errorf("set up the line editor: %w", err)
			}
		}
		if keymap == "vi-insert" {
			continue // Escape has its meaning there
		}
		// Keys of the keyboard that nothing is bound to do nothing, and Escape
		// before a letter is only the letter.
		if _, bound := binds[escape+"["]; !bound {
			rl.Config.Bind(keymap, escape+"[", "skip-csi-sequence", false)
		}
		for c := ' '; c < 0x7f; c++ {
			if _, bound := binds[escape+string(c)]; bound || c == '[' || c == 'O' {
				continue
			}
			insert := "insert-" + string(c)
			rl.Keymap.Register(map[string]func(){insert: func() { rl.Cursor().InsertAt(c) }})
			rl.Config.Bind(keymap, escape+string(c), insert, false)
		}
	}
	rl.Prompt.Secondary(func() string { return secondaryPrompt })
	rl.AcceptMultiline = func(line []rune) bool { return query.Finished(string(line)) }
	rl.PasteTransformer = pasted
	rl.History.Add("history", h)
	rl.Completer = func(line []rune, cursor int) readline.Completions {
		before := string(line[:cursor])
		return suggestions(complete(string(line), len(before)), before)
	}
	e := &lineEditor{shell: rl, fd: int(in.Fd()), out: c.out}
	rl.Prompt.Primary(func() string { e.makeRoom(); return primaryPrompt })
	return e, nil
}

// insertWhole lets the library insert a character as it was typed, with all that
// it is joined from: a name that is asked for must be the name that was meant.
func insertWhole(rl *readline.Shell) {
	insert, accept := rl.Keymap.Commands()["self-insert"], rl.Keymap.Commands()["accept-line"]
	rl.Keymap.Register(map[string]func(){"self-insert": func() {
		keys := slices.Clone(rl.Keys.Caller())
		if len(keys) > 1 && keys[0] == '\r' { // with a line feed it comes as one
			accept()
			return
		}
		length, at := rl.Line().Len(), rl.Cursor().Pos()
		insert() // the first part
		if len(keys) == 0 || rl.Line().Len() != length+1 {
			return
		}
		rl.Cursor().Set(at + 1)
		rl.Cursor().InsertAt(keys[1:]...)
	}})
}

// makeRoom scrolls the screen so far that the entry fits, and one row below it:
// at the bottom the library moves down in vain, and then up. It is called
// before each drawing, with the cursor where the last one left it.
func (e *lineEditor) makeRoom() {
	width, _, err := term.GetSize(e.fd)
	if err != nil || width <= 0 {
		return
	}
	entry := []rune(string(*e.shell.Line()))
	if n := rowsOf(entry, width) - e.row + 1; n > 0 {
		fmt.Fprintf(e.out, "%s\x1b[%dA", strings.Repeat("\n", n), n)
	}
	e.row = rowsOf(entry[:min(e.shell.Cursor().Pos(), len(entry))], width) - 1
}

// rowsOf is how many rows of the screen an entry takes behind its prompts.
func rowsOf(entry []rune, width int) (rows int) {
	for line := range strings.SplitSeq(string(entry), "\n") {
		rows += 1 + (len(primaryPrompt)+runewidth.StringWidth(line))/width
	}
	return rows
}

// suggestions are ours in the library's form.
func suggestions(c query.Completion, before string) readline.Completions {
	typed := before[c.Start:]
	// The library takes the bytes of the word for its characters.
	if len(c.Items) == 0 || len(typed) != utf8.RuneCountInString(typed) {
		return readline.Completions{}
	}
	values := make([]readline.Completion, len(c.Items))
	for i, s := range c.Items {
		values[i] = readline.Completion{Value: s.Text, Display: strings.TrimSpace(s.Text), Description: s.About}
	}
	out := readline.CompleteRaw(values).NoSort()
	out.PREFIX = typed
	return out
}

// pasted takes out of a paste what would act on the terminal. Line ends and
// tabs stay: they are white space to SQL, and may be meant in a text.
func pasted(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.TrimRight(text, "\n"))
}

func (e *lineEditor) read(ctx context.Context) (string, error) {
	type answer struct {
		entry string
		err   error
	}
	// The library waits for keys and for nothing else. Whoever ends the program
	// meanwhile must find the terminal as it was.
	before, stateErr := term.GetState(e.fd)
	done := make(chan answer, 1)
	// The library draws a prompt before it forgets the last entry.
	e.row = 0
	e.shell.Line().Set()
	e.shell.Cursor().Set(0)
	go func() {
		entry, err := e.shell.Readline()
		done <- answer{entry, err}
	}()
	select {
	case <-ctx.Done():
		if stateErr == nil {
			term.Restore(e.fd, before)
		}
		fmt.Fprint(e.out, "\x1b[?2004l\r\n")
		return "", ctx.Err()
	case a := <-done:
		switch {
		case errors.Is(a.err, readline.ErrInterrupt):
			return "", errCleared
		case errors.Is(a.err, io.EOF):
			return "", io.EOF
		case a.err != nil:
			return "", fmt.Errorf("read from the terminal: %w", a.err)
		}
		return a.entry, nil
	}
}

// mostPaths bounds what a directory may offer.
const mostPaths = 200

// completePath adds the names of files to a completion that asks for them. dir
// is where a relative name begins, home what ~ stands for.
func completePath(c query.Completion, entry string, cursor int, dir, home string) query.Completion {
	if !c.Path {
		return c
	}
	typed := entry[c.Start:cursor]
	quote := ""
	if typed != "" && (typed[0] == '\'' || typed[0] == '"') {
		quote = typed[:1]
	}
	folder, name := filepath.Split(strings.TrimPrefix(typed, quote))
	entries, err := os.ReadDir(absolute(folder, dir, home))
	if err != nil {
		return c
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), name) || name == "" && strings.HasPrefix(e.Name(), ".") || len(c.Items) >= mostPaths {
			continue
		}
		if query.Visible(e.Name()) != e.Name() {
			continue // a name that acts on the terminal
		}
		text := quote + folder + e.Name()
		switch {
		case e.IsDir():
			text += "/"
		case quote != "":
			text += quote
		case strings.ContainsAny(text, " '\""):
			continue // only within quotes
		}
		c.Items = append(c.Items, query.Suggestion{Text: text})
	}
	return c
}

// absolute is a path as the person means it: the engine has changed the
// working directory.
func absolute(path, dir, home string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && home != "" && (rest == "" || rest[0] == '/') {
		return filepath.Join(home, rest)
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
