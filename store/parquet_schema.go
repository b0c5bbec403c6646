package store

import (
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"mdcalake/store/parquetfile"
)

// The Parquet schema of our files, how their columns are encoded, and the
// writers that stand ready for them.

var (
	// quick is what a run writes; level 3 is slower and hardly smaller.
	quick = parquetfile.Form{Level: 1, PageBytes: rawPageBytes}
	// dense is for files that have come to rest. Level 10 takes three times as
	// long for one hundredth less.
	dense = parquetfile.Form{Level: 6, PageBytes: densePageBytes}
)

// formOf is the form of files that were written at a level.
func formOf(level int) parquetfile.Form {
	if level >= dense.Level {
		return dense
	}
	return quick
}

// fileKind is what files with the same columns share.
type fileKind struct {
	columns []Column // in the files
	fields  []field  // of each column
	first   []int    // of each column, its first leaf
	layout  *parquetfile.Layout
	writers map[parquetfile.Form]chan *parquetfile.Writer // that stand ready
}

// fileKinds are those that were asked for: a few.
var fileKinds sync.Map

// kindOfFile is the kind with these columns. withKeys says whether the keys of
// the path are columns as well.
func kindOfFile(columns []Column, withKeys bool) (*fileKind, error) {
	var key strings.Builder
	fmt.Fprint(&key, withKeys)
	for i := range columns {
		key.WriteByte(' ')
		key.WriteString(columns[i].Name)
	}
	if k, ok := fileKinds.Load(key.String()); ok {
		return k.(*fileKind), nil
	}
	k, err := newFileKind(columns, withKeys)
	if err != nil {
		return nil, err
	}
	have, _ := fileKinds.LoadOrStore(key.String(), k)
	return have.(*fileKind), nil
}

func newFileKind(columns []Column, withKeys bool) (*fileKind, error) {
	root, kept, err := fileSchema(columns, withKeys)
	if err != nil {
		return nil, err
	}
	k := &fileKind{columns: kept, writers: map[parquetfile.Form]chan *parquetfile.Writer{
		quick: make(chan *parquetfile.Writer, openWriters), dense: make(chan *parquetfile.Writer, openWriters),
	}}
	types := map[string]Type{}
	leaves := 0
	for _, c := range kept {
		types[c.Name] = c.Type
		k.fields = append(k.fields, fields[c.Name])
		k.first = append(k.first, leaves)
		leaves++
		if c.Type == TypeObjects {
			leaves += len(objectFields) - 1
		}
	}
	k.layout, err = parquetfile.NewLayout(root, func(name string) parquetfile.Options { return columnOptions(name, types[name]) })
	return k, err
}

// columnOptions are how a column is written: near-unique ones gain nothing from
// a dictionary but the time to find out, and records make no bounds.
func columnOptions(name string, t Type) parquetfile.Options {
	switch name {
	case "timestamp", "created", "page":
		return parquetfile.Options{Encoding: parquetfile.Delta, Bounds: true}
	case "activity_id":
		return parquetfile.Options{Encoding: parquetfile.Plain, Bounds: true}
	case "content_hash", "hash":
		return parquetfile.Options{Encoding: parquetfile.Plain, Bounds: true, Random: t != TypeString}
	case "raw", "raw_original", "bytes":
		return parquetfile.Options{Encoding: parquetfile.Plain}
	default:
		return parquetfile.Options{Bounds: true}
	}
}

// writer is one that stands ready, or a new one. It is given back when its file
// is whole; after an error it is not.
func (k *fileKind) writer(f parquetfile.Form) (*parquetfile.Writer, error) {
	select {
	case w := <-k.writers[f]:
		return w, nil
	default:
		return parquetfile.NewWriter(k.layout, f)
	}
}

// giveBack keeps as many as are used at once. (A sync.Pool forgets them, or has
// them ready for another core only, and then a file costs 10 MB more.)
func (k *fileKind) giveBack(f parquetfile.Form, w *parquetfile.Writer) {
	select {
	case k.writers[f] <- w:
	default:
	}
}

// fileSchema is the Parquet schema of a file with these columns. withKeys says
// whether the keys of the path are columns as well.
func fileSchema(columns []Column, withKeys bool) (*schema.GroupNode, []Column, error) {
	var nodes schema.FieldList
	var kept []Column
	for _, c := range columns {
		if c.Partition && !withKeys {
			continue
		}
		n, err := columnNode(c)
		if err != nil {
			return nil, nil, err
		}
		nodes, kept = append(nodes, n), append(kept, c)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)
	return root, kept, err
}

func columnNode(c Column) (schema.Node, error) {
	rep := parquet.Repetitions.Optional
	if c.Required {
		rep = parquet.Repetitions.Required
	}
	switch c.Type {
	case TypeStrings:
		return listNode(c.Name, rep, primitive("element", TypeString, parquet.Repetitions.Optional))
	case TypeObjects:
		var members schema.FieldList
		for _, m := range objectFields {
			members = append(members, primitive(m.name, m.typ, parquet.Repetitions.Optional))
		}
		element, err := schema.NewGroupNode("element", parquet.Repetitions.Optional, members, -1)
		if err != nil {
			return nil, err
		}
		return listNode(c.Name, rep, element)
	default:
		return primitive(c.Name, c.Type, rep), nil
	}
}

func listNode(name string, rep parquet.Repetition, element schema.Node) (schema.Node, error) {
	list, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNodeLogical(name, rep, schema.FieldList{list}, schema.NewListLogicalType(), -1)
}

func primitive(name string, t Type, rep parquet.Repetition) schema.Node {
	switch t {
	case TypeLong:
		return schema.NewInt64Node(name, rep, -1)
	case TypeInteger:
		return schema.NewInt32Node(name, rep, -1)
	case TypeBoolean:
		return schema.NewBooleanNode(name, rep, -1)
	case TypeDouble:
		return schema.NewFloat64Node(name, rep, -1)
	case TypeBinary:
		return schema.NewByteArrayNode(name, rep, -1)
	case TypeTimestamp:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1))
	case TypeDate:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.DateLogicalType{}, parquet.Types.Int32, -1, -1))
	default:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1))
	}
}

// objectFields are the members of an element of `objects`.
var objectFields = []struct {
	name string
	typ  Type
}{
	{"id", TypeString}, {"name", TypeString}, {"value", TypeString}, {"type", TypeInteger},
	{"role", TypeInteger}, {"app_id", TypeLong}, {"instance_id", TypeLong}, {"service_object_type", TypeString},
}
