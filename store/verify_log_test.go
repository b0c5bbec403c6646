package store_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

func entryName(v int64) string { return logDir + "/" + delta.EntryName(v) }

// swap puts two entries in each other's place.
func (d damaged) swap(a, b int64) {
	d.must(os.Rename(d.entry(a), d.path("aside")))
	d.must(os.Rename(d.entry(b), d.entry(a)))
	d.must(os.Rename(d.path("aside"), d.entry(b)))
}

func TestOneBadEntryDoesNotHideTheRest(t *testing.T) {
	changed := func(d damaged, rel string) {
		d.edit(d.path(rel), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	}
	secondFile := "activities/date=2026-11-01/service=20894/part-R-1-00002.parquet"
	for _, c := range []struct {
		name   string
		damage func(d damaged)
		want   []string
		notes  []string
	}{
		{"an entry that is no JSON, and a changed file behind it", func(d damaged) {
			d.edit(d.entry(0), func([]byte) []byte { return []byte("gone") })
			changed(d, secondFile)
		}, []string{
			entryName(0) + ": it is no log entry: line 1: want a JSON object", entryName(0) + ": its SHA-256 is ", secondFile + ": its bytes have changed",
		}, []string{"the log has holes"}},
		{"two entries missing", func(d damaged) { d.must(os.Remove(d.entry(0))); d.must(os.Remove(d.entry(1))) },
			[]string{entryName(0) + ": entries 0 to 1 are missing, though entry 2 exists"}, []string{"the log has holes"}},
		{"a file that a lost entry may have removed", func(d damaged) { d.must(os.Remove(d.entry(1))); d.must(os.Remove(d.path(firstFile))) },
			[]string{entryName(1) + ": it is missing", firstFile + ": it is missing; entry 0 names it, unless an entry that cannot be read took it out"}, []string{"the log has holes"}},
		{"neighbours in each other's place", func(d damaged) { d.swap(1, 2) }, []string{
			entryName(1) + ": it was written after what is entry 2 now and stands behind entry 0: the entries are out of order",
			entryName(2) + ": it was written after what is entry 0 now and stands behind entry 1: the entries are out of order",
			entryName(2) + ": its SHA-256 is ",
		}, nil},
		{"the first and the last in each other's place", func(d damaged) { d.swap(0, 2) }, []string{
			entryName(0) + ": log entry 0: want a protocol and a metaData action in it",
			entryName(0) + ": it was written after what is entry 1 now and stands first",
			entryName(1) + ": it was written after what is entry 2 now and stands behind entry 0",
			entryName(2) + ": it was written as the first entry and stands behind entry 1",
			entryName(2) + ": its SHA-256 is ",
		}, []string{"the log has holes"}},
		{"the first entries taken away and the rest moved up", func(d damaged) {
			d.must(os.Rename(d.entry(1), d.entry(0)))
			d.must(os.Rename(d.entry(2), d.entry(1)))
		}, []string{
			entryName(0) + ": log entry 0: want a protocol",
			entryName(0) + ": it was written after an entry with SHA-256 ",
			"_mdcalake/head: it names entry 2, the log ends at entry 1: the log was shortened",
		}, []string{"the log has holes"}},
		{"the last entry rewritten, and the head tells", func(d damaged) {
			d.edit(d.entry(2), func(b []byte) []byte { return append(b, '\n') })
		}, []string{entryName(2) + ": its SHA-256 is "}, nil},
		{"the log shortened, and the head tells", func(d damaged) { d.must(os.Remove(d.entry(2))) },
			[]string{"_mdcalake/head: it names entry 2, the log ends at entry 1: the log was shortened"}, nil},
		{"the whole log gone", func(d damaged) {
			for v := range int64(3) {
				d.must(os.Remove(d.entry(v)))
			}
		}, []string{"_mdcalake/head: it names entry 2, the log is empty: the log was shortened", firstFile + ": the log does not name it", secondFile + ": the log does not name it"}, nil},
		{"a head that is none", func(d damaged) { d.edit(d.path("_mdcalake/head"), func([]byte) []byte { return []byte("2:abc\n") }) },
			[]string{"_mdcalake/head: it is not VERSION:SHA256"}, nil},
		{"an old head is no damage", func(d damaged) {
			l, err := store.Open(d.dir)
			d.must(err)
			d.must(l.Close())
			entry, err := os.ReadFile(d.entry(0))
			d.must(err)
			d.edit(d.path("_mdcalake/head"), func([]byte) []byte { return []byte("0:" + sha(entry) + "\n") })
		}, nil, []string{"_mdcalake/head names entry 0, the log goes on to entry 2"}},
		{"no head is no damage", func(d damaged) { d.must(os.Remove(d.path("_mdcalake/head"))) }, nil, nil},
		{"a table that another program has upgraded", func(d damaged) {
			d.must(os.WriteFile(d.entry(3), []byte(`{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}`+"\n"), 0o600))
			d.must(os.WriteFile(d.entry(4), []byte(`{"add":{"path":"x","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}`+"\n"), 0o600))
		}, []string{entryName(3) + ": log entry 3: it needs a reader of version 3, this is version 1 (minReaderVersion 3, minWriterVersion 7): what the table holds from here on cannot be known"},
			[]string{"the log has holes", "_mdcalake/head names entry 2"}},
		{"a file of a later format", func(d damaged) {
			forge(d.t, d.dir, func(v int64, actions []delta.Action, ours map[string]any) []delta.Action {
				if v == 2 {
					ours["format"] = 9
				}
				return actions
			})
		}, []string{"commitInfo.mdcalake has format 9, this version knows 3: use a newer mdcalake"}, []string{"the log has holes"}},
		{"ingested that does not grow", func(d damaged) {
			forge(d.t, d.dir, func(v int64, actions []delta.Action, ours map[string]any) []delta.Action {
				if v == 2 {
					ours["ingested"] = base + 1
				}
				return actions
			})
		}, []string{entryName(2) + ": its `ingested` is "}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			d.t = t
			c.damage(d)
			problems, v := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift})
			matches(t, problems, c.want)
			for _, want := range c.notes {
				if !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, want) }) {
					t.Errorf("no note %q in %q", want, v.Notes)
				}
			}
			if len(c.notes) == 0 && slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, "holes") || strings.Contains(n, "head names") }) {
				t.Errorf("notes: %q", v.Notes)
			}
		})
	}
}

