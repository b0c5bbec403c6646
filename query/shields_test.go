package query_test

import (
	"strings"
	"testing"

	"mdcalake/query"
)

func TestTextsOfManyLevelsDoNotEndTheProcess(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	const list, object = "repeat('[', 200000) || repeat(']', 200000)", `repeat('{"a":', 200000) || '1' || repeat('}', 200000)`
	for _, sql := range []string{
		"SELECT json_structure(" + list + ")", "SELECT JSON_STRUCTURE((" + list + ")::JSON)", "SELECT json_group_structure(x) FROM (SELECT " + list + " AS x)",
		"SELECT json_contains(" + list + ", '1')", "SELECT json_contains('[1]', " + list + ")", "SELECT json_merge_patch(" + object + ", " + object + ")",
		"SELECT json_merge_patch('{}', '{}', " + object + ")", "SELECT (" + list + ").json_structure()", `SELECT "json_structure"(` + list + ")",
	} {
		_, _, err := tryAnswer(t.Context(), e, query.CSV, sql, query.WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), "more than 10000 brackets") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
