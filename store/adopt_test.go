package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	"mdcalake/store"
	"mdcalake/store/delta"
	"mdcalake/store/storetest"
)

// stranger is another program that writes to the table.
type stranger struct {
	t   *testing.T
	dir string
}

// piece is some rows of a file: [From, To), all of them if both are 0.
type piece struct {
	path     string
	from, to int64
}

// write makes a data file of pieces, in that order and without statistics, and
// answers the action that names it.
func (o stranger) write(name string, pieces ...piece) delta.Action {
	o.t.Helper()
	a, err := o.tryWrite(name, pieces...)
	must(o.t, err)
	return a
}

func (o stranger) tryWrite(name string, pieces ...piece) (delta.Action, error) {
	rel := filepath.Dir(pieces[0].path) + "/" + name
	out, err := os.Create(filepath.Join(o.dir, filepath.FromSlash(rel)))
	if err != nil {
		return delta.Action{}, err
	}
	defer out.Close()
	var w *pqarrow.FileWriter
	for _, p := range pieces {
		part, err := o.read(p)
		if err == nil && w == nil {
			w, err = pqarrow.NewFileWriter(part.Schema(), out, parquet.NewWriterProperties(), pqarrow.NewArrowWriterProperties())
		}
		if err == nil {
			err = w.WriteTable(part, 1000)
		}
		if err != nil {
			return delta.Action{}, err
		}
	}
	if err := w.Close(); err != nil {
		return delta.Action{}, err
	}
	return o.tryAdd(rel)
}

// read reads the rows of a piece.
func (o stranger) read(p piece) (arrow.Table, error) {
	in, err := os.Open(filepath.Join(o.dir, filepath.FromSlash(p.path)))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	table, err := pqarrow.ReadTable(context.Background(), in, parquet.NewReaderProperties(memory.DefaultAllocator), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil || p.to == 0 {
		return table, err
	}
	var columns []arrow.Column
	for i := range int(table.NumCols()) {
		columns = append(columns, *array.NewColumnSlice(table.Column(i), p.from, p.to))
	}
	return array.NewTable(table.Schema(), columns, p.to-p.from), nil
}

// add names a file that is there.
func (o stranger) add(rel string) delta.Action {
	o.t.Helper()
	a, err := o.tryAdd(rel)
	must(o.t, err)
	return a
}

func (o stranger) tryAdd(rel string) (delta.Action, error) {
	info, err := os.Stat(filepath.Join(o.dir, filepath.FromSlash(rel)))
	if err != nil {
		return delta.Action{}, err
	}
	return delta.Action{Add: &delta.Add{Path: tableName(rel), PartitionValues: valuesOf(rel), Size: info.Size(), ModificationTime: 1, DataChange: true}}, nil
}

func (o stranger) remove(rel string) delta.Action {
	return delta.Action{Remove: &delta.Remove{Path: tableName(rel), DeletionTimestamp: 1, DataChange: true}}
}

func tableName(rel string) string { return strings.TrimPrefix(rel, "activities/") }

func valuesOf(rel string) map[string]*string {
	parts := strings.Split(tableName(rel), "/")
	date, service := strings.TrimPrefix(parts[0], "date="), strings.TrimPrefix(parts[1], "service=")
	return map[string]*string{"date": &date, "service": &service}
}

// commit writes the next entry.
func (o stranger) commit(operation string, actions ...delta.Action) {
	o.t.Helper()
	must(o.t, o.tryCommit(operation, actions...))
}

func (o stranger) tryCommit(operation string, actions ...delta.Action) error {
	log, err := store.Storage(o.dir)
	if err != nil {
		return err
	}
	versions, err := delta.Versions(log)
	if err != nil {
		return err
	}
	info := json.RawMessage(fmt.Sprintf(`{"operation":%q,"engineInfo":"another/1.0"}`, operation))
	entry, err := delta.Encode(append([]delta.Action{{CommitInfo: info}}, actions...))
	if err != nil {
		return err
	}
	return delta.WriteEntry(log, int64(len(versions)), entry)
}

// metaData is the table's, changed.
func (o stranger) metaData(change func(*delta.MetaData)) delta.Action {
	o.t.Helper()
	log, err := store.Storage(o.dir)
	must(o.t, err)
	_, actions, err := delta.ReadEntry(log, 0)
	must(o.t, err)
	for _, a := range actions {
		if a.MetaData != nil {
			change(a.MetaData)
			return delta.Action{MetaData: a.MetaData}
		}
	}
	o.t.Fatal("entry 0 has no metaData")
	return delta.Action{}
}

// properties are the table's, as its first entry has them or as they are now.
func (o stranger) properties(first bool) (properties map[string]string) {
	o.t.Helper()
	log, err := store.Storage(o.dir)
	must(o.t, err)
	versions, err := delta.Versions(log)
	must(o.t, err)
	for _, v := range versions {
		_, actions, err := delta.ReadEntry(log, v)
		must(o.t, err)
		for _, a := range actions {
			if a.MetaData != nil && (properties == nil || !first) {
				properties = a.MetaData.Configuration
			}
		}
	}
	return properties
}

// crowded is a lake of two cells with two files each, and of a revision whose
// current payload stands in a file of its own.
func crowded(t *testing.T) (stranger, []string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, perform(dir, store.WriterOptions{}, "R", []run{{{records: few(0, 4)}}, {{records: few(4, 4)}}, {{records: ahead([]storetest.Record{few(8, 1)[0], revised(few(8, 1)[0], 5)})}}}, func() {}))
	return stranger{t, dir}, tablePaths(t, dir)
}

