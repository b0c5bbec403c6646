package delta_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/store/delta"
)

// memory is a log in memory.
type memory map[string][]byte

func (m memory) List() ([]string, error) { return slices.Collect(maps.Keys(m)), nil }
func (m memory) Read(name string) ([]byte, error) {
	if data, ok := m[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}
func (m memory) PutIfAbsent(name string, data []byte) error {
	if _, ok := m[name]; ok {
		return fs.ErrExist
	}
	m[name] = data
	return nil
}
func (m memory) Replace(name string, data []byte) error {
	m[name] = data
	return nil
}

// busy is a log that grows while its directory is read: the first list shows
// the later of two new entries only.
type busy struct {
	memory
	lists int
}

func (b *busy) List() ([]string, error) {
	b.lists++
	names, err := b.memory.List()
	if b.lists == 1 {
		names = slices.DeleteFunc(names, func(name string) bool { return name == delta.EntryName(1) })
	}
	return names, err
}

func TestAnEntryThatIsMissingOnlyWhileAWriterCommitsIsNoGap(t *testing.T) {
	log := &busy{memory: memory{delta.EntryName(0): nil, delta.EntryName(1): nil, delta.EntryName(2): nil}}
	if have, err := delta.Versions(log); err != nil || !slices.Equal(have, []int64{0, 1, 2}) {
		t.Errorf("%v, %v", have, err)
	}
	delete(log.memory, delta.EntryName(1))
	var gap *delta.GapError
	if _, err := delta.Versions(log); !errors.As(err, &gap) || gap.Missing != 1 || gap.Last != 2 {
		t.Errorf("a gap that stays: %v", err)
	}
}

func first() []delta.Action {
	return []delta.Action{
		{CommitInfo: json.RawMessage(`{"timestamp":1,"mine":{"a":[1,2]}}`)},
		{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2}},
		{MetaData: &delta.MetaData{ID: "x", Format: delta.Format{Provider: "parquet", Options: map[string]string{}}, SchemaString: "{}", PartitionColumns: []string{"date"}, Configuration: map[string]string{"k": "v"}}},
	}
}

func addOf(name string) delta.Action {
	day := "2026-11-01"
	return delta.Action{Add: &delta.Add{Path: delta.EncodePath(name), PartitionValues: map[string]*string{"date": &day, "service": nil}, Size: 1, DataChange: true, Stats: `{"numRecords":1}`, Tags: map[string]string{"t": "<&>"}}}
}

func mustApply(t *testing.T, s *delta.Snapshot, version int64, actions ...delta.Action) {
	t.Helper()
	if err := s.Apply(version, actions); err != nil {
		t.Fatal(err)
	}
}

