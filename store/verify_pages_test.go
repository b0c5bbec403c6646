package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

func packed(t *testing.T, body []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	return w.EncodeAll(body, nil)
}

// aLakeWithPages keeps the bodies of two requests of three.
func aLakeWithPages(t *testing.T) damaged {
	t.Helper()
	d := damaged{t, filepath.Join(t.TempDir(), "lake")}
	w, err := store.OpenWriter(d.dir, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }})
	must(t, err)
	defer w.Close()
	a, err := w.Begin(store.Run{RunID: "R", Outcome: "complete", Verb: "test"})
	must(t, err)
	defer a.Close()
	must(t, add(a, batch{records: few(0, 4), bad: []string{"x"}}))
	c := store.Commit{Run: a.Run()}
	for n := range int64(3) {
		body := bytes.Repeat([]byte(fmt.Sprintf("body %d ", n)), 1000)
		c.Pages = append(c.Pages, store.PageFact{Page: n + 1, SHA256: sha(body), Bytes: int64(len(body))})
		if n < 2 {
			must(t, a.KeepPage(n+1, body))
		}
	}
	_, err = a.Commit(context.Background(), c)
	must(t, err)
	return d
}

func TestVerifyNamesKeptPagesThatDoNotFitTheirHash(t *testing.T) {
	const one, two = "_pages/R/00000001.zst", "_pages/R/00000002.zst"
	for _, c := range []struct {
		name   string
		damage func(d damaged)
		want   []string
	}{
		{"nothing is wrong", func(damaged) {}, nil},
		{"a missing page", func(d damaged) { d.must(os.Remove(d.path(one))) }, []string{one + ": it is missing; entry 0 names it"}},
		{"another body", func(d damaged) {
			body := bytes.Repeat([]byte("body 7 "), 1000)
			d.edit(d.path(one), func([]byte) []byte { return packed(t, body) })
		}, []string{one + ": the body has changed: SHA-256 is "}},
		{"a longer body", func(d damaged) {
			d.edit(d.path(two), func([]byte) []byte { return packed(t, make([]byte, 64<<20)) })
		}, []string{two + ": the body does not have the 7000 bytes that entry 0 says"}},
		{"a shorter body", func(d damaged) { d.edit(d.path(two), func([]byte) []byte { return packed(t, nil) }) }, []string{two + ": the body does not have the 7000 bytes"}},
		{"a torn frame", func(d damaged) { d.edit(d.path(two), func(b []byte) []byte { return b[:len(b)-3] }) }, []string{two + ": it cannot be read: it is no sound zstd frame: "}},
		{"something behind the frame", func(d damaged) { d.edit(d.path(two), func(b []byte) []byte { return append(b, "more"...) }) }, []string{two + ": it cannot be read: it is no sound zstd frame: "}},
		{"no frame", func(d damaged) { d.edit(d.path(two), func([]byte) []byte { return []byte("{}") }) }, []string{two + ": it cannot be read: it is no sound zstd frame: "}},
		{"an extra page", func(d damaged) { d.must(os.WriteFile(d.path("_pages/R/00000003.zst"), nil, 0o600)) }, []string{"_pages/R/00000003.zst: the log does not name it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := aLakeWithPages(t)
			d.t = t
			c.damage(d)
			for _, quick := range []bool{false, true} {
				problems, v := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift, Quick: quick})
				matches(t, problems, c.want)
				if v.Pages != 2 || !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, "imported files): 1; their hashes are on record") }) {
					t.Errorf("%d pages; %q", v.Pages, v.Notes)
				}
			}
		})
	}
}

func TestTheManifestIsWhatSha256sumAccepts(t *testing.T) {
	d := aLakeWithPages(t)
	d.must(os.WriteFile(d.path("notes.txt"), nil, 0o600))
	var manifest bytes.Buffer
	problems, v := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift, Manifest: &manifest})
	matches(t, problems, nil)
	var want []string
	for _, rel := range append(allFiles(t, d.dir, "activities"), append(allFiles(t, d.dir, "_pages"), allFiles(t, d.dir, "quarantine")...)...) {
		data, err := os.ReadFile(d.path(rel))
		d.must(err)
		want = append(want, sha(data)+"  "+rel)
	}
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	have := strings.Split(strings.TrimSuffix(manifest.String(), "\n"), "\n")
	if !slices.Equal(have, want) || len(have) != v.Files+int(v.Entries+v.Pages) {
		t.Errorf("have:\n%s\nwant:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}

	// Of a damaged lake it has what was found.
	d.edit(d.path(firstFileOf(t, d)), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	d.must(os.Remove(d.path("_pages/R/00000001.zst")))
	d.edit(d.path("_pages/R/00000002.zst"), func([]byte) []byte { return []byte("no frame") })
	for _, quick := range []bool{false, true} {
		manifest.Reset()
		problems = problemsOf(t, d.dir, store.VerifyOptions{Quick: quick, Manifest: &manifest})
		matches(t, problems, []string{"its bytes have changed", "00000001.zst: it is missing", "00000002.zst: it cannot be read"})
		if n := strings.Count(manifest.String(), "\n"); n != len(have)-1 {
			t.Errorf("%d lines, want %d", n, len(have)-1)
		}
		sha256sum(t, d.dir, manifest.Bytes())
	}
}

func firstFileOf(t *testing.T, d damaged) string {
	t.Helper()
	l, err := store.Open(d.dir)
	must(t, err)
	defer l.Close()
	return l.Snapshot().Files[0].Path
}

// allFiles are the files below a directory of the lake.
func allFiles(t *testing.T, dir, below string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Join(dir, below), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	}))
	return files
}

// sha256sum lets the tool check a manifest, where there is one.
func sha256sum(t *testing.T, dir string, manifest []byte) {
	t.Helper()
	program, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Log("there is no sha256sum here")
		return
	}
	c := exec.Command(program, "--check", "--strict", "--quiet", "-")
	c.Dir, c.Stdin = dir, bytes.NewReader(manifest)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func TestNamesThatBreakALineAreWrittenAsSha256sumDoes(t *testing.T) {
	dir := t.TempDir()
	var manifest []byte
	for _, name := range []string{"plain", ` two  spaces `, `back\slash`, "line\nfeed", `\n`, "carriage\rreturn", "-dash", "ö"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
		manifest = append(manifest, store.ManifestLine(sha([]byte(name)), name)...)
	}
	sha256sum(t, dir, manifest)
	if line := store.ManifestLine("00", "a\\b\nc"); line != `\00  a\\b\nc`+"\n" {
		t.Errorf("%q", line)
	}
}
