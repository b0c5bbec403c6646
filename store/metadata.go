package store

import (
	"fmt"
	"time"

	"mdcalake/store/delta"
)

// tableMetaData describes `activities` in its first entry.
func tableMetaData(id string, created time.Time) (*delta.MetaData, error) {
	var fields delta.Struct
	for _, c := range Columns {
		fields = append(fields, delta.Field{Name: c.Name, Type: deltaType(c.Type), Nullable: !c.Required})
	}
	text, err := delta.SchemaString(fields)
	if err != nil {
		return nil, err
	}
	return &delta.MetaData{
		ID: id, Name: "activities", Description: "Microsoft Defender for Cloud Apps activities, collected by mdcalake",
		Format: delta.Format{Provider: "parquet", Options: map[string]string{}}, SchemaString: text,
		PartitionColumns: []string{"date", "service"}, CreatedTime: created.UnixMilli(),
		Configuration: tableProperties(),
	}, nil
}

// tableProperties are what other programs have to know.
func tableProperties() map[string]string {
	return map[string]string{
		// The entries are the chain of custody: no other tool may clean them up.
		"delta.enableExpiredLogCleanup": "false",
		"delta.logRetentionDuration":    "interval 36500 days",
		"mdcalake.schemaVersion":        fmt.Sprint(SchemaVersion),
	}
}

func deltaType(t Type) any {
	switch t {
	case TypeStrings:
		return delta.ArrayOf{Element: "string"}
	case TypeObjects:
		var members delta.Struct
		for _, m := range objectFields {
			members = append(members, delta.Field{Name: m.name, Type: string(m.typ), Nullable: true})
		}
		return delta.ArrayOf{Element: members}
	default:
		return string(t)
	}
}
