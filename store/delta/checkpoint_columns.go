package delta

import (
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// The columns of a checkpoint, as the protocol's "Checkpoint Schema" has them:
// a struct for each kind of action, of which one is set in each row. Writing
// and reading go by this one table.

// actionKind is a kind of action that a checkpoint holds.
type actionKind struct {
	name    string
	has     func(a *Action) bool
	make    func(a *Action)
	members []member
}

// member is a member of an action. Its name has a dot where it is a member of
// a struct in it.
type member struct {
	name string
	// required members always have a value; the zero value of the others stands
	// for NULL.
	required bool
	// field points to the member of an action that has the kind: a *string, *int,
	// *int64, *bool, *[]string, *map[string]string or *map[string]*string.
	field func(a *Action) any
}

var actionKinds = []actionKind{
	{"txn", func(a *Action) bool { return a.Txn != nil }, func(a *Action) { a.Txn = new(Txn) }, []member{
		{"appId", true, func(a *Action) any { return &a.Txn.AppID }},
		{"version", true, func(a *Action) any { return &a.Txn.Version }},
		{"lastUpdated", false, func(a *Action) any { return &a.Txn.LastUpdated }},
	}},
	{"add", func(a *Action) bool { return a.Add != nil }, func(a *Action) { a.Add = new(Add) }, []member{
		{"path", true, func(a *Action) any { return &a.Add.Path }},
		{"partitionValues", true, func(a *Action) any { return &a.Add.PartitionValues }},
		{"size", true, func(a *Action) any { return &a.Add.Size }},
		{"modificationTime", true, func(a *Action) any { return &a.Add.ModificationTime }},
		{"dataChange", true, func(a *Action) any { return &a.Add.DataChange }},
		{"stats", false, func(a *Action) any { return &a.Add.Stats }},
		{"tags", false, func(a *Action) any { return &a.Add.Tags }},
	}},
	{"remove", func(a *Action) bool { return a.Remove != nil }, func(a *Action) { a.Remove = new(Remove) }, []member{
		{"path", true, func(a *Action) any { return &a.Remove.Path }},
		{"deletionTimestamp", false, func(a *Action) any { return &a.Remove.DeletionTimestamp }},
		{"dataChange", true, func(a *Action) any { return &a.Remove.DataChange }},
		{"extendedFileMetadata", false, func(a *Action) any { return &a.Remove.ExtendedMetadata }},
		{"partitionValues", false, func(a *Action) any { return &a.Remove.PartitionValues }},
		{"size", false, func(a *Action) any { return &a.Remove.Size }},
	}},
	{"metaData", func(a *Action) bool { return a.MetaData != nil }, func(a *Action) { a.MetaData = new(MetaData) }, []member{
		{"id", true, func(a *Action) any { return &a.MetaData.ID }},
		{"name", false, func(a *Action) any { return &a.MetaData.Name }},
		{"description", false, func(a *Action) any { return &a.MetaData.Description }},
		{"format.provider", true, func(a *Action) any { return &a.MetaData.Format.Provider }},
		{"format.options", true, func(a *Action) any { return &a.MetaData.Format.Options }},
		{"schemaString", true, func(a *Action) any { return &a.MetaData.SchemaString }},
		{"partitionColumns", true, func(a *Action) any { return &a.MetaData.PartitionColumns }},
		{"configuration", true, func(a *Action) any { return &a.MetaData.Configuration }},
		{"createdTime", false, func(a *Action) any { return &a.MetaData.CreatedTime }},
	}},
	{"protocol", func(a *Action) bool { return a.Protocol != nil }, func(a *Action) { a.Protocol = new(Protocol) }, []member{
		{"minReaderVersion", true, func(a *Action) any { return &a.Protocol.MinReaderVersion }},
		{"minWriterVersion", true, func(a *Action) any { return &a.Protocol.MinWriterVersion }},
		{"readerFeatures", false, func(a *Action) any { return &a.Protocol.ReaderFeatures }},
		{"writerFeatures", false, func(a *Action) any { return &a.Protocol.WriterFeatures }},
	}},
}

// depth is the definition level of a member that has a value: nothing on the
// way to it is required, as Spark writes it, and a reader that wants it
// required finds no NULL.
func (m member) depth() int16 { return int16(2 + strings.Count(m.name, ".")) }

// blank is the field of a member before it has a value; its type is the type
// of the column.
func (k actionKind) blank(m member) any {
	var a Action
	k.make(&a)
	return m.field(&a)
}

// leaves is how many leaf columns hold a member, and how often their values
// can come again in one row.
func (k actionKind) leaves(m member) (n int, repeated int16) {
	switch k.blank(m).(type) {
	case *[]string:
		return 1, 1
	case *map[string]string, *map[string]*string:
		return 2, 1
	default:
		return 1, 0
	}
}

// checkpointSchema is the Parquet schema of what this package writes.
func checkpointSchema() (*schema.GroupNode, error) {
	var kinds schema.FieldList
	for _, k := range actionKinds {
		fields, err := k.nodes(k.members, "")
		if err != nil {
			return nil, err
		}
		n, err := schema.NewGroupNode(k.name, parquet.Repetitions.Optional, fields, -1)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, n)
	}
	return schema.NewGroupNode("schema", parquet.Repetitions.Required, kinds, -1)
}

// nodes are the fields of the struct that prefix names.
func (k actionKind) nodes(members []member, prefix string) (fields schema.FieldList, err error) {
	for i := 0; i < len(members); i++ {
		name := members[i].name[len(prefix):]
		var n schema.Node
		if outer, _, nested := strings.Cut(name, "."); nested {
			inner := prefix + outer + "."
			first := i
			for i+1 < len(members) && strings.HasPrefix(members[i+1].name, inner) {
				i++
			}
			below, err := k.nodes(members[first:i+1], inner)
			if err != nil {
				return nil, err
			}
			n, err = schema.NewGroupNode(outer, parquet.Repetitions.Optional, below, -1)
			if err != nil {
				return nil, err
			}
		} else if n, err = memberNode(name, k.blank(members[i])); err != nil {
			return nil, err
		}
		fields = append(fields, n)
	}
	return fields, nil
}

func memberNode(name string, field any) (schema.Node, error) {
	optional := parquet.Repetitions.Optional
	switch field.(type) {
	case *int:
		return schema.NewInt32Node(name, optional, -1), nil
	case *int64:
		return schema.NewInt64Node(name, optional, -1), nil
	case *bool:
		return schema.NewBooleanNode(name, optional, -1), nil
	case *[]string:
		return schema.ListOfWithName(name, textNode("element", optional), optional, -1)
	case *map[string]string, *map[string]*string:
		return schema.MapOf(name, textNode("key", parquet.Repetitions.Required), textNode("value", optional), optional, -1)
	default:
		return textNode(name, optional), nil
	}
}

func textNode(name string, rep parquet.Repetition) schema.Node {
	return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1))
}