func tablePaths(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := stranger{dir: dir}.files()
	must(t, err)
	return paths
}

// files are the paths of the table's files, sorted.
func (o stranger) files() (paths []string, err error) {
	l, err := store.Open(o.dir)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	for _, f := range l.Snapshot().Files {
		paths = append(paths, f.Path)
	}
	return paths, nil
}

// plan plans, sees that nothing was changed by it, and answers the problems.
func (o stranger) plan(revert bool) (*store.AdoptionPlan, []string) {
	o.t.Helper()
	t := o.t
	before := treeHash(t, o.dir)
	problems := []string{}
	p, err := store.PlanAdoption(t.Context(), o.dir, store.AdoptOptions{Lift: storetest.Lift, Revert: revert}, func(p store.Problem) { problems = append(problems, p.String()) })
	must(t, err)
	if treeHash(t, o.dir) != before {
		t.Error("planning has changed the lake")
	}
	if p.Problems != len(problems) {
		t.Errorf("%d problems counted, %d told", p.Problems, len(problems))
	}
	return p, problems
}

func (o stranger) carryOut(p *store.AdoptionPlan) error {
	o.t.Helper()
	w, err := store.OpenWriter(o.dir, store.WriterOptions{Adopt: true})
	must(o.t, err)
	defer w.Close()
	_, err = w.Adopt(context.Background(), p, store.Run{RunID: fmt.Sprintf("adopt-%d", p.Versions[0]), Outcome: store.OutcomeComplete, Verb: "adopt"})
	return err
}

// settled expects a lake as if nobody else had ever written: it verifies, holds
// these rows, the directory is exactly the table, and runs go on.
func (o stranger) settled(want storetest.Contents) {
	o.t.Helper()
	t := o.t
	storetest.MustVerify(t, o.dir)
	if diff := cmp.Diff(want, storetest.Read(t, o.dir)); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
	exactlyTheTable(t, o.dir)
	s, err := store.ReadStatus(o.dir)
	must(t, err)
	if !s.AtRest() || len(s.Snapshot.Foreign) > 0 {
		t.Errorf("the lake is not at rest: %+v", s)
	}
	if diff := cmp.Diff(o.properties(true), o.properties(false)); diff != "" {
		t.Errorf("properties of the table (- first, + now):\n%s", diff)
	}
	// A revision in a file that was written again, a duplicate, and what is new.
	receipt := storetest.Ingest(t, o.dir, store.WriterOptions{}, revised(few(2, 1)[0], 50), few(2, 2)[1], few(9, 1)[0])
	if receipt.Run.Revisions != 1 || receipt.Run.Duplicates != 1 || receipt.Run.Added != 1 {
		t.Errorf("the next run: %+v", receipt.Run)
	}
	storetest.MustVerify(t, o.dir)
}

