package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// Kept pages: the bodies of the API's answers as they came, each a file of its
// own below _pages. Their hashes are in the log always; a hash alone says
// nothing to whoever has not the bytes. A page is written at once, because a
// batch may have hundreds of some megabytes, and is part of the lake when the
// entry says so that names it: it is noted, made whole and swept like any file.

// KeepPage keeps the body of a page of this run, whose number (from 1) no page
// of the run has had. The next Commit must name the page. The body may be used
// again at once. An error ends the run: only Abort may follow.
func (a *Append) KeepPage(page int64, body []byte) error {
	a.mu.Lock()
	err := a.err
	a.mu.Unlock()
	if err == nil {
		err = a.prepare()
	}
	if err == nil {
		err = a.tx.keepPage(page, body)
	}
	return a.fail(err)
}

func (t *transaction) keepPage(page int64, body []byte) error {
	rel := pagePath(t.runID, page)
	if !isPagePath(rel) {
		return fmt.Errorf("keep page %d: its number is not above 0", page)
	}
	// A rename would put it in the place of one that was committed.
	if _, err := os.Lstat(t.w.layout.path(rel)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep page %d: the run has kept one of this number already", page)
	}
	if _, err := t.reserveOne(func(int) string { return rel }); err != nil {
		return err
	}
	f, err := t.newFile(rel)
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(f.f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return f.abandon(err)
	}
	if _, err = z.Write(body); err == nil {
		err = z.Close()
	}
	if err != nil {
		return f.abandon(err)
	}
	if err := f.seal(t.w.layout); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pages[page] = true
	return nil
}

// markKept are the facts with a note of which pages were kept.
func (t *transaction) markKept(facts []PageFact) ([]PageFact, error) {
	facts, named := slices.Clone(facts), 0
	for i := range facts {
		facts[i].Kept = t.pages[facts[i].Page]
		if facts[i].Kept {
			named++
		}
	}
	if named != len(t.pages) {
		return nil, fmt.Errorf("commit: %d pages were kept and %d of them are named", len(t.pages), named)
	}
	return facts, nil
}

// readPage is the body of a kept page.
func readPage(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return io.ReadAll(z)
}
