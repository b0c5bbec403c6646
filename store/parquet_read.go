package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Reading Parquet back, for dedupe, rewriting and verify. Queries do not come
// this way: DuckDB reads the files itself.

var errOtherTypes = errors.New("its columns have other types than ours")

// readBatch bounds what is held at once: this many rows of up to some
// megabytes each.
const readBatch = 256

// readColumns reads the named columns of a file, a batch at a time. The batch
// is only valid during the call.
func readColumns(ctx context.Context, path string, names []string, each func(batch arrow.RecordBatch) error) (err error) {
	defer recovered(&err)
	f, err := os.Open(path)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	r, err := file.NewParquetReader(f, file.WithReadProps(readProperties()))
	if err != nil {
		return err
	}
	defer r.Close()
	// Other programs note their own types there (large lists, views, dictionaries),
	// and the library would hand out those: without it, they are Parquet's.
	r.MetaData().FileMetaData.KeyValueMetadata = nil
	pr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: readBatch}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	leaves, err := leafIndices(r, names)
	if err != nil {
		return err
	}
	records, err := pr.GetRecordReader(ctx, leaves, nil)
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := each(records.RecordBatch()); err != nil {
			return err
		}
	}
	if err := records.Err(); err != nil && err != io.EOF {
		return err
	}
	return nil
}

func readProperties() *parquet.ReaderProperties {
	p := parquet.NewReaderProperties(memory.DefaultAllocator)
	p.BufferedStreamEnabled = true // pages, not whole column chunks
	return p
}

// readShape reads what a file says of itself: its schema, and the schema
// version in its metadata; empty where it has none.
func readShape(path string) (shape *schema.Schema, version string, err error) {
	defer recovered(&err)
	f, err := os.Open(path)
	if err != nil {
		return nil, "", plain(err)
	}
	defer f.Close()
	r, err := file.NewParquetReader(f)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	if v := r.MetaData().KeyValueMetadata().FindValue(metaSchemaVersion); v != nil {
		version = *v
	}
	return r.MetaData().Schema, version, nil
}

// leafIndices are the leaf columns below the named ones; nil means all.
func leafIndices(r *file.Reader, names []string) ([]int, error) {
	if names == nil {
		return nil, nil
	}
	s := r.MetaData().Schema
	var leaves []int
	for _, name := range names {
		found := false
		for i := range s.NumColumns() {
			if s.ColumnRoot(i).Name() == name {
				leaves, found = append(leaves, i), true
			}
		}
		if !found {
			return nil, fmt.Errorf("it has no column %q", name)
		}
	}
	return leaves, nil
}

// readRows reads whole rows. The row given to each is used again.
func readRows(ctx context.Context, path string, each func(row *Row, index int64) error) error {
	var index int64
	count := func(row *Row, _ *replacement) error {
		index++
		return each(row, index-1)
	}
	if ours, err := readTable(ctx, path, count); ours {
		return err
	}
	var row Row
	return readColumns(ctx, path, nil, func(batch arrow.RecordBatch) error {
		return eachRow(batch, &row, func(int) error { return count(&row, nil) })
	})
}

// readWhole reads rows that are to be written again: with what a row of
// `revisions` has beyond one of `activities` (nil in other files), and never
// without a column that the file has.
func readWhole(ctx context.Context, path string, each func(row *Row, by *replacement) error) error {
	if ours, err := readTable(ctx, path, each); ours {
		return err
	}
	var row Row
	return readColumns(ctx, path, nil, func(batch arrow.RecordBatch) error {
		for _, f := range batch.Schema().Fields() {
			if _, known := fields[f.Name]; !known {
				return fmt.Errorf("it has a column %q that this version does not know", f.Name)
			}
		}
		by, err := replacements(batch)
		if err != nil {
			return err
		}
		return eachRow(batch, &row, func(i int) error { return each(&row, by(i)) })
	})
}

// eachRow fills the row with each row of a batch.
func eachRow(batch arrow.RecordBatch, row *Row, each func(i int) error) error {
	fill, err := rowFillers(batch)
	if err != nil {
		return err
	}
	raws, ok := batch.Column(batch.Schema().FieldIndices("raw")[0]).(*array.String)
	if !ok {
		return fmt.Errorf("column %q: it has no text", "raw")
	}
	for i := range int(batch.NumRows()) {
		row.Reset()
		raw := raws.Value(i)
		row.Text = append(slices.Grow(row.Text, len(raw)+len(raw)/8), raw...)
		row.RawLen = len(row.Text)
		for _, f := range fill {
			f(row, i)
		}
		if err := each(i); err != nil {
			return err
		}
	}
	return nil
}

