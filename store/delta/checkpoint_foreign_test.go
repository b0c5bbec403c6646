package delta_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mdcalake/store/delta"
)

// Checkpoints that others have written, and what is none.

// deltaRS is a small table that delta-rs 1.6.6 (the Python package) has made:
// two partition columns, one of them NULL, a removed file, and a checkpoint of
// all of it.
func deltaRS(t testing.TB) (*delta.Snapshot, []byte) {
	t.Helper()
	m := memory{}
	dir := filepath.Join("testdata", "delta-rs")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if m[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	s := delta.NewSnapshot()
	versions, err := delta.Versions(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions {
		_, actions, err := delta.ReadEntry(m, v)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(v, actions); err != nil {
			t.Fatal(err)
		}
	}
	last, err := delta.DecodeLastCheckpoint(m[delta.LastCheckpointName])
	if err != nil || last.Version != s.Version {
		t.Fatalf("%+v, %v", last, err)
	}
	return s, m[delta.CheckpointName(last.Version)]
}

func TestTheCheckpointOfAnotherWriterSaysWhatItsEntriesSay(t *testing.T) {
	s, data := deltaRS(t)
	c := mustDecode(t, data)
	if diff := c.Diff(s); diff != "" {
		t.Error(diff)
	}
	if len(c.Adds) != 3 || len(c.Removes) != 1 || c.Removes[0].Size != 440 || *c.Removes[0].PartitionValues["service"] != "5" {
		t.Errorf("%+v", c)
	}
	// And ours of the same table says the same.
	if diff := mustDecode(t, mustEncode(t, s, noon)).Diff(s); diff != "" {
		t.Error(diff)
	}
}

// foreign makes a checkpoint with columns of one's own.
func foreign(t testing.TB, rows string, fields ...arrow.Field) []byte {
	t.Helper()
	record, _, err := array.RecordFromJSON(arrowmemory.DefaultAllocator, arrow.NewSchema(fields, nil), strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(record.Schema(), &out, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func group(name string, members ...arrow.Field) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.StructOf(members...), Nullable: true}
}

func member(name string, typ arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: typ, Nullable: true}
}

var (
	pairs    = arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.String)
	protocol = group("protocol", member("minReaderVersion", arrow.PrimitiveTypes.Int32), member("minWriterVersion", arrow.PrimitiveTypes.Int32))
	metaData = group("metaData", member("id", arrow.BinaryTypes.String), member("schemaString", arrow.BinaryTypes.String),
		group("format", member("provider", arrow.BinaryTypes.String), member("options", pairs)),
		member("partitionColumns", arrow.ListOf(arrow.BinaryTypes.String)), member("configuration", pairs))
	head = `{"protocol":{"minReaderVersion":1,"minWriterVersion":2}},
		{"metaData":{"id":"x","schemaString":"{}","format":{"provider":"parquet","options":[]},"partitionColumns":["date"],"configuration":[{"key":"k","value":null}]}}`
)

func TestColumnsAndRowsOfLaterWritersArePassedOver(t *testing.T) {
	add := group("add", member("path", arrow.BinaryTypes.String), member("partitionValues", pairs), member("size", arrow.PrimitiveTypes.Int64),
		member("modificationTime", arrow.PrimitiveTypes.Int64), member("dataChange", arrow.FixedWidthTypes.Boolean),
		group("partitionValues_parsed", member("date", arrow.FixedWidthTypes.Date32)), group("stats_parsed", member("numRecords", arrow.PrimitiveTypes.Int64)),
		group("deletionVector", member("storageType", arrow.BinaryTypes.String)), member("novelty", arrow.PrimitiveTypes.Float64))
	sidecar := group("sidecar", member("path", arrow.BinaryTypes.String))
	domain := group("domainMetadata", member("domain", arrow.BinaryTypes.String))
	c := mustDecode(t, foreign(t, `[`+head+`,{"domainMetadata":{"domain":"d"}},
		{"add":{"path":"a","partitionValues":[{"key":"date","value":null}],"size":1,"modificationTime":2,"dataChange":true,"partitionValues_parsed":{"date":null},"stats_parsed":{"numRecords":3},"novelty":1.5}}]`,
		protocol, metaData, domain, sidecar, add))
	want := &delta.Checkpoint{
		Protocol: delta.Protocol{MinReaderVersion: 1, MinWriterVersion: 2},
		MetaData: delta.MetaData{ID: "x", SchemaString: "{}", Format: delta.Format{Provider: "parquet"}, PartitionColumns: []string{"date"}, Configuration: map[string]string{"k": ""}},
		Adds:     []delta.Add{{Path: "a", PartitionValues: map[string]*string{"date": nil}, Size: 1, ModificationTime: 2, DataChange: true}},
	}
	if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(- want, + have):\n%s", diff)
	}
}

