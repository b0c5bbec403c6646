package parquetfile

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Encoding says how the values of a leaf are written.
type Encoding uint8

const (
	// Dictionary writes each distinct value once, as long as that is smaller, else
	// Plain.
	Dictionary Encoding = iota
	// Plain writes values as they stand: those that hardly ever repeat.
	Plain
	// Delta writes the differences between numbers that follow each other.
	Delta
)

// Options are how a leaf is written.
type Options struct {
	Encoding Encoding
	// Bounds: the statistics have the least and the greatest value.
	Bounds bool
	// Random values are not compressed: it would be in vain.
	Random bool
}

// Layout is a schema and how its leaves are written. It is made once and may be
// used by several goroutines.
type Layout struct {
	leaves   []leafSpec
	elements []byte // the schema as the footer has it
	nodes    int
}

// leafSpec is what is known of a leaf before any value.
type leafSpec struct {
	Options
	path           []string
	kind           parquet.Type
	maxRep, maxDef uint8
	repBits        int
	defBits        int
}

// NewLayout is the layout of a schema: groups, lists and primitive columns of
// type BOOLEAN, INT32, INT64, DOUBLE and BYTE_ARRAY. options is asked for each
// column of the schema's first level, by name.
func NewLayout(root *schema.GroupNode, options func(name string) Options) (*Layout, error) {
	l := &Layout{}
	var t thrift
	t.reset()
	if err := l.addElement(&t, root, true); err != nil {
		return nil, err
	}
	l.elements = t.b
	s := schema.NewSchema(root)
	for i := range s.NumColumns() {
		c := s.Column(i)
		spec := leafSpec{
			Options: options(c.ColumnPath()[0]), path: c.ColumnPath(), kind: c.PhysicalType(),
			maxRep: uint8(c.MaxRepetitionLevel()), maxDef: uint8(c.MaxDefinitionLevel()),
		}
		spec.repBits, spec.defBits = bits.Len8(spec.maxRep), bits.Len8(spec.maxDef)
		switch spec.kind {
		case parquet.Types.Boolean:
			spec.Encoding = Plain // it is a bit already
		case parquet.Types.Int32, parquet.Types.Int64:
		case parquet.Types.Double, parquet.Types.ByteArray:
			if spec.Encoding == Delta {
				return nil, fmt.Errorf("column %s: %s has no delta encoding", c.Path(), spec.kind)
			}
		default:
			return nil, fmt.Errorf("column %s: type %s is not written", c.Path(), spec.kind)
		}
		l.leaves = append(l.leaves, spec)
	}
	return l, nil
}

// addElement appends a node of the schema and those below it, depth first, as
// the footer lists them: SchemaElement in parquet.thrift.
func (l *Layout) addElement(t *thrift, n schema.Node, root bool) error {
	l.nodes++
	t.last = append(t.last[:0], 0)
	group, isGroup := n.(*schema.GroupNode)
	if p, ok := n.(*schema.PrimitiveNode); ok {
		t.i32(1, int32(p.PhysicalType()))
	}
	if !root {
		t.i32(3, int32(n.RepetitionType()))
	}
	t.text(4, n.Name())
	if isGroup {
		t.i32(5, int32(group.NumFields()))
	}
	if err := addLogicalType(t, n); err != nil {
		return fmt.Errorf("column %s: %w", n.Path(), err)
	}
	t.close()
	if isGroup {
		for i := range group.NumFields() {
			if err := l.addElement(t, group.Field(i), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// addLogicalType writes what a column means, in the old form and the new one.
func addLogicalType(t *thrift, n schema.Node) error {
	const ( // fields of LogicalType
		logicalString    = 1
		logicalList      = 3
		logicalDate      = 6
		logicalTimestamp = 8
	)
	var id int16
	switch logical := n.LogicalType().(type) {
	case schema.StringLogicalType, *schema.StringLogicalType:
		id = logicalString
	case schema.ListLogicalType, *schema.ListLogicalType:
		id = logicalList
	case schema.DateLogicalType, *schema.DateLogicalType:
		id = logicalDate
	case schema.TimestampLogicalType:
		return addTimestamp(t, n, logical.IsAdjustedToUTC(), logical.TimeUnit())
	case *schema.TimestampLogicalType:
		return addTimestamp(t, n, logical.IsAdjustedToUTC(), logical.TimeUnit())
	case schema.NoLogicalType, *schema.NoLogicalType, nil:
		return nil
	default:
		return fmt.Errorf("logical type %s is not written", logical)
	}
	t.i32(6, int32(n.ConvertedType()))
	t.open(10)
	t.open(id)
	t.close()
	t.close()
	return nil
}

func addTimestamp(t *thrift, n schema.Node, utc bool, unit schema.TimeUnitType) error {
	if unit != schema.TimeUnitMicros || !utc { // local times have no old form
		return fmt.Errorf("times of other units than microseconds, or without UTC, are not written")
	}
	t.i32(6, int32(n.ConvertedType()))
	t.open(10)
	t.open(8)
	t.bool(1, utc)
	t.open(2) // TimeUnit
	t.open(2) // MICROS
	t.close()
	t.close()
	t.close()
	t.close()
	return nil
}