// replacements reads the columns that only files of `revisions` have.
func replacements(batch arrow.RecordBatch) (func(i int) *replacement, error) {
	column := func(name string) arrow.Array {
		if at := batch.Schema().FieldIndices(name); len(at) == 1 {
			return batch.Column(at[0])
		}
		return nil
	}
	if column("replaced") == nil {
		return func(int) *replacement { return nil }, nil
	}
	at, ok1 := column("replaced").(*array.Timestamp)
	run, ok2 := column("replaced_by_run").(*array.String)
	hash, ok3 := column("replaced_by_hash").(*array.Int64)
	if !ok1 || !ok2 || !ok3 {
		return nil, fmt.Errorf("its columns %q, %q, %q have other types than ours", "replaced", "replaced_by_run", "replaced_by_hash")
	}
	return func(i int) *replacement {
		return &replacement{at: int64(at.Value(i)) / 1000, run: strings.Clone(run.Value(i)), hash: hash.Value(i)}
	}, nil
}

// rowFillers makes, for each column of a batch, the function that puts its
// value into a row.
func rowFillers(batch arrow.RecordBatch) ([]func(*Row, int), error) {
	var fill []func(*Row, int)
	if len(batch.Schema().FieldIndices("raw")) != 1 {
		return nil, fmt.Errorf("it has no column %q", "raw")
	}
	// In the order of our columns, so that equal rows have equal bytes in whatever
	// order another program has put its columns. Others are of a later schema.
	for _, c := range RevisionColumns {
		at := batch.Schema().FieldIndices(c.Name)
		if len(at) == 0 {
			continue
		}
		g, err := filler(c.Name, fields[c.Name], batch.Column(at[0]))
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		if g != nil {
			fill = append(fill, g)
		}
	}
	return fill, nil
}

func filler(column string, f field, values arrow.Array) (func(*Row, int), error) {
	switch c := values.(type) {
	case *array.String:
		return fillString(f, c), nil
	case *array.Int64:
		return fillLong(f, c), nil
	case *array.Int32:
		switch f.kind {
		case kindInteger:
			return setNumber(f, c, func(i int) int64 { return int64(c.Value(i)) }), nil
		case kindPage:
			return func(r *Row, i int) {
				if c.IsValid(i) {
					r.Page = c.Value(i)
				}
			}, nil
		}
	case *array.Boolean:
		return setNumber(f, c, func(i int) int64 {
			if c.Value(i) {
				return 1
			}
			return 0
		}), nil
	case *array.Float64:
		return func(r *Row, i int) {
			if c.IsValid(i) {
				r.SetDouble(f.index, c.Value(i))
			}
		}, nil
	case *array.Timestamp:
		// Ours are microseconds; Spark's may be INT96, which is read as nanoseconds.
		perMilli := int64(time.Millisecond / c.DataType().(*arrow.TimestampType).Unit.Multiplier())
		if perMilli == 0 {
			break
		}
		millis := func(i int) int64 { return int64(c.Value(i)) / perMilli }
		fraction := func(i int) bool { return c.IsValid(i) && int64(c.Value(i))%perMilli != 0 }
		switch f.kind {
		case kindMillis:
			set := setNumber(f, c, millis)
			return func(r *Row, i int) {
				set(r, i)
				r.noteFraction(column, fraction(i))
			}, nil
		case kindIngested:
			return func(r *Row, i int) {
				r.Ingested = millis(i)
				r.noteFraction(column, fraction(i))
			}, nil
		case kindReplaced:
			return nil, nil
		}
	case *array.Binary:
		return func(r *Row, i int) {
			if c.IsValid(i) {
				r.Original = append([]byte{}, c.Value(i)...)
			}
		}, nil
	case *array.Date32:
		return nil, nil
	case *array.List:
		if f.kind == kindStrings {
			return fillList(f, c)
		}
		return fillObjectList(c)
	}
	return nil, fmt.Errorf("it has type %s", values.DataType())
}

// noteFraction marks a time that is no whole millisecond: none of ours is, and
// the number of a Row cannot hold it.
func (r *Row) noteFraction(column string, is bool) {
	if is {
		r.Drift |= 1 << slices.IndexFunc(Columns, func(c Column) bool { return c.Name == column })
	}
}

func setNumber(f field, c arrow.Array, value func(int) int64) func(*Row, int) {
	return func(r *Row, i int) {
		if c.IsValid(i) {
			r.SetNumber(f.index, value(i))
		}
	}
}

