package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

func foldPath(dir string) string { return filepath.Join(dir, "_mdcalake", "fold") }

func entryFile(dir string, version int64) string {
	return filepath.Join(dir, "activities", delta.Dir, delta.EntryName(version))
}

// commits adds rows in so many commits of one writer; a writer that has made
// twenty leaves a cached fold.
func commits(t *testing.T, dir string, o store.WriterOptions, from, n int) {
	t.Helper()
	w, err := store.OpenWriter(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range n {
		if _, err := storetest.Append(w, few(from+i, 1)...); err != nil {
			t.Fatal(err)
		}
	}
}

func snapshotOf(t *testing.T, dir string) *store.Snapshot {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Snapshot()
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	// Data and entries are read-only, and the file may not be there.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOpeningALakeReadsOnlyTheEntriesBehindItsCachedFold(t *testing.T) {
	dir := storetest.Dir(t)
	commits(t, dir, store.WriterOptions{}, 0, 20)
	commits(t, dir, store.WriterOptions{}, 20, 3)
	want := snapshotOf(t, dir)
	for _, old := range []int64{0, 7, 18} {
		entry := mustRead(t, entryFile(dir, old))
		overwrite(t, entryFile(dir, old), []byte("no entry\n"))
		if diff := cmp.Diff(want, snapshotOf(t, dir)); diff != "" {
			t.Errorf("entry %d is read: (- before, + now)\n%s", old, diff)
		}
		commits(t, dir, store.WriterOptions{}, 0, 0) // a writer opens it too
		// Whether the old entries are as they were is what verify is for.
		found := false
		_, err := store.Verify(context.Background(), dir, store.VerifyOptions{Quick: true}, func(p store.Problem) {
			found = found || strings.Contains(p.Path, fmt.Sprintf("%020d.json", old))
		})
		if err != nil || !found {
			t.Errorf("verify does not name entry %d (error %v)", old, err)
		}
		overwrite(t, entryFile(dir, old), entry)
	}
	// Those behind it are read, and so is the one it was made at.
	for _, read := range []int64{19, 20, 22} {
		entry := mustRead(t, entryFile(dir, read))
		overwrite(t, entryFile(dir, read), []byte("no entry\n"))
		if l, err := store.Open(dir); err == nil {
			l.Close()
			t.Errorf("entry %d is not read", read)
		}
		overwrite(t, entryFile(dir, read), entry)
	}
}

func TestACachedFoldThatDoesNotFitTheLogIsPassedOver(t *testing.T) {
	other := storetest.Dir(t)
	commits(t, other, store.WriterOptions{}, 100, 20)
	dir := storetest.Dir(t)
	commits(t, dir, store.WriterOptions{}, 0, 20)
	want, fold := snapshotOf(t, dir), mustRead(t, foldPath(dir))
	for name, data := range map[string][]byte{
		"another lake's":     mustRead(t, foldPath(other)),
		"empty":              nil,
		"cut":                fold[:len(fold)-1],
		"of a later format":  append([]byte("mdcafold\xff"), fold[9:]...),
		"with a changed bit": append(append([]byte{}, fold[:len(fold)-9]...), append([]byte{fold[len(fold)-9] ^ 1}, fold[len(fold)-8:]...)...),
	} {
		overwrite(t, foldPath(dir), data)
		if diff := cmp.Diff(want, snapshotOf(t, dir)); diff != "" {
			t.Errorf("%s (- want, + have):\n%s", name, diff)
		}
		commits(t, dir, store.WriterOptions{}, 0, 0)
	}
	// The log has lost its end: the cache knows of rows that are not there.
	overwrite(t, foldPath(dir), fold)
	entry := mustRead(t, entryFile(dir, 19))
	if err := os.Remove(entryFile(dir, 19)); err != nil {
		t.Fatal(err)
	}
	if s := snapshotOf(t, dir); s.Version != 18 || len(s.Files) >= len(want.Files) {
		t.Errorf("version %d with %d files", s.Version, len(s.Files))
	}
	// Or another end.
	overwrite(t, entryFile(dir, 19), mustRead(t, entryFile(dir, 0)))
	if _, err := store.OpenWriter(dir, store.WriterOptions{}); err == nil {
		t.Error("a writer takes the cache's word for the last entry")
	}
	overwrite(t, entryFile(dir, 19), entry)
}

func TestReadersAndWritersThatAddLittleLeaveNoCachedFold(t *testing.T) {
	dir := storetest.Dir(t)
	commits(t, dir, store.WriterOptions{}, 0, 3)
	if _, err := os.Stat(foldPath(dir)); err == nil {
		t.Error("three commits are worth one")
	}
	for i := range 17 {
		commits(t, dir, store.WriterOptions{}, 3+i, 1)
		snapshotOf(t, dir)
		if _, err := os.Stat(foldPath(dir)); (err == nil) != (3+i+1 > 16) {
			t.Errorf("after %d commits: %v", 3+i+1, err)
		}
	}
	// It is left alone while little has been added to it.
	before := mustRead(t, foldPath(dir))
	commits(t, dir, store.WriterOptions{}, 20, 3)
	if string(before) != string(mustRead(t, foldPath(dir))) {
		t.Error("three more commits are worth another")
	}
}

// A commit that is in the log has succeeded, whatever becomes of the cache.
func TestThatTheCachedFoldCannotBeWrittenFailsNothing(t *testing.T) {
	for _, op := range []string{"create", "write", "close", "rename"} {
		dir := storetest.Dir(t)
		commits(t, dir, store.WriterOptions{}, 0, 20)
		old := mustRead(t, foldPath(dir))
		f := &noFold{FS: storetest.NewDisk(t, filepath.Dir(dir)), op: op}
		acknowledged := 0
		script := []run{{{records: few(20, 2)}, {records: few(30, 1), cursor: 300 << 10}, {records: []storetest.Record{revised(few(20, 1)[0], 5)}}}}
		if err := perform(dir, store.WriterOptions{FS: f}, "script", script, func() { acknowledged++ }); err != nil || acknowledged != 3 {
			t.Errorf("%s: %d commits, %v", op, acknowledged, err)
		}
		if f.failed != 1 {
			t.Errorf("%s was tried %d times in a run that has outgrown it once", op, f.failed)
		}
		if left, _ := filepath.Glob(foldPath(dir) + "*"); len(left) != 1 || string(old) != string(mustRead(t, left[0])) {
			t.Errorf("%s: the cache that was there has become %q", op, left)
		}
		if s := snapshotOf(t, dir); s.Version != 22 {
			t.Errorf("%s: version %d", op, s.Version)
		}
		commits(t, dir, store.WriterOptions{}, 0, 0) // the next writer does it
		if string(old) == string(mustRead(t, foldPath(dir))) {
			t.Errorf("%s: the cache is never written again", op)
		}
	}
}

// noFold is a disk on which one operation on the cached fold fails for want of
// space.
type noFold struct {
	store.FS
	op     string
	failed int
}

func (f *noFold) on(op, path string) error {
	if op != f.op || !strings.HasSuffix(path, "_mdcalake/fold.tmp") {
		return nil
	}
	f.failed++
	return &os.PathError{Op: op, Path: path, Err: storetest.ErrFull}
}

func (f *noFold) Create(path string, mode os.FileMode) (store.WritableFile, error) {
	if err := f.on("create", path); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(path, mode)
	return &noFoldFile{file, f, path}, err
}

func (f *noFold) Rename(from, to string) error {
	if err := f.on("rename", from); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

type noFoldFile struct {
	store.WritableFile
	fs   *noFold
	path string
}

func (f *noFoldFile) Write(p []byte) (int, error) {
	if err := f.fs.on("write", f.path); err != nil {
		n, _ := f.WritableFile.Write(p[:len(p)/2])
		return n, err
	}
	return f.WritableFile.Write(p)
}

func (f *noFoldFile) Close() error {
	f.WritableFile.Close()
	return f.fs.on("close", f.path)
}
