package index_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"mdcalake/store/index"
)

// digest stands for the SHA-256 of log entry v.
func digest(v int64) index.Digest {
	if v < 0 {
		return index.Digest{}
	}
	return sha256.Sum256(fmt.Appendf(nil, "entry %d", v))
}

func span(from, to int64) index.Span {
	return index.Span{From: from, To: to, Before: digest(from - 1), Head: digest(to)}
}

// truth is what was put into the index, by log version.
type truth [][]index.Entry

func (tr truth) latest() int64 { return int64(len(tr)) - 1 }

func (tr truth) upTo(from, to int64) []index.Entry {
	return slices.Concat(tr[from : to+1]...)
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

type key struct {
	kind index.Kind
	hash uint64
}

// check compares all that the index says with the truth of the versions that
// it claims, and returns the last of them. An index that finds itself damaged
// may say so instead: then it returns the error.
func (tr truth) check(t failer, ix *index.Index) (int64, error) {
	t.Helper()
	to, head := ix.Covered()
	if to > tr.latest() {
		t.Fatalf("it covers %d, but the log ends at %d", to, tr.latest())
	}
	if head != digest(to) {
		t.Fatalf("it has the head of another entry than %d", to)
	}
	want := map[key][]index.Cell{}
	for v, entries := range tr {
		for _, e := range entries {
			cells := want[key{e.Kind, e.Hash}]
			if int64(v) <= to {
				cells = append(cells, e.Cell)
			}
			want[key{e.Kind, e.Hash}] = cells // asked for in any case
		}
	}
	hashes := map[index.Kind][]uint64{index.SessionID: {1, 2, 3}}
	for k, cells := range want {
		slices.SortFunc(cells, index.Cell.Compare)
		want[k] = slices.Compact(cells)
		// Its neighbours too, and itself twice.
		hashes[k.kind] = append(hashes[k.kind], k.hash-1, k.hash, k.hash, k.hash+1)
	}
	for kind, list := range hashes {
		slices.Sort(list)
		got := make([][]index.Cell, len(list))
		if err := ix.Lookup(kind, list, func(i int, c index.Cell) { got[i] = append(got[i], c) }); err != nil {
			return to, err
		}
		for i, h := range list {
			slices.SortFunc(got[i], index.Cell.Compare)
			got[i] = slices.Compact(got[i])
			if !slices.Equal(got[i], want[key{kind, h}]) {
				t.Fatalf("up to %d, Lookup of %v %x finds %v, want %v", to, kind, h, got[i], want[key{kind, h}])
			}
		}
		for i := 0; i < len(list); i += 1 + len(list)/20 {
			cells, err := ix.Cells(nil, kind, list[i])
			if err != nil {
				return to, err
			}
			if !slices.Equal(cells, want[key{kind, list[i]}]) {
				t.Fatalf("up to %d, Cells of %v %x is %v, want %v", to, kind, list[i], cells, want[key{kind, list[i]}])
			}
		}
	}
	return to, nil
}

// mustHold is check of an index in which nothing is wrong, up to the end.
func (tr truth) mustHold(t testing.TB, dir string) {
	t.Helper()
	ix := open(t, dir)
	if err := ix.Check(context.Background()); err != nil {
		t.Fatalf("check: %v", err)
	}
	to, err := tr.check(t, ix)
	if err != nil || to != tr.latest() {
		t.Fatalf("it covers %d with error %v, want %d", to, err, tr.latest())
	}
}
