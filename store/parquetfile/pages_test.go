package parquetfile_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"

	"mdcalake/store/parquetfile"
)

// texts are entries of a required or optional leaf of strings.
func texts(n int, value func(i int) string) []entry {
	entries := make([]entry, n)
	for i := range entries {
		entries[i] = textEntry(0, 0, value(i))
	}
	return entries
}

func numbers(k parquet.Type, n int, value func(i int) int64) []entry {
	entries := make([]entry, n)
	for i := range entries {
		entries[i] = entry{kind: k, n: value(i)}
	}
	return entries
}

// one writes a file with one required column in one row group, checks it, and
// answers its pages.
func one(t *testing.T, o parquetfile.Options, limits parquetfile.Limits, entries []entry) chunkAnatomy {
	t.Helper()
	columns := []column{{form: required, kind: entries[0].kind, options: o}}
	_, layout := layoutOf(t, columns)
	w, err := parquetfile.NewWriter(layout, parquetfile.Form{Level: 1, PageBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	w.SetLimits(limits)
	want := table{groups: [][][]entry{{entries}}, rows: []int{len(entries)}}
	var file bytes.Buffer
	if err := want.write(w, columns, &file); err != nil {
		t.Fatal(err)
	}
	if err := check(file.Bytes(), columns, want); err != nil {
		t.Fatal(err)
	}
	a, err := dissect(file.Bytes(), []uint8{0}, []uint8{0})
	if err != nil {
		t.Fatal(err)
	}
	return a.groups[0][0]
}

// shape is the pages of a chunk in short: D for the dictionary, i for indices, p
// for PLAIN, d for differences, each with the number of its values.
func (c chunkAnatomy) shape() string {
	var all []string
	for _, p := range c.pages {
		name := map[int64]string{0: "p", 5: "d", 8: "i"}[p.encoding]
		if p.dictionary {
			name = "D"
		}
		all = append(all, fmt.Sprint(name, p.values))
	}
	return strings.Join(all, " ")
}

func TestDictionariesAreGivenUpWhereTheyDoNotPay(t *testing.T) {
	repeated := func(i int) string { return fmt.Sprint("value ", i%10) }
	unique := func(i int) string { return fmt.Sprintf("value %09d", i) }
	for _, c := range []struct {
		name    string
		limits  parquetfile.Limits
		entries []entry
		want    string
	}{
		{"few values keep it", parquetfile.Limits{}, texts(2000, repeated), "D10 i2000"},
		{"at the sample, for strings", parquetfile.Limits{}, texts(2000, unique), "p2000"},
		{"at the sample, for numbers", parquetfile.Limits{}, numbers(parquet.Types.Int64, 2000, func(i int) int64 { return int64(i) << 20 }), "p2000"},
		{"at the sample, for doubles", parquetfile.Limits{}, numbers(parquet.Types.Double, 2000, func(i int) int64 { return int64(math.Float64bits(float64(i))) }), "p2000"},
		{"three of four different at the sample keep it", parquetfile.Limits{}, texts(512, func(i int) string { return unique(min(i, 383)) }), "D384 i512"},
		{"at the end, before its only page, where hardly anything repeats", parquetfile.Limits{}, texts(300, unique), "p300"},
		{"at the end, with one value", parquetfile.Limits{}, texts(1, unique), "p1"},
		{"at the end, with numbers as short as their index", parquetfile.Limits{}, numbers(parquet.Types.Int32, 3, func(i int) int64 { return int64(i) }), "p3"},
		{"by its size, before its first page", parquetfile.Limits{SampleValues: 1 << 30}, texts(40_000, func(i int) string { return strings.Repeat(unique(i/2), 4) }), "p32769 p7231"},
		{"by one giant value", parquetfile.Limits{}, texts(3, func(i int) string { return strings.Repeat("g", 1<<20*i) }), "p2 p1"},
		{"by its size, after its first page", parquetfile.Limits{PageEntries: 100, DictionaryBytes: 300}, texts(350, func(i int) string {
			if i < 220 {
				return repeated(i)
			}
			return unique(i)
		}), "D21 i100 i100 p100 p50"},
		{"by its size, as the first value of a page", parquetfile.Limits{PageEntries: 100, DictionaryBytes: 120}, texts(200, func(i int) string {
			if i < 100 {
				return repeated(i)
			}
			return unique(i)
		}), "D11 i100 p100"},
		{"not at the end, once a page has it", parquetfile.Limits{PageEntries: 100}, texts(150, func(i int) string {
			if i < 100 {
				return repeated(i)
			}
			return unique(i)
		}), "D60 i100 i50"},
		{"at a page's end, before its first page, where hardly anything repeats", parquetfile.Limits{PageEntries: 10}, texts(25, repeated), "p10 p10 p5"},
		{"pages of indices end by the bytes they stand for", parquetfile.Limits{DictionaryPage: 110}, texts(25, func(i int) string { return repeated(i % 3) }), "D3 i10 i10 i5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := one(t, bounded(parquetfile.Dictionary), c.limits, c.entries).shape(); got != c.want {
				t.Errorf("pages %s, want %s", got, c.want)
			}
		})
	}
}