func TestVerifySaysWhatItCannotKnow(t *testing.T) {
	d := newDamaged(t)
	first, err := os.ReadFile(d.entry(0))
	d.must(err)
	last, err := os.ReadFile(d.entry(2))
	d.must(err)
	for _, c := range []struct {
		o     store.VerifyOptions
		notes []string
	}{
		{store.VerifyOptions{}, []string{"without --expect-head, entries taken off the end", "whoever can rewrite the whole lake can rewrite its whole chain"}},
		{store.VerifyOptions{Quick: true, ExpectHead: "0:" + sha(first)}, []string{"--quick: rows were not read", "can rewrite what came after the expected head, entries 1 to 2"}},
		{store.VerifyOptions{ExpectHead: "2:" + sha(last)}, nil},
	} {
		problems, v := verified(t, d.dir, c.o)
		matches(t, problems, nil)
		matches(t, v.Notes, c.notes)
	}
}

func TestFilesThatAreNoneOfTheLakes(t *testing.T) {
	d := newDamaged(t)
	write := func(rel string) {
		d.must(os.MkdirAll(d.path(rel[:strings.LastIndexByte("/"+rel, '/')]), 0o700))
		d.must(os.WriteFile(d.path(rel), []byte(rel), 0o600))
	}
	for _, rel := range []string{
		"notes.txt", "_mdcalake/mine", "_mdcalake/index/run-0.idx", "_mdcalake/spill-1", "_pages/R-1/00000001.zst", "_pages/x", "revisions/a\nb", logDir + "/1.json",
		logDir + "/.00000000000000000003.json.7.tmp", logDir + "/.00000000000000000001.json.crc", logDir + "/_commits/00000000000000000001.json",
	} {
		write(rel)
	}
	d.must(os.WriteFile(d.path("_mdcalake/pending-S"), []byte("_pages/S/00000001.zst\nquarantine/part-S-00001.parquet\n"), 0o600))
	write("_pages/S/00000001.zst")
	write("_pages/S/.00000001.zst.tmp")
	write("quarantine/.part-S-00001.parquet.tmp")
	problems, v := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift})
	matches(t, problems, []string{
		"_pages/R-1/00000001.zst: the log does not name it", "_pages/x: the log does not name it", logDir + "/1.json: the log does not name it",
		"revisions/a b: the log does not name it",
	})
	if v.InFlight != 4 {
		t.Errorf("%d files in flight, want 4", v.InFlight)
	}
	for _, want := range []string{"notes.txt is none of", "_mdcalake/mine is none of", "00001.json.crc is none of", "_commits/00000000000000000001.json is none of"} {
		if !slices.ContainsFunc(v.Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note %q in %q", want, v.Notes)
		}
	}
	if n := len(v.Notes); n != 6 {
		t.Errorf("%d notes: %q", n, v.Notes)
	}
}

