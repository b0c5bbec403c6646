package store_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/index"
	"mdcalake/store/storetest"
)

const ada = "Ada@contoso.example"

// contosoLake has activities of Ada and of others, revisions, and bad records.
func contosoLake(t *testing.T) string {
	t.Helper()
	dir := storetest.Dir(t)
	mine := few(10, 3)
	for i := range mine {
		mine[i].User = ada
	}
	handedOver := few(20, 1)[0] // Ada's first, somebody else's in the end
	handedOver.User = ada
	mention := few(30, 1)[0]
	mention.Tags = []string{"shared with ada@CONTOSO.example"}
	err := perform(dir, store.WriterOptions{}, "before", []run{
		{{records: slices.Concat(few(0, 4), mine, []storetest.Record{handedOver, mention}), bad: []string{`{"user":"\u0061da@contoso.example"}`, "x"}}},
		{{records: []storetest.Record{revised(mine[0], 5), revised(handedOver, 5), revised(few(0, 1)[0], 5)}}},
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func mustPurge(t *testing.T, dir string, q store.PurgeRequest) *store.PurgePlan {
	t.Helper()
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	plan, err := planPurge(dir, q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Purge(context.Background(), plan, store.Run{RunID: "purge", Outcome: "complete", Verb: "purge"}); err != nil {
		t.Fatal(err)
	}
	return plan
}

func naming(t *testing.T, c storetest.Contents, name string) (found []string) {
	t.Helper()
	for _, s := range slices.Concat(c.Activities, c.Revisions, c.Quarantine) {
		if strings.Contains(strings.ToLower(s), strings.ToLower(name)) {
			found = append(found, s)
		}
	}
	return found
}

func TestAPersonsActivitiesAreGoneAndDoNotComeBack(t *testing.T) {
	dir := contosoLake(t)
	before := storetest.Read(t, dir)
	plan := mustPurge(t, dir, store.PurgeRequest{User: strings.ToUpper(ada), Reason: "ticket 7"})
	// The one that was handed over lives on; so does the first of hers that was
	// revised to be somebody else's, but for the payload that was hers.
	if plan.Rows != 2 || plan.Revisions != 2 || plan.Quarantine != 1 || plan.Mentions != 1 || plan.ByColumn["user_name"] != 2 {
		t.Errorf("the plan says %v, %d mentions, by column %v", plan, plan.Mentions, plan.ByColumn)
	}
	after := storetest.Read(t, dir)
	if left := naming(t, after, ada); len(left) != 1 || !strings.Contains(left[0], "shared with") {
		t.Errorf("left is %q", left)
	}
	if n := len(before.Activities) - len(after.Activities); n != 2 {
		t.Errorf("%d rows went", n)
	}
	onlyNamedFiles(t, dir)
	noByteOf(t, dir, ada)

	// All of it again, and a record of hers that is new.
	dirAgain := contosoRecords()
	newOne := few(40, 1)[0]
	newOne.User = ada
	receipt := storetest.Ingest(t, dir, store.WriterOptions{}, append(dirAgain, newOne)...)
	if receipt.Run.Erased != 4 || receipt.Run.Added != 1 {
		t.Errorf("of those that came again %d were refused and %d taken: %+v", receipt.Run.Erased, receipt.Run.Added, receipt.Run)
	}
	if left := naming(t, storetest.Read(t, dir), ada); len(left) != 2 {
		t.Errorf("after the next round there is %q", left)
	}
}

// contosoRecords are Ada's as they came first.
func contosoRecords() []storetest.Record {
	mine := few(10, 3)
	for i := range mine {
		mine[i].User = ada
	}
	handedOver := few(20, 1)[0]
	handedOver.User = ada
	return append(mine, handedOver)
}

func TestWhatIsOldIsGoneAndNothingOldIsTakenAnyMore(t *testing.T) {
	dir := storetest.Dir(t)
	// An activity whose current payload is old and whose past one is young, and
	// the other way round.
	oldNow, youngNow := few(2, 1)[0], few(3, 1)[0]
	oldPast, youngPast := revised(youngNow, -5), ahead([]storetest.Record{revised(oldNow, -5)})[0]
	youngNow = ahead([]storetest.Record{youngNow})[0]
	err := perform(dir, store.WriterOptions{}, "before", []run{{{records: slices.Concat(few(0, 2), ahead(few(4, 2)), []storetest.Record{oldPast, youngPast})}},
		{{records: []storetest.Record{oldNow, youngNow}}}}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	cut := time.UnixMilli(base).Add(40 * time.Hour)
	plan := mustPurge(t, dir, store.PurgeRequest{Before: cut})
	if want := time.UnixMilli(base).UTC().Add(24 * time.Hour); !plan.Before.Equal(want) {
		t.Errorf("the day is cut at %s", plan.Before)
	}
	after := storetest.Read(t, dir)
	want := storetest.Contents{}
	for _, r := range append(ahead(few(4, 2)), youngNow) {
		want.Activities = append(want.Activities, string(r.Bytes()))
	}
	slices.Sort(want.Activities)
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
	onlyNamedFiles(t, dir)
	receipt := storetest.Ingest(t, dir, store.WriterOptions{}, append(few(0, 2), ahead(few(6, 1))...)...)
	if receipt.Run.Erased != 2 || receipt.Run.Added != 1 {
		t.Errorf("of old records %d were refused: %+v", receipt.Run.Erased, receipt.Run)
	}
}

func TestAPurgeIsSeenInTheCoverage(t *testing.T) {
	dir := contosoLake(t)
	mustPurge(t, dir, store.PurgeRequest{User: ada, Reason: "ticket 7"})
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := l.Snapshot()
	service := int64(20893)
	for _, of := range []*int64{nil, &service} {
		stretches := s.CoverageOf(of, time.UnixMilli(base+11_000), time.UnixMilli(base+12_000))
		if len(stretches) != 1 || stretches[0].State != store.StatePurged || stretches[0].Reason != "ticket 7" {
			t.Errorf("the time says %v", stretches)
		}
	}
	if len(s.Purges) != 1 || s.Purges[0].Version != s.Version || s.Purges[0].Rows != 2 {
		t.Errorf("the purges are %+v", s.Purges)
	}
}

func TestAReaderUnderWayKeepsErasedFilesUntilItEnds(t *testing.T) {
	dir := contosoLake(t)
	reader, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	plan, err := planPurge(dir, store.PurgeRequest{User: ada, Reason: "ticket 7"})
	if err == nil {
		_, err = w.Purge(context.Background(), plan, store.Run{RunID: "purge"})
	}
	if err != nil {
		t.Fatal(err)
	}
	if left, err := w.RemoveReplaced(); err != nil || left == 0 {
		t.Errorf("while a reader is at work %d files are left, %v", left, err)
	}
	for _, f := range reader.Snapshot().Files {
		if _, err := os.Stat(filepath.Join(dir, f.Path)); err != nil {
			t.Errorf("a file of the reader's: %v", err)
		}
	}
	reader.Close()
	if left, err := w.RemoveReplaced(); err != nil || left != 0 {
		t.Errorf("when no reader is left %d files are, %v", left, err)
	}
	onlyNamedFiles(t, dir)
}

func TestAPurgeThatIsNotAllowed(t *testing.T) {
	dir := contosoLake(t)
	w, err := store.OpenWriter(dir, store.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, q := range map[string]store.PurgeRequest{
		"nothing": {}, "both": {User: "x", Before: time.UnixMilli(base)}, "a reason that names the person": {User: ada, Reason: "erase ada@contoso.EXAMPLE"},
	} {
		if _, err := planPurge(dir, q); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	plan, err := planPurge(dir, store.PurgeRequest{User: "nobody@contoso.example", Reason: "r"})
	if err != nil || !plan.Empty() {
		t.Errorf("a stranger: %v, %v", plan, err)
	}
	plan, err = planPurge(dir, store.PurgeRequest{User: ada, Reason: "r"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.Append(w, few(50, 1)...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Purge(context.Background(), plan, store.Run{RunID: "late"}); err == nil {
		t.Error("a plan of an older version is carried out")
	}
}

// onlyNamedFiles expects no data file that the log does not name.
func onlyNamedFiles(t *testing.T, dir string) {
	t.Helper()
	l, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := l.Snapshot()
	named := map[string]bool{}
	for _, f := range slices.Concat(s.Files, s.Revisions, s.Quarantine, s.Erased) {
		named[f.Path] = true
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err == nil && strings.HasSuffix(path, ".parquet") && !strings.Contains(path, "_delta_log") && !named[filepath.ToSlash(rel)] {
			t.Errorf("%s is still there", rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// noByteOf expects the name nowhere outside of data files (their rows are read
// elsewhere), and no hash of it in the value index.
func noByteOf(t *testing.T, dir, name string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".parquet") {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(name))) {
			t.Errorf("%s names the person", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(filepath.Join(dir, "_mdcalake", "index"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if cells, err := ix.Cells(nil, index.UserName, index.HashString(index.UserName, name)); err != nil || len(cells) > 0 {
		t.Errorf("the value index knows the person: %v, %v", cells, err)
	}
}