func TestAnEntryIsReadAsItWasWritten(t *testing.T) {
	actions := append(first(), addOf("date=2026-11-01/a b%20#?.parquet"),
		delta.Action{Remove: &delta.Remove{Path: "y", DeletionTimestamp: 5, DataChange: true, ExtendedMetadata: true, Size: 7}},
		delta.Action{Txn: &delta.Txn{AppID: "app", Version: 3}})
	entry, err := delta.Encode(actions)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(entry, []byte("\n")); n != len(actions) {
		t.Errorf("%d lines for %d actions", n, len(actions))
	}
	have, err := delta.Decode(entry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(actions, have); diff != "" {
		t.Error(diff)
	}
	if !bytes.Contains(entry, []byte("<&>")) {
		t.Error("text is escaped as for HTML")
	}
}

func TestUnknownActionsAndMembersAreTolerated(t *testing.T) {
	actions, err := delta.Decode([]byte("\n" + `{"domainMetadata":{"domain":"d"}}` + "\r\n" + `{"add":{"path":"a","size":1,"novelty":{"x":1}},"later":1}` + "\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := delta.NewSnapshot()
	mustApply(t, s, 0, first()...)
	mustApply(t, s, 1, actions...)
	if !s.Has("a") {
		t.Error("the file beside unknown members is not there")
	}
}

func TestWhatIsNoEntryIsRefused(t *testing.T) {
	for name, entry := range map[string]string{"empty": "", "white": " \n\n", "torn": `{"add":{"path":`, "list": "[]", "text": "hello", "null": "null"} {
		if _, err := delta.Decode([]byte(entry)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestATableThatAsksForMoreIsRefused(t *testing.T) {
	s := delta.NewSnapshot()
	actions := first()
	actions[1].Protocol.MinReaderVersion = 3
	err := s.Apply(0, actions)
	var u *delta.UnsupportedError
	if !errors.As(err, &u) || u.Hint() == "" || err.Error() != "log entry 0: it needs a reader of version 3, this is version 1 (minReaderVersion 3, minWriterVersion 2)" {
		t.Errorf("%v", err)
	}
	actions[1].Protocol.ReaderFeatures = []string{"variantType", "timestampNtz"}
	if err := s.Apply(0, actions); err == nil || err.Error() != "log entry 0: it needs a reader of version 3 with timestampNtz, variantType, this is version 1 (minReaderVersion 3, minWriterVersion 2)" {
		t.Errorf("%v", err)
	}
	s = delta.NewSnapshot()
	actions[1].Protocol = &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: []string{"domainMetadata"}}
	mustApply(t, s, 0, actions...)
	if err := s.CanWrite(); !errors.As(err, &u) || err.Error() != "log entry 0: it needs a writer of version 7 with domainMetadata, this is version 2 (minReaderVersion 1, minWriterVersion 7)" {
		t.Errorf("writing is not refused: %v", err)
	}
	withVector := addOf("a")
	withVector.Add.DeletionVector = json.RawMessage(`{"storageType":"u"}`)
	if err := s.Apply(1, []delta.Action{withVector}); !errors.As(err, &u) {
		t.Errorf("deletion vectors are not refused: %v", err)
	}
	withoutVector := delta.Action{Remove: &delta.Remove{Path: "a", DeletionVector: json.RawMessage(`{"storageType":"u"}`)}}
	if err := s.Apply(1, []delta.Action{withoutVector}); !errors.As(err, &u) {
		t.Errorf("tombstones with deletion vectors are not refused: %v", err)
	}
}

func TestASnapshotFoldsWhatWasAddedAndRemoved(t *testing.T) {
	s := delta.NewSnapshot()
	mustApply(t, s, 0, append(first(), addOf("b"), addOf("a"))...)
	mustApply(t, s, 1, delta.Action{Remove: &delta.Remove{Path: "a"}}, addOf("c"))
	mustApply(t, s, 2, delta.Action{Remove: &delta.Remove{Path: "c", ExtendedMetadata: true}})
	mustApply(t, s, 3, addOf("a"))
	var names []string
	for _, f := range s.Files() {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"a", "b"}, names); diff != "" {
		t.Error(diff)
	}
	if removed := s.Removed(); len(removed) != 1 || removed[0].Path != "c" || removed[0].Version != 2 || !removed[0].ExtendedMetadata {
		t.Errorf("removed: %+v", removed)
	}
	if !s.WasRemoved("c") || s.WasRemoved("a") || s.Files()[0].Version != 3 {
		t.Errorf("removed: %v, files: %v", s.Removed(), s.Files())
	}
	if err := s.Apply(5, first()); err == nil {
		t.Error("a version is skipped")
	}
	if err := delta.NewSnapshot().Apply(0, []delta.Action{addOf("a")}); err == nil {
		t.Error("a table without protocol and metadata")
	}
}

func TestAMissingEntryIsNoticed(t *testing.T) {
	m := memory{}
	for _, v := range []int64{0, 1, 3, 4} {
		if err := delta.WriteEntry(m, v, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	m["00000000000000000002.checkpoint.parquet"] = nil
	m["_last_checkpoint"] = nil
	m[".00000000000000000002.json.7.tmp"] = nil
	m["00000000000000000002.json.bak"] = nil
	var gap *delta.GapError
	if _, err := delta.Versions(m); !errors.As(err, &gap) || gap.Missing != 2 || gap.Last != 4 || gap.Hint() == "" {
		t.Fatalf("%v", err)
	}
	m[delta.EntryName(2)] = nil
	if versions, err := delta.Versions(m); err != nil || len(versions) != 5 {
		t.Errorf("%v, %v", versions, err)
	}
}

func TestOfTwoWritersOneIsTold(t *testing.T) {
	m := memory{}
	if err := delta.WriteEntry(m, 0, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := delta.WriteEntry(m, 0, []byte("two")); !errors.Is(err, delta.ErrConflict) {
		t.Errorf("%v", err)
	}
	if string(m[delta.EntryName(0)]) != "one" {
		t.Error("the first one is gone")
	}
}

func TestPathsOfTheLogStayInTheTable(t *testing.T) {
	for _, name := range []string{"a", "date=2026-11-01/service=-1/part-1.parquet", "a b", "a%20b", "a#b?c", "ä/:x", "a:b"} {
		if have, err := delta.FilePath(delta.EncodePath(name)); err != nil || have != name {
			t.Errorf("%q comes back as %q, %v", name, have, err)
		}
	}
	for _, path := range []string{"", ".", "..", "../a", "a/../../b", "a/../b", "/etc/passwd", "s3://b/a", "file:///a", "//host/a", "a//b", "./a", "a/", "a?b", "a#b", "%2e%2e/a", "%"} {
		if name, err := delta.FilePath(path); err == nil {
			t.Errorf("%q is taken for %q", path, name)
		}
	}
}

func TestNamesOfEntries(t *testing.T) {
	for _, name := range []string{"0.json", "+0000000000000000001.json", "-0000000000000000001.json", "00000000000000000001.JSON", "99999999999999999999.json", "00000000000000000001.json.tmp"} {
		if v, ok := delta.ParseEntryName(name); ok {
			t.Errorf("%q is taken for %d", name, v)
		}
	}
	if v, ok := delta.ParseEntryName(delta.EntryName(42)); !ok || v != 42 {
		t.Error(v, ok)
	}
}

// What Decode takes can be written and read again, and means the same.
func FuzzDecode(f *testing.F) {
	entry, err := delta.Encode(append(first(), addOf("a")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(entry)
	f.Add([]byte(`{"add":{"path":"a","partitionValues":{"x":null},"deletionVector":null}}`))
	f.Add([]byte(`{"commitInfo":null}` + "\n" + `{"remove":{"path":"%zz"}}`))
	f.Fuzz(func(t *testing.T, entry []byte) {
		actions, err := delta.Decode(entry)
		if err != nil {
			return
		}
		s := delta.NewSnapshot()
		s.Apply(0, actions)
		again, err := delta.Encode(actions)
		if err != nil {
			t.Fatal(err)
		}
		back, err := delta.Decode(again)
		if err != nil {
			t.Fatalf("%v in %q", err, again)
		}
		third, err := delta.Encode(back)
		if err != nil || !bytes.Equal(again, third) {
			t.Errorf("%q became %q, %v", again, third, err)
		}
		for _, f := range s.Files() {
			if strings.HasPrefix(f.Name, "/") || strings.Contains("/"+f.Name+"/", "/../") {
				t.Errorf("a file outside the table: %q", f.Name)
			}
		}
	})
}
