package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

// treeHash is over names, modes, times of change and bytes of everything below
// a directory.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, path, info.Mode(), info.ModTime().UnixNano())
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			h.Write(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// damaged is a lake of three commits, made to be damaged: the first entry has
// one file of three rows, the second another cell's, the third nothing.
type damaged struct {
	t   *testing.T
	dir string
}

func newDamaged(t *testing.T) damaged {
	dir := filepath.Join(t.TempDir(), "lake")
	one := few(0, 6)
	cell := []storetest.Record{one[0], one[2], one[4]}
	if err := perform(dir, store.WriterOptions{}, "R", []run{{{records: cell}, {records: []storetest.Record{one[1]}}, {}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	return damaged{t, dir}
}

func (d damaged) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

const (
	firstFile = "activities/date=2026-11-01/service=20893/part-R-1-00001.parquet"
	logDir    = "activities/_delta_log"
)

func (d damaged) path(rel string) string { return filepath.Join(d.dir, filepath.FromSlash(rel)) }
func (d damaged) entry(v int64) string   { return d.path(logDir + "/" + delta.EntryName(v)) }

func (d damaged) edit(path string, change func([]byte) []byte) {
	d.t.Helper()
	data, err := os.ReadFile(path)
	d.must(err)
	d.must(os.Chmod(path, 0o600))
	d.must(os.WriteFile(path, change(data), 0o600))
}

// oneEntry takes the later entries away, so that the first one can be
// rewritten and only its contents speak.
func (d damaged) oneEntry() {
	d.must(os.Remove(d.entry(1)))
	d.must(os.Remove(d.entry(2)))
	d.must(os.Remove(d.path("_mdcalake/head")))
	d.must(os.RemoveAll(d.path("activities/date=2026-11-01/service=20894")))
}

// replace changes text of the first entry, which must be there.
func (d damaged) replace(old, new string) {
	d.t.Helper()
	d.edit(d.entry(0), func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			d.t.Fatalf("%q is not in %s", old, b)
		}
		return bytes.ReplaceAll(b, []byte(old), []byte(new))
	})
}

// lie writes the first file anew with other rows, and an entry that fits it.
func (d damaged) lie(change func(*store.Row)) {
	d.t.Helper()
	d.lieWith(func(path, out string) (int64, string, string, error) { return store.RewriteRows(path, out, change) })
}

func (d damaged) lieWith(rewrite func(path, out string) (size int64, hash, stats string, err error)) {
	d.t.Helper()
	d.oneEntry()
	l, err := store.Open(d.dir)
	d.must(err)
	was := l.Snapshot().Files[0]
	l.Close()
	out := d.path("activities/new")
	size, hash, stats, err := rewrite(d.path(firstFile), out)
	d.must(err)
	d.must(os.Rename(out, d.path(firstFile)))
	d.replace(was.SHA256, hash)
	d.replace(fmt.Sprintf(`"size":%d`, was.Size), fmt.Sprintf(`"size":%d`, size))
	entry, err := os.ReadFile(d.entry(0))
	d.must(err)
	actions, err := delta.Decode(entry)
	d.must(err)
	for i := range actions {
		if actions[i].Add != nil {
			actions[i].Add.Stats = stats
		}
	}
	entry, err = delta.Encode(actions)
	d.must(err)
	d.edit(d.entry(0), func([]byte) []byte { return entry })
}

func rename(r *store.Row, id string) {
	off := len(r.Text)
	r.Text = append(r.Text, id...)
	r.Strings[store.ActivityID] = store.Span{Off: uint32(off), Len: uint32(len(id))}
}

func TestVerifyNamesEachKindOfDamage(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(d damaged)
		o      store.VerifyOptions
		want   []string
	}{
		{name: "none", damage: func(damaged) {}},
		{name: "a changed byte", damage: func(d damaged) {
			d.edit(d.path(firstFile), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, want: []string{firstFile + ": its bytes have changed"}},
		{name: "a truncated file", damage: func(d damaged) {
			d.edit(d.path(firstFile), func(b []byte) []byte { return b[:len(b)/2] })
		}, want: []string{firstFile + ": it has "}},
		{name: "a missing file", damage: func(d damaged) { d.must(os.Remove(d.path(firstFile))) }, want: []string{firstFile + ": it is missing; entry 0 names it"}},
		{name: "a directory in a file's place", damage: func(d damaged) {
			d.must(os.Remove(d.path(firstFile)))
			d.must(os.Mkdir(d.path(firstFile), 0o700))
		}, want: []string{firstFile + ": it cannot be read"}},
		{name: "extra files", damage: func(d damaged) {
			d.must(os.WriteFile(d.path("activities/date=2026-11-01/service=20893/other.parquet"), nil, 0o600))
			d.must(os.MkdirAll(d.path("quarantine"), 0o700))
			d.must(os.WriteFile(d.path("quarantine/x"), nil, 0o600))
		}, want: []string{"activities/date=2026-11-01/service=20893/other.parquet: the log does not name it", "quarantine/x: the log does not name it"}},
		{name: "a rewritten entry", damage: func(d damaged) {
			d.edit(d.entry(1), func(b []byte) []byte { return append(b, ' ') })
		}, want: []string{logDir + "/00000000000000000001.json: its SHA-256 is "}},
		{name: "an entry missing in the middle", damage: func(d damaged) { d.must(os.Remove(d.entry(1))) }, want: []string{logDir + "/00000000000000000001.json: it is missing, though entry 2 exists"}},
		{name: "a torn entry", damage: func(d damaged) {
			d.edit(d.entry(1), func(b []byte) []byte { return b[:len(b)/2] })
		}, want: []string{logDir + "/00000000000000000001.json: it is no log entry: line 2: ", logDir + "/00000000000000000001.json: its SHA-256 is "}},
		{name: "the last entry cut off", damage: func(d damaged) { d.must(os.Remove(d.entry(2))) }, o: store.VerifyOptions{ExpectHead: "2:" + noSuchHash},
			want: []string{"_mdcalake/head: it names entry 2, the log ends at entry 1", logDir + "/00000000000000000002.json: it is expected, the log ends at entry 1"}},
		{name: "another head", damage: func(damaged) {}, o: store.VerifyOptions{ExpectHead: "2:" + noSuchHash}, want: []string{logDir + "/00000000000000000002.json: its SHA-256 is "}},
		{name: "a head that is none", damage: func(damaged) {}, o: store.VerifyOptions{ExpectHead: "last"}, want: []string{`the expected head "last" is not VERSION:SHA256`}},
		{name: "a column that does not follow from the bytes", damage: func(d damaged) {
			d.lie(func(r *store.Row) { r.Strings[store.UserName] = store.Null })
		}, want: slices.Repeat([]string{"column user_name does not follow from its bytes"}, 3)},
		{name: "a content hash of something else", damage: func(d damaged) {
			d.lie(func(r *store.Row) { r.ContentHash++ })
		}, want: slices.Repeat([]string{"content_hash does not follow from its bytes"}, 3)},
		{name: "a time between two milliseconds", damage: func(d damaged) { d.lieWith(store.RewriteRowsOff) },
			want: slices.Repeat([]string{"column timestamp does not follow from its bytes"}, 3)},
		{name: "a run that the log does not know", damage: func(d damaged) { d.lie(func(r *store.Row) { r.RunID = "nobody" }) },
			want: slices.Repeat([]string{`the log has no commit of run "nobody" with its value of ingested`}, 3)},
		{name: "a commit that the log does not know", damage: func(d damaged) { d.lie(func(r *store.Row) { r.Ingested++ }) },
			want: slices.Repeat([]string{`the log has no commit of run "R-1" with its value of ingested`}, 3)},
		{name: "a file that is another table's", damage: func(d damaged) {
			d.lieWith(func(_, out string) (int64, string, string, error) {
				d.must(store.WriteQuarantine(out, "R-1", base, "x"))
				data, err := os.ReadFile(out)
				return int64(len(data)), sha(data), "", err
			})
		}, want: []string{firstFile + `: its schema version is "", this version of mdcalake knows 1`}},
		{name: "an entry without a file's hash", damage: func(d damaged) { d.oneEntry(); d.replace("mdcalake.sha256", "other") },
			want: []string{firstFile + ": entry 0 has no SHA-256 of it"}},
		{name: "a wrong partition value, and a changed file", damage: func(d damaged) {
			d.oneEntry()
			d.replace(`"service":"20893"`, `"service":"20894"`)
			d.edit(d.path(firstFile), func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, want: []string{"the partition values of", firstFile + ": its bytes have changed"}},
		{name: "an id twice", damage: func(d damaged) { d.lie(func(r *store.Row) { rename(r, "same") }) }, o: store.VerifyOptions{Lift: noLift},
			want: slices.Repeat([]string{"its activity_id stands in activities twice: \"same\""}, 2)},
		{name: "rows of another cell", damage: func(d damaged) { d.lie(func(r *store.Row) { r.SetNumber(store.AppID, 7) }) }, o: store.VerifyOptions{Lift: noLift},
			want: slices.Repeat([]string{"belongs to date=2026-11-01/service=7"}, 3)},
		{name: "rows out of order", damage: func(d damaged) {
			at := base + 100_000
			d.lie(func(r *store.Row) { at -= 1000; r.SetNumber(store.Timestamp, at) })
		}, o: store.VerifyOptions{Lift: noLift}, want: slices.Repeat([]string{"is out of the order of time"}, 2)},
		{name: "statistics that lie", damage: func(d damaged) { d.oneEntry(); d.replace(`00:00:04.000Z`, `00:00:03.000Z`) }, want: []string{firstFile + ": the statistics of entry 0 do not fit its rows"}},
		{name: "a number of rows that lies", damage: func(d damaged) { d.oneEntry(); d.replace(`\"numRecords\":3`, `\"numRecords\":2`) }, want: []string{firstFile + ": it has 3 rows, entry 0 says 2"}},
		{name: "a wrong partition value", damage: func(d damaged) { d.oneEntry(); d.replace(`"service":"20893"`, `"service":"20894"`) }, want: []string{"the partition values of"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			c.damage(d)
			before := treeHash(t, d.dir)
			if c.o.Lift == nil {
				c.o.Lift = storetest.Lift
			} else {
				c.o.Lift = nil
			}
			var problems []string
			v, err := store.Verify(context.Background(), d.dir, c.o, func(p store.Problem) { problems = append(problems, p.String()) })
			if err != nil {
				t.Fatal(err)
			}
			if v.Problems != len(problems) || len(problems) != len(c.want) {
				t.Errorf("%d problems, want %d", v.Problems, len(c.want))
			}
			for i, want := range c.want {
				if i < len(problems) && !strings.Contains(problems[i], want) {
					t.Errorf("problem %d: %s\nwant: %s", i, problems[i], want)
				}
			}
			if t.Failed() {
				t.Logf("problems:\n%s", strings.Join(problems, "\n"))
			}
			if treeHash(t, d.dir) != before {
				t.Error("verify has changed the lake")
			}
		})
	}
}

var noSuchHash = strings.Repeat("00ff", 16)

// noLift stands for VerifyOptions without Lift in the table.
func noLift([]byte, *store.Row) error { return nil }

func TestADamagedLogIsNotWrittenOn(t *testing.T) {
	d := newDamaged(t)
	d.edit(d.entry(1), func(b []byte) []byte { return append(b, '\n') })
	var damage *store.DamageError
	if _, err := store.OpenWriter(d.dir, store.WriterOptions{}); !errors.As(err, &damage) {
		t.Errorf("want a DamageError, got %v", err)
	}
}

func TestADamagedFileStopsTheRunThatNeedsIt(t *testing.T) {
	d := newDamaged(t)
	d.edit(d.path(firstFile), func(b []byte) []byte { return b[:len(b)/2] })
	before := storeFiles(t, d.dir)
	err := perform(d.dir, store.WriterOptions{}, "S", []run{{{records: few(0, 1)}}}, func() {})
	var damage *store.DamageError
	if !errors.As(err, &damage) || damage.Path != firstFile {
		t.Errorf("want a DamageError of %s, got %v", firstFile, err)
	}
	if after := storeFiles(t, d.dir); !slices.Equal(before, after) {
		t.Errorf("files before: %v, after: %v", before, after)
	}
}

func storeFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "activities", "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAnotherProgramsCommitIsReadButNotWrittenOn(t *testing.T) {
	d := newDamaged(t)
	// The other program adds a file without statistics, as some do.
	other := filepath.Join(t.TempDir(), "other")
	if err := perform(other, store.WriterOptions{}, "X", []run{{{records: few(8, 1)}}}, func() {}); err != nil {
		t.Fatal(err)
	}
	rel := "date=2026-11-01/service=20893/part-00000-c000.snappy.parquet"
	data, err := os.ReadFile(filepath.Join(other, "activities/date=2026-11-01/service=20893/part-X-1-00001.parquet"))
	d.must(err)
	d.must(os.WriteFile(d.path("activities/"+rel), data, 0o600))
	log, err := store.Storage(d.dir)
	d.must(err)
	entry := fmt.Sprintf(`{"commitInfo":{"operation":"WRITE","engineInfo":"another"}}`+"\n"+
		`{"add":{"path":%q,"partitionValues":{"date":"2026-11-01","service":"20893"},"size":%d,"modificationTime":1,"dataChange":true}}`+"\n", rel, len(data))
	d.must(delta.WriteEntry(log, 3, []byte(entry)))
	if err := delta.WriteEntry(log, 3, []byte(entry)); !errors.Is(err, delta.ErrConflict) {
		t.Errorf("the same version twice: %v", err)
	}

	if have := storetest.Read(t, d.dir); len(have.Activities) != 5 {
		t.Errorf("a reader sees %d rows, want 5", len(have.Activities))
	}
	_, err = store.OpenWriter(d.dir, store.WriterOptions{})
	if !errors.Is(err, store.ErrForeignCommit) || !strings.Contains(err.Error(), "log entry 3 is not mdcalake's") {
		t.Errorf("want ErrForeignCommit, got %v", err)
	}
	var problems []string
	_, err = store.Verify(context.Background(), d.dir, store.VerifyOptions{Lift: storetest.Lift}, func(p store.Problem) { problems = append(problems, p.String()) })
	d.must(err)
	if len(problems) != 1 || !strings.Contains(problems[0], "00000000000000000003.json: written by another program") {
		t.Errorf("problems: %v", problems)
	}
}

func TestAnotherProgramsCommitDuringARunIsNotWrittenOn(t *testing.T) {
	d := newDamaged(t)
	w, err := store.OpenWriter(d.dir, store.WriterOptions{})
	d.must(err)
	defer w.Close()
	log, err := store.Storage(d.dir)
	d.must(err)
	d.must(delta.WriteEntry(log, 3, []byte(`{"commitInfo":{"operation":"OPTIMIZE"}}`)))
	if _, err := storetest.Append(w, few(10, 1)...); !errors.Is(err, delta.ErrConflict) {
		t.Errorf("want ErrConflict, got %v", err)
	}
	if _, err := storetest.Append(w, few(10, 1)...); !errors.Is(err, store.ErrForeignCommit) {
		t.Errorf("the next run: want ErrForeignCommit, got %v", err)
	}
}

func TestALogCannotNameFilesElsewhere(t *testing.T) {
	for name, text := range map[string]string{
		"an added file":          `{"add":{"path":"../../precious","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}`,
		"a removed file":         `{"remove":{"path":"..%2F..%2Fprecious","dataChange":true}}`,
		"a removed revision":     `{"commitInfo":{"mdcalake":{"format":1,"previous":"HEAD","revisions":{"remove":["revisions/../../precious"]}}}}`,
		"an added quarantine":    `{"commitInfo":{"mdcalake":{"format":1,"previous":"HEAD","quarantine":{"add":[{"path":"/etc/passwd"}]}}}}`,
		"a revision of the past": `{"commitInfo":{"mdcalake":{"format":1,"previous":"HEAD","revisions":{"remove":["activities/_delta_log/00000000000000000000.json"]}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDamaged(t)
			l, err := store.Open(d.dir)
			d.must(err)
			head := l.Snapshot().Head
			l.Close()
			precious := filepath.Join(filepath.Dir(d.dir), "precious")
			d.must(os.WriteFile(precious, nil, 0o600))
			d.must(os.WriteFile(d.entry(3), []byte(strings.ReplaceAll(text, "HEAD", head)), 0o600))
			before := treeHash(t, filepath.Dir(d.dir))
			if _, err := store.Open(d.dir); err == nil || !strings.Contains(err.Error(), "log entry 3: file path") {
				t.Errorf("a reader: %v", err)
			}
			if treeHash(t, filepath.Dir(d.dir)) != before {
				t.Error("a reader has changed something")
			}
			if w, err := store.OpenWriter(d.dir, store.WriterOptions{}); err == nil {
				w.Close()
				t.Error("a writer opens the lake")
			}
			if _, err := os.Stat(precious); err != nil {
				t.Error(err)
			}
		})
	}
	// The log's own entries are inside the table, and still not to be removed.
	d := newDamaged(t)
	l, err := store.Open(d.dir)
	d.must(err)
	text := fmt.Sprintf(`{"commitInfo":{"mdcalake":{"format":1,"previous":%q,"ingested":4000000000000}}}`+"\n"+`{"remove":{"path":"_delta_log/00000000000000000000.json","dataChange":true}}`, l.Snapshot().Head)
	l.Close()
	d.must(os.WriteFile(d.entry(3), []byte(text), 0o600))
	tidyUp(t, d.dir, nil)
	if _, err := os.Stat(d.entry(0)); err != nil {
		t.Error(err)
	}
}

// A run commits while verify looks: its files are no strangers.
func TestVerifyBesideACommittingRunRaisesNoAlarm(t *testing.T) {
	d := newDamaged(t)
	w, err := store.OpenWriter(d.dir, store.WriterOptions{})
	d.must(err)
	defer w.Close()
	commit := sync.OnceValue(func() error { // the log has been read when it is called
		_, err := storetest.Append(w, append(few(10, 4), revised(few(0, 1)[0], 5))...)
		return err
	})
	lift := func(record []byte, row *store.Row) error {
		if err := commit(); err != nil {
			return err
		}
		return storetest.Lift(record, row)
	}
	v, err := store.Verify(context.Background(), d.dir, store.VerifyOptions{Lift: lift}, func(p store.Problem) { t.Errorf("verify: %s", p) })
	d.must(err)
	if v.Version != 2 || v.InFlight == 0 {
		t.Errorf("%+v", v)
	}
}
