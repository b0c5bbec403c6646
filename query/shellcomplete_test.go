package query_test

import (
	"slices"
	"strings"
	"testing"

	"mdcalake/query"
)

func TestCompletion(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	hunts := []query.Hunt{{Name: "first-seen", About: "x"}}
	for _, c := range []struct {
		entry string   // | is the cursor
		first []string // what is offered first, in this order
		none  []string // what is not
	}{
		{"sel|", []string{"select "}, []string{"set ", "delete "}},
		{"|", []string{"table ", "desc "}, []string{"copy ", "attach ", "call ", "set ", "insert ", "("}},
		{"explain analyze su|", []string{"summarize "}, nil},
		{"SEL|", []string{"SELECT "}, nil},
		{"select us|", []string{"user_name", "user_tags", "user_agent"}, nil},
		{"select US|", []string{"user_name"}, nil},
		{"select us| from runs", nil, nil},
		{"select rec| from runs", []string{"records"}, nil},
		{"select ra|", []string{"raw", "raw_original", "raw_text("}, nil},
		{"select raw_|", []string{"raw_original", "raw_text("}, nil},
		{"select ac| from activities", []string{"action", "activity_kind"}, []string{`"action"`, "action "}},
		{`select "us|`, []string{`"user_name"`, `"user_tags"`}, []string{"user_name"}},
		{"select count(*) from act|", []string{"activities"}, []string{"action", "character_sets"}},
		{"from ru|", []string{"runs"}, nil},
		{"from activities a join runs r on a.run_id = r.r|", []string{"run_id", "requests", "records", "revisions"}, []string{"region", "raw"}},
		{"from activities as x where x.cou|", []string{"country"}, nil},
		{"select runs.out| from runs", []string{"outcome"}, []string{"out "}},
		{"select nobody.us|", nil, []string{"user_name"}},
		{"select objects[1].na|", []string{"name"}, []string{"national "}},
		{"select o.na| from activities o", nil, nil},
		{"select '日本', us|", []string{"user_name"}, nil},
		{"select 'us|", nil, []string{"user_name"}},
		{"select 'it''s us|", nil, []string{"user_name"}},
		{"select 1 -- us|", nil, []string{"user_name"}},
		{"select 1 /* us|", nil, []string{"user_name"}},
		{"select 1; -- done\nselect us|", []string{"user_name"}, nil},
		{"select json_ex|", []string{"json_exists(", "json_extract("}, []string{"json_execute_serialized_sql("}},
		{"from json_e|", []string{"json_each("}, []string{"json_execute_serialized_sql("}},
		{"from read_|", nil, []string{"read_csv(", "read_parquet("}},
		{"select date_tr|", []string{"date_trunc("}, nil},
		{"select write_l|", nil, []string{"write_log("}},
		{"select * from activities where user_name = 'a' an|", []string{"and "}, nil},
		{"select * from activities o|", []string{"offset ", "order "}, []string{"os"}},
		{"select 1 |", []string{"as ", "from "}, []string{"<", "= ", "->> "}},
		{"selct usr, us|", []string{"user_name"}, nil}, // DuckDB gives up, we do not
		{"select 1; selec|", []string{"select "}, nil},
		{".|", []string{".help ", ".tables"}, nil},
		{".m|", []string{".mode ", ".max-rows "}, nil},
		{".mode js|", []string{"json", "jsonl"}, nil},
		{".schema r|", []string{"revisions", "runs"}, nil},
		{"select 1;\n.timer |", []string{"on", "off"}, nil},
		{".hunts f|", []string{"first-seen"}, nil},
		{".x y|", nil, []string{"y"}},
	} {
		before, after, _ := strings.Cut(c.entry, "|")
		got, err := e.Complete(t.Context(), before+after, len(before), hunts)
		if err != nil {
			t.Errorf("%s: %v", c.entry, err)
			continue
		}
		var texts []string
		for _, s := range got.Items {
			texts = append(texts, s.Text)
			if !strings.HasPrefix(strings.ToLower(s.Text), strings.ToLower(before[got.Start:])) {
				t.Errorf("%s offers %q for %q", c.entry, s.Text, before[got.Start:])
			}
		}
		last := -1
		for _, w := range c.first {
			i := slices.Index(texts, w)
			if i <= last {
				t.Errorf("%s does not offer %q, or not where it should: %.12q", c.entry, w, texts)
				break
			}
			last = i
		}
		for _, w := range c.none {
			if slices.Contains(texts, w) {
				t.Errorf("%s offers %q", c.entry, w)
			}
		}
		if len(texts) > 50 {
			t.Errorf("%s offers %d things", c.entry, len(texts))
		}
	}
}

func TestCompletionOfFileNames(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	for entry, start := range map[string]int{".read a": 6, ".output  'a b": 9, "select 1;\n.read ": 16} {
		got, err := e.Complete(t.Context(), entry, len(entry), nil)
		if err != nil || !got.Path || got.Start != start || len(got.Items) > 0 {
			t.Errorf("%q: %+v (%v), want a path from %d", entry, got, err, start)
		}
	}
}

// TestCompletionLooksAtNoDisk: the file system is locked for it as well.
func TestCompletionLooksAtNoDisk(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 1))
	for _, entry := range []string{"from 'act", "from \"act", "from read_csv('act", "from activities/", "copy runs to '"} {
		got, err := e.Complete(t.Context(), entry, len(entry), nil)
		if err != nil {
			t.Errorf("%q: %v", entry, err)
		}
		for _, s := range got.Items {
			if strings.Contains(s.Text, "/") || strings.Contains(s.Text, "parquet") {
				t.Errorf("%q offers %q", entry, s.Text)
			}
		}
	}
}
