package parquetfile_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// check reads a file in three ways and says what differs from the table: its
// pages by their bytes, levels and values of each leaf, and rows.
func check(content []byte, columns []column, want table) error {
	if err := checkAnatomy(content, columns, want); err != nil {
		return fmt.Errorf("anatomy: %w", err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(content))
	if err != nil {
		return err
	}
	defer r.Close()
	if got := r.MetaData().KeyValueMetadata(); *got.FindValue("key") != "value" || *got.FindValue("empty") != "" {
		return fmt.Errorf("key values: %v", got)
	}
	if r.NumRowGroups() != len(want.groups) {
		return fmt.Errorf("%d row groups, written %d", r.NumRowGroups(), len(want.groups))
	}
	for g, leaves := range want.groups {
		for i := range leaves {
			reader, err := r.RowGroup(g).Column(i)
			if err == nil {
				err = checkLeaf(reader, leaves[i])
			}
			if err != nil {
				return fmt.Errorf("row group %d, leaf %d: %w", g, i, err)
			}
		}
	}
	if err := checkRows(r, columns, want); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	return nil
}

// checkAnatomy looks at the bytes themselves, the statistics among them.
func checkAnatomy(content []byte, columns []column, want table) error {
	var maxRep, maxDef []uint8
	var kinds []parquet.Type
	var options []int
	for n, c := range columns {
		for _, k := range c.leafKinds() {
			rep, def := c.levels()
			if c.form == listed {
				def = 3
			}
			maxRep, maxDef, kinds, options = append(maxRep, rep), append(maxDef, def), append(kinds, k), append(options, n)
		}
	}
	a, err := dissect(content, maxRep, maxDef)
	if err != nil {
		return err
	}
	for g, chunks := range a.groups {
		for i, c := range chunks {
			var nulls int64
			for _, e := range want.groups[g][i] {
				if e.null {
					nulls++
				}
			}
			stats := c.meta.child(12)
			if stats.int(3) != nulls {
				return fmt.Errorf("row group %d, leaf %d: %d NULL, written %d", g, i, stats.int(3), nulls)
			}
			var least, most []byte
			if columns[options[i]].options.Bounds {
				least, most = bounds(kinds[i], want.groups[g][i])
			}
			if err := sameBound(stats[6], least); err != nil {
				return fmt.Errorf("row group %d, leaf %d: least: %w", g, i, err)
			}
			if err := sameBound(stats[5], most); err != nil {
				return fmt.Errorf("row group %d, leaf %d: most: %w", g, i, err)
			}
			if columns[options[i]].options.Random && c.meta.int(4) != 0 {
				return fmt.Errorf("row group %d, leaf %d: random values are compressed", g, i)
			}
		}
	}
	return nil
}

func sameBound(got any, want []byte) error {
	b, has := got.([]byte)
	if has != (want != nil) || !bytes.Equal(b, want) {
		return fmt.Errorf("%q (%v), the values' is %q (%v)", b, has, want, want != nil)
	}
	return nil
}

// batch is how many entries are read at once: no divisor of anything.
const batch = 37

func checkLeaf(reader file.ColumnChunkReader, want []entry) error {
	def, rep := make([]int16, batch), make([]int16, batch)
	maxDef, maxRep := reader.Descriptor().MaxDefinitionLevel(), reader.Descriptor().MaxRepetitionLevel()
	read := readerOf(reader)
	for reader.HasNext() {
		n, values, err := read(def, rep)
		if err != nil {
			return err
		}
		if n == 0 || n > len(want) {
			return fmt.Errorf("%d entries come, %d are left", n, len(want))
		}
		for i, w := range want[:n] {
			if maxDef > 0 && def[i] != int16(w.def) || maxRep > 0 && rep[i] != int16(w.rep) {
				return fmt.Errorf("levels %d, %d; written %d, %d", rep[i], def[i], w.rep, w.def)
			}
			if w.null {
				continue
			}
			if len(values) == 0 || values[0] != render(w) {
				return fmt.Errorf("values %.3s, written %s", values, render(w))
			}
			values = values[1:]
		}
		if len(values) > 0 {
			return fmt.Errorf("%d values more than written", len(values))
		}
		want = want[n:]
	}
	if len(want) > 0 {
		return fmt.Errorf("%d entries are missing", len(want))
	}
	return nil
}

// readerOf reads the next levels and values, rendered.
func readerOf(reader file.ColumnChunkReader) func(def, rep []int16) (int, []string, error) {
	switch r := reader.(type) {
	case *file.BooleanColumnChunkReader:
		return readAs(r.ReadBatch, func(v bool) string {
			if v {
				return "1"
			}
			return "0"
		})
	case *file.Int32ColumnChunkReader:
		return readAs(r.ReadBatch, func(v int32) string { return fmt.Sprint(v) })
	case *file.Int64ColumnChunkReader:
		return readAs(r.ReadBatch, func(v int64) string { return fmt.Sprint(v) })
	case *file.Float64ColumnChunkReader:
		return readAs(r.ReadBatch, func(v float64) string { return fmt.Sprint(int64(math.Float64bits(v))) })
	default:
		return readAs(reader.(*file.ByteArrayColumnChunkReader).ReadBatch, func(v parquet.ByteArray) string { return fmt.Sprintf("%q", string(v)) })
	}
}

func readAs[T any](read func(int64, []T, []int16, []int16) (int64, int, error), show func(T) string) func(def, rep []int16) (int, []string, error) {
	values := make([]T, batch)
	return func(def, rep []int16) (int, []string, error) {
		n, have, err := read(batch, values, def, rep)
		var shown []string
		for _, v := range values[:have] {
			shown = append(shown, show(v))
		}
		return int(n), shown, err
	}
}

// render is an entry as text; of a double, its bits.
func render(e entry) string {
	switch {
	case e.null:
		return "NULL"
	case e.kind == parquet.Types.ByteArray:
		return fmt.Sprintf("%q", e.text)
	default:
		return fmt.Sprint(e.n)
	}
}

// checkRows compares the rows that come out of Arrow's reading.
func checkRows(r *file.Reader, columns []column, want table) error {
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 100}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	t, err := fr.ReadTable(context.Background())
	if err != nil {
		return err
	}
	defer t.Release()
	leaf := 0
	for i, c := range columns {
		width := len(c.leafKinds())
		var rows []string
		for _, leaves := range want.groups {
			rows = append(rows, renderRows(c, leaves[leaf:leaf+width])...)
		}
		leaf += width
		var got []string
		for _, chunk := range t.Column(i).Data().Chunks() {
			for k := range chunk.Len() {
				got = append(got, renderArrow(chunk, k))
			}
		}
		if len(got) != len(rows) {
			return fmt.Errorf("column %d: %d, written %d", i, len(got), len(rows))
		}
		for k := range rows {
			if got[k] != rows[k] {
				return fmt.Errorf("column %d, row %d: %s, written %s", i, k, got[k], rows[k])
			}
		}
	}
	return nil
}

