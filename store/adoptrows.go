package store

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"
)

// Which rows came and which were lost when another program wrote files again?
// Every row of the files taken out and of those brought in is hashed, all
// columns of it; what is on both sides cancels out. Memory is bounded as in
// verify, by slices of the hash space.

// changedRow is a row that was lost, unless the same one came.
type changedRow struct {
	hash xxh3.Uint128
	came bool
}

func compareChanged(a, b changedRow) int {
	c := cmp.Or(cmp.Compare(a.hash.Hi, b.hash.Hi), cmp.Compare(a.hash.Lo, b.hash.Lo))
	switch {
	case c != 0 || a.came == b.came:
		return c
	case a.came:
		return 1
	}
	return -1
}

// cancelOut drops rows that are on both sides.
func cancelOut(sorted []changedRow) []changedRow {
	kept := sorted[:0]
	for len(sorted) > 0 {
		n, came := 0, 0
		for n < len(sorted) && sorted[n].hash == sorted[0].hash {
			if sorted[n].came {
				came++
			}
			n++
		}
		row := changedRow{hash: sorted[0].hash, came: came > n-came}
		excess := max(came, n-came) - min(came, n-came)
		sorted = sorted[n:]
		for range excess {
			kept = append(kept, row)
		}
	}
	return kept
}

// compareRows counts the rows that are only in the files taken out, and those
// that are only in the files brought in.
func (v *verifier) compareRows(ctx context.Context, taken, brought []File) (lost, came int64, err error) {
	type side struct {
		File
		came bool
	}
	var files []side
	for _, f := range taken {
		files = append(files, side{f, false})
	}
	for _, f := range brought {
		files = append(files, side{f, true})
	}
	// Cell by cell, so that rows meet soon and cancel out.
	slices.SortFunc(files, func(a, b side) int { return strings.Compare(a.Path, b.Path) })
	rows := newHashSlice(v.o.limits.changed, rowsOf(taken)+rowsOf(brought), func(r changedRow) uint64 { return r.hash.Hi }, compareChanged)
	rows.squeeze = cancelOut
	for {
		err := v.inOrder(ctx, "rows", len(files), func(i int) int64 { return files[i].Size }, func(ctx context.Context, i int, found finding) error {
			f := files[i]
			var some []changedRow
			err := eachRowHash(ctx, v.layout.path(f.Path), func(h xxh3.Uint128) {
				if some = append(some, changedRow{h, f.came}); len(some) == readBatch {
					rows.add(some)
					some = some[:0]
				}
			})
			rows.add(some)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && !f.came { // else it was said already
				found(f.Path, "%v", err)
			}
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
		rows.sort()
		for _, r := range rows.items {
			if r.came {
				came++
			} else {
				lost++
			}
		}
		if !rows.next() {
			return lost, came, nil
		}
	}
}
