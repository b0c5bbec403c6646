package query

// The driver holds every result whole in memory, outside memory_limit. This
// file asks the library underneath for one chunk after the other instead, and
// hands each over as an Arrow batch.
//
// The two conversions to Arrow are called directly: the bindings hide them
// behind a build tag of their own, and with these few lines nobody has to know
// about it. They are part of DuckDB's stable C interface.

/*
#include <stdint.h>
#include <stdlib.h>

extern void *duckdb_to_arrow_schema(void *options, void **types, const char **names, uint64_t columns, void *out_schema);
extern void *duckdb_data_chunk_to_arrow(void *options, void *chunk, void *out_array);
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// prepared is a statement that was bound, and not yet run.
type prepared struct {
	in   *instance
	stmt bindings.PreparedStatement
}

// engineText is an error in DuckDB's words, JSON mostly; newEngineError reads it.
type engineText string

func (e engineText) Error() string { return string(e) }

// prepare binds each statement of sql and runs all but the last, which must be
// exactly `before` many. Only PIVOT without IN has any: DuckDB itself turns it
// into the making of a type and a SELECT.
func (in *instance) prepare(sql string, before int) (*prepared, error) {
	var extracted bindings.ExtractedStatements
	n := int(bindings.ExtractStatements(in.handle, sql, &extracted))
	defer bindings.DestroyExtracted(&extracted)
	if n == 0 {
		if text := bindings.ExtractStatementsError(extracted); text != "" {
			return nil, engineText(text)
		}
		return nil, errNoStatement
	}
	if n != before+1 {
		return nil, errManyStatements
	}
	for i := range before {
		if err := in.runType(extracted, i); err != nil {
			return nil, err
		}
	}
	p := &prepared{in: in}
	if bindings.PrepareExtractedStatement(in.handle, extracted, bindings.IdxT(before), &p.stmt) == bindings.StateError {
		defer p.close()
		return nil, engineText(bindings.PrepareError(p.stmt))
	}
	return p, nil
}

var (
	errNoStatement    = errors.New("no statement")
	errManyStatements = errors.New("more than one statement")
	errStatementType  = errors.New("a statement that is no question")
)

// runType runs the CREATE TYPE of a PIVOT without IN.
func (in *instance) runType(extracted bindings.ExtractedStatements, i int) error {
	var stmt bindings.PreparedStatement
	if bindings.PrepareExtractedStatement(in.handle, extracted, bindings.IdxT(i), &stmt) == bindings.StateError {
		defer bindings.DestroyPrepare(&stmt)
		return engineText(bindings.PrepareError(stmt))
	}
	defer bindings.DestroyPrepare(&stmt)
	if bindings.PreparedStatementType(stmt) != bindings.StatementTypeCreate {
		return errStatementType
	}
	var res bindings.Result
	defer bindings.DestroyResult(&res)
	if bindings.ExecutePrepared(stmt, &res) == bindings.StateError {
		return engineText(bindings.ResultError(&res))
	}
	return nil
}

// checkType is the guard's third layer. Numbers that we do not know are
// refused like the rest: UPDATE EXTENSIONS has one that the driver has no name
// for.
func (p *prepared) checkType() error {
	switch bindings.PreparedStatementType(p.stmt) {
	case bindings.StatementTypeSelect, bindings.StatementTypeExplain:
		return nil
	}
	return errStatementType
}

func (p *prepared) parameters() int { return int(bindings.NParams(p.stmt)) }

func (p *prepared) close() { bindings.DestroyPrepare(&p.stmt) }

// stream is a running statement.
type stream struct {
	p       *prepared
	result  bindings.Result
	options bindings.ArrowOptions
	schema  *arrow.Schema
	columns []Column
	closed  bool
}

// run starts the statement. Rows are computed as they are asked for.
func (p *prepared) run() (*stream, error) {
	s := &stream{p: p}
	var pending bindings.PendingResult
	defer bindings.DestroyPending(&pending)
	if bindings.PendingPreparedStreaming(p.stmt, &pending) == bindings.StateError {
		return nil, engineText(bindings.PendingError(pending))
	}
	if bindings.ExecutePending(pending, &s.result) == bindings.StateError {
		text := bindings.ResultError(&s.result)
		bindings.DestroyResult(&s.result)
		return nil, engineText(text)
	}
	s.options = bindings.ResultGetArrowOptions(&s.result)
	if err := s.describe(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// describe reads the names and types of the columns.
func (s *stream) describe() error {
	n := int(bindings.ColumnCount(&s.result))
	types := make([]bindings.LogicalType, n)
	defer func() {
		for i := range types {
			bindings.DestroyLogicalType(&types[i])
		}
	}()
	for i := range n {
		c := bindings.IdxT(i)
		types[i] = bindings.ColumnLogicalType(&s.result, c)
		t := newValueType(types[i])
		name := bindings.ColumnName(&s.result, c)
		if bad := t.unwritable(); bad != nil {
			return &Error{
				Kind: Names, Position: -1,
				Message: fmt.Sprintf("column %q has type %s, which cannot be written without loss", name, bad),
				Hint:    "cast it to VARCHAR",
			}
		}
		s.columns = append(s.columns, Column{Name: name, Type: t.String(), typ: t})
	}
	var err error
	s.schema, err = arrowSchema(s.options, types, s.columns)
	return err
}

// next is the next batch, io.EOF behind the last. The caller releases it.
func (s *stream) next() (arrow.RecordBatch, error) {
	for {
		chunk := bindings.FetchChunk(s.result)
		if chunk.Ptr == nil {
			if text := bindings.ResultError(&s.result); text != "" {
				return nil, engineText(text)
			}
			return nil, io.EOF
		}
		batch, err := arrowBatch(s.options, s.schema, chunk)
		bindings.DestroyDataChunk(&chunk)
		if err != nil {
			return nil, err
		}
		if batch.NumRows() > 0 {
			return batch, nil
		}
		batch.Release()
	}
}

// close ends the statement, finished or not. The order is the library's.
func (s *stream) close() {
	if s.closed {
		return
	}
	s.closed = true
	bindings.DestroyArrowOptions(&s.options)
	bindings.DestroyResult(&s.result)
}

func arrowSchema(options bindings.ArrowOptions, types []bindings.LogicalType, columns []Column) (*arrow.Schema, error) {
	n := len(types)
	// Arrays in C's memory: Go may not hand over pointers to pointers of its own.
	ctypes := (*[1 << 20]unsafe.Pointer)(C.calloc(C.size_t(n+1), C.size_t(unsafe.Sizeof(unsafe.Pointer(nil)))))
	cnames := (*[1 << 20]*C.char)(C.calloc(C.size_t(n+1), C.size_t(unsafe.Sizeof(unsafe.Pointer(nil)))))
	out := (*cdata.CArrowSchema)(C.calloc(1, C.size_t(unsafe.Sizeof(cdata.CArrowSchema{}))))
	defer func() {
		for i := range n {
			C.free(unsafe.Pointer(cnames[i]))
		}
		C.free(unsafe.Pointer(ctypes))
		C.free(unsafe.Pointer(cnames))
		cdata.ReleaseCArrowSchema(out)
		C.free(unsafe.Pointer(out))
	}()
	for i := range n {
		ctypes[i] = types[i].Ptr
		cnames[i] = C.CString(columns[i].Name)
	}
	failed := bindings.ErrorData{Ptr: C.duckdb_to_arrow_schema(options.Ptr, &ctypes[0], &cnames[0], C.uint64_t(n), unsafe.Pointer(out))}
	if err := takeError(failed); err != nil {
		return nil, err
	}
	return cdata.ImportCArrowSchema(out)
}

func arrowBatch(options bindings.ArrowOptions, schema *arrow.Schema, chunk bindings.DataChunk) (arrow.RecordBatch, error) {
	out := (*cdata.CArrowArray)(C.calloc(1, C.size_t(unsafe.Sizeof(cdata.CArrowArray{}))))
	defer func() {
		cdata.ReleaseCArrowArray(out)
		C.free(unsafe.Pointer(out))
	}()
	failed := bindings.ErrorData{Ptr: C.duckdb_data_chunk_to_arrow(options.Ptr, chunk.Ptr, unsafe.Pointer(out))}
	if err := takeError(failed); err != nil {
		return nil, err
	}
	return cdata.ImportCRecordBatchWithSchema(out, schema)
}

func takeError(e bindings.ErrorData) error {
	defer bindings.DestroyErrorData(&e)
	if !bindings.ErrorDataHasError(e) {
		return nil
	}
	return engineText(bindings.ErrorDataMessage(e))
}
