package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// output is where an answer goes: stdout, or a file that appears when it is
// whole.
type output struct {
	w        io.Writer
	width    int
	terminal bool
	file     *os.File
	path     string
}

// newOutput opens what the person named with a flag; empty and - are stdout. A place
// in the lake is refused: reading changes nothing there. A link stays one: what
// it leads to is replaced.
func newOutput(c console, flag, path, lake string) (*output, error) {
	if path == "" || path == "-" {
		o := &output{w: c.out}
		o.width, o.terminal = terminal(c.out)
		return o, nil
	}
	abs, err := filepath.Abs(path) // the engine changes the working directory
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	switch info, err := os.Stat(abs); {
	case err == nil && isSame(c.out, info): // /dev/stdout, or what it leads to
		return newOutput(c, flag, "", lake)
	case err == nil && info.IsDir():
		return nil, usage("name a file in it", "%s %q is a directory", flag, path)
	case err == nil && (!info.Mode().IsRegular() || isSame(c.err, info)):
		// To put a file in the place of a device would be the end of the device.
		return nil, usage("leave "+flag+" out: the answer then goes to stdout, which may lead anywhere", "%s %q is no file", flag, path)
	case err == nil:
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return nil, fmt.Errorf("write %q: %w", path, err)
		}
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, usage("make the directory first", "%s: %w", flag, err)
	}
	if within(dir, lake) {
		return nil, usage("choose a place outside: reading changes nothing in a lake", "%s %q lies in the lake", flag, path)
	}
	sweepOutputs(dir)
	f, err := os.CreateTemp(dir, outPrefix)
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	hold(f) // on a file system without locks no sweep gets one either
	return &output{w: f, file: f, path: abs}, nil
}

// isSame says whether a stream of ours leads to this file.
func isSame(stream any, info os.FileInfo) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	own, err := f.Stat()
	return err == nil && os.SameFile(own, info)
}

// within says whether a directory, absolute and without links, is another one
// or lies in it, by whatever names the two go.
func within(dir, other string) bool {
	outer, err := os.Stat(other)
	if err != nil {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, outer) {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// writer is the output for as long as ctx lasts.
func (o *output) writer(ctx context.Context) io.Writer {
	if o.file != nil {
		return o.w
	}
	return newImpatient(ctx, o.w)
}

func (o *output) write(w io.Writer, text string) error {
	if text == "" {
		return nil
	}
	_, err := io.WriteString(w, text)
	return err
}

// quietly makes an end of the error that a reader of stdout makes who has what
// it wanted.
func (o *output) quietly(err error) error {
	if o.file == nil && errors.Is(err, syscall.EPIPE) {
		return &exitError{code: exitDone}
	}
	return err
}

// keep gives the file its name.
func (o *output) keep() error {
	if o.file == nil {
		return nil
	}
	f := o.file
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", o.path, err)
	}
	o.file = nil
	return nil
}

// discard removes what did not become whole.
func (o *output) discard() {
	if o.file != nil {
		o.file.Close()
		os.Remove(o.file.Name())
	}
}
