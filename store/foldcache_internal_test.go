package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store/delta"
)

// foldEntries folds entries onto a state, the first being entry from.
func foldEntries(t require, s *fold, from int, entries [][]byte) {
	for i, entry := range entries {
		actions, err := delta.Decode(entry)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.apply(int64(from+i), entry, actions); err != nil {
			t.Fatal(err)
		}
	}
}

type require interface{ Fatal(args ...any) }

func TestACachedFoldAndTheEntriesBehindItMakeTheSameStateAsTheWholeLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := drawLog(t)
		whole := newFold()
		foldEntries(t, whole, 0, entries)
		want, wantErr := whole.snapshot("/lake")
		at := newFold()
		for v := range entries {
			foldEntries(t, at, v, entries[v:v+1])
			cached, err := unsealFold(string(sealFold(at, 0)), false)
			if err != nil {
				t.Fatal(err)
			}
			foldEntries(t, cached, v+1, entries[v+1:])
			if !reflect.DeepEqual(cached, whole) {
				t.Fatalf("cached at entry %d:\n%s", v, diffFolds(whole, cached))
			}
			have, err := cached.snapshot("/lake")
			if !reflect.DeepEqual(have, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("the snapshot, cached at entry %d: %v, want %v\n%s", v, err, wantErr, cmp.Diff(want, have))
			}
			light, err := unsealFold(string(sealFold(at, 0)), true)
			if err != nil {
				t.Fatal(err)
			}
			foldEntries(t, light, v+1, entries[v+1:])
			have, err = light.snapshot("/lake")
			if !reflect.DeepEqual(have, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("the snapshot, opened light at entry %d: %v, want %v\n%s", v, err, wantErr, cmp.Diff(want, have))
			}
		}
	})
}

func diffFolds(a, b *fold) string {
	return cmp.Diff(a, b, cmp.Exporter(func(reflect.Type) bool { return true }))
}

// drawLog draws entries of ours and of other programs that refer to one
// another's files, runs, cursors and quarantined bytes.
func drawLog(t *rapid.T) [][]byte {
	var entries [][]byte
	head := ""
	for v := range rapid.IntRange(1, 12).Draw(t, "entries") {
		var actions []delta.Action
		if v == 0 {
			meta, err := tableMetaData("id", drawTime(t))
			if err != nil {
				t.Fatal(err)
			}
			actions = append(actions, delta.Action{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2}}, delta.Action{MetaData: meta})
		}
		if rapid.IntRange(0, 4).Draw(t, "ours") > 0 {
			actions = append(actions, delta.Action{CommitInfo: drawFacts(t, head)})
		} else if rapid.Bool().Draw(t, "says who") {
			actions = append(actions, delta.Action{CommitInfo: json.RawMessage(`{"engineInfo":"other"}`)})
		}
		for range rapid.IntRange(0, 4).Draw(t, "actions") {
			actions = append(actions, drawAction(t))
		}
		if len(actions) == 0 {
			actions = append(actions, delta.Action{})
		}
		entry, err := delta.Encode(actions)
		if err != nil {
			t.Fatal(err)
		}
		entries, head = append(entries, entry), sha256Hex(entry)
	}
	return entries
}

func drawAction(t *rapid.T) delta.Action {
	p := Partition{Day: rapid.Int32Range(20000, 20001).Draw(t, "day"), Service: rapid.Int64Range(-1, 1).Draw(t, "service")}
	name := deltaPath(dataName(p, "run", rapid.IntRange(1, 3).Draw(t, "file")))
	values := partitionValues(p)
	switch rapid.IntRange(0, 9).Draw(t, "oddity") {
	case 0:
		name = "elsewhere/part%20one.parquet"
	case 1:
		values = map[string]*string{"date": nil}
	case 2:
		values = nil
	}
	switch rapid.IntRange(0, 6).Draw(t, "action") {
	case 0:
		return delta.Action{Txn: &delta.Txn{AppID: drawName(t, "app"), Version: drawNumber(t), LastUpdated: drawNumber(t)}}
	case 1:
		return delta.Action{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: drawNames(t, "feature")}}
	case 2, 3:
		return delta.Action{Remove: &delta.Remove{
			Path: name, DeletionTimestamp: drawNumber(t), DataChange: rapid.Bool().Draw(t, "change"), ExtendedMetadata: rapid.Bool().Draw(t, "extended"),
			PartitionValues: values, Size: drawNumber(t),
		}}
	}
	a := &delta.Add{Path: name, PartitionValues: values, Size: drawNumber(t), ModificationTime: drawNumber(t), DataChange: rapid.Bool().Draw(t, "change"), Stats: drawStats(t)}
	if rapid.Bool().Draw(t, "hashed") {
		a.Tags = map[string]string{tagSHA256: drawName(t, "hash"), "other": drawName(t, "tag")}
	}
	if rapid.Bool().Draw(t, "no vector") {
		a.DeletionVector = json.RawMessage("null")
	}
	return delta.Action{Add: a}
}

