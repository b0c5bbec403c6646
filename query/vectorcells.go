package query

import (
	"errors"
	"reflect"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"
)

// cells are the values of a vector as they lie in memory. The driver's own way
// to set a boolean goes through an interface and through every argument of the
// row, lists too. Should a new driver keep them elsewhere, this says so (and a
// test does).
func cells[T any](vector duckdb.Vector, rows int) ([]T, error) {
	v := reflect.ValueOf(vector).FieldByName("v")
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil, errOtherDriver
	}
	data := v.Elem().FieldByName("dataPtr")
	if data.Kind() != reflect.UnsafePointer || data.UnsafePointer() == nil {
		return nil, errOtherDriver
	}
	return unsafe.Slice((*T)(data.UnsafePointer()), rows), nil
}

var errOtherDriver = errors.New("this version of duckdb-go does not keep values in Vector.v.dataPtr: build with the version in go.mod")

// textCells are the values of a vector of texts, to be written. The driver has no
// way to write one of a result but by the row.
type textCells struct {
	inline [][16]byte // how the engine keeps a text: of no bytes it is sixteen zeros
	vector bindings.Vector
}

func textsOf(vector duckdb.Vector, rows int) (c textCells, err error) {
	if c.inline, err = cells[[16]byte](vector, rows); err != nil {
		return c, err
	}
	handle := reflect.ValueOf(vector).FieldByName("v").Elem().FieldByName("vec")
	if !handle.IsValid() || handle.Type() != reflect.TypeFor[bindings.Vector]() {
		return c, errOtherDriver
	}
	c.vector.Ptr = handle.FieldByName("Ptr").UnsafePointer()
	return c, nil
}

// set writes a text, which the engine copies. Most answers are empty, and cost no
// call of it.
func (c textCells) set(row int, text string) {
	if text == "" {
		c.inline[row] = [16]byte{}
		return
	}
	bindings.VectorAssignStringElementLen(c.vector, bindings.IdxT(row), []byte(text))
}
