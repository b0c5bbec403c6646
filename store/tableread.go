package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Reading whole rows of our own files, the hot path of merging, verify and
// whatever writes files again. All leaf columns of a row group go forward
// together, and each row is put together from where they stand. Texts point
// into the page that the library has unpacked and are copied once, into the
// row: by way of Arrow's builders a row is copied three times, and takes two
// and a half times the processor time. Files of other shapes, which other
// programs have written, go that way all the same (parquet_read.go).

// leafBatch is how many levels and values of a leaf are decoded at once.
const leafBatch = 256

// errUneven says that the columns of a row group have not all the same rows.
var errUneven = errors.New("its columns do not have the same number of rows")

// shape is how a table's files look that are ours.
type shape struct {
	root    *schema.GroupNode
	columns []Column
}

// shapes are those of activities and of revisions.
var shapes = sync.OnceValues(func() ([]shape, error) {
	var all []shape
	for _, t := range []struct {
		columns  []Column
		withKeys bool
	}{{Columns, false}, {RevisionColumns, true}} {
		root, kept, err := fileSchema(t.columns, t.withKeys)
		if err != nil {
			return nil, err
		}
		all = append(all, shape{root, kept})
	}
	return all, nil
})

// readTable reads all rows of a file that has a shape of ours; ours is false,
// and nothing was read, where it has not. The row is used again. by is nil
// except in files of revisions.
func readTable(ctx context.Context, path string, each func(row *Row, by *replacement) error) (ours bool, err error) {
	defer recovered(&err)
	f, err := os.Open(path)
	if err != nil {
		return true, plain(err)
	}
	defer f.Close()
	r, err := file.NewParquetReader(f, file.WithReadProps(readProperties()))
	if err != nil {
		return true, err
	}
	defer r.Close()
	all, err := shapes()
	if err != nil {
		return true, err
	}
	root := r.MetaData().Schema.Root()
	i := slices.IndexFunc(all, func(s shape) bool { return root.Equals(s.root) })
	if i < 0 {
		return false, nil
	}
	t := newTableReader(all[i].columns)
	for g := range r.NumRowGroups() {
		if err := t.readGroup(ctx, r.RowGroup(g), each); err != nil {
			return true, err
		}
	}
	return true, nil
}

// recovered makes an error of a panic: the library panics on some kinds of
// damage, and a damaged file is an answer.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it is no sound Parquet file: %v", p)
	}
}

// tableReader is where a file is being read.
type tableReader struct {
	columns []readColumn // raw before all others, as in a row's text
	row     Row
	by      *replacement // nil: the file has none
	runID   string       // of the row before: the same for all rows of a commit
}

// readColumn is a column, and its leaves, the first of which has this number in
// the file.
type readColumn struct {
	Column
	field
	first  int
	leaves []leafReader
}

func newTableReader(columns []Column) *tableReader {
	t := &tableReader{}
	first := 0
	for _, c := range columns {
		n := 1
		if c.Type == TypeObjects {
			n = len(objectFields)
		}
		t.columns = append(t.columns, readColumn{Column: c, field: fields[c.Name], first: first, leaves: make([]leafReader, n)})
		first += n
	}
	raw := slices.IndexFunc(t.columns, func(c readColumn) bool { return c.kind == kindRaw })
	t.columns = slices.Concat(t.columns[raw:raw+1], t.columns[:raw], t.columns[raw+1:])
	return t
}

func (t *tableReader) readGroup(ctx context.Context, g *file.RowGroupReader, each func(row *Row, by *replacement) error) error {
	for i := range t.columns {
		for j := range t.columns[i].leaves {
			chunk, err := g.Column(t.columns[i].first + j)
			if err != nil {
				return err
			}
			t.columns[i].leaves[j].begin(chunk)
		}
	}
	for n := range g.NumRows() {
		if n%leafBatch == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := t.next(); err != nil {
			return err
		}
		if err := each(&t.row, t.by); err != nil {
			return err
		}
	}
	return t.atEnd()
}

// atEnd says whether nothing is left behind the last row.
func (t *tableReader) atEnd() error {
	for i := range t.columns {
		for j := range t.columns[i].leaves {
			switch more, err := t.columns[i].leaves[j].more(); {
			case err != nil:
				return err
			case more:
				return errUneven
			}
		}
	}
	return nil
}

