package query_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestTablesOfThePrompt(t *testing.T) {
	for days, want := range map[int][]string{
		0:  {"activities 0 one row", "\nruns 0 "},
		30: {"activities 1,440 one row", "\nrevisions 3 ", "\nquarantine 2 ", "\nruns 2 ", "\ncloud_app_events 1,440 "},
	} {
		t.Run(strconv.Itoa(days)+" days", func(t *testing.T) {
			got := regexp.MustCompile(" +").ReplaceAllString(open(t, newLake(t, t.TempDir(), days)).Tables(), " ")
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%q is missing in\n%s", w, got)
				}
			}
		})
	}
}

func TestSchemaOfThePrompt(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for table, want := range map[string]string{
		"activities": "column,type,meaning\nactivity_id,VARCHAR,", "RUNS": "column,type,meaning\nrun_id,VARCHAR,",
		"": "table,column,type,meaning\nactivities,activity_id,VARCHAR,",
	} {
		sql, err := query.SchemaSQL(table)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf(".schema %s: %v\n%.200s", table, err, got)
		}
	}
	got, _, _ := tryAnswer(t.Context(), e, query.CSV, mustSchema(t, ""), query.WriteOptions{})
	if strings.Contains(got, "mdca_private") || strings.Contains(got, "\nseen,") {
		t.Error("the private table is shown")
	}
	_, err := query.SchemaSQL("activitys")
	if wrong, ok := err.(*query.CommandError); !ok || !strings.Contains(wrong.Explain(), `Did you mean "activities"?`) {
		t.Errorf("%v", err)
	}
}

func mustSchema(t *testing.T, table string) string {
	t.Helper()
	sql, err := query.SchemaSQL(table)
	if err != nil {
		t.Fatal(err)
	}
	return sql
}
