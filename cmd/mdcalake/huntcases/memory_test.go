package huntcases

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/query/hunts"
)

// A hunt may look at the events as often as it likes: each look takes the records
// apart, with memory of its own, and where that is too much, it is done once for
// all of them.
func TestAHuntThatLooksOftenFindsItsMemory(t *testing.T) {
	const records, looks = 4_200, 24
	since := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	user := "ada@contoso.example"
	var many []map[string]any
	for i := range 300 {
		many = append(many, map[string]any{"n": i, "t": "abc"})
	}
	e := huntCase{Since: since, Until: since.AddDate(0, 0, 1), Events: []event{{
		At: since, Times: records, Every: hunts.Duration(time.Second), User: &user, Raw: map[string]any{"A": "a%d", "B": "b", "Many": many},
	}}}.lake(t, "175MiB") // once takes some 130, so many looks some 250
	h, err := hunts.Parse([]byte(`id: 00000000-0000-4000-8000-000000000001
name: looks
title: It looks at the events again and again
description: It looks at the events again and again.
severity: low
tactics: [Discovery]
techniques: [T1087]
needs: [activity_id, timestamp, user_name, ip, country, app_name, raw.A, raw.B]
false_positives: [everything]
source: [here]
sql: |
  SELECT min(timestamp) AS first_seen, max(timestamp) AS last_seen, min(user_name) AS user_name, min(ip) AS ip, min(country) AS country, min(app_name) AS app_name,
    count(*) AS count, format('{} and {}', count(a), count(b)) AS why, list(activity_id) AS activity_ids
  FROM (` + strings.Join(slices.Repeat([]string{`SELECT *, "raw.A" AS a, "raw.B" AS b FROM hunted`}, looks), " UNION ALL ") + ")\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := hunts.Prepare(e, h, hunts.Request{Since: since, Until: since.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, e, plan)
	if why := fmt.Sprintf("%d and %d", looks*records, looks*records); len(got) != 1 || got[0].Count != looks*records || got[0].Why != why {
		t.Errorf("got %+v, want one finding with %q", got, why)
	}
}
