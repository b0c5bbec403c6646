package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

func TestAKeptPageIsThereByTheNumberThatItsRowsHave(t *testing.T) {
	dir := storetest.Dir(t)
	body := strings.Repeat(`{"data":[]}`, 10_000)
	if err := perform(dir, store.WriterOptions{}, "run", []run{{{records: few(0, 1), pages: []string{body, ""}}, {pages: []string{"x"}}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"_pages/run-1/00000001.zst": body, "_pages/run-1/00000002.zst": "", "_pages/run-1/00000003.zst": "x"}
	if diff := cmp.Diff(want, storetest.KeptPages(t, dir)); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
	for rel := range want {
		if info, err := os.Stat(filepath.Join(dir, rel)); err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%s: %v, %v; want it read-only", rel, info.Mode(), err)
		}
	}
}

func TestNobodyAsksForKeptPagesAndThereAreNone(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, few(0, 1)...)
	if _, err := os.Stat(filepath.Join(dir, "_pages")); !os.IsNotExist(err) {
		t.Errorf("_pages was made: %v", err)
	}
}

func TestAKeptPageThatTheCommitDoesNotNameIsRefused(t *testing.T) {
	dir := storetest.Dir(t)
	for name, numbers := range map[string][]int64{"no name": {1}, "a number twice": {1, 1}, "no number": {0}} {
		t.Run(name, func(t *testing.T) {
			w, err := store.OpenWriter(dir, store.WriterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			a, err := w.Begin(store.Run{RunID: "R"})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range numbers {
				if err = a.KeepPage(n, []byte("x")); err != nil {
					break
				}
			}
			if _, cerr := a.Commit(context.Background(), store.Commit{}); cerr == nil {
				t.Errorf("committed; keeping said %v", err)
			}
			a.Abort()
			if left, _ := filepath.Glob(filepath.Join(dir, "_pages", "*", "*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}
