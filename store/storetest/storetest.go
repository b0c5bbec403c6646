// Package storetest makes lakes for tests and checks each one with the
// product's own verifier when the test ends.
package storetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"mdcalake/store"
)

// Record is a small activity for tests of the store.
type Record struct {
	ID        string   `json:"_id"`
	Timestamp int64    `json:"timestamp"`
	Created   int64    `json:"created,omitempty"`
	App       int64    `json:"appId"`
	Tenant    int64    `json:"tenantId,omitempty"`
	User      string   `json:"user,omitempty"`
	Tags      []string `json:"tags,omitempty"`
}

// Bytes is the record's JSON.
func (r Record) Bytes() []byte {
	b, _ := json.Marshal(r) // a struct of texts and numbers: it cannot fail
	return b
}

// Lift makes a row of a Record's bytes: a decoder for tests that need no
// real activities.
func Lift(data []byte, row *store.Row) error {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	row.Reset()
	row.Text = append(row.Text, data...)
	row.RawLen = len(data)
	row.ContentHash = int64(xxh3.Hash(data))
	text := func(s string) store.Span {
		off := len(row.Text)
		row.Text = append(row.Text, s...)
		return store.Span{Off: uint32(off), Len: uint32(len(s))}
	}
	row.Strings[store.ActivityID] = text(r.ID)
	row.SetNumber(store.Timestamp, r.Timestamp)
	if r.Created != 0 {
		row.SetNumber(store.Created, r.Created)
	}
	row.SetNumber(store.AppID, r.App)
	if r.Tenant != 0 {
		row.SetNumber(store.TenantID, r.Tenant)
	}
	if r.User != "" {
		row.Strings[store.UserName] = text(r.User)
	}
	if r.Tags != nil {
		row.Lists[store.UserTags].Valid = true
		for _, tag := range r.Tags {
			row.Lists[store.UserTags].Items = append(row.Lists[store.UserTags].Items, text(tag))
		}
	}
	return nil
}

// Dir is a directory for a lake. When the test ends, the lake in it, if there
// is one, must pass verify.
func Dir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	t.Cleanup(func() { MustVerify(t, dir) })
	return dir
}

// MustVerify fails the test for every problem that verify finds.
func MustVerify(t testing.TB, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return
	}
	_, err := store.Verify(context.Background(), dir, store.VerifyOptions{Lift: Lift}, func(p store.Problem) { t.Errorf("verify: %s", p) })
	if err != nil && !errors.Is(err, store.ErrNotALake) {
		t.Errorf("verify: %v", err)
	}
}

