package delta

import "encoding/json"

// Field is a column of the table. Type is a name of a primitive type, an
// ArrayOf or a Struct.
type Field struct {
	Name     string
	Type     any
	Nullable bool
}

// ArrayOf is the type of a list whose elements may be NULL.
type ArrayOf struct{ Element any }

// Struct is the type of a nested record.
type Struct []Field

type schemaField struct {
	Name     string         `json:"name"`
	Type     any            `json:"type"`
	Nullable bool           `json:"nullable"`
	Metadata map[string]any `json:"metadata"`
}

type schemaStruct struct {
	Type   string        `json:"type"`
	Fields []schemaField `json:"fields"`
}

type schemaArray struct {
	Type         string `json:"type"`
	ElementType  any    `json:"elementType"`
	ContainsNull bool   `json:"containsNull"`
}

func schemaType(t any) any {
	switch t := t.(type) {
	case ArrayOf:
		return schemaArray{Type: "array", ElementType: schemaType(t.Element), ContainsNull: true}
	case Struct:
		s := schemaStruct{Type: "struct", Fields: []schemaField{}}
		for _, f := range t {
			s.Fields = append(s.Fields, schemaField{Name: f.Name, Type: schemaType(f.Type), Nullable: f.Nullable, Metadata: map[string]any{}})
		}
		return s
	default:
		return t
	}
}

// SchemaString is the schema as metaData holds it.
func SchemaString(s Struct) (string, error) {
	b, err := json.Marshal(schemaType(s))
	return string(b), err
}
