package parquetfile_test

import (
	"bytes"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"pgregory.net/rapid"

	"mdcalake/store/parquetfile"
)

// Whatever the columns, the limits and the values: each file that a writer
// writes reads back as it was written, its footer is right to the byte, and it
// is the file that a new writer would have written.
func TestFilesReadBackAsWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		columns := drawColumns(rt)
		_, layout := layoutOf(t, columns)
		form := parquetfile.Form{
			Level:     rapid.SampledFrom([]int{1, 6}).Draw(rt, "level"),
			PageBytes: rapid.SampledFrom([]int{1, 30, 300, 1 << 20}).Draw(rt, "page"),
		}
		limits := parquetfile.Limits{
			PageEntries:     rapid.SampledFrom([]int{0, 1, 8, 50}).Draw(rt, "entries"),
			DictionaryPage:  rapid.SampledFrom([]int{0, 1, 100, 2000}).Draw(rt, "dictionary page"),
			DictionaryBytes: rapid.SampledFrom([]int{0, 1, 60, 600}).Draw(rt, "dictionary"),
			SampleValues:    rapid.SampledFrom([]int{0, 2, 20}).Draw(rt, "sample"),
			Aside:           rapid.SampledFrom([]int{0, 1}).Draw(rt, "aside"),
			Kept:            rapid.SampledFrom([]int{0, 1, 1000}).Draw(rt, "kept"),
		}
		newWriter := func() *parquetfile.Writer {
			w, err := parquetfile.NewWriter(layout, form)
			if err != nil {
				rt.Fatal(err)
			}
			w.SetLimits(limits)
			return w
		}
		again := newWriter()
		for range rapid.IntRange(1, 3).Draw(rt, "files") {
			want := drawTable(rt, columns)
			var got, fresh bytes.Buffer
			for w, sink := range map[*parquetfile.Writer]*bytes.Buffer{again: &got, newWriter(): &fresh} {
				if err := want.write(w, columns, sink); err != nil {
					rt.Fatal(err)
				}
			}
			if !bytes.Equal(got.Bytes(), fresh.Bytes()) {
				rt.Fatalf("a writer that has written before writes another file")
			}
			if err := check(got.Bytes(), columns, want); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func drawColumns(rt *rapid.T) (columns []column) {
	for range rapid.IntRange(1, 5).Draw(rt, "columns") {
		c := column{
			form: rapid.SampledFrom([]form{required, optional, listed, structs}).Draw(rt, "form"),
			mood: mood(rapid.IntRange(0, int(moods)-1).Draw(rt, "mood")),
			options: parquetfile.Options{
				Encoding: rapid.SampledFrom([]parquetfile.Encoding{parquetfile.Dictionary, parquetfile.Plain, parquetfile.Delta}).Draw(rt, "encoding"),
				Bounds:   rapid.Bool().Draw(rt, "bounds"),
				Random:   rapid.IntRange(0, 5).Draw(rt, "random") == 0,
			},
		}
		if c.form == required || c.form == optional {
			c.kind = rapid.SampledFrom(allKinds).Draw(rt, "kind")
		}
		if c.options.Encoding == parquetfile.Delta && c.kind != parquet.Types.Int32 && c.kind != parquet.Types.Int64 {
			c.options.Encoding = parquetfile.Dictionary
		}
		columns = append(columns, c)
	}
	return columns
}

// drawTable has row groups about the sizes where encodings change their ways.
func drawTable(rt *rapid.T, columns []column) table {
	sizes := []int{1, 7, 8, 9, 16, 31, 32, 33, 127, 128, 129, 130, 257, 700}
	rows := rapid.SliceOfN(rapid.SampledFrom(sizes), 0, 4).Draw(rt, "row groups")
	return fill(columns, rapid.Uint64().Draw(rt, "seed"), rows)
}
