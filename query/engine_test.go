package query_test

import "testing"

func TestTablesOfTheLake(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 3))
	for _, c := range []struct{ sql, want string }{
		{"select count(*) from activities", "144"},
		{"select count(*) from activities where date = '2026-03-02' and service = 20893", "24"},
		{"select count(*) from activities where timestamp >= '2026-03-02' and timestamp < '2026-03-02 12:00:00'", "24"},
		{"select distinct date, service from activities order by all", "2026-03-01,11161 2026-03-01,20893 2026-03-02,11161 2026-03-02,20893 2026-03-03,11161 2026-03-03,20893"},
		{"select count(*), min(replaced) from revisions", "3,2026-04-02T00:00:00Z"},
		{"select content_hash, last_seen, times_seen, bytes from quarantine order by 1", `hash0,2026-04-01T00:00:00Z,1,7b2262726f6b656e22ff hash1,2026-04-03T04:05:06.007Z,3,7b2262726f6b656e22ff`},
		{"select run_id, started, ended, clock_offset_ms, records, log_version from runs order by 1", "run-1,2026-03-01T00:00:00Z,2026-03-01T00:01:00Z,-12,50,1 run-2,2026-03-01T01:00:00Z,,,0,2"},
		{"select service, state, since_created, through_created, reason from coverage order by state", ",complete,,2026-03-03T00:00:00Z, 20893,failed,,,HTTP 500 ,filtered,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,"},
		{"select raw_text(raw, '$.x') from activities where raw_text(raw, '$.n') = '7' limit 1", "y7"},
		{"select 1", "1"},
	} {
		if got := csv(t, e, c.sql); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.sql, got, c.want)
		}
	}
}