func drawFacts(t *rapid.T, head string) json.RawMessage {
	some := func(label string) bool { return rapid.IntRange(0, 2).Draw(t, label) == 0 }
	f := &facts{Format: formatVersion, Previous: head, Ingested: drawNumber(t), RunID: drawName(t, "run")}
	if some("broken") {
		f.Previous = drawName(t, "head")
	}
	if some("run") {
		f.Run = &Run{
			RunID: f.RunID, Started: drawTime(t), Ended: drawTime(t), Outcome: rapid.SampledFrom([]string{"running", OutcomeComplete}).Draw(t, "outcome"),
			Host: drawName(t, "host"), Records: drawNumber(t),
		}
		if rapid.Bool().Draw(t, "clock") {
			n := drawNumber(t)
			f.Run.ClockOffsetMS, f.Run.Drift = &n, map[string]int64{drawName(t, "column"): n}
		}
	}
	if some("tenant") {
		f.Tenant = &Tenant{Host: drawName(t, "host"), IDs: rapid.SliceOfN(rapid.Int64(), 0, 2).Draw(t, "ids"), Several: true}
	}
	f.Revisions, f.Quarantine, f.Erased = drawSide(t, revisionsDir), drawSide(t, quarantineDir), drawSide(t, erasedDir)
	if some("seen") {
		f.Seen = map[string]int64{drawName(t, "bytes"): 1}
	}
	if some("coverage") {
		r := Rectangle{Since: drawTime(t), Until: drawTime(t), ThroughCreated: drawTime(t), State: StateComplete, RunID: f.RunID, Records: drawNumber(t)}
		if rapid.Bool().Draw(t, "one service") {
			n := drawNumber(t)
			r.Service = &n
		}
		f.Coverage = []Rectangle{r}
	}
	for range rapid.IntRange(0, 2).Draw(t, "rounds") {
		f.Coverage = append(f.Coverage, drawRound(t))
	}
	for range rapid.IntRange(0, 2).Draw(t, "cursors") {
		f.Cursors = append(f.Cursors, Cursor{Key: drawName(t, "window"), RunID: drawName(t, "run"), Filters: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "filters"), FirstAsked: drawTime(t), At: drawTime(t)})
	}
	if some("purge") {
		f.Purge = &Purge{Kind: PurgeUser, Since: drawTime(t), Until: drawTime(t), Columns: drawNames(t, "column"), Rows: drawNumber(t), Pages: []string{pagePath("run", 1)}}
	}
	if some("adopted") {
		f.Adopted = &Adoption{Versions: []int64{1, 2, 3}, Files: map[string]string{dataName(Partition{Day: 20000}, "run", 1): "adopted"}}
	}
	raw, err := encodeJSON(commitInfo{Operation: "WRITE", Mdcalake: f})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// drawRound draws a round of a tail, one of few: it often goes on from an
// earlier one.
func drawRound(t *rapid.T) Rectangle {
	hour := func(label string, most int) time.Time {
		return time.Date(2026, 1, 1, rapid.IntRange(0, most).Draw(t, label), 0, 0, 0, time.UTC)
	}
	return Rectangle{Since: hour("from", 1), Until: hour("to", 8), SinceCreated: hour("behind", 4), ThroughCreated: hour("through", 8), State: StateComplete, RunID: rapid.SampledFrom([]string{"tail", "tail", "tail", "other"}).Draw(t, "tail"), Records: 1}
}

func drawSide(t *rapid.T, dir string) *sideChange {
	if rapid.IntRange(0, 2).Draw(t, dir) > 0 {
		return nil
	}
	name := func() string { return sideName(dir, "run", rapid.IntRange(1, 3).Draw(t, "side file")) }
	return &sideChange{Remove: []string{name()}, Add: []sideFile{{Path: name(), Size: drawNumber(t), SHA256: drawName(t, "hash"), Rows: drawNumber(t), Stats: drawStats(t)}}}
}

