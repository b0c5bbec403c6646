package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
//     below: the cursor's place is not asked for (over a slow line an answer per
//     key), ~/.inputrc may not switch off what we need, and a lone Escape does
//     not eat the next key.
//   - knz/bubbline lost whatever was pasted behind the first finished
//     statement, always has a line of help below, and has stood still since 2023.
type lineEditor struct {
	shell *readline.Shell
	fd    int
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

func newLineEditor(h *history, complete func(entry string, cursor int) query.Completion) (*lineEditor, error) {
	rl := readline.NewShell()
	for name, value := range editorSettings {
		if err := rl.Config.Set(name, value); err != nil {
			return nil, fmt.Errorf("set up the line editor: %s: %w", name, err)
		}
	}
	for _, keymap := range []string{"emacs", "emacs-standard", "vi-insert"} {
		binds := rl.Config.Binds[keymap]
		if binds == nil {
			continue
		}
		if err := rl.Config.Bind(keymap, "\t", "menu-complete", false); err != nil {
			return nil, fmt.Errorf("set up the line editor: %w", err)
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
			if _, bound := binds[escape+string(c)]; !bound && c != '[' && c != 'O' {
				rl.Config.Bind(keymap, escape+string(c), string(c), true)
			}
		}
	}
	rl.Prompt.Primary(func() string { return primaryPrompt })
	rl.Prompt.Secondary(func() string { return secondaryPrompt })
	rl.AcceptMultiline = func(line []rune) bool { return query.Finished(string(line)) }
	rl.PasteTransformer = pasted
	rl.History.Add("history", h)
	rl.Completer = func(line []rune, cursor int) readline.Completions {
		before := string(line[:cursor])
		return suggestions(complete(string(line), len(before)), before)
	}
	return &lineEditor{shell: rl, fd: int(os.Stdin.Fd())}, nil
}

// suggestions are ours in the library's form.
func suggestions(c query.Completion, before string) readline.Completions {
	if len(c.Items) == 0 {
		return readline.Completions{}
	}
	values := make([]readline.Completion, len(c.Items))
	for i, s := range c.Items {
		values[i] = readline.Completion{Value: s.Text, Display: strings.TrimSpace(s.Text), Description: s.About}
	}
	out := readline.CompleteRaw(values).NoSort().NoSpace()
	out.PREFIX = before[c.Start:]
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
	go func() {
		entry, err := e.shell.Readline()
		done <- answer{entry, err}
	}()
	select {
	case <-ctx.Done():
		if stateErr == nil {
			term.Restore(e.fd, before)
		}
		fmt.Fprint(os.Stdout, "\x1b[?2004l\r\n")
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