func sha(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func TestADirectoryThatCannotBeReadIsNamed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is closed to root")
	}
	d := newDamaged(t)
	dir := "activities/date=2026-11-01/service=20893"
	d.must(os.Chmod(d.path(dir), 0))
	defer os.Chmod(d.path(dir), 0o700)
	problems := []string{}
	_, err := store.Verify(t.Context(), d.dir, store.VerifyOptions{}, func(p store.Problem) { problems = append(problems, p.String()) })
	d.must(err)
	matches(t, problems, []string{firstFile + ": it cannot be read: permission denied", dir + ": it cannot be read: permission denied"})
}

func TestACheckpointThatLiesIsNamed(t *testing.T) {
	make := func(t *testing.T) damaged {
		d := damaged{t, filepath.Join(t.TempDir(), "lake")}
		o := store.WriterOptions{}.WithCheckpoints(2)
		must(t, perform(d.dir, o, "R", []run{{{records: few(0, 2)}, {records: few(2, 2)}, {records: few(4, 2)}}, {{records: few(6, 1)}}, {{records: few(7, 1)}}}, func() {}))
		return d
	}
	const two, four, last = logDir + "/00000000000000000002.checkpoint.parquet", logDir + "/00000000000000000004.checkpoint.parquet", logDir + "/_last_checkpoint"
	for _, c := range []struct {
		name   string
		damage func(d damaged)
		want   []string
	}{
		{"nothing is wrong", func(damaged) {}, nil},
		{"another version's", func(d damaged) {
			data, err := os.ReadFile(d.path(two))
			d.must(err)
			d.edit(d.path(four), func([]byte) []byte { return data })
		}, []string{four + ": it does not say what the entries up to 4 say: "}},
		{"no checkpoint", func(d damaged) { d.edit(d.path(four), func(b []byte) []byte { return b[:len(b)/2] }) }, []string{four + ": "}},
		{"a pointer to nothing", func(d damaged) { d.must(os.Remove(d.path(four))) }, []string{last + ": it names checkpoint 4, which is not there"}},
		{"beyond the log's end", func(d damaged) { d.must(os.Remove(d.entry(4))) }, []string{"_mdcalake/head: ", four + ": the log ends at entry 3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := make(t)
			c.damage(d)
			var manifest strings.Builder
			problems, _ := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift, Manifest: &manifest})
			if !strings.Contains(manifest.String(), two) || !strings.Contains(manifest.String(), last) {
				t.Errorf("the manifest lacks a checkpoint:\n%s", manifest.String())
			}
			if c.name == "beyond the log's end" { // its files are strangers then
				problems = slices.DeleteFunc(problems, func(p string) bool { return strings.HasPrefix(p, "activities/date=") })
			}
			matches(t, problems, c.want)
		})
	}
}