// renderRows is a column of the table as text, row by row.
func renderRows(c column, leaves [][]entry) (rows []string) {
	var elements []string
	for at, e := range leaves[0] {
		if c.form == required || c.form == optional {
			rows = append(rows, render(e))
			continue
		}
		if e.rep == 0 {
			elements = nil
		} else {
			rows = rows[:len(rows)-1]
		}
		switch {
		case e.def == 0:
			rows = append(rows, "NULL")
			continue
		case e.def == 1:
		case e.def == 2:
			elements = append(elements, "NULL")
		default:
			var members []string
			for _, l := range leaves {
				members = append(members, render(l[at]))
			}
			elements = append(elements, strings.Join(members, "|"))
		}
		rows = append(rows, "["+strings.Join(elements, ", ")+"]")
	}
	return rows
}

func renderArrow(a arrow.Array, n int) string {
	if a.IsNull(n) {
		return "NULL"
	}
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(n) {
			return "1"
		}
		return "0"
	case *array.Int32:
		return fmt.Sprint(a.Value(n))
	case *array.Int64:
		return fmt.Sprint(a.Value(n))
	case *array.Float64:
		return fmt.Sprint(int64(math.Float64bits(a.Value(n))))
	case *array.String:
		return fmt.Sprintf("%q", a.Value(n))
	case *array.Struct:
		var members []string
		for i := range a.NumField() {
			members = append(members, renderArrow(a.Field(i), n))
		}
		return strings.Join(members, "|")
	case *array.List:
		from, to := a.ValueOffsets(n)
		var elements []string
		for k := from; k < to; k++ {
			elements = append(elements, renderArrow(a.ListValues(), int(k)))
		}
		return "[" + strings.Join(elements, ", ") + "]"
	default:
		return fmt.Sprintf("a %T", a)
	}
}
