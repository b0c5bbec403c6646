package query_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query"
	"mdcalake/store"
)

func dictionaryOf(t *testing.T, e *query.Engine, o query.DictionaryOptions) map[string]query.DictionaryTable {
	t.Helper()
	tables, err := e.Dictionary(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]query.DictionaryTable{}
	for _, table := range tables {
		out[table.Name] = table
	}
	return out
}

func columnOf(t *testing.T, d map[string]query.DictionaryTable, table, column string) query.DictionaryColumn {
	t.Helper()
	for _, c := range d[table].Columns {
		if c.Name == column {
			return c
		}
	}
	t.Fatalf("%s has no column %q", table, column)
	return query.DictionaryColumn{}
}

func TestTheDictionaryHasEveryColumnWithItsMeaning(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	d := dictionaryOf(t, e, query.DictionaryOptions{})
	for _, table := range query.TableNames() {
		var names, types []string
		for _, c := range d[table].Columns {
			names, types = append(names, c.Name), append(types, c.Type)
			if c.Meaning == "" && c.Source == "" {
				t.Errorf("%s.%s has no meaning", table, c.Name)
			}
		}
		if got := csv(t, e, "SELECT column_name FROM (DESCRIBE "+table+")"); got != strings.Join(names, " ") {
			t.Errorf("the columns of %s are %s, the dictionary has %v", table, got, names)
		}
		for i, typ := range strings.Split(csv(t, e, "SELECT replace(replace(column_type, 'TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ'), ' ', '_') FROM (DESCRIBE "+table+")"), " ") {
			if want := strings.ReplaceAll(types[i], " ", "_"); strings.ReplaceAll(strings.Trim(typ, `"`), `""`, "") != want && !strings.Contains(typ, "STRUCT") {
				t.Errorf("%s.%s has type %s, the dictionary says %s", table, names[i], typ, want)
			}
		}
		if d[table].Meaning == "" {
			t.Errorf("%s has no meaning", table)
		}
	}
}

func TestTheDictionaryCountsWhatIsFilled(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	d := dictionaryOf(t, e, query.DictionaryOptions{})
	for _, c := range []struct {
		table, column string
		rows, filled  int64
		examples      []string
		shapes        bool
	}{
		{"activities", "created", 96, 92, []string{"2026-03-01T00:05:00.000Z", "2026-03-01T01:05:00.000Z", "2026-03-01T02:05:00.000Z"}, false},
		{"activities", "app_name", 96, 96, []string{"App 11161", "App 20893"}, false},
		{"activities", "is_success", 96, 96, []string{"false", "true"}, false},
		{"activities", "user_name", 96, 96, []string{"aaaa9@aaaaaaa.aaa"}, true},
		{"activities", "ip", 96, 96, []string{"999.9.999.99", "999.9.999.9"}, true},
		{"activities", "user_tags", 96, 92, []string{`["a",aaaa,"aa'a"]`}, true},
		{"activities", "severity", 96, 0, nil, false},
		{"activities", "raw", 96, 96, nil, false},
		{"activities", "objects", 96, 96, nil, false},
		{"revisions", "replaced_by_hash", 3, 3, []string{"7"}, false},
		{"quarantine", "reason", 2, 2, []string{"no _id"}, false},
		{"quarantine", "bytes", 2, 2, nil, false},
		{"quarantine", "times_seen", 2, 2, []string{"1", "3"}, false},
		{"runs", "ended", 2, 1, []string{"2026-03-01T00:01:00.000Z"}, false},
		{"runs", "host", 2, 1, []string{"aaaaa://a.aaaaaaa"}, true},
		{"coverage", "service", 3, 1, []string{"20893"}, false},
	} {
		got := columnOf(t, d, c.table, c.column)
		if *d[c.table].Rows != c.rows || *got.Filled != c.filled || *got.FillRate != float64(c.filled)/float64(c.rows) {
			t.Errorf("%s.%s: %d of %d rows, want %d of %d", c.table, c.column, *got.Filled, *d[c.table].Rows, c.filled, c.rows)
		}
		if diff := cmp.Diff(c.examples, got.Examples); diff != "" || got.Shapes != c.shapes {
			t.Errorf("%s.%s: shapes %v, examples (- want, + have):\n%s", c.table, c.column, got.Shapes, diff)
		}
	}
	if c := columnOf(t, dictionaryOf(t, e, query.DictionaryOptions{Values: true}), "activities", "user_name"); c.Shapes || !slices.Equal(c.Examples, []string{"user0@example.com", "user1@example.com", "user2@example.com"}) {
		t.Errorf("with values: %+v", c)
	}
	for _, table := range dictionaryOf(t, e, query.DictionaryOptions{NoExamples: true}) {
		for _, c := range table.Columns {
			if len(c.Examples) > 0 {
				t.Errorf("%s.%s has examples %v", table.Name, c.Name, c.Examples)
			}
		}
	}
}

func TestTheDictionaryOfATimeAndOfATable(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 3))
	d := dictionaryOf(t, e, query.DictionaryOptions{Tables: []string{"activities"}, Since: firstDay.Add(36 * time.Hour), Until: firstDay.Add(60 * time.Hour)})
	if len(d) != 1 || *d["activities"].Rows != 48 {
		t.Errorf("%d tables, %d rows", len(d), *d["activities"].Rows)
	}
	if c := columnOf(t, d, "activities", "date"); !slices.Equal(c.Examples, []string{"2026-03-02", "2026-03-03"}) {
		t.Errorf("days: %v", c.Examples)
	}
}

func TestTheDictionaryOfALakeWithoutRows(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	d := dictionaryOf(t, e, query.DictionaryOptions{})
	if c := columnOf(t, d, "activities", "ip"); *d["activities"].Rows != 0 || *c.Filled != 0 || c.FillRate != nil || c.Examples != nil {
		t.Errorf("%+v", c)
	}
}

// Of a year only the newest days are read for examples.
func TestExamplesAreOfTheNewestDays(t *testing.T) {
	s := newLake(t, t.TempDir(), 4)
	for i := range s.Files {
		s.Files[i].Rows = 20_000 // as the log says; three cells have enough
	}
	d := dictionaryOf(t, open(t, s), query.DictionaryOptions{Tables: []string{"activities"}})
	if c := columnOf(t, d, "activities", "date"); !slices.Equal(c.Examples, []string{"2026-03-02", "2026-03-03", "2026-03-04"}) || *c.Filled != 192 {
		t.Errorf("days: %v of %d rows", c.Examples, *c.Filled)
	}
}

func TestColumnsThatNamePeopleAreMarked(t *testing.T) {
	personal := 0
	for _, c := range store.Columns {
		if c.Personal {
			personal++
		}
		if slices.Contains([]string{"user_name", "actor_id", "actor_name", "ip", "other_ips", "description", "user_agent", "raw", "raw_original", "objects", "object_id"}, c.Name) && !c.Personal {
			t.Errorf("%s is not marked", c.Name)
		}
	}
	if personal == len(store.Columns) {
		t.Error("every column is marked")
	}
}