func (r *Row) addText(s string) Span {
	off := len(r.Text)
	r.Text = append(r.Text, s...)
	return Span{Off: uint32(off), Len: uint32(len(s))}
}

func fillString(f field, c *array.String) func(*Row, int) {
	switch f.kind {
	case kindString:
		return func(r *Row, i int) {
			if c.IsValid(i) {
				r.Strings[f.index] = r.addText(c.Value(i))
			}
		}
	case kindRunID:
		var last string // the same for all rows of a commit
		return func(r *Row, i int) {
			if id := c.Value(i); id != last {
				last = strings.Clone(id) // the batch is used again
			}
			r.RunID = last
		}
	}
	return nil // raw is there already
}

func fillLong(f field, c *array.Int64) func(*Row, int) {
	switch f.kind {
	case kindLong:
		return setNumber(f, c, c.Value)
	case kindHash:
		return func(r *Row, i int) { r.ContentHash = c.Value(i) }
	}
	return nil
}

func fillList(f field, c *array.List) (func(*Row, int), error) {
	values, ok := c.ListValues().(*array.String)
	if !ok {
		return nil, fmt.Errorf("its elements have type %s", c.ListValues().DataType())
	}
	return func(r *Row, i int) {
		if c.IsNull(i) {
			return
		}
		list := &r.Lists[f.index]
		list.Valid = true
		from, to := c.ValueOffsets(i)
		for j := int(from); j < int(to); j++ {
			if values.IsNull(j) {
				list.Items = append(list.Items, Null)
				continue
			}
			list.Items = append(list.Items, r.addText(values.Value(j)))
		}
	}, nil
}

func fillObjectList(c *array.List) (func(*Row, int), error) {
	s, ok := c.ListValues().(*array.Struct)
	if !ok || s.NumField() != len(objectFields) {
		return nil, fmt.Errorf("its elements have type %s", c.ListValues().DataType())
	}
	var texts [8]*array.String
	for _, j := range []int{0, 1, 2, 7} {
		if texts[j], ok = s.Field(j).(*array.String); !ok {
			return nil, fmt.Errorf("member %q has type %s", objectFields[j].name, s.Field(j).DataType())
		}
	}
	typ, ok1 := s.Field(3).(*array.Int32)
	role, ok2 := s.Field(4).(*array.Int32)
	app, ok3 := s.Field(5).(*array.Int64)
	inst, ok4 := s.Field(6).(*array.Int64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, fmt.Errorf("its elements have type %s", s.DataType())
	}
	return func(r *Row, i int) {
		if c.IsNull(i) {
			return
		}
		r.HasObjects = true
		from, to := c.ValueOffsets(i)
		for j := int(from); j < int(to); j++ {
			o := Object{ID: Null, Name: Null, Value: Null, ServiceObjectType: Null, Null: s.IsNull(j)}
			if !o.Null {
				for k, span := range [...]*Span{0: &o.ID, 1: &o.Name, 2: &o.Value, 7: &o.ServiceObjectType} {
					if span != nil && texts[k].IsValid(j) {
						*span = r.addText(texts[k].Value(j))
					}
				}
				if typ.IsValid(j) {
					o.Type, o.Set = typ.Value(j), o.Set|ObjectHasType
				}
				if role.IsValid(j) {
					o.Role, o.Set = role.Value(j), o.Set|ObjectHasRole
				}
				if app.IsValid(j) {
					o.AppID, o.Set = app.Value(j), o.Set|ObjectHasAppID
				}
				if inst.IsValid(j) {
					o.InstanceID, o.Set = inst.Value(j), o.Set|ObjectHasInstanceID
				}
			}
			r.Objects = append(r.Objects, o)
		}
	}, nil
}

// readIDs reads the activity_id of each row; the text is only valid during the
// call.
func readIDs(ctx context.Context, path string, each func(id string)) error {
	return readColumns(ctx, path, []string{"activity_id"}, func(b arrow.RecordBatch) error {
		ids, ok := b.Column(0).(*array.String)
		if !ok {
			return errOtherTypes
		}
		for i := range ids.Len() {
			each(ids.Value(i))
		}
		return nil
	})
}

// ReadRows reads the rows of one data file of a lake. The row is used again
// for the next one.
func ReadRows(ctx context.Context, path string, each func(*Row) error) error {
	return readRows(ctx, path, func(r *Row, _ int64) error { return each(r) })
}
