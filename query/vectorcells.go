package query

import (
	"errors"
	"reflect"
	"unsafe"

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
