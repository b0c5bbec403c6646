package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

type pagerPipe struct {
	bytes.Buffer
	left bool // the person has left the pager
}

func (p *pagerPipe) Write(b []byte) (int, error) {
	if p.left {
		return 0, syscall.EPIPE
	}
	return p.Buffer.Write(b)
}

func (*pagerPipe) Close() error { return nil }

func TestWhatDoesNotFitGoesThroughThePager(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []string
		paged  bool
	}{
		{"a few lines", []string{"1\n2\n", "3\n4\n"}, false},
		{"a screen", []string{"1\n2\n3\n4\n5\n"}, true},
		{"line by line", []string{"1\n", "2\n", "3\n", "4\n", "5\n", "6\n"}, true},
		{"folded lines", []string{strings.Repeat("x", 31) + "\n", "2\n"}, true},
		{"lines as wide as the screen", []string{strings.Repeat(strings.Repeat("x", 10)+"\n", 4)}, false},
		{"wide characters", []string{strings.Repeat("日", 16) + "\n2\n"}, true},
		{"colours take no room", []string{strings.Repeat("\x1b[1m"+strings.Repeat("x", 10)+"\x1b[0m\n", 4)}, false},
		{"a line in parts", []string{strings.Repeat("x", 9), "xxxxxxxxxxxxxxxxxxxxxxx", "xx\n1\n"}, true},
	} {
		var out bytes.Buffer
		var to pagerPipe
		p := &pager{out: &out, width: 10, height: 5, start: func() (io.WriteCloser, func() error, error) {
			return &to, func() error { return nil }, nil
		}}
		for _, w := range c.writes {
			if _, err := p.Write([]byte(w)); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(c.writes, "")
		want, wantPaged := all, ""
		if c.paged {
			want, wantPaged = "", all
		}
		if out.String() != want || to.String() != wantPaged {
			t.Errorf("%s: on the screen %q, in the pager %q", c.name, out.String(), to.String())
		}
	}
}

func TestAPagerThatIsLeftOrMissing(t *testing.T) {
	to := pagerPipe{left: true}
	p := &pager{out: io.Discard, width: 10, height: 2, start: func() (io.WriteCloser, func() error, error) {
		return &to, func() error { return nil }, nil
	}}
	if _, err := p.Write([]byte("1\n2\n3\n")); !errors.Is(err, errPagerLeft) {
		t.Errorf("after it was left: %v", err)
	}
	if err := p.close(); err != nil {
		t.Errorf("close: %v", err)
	}
	var out bytes.Buffer
	p = &pager{out: &out, width: 10, height: 2, start: func() (io.WriteCloser, func() error, error) {
		return nil, nil, errors.New("there is none")
	}}
	for range 3 {
		if _, err := p.Write([]byte("1\n2\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.close(); err != nil || out.String() != "1\n2\n1\n2\n1\n2\n" {
		t.Errorf("without a pager: %q (%v)", out.String(), err)
	}
}

func TestWhichPager(t *testing.T) {
	for _, c := range []struct{ term, pager, want string }{
		{"xterm", "most -s", "most -s"}, {"xterm", "cat", ""}, {"dumb", "most", ""}, {"", "most", ""},
	} {
		env := map[string]string{"TERM": c.term, "PAGER": c.pager}
		if got := pagerCommand(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("TERM=%q PAGER=%q: %q, want %q", c.term, c.pager, got, c.want)
		}
	}
}
