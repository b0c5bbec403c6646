package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"mdcalake/store"
	"mdcalake/store/index"
	"mdcalake/store/storetest"
)

func TestWhatIsDerivedMustNotLie(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(d damaged)
		want   []string
	}{
		{"nothing is wrong", func(damaged) {}, nil},
		{"nothing is there", func(d damaged) {
			d.must(os.Remove(d.path("_mdcalake/fold")))
			d.must(os.RemoveAll(d.path("_mdcalake/index")))
		}, nil},
		{"a fold of another table", func(d damaged) { d.must(store.ForgeFold(d.dir)) }, []string{"_mdcalake/fold: it does not say what the log says"}},
		{"a broken fold", func(d damaged) { d.edit(d.path("_mdcalake/fold"), func(b []byte) []byte { return b[:len(b)-1] }) }, nil},
		{"an index that lacks an id", func(d damaged) {
			ix, err := index.Open(d.path("_mdcalake/index"))
			d.must(err)
			to, head := ix.Covered()
			d.must(ix.Close())
			w := index.Writer{Dir: d.path("_mdcalake/index")}
			d.must(w.Clear())
			_, err = w.Append(t.Context(), index.Span{To: to, Head: head}, nil)
			d.must(err)
		}, []string{"_mdcalake/index: it does not know 2 ids of activities/", "/part-S-1-00001.parquet: remove it", "service=20894/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := damaged{t, filepath.Join(t.TempDir(), "lake")}
			runs := []run{{{records: few(0, 4)}}}
			for range 20 { // enough for a fold to be left behind
				runs = append(runs, run{{}})
			}
			must(t, perform(d.dir, store.WriterOptions{}, "R", runs, func() {}))
			must(t, perform(d.dir, store.WriterOptions{}, "S", []run{{{records: append(few(4, 1), few(6, 1)...)}}}, func() {}))
			c.damage(d)
			problems, _ := verified(t, d.dir, store.VerifyOptions{Lift: storetest.Lift})
			matches(t, problems, c.want)
		})
	}
}
