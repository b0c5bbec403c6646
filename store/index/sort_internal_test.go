package index

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortEntriesSorts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, shape := range []struct {
		name                string
		n, kinds            int
		hashes, cells, mask uint64
	}{
		{"nothing", 0, 1, 1, 1, 0},
		{"random", 50_000, 6, 1 << 62, 1000, 0},
		{"one value in many cells", 20_000, 1, 1, 1 << 30, 0},
		{"few values", 20_000, 2, 50, 7300, 0},
		{"hashes that share their beginning", 20_000, 3, 300, 5, 0xabcdef << 40},
	} {
		t.Run(shape.name, func(t *testing.T) {
			got := make([]entry, shape.n)
			for i := range got {
				got[i] = entry{kind: Kind(1 + r.IntN(shape.kinds)), hash: shape.mask | r.Uint64N(shape.hashes), cell: uint32(r.Uint64N(shape.cells))}
			}
			want := slices.Clone(got)
			slices.SortFunc(want, compare)
			sortEntries(got)
			if !slices.Equal(got, want) {
				t.Error("not sorted")
			}
		})
	}
}

func BenchmarkSort(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	from := make([]entry, 2_800_000)
	for i := range from {
		from[i] = entry{kind: ActivityID, hash: r.Uint64(), cell: r.Uint32N(7300)}
	}
	to := make([]entry, len(from))
	for b.Loop() {
		copy(to, from)
		sortEntries(to)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(to)), "ns/entry")
}
