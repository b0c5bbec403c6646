package simulator_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest/simulator"
)

func TestFaultPlaces(t *testing.T) {
	statuses := func(faults ...simulator.Fault) []int {
		s := newSim(t, simulator.Options{Seed: 2, Count: 20, Faults: faults})
		var list []int
		for i := range 6 {
			c := client{t: t, s: s}
			if i == 1 {
				list = append(list, c.do("GET", "/api/v1/activities/x/", "", "").Status)
				continue
			}
			list = append(list, c.post(`{}`).Status)
		}
		return list
	}
	for _, c := range []struct {
		text string
		want []int
	}{
		{"status-503@request=2", []int{200, 503, 200, 200, 200, 200}},
		{"status-503@request=3,times=2", []int{200, 404, 503, 503, 200, 200}},
		{"status-503@page=2", []int{200, 404, 503, 200, 200, 200}},
		{"status-503@page=3,times=-1", []int{200, 404, 200, 503, 503, 503}},
		{"status-503@every=2", []int{200, 404, 503, 200, 503, 200}},
		{"status-503@rate=1", []int{503, 404, 503, 503, 503, 503}},
		{"status-503@every=4,times=2", []int{200, 404, 200, 200, 503, 503}},
	} {
		f, err := simulator.ParseFault(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, statuses(f)); diff != "" {
			t.Errorf("%s: %s", c.text, diff)
		}
	}
	for _, text := range []string{"", "status-503", "nonsense@page=1", "reset@page=0", "reset@page=1,request=2", "reset@rate=2", "reset@page=x", "reset@page=1,times=-2"} {
		if f, err := simulator.ParseFault(text); err == nil {
			t.Errorf("%q is taken as %+v", text, f)
		}
	}
}

// A fault by share or step may stay with a question, whatever else is asked meanwhile.
func TestAFaultStaysWithItsQuestion(t *testing.T) {
	for _, c := range []struct {
		times int
		want  []int
	}{
		{0, []int{200, 500, 200, 500, 200, 500}},
		{3, []int{200, 500, 500, 500, 200, 500}},
		{-1, []int{200, 500, 500, 500, 500, 500}},
	} {
		t.Run(fmt.Sprint(c.times), func(t *testing.T) {
			s := newSim(t, simulator.Options{Seed: 2, Count: 20, Cursor: simulator.Cursor{Extra: true}, Faults: []simulator.Fault{{Kind: simulator.FaultStatus500, Every: 4, Times: c.times}}})
			var got []int
			for i := range 6 {
				// The other questions have other filters, order or size.
				other := []string{`{}`, `{"filters":{"service":{"eq":1}}}`, `{"limit":5}`}[i%3]
				if a := (client{t: t, s: s}).post(other); a.Status != 200 {
					t.Fatalf("%s: %d", other, a.Status)
				}
				// The same question: what the cursor's extra member says makes no other of it.
				body := fmt.Sprintf(`{"isScan":true,"limit":5,"filters":{"date":{"gte":1},"scanContext":{"position":%d}}}`, i)
				got = append(got, client{t: t, s: s}.post(body).Status)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKindsOfOneShareMeetDifferentRequests(t *testing.T) {
	kinds := []simulator.FaultKind{simulator.FaultStatus500, simulator.FaultStatus502, simulator.FaultStatus503}
	var faults []simulator.Fault
	for _, k := range kinds {
		faults = append(faults, simulator.Fault{Kind: k, Rate: 0.1})
	}
	s := newSim(t, simulator.Options{Seed: 2, Count: 20, Faults: faults})
	for range 600 {
		client{t: t, s: s}.post(`{"limit":1}`)
	}
	for _, k := range kinds {
		if n := s.Stats().Served[k]; n < 25 || n > 95 {
			t.Errorf("%s came %d times in 600 requests, want about 60", k, n)
		}
	}
}

func TestAFaultWithoutEffectIsNotServed(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 2, Count: 20, Faults: []simulator.Fault{
		{Kind: simulator.FaultEarlyEnd, Every: 1}, {Kind: simulator.FaultOverlap, Every: 1}, {Kind: simulator.FaultStuckCursor, Every: 1},
	}})
	a := client{t: t, s: s}.post(`{"isScan":true}`)
	if st := s.Stats(); st.Faults != 1 || len(st.Served) != 0 || *a.HasNext {
		t.Errorf("the one page there is: %d faults, served %v", st.Faults, st.Served)
	}
	client{t: t, s: s}.post(`{"isScan":true,"limit":5}`)
	if diff := cmp.Diff(map[simulator.FaultKind]int{simulator.FaultEarlyEnd: 1, simulator.FaultOverlap: 1, simulator.FaultStuckCursor: 1}, s.Stats().Served); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyPagesThatMoveLoseNothing(t *testing.T) {
	for _, direction := range []string{"asc", "desc"} {
		s := newSim(t, simulator.Options{Seed: 2, Count: 300, Faults: []simulator.Fault{{Kind: simulator.FaultEmptyMoved, Page: 1, Times: 4}}})
		got, _ := client{t: t, s: s}.scan(`{}`, `,"limit":60,"sortDirection":"`+direction+`"`, 60)
		sameSet(t, got, truth(s))
		cursors := map[string]bool{}
		for _, r := range s.Stats().Log {
			if r.Fault != "" {
				cursors[r.Cursor] = true
			}
		}
		if len(cursors) != 4 || s.Stats().Served[simulator.FaultEmptyMoved] != 4 {
			t.Errorf("%s: empty pages with the cursors %v, want four", direction, cursors)
		}
	}
}
