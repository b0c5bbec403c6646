package simulator_test

import (
	"fmt"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

func TestAConnectedAppBringsItsLastDaysAtOnce(t *testing.T) {
	const box = 10489
	at1 := now.AddDate(0, 0, -5)
	clock := simulator.NewClock(at1.Add(-time.Millisecond))
	for _, spread := range []time.Duration{0, 4 * time.Hour} {
		clock.Set(at1.Add(-time.Millisecond))
		o := simulator.Options{
			Seed: 4, Count: 3000, Start: now.AddDate(0, 0, -30), End: now, Services: []int64{box, 20893}, Clock: clock.Now,
			Connector: simulator.Connector{Service: box, At: at1, Spread: spread},
		}
		s := newSim(t, o)
		c := client{t: t, s: s}
		count := func() int { return *c.post(fmt.Sprintf(`{"filters":{"service":{"eq":%d}}}`, box)).Total }
		if n := count(); n != 0 {
			t.Fatalf("%d records before it was connected", n)
		}
		clock.Set(at1.Add(spread))
		got, _ := c.scan(fmt.Sprintf(`{"service":{"eq":%d}}`, box), `,"limit":250`, 60)
		if len(got) < 10 {
			t.Fatalf("%d records when it is connected", len(got))
		}
		savedAt := map[int64]bool{}
		for _, b := range got {
			ts, created := time.UnixMilli(facet(t, b, "timestamp")), time.UnixMilli(facet(t, b, "created"))
			if ts.Before(at1.AddDate(0, 0, -7)) || ts.After(clock.Now()) || created.Before(at1) || created.After(at1.Add(spread)) {
				t.Fatalf("event at %s, saved at %s", ts, created)
			}
			savedAt[created.UnixMilli()] = true
		}
		if spread == 0 != (len(savedAt) == 1) {
			t.Errorf("spread over %s: %d save times of %d records", spread, len(savedAt), len(got))
		}
		sameSet(t, func() [][]byte { all, _ := c.scan(`{}`, `,"limit":250`, 60); return all }(), truth(s))
		clock.Set(now.AddDate(0, 0, 9))
		if n := *c.post(`{}`).Total; n != 3000 {
			t.Errorf("%d records in the end, want 3000", n)
		}
		if later := count(); later <= len(got) {
			t.Errorf("%d records of the app in the end, %d when it was connected", later, len(got))
		}
	}
}

func TestConnectorsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		connector simulator.Connector
		services  []int64
	}{
		{simulator.Connector{Service: 10489}, nil},
		{simulator.Connector{At: now}, nil},
		{simulator.Connector{Service: 1, At: now}, nil},
		{simulator.Connector{Service: 10489, At: now, Days: -1}, nil},
		{simulator.Connector{Service: 10489, At: now}, []int64{10489}},
	} {
		if _, err := simulator.New(simulator.Options{Connector: c.connector, Services: c.services}); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestRecordsAreShownSomeTimeAfterTheirSave(t *testing.T) {
	const lag = 10 * time.Minute
	begin := now.AddDate(0, 0, -1)
	clock := simulator.NewClock(begin)
	o := simulator.Options{Seed: 4, Count: 2000, Days: 2, Start: begin.Add(-day), End: now, Clock: clock.Now, Revisions: 0.1}
	plain := newSim(t, o)
	o.VisibleLag = lag
	s := newSim(t, o)
	ids := func(s *simulator.Simulator) map[string]bool {
		list := map[string]bool{}
		for p := range s.Expected() {
			list[string(p.Bytes())] = true
		}
		return list
	}
	late, seen := 0, 0
	for range 6 {
		clock.Advance(time.Hour)
		want, got := ids(plain), ids(s)
		for b := range want {
			created := time.UnixMilli(facet(t, []byte(b), "created"))
			if !got[b] && clock.Now().Sub(created) > lag {
				t.Fatalf("saved at %s, hidden at %s", created, clock.Now())
			}
			if !got[b] {
				late++
			} else if clock.Now().Sub(created) < lag {
				seen++
			}
		}
		if len(got) > len(want) {
			t.Errorf("%d records with a lag, %d without", len(got), len(want))
		}
		for _, rest := range []string{``, `,"sortField":"created"`} {
			records, _ := client{t: t, s: s}.scan(`{}`, `,"limit":300`+rest, 60)
			if len(records) != len(got) {
				t.Errorf("a scan%s gives %d records, the truth has %d", rest, len(records), len(got))
			}
		}
		if total := *(client{t: t, s: s}).post(`{}`).Total; total != len(got) {
			t.Errorf("total %d, the truth has %d", total, len(got))
		}
	}
	if late < 3 || seen < 4*late {
		t.Errorf("%d records were hidden and %d shown within %s after their save, want some and mostly these", late, seen, lag)
	}
	clock.Set(now.AddDate(0, 0, 9))
	if a, b := len(ids(plain)), len(ids(s)); a != b {
		t.Errorf("in the end %d records with a lag, %d without", b, a)
	}
}