func exactlyTheTable(t *testing.T, dir string) {
	t.Helper()
	var found []string
	must(t, filepath.WalkDir(filepath.Join(dir, "activities"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "_delta_log" {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found = append(found, filepath.ToSlash(rel))
		}
		return err
	}))
	slices.Sort(found)
	if diff := cmp.Diff(tablePaths(t, dir), found); diff != "" {
		t.Errorf("the directory (- the table, + the directory):\n%s", diff)
	}
}

func without(rows []string, record storetest.Record) []string {
	return slices.DeleteFunc(slices.Clone(rows), func(s string) bool { return s == string(record.Bytes()) })
}

// The four files of crowded's first day, by cell and run.
const cellA, cellB = 0, 2

func TestWhatAnotherProgramHasDoneIsTakenOverOrUndone(t *testing.T) {
	for _, c := range []struct {
		name string
		// do is what it does to the lake with these files.
		do func(o stranger, files []string)
		// gone is the record that is in the table no more; nil: none is.
		gone []storetest.Record
		want store.Adoption // Lost, Came and Unseen
		// problems keep it from being adopted; stuck, from being undone.
		problems, stuck []string
	}{
		{
			name: "files put together, in the wrong order",
			do: func(o stranger, files []string) {
				o.commit("OPTIMIZE", o.remove(files[cellA]), o.remove(files[cellA+1]), o.write("c000.parquet", piece{path: files[cellA+1]}, piece{path: files[cellA]}))
			},
		},
		{
			name: "in several steps, and swept",
			do: func(o stranger, files []string) {
				one := o.write("part-1.parquet", piece{path: files[cellA]})
				o.commit("OPTIMIZE", o.remove(files[cellA]), one)
				o.commit("OPTIMIZE", delta.Action{Remove: &delta.Remove{Path: one.Add.Path}}, o.write("part-2.parquet", piece{path: "activities/" + one.Add.Path}, piece{path: files[cellA+1]}), o.remove(files[cellA+1]))
				o.commit("VACUUM START")
				must(o.t, os.Remove(filepath.Join(o.dir, files[cellA])))
				o.commit("VACUUM END")
			},
			want:  store.Adoption{Unseen: 2},
			stuck: []string{"part-R-1-00001.parquet: it was taken out of the table and cannot be put back: no such file"},
		},
		{
			name: "rows deleted",
			do: func(o stranger, files []string) {
				o.commit("DELETE", o.remove(files[cellA]), o.write("c000.parquet", piece{files[cellA], 1, 2}))
			},
			gone: few(0, 1), want: store.Adoption{Lost: 1},
		},
		{
			name: "rows deleted, and the rest swept",
			do: func(o stranger, files []string) {
				o.commit("DELETE", o.remove(files[cellA]), o.write("c000.parquet", piece{files[cellA], 1, 2}))
				must(o.t, os.Remove(filepath.Join(o.dir, files[cellA])))
			},
			gone: few(0, 1), want: store.Adoption{Lost: 1, Unseen: 2},
			stuck: []string{"cannot be put back: no such file"},
		},
		{
			name: "rows deleted and brought back by another file",
			do: func(o stranger, files []string) {
				again := o.write("c000.parquet", piece{path: files[cellA]})
				o.commit("DELETE", o.remove(files[cellA]))
				o.commit("WRITE", again)
			},
		},
		{
			name: "an entry that does nothing", do: func(o stranger, _ []string) { o.commit("VACUUM END") },
		},
		{
			name: "a file named again, with statistics",
			do: func(o stranger, files []string) {
				a := o.add(files[cellA])
				a.Add.Stats = `{"numRecords":2,"minValues":{"user_name":"a"}}`
				o.commit("ANALYZE", a)
			},
		},
		{
			name: "log cleanup switched on",
			do: func(o stranger, _ []string) {
				o.commit("SET TBLPROPERTIES", o.metaData(func(m *delta.MetaData) {
					m.Configuration["delta.enableExpiredLogCleanup"], m.Configuration["delta.logRetentionDuration"] = "true", "interval 1 day"
				}))
			},
		},
		{
			name: "rows that were there already",
			do: func(o stranger, files []string) {
				o.commit("WRITE", o.write("c000.parquet", piece{files[cellA], 1, 2}))
			},
			want: store.Adoption{Came: 1}, problems: []string{"its activity_id stands in activities twice"},
		},
		{
			name: "rows of nobody's run",
			do: func(o stranger, files []string) {
				stranger := filepath.Join(o.t.TempDir(), "stranger")
				must(o.t, perform(stranger, store.WriterOptions{}, "X", []run{{{records: few(20, 1)}}}, func() {}))
				data, err := os.ReadFile(filepath.Join(stranger, filepath.Dir(files[cellA]), "part-X-1-00001.parquet"))
				must(o.t, err)
				rel := filepath.Dir(files[cellA]) + "/c000.parquet"
				must(o.t, os.WriteFile(filepath.Join(o.dir, rel), data, 0o600))
				o.commit("WRITE", o.add(rel))
			},
			want: store.Adoption{Came: 1}, problems: []string{`the log has no commit of run "X-1"`},
		},
		{
			name: "the current payload of a revision deleted",
			do:   func(o stranger, files []string) { o.commit("DELETE", o.remove(files[4])) },
			gone: []storetest.Record{ahead([]storetest.Record{revised(few(8, 1)[0], 5)})[0]}, want: store.Adoption{Lost: 1},
			problems: []string{"activities has no row of its activity_id"},
		},
		{
			name: "rows in another cell",
			do: func(o stranger, files []string) {
				a := o.write("c000.parquet", piece{path: files[cellA]})
				rel := filepath.Dir(files[cellB]) + "/c000.parquet"
				must(o.t, os.Rename(filepath.Join(o.dir, "activities", a.Add.Path), filepath.Join(o.dir, rel)))
				o.commit("WRITE", o.remove(files[cellA]), o.add(rel))
			},
			problems: []string{"row 0 belongs to date=", "row 1 belongs to date="},
		},
		{
			name: "a file where no cell is",
			do: func(o stranger, files []string) {
				a := o.write("c000.parquet", piece{path: files[cellA]})
				must(o.t, os.Rename(filepath.Join(o.dir, "activities", a.Add.Path), filepath.Join(o.dir, "activities", "c000.parquet")))
				a.Add.Path = "c000.parquet"
				o.commit("OPTIMIZE", o.remove(files[cellA]), a)
			},
			problems: []string{`want date=YYYY-MM-DD/service=N`},
		},
		{
			name: "another schema",
			do: func(o stranger, _ []string) {
				o.commit("ADD COLUMN", o.metaData(func(m *delta.MetaData) {
					m.SchemaString = strings.Replace(m.SchemaString, `"fields":[`, `"fields":[{"name":"extra","type":"string","nullable":true,"metadata":{}},`, 1)
				}))
			},
			problems: []string{"the table's schema was changed by another program"},
		},
		{
			name: "the same schema in other words, and other partitions",
			do: func(o stranger, _ []string) {
				o.commit("CREATE", o.metaData(func(m *delta.MetaData) {
					m.SchemaString = strings.ReplaceAll(m.SchemaString, `":`, `" : `)
					m.PartitionColumns = []string{"date"}
				}))
			},
			problems: []string{"the table's partitioning was changed by another program"},
		},
		{
			name: "rows may not be replaced any more",
			do: func(o stranger, _ []string) {
				o.commit("SET", o.metaData(func(m *delta.MetaData) { m.Configuration["delta.appendOnly"] = "true" }))
			},
			problems: []string{"the table's property delta.appendOnly was changed"},
		},
		{
			name: "a file whose bytes were changed",
			do: func(o stranger, files []string) {
				o.commit("DELETE", o.remove(files[cellA]))
				path := filepath.Join(o.dir, files[cellA])
				must(o.t, os.Chmod(path, 0o600))
				must(o.t, os.WriteFile(path, []byte("x"), 0o600))
			},
			gone: []storetest.Record{few(0, 1)[0], few(2, 1)[0]}, want: store.Adoption{Lost: 2, Unseen: 2},
			stuck: []string{"cannot be put back: its bytes have changed"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Run("taken over", func(t *testing.T) {
				t.Parallel()
				o, files := crowded(t)
				want := storetest.Read(t, o.dir)
				for _, r := range c.gone {
					want.Activities = without(want.Activities, r)
				}
				c.do(o, files)
				p, problems := o.plan(false)
				matches(t, problems, c.problems)
				if p.Lost != c.want.Lost || p.Came != c.want.Came || p.Unseen != c.want.Unseen {
					t.Errorf("the plan says %d lost, %d came, %d unseen; want %+v", p.Lost, p.Came, p.Unseen, c.want)
				}
				if doubt := c.want.Lost+c.want.Came+c.want.Unseen > 0; p.Doubtful() != doubt {
					t.Errorf("doubtful: %v, want %v", p.Doubtful(), doubt)
				}
				before := treeHash(t, filepath.Join(o.dir, "activities"))
				err := o.carryOut(p)
				if len(c.problems) > 0 {
					if err == nil || treeHash(t, filepath.Join(o.dir, "activities")) != before {
						t.Errorf("a plan with problems was carried out: %v", err)
					}
					return
				}
				must(t, err)
				if slices.ContainsFunc(c.gone, func(r storetest.Record) bool { return r.ID == few(2, 1)[0].ID }) {
					return // settled revises it
				}
				o.settled(want)
				_, v := verified(t, o.dir, store.VerifyOptions{})
				if !slices.ContainsFunc(v.Notes, func(n string) bool {
					return strings.Contains(n, "another program's, adopted by entry") && strings.Contains(n, fmt.Sprintf(": %d rows were taken out", c.want.Lost))
				}) {
					t.Errorf("verify's notes: %q", v.Notes)
				}
			})
			t.Run("undone", func(t *testing.T) {
				t.Parallel()
				o, files := crowded(t)
				want := storetest.Read(t, o.dir)
				c.do(o, files)
				p, problems := o.plan(true)
				matches(t, problems, c.stuck)
				before := treeHash(t, filepath.Join(o.dir, "activities"))
				err := o.carryOut(p)
				if len(c.stuck) > 0 {
					if err == nil || treeHash(t, filepath.Join(o.dir, "activities")) != before {
						t.Errorf("a plan with problems was carried out: %v", err)
					}
					return
				}
				must(t, err)
				if diff := cmp.Diff(files, tablePaths(t, o.dir)); diff != "" {
					t.Errorf("files (- before, + undone):\n%s", diff)
				}
				o.settled(want)
			})
		})
	}
}

