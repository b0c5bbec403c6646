package ingest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
	"mdcalake/store"
)

// Records of stories and of the noise are as good as any: every column is lifted
// without drift, and a hunt finds in the columns what the truth says.
func TestStoriesAreLiftedWithoutDrift(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s, err := simulator.New(simulator.Options{Seed: 7, Count: -1, Days: 120, Stories: []string{simulator.StoriesAll}, Noise: true, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	stories := map[string]simulator.Story{}
	for _, st := range s.Stories() {
		for _, id := range st.Records {
			stories[id] = st
		}
	}
	d, row := ingest.NewDecoder(), new(store.Row)
	found, noise := 0, 0
	for p := range s.Expected() {
		record := p.Bytes()
		if err := d.Decode(record, row); err != nil {
			t.Fatalf("%v: %.500s", err, record)
		}
		if row.Drift != 0 || row.Original != nil {
			t.Fatalf("drift in %q: %.3000s", drifted(row.Drift), record)
		}
		got := rendered(row)
		for _, column := range []string{"user_name", "ip", "country", "latitude", "action", "app_id", "user_agent", "isp"} {
			if got[column] == "" || got[column] == "NULL" {
				t.Errorf("%s is not lifted: %.3000s", column, record)
			}
		}
		st, planted := stories[*p.ID]
		if !planted {
			noise++
			continue
		}
		found++
		if user := strings.Trim(got["user_name"], `"`); !slices.Contains(st.Users, user) {
			t.Errorf("%s: user_name is %q, want one of %q", st.Name, user, st.Users)
		}
	}
	if found != len(stories) || found < 1500 || noise < 2000 {
		t.Errorf("%d records of stories, truth %d; %d of the noise", found, len(stories), noise)
	}
}