func drawStats(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "known") == 0 {
		return rapid.SampledFrom([]string{"", "{", `{"numRecords":3}`}).Draw(t, "stats")
	}
	r := Range{Min: 1, Max: rapid.Int64Range(0, 5).Draw(t, "max"), Nulls: 1}
	text, err := Stats{Timestamp: r, Created: r, Ingested: r, AppID: r}.encode(1)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// drawTime draws zero too, and times that are not written in UTC.
func drawTime(t *rapid.T) time.Time {
	zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("", 3600), time.FixedZone("", -1800)}).Draw(t, "zone")
	if rapid.IntRange(0, 4).Draw(t, "no time") == 0 {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-1, 1<<31).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
}

func drawName(t *rapid.T, label string) string {
	return rapid.SampledFrom([]string{"", "a", "b", "a longer one, as names of runs and hosts are"}).Draw(t, label)
}

func drawNames(t *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, label)
}

func drawNumber(t *rapid.T) int64 { return rapid.Int64().Draw(t, "number") }

// A field that somebody adds to a fold and forgets in the cached fold must not
// pass the tests.
func TestTheCachedFoldHasEveryFieldOfAFold(t *testing.T) {
	s := fullFold(t)
	for i := range reflect.TypeFor[fold]().NumField() {
		if f := reflect.TypeFor[fold]().Field(i); f.Name != "onEntry" && reflect.ValueOf(s).Elem().Field(i).IsZero() {
			t.Errorf("this test leaves the field %s of a fold empty", f.Name)
		}
	}
	cached, err := unsealFold(string(sealFold(s, 0)), false)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cached, s) {
		t.Errorf("(- the fold, + from the cache):\n%s", diffFolds(s, cached))
	}
	// What a reader passes over is all that it lacks; an odd file takes it back
	// to reading everything.
	light, err := unsealFold(string(sealFold(s, 0)), true)
	if err != nil || !reflect.DeepEqual(light, s) {
		t.Errorf("of a fold with an odd file, opened light: %v\n%s", err, diffFolds(s, light))
	}
	for path := range s.odd {
		name := strings.TrimPrefix(path, activitiesDir+"/")
		s.table = delta.RestoreSnapshot(*s.table, slices.DeleteFunc(s.table.Files(), func(f delta.File) bool { return f.Name == name }), s.table.Removed())
	}
	s.odd = map[string]oddFile{}
	light, err = unsealFold(string(sealFold(s, 0)), true)
	if err != nil {
		t.Fatal(err)
	}
	files := s.table.Files()
	for i := range files {
		files[i].Tags, files[i].PartitionValues = nil, nil
	}
	removed := s.table.Removed()
	for i := range removed {
		removed[i].PartitionValues = nil
	}
	s.table = delta.RestoreSnapshot(*s.table, files, removed)
	if !reflect.DeepEqual(light, s) {
		t.Errorf("opened light (- the fold, + from the cache):\n%s", diffFolds(s, light))
	}
}

// fullFold is a fold whose every field, however deep, has a value of its own.
func fullFold(t testing.TB) *fold {
	t.Helper()
	n := int64(0)
	s := newFold()
	var table delta.Snapshot
	fill(t, reflect.ValueOf(&table).Elem(), &n)
	var of delta.File
	fill(t, reflect.ValueOf(&of).Elem(), &n)
	p := Partition{Day: 20000, Service: 7}
	of.Name, of.Path = p.Dir()+"/part-1.parquet", p.Dir()+"/part%2D1.parquet"
	odd := of
	odd.Name, odd.Path = "odd.parquet", "odd.parquet"
	var gone delta.Removed
	fill(t, reflect.ValueOf(&gone).Elem(), &n)
	s.table = delta.RestoreSnapshot(table, []delta.File{of, odd}, []delta.Removed{gone})
	var ours File
	fill(t, reflect.ValueOf(&ours).Elem(), &n)
	ours.Path, ours.Size, ours.Version = activitiesDir+"/"+of.Name, of.Size, of.Version
	s.files = map[string]File{ours.Path: ours}
	unplaced, err := activitiesFile(odd.Version, odd.Name, &odd.Add)
	s.odd = map[string]oddFile{activitiesDir + "/" + odd.Name: {unplaced, err}}
	side := func(dir string, files map[string]File) {
		var f File
		fill(t, reflect.ValueOf(&f).Elem(), &n)
		f.Path = dir + "/part-1.parquet"
		files[f.Path] = f
	}
	side(revisionsDir, s.revisions)
	side(quarantineDir, s.quarantine)
	side(erasedDir, s.erased)
	side(pagesDir, s.pages)
	var run Run
	fill(t, reflect.ValueOf(&run).Elem(), &n)
	s.inOrder, s.runs = []*Run{&run}, map[string]*Run{run.RunID: &run}
	var cursor Cursor
	fill(t, reflect.ValueOf(&cursor).Elem(), &n)
	s.setCursor(cursor)
	for _, field := range []any{&s.head, &s.tenant, &s.ingested, &s.removed, &s.coverage, &s.seen, &s.purges, &s.foreign, &s.adoptions, &s.broken} {
		fill(t, reflect.ValueOf(field).Elem(), &n)
	}
	return s
}

