package store_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mdcalake/store"
)

func TestIDsThatStandTwiceAreFoundHoweverFewFitIntoMemory(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		work, err := os.MkdirTemp(dir, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(work)
		id := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("id-%d", rapid.IntRange(0, 60).Draw(t, "id")) })
		files := rapid.SliceOfN(rapid.SliceOfN(id, 1, 40), 1, 4).Draw(rt, "files")
		limit, repeated := rapid.SampledFrom([]int{4, 5, 8, 16, 1000}).Draw(rt, "limit"), rapid.IntRange(1, 5).Draw(rt, "repeated")

		have, err := store.FindRepeats(work, files, limit, repeated)
		if err != nil {
			rt.Fatal(err)
		}
		var want []string
		first := map[string]string{}
		for i, ids := range files {
			for row, id := range ids {
				if place, again := first[id]; again {
					want = append(want, fmt.Sprintf("%d: row %d: %q, first as %s", i, row, id, place))
				} else {
					first[id] = fmt.Sprintf("row %d of %d", row, i)
				}
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		if d := cmp.Diff(want, have); d != "" {
			rt.Errorf("-want +have:\n%s", d)
		}
	})
}

func TestSlicesOfTheHashSpaceHoldEveryHashOnceAndAllItsCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Uint64(), rapid.SampledFrom([]uint64{0, math.MaxUint64, math.MaxUint64 - 1}))
		hashes := rapid.SliceOfN(hash, 0, 200).Draw(t, "hashes")
		limit := rapid.IntRange(2, 40).Draw(t, "limit")
		slicesOf := store.Slices(limit, hashes)
		copies, most := map[uint64]int{}, 0
		for _, h := range hashes {
			copies[h]++
			most = max(most, copies[h])
		}
		for _, s := range slicesOf {
			// Only the copies of one hash make a slice larger than its limit.
			if len(s) > max(limit, 2*most) {
				t.Errorf("%d hashes in a slice for %d", len(s), limit)
			}
		}
		have := slices.Concat(slicesOf...)
		want := slices.Sorted(slices.Values(hashes))
		if !slices.Equal(have, want) {
			t.Errorf("have %v\nwant %v", have, want)
		}
	})
}
