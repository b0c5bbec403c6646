package query

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"mdcalake/store"
)

// Partitions is what WritePartitions wrote.
type Partitions struct {
	Rows, Bytes int64
	Files       int
}

// WritePartitions writes the rows of an Export of KeyedRows as Parquet below
// dir, which must be empty: date=YYYY-MM-DD/service=N/part-00000.parquet, as in
// the lake, the two keys in the path alone. All is synced when it returns. What
// was written before an error is not whole.
//
// One file is open at a time. Rows come cell by cell, as the lake's files stand;
// should a cell come again it gets a second file.
func WritePartitions(ctx context.Context, dir string, rows *Rows) (res Partitions, err error) {
	stop := context.AfterFunc(ctx, rows.cancel)
	defer stop()
	w, err := newPartitionWriter(dir, rows)
	if err != nil {
		return res, fmt.Errorf("write partitions: %w", err)
	}
	defer func() {
		if err != nil {
			w.abandon()
		}
	}()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			if ctx.Err() != nil {
				err = cancelled(ctx, rows.question.sql)
			}
			return res, err
		}
		err = w.write(batch)
		batch.Release()
		if err != nil {
			return res, fmt.Errorf("write partitions: %w", err)
		}
	}
	if err := errors.Join(w.closeFile(), w.sync()); err != nil {
		return res, fmt.Errorf("write partitions: %w", err)
	}
	return w.done, nil
}

type partitionWriter struct {
	dir   string
	rest  *Rows // the columns but for the keys; of it nothing is read
	parts map[store.Partition]int
	done  Partitions

	cell store.Partition
	file *os.File // of cell; nil: none is open
	buf  *bufio.Writer
	out  *parquetWriter
}

func newPartitionWriter(dir string, rows *Rows) (*partitionWriter, error) {
	columns, fields := rows.Columns(), rows.Schema().Fields()
	n := len(columns) - 2
	if n < 1 || columns[n].Name != "date" || columns[n].Type != "DATE" || columns[n+1].Name != "service" || columns[n+1].Type != "BIGINT" {
		return nil, errors.New("the rows do not end with date and service")
	}
	rest := &Rows{stream: &stream{columns: columns[:n], schema: arrow.NewSchema(fields[:n], nil)}}
	return &partitionWriter{dir: dir, rest: rest, parts: map[store.Partition]int{}}, nil
}

// write cuts a batch where the cell changes.
func (w *partitionWriter) write(batch arrow.RecordBatch) error {
	n := len(w.rest.Columns())
	days, ok := batch.Column(n).(*array.Date32)
	services, ok2 := batch.Column(n + 1).(*array.Int64)
	if !ok || !ok2 || days.NullN() > 0 || services.NullN() > 0 {
		return errors.New("date and service are not what they are in the lake")
	}
	for from, rows := 0, int(batch.NumRows()); from < rows; {
		cell := store.Partition{Day: int32(days.Value(from)), Service: services.Value(from)}
		to := from + 1
		for to < rows && int32(days.Value(to)) == cell.Day && services.Value(to) == cell.Service {
			to++
		}
		if w.file == nil || cell != w.cell {
			if err := errors.Join(w.closeFile(), w.openFile(cell)); err != nil {
				return err
			}
		}
		if err := w.writeRows(batch, from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func (w *partitionWriter) writeRows(batch arrow.RecordBatch, from, to int) error {
	columns := make([]arrow.Array, len(w.rest.Columns()))
	for i := range columns {
		columns[i] = array.NewSlice(batch.Column(i), int64(from), int64(to))
		defer columns[i].Release()
	}
	part := array.NewRecordBatch(w.rest.Schema(), columns, int64(to-from))
	defer part.Release()
	w.done.Rows += int64(to - from)
	return w.out.write(part, to-from)
}

func (w *partitionWriter) openFile(cell store.Partition) error {
	dir := filepath.Join(w.dir, filepath.FromSlash(cell.Dir()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, partName(w.parts[cell])), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w.parts[cell]++
	w.cell, w.file, w.buf = cell, file, bufio.NewWriterSize(file, 64<<10)
	w.out, err = newParquet(w.buf, w.rest)
	return err
}

// closeFile ends the open file, if there is one.
func (w *partitionWriter) closeFile() error {
	if w.file == nil {
		return nil
	}
	defer w.abandon()
	if err := w.out.end(Result{}); err != nil {
		return err
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	w.done.Files++
	w.done.Bytes += info.Size()
	return w.file.Close()
}

// abandon frees what is open.
func (w *partitionWriter) abandon() {
	if w.out != nil {
		w.out.release()
	}
	if w.file != nil {
		w.file.Close() // again, after a good end: nothing happens
	}
	w.out, w.file = nil, nil
}

// sync makes files and names last. Done one by one, behind each file, it would
// take most of the time of a copy.
func (w *partitionWriter) sync() error {
	var names []string
	above := map[string]bool{w.dir: true}
	for cell, parts := range w.parts {
		dir := filepath.Join(w.dir, filepath.FromSlash(cell.Dir()))
		for n := range parts {
			names = append(names, filepath.Join(dir, partName(n)))
		}
		names = append(names, dir)
		above[filepath.Dir(dir)] = true
	}
	names = slices.AppendSeq(names, maps.Keys(above))
	var group errgroup.Group
	group.SetLimit(16)
	for _, name := range names {
		group.Go(func() error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			return errors.Join(f.Sync(), f.Close())
		})
	}
	return group.Wait()
}

func partName(n int) string { return fmt.Sprintf("part-%05d.parquet", n) }