// fill sets every field to a value that no other has; unexported fields of
// other packages stay as they are.
func fill(t testing.TB, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(*n, *n).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(*n)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if !f.CanSet() {
				if v.Type().PkgPath() != reflect.TypeFor[fold]().PkgPath() {
					continue
				}
				f = reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
			}
			fill(t, f, n)
		}
	default:
		t.Fatalf("a field of type %s: say here how it is filled", v.Type())
	}
}

// Whoever changes the bytes, or what is folded into them, raises foldFormat:
// else the cache of an older version would be taken for one of the newer.
func TestTheBytesOfTheCachedFoldChangeOnlyWithItsFormat(t *testing.T) {
	s, entries := newFold(), [][]byte(nil)
	head := ""
	for i := range 7400 {
		entry := longLogEntry(t, i, head)
		entries, head = append(entries, entry), sha256Hex(entry)
	}
	foldEntries(t, s, 0, entries)
	have := fmt.Sprintf("format %d: a long log %s, every field %s\n", foldFormat, sha256Hex(encodeFold(s, 0)), sha256Hex(encodeFold(fullFold(t), 0)))
	path := filepath.Join("testdata", "fold.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("%s says\n%shave\n%sraise foldFormat, then UPDATE_GOLDEN=1", path, want, have)
	}
}

// FuzzFoldCache: no bytes make the reader of the cached fold panic or take
// memory out of proportion, and what it takes for a fold is one.
func FuzzFoldCache(f *testing.F) {
	s := newFold()
	head := ""
	for i := range 30 {
		entry := longLogEntry(f, i, head)
		head = sha256Hex(entry)
		foldEntries(f, s, i, [][]byte{entry})
	}
	f.Add(encodeFold(s, 0))
	f.Add(encodeFold(fullFold(f), 0))
	f.Add(encodeFold(newFold(), 0))
	f.Fuzz(func(t *testing.T, body []byte) {
		unsealFold(string(body), false)
		decodeFold(string(body), true)
		have, err := decodeFold(string(body), false)
		if err != nil {
			return
		}
		again, err := decodeFold(string(encodeFold(have, 0)), false)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, have) {
			t.Errorf("it changes when it is written again:\n%s", diffFolds(have, again))
		}
		have.snapshot("/lake")
	})
}

func TestAnyDamageToTheCachedFoldIsNoticed(t *testing.T) {
	file := sealFold(fullFold(t), 0)
	for i := range file {
		damaged := slices.Clone(file)
		damaged[i] ^= 0x10
		if _, err := unsealFold(string(damaged), false); err == nil {
			t.Errorf("a changed bit of byte %d is not noticed", i)
		}
		if _, err := unsealFold(string(file[:i]), false); err == nil {
			t.Errorf("that only %d bytes are left is not noticed", i)
		}
	}
	if _, err := unsealFold(string(append(bytes.Clone(file), 0)), false); err == nil {
		t.Error("a byte too many is not noticed")
	}
}

// A checksum keeps off damage, not forgery: the paths that a cache gives are
// looked at like those of the log.
func TestACachedFoldNamesNoFileOutsideTheLake(t *testing.T) {
	for name, change := range map[string]func(s *fold){
		"a revision": func(s *fold) {
			f := s.revisions["revisions/part-1.parquet"]
			f.Path = "revisions/../../part-1.parquet"
			s.revisions = map[string]File{f.Path: f}
		},
		"a file of activities": func(s *fold) {
			f := s.table.Files()[0]
			f.Name = "../" + f.Name
			s.table, s.odd = delta.RestoreSnapshot(*s.table, []delta.File{f}, nil), nil
			s.files = map[string]File{activitiesDir + "/" + f.Name: {Path: activitiesDir + "/" + f.Name}}
		},
	} {
		s := fullFold(t)
		change(s)
		if _, err := unsealFold(string(sealFold(s, 0)), false); err == nil {
			t.Errorf("%s may lie elsewhere", name)
		}
	}
}
