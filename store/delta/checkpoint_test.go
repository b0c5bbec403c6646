package delta_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mdcalake/store/delta"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func text(s string) *string { return &s }

// small is a table with each kind of action in it.
func small(t testing.TB) *delta.Snapshot {
	t.Helper()
	s := delta.NewSnapshot()
	gone := &delta.Remove{
		Path: "gone", DeletionTimestamp: noon.UnixMilli(), DataChange: true, ExtendedMetadata: true,
		PartitionValues: map[string]*string{"date": text("2026-11-02"), "service": nil}, Size: 7,
	}
	for _, a := range [][]delta.Action{
		append(first(), addOf("b c"), addOf("gone"), delta.Action{Txn: &delta.Txn{AppID: "app", Version: 0}}),
		{{Remove: gone}, {Add: &delta.Add{Path: "a", PartitionValues: map[string]*string{}, DataChange: true}}, {Txn: &delta.Txn{AppID: "other", Version: 3, LastUpdated: 4}}},
	} {
		if err := s.Apply(s.Version+1, a); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func mustEncode(t testing.TB, s *delta.Snapshot, now time.Time) []byte {
	t.Helper()
	data, last, err := delta.EncodeCheckpoint(s, now)
	if err != nil {
		t.Fatal(err)
	}
	if last.Version != s.Version || last.SizeInBytes != int64(len(data)) || last.NumOfAddFiles != int64(len(s.Files())) {
		t.Errorf("it says of itself %+v", last)
	}
	return data
}

func mustDecode(t testing.TB, data []byte) *delta.Checkpoint {
	t.Helper()
	c, err := delta.DecodeCheckpoint(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACheckpointHasTheColumnsOfTheProtocol(t *testing.T) {
	r, err := file.NewParquetReader(bytes.NewReader(mustEncode(t, small(t), noon)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var have strings.Builder
	schema.PrintSchema(r.MetaData().Schema.Root(), &have, 2)
	golden := filepath.Join("testdata", "checkpoint-schema.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(have.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have.String()); diff != "" {
		t.Errorf("%s (- want, + have):\n%s", golden, diff)
	}
}

// The decoder is the encoder's mirror and would forgive its mistakes; another
// reader does not.
func TestAnotherReaderSeesARowForEachAction(t *testing.T) {
	want := `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"configuration":[{"key":"k","value":"v"}],"format":{"options":[],"provider":"parquet"},"id":"x","partitionColumns":["date"],"schemaString":"{}"}}
{"txn":{"appId":"app","version":0}}
{"txn":{"appId":"other","lastUpdated":4,"version":3}}
{"remove":{"dataChange":true,"deletionTimestamp":1795608000000,"extendedFileMetadata":true,"partitionValues":[{"key":"date","value":"2026-11-02"},{"key":"service","value":null}],"path":"gone","size":7}}
{"add":{"dataChange":false,"modificationTime":0,"partitionValues":[],"path":"a","size":0}}
{"add":{"dataChange":false,"modificationTime":0,"partitionValues":[{"key":"date","value":"2026-11-01"},{"key":"service","value":null}],"path":"b%20c","size":1,"stats":"{\"numRecords\":1}","tags":[{"key":"t","value":"<&>"}]}}
`
	if diff := cmp.Diff(want, rowsOf(t, mustEncode(t, small(t), noon))); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
}

// rowsOf reads a Parquet file with the library's own reader: a line of JSON for
// each row, without the members of structs that are NULL.
func rowsOf(t *testing.T, data []byte) string {
	t.Helper()
	table, err := pqarrow.ReadTable(context.Background(), bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, arrowmemory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	batches := array.NewTableReader(table, 0)
	defer batches.Release()
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for batches.Next() {
		j, err := batches.RecordBatch().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var rows []map[string]any
		if err := json.Unmarshal(j, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if err := enc.Encode(withoutNulls(row)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out.String()
}

func withoutNulls(m map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			v = withoutNulls(inner)
		}
		if v != nil {
			out[k] = v
		}
	}
	return out
}

func TestACheckpointSaysWhatTheSnapshotSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		data, _, err := delta.EncodeCheckpoint(s, noon)
		if err != nil {
			t.Fatal(err)
		}
		if again, _, err := delta.EncodeCheckpoint(s, noon); err != nil || !bytes.Equal(data, again) {
			t.Fatalf("the same again has other bytes: %v", err)
		}
		c, err := delta.DecodeCheckpoint(data)
		if err != nil {
			t.Fatal(err)
		}
		want := delta.Checkpoint{Protocol: s.Protocol, MetaData: *s.MetaData}
		for _, txn := range s.Txns {
			want.Txns = append(want.Txns, txn)
		}
		for _, r := range s.Removed() {
			want.Removes = append(want.Removes, r.Remove)
		}
		for _, f := range s.Files() {
			f.DataChange = false
			want.Adds = append(want.Adds, f.Add)
		}
		byApp := cmpopts.SortSlices(func(a, b delta.Txn) bool { return a.AppID < b.AppID })
		if diff := cmp.Diff(want, *c, cmpopts.EquateEmpty(), byApp); diff != "" {
			t.Errorf("(- want, + have):\n%s", diff)
		}
		if diff := c.Diff(s); diff != "" {
			t.Error(diff)
		}
	})
}

func drawSnapshot(t *rapid.T) *delta.Snapshot {
	word := rapid.String()
	pairs := rapid.MapOfN(word, word, 0, 3)
	values := rapid.MapOfN(word, rapid.Ptr(word, true), 0, 3)
	name := rapid.Custom(func(t *rapid.T) string {
		return delta.EncodePath(rapid.StringMatching(`[a-z]=[a-c %#?é:]{1,3}x/[0-9]{1,2}`).Draw(t, "name"))
	})
	actions := []delta.Action{
		{Protocol: &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: rapid.IntRange(1, 2).Draw(t, "writer")}},
		{MetaData: &delta.MetaData{
			ID: word.Draw(t, "id"), Name: word.Draw(t, "name"), Description: word.Draw(t, "description"),
			Format: delta.Format{Provider: word.Draw(t, "provider"), Options: pairs.Draw(t, "options")}, SchemaString: word.Draw(t, "schema"),
			PartitionColumns: rapid.SliceOfN(word, 0, 3).Draw(t, "columns"), Configuration: pairs.Draw(t, "configuration"),
			CreatedTime: rapid.Int64().Draw(t, "created"),
		}},
	}
	for range rapid.IntRange(0, 12).Draw(t, "actions") {
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			actions = append(actions, delta.Action{Txn: &delta.Txn{AppID: word.Draw(t, "app"), Version: rapid.Int64().Draw(t, "version"), LastUpdated: rapid.Int64().Draw(t, "updated")}})
		case 1:
			actions = append(actions, delta.Action{Remove: &delta.Remove{
				Path: name.Draw(t, "path"), DeletionTimestamp: noon.UnixMilli() + rapid.Int64Range(0, 1e12).Draw(t, "deleted"), DataChange: rapid.Bool().Draw(t, "change"),
				ExtendedMetadata: rapid.Bool().Draw(t, "extended"), PartitionValues: values.Draw(t, "values"), Size: rapid.Int64().Draw(t, "size"),
			}})
		default:
			actions = append(actions, delta.Action{Add: &delta.Add{
				Path: name.Draw(t, "path"), PartitionValues: values.Draw(t, "values"), Size: rapid.Int64().Draw(t, "size"), ModificationTime: rapid.Int64().Draw(t, "modified"),
				DataChange: rapid.Bool().Draw(t, "change"), Stats: word.Draw(t, "stats"), Tags: pairs.Draw(t, "tags"),
			}})
		}
	}
	s := delta.NewSnapshot()
	if err := s.Apply(0, actions); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTombstonesExpire(t *testing.T) {
	const hour = 3_600_000
	for _, c := range []struct {
		retention string // of the table; "-": it says nothing
		hours     int64  // how long ago the file was removed
		kept      bool
	}{
		{"-", 0, true},
		{"-", 7 * 24, true},
		{"-", 7*24 + 1, false},
		{"interval 1 week", 7 * 24, true},
		{"interval 1 week", 7*24 + 1, false},
		{"interval 2 days", 48, true},
		{"interval 2 days", 49, false},
		{"INTERVAL 1 Day 2 hours", 26, true},
		{"1 day 120 minutes", 27, false},
		{"interval 0 seconds", 0, true},
		{"interval 0 seconds", 1, false},
		{"interval 36500 days", 20 * 365 * 24, true},
		// Not understood: all are kept.
		{"interval 1 month", 1000, true},
		{"interval -1 days", 1000, true},
		{"interval 1.5 days", 1000, true},
		{"interval 1", 1000, true},
		{"interval 99999999999999 weeks", 1000, true},
		{"", 1000, true},
	} {
		t.Run(fmt.Sprintf("%s after %d hours", c.retention, c.hours), func(t *testing.T) {
			actions := append(first(), addOf("a"), delta.Action{Remove: &delta.Remove{Path: "b", DeletionTimestamp: noon.UnixMilli() - c.hours*hour}})
			if c.retention != "-" {
				actions[2].MetaData.Configuration = map[string]string{"delta.deletedFileRetentionDuration": c.retention}
			}
			s := delta.NewSnapshot()
			mustApply(t, s, 0, actions...)
			check := mustDecode(t, mustEncode(t, s, noon))
			if kept := len(check.Removes) == 1; kept != c.kept {
				t.Errorf("kept: %v, want %v", kept, c.kept)
			}
			if diff := check.Diff(s); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATableThatAsksForMoreGetsNoCheckpoint(t *testing.T) {
	if _, _, err := delta.EncodeCheckpoint(delta.NewSnapshot(), noon); err == nil {
		t.Error("a table without a version gets one")
	}
	actions := first()
	actions[1].Protocol = &delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 7, WriterFeatures: []string{"domainMetadata"}}
	s := delta.NewSnapshot()
	mustApply(t, s, 0, actions...)
	var u *delta.UnsupportedError
	if err := delta.WriteCheckpoint(orderedMemory{}, s, noon); !errors.As(err, &u) {
		t.Errorf("%v", err)
	}
}

// orderedMemory is a log of which a test knows the order of writes.
type orderedMemory struct {
	memory
	fail string
	done *[]string
}

func (m orderedMemory) Replace(name string, data []byte) error {
	if name == m.fail {
		return fs.ErrPermission
	}
	*m.done = append(*m.done, name)
	return m.memory.Replace(name, data)
}

func TestNoReaderIsSentToACheckpointThatIsNotThere(t *testing.T) {
	s := small(t)
	name := delta.CheckpointName(s.Version)
	for _, c := range []struct{ fail, done, err string }{
		{"", name + " _last_checkpoint", ""},
		{name, "", "write checkpoint 1: permission denied"},
		{"_last_checkpoint", name, "write _last_checkpoint: permission denied"},
	} {
		m := orderedMemory{memory: memory{}, fail: c.fail, done: new([]string)}
		err := delta.WriteCheckpoint(m, s, noon)
		if got := fmt.Sprint(err); err != nil && got != c.err || err == nil && c.err != "" {
			t.Errorf("%v, want %q", err, c.err)
		}
		if done := strings.Join(*m.done, " "); done != c.done {
			t.Errorf("written: %s, want %s", done, c.done)
		}
		if c.err != "" {
			continue
		}
		last, err := delta.DecodeLastCheckpoint(m.memory["_last_checkpoint"])
		if err != nil {
			t.Fatal(err)
		}
		want := delta.LastCheckpoint{Version: 1, Size: 7, SizeInBytes: int64(len(m.memory[name])), NumOfAddFiles: 2}
		if last != want {
			t.Errorf("it says %+v, want %+v", last, want)
		}
		if read, err := delta.ReadCheckpoint(m, last.Version); err != nil || read.Diff(s) != "" {
			t.Errorf("%v", err)
		}
	}
}

func TestWhatNamesTheLastCheckpoint(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":3,"size":6,"sizeInBytes":9,"numOfAddFiles":3}`:                   "{3 6 9 3} <nil>",
		`{"version":0,"size":6,"checkpointSchema":{"type":"struct"},"checksum":"x"}`: "{0 6 0 0} <nil>",
		`{"version":3,"size":6,"parts":1}`:                                           "{3 6 0 0} <nil>",
		`{"version":3,"size":6,"parts":2}`:                                           "{3 6 0 0} it is a multi-part checkpoint, which is not of the kind this version reads",
		`{"version":8,"size":6,"v2Checkpoint":{"path":"00000000000000000008.x"}}`:    "{8 6 0 0} it is a V2 checkpoint, which is not of the kind this version reads",
		`{"size":6}`:              "{0 0 0 0} it names no version",
		`null`:                    "{0 0 0 0} it names no version",
		`{"version":-1,"size":6}`: "{0 0 0 0} it names no version",
		``:                        "{0 0 0 0} unexpected end of JSON input",
	} {
		last, err := delta.DecodeLastCheckpoint([]byte(text))
		if have := fmt.Sprint(last, " ", err); have != want {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
	var kind *delta.CheckpointKindError
	if _, err := delta.DecodeLastCheckpoint([]byte(`{"version":3,"parts":2}`)); !errors.As(err, &kind) || kind.Kind != delta.CheckpointMultiPart {
		t.Errorf("%v", err)
	}
}

func TestNamesOfCheckpoints(t *testing.T) {
	const uuid = "80a083e8-7026-4e79-81be-64bd76c43a11"
	for name, want := range map[string]string{
		delta.CheckpointName(42):                                        "42 classic true",
		"00000000000000000010.checkpoint.parquet":                       "10 classic true",
		"00000000000000000010.checkpoint.0000000001.0000000003.parquet": "10 multi-part true",
		"00000000000000000010.checkpoint." + uuid + ".json":             "10 V2 true",
		"00000000000000000010.checkpoint." + uuid + ".parquet":          "10 V2 true",
		"00000000000000000010.checkpoint.json":                          "0  false",
		"00000000000000000010.checkpoint.parquet.crc":                   "0  false",
		".00000000000000000010.checkpoint.parquet.7.tmp":                "0  false",
		"0000000000000000010.checkpoint.parquet":                        "0  false",
		"+0000000000000000010.checkpoint.parquet":                       "0  false",
		"99999999999999999999.checkpoint.parquet":                       "0  false",
		"00000000000000000010.checkpoint.1.3.parquet":                   "0  false",
		"00000000000000000010.json":                                     "0  false",
		"_last_checkpoint":                                              "0  false",
	} {
		version, kind, ok := delta.ParseCheckpointName(name)
		if have := fmt.Sprintf("%d %s %v", version, kind, ok); have != want {
			t.Errorf("%q: %s, want %s", name, have, want)
		}
	}
}

func TestWhatACheckpointSaysOtherwiseIsToldInASentence(t *testing.T) {
	same := func(*delta.Checkpoint) {}
	for _, c := range []struct {
		want   string
		change func(c *delta.Checkpoint)
	}{
		{"", same},
		{"", func(c *delta.Checkpoint) { c.Removes = nil }},
		{"", func(c *delta.Checkpoint) { c.Adds[0].DataChange = true }},
		{`protocol: minWriterVersion is 3, in the log 2`, func(c *delta.Checkpoint) { c.Protocol.MinWriterVersion = 3 }},
		{`protocol: readerFeatures is ["x"], in the log []`, func(c *delta.Checkpoint) { c.Protocol.ReaderFeatures = []string{"x"} }},
		{`metaData: id is "y", in the log "x"`, func(c *delta.Checkpoint) { c.MetaData.ID = "y" }},
		{`metaData: schemaString is not that of the log`, func(c *delta.Checkpoint) { c.MetaData.SchemaString = strings.Repeat("x", 1000) }},
		{`metaData: partitionColumns is [], in the log ["date"]`, func(c *delta.Checkpoint) { c.MetaData.PartitionColumns = nil }},
		{`metaData: configuration is map["k":"w"], in the log map["k":"v"]`, func(c *delta.Checkpoint) { c.MetaData.Configuration["k"] = "w" }},
		{`metaData: createdTime is 1, in the log 0`, func(c *delta.Checkpoint) { c.MetaData.CreatedTime = 1 }},
		{`it lacks the txn of application "other"`, func(c *delta.Checkpoint) { c.Txns = c.Txns[:1] }},
		{`it has a txn of application "z" too many`, func(c *delta.Checkpoint) { c.Txns[0].AppID = "z" }},
		{`it has a txn of application "app" too many`, func(c *delta.Checkpoint) { c.Txns = append(c.Txns, c.Txns[0]) }},
		{`txn of application "app": version is 1, in the log 0`, func(c *delta.Checkpoint) { c.Txns[0].Version = 1 }},
		{`it lacks file "b c" (1 of 2 files are in it)`, func(c *delta.Checkpoint) { c.Adds = c.Adds[:1] }},
		{`it has file "c", which the table has not`, func(c *delta.Checkpoint) { c.Adds[0].Path = "c" }},
		{`it has file "gone", which the table has not`, func(c *delta.Checkpoint) { c.Adds = append(c.Adds, delta.Add{Path: "gone"}) }},
		{`it has file "a" twice`, func(c *delta.Checkpoint) { c.Adds = append(c.Adds, c.Adds[0]) }},
		{`file path "../a" in the log: want one relative to the table`, func(c *delta.Checkpoint) { c.Adds[0].Path = "../a" }},
		{`file "b c": size is 2, in the log 1`, func(c *delta.Checkpoint) { c.Adds[1].Size = 2 }},
		{`file "b c": modificationTime is 2, in the log 0`, func(c *delta.Checkpoint) { c.Adds[1].ModificationTime = 2 }},
		{`file "b c": partitionValues is map[date:"2026-11-02" service:NULL], in the log map[date:"2026-11-01" service:NULL]`, func(c *delta.Checkpoint) { c.Adds[1].PartitionValues["date"] = text("2026-11-02") }},
		{`file "b c": partitionValues is map[date:"2026-11-01" service:""], in the log map[date:"2026-11-01" service:NULL]`, func(c *delta.Checkpoint) { c.Adds[1].PartitionValues["service"] = text("") }},
		{`file "b c": stats is "", in the log "{\"numRecords\":1}"`, func(c *delta.Checkpoint) { c.Adds[1].Stats = "" }},
		{`file "b c": tags is map[], in the log map["t":"<&>"]`, func(c *delta.Checkpoint) { c.Adds[1].Tags = nil }},
		{`it says that file "b c" was removed, and no entry does`, func(c *delta.Checkpoint) { c.Removes[0].Path = "b%20c" }},
	} {
		s := small(t)
		check := mustDecode(t, mustEncode(t, s, noon))
		c.change(check)
		if have := check.Diff(s); have != c.want {
			t.Errorf("have %s\nwant %s", have, c.want)
		}
	}
}

// A table that keeps its statistics in other columns of the checkpoint misses
// none.
func TestStatisticsMayBeElsewhereWhereTheTableSaysSo(t *testing.T) {
	actions := append(first(), addOf("a"))
	actions[2].MetaData.Configuration["delta.checkpoint.writeStatsAsJson"] = "false"
	s := delta.NewSnapshot()
	mustApply(t, s, 0, actions...)
	c := mustDecode(t, mustEncode(t, s, noon))
	c.Adds[0].Stats = ""
	if diff := c.Diff(s); diff != "" {
		t.Error(diff)
	}
	c.Adds[0].Stats = "{}"
	if diff := c.Diff(s); diff == "" {
		t.Error("other statistics are not noticed")
	}
}

// A year of 20 services a day has 7,300 files.
func BenchmarkCheckpoint(b *testing.B) {
	for _, n := range []int{7_300, 50_000} {
		s := delta.NewSnapshot()
		actions := first()
		for i := range n {
			day := noon.AddDate(0, 0, -i/20).Format(time.DateOnly)
			service := fmt.Sprint(20893 + i%20)
			actions = append(actions, delta.Action{Add: &delta.Add{
				Path:            fmt.Sprintf("date=%s/service=%s/part-20261122T164500Z-1f2e3d4c5b-%05d.parquet", day, service, i),
				PartitionValues: map[string]*string{"date": &day, "service": &service}, Size: int64(1_000_000 + i*7919%99_991), ModificationTime: noon.UnixMilli(),
				Stats: fmt.Sprintf(`{"numRecords":%d,"minValues":{"timestamp":"%sT00:00:%02d.123Z","created":"%sT00:01:00.000Z","ingested":"2026-11-25T12:00:00.000Z","app_id":%s},"maxValues":{"timestamp":"%sT23:59:%02d.999Z","created":"%sT23:59:59.999Z","ingested":"2026-11-25T12:00:00.000Z","app_id":%s},"nullCount":{"timestamp":0,"created":0,"ingested":0,"app_id":0}}`, 500+i%311, day, i%60, day, service, day, i%60, day, service),
				Tags:  map[string]string{"mdcalake.sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(service+day)))},
			}})
		}
		if err := s.Apply(0, actions); err != nil {
			b.Fatal(err)
		}
		data := mustEncode(b, s, noon)
		b.Run(fmt.Sprintf("encode %d files", n), func(b *testing.B) {
			for b.Loop() {
				mustEncode(b, s, noon)
			}
			b.ReportMetric(float64(len(data)), "bytes")
		})
		b.Run(fmt.Sprintf("decode %d files", n), func(b *testing.B) {
			for b.Loop() {
				mustDecode(b, data)
			}
		})
	}
}
