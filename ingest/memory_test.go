package ingest_test

import (
	"fmt"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

// limitsAsked are the page sizes that were asked for, in their order.
func (w *world) limitsAsked() (limits []int) {
	for _, r := range w.sim.Stats().Log {
		limits = append(limits, r.Limit)
	}
	return limits
}

// A page that would fill the memory of all pages is asked for again, smaller.
func TestPagesLargerThanTheMemoryAreAskedForSmaller(t *testing.T) {
	t.Parallel()
	for _, parallel := range []int{1, 4} {
		t.Run(fmt.Sprint(parallel, " windows"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.connect(func(o *ingest.ClientOptions) { o.Memory = 100_000 })
			s := w.mustRun(func(o *ingest.Options) { o.PageSize, o.Parallel = 200, parallel })
			truth(t, w.dir, w.sim.Expected())
			same(t, "coverage", whole, coverage(t, w.dir))
			limits := w.limitsAsked()
			if limits[0] != 200 || limits[1] != 100 || limits[2] != 50 || limits[3] != 25 {
				t.Errorf("asked for %v", limits)
			}
			if s.Run.Requests != int64(len(limits)) || s.Run.Outcome != "complete" || len(s.Failed) != 0 {
				t.Errorf("%d requests, %+v", len(limits), s)
			}
		})
	}
}

// A record that is larger than the memory comes alone; what comes behind it
// comes in pages again.
func TestARecordLargerThanTheMemory(t *testing.T) {
	t.Parallel()
	huge := since().Add(5 * time.Hour)
	w := newWorld(t, func(o *simulator.Options) {
		for i := range 2 {
			text := make([]byte, 300_000)
			for j := range text {
				text[j] = 'a' + byte(j*7%26)
			}
			o.Records = append(o.Records, fmt.Appendf(nil, `{"_id":"huge %d","timestamp":%d,"created":%d,"description":"%s"}`, i, huge.UnixMilli()+int64(i), huge.UnixMilli()+60_000, text))
		}
		o.Count = 500
	})
	w.connect(func(o *ingest.ClientOptions) { o.Memory = 200_000 })
	s := w.mustRun(func(o *ingest.Options) { o.PageSize = 25 })
	truth(t, w.dir, w.sim.Expected())
	same(t, "coverage", whole, coverage(t, w.dir))
	limits := w.limitsAsked()
	if s.Run.Requests != int64(len(limits)) || s.Run.Outcome != "complete" || len(limits) > 60 || limits[len(limits)-1] != 25 {
		t.Errorf("%d requests: %v", len(limits), limits)
	}
}

// A service that refuses to give so few is asked for as few as it documents,
// and its pages are read however large they are.
func TestAServiceThatRefusesSmallPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *simulator.Options) { o.Count = 2000 })
	w.refusing(func(q question) int { return map[bool]int{true: 400}[q.limit < 500] })
	w.connect(func(o *ingest.ClientOptions) { o.Memory = 500_000 })
	s := w.mustRun(func(o *ingest.Options) { o.PageSize = 1000 })
	truth(t, w.dir, w.sim.Expected())
	if s.Run.Outcome != "complete" {
		t.Errorf("%+v", s)
	}
}