func TestALakeIsOpenedForAdoptingAndForNothingElse(t *testing.T) {
	o, files := crowded(t)
	o.commit("DELETE", o.remove(files[cellA]))
	p, _ := o.plan(false)
	if _, err := store.OpenWriter(o.dir, store.WriterOptions{}); !errors.Is(err, store.ErrForeignCommit) || !strings.Contains(hint(err), "mdcalake adopt") {
		t.Errorf("opened for writing: %v, hint %q", err, hint(err))
	}
	w, err := store.OpenWriter(o.dir, store.WriterOptions{Adopt: true})
	must(t, err)
	if _, err := w.Begin(store.Run{RunID: "R-9"}); !errors.Is(err, store.ErrForeignCommit) {
		t.Errorf("a run begins: %v", err)
	}
	purge, err := planPurge(o.dir, store.PurgeRequest{User: "user1@contoso.example", Reason: "r"})
	must(t, err)
	if _, err := w.Purge(t.Context(), purge, store.Run{RunID: "R-9"}); !purge.Empty() && !errors.Is(err, store.ErrForeignCommit) {
		t.Errorf("a purge goes on: %v", err)
	}
	must(t, w.Close())

	// What was planned is done, and nothing else.
	o.commit("DELETE", o.remove(files[cellB]))
	if err := o.carryOut(p); err == nil || !strings.Contains(err.Error(), "has changed since") {
		t.Errorf("an old plan: %v", err)
	}
	p, _ = o.plan(true)
	must(t, o.carryOut(p))
	if p, _ := o.plan(false); !p.Empty() {
		t.Errorf("there is more to adopt: %+v", p)
	}
	storetest.MustVerify(t, o.dir)
}