// A few bytes can claim a billion rows.
func TestMoreRowsThanTheBytesCanHoldAreNotBelieved(t *testing.T) {
	rows := foreign(t, `[`+head+strings.Repeat(`,{}`, 100_000)+`]`, protocol, metaData)
	if _, err := delta.DecodeCheckpoint(rows); err == nil || err.Error() != fmt.Sprintf("it claims 100002 rows in %d bytes", len(rows)) {
		t.Errorf("%v", err)
	}
	long := strings.Replace(head, `["date"]`, `["date"`+strings.Repeat(`,"date"`, 100_000)+`]`, 1)
	list := foreign(t, `[`+long+`]`, protocol, metaData)
	if _, err := delta.DecodeCheckpoint(list); err == nil || !strings.HasPrefix(err.Error(), "column metaData.partitionColumns: it claims more than ") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNoCheckpointOfOursIsRefusedWithItsReason(t *testing.T) {
	whole := mustEncode(t, small(t), noon)
	long := member("size", arrow.PrimitiveTypes.Int64)
	path := member("path", arrow.BinaryTypes.String)
	version := group("checkpointMetadata", member("version", arrow.PrimitiveTypes.Int64))
	vector := group("add", path, group("deletionVector", member("storageType", arrow.BinaryTypes.String)))
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "it is no sound Parquet file"},
		{"text", []byte("{}\n"), "it is no sound Parquet file"},
		{"half of one", whole[:len(whole)/2], "it is no sound Parquet file"},
		{"the end of one", whole[len(whole)/2:], ""},
		{"no metaData", foreign(t, `[{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}]`, protocol), "it has 1 protocol and 0 metaData actions, want one of each"},
		{"two protocols", foreign(t, `[`+head+`,`+head+`]`, protocol, metaData), "it has 2 protocol and 2 metaData actions, want one of each"},
		{"a V2 checkpoint", foreign(t, `[`+head+`,{"checkpointMetadata":{"version":3}}]`, protocol, metaData, version), "it is a V2 checkpoint, which is not of the kind this version reads"},
		{"a V2 checkpoint that says no more", foreign(t, `[`+head+`,{"checkpointMetadata":{}}]`, protocol, metaData, version), "it is a V2 checkpoint, which is not of the kind this version reads"},
		{"sidecars", foreign(t, `[`+head+`,{"sidecar":{"path":"x"}}]`, protocol, metaData, group("sidecar", path)), "it is a V2 checkpoint, which is not of the kind this version reads"},
		{"deletion vectors", foreign(t, `[`+head+`,{"add":{"path":"x","deletionVector":{"storageType":"u"}}}]`, protocol, metaData, vector), "it uses deletion vectors, which this version cannot read"},
		{"a file without a size", foreign(t, `[`+head+`,{"add":{"path":"x"}}]`, protocol, metaData, group("add", path)), "column add.partitionValues: 1 of 1 add actions have no value"},
		{"a file without a path", foreign(t, `[`+head+`,{"add":{"size":1}}]`, protocol, metaData, group("add", path, long)), "column add.path: 1 of 1 add actions have no value"},
		{"a number for a path", foreign(t, `[`+head+`,{"add":{"path":1}}]`, protocol, metaData, group("add", member("path", arrow.PrimitiveTypes.Int64))), "column add.path: it has another type than the protocol says, or fewer values than it claims"},
		{"a list for a path", foreign(t, `[`+head+`,{"add":{"path":["x"]}}]`, protocol, metaData, group("add", member("path", arrow.ListOf(arrow.BinaryTypes.String)))), "column add.path: it is repeated 1 times, want 0"},
		{"a list for a map", foreign(t, `[`+head+`,{"add":{"partitionValues":["x"]}}]`, protocol, metaData, group("add", member("partitionValues", arrow.ListOf(arrow.BinaryTypes.String)))), "column add.partitionValues: it has 1 columns below it, want 2"},
		{"a real number for a size", foreign(t, `[`+head+`,{"add":{"size":1.5}}]`, protocol, metaData, group("add", member("size", arrow.PrimitiveTypes.Float64))), "column add.size: it has type DOUBLE"},
	} {
		_, err := delta.DecodeCheckpoint(c.data)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		var kind *delta.CheckpointKindError
		if v2 := strings.Contains(c.want, "V2"); errors.As(err, &kind) != v2 || v2 && kind.Kind != delta.CheckpointV2 {
			t.Errorf("%s: %T", c.name, err)
		}
	}
}

// What DecodeCheckpoint takes says no more than its bytes can hold, and as a
// table it has a checkpoint that says the same.
func FuzzDecodeCheckpoint(f *testing.F) {
	f.Add(mustEncode(f, small(f), noon))
	_, data := deltaRS(f)
	f.Add(data)
	f.Add(foreign(f, `[`+head+`]`, protocol, metaData))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := delta.DecodeCheckpoint(data)
		if err != nil {
			if c != nil {
				t.Error("an error and a checkpoint")
			}
			return
		}
		if n := len(c.Adds) + len(c.Removes) + len(c.Txns); n > 5*len(data) {
			t.Errorf("%d actions in %d bytes", n, len(data))
		}
		actions := []delta.Action{{Protocol: &c.Protocol}, {MetaData: &c.MetaData}}
		for i := range c.Removes {
			actions = append(actions, delta.Action{Remove: &c.Removes[i]})
		}
		for i := range c.Adds {
			actions = append(actions, delta.Action{Add: &c.Adds[i]})
		}
		for i := range c.Txns {
			actions = append(actions, delta.Action{Txn: &c.Txns[i]})
		}
		s := delta.NewSnapshot()
		if s.Apply(0, actions) != nil {
			return
		}
		again, _, err := delta.EncodeCheckpoint(s, noon)
		if err != nil {
			return // another protocol
		}
		if diff := mustDecode(t, again).Diff(s); diff != "" {
			t.Error(diff)
		}
	})
}