func bounded(e parquetfile.Encoding) parquetfile.Options {
	return parquetfile.Options{Encoding: e, Bounds: true}
}

func TestIndicesAreAsWideAsTheirPageNeeds(t *testing.T) {
	c := one(t, bounded(parquetfile.Dictionary), parquetfile.Limits{PageEntries: 100}, texts(300, func(i int) string { return fmt.Sprint("the value ", i%(1+i/100*20)) }))
	var widths []int
	for _, p := range c.pages[1:] {
		widths = append(widths, p.indexWidth)
	}
	if got := fmt.Sprint(widths); got != "[1 5 6]" {
		t.Errorf("widths %s, want [1 5 6]: of 1, 21 and 41 values", got)
	}
}

// Differences of neighbours that are further apart than the type reaches.
func TestDifferencesWrapAround(t *testing.T) {
	for _, c := range []struct {
		kind        parquet.Type
		least, most int64
	}{
		{parquet.Types.Int64, math.MinInt64, math.MaxInt64},
		{parquet.Types.Int32, math.MinInt32, math.MaxInt32},
	} {
		for _, values := range [][]int64{
			{c.least}, {c.least, c.most}, {c.most, c.least}, {c.least, c.most, c.least}, {0, c.least, 0, c.most, -1}, {c.least, c.least + 1, c.most, c.most - 1},
		} {
			for _, n := range []int{1, 2, 32, 33, 34, 128, 129, 130, 257, 300} {
				got := one(t, bounded(parquetfile.Delta), parquetfile.Limits{}, numbers(c.kind, n, func(i int) int64 { return values[i%len(values)] }))
				if want := fmt.Sprint("d", n); got.shape() != want {
					t.Fatalf("%s %v: pages %s, want %s", c.kind, values, got.shape(), want)
				}
			}
		}
	}
}

// Each width that a miniblock can have, in both types.
func TestDifferencesOfEachWidth(t *testing.T) {
	for width := range 64 {
		step := func(i int) int64 { return int64(i%2) << width }
		one(t, bounded(parquetfile.Delta), parquetfile.Limits{}, numbers(parquet.Types.Int64, 70, step))
		if width < 32 {
			one(t, bounded(parquetfile.Delta), parquetfile.Limits{}, numbers(parquet.Types.Int32, 70, func(i int) int64 { return int64(int32(step(i))) }))
		}
	}
}

// Each width that an index can have, up to 2^17 values.
func TestIndicesOfEachWidth(t *testing.T) {
	for width := 1; width <= 17; width++ {
		distinct := 1<<(width-1) + 1
		got := one(t, bounded(parquetfile.Dictionary), parquetfile.Limits{SampleValues: 1 << 30, DictionaryBytes: 1 << 30, PageEntries: 1 << 30},
			numbers(parquet.Types.Int64, 4*distinct, func(i int) int64 { return int64(i % distinct) }))
		if len(got.pages) != 2 || got.pages[1].indexWidth != width {
			t.Errorf("%d values: pages %s, width %d, want %d", distinct, got.shape(), got.pages[len(got.pages)-1].indexWidth, width)
		}
	}
}

func TestSmallChunksAndRandomOnesAreNotCompressed(t *testing.T) {
	const none, zstd = 0, 6
	same := func(int) string { return strings.Repeat("the same again ", 4) }
	plain := parquetfile.Options{Encoding: parquetfile.Plain}
	random := parquetfile.Options{Encoding: parquetfile.Plain, Random: true}
	for _, c := range []struct {
		name    string
		options parquetfile.Options
		limits  parquetfile.Limits
		entries []entry
		want    int64
	}{
		{"a small chunk", plain, parquetfile.Limits{}, texts(7, same), none},
		{"a large one", plain, parquetfile.Limits{}, texts(9, same), zstd},
		{"random values", random, parquetfile.Limits{}, texts(100, same), none},
		{"a small page and its dictionary", bounded(parquetfile.Dictionary), parquetfile.Limits{}, texts(100, same), none},
		{"a small page and a large dictionary", bounded(parquetfile.Dictionary), parquetfile.Limits{}, texts(100, func(i int) string { return fmt.Sprint(same(i), i%20) }), zstd},
		{"a small first page of a large chunk", bounded(parquetfile.Dictionary), parquetfile.Limits{PageEntries: 100}, texts(300, func(i int) string {
			return fmt.Sprint(same(i), max(0, i-100))
		}), zstd},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := one(t, c.options, c.limits, c.entries).meta.int(4); got != c.want {
				t.Errorf("codec %d, want %d", got, c.want)
			}
		})
	}
}
