package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// aRevisedLake has six records in two cells, two of which came again changed:
// one newer, one older than what is current.
func aRevisedLake(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	first := run{{records: few(0, 6)}}
	second := run{{records: []storetest.Record{revised(few(0, 1)[0], 5), revised(few(0, 2)[1], -5)}, bad: []string{"x"}}}
	must(t, perform(dir, store.WriterOptions{}, "R", []run{first, second}, func() {}))
	return dir
}

func copyOf(old, out string) error {
	data, err := os.ReadFile(old)
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o600)
}

func TestVerifyNamesRevisionsThatCannotBe(t *testing.T) {
	const inRevisions = "revisions/part-R-2-"
	replacedBy := func(at int64, run string, hash int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			forgeSide(t, dir, "revisions", false, 2, func(old, out string) error { return store.RewriteRevisions(old, out, at, run, hash) })
		}
	}
	id := func(n int) string { return few(n, 1)[0].ID }
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []string
	}{
		{"nothing is wrong", func(*testing.T, string) {}, nil},
		{"a revision that is the current payload", func(t *testing.T, dir string) {
			forgeRow(t, dir, id(0), become(t, few(0, 1)[0].Bytes()))
		}, []string{"its payload is also the current one, row "}},
		{"another spelling of the current payload", func(t *testing.T, dir string) {
			spelled := strings.ReplaceAll(string(few(0, 1)[0].Bytes()), `,"`, ` , "`)
			forgeRow(t, dir, id(0), become(t, []byte(spelled)))
		}, []string{"is the same record in another spelling"}},
		{"a revision that is newer than the current payload", func(t *testing.T, dir string) {
			forgeRow(t, dir, id(0), become(t, revised(few(0, 1)[0], -9).Bytes()))
		}, []string{"it is newer than the current payload, row "}},
		{"a revision of which no payload is current", func(t *testing.T, dir string) {
			other := few(0, 1)[0]
			other.ID = "another"
			forgeRow(t, dir, id(0), become(t, other.Bytes()))
		}, []string{"activities has no row of its activity_id"}},
		{"a payload twice", func(t *testing.T, dir string) {
			forgeSide(t, dir, "revisions", true, 2, copyOf)
		}, []string{"part-forged.parquet: row 0: its payload stands in revisions twice, as row 0 of " + inRevisions, "part-forged.parquet: row 1: its payload stands in revisions twice"}},
		{"replaced by a run that never was", replacedBy(base+1, "nobody", 1), []string{`row 0: the log has no run "nobody"`, `row 1: the log has no run "nobody"`}},
		{"replaced by no commit", replacedBy(base+9, "R-2", 1), []string{"row 0: the log has no commit at the time it was replaced", "row 1: the log has no commit"}},
		{"replaced before it came", replacedBy(base-9, "R-2", 1), []string{"row 0: it was replaced before it came", "row 1: it was replaced before"}},
		{"rows of activities in the place of quarantined ones", func(t *testing.T, dir string) {
			forgeSide(t, dir, "quarantine", false, 1, func(_, out string) error {
				names, err := filepath.Glob(filepath.Join(dir, "activities", "*", "*", "*"))
				must(t, err)
				return copyOf(names[0], out)
			})
		}, []string{"its columns are not those of schema version 1: there are 50, want 7", `it has no column "bytes"`}},
		{"quarantined bytes twice", func(t *testing.T, dir string) { forgeSide(t, dir, "quarantine", true, 1, copyOf) },
			[]string{"quarantine/part-forged.parquet: row 0: its bytes stand in quarantine twice, first as row 0 of quarantine/part-R-2-"}},
		{"quarantined bytes twice in a file", func(t *testing.T, dir string) {
			forgeSide(t, dir, "quarantine", false, 3, func(_, out string) error { return store.WriteQuarantine(out, "R-2", base+1, "x", "y", "x") })
		}, []string{"row 2: its bytes stand in quarantine twice, first as row 0 of "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := aRevisedLake(t)
			c.damage(t, dir)
			o := store.VerifyOptions{Lift: storetest.Lift}
			problems := problemsOf(t, dir, o)
			matches(t, problems, c.want)
			// Several slices of the hash space tell the same in another order.
			again := problemsOf(t, dir, o.WithLimits(2, 1, 1))
			if !slices.Equal(slices.Sorted(slices.Values(again)), slices.Sorted(slices.Values(problems))) {
				t.Errorf("with little memory: %q\nwith enough: %q", again, problems)
			}
		})
	}
}

func TestManyRevisionsAreComparedHoweverFewFitIntoMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	records := few(0, 40)
	var again []storetest.Record
	for i, r := range records {
		for n := range i % 4 {
			again = append(again, revised(r, int64(n)+1), revised(r, -int64(n)-1))
		}
	}
	must(t, perform(dir, store.WriterOptions{}, "R", []run{{{records: records}}, {{records: again}}}, func() {}))
	for _, limit := range []int{2, 20, 1000} {
		problems, v := verified(t, dir, store.VerifyOptions{Lift: storetest.Lift}.WithLimits(10*limit, 3, limit))
		matches(t, problems, nil)
		if v.Revisions != int64(len(again)) {
			t.Errorf("%d revisions, want %d", v.Revisions, len(again))
		}
	}
	// The same damage is found, whatever fits into memory.
	for _, r := range []storetest.Record{records[1], records[6], records[39]} {
		forgeRow(t, dir, r.ID, become(t, revised(r, -9).Bytes()))
	}
	for _, limit := range []int{1000, 2, 20} {
		problems := problemsOf(t, dir, store.VerifyOptions{Lift: storetest.Lift}.WithLimits(10*limit, 3, limit))
		if len(problems) != 2+4+6 {
			t.Errorf("limit %d: %d problems: %v", limit, len(problems), problems)
		}
		for _, p := range problems {
			if !strings.Contains(p, "it is newer than the current payload") {
				t.Error(p)
			}
		}
	}
}