func hint(err error) string {
	var le *store.LakeError
	if errors.As(err, &le) {
		return le.Hint()
	}
	return ""
}

func TestAFileThatChangesAfterThePlanIsNotTakenOver(t *testing.T) {
	o, files := crowded(t)
	a := o.write("c000.parquet", piece{path: files[cellA]})
	o.commit("OPTIMIZE", o.remove(files[cellA]), a)
	p, problems := o.plan(false)
	matches(t, problems, nil)
	path := filepath.Join(o.dir, "activities", a.Add.Path)
	was, err := os.ReadFile(path)
	must(t, err)
	o.write("c000.parquet", piece{files[cellA], 1, 2})
	var damage *store.DamageError
	if err := o.carryOut(p); !errors.As(err, &damage) {
		t.Errorf("it was taken over: %v", err)
	}
	must(t, os.WriteFile(path, was, 0o600))
	must(t, o.carryOut(p))
	o.settled(storetest.Read(t, o.dir))
}

func TestATableThatAnotherProgramMadeIsNotAdopted(t *testing.T) {
	o, _ := crowded(t)
	entry := filepath.Join(o.dir, entryName(0))
	text, err := os.ReadFile(entry)
	must(t, err)
	must(t, os.Chmod(entry, 0o600))
	must(t, os.WriteFile(entry, []byte(strings.Replace(string(text), `"mdcalake":{`, `"somebody":{`, 1)), 0o600))
	if _, err := store.PlanAdoption(t.Context(), o.dir, store.AdoptOptions{}, func(store.Problem) {}); err == nil || !strings.Contains(err.Error(), "did not make this table") {
		t.Errorf("the plan: %v", err)
	}

	o, _ = crowded(t)
	o.commit("VACUUM END")
	log, err := store.Storage(o.dir)
	must(t, err)
	must(t, delta.WriteEntry(log, 4, []byte(`{"commitInfo":{"mdcalake":{"format":1}}}`)))
	if _, err := store.PlanAdoption(t.Context(), o.dir, store.AdoptOptions{}, func(store.Problem) {}); err == nil || !strings.Contains(err.Error(), "an entry of ours stands behind it") {
		t.Errorf("the plan of an entry in between: %v", err)
	}
}

