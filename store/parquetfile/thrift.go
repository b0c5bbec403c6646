package parquetfile

import "encoding/binary"

// The compact protocol of Apache Thrift, as far as Parquet's structures need it.
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

// Types of the protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thrift appends structures to b. Fields are written in the order of their
// ids.
type thrift struct {
	b    []byte
	last []int16 // ids of the fields before, of each structure that is open
}

func (t *thrift) reset() { t.b, t.last = t.b[:0], append(t.last[:0], 0) }

// field begins a field of the structure that is open.
func (t *thrift) field(id int16, kind byte) {
	last := &t.last[len(t.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		t.b = append(t.b, byte(d)<<4|kind)
	} else {
		t.b = binary.AppendVarint(append(t.b, kind), int64(id))
	}
	*last = id
}

func (t *thrift) i16(id int16, v int16) {
	t.field(id, thriftI16)
	t.b = binary.AppendVarint(t.b, int64(v))
}

func (t *thrift) i32(id int16, v int32) {
	t.field(id, thriftI32)
	t.b = binary.AppendVarint(t.b, int64(v))
}

func (t *thrift) i64(id int16, v int64) {
	t.field(id, thriftI64)
	t.b = binary.AppendVarint(t.b, v)
}

func (t *thrift) bool(id int16, v bool) {
	kind := byte(thriftFalse)
	if v {
		kind = thriftTrue
	}
	t.field(id, kind)
}

func (t *thrift) text(id int16, v string) {
	t.field(id, thriftBinary)
	t.element(v)
}

func (t *thrift) bytes(id int16, v []byte) {
	t.field(id, thriftBinary)
	t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
}

// element is a text in a list.
func (t *thrift) element(v string) {
	t.b = append(binary.AppendUvarint(t.b, uint64(len(v))), v...)
}

// list begins a list; its elements follow.
func (t *thrift) list(id int16, kind byte, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.b = append(t.b, byte(n)<<4|kind)
		return
	}
	t.b = binary.AppendUvarint(append(t.b, 0xf0|kind), uint64(n))
}

// open begins a structure that is a field's value.
func (t *thrift) open(id int16) {
	t.field(id, thriftStruct)
	t.openElement()
}

// openElement begins a structure in a list.
func (t *thrift) openElement() { t.last = append(t.last, 0) }

// close ends the structure that was opened last, or the outermost.
func (t *thrift) close() {
	t.b = append(t.b, 0)
	t.last = t.last[:len(t.last)-1]
}
