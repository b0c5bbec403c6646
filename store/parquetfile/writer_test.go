package parquetfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"mdcalake/store/parquetfile"
)

// typical are columns and values as a lake has them, so many rows a group.
func typical(rows ...int) ([]column, table) {
	bounded := bounded(parquetfile.Dictionary)
	columns := []column{
		{form: required, kind: parquet.Types.ByteArray, options: parquetfile.Options{Encoding: parquetfile.Plain, Bounds: true}, mood: unique},
		{form: required, kind: parquet.Types.Int64, options: parquetfile.Options{Encoding: parquetfile.Delta, Bounds: true}, mood: steps},
		{form: required, kind: parquet.Types.Int64, options: parquetfile.Options{Encoding: parquetfile.Plain, Bounds: true, Random: true}, mood: unique},
		{form: optional, kind: parquet.Types.ByteArray, options: bounded, mood: few},
		{form: optional, kind: parquet.Types.ByteArray, options: bounded, mood: runs},
		{form: optional, kind: parquet.Types.ByteArray, options: bounded, mood: unique},
		{form: optional, kind: parquet.Types.ByteArray, options: bounded, mood: extremes},
		{form: optional, kind: parquet.Types.Int32, options: bounded, mood: few},
		{form: optional, kind: parquet.Types.Boolean, options: bounded, mood: few},
		{form: optional, kind: parquet.Types.Double, options: bounded, mood: few},
		{form: optional, kind: parquet.Types.ByteArray, options: bounded, mood: allNull},
		{form: listed, options: bounded, mood: few},
		{form: structs, options: bounded, mood: few},
	}
	return columns, fill(columns, 1, rows)
}