// Ingest appends records in one run and one commit.
func Ingest(t testing.TB, dir string, o store.WriterOptions, records ...Record) store.Receipt {
	t.Helper()
	w, err := store.OpenWriter(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	receipt, err := Append(w, records...)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// Append appends records in one run and one commit.
func Append(w *store.Writer, records ...Record) (store.Receipt, error) {
	a, err := w.Begin(store.Run{RunID: store.NewRunID(time.Now()), Started: time.Now().UTC(), Outcome: "complete", Verb: "test"})
	if err != nil {
		return store.Receipt{}, err
	}
	defer a.Close()
	var row store.Row
	for i, r := range records {
		if err := Lift(r.Bytes(), &row); err != nil {
			return store.Receipt{}, fmt.Errorf("record %d: %w", i, err)
		}
		row.Page = 1
		if err := a.Add(context.Background(), &row); err != nil {
			return store.Receipt{}, err
		}
	}
	return a.Commit(context.Background(), store.Commit{Run: a.Run()})
}

// Rows reads back what a table holds: activity_id and verbatim bytes.
func Rows(t testing.TB, dir string) (activities, revisions map[string][]string) {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read := func(files []store.File) map[string][]string {
		out := map[string][]string{}
		for _, f := range files {
			err := store.ReadRows(context.Background(), filepath.Join(l.Snapshot().Root, filepath.FromSlash(f.Path)), func(r *store.Row) error {
				id := string(r.Bytes(r.Strings[store.ActivityID]))
				out[id] = append(out[id], string(r.Verbatim()))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	return read(l.Snapshot().Files), read(l.Snapshot().Revisions)
}

// Contents is all that a lake holds, in an order of its own.
type Contents struct {
	Activities []string // verbatim bytes
	Revisions  []string // likewise
	Quarantine []string // bytes
	Pages      []string // bodies of kept pages, each once
	Erased     int64    // hashes of what must not come back
}

// Read reads the lake's newest snapshot; a directory without a lake holds
// nothing.
func Read(t testing.TB, dir string) Contents {
	t.Helper()
	l, err := store.Open(dir)
	if errors.Is(err, store.ErrNotALake) {
		return Contents{}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := l.Snapshot()
	c := Contents{
		Activities: verbatim(t, s, s.Files), Revisions: verbatim(t, s, s.Revisions), Quarantine: quarantined(t, s),
		Pages: distinct(keptPages(t, s)),
	}
	for _, f := range s.Erased {
		c.Erased += f.Rows
	}
	return c
}

func distinct(pages map[string]string) []string {
	var bodies []string
	for _, body := range pages {
		bodies = append(bodies, body)
	}
	slices.Sort(bodies)
	return slices.Compact(bodies)
}

// KeptPages are the bodies of the pages that the lake keeps, by their path.
// The test fails where one is missing, or not what the log says of it.
func KeptPages(t testing.TB, dir string) map[string]string {
	t.Helper()
	l, err := store.Open(dir)
	if errors.Is(err, store.ErrNotALake) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return keptPages(t, l.Snapshot())
}

func keptPages(t testing.TB, s *store.Snapshot) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, p := range s.Pages {
		pages[p.Path] = keptPage(t, filepath.Join(s.Root, filepath.FromSlash(p.Path)), p)
	}
	return pages
}

func keptPage(t testing.TB, path string, p store.File) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != p.SHA256 || int64(len(body)) != p.Size {
		t.Errorf("%s is not what the log says of it", path)
	}
	return string(body)
}

// rowsOf are the rows of files by what is in them: a crash matrix reads the
// same few files a thousand times.
var rowsOf sync.Map // of [32]byte to []string

func verbatim(t testing.TB, s *store.Snapshot, files []store.File) []string {
	t.Helper()
	var out []string
	for _, f := range files {
		path := filepath.Join(s.Root, filepath.FromSlash(f.Path))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key := sha256.Sum256(data)
		rows, ok := rowsOf.Load(key)
		if !ok {
			var read []string
			err := store.ReadRows(context.Background(), path, func(r *store.Row) error {
				read = append(read, string(r.Verbatim()))
				return nil
			})
			if err != nil {
				t.Fatalf("read %s: %v", f.Path, err)
			}
			rows = read
			rowsOf.Store(key, rows)
		}
		out = append(out, rows.([]string)...)
	}
	slices.Sort(out)
	return out
}

func quarantined(t testing.TB, s *store.Snapshot) []string {
	t.Helper()
	var out []string
	eachQuarantined(t, s, func(bytes string, _ time.Time) { out = append(out, bytes) })
	slices.Sort(out)
	return out
}

// FirstSeen says of the bad records of the lake's newest snapshot, by their
// bytes, which commit's time they have.
func FirstSeen(t testing.TB, s *store.Snapshot) map[string]time.Time {
	t.Helper()
	seen := map[string]time.Time{}
	eachQuarantined(t, s, func(bytes string, first time.Time) { seen[bytes] = first })
	return seen
}

func eachQuarantined(t testing.TB, s *store.Snapshot, each func(bytes string, firstSeen time.Time)) {
	t.Helper()
	for _, file := range s.Quarantine {
		f, err := os.Open(filepath.Join(s.Root, filepath.FromSlash(file.Path)))
		if err != nil {
			t.Fatal(err)
		}
		table, err := pqarrow.ReadTable(context.Background(), f, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		f.Close()
		if err != nil {
			t.Fatalf("read %s: %v", file.Path, err)
		}
		seen := table.Column(table.Schema().FieldIndices("first_seen")[0]).Data().Chunks()
		for n, chunk := range table.Column(table.Schema().FieldIndices("bytes")[0]).Data().Chunks() {
			values, times := chunk.(*array.Binary), seen[n].(*array.Timestamp)
			for i := range values.Len() {
				each(string(values.Value(i)), times.Value(i).ToTime(arrow.Microsecond))
			}
		}
		table.Release()
	}
}
