package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

const day = int64(24 * 60 * 60 * 1000)

var base = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func record(n int) storetest.Record {
	return storetest.Record{
		ID: fmt.Sprintf("id-%d", n), Timestamp: base + int64(n)*day/7, Created: base + int64(n)*day/7 + 60_000,
		App: int64(20893 + n%3), Tenant: 97134000, User: fmt.Sprintf("user%d@contoso.example", n%5), Tags: []string{"a", "b"}[:n%3%2],
	}
}

func records(n int) []storetest.Record {
	var out []storetest.Record
	for i := range n {
		out = append(out, record(i))
	}
	return out
}

func TestARunIsKeptWholeAndReadBack(t *testing.T) {
	dir := storetest.Dir(t)
	r := storetest.Ingest(t, dir, store.WriterOptions{}, records(100)...)
	if r.Run.Added != 100 || r.Run.Records != 100 || r.Version != 0 {
		t.Fatalf("receipt: %+v", r)
	}
	rows, _ := storetest.Rows(t, dir)
	for i := range 100 {
		want := record(i)
		if got := rows[want.ID]; len(got) != 1 || got[0] != string(want.Bytes()) {
			t.Errorf("%s: got %q", want.ID, got)
		}
	}
}

func TestTheSameRunTwiceChangesNothing(t *testing.T) {
	dir := storetest.Dir(t)
	storetest.Ingest(t, dir, store.WriterOptions{}, records(100)...)
	r := storetest.Ingest(t, dir, store.WriterOptions{}, append(records(100), records(100)...)...)
	if r.Run.Added != 0 || r.Run.Duplicates != 200 || r.Files != 0 {
		t.Fatalf("receipt: %+v", r)
	}
}

func TestOfTwoPayloadsTheLaterSavedIsCurrent(t *testing.T) {
	old, late := record(1), record(1)
	late.User, late.Created = "changed@contoso.example", old.Created+1000
	for name, order := range map[string][][]storetest.Record{
		"old first":            {{old}, {late}},
		"late first":           {{late}, {old}},
		"together":             {{old, late}},
		"together, late first": {{late, old}},
		"with others":          {append(records(20), late), {late, old}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := storetest.Dir(t)
			for _, batch := range order {
				storetest.Ingest(t, dir, store.WriterOptions{}, batch...)
			}
			rows, revisions := storetest.Rows(t, dir)
			if got := rows[old.ID]; len(got) != 1 || got[0] != string(late.Bytes()) {
				t.Errorf("activities: %q", got)
			}
			if got := revisions[old.ID]; len(got) != 1 || got[0] != string(old.Bytes()) {
				t.Errorf("revisions: %q", got)
			}
			// Both are known now, in whatever order they come again.
			r := storetest.Ingest(t, dir, store.WriterOptions{}, old, late, old)
			if r.Run.Duplicates != 3 {
				t.Errorf("again: %+v", r.Run)
			}
		})
	}
}

func TestALakeThatItsGroupMayReadStaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		group     bool
		dir, file os.FileMode
	}{"private": {false, 0o700, 0o400}, "group": {true, 0o750, 0o440}} {
		t.Run(name, func(t *testing.T) {
			dir := storetest.Dir(t)
			if err := os.Mkdir(dir, 0o755); err != nil { // made by the person, and open
				t.Fatal(err)
			}
			storetest.Ingest(t, dir, store.WriterOptions{Group: tc.group}, records(3)...)
			storetest.Ingest(t, dir, store.WriterOptions{}, records(9)...)
			err := filepath.WalkDir(filepath.Join(dir, "activities"), func(path string, d os.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				want := tc.file
				if d.IsDir() {
					want = tc.dir
				}
				if info.Mode().Perm() != want {
					t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
