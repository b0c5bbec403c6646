package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// outputDir is a directory that appears when it is whole.
type outputDir struct {
	temp string // what is written to, beside path
	held *os.File
	path string
}

// newOutputDir opens what the person named with a flag. What is there already
// stays as it is: a directory of two copies would be neither.
func newOutputDir(flag, path, lake string) (*outputDir, error) {
	abs, err := filepath.Abs(path) // the engine changes the working directory
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return nil, usage("make the directory above it first", "%s: %w", flag, err)
	}
	if within(parent, lake) {
		return nil, usage("choose a place outside: reading changes nothing in a lake", "%s %q lies in the lake", flag, path)
	}
	if _, err := os.Lstat(abs); err == nil {
		return nil, usage("name a new directory, or remove it first", "%s %q is there already", flag, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	sweepOutputs(parent)
	temp, err := os.MkdirTemp(parent, outPrefix)
	if err != nil {
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	o := &outputDir{temp: temp, path: filepath.Join(parent, filepath.Base(abs))}
	if o.held, err = os.Open(temp); err != nil {
		o.discard()
		return nil, fmt.Errorf("write %q: %w", path, err)
	}
	hold(o.held) // on a file system without locks no sweep gets one either
	return o, nil
}

// keep gives the directory its name.
func (o *outputDir) keep() error {
	if err := os.Rename(o.temp, o.path); err != nil {
		return fmt.Errorf("write %q: %w", o.path, err)
	}
	o.temp = ""
	above, err := os.Open(filepath.Dir(o.path))
	if err != nil {
		return fmt.Errorf("write %q: %w", o.path, err)
	}
	if err := errors.Join(above.Sync(), above.Close()); err != nil {
		return fmt.Errorf("write %q: %w", o.path, err)
	}
	return nil
}

// discard removes what did not become whole.
func (o *outputDir) discard() {
	if o.temp != "" {
		os.RemoveAll(o.temp)
	}
	if o.held != nil {
		o.held.Close()
	}
}
