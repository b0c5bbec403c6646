package query

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// columnar makes of the engine's batches what Parquet and Arrow take. Types
// stay what they are; what other readers do not know (UNION, BIT, BIGNUM,
// UHUGEINT) becomes the text that csv has for it, and so does an ENUM.
type columnar struct {
	schema  *arrow.Schema
	columns []Column
	asText  []bool
	huge    []bool // there is a HUGEINT in it
}

// newColumnar: the values of the types named are text besides.
func newColumnar(rows *Rows, unknown ...bindings.Type) (*columnar, error) {
	unknown = append(unknown, bindings.TypeUnion, bindings.TypeBit, bindings.TypeBigNum, bindings.TypeUHugeInt)
	c := &columnar{columns: rows.Columns()}
	if len(c.columns) == 0 {
		return nil, fmt.Errorf("the answer has no columns")
	}
	var names []string
	for _, col := range c.columns {
		names = append(names, col.Name)
	}
	names = uniqueNames(names)
	var fields []arrow.Field
	for i, f := range rows.Schema().Fields() {
		t := c.columns[i].typ
		c.asText = append(c.asText, !t.keeps(unknown))
		c.huge = append(c.huge, t.holds(bindings.TypeHugeInt))
		f.Name, f.Metadata = names[i], arrow.Metadata{}
		switch d := f.Type.(type) {
		case *arrow.DictionaryType: // an ENUM
			f.Type = d.ValueType
		default:
			if c.asText[i] {
				f.Type = arrow.BinaryTypes.String
			}
		}
		fields = append(fields, f)
	}
	c.schema = arrow.NewSchema(fields, nil)
	return c, nil
}

// keeps says whether a value of the type keeps it among readers that do not
// know some types.
func (t *valueType) keeps(unknown []bindings.Type) bool {
	if slices.Contains(unknown, t.id) {
		return false
	}
	for i, c := range t.children {
		// A nested ENUM is a nested dictionary, which Parquet's writer does not
		// take; a member of a struct needs a name.
		if !c.keeps(unknown) || c.id == bindings.TypeEnum || t.names != nil && t.names[i] == "" {
			return false
		}
	}
	return !(t.id == bindings.TypeStruct && len(t.children) == 0)
}

func (t *valueType) holds(id bindings.Type) bool {
	return t.id == id || slices.ContainsFunc(t.children, func(c *valueType) bool { return c.holds(id) })
}

// convert makes the first n rows of a batch ready to be written. The caller
// releases them.
func (c *columnar) convert(batch arrow.RecordBatch, n int) (arrow.RecordBatch, error) {
	if int64(n) < batch.NumRows() {
		batch = batch.NewSlice(0, int64(n))
		defer batch.Release()
	}
	columns := make([]arrow.Array, len(c.columns))
	for k, col := range c.columns {
		a := batch.Column(k)
		_, isDictionary := a.(*array.Dictionary)
		if !c.asText[k] && !isDictionary {
			if c.huge[k] && beyondDecimal(a) {
				return nil, &Error{Kind: Runtime, Position: -1,
					Message: fmt.Sprintf("column %q holds a HUGEINT of 39 digits, and parquet and arrow have 38", col.Name),
					Hint:    "cast it to VARCHAR"}
			}
			columns[k] = a
			continue
		}
		columns[k] = textArray(col.typ, a)
		defer columns[k].Release()
	}
	return array.NewRecordBatch(c.schema, columns, int64(n)), nil
}

// beyondDecimal says whether a HUGEINT does not fit the DECIMAL(38, 0) that it
// comes as. No sum over a lake does.
func beyondDecimal(a arrow.Array) bool {
	switch v := plain(a).(type) {
	case *array.Decimal128:
		for i := range v.Len() {
			if v.IsValid(i) && v.Value(i).BigInt().CmpAbs(decimalEnd) >= 0 {
				return true
			}
		}
	case *array.Struct:
		for f := range v.NumField() {
			if beyondDecimal(v.Field(f)) {
				return true
			}
		}
	case array.ListLike:
		return beyondDecimal(v.ListValues())
	}
	return false
}

var decimalEnd = new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)

func textArray(t *valueType, a arrow.Array) arrow.Array {
	a = plain(a)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	var buf []byte
	for i := range a.Len() {
		if isNull(a, i) {
			b.AppendNull()
			continue
		}
		buf = appendText(buf[:0], t, a, i)
		b.Append(string(buf))
	}
	return b.NewArray()
}
