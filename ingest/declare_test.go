package ingest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/store"
)

// declaredDay is over, and so is the time in which its records are saved.
var declaredDay = midnight.AddDate(0, 0, -3)

// activity is a record of an hour of that day and a service, saved so much later.
func activity(hour int, service int64, late time.Duration) string {
	at := declaredDay.Add(time.Duration(hour) * time.Hour)
	return fmt.Sprintf(`{"_id":"%d-%d","timestamp":%d,"created":%d,"appId":%d}`+"\n", hour, service, at.UnixMilli(), at.Add(late).UnixMilli(), service)
}

func TestADeclarationMakesAnIntervalComplete(t *testing.T) {
	t.Parallel()
	day := ingest.Declaration{Since: declaredDay, Until: declaredDay.AddDate(0, 0, 1)}
	good := activity(1, 7, time.Minute) + activity(9, 8, 5*time.Minute) + activity(23, 9, 3*time.Hour)
	outside := activity(48, 7, time.Minute)
	with := func(change func(*ingest.Declaration)) ingest.Declaration {
		d := day
		change(&d)
		return d
	}
	asOf := declaredDay.Add(30 * time.Hour)
	for name, c := range map[string]struct {
		covers  ingest.Declaration
		text    string
		through time.Time // zero: it is not recorded
		reason  string
		records int64
	}{
		"as of the latest created":                 {day, good + outside, declaredDay.Add(26*time.Hour - 2*time.Minute), "", 3},
		"as of a time":                             {with(func(d *ingest.Declaration) { d.AsOf = asOf }), good, asOf.Add(-2 * time.Minute), "", 3},
		"for a service: its own created":           {with(func(d *ingest.Declaration) { d.Services = []int64{8} }), good, declaredDay.Add(9*time.Hour + 3*time.Minute), "", 1},
		"for two":                                  {with(func(d *ingest.Declaration) { d.Services = []int64{8, 7, 8} }), good, declaredDay.Add(9*time.Hour + 3*time.Minute), "", 2},
		"nothing was in it, and it is said when":   {with(func(d *ingest.Declaration) { d.AsOf = asOf }), outside, asOf.Add(-2 * time.Minute), "", 0},
		"nothing was in it":                        {day, outside, time.Time{}, "no record of the interval says when it was saved", 0},
		"none says when it was saved":              {day, fmt.Sprintf(`{"_id":"x","timestamp":%d}`, declaredDay.UnixMilli()), time.Time{}, "say so with --as-of", 1},
		"it was cut":                               {day, good + `{"_id":"x"`, time.Time{}, "1 input was not whole", 3},
		"it was cut, whatever the person says":     {with(func(d *ingest.Declaration) { d.AsOf = asOf }), good + `{"_id":"x"`, time.Time{}, "1 input was not whole", 3},
		"a bad record is in quarantine: no loss":   {with(func(d *ingest.Declaration) { d.AsOf = asOf }), good + "null\n", asOf.Add(-2 * time.Minute), "", 3},
		"ends between milliseconds: the later one": {with(func(d *ingest.Declaration) { d.Until = day.Until.Add(-time.Microsecond); d.AsOf = asOf }), good, asOf.Add(-2 * time.Minute), "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := lakeDir(t)
			s := mustImport(t, dir, func(o *ingest.ImportOptions) { o.Covers = &c.covers; o.SetLimits(64, 100, 1<<20) }, text("a", c.text), text("b", record("b", 0)))
			d := s.Declared
			if d == nil || d.Complete != !c.through.IsZero() || !d.Through.Equal(c.through) || !strings.Contains(d.Reason, c.reason) || (c.reason == "") != (d.Reason == "") || d.Records != c.records {
				t.Errorf("%+v", d)
			}
			var want []store.Rectangle
			services := []*int64{nil}
			for i := range d.Services {
				if i == 0 {
					services = nil
				}
				services = append(services, &d.Services[i])
			}
			if d.Complete {
				for _, service := range services {
					want = append(want, store.Rectangle{Since: day.Since, Until: day.Until, Service: service, State: "complete", ThroughCreated: c.through, RunID: s.Run.RunID, Records: d.Records})
				}
			}
			var got []store.Rectangle
			e := entries(t, dir)
			for i, entry := range e {
				for _, r := range entry.Coverage {
					if r.State == "complete" {
						got = append(got, r)
						if i != len(e)-1 {
							t.Errorf("commit %d of %d declares", i+1, len(e))
						}
					}
				}
			}
			same(t, "what is complete", want, got)
			for _, service := range services {
				for _, stretch := range read(t, dir).snapshot.CoverageOf(service, day.Since, day.Until) {
					if (stretch.State == "complete") != d.Complete {
						t.Errorf("%+v", stretch)
					}
				}
			}
		})
	}
}

func TestADeclarationThatCannotBeTrueIsRefused(t *testing.T) {
	t.Parallel()
	at := func(hours int) time.Time { return now.Add(time.Duration(hours) * time.Hour) }
	for name, d := range map[string]ingest.Declaration{
		"is empty":                           {Since: at(-5), Until: at(-5)},
		"is empty: it begins":                {Since: at(-5), Until: at(-6)},
		"ends at":                            {Since: at(-5), Until: at(1)},
		"was taken at":                       {Since: at(-5), Until: at(-4), AsOf: at(1)},
		"after the data was taken":           {Since: at(-5), Until: at(-3), AsOf: at(-4)},
		"what happened in between cannot be": {Since: at(-5), Until: at(-3), AsOf: at(-6)},
	} {
		dir := lakeDir(t)
		s, err := importInto(t.Context(), t, dir, func(o *ingest.ImportOptions) { o.Covers = &d }, text("a", record("a", 0)))
		var option *ingest.OptionError
		if !errors.As(err, &option) || !strings.Contains(err.Error(), name) || hint(err) == "" || s.Head != "" {
			t.Errorf("%v (%s)", err, hint(err))
		}
	}
}

func TestADeclarationUpToNow(t *testing.T) {
	t.Parallel()
	between := now.Add(123*time.Millisecond + 456*time.Microsecond)
	d := ingest.Declaration{Since: now.Add(-5 * time.Hour), Until: between}
	if err := d.Check(between); err != nil {
		t.Error(err)
	}
	if err := d.Check(now); err == nil {
		t.Error("the future was declared")
	}
}

// A run that ends early declares nothing.
func TestARunThatFailsDeclaresNothing(t *testing.T) {
	t.Parallel()
	dir := lakeDir(t)
	tenant := func(n int) string {
		return fmt.Sprintf(`{"_id":"t%d","timestamp":%d,"created":%d,"tenantId":%d}`+"\n", n, midnight.UnixMilli(), midnight.UnixMilli()+1, n)
	}
	covers := &ingest.Declaration{Since: midnight, Until: midnight.Add(time.Hour)}
	s, err := importInto(t.Context(), t, dir, func(o *ingest.ImportOptions) { o.Covers = covers; o.SetLimits(64, 50, 1<<20) }, text("a", tenant(1)), text("b", tenant(2)))
	if !errors.Is(err, store.ErrTenant) || s.Declared != nil || lastRun(t, dir).Outcome != "failed" {
		t.Errorf("%v, %+v", err, s)
	}
	for _, r := range read(t, dir).snapshot.Coverage {
		if r.State == "complete" {
			t.Errorf("%+v", r)
		}
	}
}