// next puts the next row together.
func (t *tableReader) next() error {
	r := &t.row
	r.Reset()
	for i := range t.columns {
		c := &t.columns[i]
		var err error
		switch c.kind {
		case kindStrings:
			err = c.leaves[0].list(r, &r.Lists[c.index])
		case kindObjects:
			err = readObjects(c.leaves, r)
		default:
			var has bool
			if has, err = c.leaves[0].next(); has {
				t.take(c, &c.leaves[0])
			}
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return nil
}

// take puts the value that a leaf stands at into the row.
func (t *tableReader) take(c *readColumn, l *leafReader) {
	r := &t.row
	switch c.kind {
	case kindRaw:
		raw := l.bytes[l.value]
		r.Text = append(slices.Grow(r.Text, len(raw)+len(raw)/8), raw...)
		r.RawLen = len(r.Text)
	case kindString:
		r.Strings[c.index] = r.addBytes(l.bytes[l.value])
	case kindMillis:
		r.SetNumber(c.index, l.longs[l.value]/1000)
		r.noteFraction(c.Name, l.longs[l.value]%1000 != 0)
	case kindLong:
		r.SetNumber(c.index, l.longs[l.value])
	case kindInteger:
		r.SetNumber(c.index, int64(l.ints[l.value]))
	case kindBoolean:
		r.SetNumber(c.index, 0)
		if l.bools[l.value] {
			r.SetNumber(c.index, 1)
		}
	case kindDouble:
		r.SetDouble(c.index, l.doubles[l.value])
	case kindOriginal:
		r.Original = append([]byte{}, l.bytes[l.value]...)
	case kindHash:
		r.ContentHash = l.longs[l.value]
	case kindIngested:
		r.Ingested = l.longs[l.value] / 1000
		r.noteFraction(c.Name, l.longs[l.value]%1000 != 0)
	case kindRunID:
		if id := l.bytes[l.value]; string(id) != t.runID {
			t.runID = string(id)
		}
		r.RunID = t.runID
	case kindPage:
		r.Page = l.ints[l.value]
	case kindReplaced:
		t.by = &replacement{at: l.longs[l.value] / 1000} // whoever got the last one may have kept it
	case kindReplacedByRun:
		t.by.run = string(l.bytes[l.value])
	case kindReplacedByHash:
		t.by.hash = l.longs[l.value]
	}
}

func (r *Row) addBytes(b []byte) Span {
	off := len(r.Text)
	r.Text = append(r.Text, b...)
	return Span{Off: uint32(off), Len: uint32(len(b))}
}

// leafReader is where one leaf column stands: a batch of levels, and of the
// values of those that have one.
type leafReader struct {
	chunk        file.ColumnChunkReader
	defined      int16 // the definition level of a value; 0: each level has one
	repeats      bool
	defs, reps   []int16
	levels, at   int // in the batch, and the next of them
	value, taken int // the value that it stands at, and how many came before the next

	bytes   []parquet.ByteArray
	longs   []int64
	ints    []int32
	bools   []bool
	doubles []float64
}

func (l *leafReader) begin(c file.ColumnChunkReader) {
	l.chunk, l.levels, l.at, l.taken = c, 0, 0, 0
	l.defined, l.repeats = c.Descriptor().MaxDefinitionLevel(), c.Descriptor().MaxRepetitionLevel() > 0
	if l.defined > 0 && l.defs == nil {
		l.defs = make([]int16, leafBatch)
	}
	if l.repeats && l.reps == nil {
		l.reps = make([]int16, leafBatch)
	}
}

// more says whether a level is left, and decodes the next ones of the page if
// need be. The values before are used up by then, so the page may go.
func (l *leafReader) more() (bool, error) {
	if l.at < l.levels {
		return true, nil
	}
	var levels int64
	var err error
	switch c := l.chunk.(type) {
	case *file.ByteArrayColumnChunkReader:
		l.bytes = ofBatch(l.bytes)
		levels, _, err = c.ReadBatchInPage(leafBatch, l.bytes, l.defs, l.reps)
	case *file.Int64ColumnChunkReader:
		l.longs = ofBatch(l.longs)
		levels, _, err = c.ReadBatchInPage(leafBatch, l.longs, l.defs, l.reps)
	case *file.Int32ColumnChunkReader:
		l.ints = ofBatch(l.ints)
		levels, _, err = c.ReadBatchInPage(leafBatch, l.ints, l.defs, l.reps)
	case *file.BooleanColumnChunkReader:
		l.bools = ofBatch(l.bools)
		levels, _, err = c.ReadBatchInPage(leafBatch, l.bools, l.defs, l.reps)
	case *file.Float64ColumnChunkReader:
		l.doubles = ofBatch(l.doubles)
		levels, _, err = c.ReadBatchInPage(leafBatch, l.doubles, l.defs, l.reps)
	default:
		err = errOtherTypes
	}
	l.levels, l.at, l.taken = int(levels), 0, 0
	if err == nil {
		err = l.chunk.Err()
	}
	return levels > 0 && err == nil, err
}

func ofBatch[T any](values []T) []T {
	if values == nil {
		values = make([]T, leafBatch)
	}
	return values
}

// level goes to the next level: its definition level, and whether it goes on
// with the list before.
func (l *leafReader) level() (def int16, err error) {
	switch more, err := l.more(); {
	case err != nil:
		return 0, err
	case !more:
		return 0, errUneven
	}
	def = l.defined
	if l.defined > 0 {
		def = l.defs[l.at]
	}
	l.at++
	if def == l.defined {
		l.value = l.taken
		l.taken++
	}
	return def, nil
}

// next goes to the value of the next row, if it has one.
func (l *leafReader) next() (has bool, err error) {
	def, err := l.level()
	return err == nil && def == l.defined, err
}

// goesOn says whether the list under way has another element.
func (l *leafReader) goesOn() (bool, error) {
	more, err := l.more()
	return more && l.reps[l.at] != 0, err
}

// list reads a list of texts; parquet.go has the levels.
func (l *leafReader) list(r *Row, list *List) error {
	def, err := l.level()
	list.Valid = err == nil && def > 0
	for err == nil {
		switch def {
		case 2:
			list.Items = append(list.Items, Null)
		case 3:
			list.Items = append(list.Items, r.addBytes(l.bytes[l.value]))
		}
		more, merr := l.goesOn()
		if !more {
			return merr
		}
		def, err = l.level()
	}
	return err
}

// readObjects reads the column `objects`, whose leaves have a level for the
// same elements.
func readObjects(leaves []leafReader, r *Row) error {
	for more := true; more; {
		var defs [8]int16
		for j := range leaves {
			var err error
			if defs[j], err = leaves[j].level(); err != nil {
				return err
			}
			if min(defs[j], 3) != min(defs[0], 3) {
				return errUneven
			}
		}
		r.HasObjects = defs[0] > 0
		if defs[0] >= 2 {
			r.Objects = append(r.Objects, objectAt(leaves, &defs, r))
		}
		for j := range leaves {
			on, err := leaves[j].goesOn()
			if err != nil {
				return err
			}
			if j > 0 && on != more {
				return errUneven
			}
			more = on
		}
	}
	return nil
}

// objectAt is the element that the leaves stand at.
func objectAt(leaves []leafReader, defs *[8]int16, r *Row) Object {
	o := Object{ID: Null, Name: Null, Value: Null, ServiceObjectType: Null, Null: defs[0] == 2}
	for j, span := range [...]*Span{0: &o.ID, 1: &o.Name, 2: &o.Value, 7: &o.ServiceObjectType} {
		if span != nil && defs[j] == 4 {
			*span = r.addBytes(leaves[j].bytes[leaves[j].value])
		}
	}
	if defs[3] == 4 {
		o.Type, o.Set = leaves[3].ints[leaves[3].value], o.Set|ObjectHasType
	}
	if defs[4] == 4 {
		o.Role, o.Set = leaves[4].ints[leaves[4].value], o.Set|ObjectHasRole
	}
	if defs[5] == 4 {
		o.AppID, o.Set = leaves[5].longs[leaves[5].value], o.Set|ObjectHasAppID
	}
	if defs[6] == 4 {
		o.InstanceID, o.Set = leaves[6].longs[leaves[6].value], o.Set|ObjectHasInstanceID
	}
	return o
}
