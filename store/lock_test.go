package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// holdLake is the other process: it writes part of a batch into the lake, says
// so, and waits to be killed.
func holdLake(dir string) {
	w, err := store.OpenWriter(dir, store.WriterOptions{Verb: "mdcalake import"})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := w.Begin(store.Run{RunID: "held"})
	if err == nil {
		err = add(a, batch{records: few(40, 2)})
	}
	if err == nil {
		err = a.WriteWaiting(context.Background())
	}
	fmt.Println("holding", err)
	io.Copy(io.Discard, os.Stdin)
}

// hold starts the other process; kill ends it as kill -9 does.
func hold(t *testing.T, dir string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MDCALAKE_TEST_HOLD="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once bool
	kill = func() {
		if !once {
			once = true
			cmd.Process.Kill()
			cmd.Wait()
			stdin.Close()
		}
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "holding <nil>\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return kill
}

func TestASecondWriterIsToldWhoWrites(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 2)...)
	kill := hold(t, dir)

	_, err := store.OpenWriter(dir, store.WriterOptions{})
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("want ErrLocked, got %v", err)
	}
	for _, want := range []string{"mdcalake import, process ", " since ", dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	// Readers do not mind, and the files under way are no damage.
	if have := storetest.Read(t, dir); len(have.Activities) != 2 {
		t.Errorf("a reader beside the writer: %v", have)
	}
	v, err := store.Verify(context.Background(), dir, store.VerifyOptions{}, func(p store.Problem) { t.Errorf("verify: %s", p) })
	if err != nil || v.InFlight != 2 {
		t.Errorf("verify beside the writer: %+v, %v", v, err)
	}

	kill()
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatalf("after its death: %v", err)
	}
	w.Close()
	verifyAtRest(t, dir)
}

func TestTwoFirstWritersMakeOneLake(t *testing.T) {
	dir := storetest.Dir(t)
	var writers []*store.Writer
	for range 2 {
		w, err := store.OpenWriter(dir, store.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		writers = append(writers, w)
	}
	if _, err := storetest.Append(writers[0], few(0, 1)...); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Append(writers[1], few(1, 1)...); !errors.Is(err, store.ErrLocked) {
		t.Errorf("want ErrLocked, got %v", err)
	}
	writers[0].Close()
	if _, err := storetest.Append(writers[1], few(1, 1)...); !errors.Is(err, store.ErrLocked) {
		t.Errorf("after the first has ended: want ErrLocked, got %v", err)
	}
}

func TestAReaderKeepsReplacedFilesUntilItCloses(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 1)...)
	reader, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, filepath.FromSlash(reader.Snapshot().Files[0].Path))
	for i := range int64(2) {
		storetest.Ingest(t, dir, store.WriterOptions{}, revised(few(0, 1)[0], i+1))
		if _, err := os.Stat(old); err != nil {
			t.Fatalf("a file of an open snapshot is gone: %v", err)
		}
	}
	v, err := store.Verify(context.Background(), dir, store.VerifyOptions{}, func(p store.Problem) { t.Errorf("verify: %s", p) })
	if err != nil || v.InFlight != 2 {
		t.Errorf("files that wait to be deleted: %+v, %v", v, err)
	}
	reader.Close()
	tidyUp(t, dir, nil)
	if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a replaced file stays: %v", err)
	}
}

// readOnly makes a tree that cannot be written, by a mount if we may.
func readOnly(t *testing.T, dir string) {
	t.Helper()
	if mountReadOnly(t, dir) {
		return
	}
	chmodTree(t, dir, 0o222, 0)
	t.Cleanup(func() { chmodTree(t, dir, 0, 0o200) })
}

func chmodTree(t *testing.T, dir string, clear, set fs.FileMode) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^clear|set)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyMediaAreReadAndVerified(t *testing.T) {
	for _, withPrivate := range []bool{true, false} {
		t.Run(fmt.Sprintf("with our private directory: %t", withPrivate), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lake")
			storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 3)...)
			if !withPrivate {
				if err := os.RemoveAll(filepath.Join(dir, "_mdcalake")); err != nil {
					t.Fatal(err)
				}
			}
			before := treeHash(t, dir)
			readOnly(t, dir)
			if have := storetest.Read(t, dir); len(have.Activities) != 3 {
				t.Errorf("read: %v", have)
			}
			storetest.MustVerify(t, dir)
			if s, err := store.ReadStatus(dir); err != nil || !s.AtRest() {
				t.Errorf("status: %+v, %v", s, err)
			}
			if treeHash(t, dir) != before {
				t.Error("reading has changed the tree")
			}
			if _, err := store.OpenWriter(dir, store.WriterOptions{}); err == nil && os.Geteuid() != 0 {
				t.Error("a writer on a read-only lake")
			} else if errors.Is(err, syscall.EROFS) {
				var le *store.LakeError
				if !errors.As(err, &le) || !strings.Contains(le.Hint(), "read-only") {
					t.Errorf("no hint: %v", err)
				}
			}
		})
	}
}
