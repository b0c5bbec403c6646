package query

import (
	"fmt"
	"strings"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// valueType is DuckDB's type of a column or of a part of one. Arrow's does not
// do: it knows no JSON and no BIT, and a UHUGEINT looks like a HUGEINT.
type valueType struct {
	id       bindings.Type
	json     bool
	children []*valueType // of a list, array: the element; map: key, value; struct, union: the members
	names    []string     // of a struct's or union's members
	width    uint8        // of a decimal
	scale    uint8
	size     int // of an array
}

func newValueType(t bindings.LogicalType) *valueType {
	v := &valueType{id: bindings.GetTypeId(t), json: bindings.LogicalTypeGetAlias(t) == "JSON"}
	child := func(c bindings.LogicalType) {
		v.children = append(v.children, newValueType(c))
		bindings.DestroyLogicalType(&c)
	}
	switch v.id {
	case bindings.TypeList:
		child(bindings.ListTypeChildType(t))
	case bindings.TypeArray:
		child(bindings.ArrayTypeChildType(t))
		v.size = int(bindings.ArrayTypeArraySize(t))
	case bindings.TypeMap:
		child(bindings.MapTypeKeyType(t))
		child(bindings.MapTypeValueType(t))
	case bindings.TypeStruct:
		for i := range bindings.StructTypeChildCount(t) {
			v.names = append(v.names, bindings.StructTypeChildName(t, i))
			child(bindings.StructTypeChildType(t, i))
		}
		v.names = uniqueNames(v.names)
	case bindings.TypeUnion:
		for i := range bindings.UnionTypeMemberCount(t) {
			v.names = append(v.names, bindings.UnionTypeMemberName(t, i))
			child(bindings.UnionTypeMemberType(t, i))
		}
	case bindings.TypeDecimal:
		v.width, v.scale = bindings.DecimalWidth(t), bindings.DecimalScale(t)
	}
	return v
}

var typeNames = map[bindings.Type]string{
	bindings.TypeBoolean: "BOOLEAN", bindings.TypeTinyInt: "TINYINT", bindings.TypeSmallInt: "SMALLINT",
	bindings.TypeInteger: "INTEGER", bindings.TypeBigInt: "BIGINT", bindings.TypeUTinyInt: "UTINYINT",
	bindings.TypeUSmallInt: "USMALLINT", bindings.TypeUInteger: "UINTEGER", bindings.TypeUBigInt: "UBIGINT",
	bindings.TypeFloat: "FLOAT", bindings.TypeDouble: "DOUBLE", bindings.TypeTimestamp: "TIMESTAMP",
	bindings.TypeTimestampS: "TIMESTAMP_S", bindings.TypeTimestampMS: "TIMESTAMP_MS", bindings.TypeTimestampNS: "TIMESTAMP_NS",
	bindings.TypeTimestampTZ: "TIMESTAMP WITH TIME ZONE", bindings.TypeDate: "DATE", bindings.TypeTime: "TIME",
	bindings.TypeTimeNS: "TIME_NS", bindings.TypeTimeTZ: "TIME WITH TIME ZONE", bindings.TypeInterval: "INTERVAL",
	bindings.TypeHugeInt: "HUGEINT", bindings.TypeUHugeInt: "UHUGEINT", bindings.TypeBigNum: "BIGNUM",
	bindings.TypeVarchar: "VARCHAR", bindings.TypeEnum: "ENUM", bindings.TypeUUID: "UUID", bindings.TypeBlob: "BLOB",
	bindings.TypeBit: "BIT", bindings.TypeGeometry: "GEOMETRY", bindings.TypeVariant: "VARIANT", bindings.TypeSQLNull: "NULL",
}

func (t *valueType) String() string {
	members := func() string {
		var parts []string
		for i, c := range t.children {
			parts = append(parts, quoteName(t.names[i])+" "+c.String())
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	switch {
	case t.json:
		return "JSON"
	case t.id == bindings.TypeDecimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.width, t.scale)
	case t.id == bindings.TypeList:
		return t.children[0].String() + "[]"
	case t.id == bindings.TypeArray:
		return fmt.Sprintf("%s[%d]", t.children[0], t.size)
	case t.id == bindings.TypeMap:
		return fmt.Sprintf("MAP(%s, %s)", t.children[0], t.children[1])
	case t.id == bindings.TypeStruct:
		return "STRUCT" + members()
	case t.id == bindings.TypeUnion:
		return "UNION" + members()
	}
	if name, ok := typeNames[t.id]; ok {
		return name
	}
	return fmt.Sprintf("TYPE %d", t.id)
}

// unwritable is the part of the type that would lose something on its way
// through Arrow, or that this package does not know; nil when there is none.
func (t *valueType) unwritable() *valueType {
	switch t.id {
	case bindings.TypeTimeTZ, bindings.TypeVariant: // Arrow drops the offset of the one and refuses the other
		return t
	}
	if _, known := typeNames[t.id]; !known && t.id != bindings.TypeDecimal && len(t.children) == 0 {
		return t
	}
	for _, c := range t.children {
		if bad := c.unwritable(); bad != nil {
			return bad
		}
	}
	return nil
}

// numeric says whether a column of the type is set to the right.
func (t *valueType) numeric() bool {
	switch t.id {
	case bindings.TypeTinyInt, bindings.TypeSmallInt, bindings.TypeInteger, bindings.TypeBigInt,
		bindings.TypeUTinyInt, bindings.TypeUSmallInt, bindings.TypeUInteger, bindings.TypeUBigInt,
		bindings.TypeFloat, bindings.TypeDouble, bindings.TypeHugeInt, bindings.TypeUHugeInt,
		bindings.TypeBigNum, bindings.TypeDecimal:
		return true
	}
	return false
}

// text says whether a part of a value still says something true: of a name or
// a list it does, of a number or a time it does not.
func (t *valueType) text() bool {
	switch t.id {
	case bindings.TypeVarchar, bindings.TypeBlob, bindings.TypeBit, bindings.TypeEnum:
		return true
	}
	return t.nested()
}

// nested says whether a value of the type is written as JSON.
func (t *valueType) nested() bool {
	switch t.id {
	case bindings.TypeList, bindings.TypeArray, bindings.TypeMap, bindings.TypeStruct, bindings.TypeUnion:
		return true
	}
	return false
}

// uniqueNames numbers the names that came before, whatever their case, since
// most readers of JSON and Parquet know each name once only.
func uniqueNames(names []string) []string {
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		seen[strings.ToLower(n)] = false
	}
	out := make([]string, len(names))
	for i, n := range names {
		name := n
		if seen[strings.ToLower(n)] {
			for k := 1; ; k++ {
				name = fmt.Sprintf("%s_%d", n, k)
				if _, taken := seen[strings.ToLower(name)]; !taken {
					break
				}
			}
		}
		seen[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}