func writerFor(t testing.TB, columns []column, pageBytes int) *parquetfile.Writer {
	t.Helper()
	_, layout := layoutOf(t, columns)
	w, err := parquetfile.NewWriter(layout, parquetfile.Form{Level: 1, PageBytes: pageBytes})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var errDisk = errors.New("no space left")

// failing fails from its n-th write on, once or for ever; a part is written.
type failing struct {
	to   io.Writer
	left int
	once bool
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left == -1 || f.left < 0 && !f.once {
		n, _ := f.to.Write(p[:len(p)/2])
		return n, errDisk
	}
	return f.to.Write(p)
}

// Whatever write fails, the error comes out, no later call makes a file of it,
// and the next file is as any other.
func TestAnErrorOfTheSinkComesOut(t *testing.T) {
	columns, want := typical(50, 30)
	var whole bytes.Buffer
	if err := want.write(writerFor(t, columns, 300), columns, &whole); err != nil {
		t.Fatal(err)
	}
	for _, once := range []bool{false, true} {
		w := writerFor(t, columns, 300)
		w.SetLimits(parquetfile.Limits{Aside: 1}) // pages are compressed aside, which no byte tells
		failures := 0
		for ; ; failures++ {
			sink := &failing{to: io.Discard, left: failures, once: once}
			err := want.write(w, columns, sink)
			if err == nil {
				break
			}
			if !errors.Is(err, errDisk) {
				t.Fatalf("write %d fails: %v", failures, err)
			}
			w.EndRow()
			if err := w.EndGroup(); !errors.Is(err, errDisk) {
				t.Fatalf("write %d fails; then EndGroup: %v", failures, err)
			}
			if err := w.Close("tests", nil); !errors.Is(err, errDisk) {
				t.Fatalf("write %d fails; then Close: %v", failures, err)
			}
			var next bytes.Buffer
			if err := want.write(w, columns, &next); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(next.Bytes(), whole.Bytes()) {
				t.Fatalf("write %d fails; the next file is another one", failures)
			}
		}
		if failures < 2*len(columns) {
			t.Errorf("only %d writes could fail", failures)
		}
	}
}

func TestWithoutAFileNothingIsWritten(t *testing.T) {
	columns, want := typical(3)
	w := writerFor(t, columns, 300)
	if err := w.Close("tests", nil); err == nil {
		t.Error("a new writer closes without a file")
	}
	if err := want.write(w, columns, io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := w.Close("tests", nil); err == nil {
		t.Error("a file is closed twice")
	}
}

// A leaf that got too few entries, or too many, would shift all rows behind
// them.
func TestLeavesThatDisagreeOnTheRowsAreRefused(t *testing.T) {
	columns := []column{{form: required, kind: parquet.Types.Int64}, {form: listed}}
	for name, rows := range map[string][2]int{"none": {0, 3}, "too few": {2, 3}, "too many": {4, 3}, "too few of a list": {3, 2}, "too many of a list": {3, 4}} {
		t.Run(name, func(t *testing.T) {
			w := writerFor(t, columns, 300)
			if err := w.Begin(io.Discard); err != nil {
				t.Fatal(err)
			}
			for range rows[0] {
				w.Leaves[0].Int(0, 1)
			}
			for range rows[1] {
				w.Leaves[1].Text(0, "a")
				w.Leaves[1].Text(1, "b")
			}
			for range 3 {
				w.EndRow()
			}
			err := w.Close("tests", nil)
			if err == nil || !strings.Contains(err.Error(), "the row group has 3") {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestSchemasThatAreNotWrittenAreRefused(t *testing.T) {
	node := func(n schema.Node, err error) schema.Node {
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	optional := parquet.Repetitions.Optional
	for name, c := range map[string]struct {
		node     schema.Node
		encoding parquetfile.Encoding
	}{
		"a type":                {schema.NewFloat32Node("x", optional, -1), parquetfile.Dictionary},
		"strings in steps":      {schema.NewByteArrayNode("x", optional, -1), parquetfile.Delta},
		"doubles in steps":      {schema.NewFloat64Node("x", optional, -1), parquetfile.Delta},
		"milliseconds":          {node(schema.NewPrimitiveNodeLogical("x", optional, schema.NewTimestampLogicalType(true, schema.TimeUnitMillis), parquet.Types.Int64, -1, -1)), parquetfile.Delta},
		"times without UTC":     {node(schema.NewPrimitiveNodeLogical("x", optional, schema.NewTimestampLogicalType(false, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1)), parquetfile.Delta},
		"another logical type":  {node(schema.NewPrimitiveNodeLogical("x", optional, schema.JSONLogicalType{}, parquet.Types.ByteArray, -1, -1)), parquetfile.Plain},
		"one below another one": {node(schema.NewGroupNode("x", optional, schema.FieldList{node(schema.NewPrimitiveNodeLogical("y", optional, schema.JSONLogicalType{}, parquet.Types.ByteArray, -1, -1))}, -1)), parquetfile.Plain},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{c.node}, -1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parquetfile.NewLayout(root, func(string) parquetfile.Options { return parquetfile.Options{Encoding: c.encoding} })
			if err == nil || !strings.Contains(err.Error(), "x") {
				t.Errorf("NewLayout: %v", err)
			}
		})
	}
}

// The header of a page has 31 bits for its size.
func TestAPageThatIsTooLargeIsRefused(t *testing.T) {
	columns := []column{{form: required, kind: parquet.Types.ByteArray, options: parquetfile.Options{Encoding: parquetfile.Plain}}}
	for size, fits := range map[int]bool{996: true, 997: false} { // 4 bytes are its length
		for _, rows := range []int{1, 2} { // the last page, or one before
			w := writerFor(t, columns, 300)
			w.SetLimits(parquetfile.Limits{Page: 1000, Aside: 1})
			want := table{groups: [][][]entry{{texts(rows, func(int) string { return strings.Repeat("x", size) })}}, rows: []int{rows}}
			err := want.write(w, columns, io.Discard)
			if fits && err != nil || !fits && (err == nil || !strings.Contains(err.Error(), "1001 bytes")) {
				t.Errorf("%d values of %d bytes: %v", rows, size, err)
			}
		}
	}
}

// Types, meanings and repetitions come out as they went in.
func TestTheSchemaIsTheOneAskedFor(t *testing.T) {
	node := func(n schema.Node, err error) schema.Node {
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	columns, _ := typical()
	typicalRoot, _ := layoutOf(t, columns)
	fields := schema.FieldList{
		node(schema.NewPrimitiveNodeLogical("time", parquet.Repetitions.Optional, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1)),
		node(schema.NewPrimitiveNodeLogical("day", parquet.Repetitions.Required, schema.DateLogicalType{}, parquet.Types.Int32, -1, -1)),
		schema.NewByteArrayNode("bytes", parquet.Repetitions.Optional, -1),
	}
	for i := range typicalRoot.NumFields() {
		fields = append(fields, typicalRoot.Field(i))
	}
	root := node(schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)).(*schema.GroupNode)
	layout, err := parquetfile.NewLayout(root, func(string) parquetfile.Options { return parquetfile.Options{} })
	if err != nil {
		t.Fatal(err)
	}
	w, err := parquetfile.NewWriter(layout, parquetfile.Form{Level: 1, PageBytes: 300})
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if err := errors.Join(w.Begin(&content), w.Close("tests", nil)); err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(content.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.MetaData().Schema; !got.Equals(schema.NewSchema(root)) {
		t.Errorf("schema\n%s, asked for\n%s", got, schema.NewSchema(root))
	}
	if r.NumRows() != 0 || r.MetaData().GetCreatedBy() != "tests" || len(r.MetaData().KeyValueMetadata()) != 0 {
		t.Errorf("%d rows, by %q, %v", r.NumRows(), r.MetaData().GetCreatedBy(), r.MetaData().KeyValueMetadata())
	}
}

// More row groups than fit in the short form of a list, and a file without any.
func TestManyRowGroups(t *testing.T) {
	columns := []column{{form: required, kind: parquet.Types.Int64, options: bounded(parquetfile.Dictionary), mood: unique}}
	for _, n := range []int{0, 1, 14, 15, 16, 200} {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = 1
		}
		want := fill(columns, 1, rows)
		var content bytes.Buffer
		if err := want.write(writerFor(t, columns, 300), columns, &content); err != nil {
			t.Fatal(err)
		}
		if err := check(content.Bytes(), columns, want); err != nil {
			t.Errorf("%d row groups: %v", n, err)
		}
	}
}

// The point of the package: what a file has needed serves the next one.
func TestTheNextFileAllocatesHardlyAnything(t *testing.T) {
	const rows = 5000
	columns, want := typical(rows)
	w := writerFor(t, columns, 1<<20)
	var content bytes.Buffer
	write := func() {
		content.Reset()
		if err := want.write(w, columns, &content); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if n := testing.AllocsPerRun(3, write); n > rows/50 {
		t.Errorf("%.0f allocations for %d rows of %d leaves", n, rows, len(w.Leaves))
	}
}

// After a file with one giant of each kind no buffer holds more than it may.
func TestGiantsAreForgotten(t *testing.T) {
	const kept = 64 << 10
	plain := parquetfile.Options{Encoding: parquetfile.Plain, Bounds: true}
	columns := []column{
		{form: required, kind: parquet.Types.ByteArray, options: bounded(parquetfile.Dictionary)},
		{form: required, kind: parquet.Types.ByteArray, options: plain},
		{form: listed, options: bounded(parquetfile.Dictionary)},
		{form: structs, options: bounded(parquetfile.Dictionary)},
	}
	w := writerFor(t, columns, 1<<10)
	w.SetLimits(parquetfile.Limits{Kept: kept, DictionaryBytes: 1 << 30, SampleValues: 1 << 30})
	giant := strings.Repeat("giant ", kept)
	if err := w.Begin(io.Discard); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a dictionary that pays
		w.Leaves[0].Text(0, giant)
		w.Leaves[1].Text(0, giant)
		for i := range uint8(2) {
			for n := range int64(kept) {
				rep := min(i+uint8(min(n, 1)), 1)
				w.Leaves[2].Text(rep, fmt.Sprint(n))
				w.Leaves[3].Int(rep, n&1)
				w.Leaves[4].Int(rep, n)
				w.Leaves[5].Int(rep, n)
				w.Leaves[6].Int(rep, n)
				w.Leaves[7].Text(rep, fmt.Sprint(n))
			}
		}
		w.EndRow()
	}
	if err := w.Close("tests", nil); err != nil {
		t.Fatal(err)
	}
	if n := len(largeBuffers(w, kept)); n < 10 {
		t.Fatalf("only %d buffers have grown: the test shows nothing", n)
	}
	if err := w.Begin(io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range largeBuffers(w, kept) {
		t.Errorf("%s is still held", name)
	}
}

// largeBuffers are the slices below a value that take more than so many bytes.
func largeBuffers(v any, most int) (names []string) {
	seen := map[uintptr]bool{}
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] || !strings.HasSuffix(v.Type().Elem().PkgPath(), "parquetfile") {
				return
			}
			seen[v.Pointer()] = true
			walk(v.Elem(), name)
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), name+"."+v.Type().Field(i).Name)
			}
		case reflect.Slice:
			if v.Cap()*int(v.Type().Elem().Size()) > most {
				names = append(names, name)
			}
			if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Slice {
				for i := range v.Len() {
					walk(v.Index(i), fmt.Sprintf("%s[%d]", name, i))
				}
			}
		}
	}
	walk(reflect.ValueOf(v), "writer")
	return names
}

func BenchmarkWriter(b *testing.B) {
	const rows = 10_000
	columns, want := typical(rows)
	w := writerFor(b, columns, 1<<20)
	var content bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		content.Reset()
		if err := want.write(w, columns, &content); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(content.Len()))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}
