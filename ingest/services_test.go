package ingest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest"
	"mdcalake/store"
)

func TestServicesAndFiltersAreInTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	oneDay := since().AddDate(0, 0, 1)
	complete := []string{"complete 11-18T00:00..11-19T00:00"}
	s := w.mustRun(func(o *ingest.Options) { o.Until, o.Services = oneDay, []int64{20893, 11161, 20893} })
	same(t, "services", []int64{11161, 20893}, snapshot(t, w.dir).CoverageServices())
	for _, service := range []int64{11161, 20893} {
		same(t, "coverage of a service", complete, states(snapshot(t, w.dir).CoverageOf(&service, time.Time{}, time.Time{})))
	}
	if first := w.sim.Stats().Log[0].Filters; !strings.Contains(first, `"service":{"eq":[11161,20893]}`) {
		t.Error(first)
	}
	var want int64
	for p := range w.sim.ExpectedBetween(since(), oneDay) {
		if *p.AppID == 20893 || *p.AppID == 11161 {
			want++
		}
	}
	if s.Run.Added != want || want == 0 {
		t.Errorf("%d records, want %d", s.Run.Added, want)
	}

	// What was read of two services is not asked for of a third one's sake.
	w.serve(nil)
	w.mustRun(func(o *ingest.Options) { o.Until, o.Services = oneDay, []int64{11161, 15600, 20893} })
	for _, r := range w.sim.Stats().Log {
		if !strings.Contains(r.Filters, `"service":{"eq":[15600]}`) {
			t.Errorf("asked %s", r.Filters)
		}
	}
	truth(t, w.dir, w.sim.ExpectedBetween(since(), oneDay))

	filter := `{"service":{"eq":[20893]}}`
	w.mustRun(func(o *ingest.Options) { o.Until, o.Filter = oneDay, []byte(" "+filter+"\n") })
	coverage := snapshot(t, w.dir).Coverage
	if r := coverage[len(coverage)-1]; r.State != "filtered" || !regexp.MustCompile(`^service eq sha256:[0-9a-f]{32}$`).MatchString(r.Filter) || r.Service != nil {
		t.Errorf("%+v", r)
	}
	for i, none := range []string{"{}", " ", "{ }"} {
		s := w.mustRun(func(o *ingest.Options) { o.Until, o.Filter = oneDay, []byte(none) })
		coverage := snapshot(t, w.dir).Coverage
		if r := coverage[len(coverage)-1]; r.State != "complete" || r.Filter != "" || r.Service != nil || s.NothingToDo != (i > 0) {
			t.Errorf("filter %q: %+v", none, r)
		}
	}
}

func TestAFilterLeavesNoNameInTheLake(t *testing.T) {
	t.Parallel()
	const name = "ada.lovelace"
	w := newWorld(t, nil)
	// Nobody's records are left out, and every cursor repeats the question.
	ask := func(o *ingest.Options) {
		o.Filter = []byte(`{"user.username":{"neq":["` + name + `@example.com"]}}`)
		o.SetCommitBytes(1)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := w.run(ctx, func(o *ingest.Options) {
		ask(o)
		o.Progress = func(p ingest.Progress) {
			if p.WindowNumber == 2 && !p.WindowFinished {
				cancel()
			}
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(w.bodies, func(b []byte) bool { return bytes.Contains(b, []byte(name)) }) {
		t.Fatal("no cursor repeats the filter: the test shows nothing")
	}
	w.mustRun(ask)
	truth(t, w.dir, w.sim.Expected())
	for _, r := range snapshot(t, w.dir).Coverage {
		if r.State != "filtered" || !regexp.MustCompile(`^user.username neq sha256:[0-9a-f]{32}$`).MatchString(r.Filter) {
			t.Errorf("%s, filter %q", r.State, r.Filter)
		}
	}
	for path, data := range allBytes(t, w.dir) {
		// Three base64 texts, by where it begins in a group of three bytes.
		for _, before := range []string{"", "x", "xx"} {
			encoded := base64.StdEncoding.EncodeToString([]byte(before + name))
			if bytes.Contains(data, []byte(name)) || bytes.Contains(data, []byte(encoded[4:12])) {
				t.Errorf("%s names the person", path)
			}
		}
	}
}

// allBytes are the files of a lake; of Parquet files the rows, too, which are
// compressed there.
func allBytes(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, dir)
	for _, r := range slices.Concat(c.activities, c.revisions, c.quarantine) {
		all["rows"] = append(all["rows"], r.bytes...)
	}
	return all
}

// A window of several services is divided where their coverage differs, and
// what each of them has is claimed by its name.
func TestServicesOfDifferentCoverageAreAskedTogetherWhereTheyCan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	day := func(n int) time.Time { return since().AddDate(0, 0, n) }
	w.mustRun(func(o *ingest.Options) { o.Since, o.Until, o.Services = day(0), day(1), []int64{20893} })
	w.serve(nil)
	w.mustRun(func(o *ingest.Options) { o.Since, o.Until, o.Services = day(0), day(2), []int64{20893, 11161} })
	var asked []string
	for _, r := range w.sim.Stats().Log {
		services := "20893"
		if strings.Contains(r.Filters, "11161") {
			services = "11161"
			if strings.Contains(r.Filters, "20893") {
				services = "both"
			}
		}
		if len(asked) == 0 || asked[len(asked)-1] != services {
			asked = append(asked, services)
		}
	}
	same(t, "services asked for", []string{"11161", "both"}, asked)
	for _, service := range []int64{20893, 11161} {
		same(t, "coverage of a service", []string{"complete 11-18T00:00..11-20T00:00"}, states(snapshot(t, w.dir).CoverageOf(&service, time.Time{}, time.Time{})))
	}
	var want int
	for p := range w.sim.ExpectedBetween(day(0), day(2)) {
		if *p.AppID != 15600 {
			want++
		}
	}
	if got := len(read(t, w.dir).activities); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	var all []store.Stretch = stretches(t, w.dir)
	same(t, "coverage of all at once", []string{"never asked 11-18T00:00..11-20T00:00"}, states(all))
}
