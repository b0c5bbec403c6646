package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"mdcalake/query"
	"mdcalake/store"
)

// How late records come, by service: from the event to its saving, and from its
// saving to our first fetch of it. The second can be told only of what was saved
// while a tail followed: a backfill fetches what lay there for days. It goes by
// the time at which a commit was begun: what was saved after that counts as seen
// at once.

// lagsReach is how far back records count.
const lagsReach = 30 * 24 * time.Hour

// serviceLags are the lags of one service, in seconds.
type serviceLags struct {
	Service    int64    `json:"service"`
	AppName    string   `json:"app_name,omitempty"`
	Records    int64    `json:"records"`
	Late50     *float64 `json:"lateness_p50_s"`
	Late99     *float64 `json:"lateness_p99_s"`
	LateMax    *float64 `json:"lateness_max_s"`
	Followed   int64    `json:"followed_records"`
	Visible50  *float64 `json:"visibility_p50_s"`
	Visible999 *float64 `json:"visibility_p999_s"`
	VisibleMax *float64 `json:"visibility_max_s"`
}

const lagsSQL = `
with followed as (
  select run_id, min(started) as started from runs
  where run_id in (select run_id from coverage where since_created is not null) group by run_id),
seen as (
  select service, app_name, epoch(created) - epoch(timestamp) as late,
    case when created >= followed.started then greatest(epoch(ingested) - epoch(created), 0) end as visible
  from activities left join followed using (run_id)
  where date >= '%s' and created is not null)
select service, any_value(app_name) as app_name, count(*) as records,
  quantile_cont(late, 0.5) as lateness_p50_s, quantile_cont(late, 0.99) as lateness_p99_s, max(late) as lateness_max_s,
  count(visible) as followed_records,
  quantile_cont(visible, 0.5) as visibility_p50_s, quantile_cont(visible, 0.999) as visibility_p999_s, max(visible) as visibility_max_s
from seen group by service order by records desc, service`

// readLags asks the lake for the lags of the last month.
func readLags(ctx context.Context, dir string, now time.Time) (lags []serviceLags, err error) {
	lake, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer lake.Close()
	if len(lake.Snapshot().Files) == 0 {
		return nil, nil
	}
	engine, err := query.Open(ctx, query.Options{Snapshot: lake.Snapshot(), TempDir: os.TempDir()})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	err = query.Each(ctx, engine, fmt.Sprintf(lagsSQL, now.Add(-lagsReach).UTC().Format(time.DateOnly)), func(l serviceLags) error {
		lags = append(lags, l)
		return nil
	})
	return lags, err
}

// shownLags is how many services people are shown; JSON has all.
const shownLags = 10

// lagsText tells the lags in a line a service.
func lagsText(lags []serviceLags) string {
	var b strings.Builder
	for i, l := range lags {
		name := ""
		if i == 0 {
			name = "lateness"
		}
		if i == shownLags {
			fmt.Fprintf(&b, "%-11sand %s; -o json has all\n", "", things(int64(len(lags)-i), "service more", "services more"))
			break
		}
		of := fmt.Sprint(l.Service)
		if l.AppName != "" {
			of = query.Visible(l.AppName)
		}
		fmt.Fprintf(&b, "%-11s%s: saved %s after the event (99 %%: %s, at most %s)", name, of, span(l.Late50), span(l.Late99), span(l.LateMax))
		if l.Followed > 0 {
			fmt.Fprintf(&b, "; fetched %s after that (99.9 %%: %s, at most %s)", span(l.Visible50), span(l.Visible999), span(l.VisibleMax))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// span is a number of seconds for people.
func span(seconds *float64) string {
	if seconds == nil {
		return "?"
	}
	d := time.Duration(*seconds * float64(time.Second))
	switch {
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}