// Spark writes times as INT96, polars notes large types and views, others put
// the columns in an order of their own or the keys of the path into the file.
// All of it is the same rows.
func TestRowsInAnotherProgramsFormAreTheSameRows(t *testing.T) {
	o, files := crowded(t)
	want := storetest.Read(t, o.dir)
	table, err := o.read(piece{path: files[cellA]})
	must(t, err)
	rel := filepath.Dir(files[cellA]) + "/x y%20z.parquet"
	out, err := os.Create(filepath.Join(o.dir, rel))
	must(t, err)
	strange := inStrangeForm(table)
	w, err := pqarrow.NewFileWriter(strange.Schema(), out, parquet.NewWriterProperties(), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema(), pqarrow.WithDeprecatedInt96Timestamps(true)))
	must(t, err)
	must(t, w.WriteTable(strange, 1000))
	must(t, w.Close())
	a := o.add(rel)
	a.Add.Path = delta.EncodePath(a.Add.Path)
	o.commit("OPTIMIZE", o.remove(files[cellA]), a)
	if diff := cmp.Diff(want, storetest.Read(t, o.dir)); diff != "" {
		t.Errorf("before it is adopted (- want, + have):\n%s", diff)
	}
	p, problems := o.plan(false)
	matches(t, problems, nil)
	if p.Doubtful() {
		t.Errorf("%d rows were lost, %d came", p.Lost, p.Came)
	}
	must(t, o.carryOut(p))
	o.settled(want)
}

// inStrangeForm turns the order of the columns round, makes texts large ones and
// times nanoseconds, and adds the day as a text.
func inStrangeForm(table arrow.Table) arrow.Table {
	var fields []arrow.Field
	var columns []arrow.Column
	put := func(f arrow.Field, data *arrow.Chunked) {
		fields = append(fields, f)
		columns = append(columns, *arrow.NewColumn(f, data))
	}
	for i := int(table.NumCols()) - 1; i >= 0; i-- {
		f, data := table.Schema().Field(i), table.Column(i).Data()
		switch f.Type.ID() {
		case arrow.STRING:
			f.Type = arrow.BinaryTypes.LargeString
		case arrow.TIMESTAMP:
			f.Type = &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}
		default:
			put(f, data)
			continue
		}
		b := array.NewBuilder(memory.DefaultAllocator, f.Type)
		for _, chunk := range data.Chunks() {
			for j := range chunk.Len() {
				switch c := chunk.(type) {
				case *array.String:
					appendIf(c.IsValid(j), b, func() { b.(*array.LargeStringBuilder).Append(c.Value(j)) })
				case *array.Timestamp:
					appendIf(c.IsValid(j), b, func() { b.(*array.TimestampBuilder).Append(c.Value(j) * 1000) })
				}
			}
		}
		put(f, arrow.NewChunked(f.Type, []arrow.Array{b.NewArray()}))
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for range table.NumRows() {
		b.Append("2026-11-01")
	}
	day := arrow.Field{Name: "date", Type: arrow.BinaryTypes.String, Nullable: true}
	put(day, arrow.NewChunked(day.Type, []arrow.Array{b.NewArray()}))
	return array.NewTable(arrow.NewSchema(fields, nil), columns, table.NumRows())
}

