package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-runewidth"
)

// pager shows what is written to it: as it is while it fits on the screen, and
// through the person's pager once it does not. Only a screenful is held back;
// the rest streams, so that a pager that is left ends the answer early.
type pager struct {
	out           io.Writer
	width, height int
	start         func() (io.WriteCloser, func() error, error) // nil: there is none

	held bytes.Buffer
	rows int // of the screen that held takes
	line int // columns of its last line
	to   io.WriteCloser
	wait func() error
	open bool // all goes to out

	waited time.Duration // for the person
	failed error         // how the person's pager ended, if not well
}

// errPagerLeft: the person has seen enough.
var errPagerLeft = errors.New("the pager was left")

func (p *pager) Write(b []byte) (int, error) {
	switch {
	case p.to != nil:
		return p.page(b)
	case p.open || p.start == nil:
		return p.out.Write(b)
	}
	p.held.Write(b)
	if p.measure(b); p.rows < p.height {
		return len(b), nil
	}
	to, wait, err := p.start()
	if err != nil { // there is none after all
		p.open = true
		_, err = p.held.WriteTo(p.out)
		return len(b), err
	}
	p.to, p.wait = to, wait
	if _, err := p.page(p.held.Bytes()); err != nil {
		return 0, err
	}
	p.held.Reset()
	return len(b), nil
}

func (p *pager) page(b []byte) (int, error) {
	began := time.Now()
	n, err := p.to.Write(b)
	p.waited += time.Since(began)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		err = errPagerLeft
	}
	return n, err
}

// measure counts the rows of a screen. Colours take none.
func (p *pager) measure(b []byte) {
	s := string(b)
	for len(s) > 0 {
		line, rest, ended := strings.Cut(s, "\n")
		p.line += runewidth.StringWidth(withoutColor(line))
		if ended {
			p.rows += 1 + max(0, p.line-1)/max(p.width, 1)
			p.line = 0
		}
		if p.rows >= p.height {
			return
		}
		s = rest
	}
}

// withoutColor takes out the escape sequences that our own tables have.
func withoutColor(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		end := strings.IndexByte(s[i:], 'm')
		if end < 0 {
			return s[:i]
		}
		s = s[:i] + s[i+end+1:]
	}
}

// close shows what was held back, or waits until the pager is left.
func (p *pager) close() error {
	if p.to == nil {
		_, err := p.held.WriteTo(p.out)
		return err
	}
	err := p.to.Close()
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
		err = nil
	}
	began := time.Now()
	p.failed = p.wait()
	p.waited += time.Since(began)
	return err
}

// pagerCommand is how the person wants long answers shown; empty: all at once,
// as PAGER=cat says, and a terminal that cannot move its cursor.
func pagerCommand(getenv func(string) string) string {
	if dumb(getenv) {
		return ""
	}
	if p := strings.TrimSpace(getenv("PAGER")); p != "" {
		if p == "cat" {
			return ""
		}
		return p
	}
	for _, name := range []string{"less", "more"} {
		if _, err := exec.LookPath(name); err == nil {
			return name
		}
	}
	return ""
}

// dumb says that the terminal cannot move its cursor.
func dumb(getenv func(string) string) bool {
	t := getenv("TERM")
	return t == "" || t == "dumb"
}

// startPager runs it in the directory that the person is in.
func startPager(ctx context.Context, c console, command, dir string) (io.WriteCloser, func() error, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = c.out, c.err
	if c.getenv("LESS") == "" {
		// Long lines are cut and not folded, colours show, and what was seen
		// stays on the screen.
		cmd.Env = append(cmd.Environ(), "LESS=-SRX")
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return in, cmd.Wait, nil
}
