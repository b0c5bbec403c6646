package simulator_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

func TestRateLimitFollowsItsClock(t *testing.T) {
	clock := now
	o := simulator.Options{Count: 10, RatePerMinute: simulator.DefaultRate, RateClock: func() time.Time { return clock }}
	s := newSim(t, o)
	c := client{t: t, s: s}
	for i := range simulator.DefaultRate {
		if a := c.do("GET", "/api/v1/activities/nothing/", "", ""); a.Status != 404 {
			t.Fatalf("request %d: %d", i, a.Status)
		}
		clock = clock.Add(time.Second)
	}
	a := c.post(`{}`)
	if a.Status != 429 || a.Header.Get("Retry-After") != "30" || string(a.Body) != `{"detail":"Request was throttled. Expected available in 30 seconds."}` {
		t.Errorf("over the limit: %d, Retry-After %q, %s", a.Status, a.Header.Get("Retry-After"), a.Body)
	}
	clock = clock.Add(29 * time.Second)
	if a := c.post(`{}`); a.Status != 429 {
		t.Errorf("too early: %d", a.Status)
	}
	clock = clock.Add(time.Second)
	if a := c.post(`{}`); a.Status != 200 {
		t.Errorf("after the wait: %d", a.Status)
	}
	if a := c.post(`{}`); a.Status != 429 {
		t.Errorf("only one came free: %d", a.Status)
	}
	if st := s.Stats(); st.Throttled != 3 {
		t.Errorf("%d throttled, want 3", st.Throttled)
	}

	o.RatePerMinute = 1
	o.Throttle = simulator.Throttle{NoRetryAfter: true, Body: simulator.ThrottleNested}
	s = newSim(t, o)
	c = client{t: t, s: s}
	c.post(`{}`)
	a = c.post(`{}`)
	if a.Status != 429 || a.Header.Get("Retry-After") != "" || !strings.HasSuffix(string(a.Body), `60 seconds."}}`) {
		t.Errorf("nested: %d %v %s", a.Status, a.Header, a.Body)
	}
	o.Throttle.Body = simulator.ThrottleEmpty
	s = newSim(t, o)
	c = client{t: t, s: s}
	c.post(`{}`)
	if a = c.post(`{}`); a.Status != 429 || len(a.Body) != 0 {
		t.Errorf("empty: %d %q", a.Status, a.Body)
	}
}

func TestThrottledAnswerOnTheWire(t *testing.T) {
	srv := startAt(t, simulator.Options{Count: 50, RatePerMinute: 1})
	if _, _, err := overWire(t, srv); err != nil {
		t.Fatal(err)
	}
	res, body, err := overWire(t, srv)
	if err != nil || res.Status != "429 TOO MANY REQUESTS" || res.Header.Get("Retry-After") != "60" || !json.Valid(body) {
		t.Errorf("%v %v %s", err, res, body)
	}
	if want := now.Format(http.TimeFormat); res.Header.Get("Date") != want {
		t.Errorf("Date %q, want %q", res.Header.Get("Date"), want)
	}
}

func TestFormsOfAThrottledAnswer(t *testing.T) {
	for _, c := range []struct {
		throttle simulator.Throttle
		retry    string
		body     string
	}{
		{simulator.Throttle{}, "60", `{"detail":"Request was throttled. Expected available in 60 seconds."}`},
		{simulator.Throttle{RetryAfter: simulator.RetryAfterDate}, now.Add(2*time.Hour + time.Minute).Format(http.TimeFormat), `{"detail":`},
		{simulator.Throttle{RetryAfter: simulator.RetryAfterZero}, "0", `{"detail":`},
		{simulator.Throttle{RetryAfter: simulator.RetryAfterAbsurd}, "946080000", `{"detail":`},
		{simulator.Throttle{RetryAfter: simulator.RetryAfterMissing}, "", `{"detail":`},
		{simulator.Throttle{Body: simulator.ThrottleHTML}, "60", `<html>`},
		{simulator.Throttle{Body: simulator.ThrottleNested}, "60", `{"error":{`},
		{simulator.Throttle{Body: simulator.ThrottleEmpty}, "60", ``},
	} {
		s := newSim(t, simulator.Options{Count: 1, RatePerMinute: 1, DateSkew: 2 * time.Hour, Throttle: c.throttle})
		client{t: t, s: s}.post(`{}`)
		a := client{t: t, s: s}.post(`{}`)
		if a.Status != 429 || a.Header.Get("Retry-After") != c.retry || !strings.HasPrefix(string(a.Body), c.body) || c.body == "" && len(a.Body) > 0 {
			t.Errorf("%+v: %d, Retry-After %q, %s", c.throttle, a.Status, a.Header.Get("Retry-After"), a.Body)
		}
	}

	forms := func(seed uint64) (bodies, headers map[string]int, log string) {
		s := newSim(t, simulator.Options{Seed: seed, Count: 1, Throttle: simulator.Throttle{Body: simulator.ThrottleMixed, RetryAfter: simulator.RetryAfterMixed}, Faults: []simulator.Fault{{Kind: simulator.FaultStatus429, Every: 1}}})
		bodies, headers = map[string]int{}, map[string]int{}
		for range 200 {
			a := client{t: t, s: s}.post(`{}`)
			bodies[string(a.Body)]++
			headers[a.Header.Get("Retry-After")]++
			log += string(a.Body) + a.Header.Get("Retry-After")
		}
		return bodies, headers, log
	}
	bodies, headers, log := forms(1)
	if len(bodies) != 4 || len(headers) != 5 {
		t.Errorf("mixed: %d bodies, %d headers", len(bodies), len(headers))
	}
	if _, _, again := forms(1); again != log {
		t.Error("the mix of a seed is not the same again")
	}
}

func TestExpensiveQueriesAreThrottledBelowTheRate(t *testing.T) {
	clock := simulator.NewClock(now)
	s := newSim(t, simulator.Options{Count: 50, RatePerMinute: 100, Clock: clock.Now, Throttle: simulator.Throttle{ExpensivePerMinute: 2}})
	c := client{t: t, s: s}
	for i, q := range []struct {
		body   string
		status int
	}{
		{`{"isScan":true}`, 200},
		{`{"filters":{"created":{"gte":1},"user.username":{"isset":true}}}`, 200},
		{`{"filters":{}}`, 429},
		{`{"filters":{"date":{"gte_ndays":1}},"isScan":true}`, 200},
		{`{"filters":{"service":{"eq":20893}}}`, 200},
		{`{"filters":{"created":{"gte":1}}}`, 429},
	} {
		if a := c.post(q.body); a.Status != q.status {
			t.Errorf("request %d, %s: %d, want %d", i, q.body, a.Status, q.status)
		}
	}
	if a := c.do("POST", "/api/v1/activities/count/", "application/json", `{}`); a.Status != 429 || a.Header.Get("Retry-After") != "60" {
		t.Errorf("count: %d %v", a.Status, a.Header)
	}
	clock.Advance(time.Minute)
	if a := c.post(`{}`); a.Status != 200 {
		t.Errorf("a minute later: %d", a.Status)
	}
	if st := s.Stats(); st.Expensive != 3 || st.Throttled != 3 {
		t.Errorf("%d expensive of %d throttled, want 3 of 3", st.Expensive, st.Throttled)
	}
	s = newSim(t, simulator.Options{Count: 50, Throttle: simulator.Throttle{ExpensivePerMinute: -1}})
	if a := (client{t: t, s: s}).post(`{}`); a.Status != 429 {
		t.Errorf("none admitted: %d", a.Status)
	}
}