// Files that another program has brought back must not be deleted because we
// had replaced them once.
func TestFilesThatComeBackAreKept(t *testing.T) {
	o, files := crowded(t)
	old := filepath.Join(o.dir, files[cellA])
	was, err := os.ReadFile(old)
	must(t, err)
	storetest.Ingest(t, o.dir, store.WriterOptions{}, revised(few(0, 1)[0], 5), revised(few(2, 1)[0], 5))
	want := storetest.Read(t, o.dir)
	must(t, os.WriteFile(old, was, 0o400))
	o.commit("RESTORE", o.add(files[cellA]))
	w, err := store.OpenWriter(o.dir, store.WriterOptions{Adopt: true})
	must(t, err)
	must(t, w.Close())
	if _, err := os.Stat(old); err != nil {
		t.Errorf("opening the lake has deleted a file of the table: %v", err)
	}
	p, problems := o.plan(false)
	if len(problems) == 0 || p.Came != 2 {
		t.Errorf("%d rows came; problems: %q", p.Came, problems)
	}
	p, _ = o.plan(true)
	must(t, o.carryOut(p))
	if diff := cmp.Diff(want, storetest.Read(t, o.dir)); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
	exactlyTheTable(t, o.dir)
	storetest.MustVerify(t, o.dir)
}

// However few rows are compared at once, the numbers are the same.
func TestLostAndCameAreCountedInBoundedMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lake")
	must(t, perform(dir, store.WriterOptions{}, "R", []run{{{records: few(0, 400)}}, {{records: few(400, 40)}}}, func() {}))
	o := stranger{t, dir}
	files := tablePaths(t, dir)
	// Rows 3 to 199 of the first file stay, of the second file's one comes once more
	// and another one twice.
	o.commit("DELETE", o.remove(files[0]), o.write("c000.parquet", piece{files[0], 3, 200}), o.write("c001.parquet", piece{files[1], 0, 2}), o.write("c002.parquet", piece{files[1], 0, 1}))
	for _, limit := range []int{4, 16, 50, 1000} {
		p, err := store.PlanAdoption(t.Context(), dir, store.AdoptOptions{}.WithChanged(limit), func(store.Problem) {})
		must(t, err)
		if p.Lost != 3 || p.Came != 3 {
			t.Errorf("%d at once: %d lost, %d came; want 3 and 3", limit, p.Lost, p.Came)
		}
	}
}

// Rows of another program's file are in the order of time at last, in as many
// files as it takes.
func TestALargeFileIsTakenOverInParts(t *testing.T) {
	o, files := crowded(t)
	want := storetest.Read(t, o.dir)
	o.commit("OPTIMIZE", o.remove(files[cellA]), o.remove(files[cellA+1]), o.write("c000.parquet", piece{path: files[cellA+1]}, piece{path: files[cellA]}))
	p, _ := o.plan(false)
	w, err := store.OpenWriter(o.dir, store.WriterOptions{Adopt: true}.WithLimits(1<<20, 0, 250, 1<<20))
	must(t, err)
	_, err = w.Adopt(t.Context(), p, store.Run{RunID: "adopt"})
	must(t, err)
	must(t, w.Close())
	if n := len(tablePaths(t, o.dir)); n != 5 {
		t.Errorf("%d files, want 5: two in parts of the cell", n)
	}
	o.settled(want)
}

func appendIf(valid bool, b array.Builder, value func()) {
	if valid {
		value()
	} else {
		b.AppendNull()
	}
}
