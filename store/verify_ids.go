package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// repeats finds texts that stand in a column of a table more than once. Hashes
// are collected while the rows are read, as many as memory is given for; where
// two are equal, the texts are read again and compared. The rest of the hash
// space is looked at in further passes over that one column.
type repeats struct {
	v      *verifier
	column string
	phrase func(text string) string
	hashes *hashSlice[uint64]
}

func (v *verifier) newRepeats(column string, expected int64, phrase func(string) string) *repeats {
	hashes := newHashSlice(v.o.limits.ids, expected, func(h uint64) uint64 { return h }, cmp.Compare[uint64])
	hashes.squeeze = atMostTwo
	return &repeats{v: v, column: column, phrase: phrase, hashes: hashes}
}

// atMostTwo keeps two of equal hashes: more of them say no more.
func atMostTwo(sorted []uint64) []uint64 {
	kept := sorted[:0]
	for _, h := range sorted {
		if n := len(kept); n < 2 || kept[n-2] != h {
			kept = append(kept, h)
		}
	}
	return kept
}

// name reports each repetition among the files. The first slice of the hash
// space has been filled already.
func (r *repeats) name(ctx context.Context, files []File) error {
	for {
		r.hashes.sort()
		// In the slice's own memory: each of those that are there twice, once.
		again := r.hashes.items[:0]
		for i, h := range r.hashes.items {
			if i > 0 && h == r.hashes.items[i-1] {
				again = append(again, h)
			}
		}
		for some := range slices.Chunk(again, r.v.o.limits.repeated) {
			if err := r.nameAmong(ctx, files, some); err != nil {
				return err
			}
		}
		if !r.hashes.next() {
			return nil
		}
		err := r.v.inOrder(ctx, r.column, len(files), func(i int) int64 { return files[i].Rows }, func(ctx context.Context, i int, found finding) error {
			var hashes []uint64
			return r.read(ctx, files[i], found, func(texts *array.String, _ int64) {
				hashes = hashes[:0]
				for j := range texts.Len() {
					hashes = append(hashes, r.hash(texts.Value(j)))
				}
				r.hashes.add(hashes)
			})
		})
		if err != nil {
			return err
		}
	}
}

func (r *repeats) hash(text string) uint64 { return r.v.hashID([]byte(text)).Hi }

// sighting is where a text was seen first.
type sighting struct {
	text string
	path string
	row  int64
}

// nameAmong compares the texts that have these hashes.
func (r *repeats) nameAmong(ctx context.Context, files []File, hashes []uint64) error {
	seen := map[uint64][]sighting{}
	for _, f := range files {
		err := r.read(ctx, f, r.v.problem, func(texts *array.String, row int64) {
			for i := range texts.Len() {
				text := texts.Value(i)
				h := r.hash(text)
				if _, ok := slices.BinarySearch(hashes, h); !ok {
					continue
				}
				first := slices.IndexFunc(seen[h], func(s sighting) bool { return s.text == text })
				if first < 0 {
					seen[h] = append(seen[h], sighting{text: strings.Clone(text), path: f.Path, row: row + int64(i)})
					continue
				}
				s := seen[h][first]
				r.v.problem(f.Path, "row %d: %s, first as row %d of %s", row+int64(i), r.phrase(text), s.row, s.path)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads the column of a file, a batch at a time; row is the number of the
// first one.
func (r *repeats) read(ctx context.Context, f File, found finding, each func(texts *array.String, row int64)) error {
	row := int64(0)
	err := readColumns(ctx, r.v.layout.path(f.Path), []string{r.column}, func(b arrow.RecordBatch) error {
		texts, ok := b.Column(0).(*array.String)
		if !ok {
			return fmt.Errorf("column %q has type %s", r.column, b.Column(0).DataType())
		}
		each(texts, row)
		row += b.NumRows()
		return nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		found(f.Path, "%v", err)
	}
	return nil
}
