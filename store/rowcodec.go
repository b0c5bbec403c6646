package store

import (
	"encoding/binary"
	"errors"
)

// A waiting row is one run of bytes: it can be appended to a chunk, spilled to
// a file and read back without touching its parts, and the garbage collector
// sees no pointer in it. The form never reaches the lake.

// appendRow encodes a row, without Ingested and RunID, which the commit gives.
func appendRow(dst []byte, r *Row) []byte {
	dst = appendBytes(dst, r.Text)
	dst = binary.AppendUvarint(dst, uint64(r.RawLen))
	if r.Original == nil {
		dst = append(dst, 0)
	} else {
		dst = append(dst, 1)
		dst = appendBytes(dst, r.Original)
	}
	for _, s := range r.Strings {
		dst = appendSpan(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(r.Has))
	for i, v := range r.Numbers {
		if r.HasNumber(i) {
			dst = binary.AppendVarint(dst, v)
		}
	}
	for i := range r.Lists {
		if !r.Lists[i].Valid {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(r.Lists[i].Items))+1)
		for _, s := range r.Lists[i].Items {
			dst = appendSpan(dst, s)
		}
	}
	if !r.HasObjects {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(r.Objects))+1)
		for i := range r.Objects {
			dst = appendObject(dst, &r.Objects[i])
		}
	}
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.ContentHash))
	return binary.AppendVarint(dst, int64(r.Page))
}

const objectNull = 1 << 7

func appendObject(dst []byte, o *Object) []byte {
	if o.Null {
		return append(dst, objectNull)
	}
	dst = append(dst, o.Set)
	for _, s := range []Span{o.ID, o.Name, o.Value, o.ServiceObjectType} {
		dst = appendSpan(dst, s)
	}
	dst = binary.AppendVarint(dst, int64(o.Type))
	dst = binary.AppendVarint(dst, int64(o.Role))
	dst = binary.AppendVarint(dst, o.AppID)
	return binary.AppendVarint(dst, o.InstanceID)
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

func appendSpan(dst []byte, s Span) []byte {
	if s.IsNull() {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(s.Off)+1)
	return binary.AppendUvarint(dst, uint64(s.Len))
}

var errRowCodec = errors.New("a waiting row is damaged")

// rowReader walks over an encoded row; after the first fault everything is
// zero and bad stays set.
type rowReader struct {
	b   []byte
	bad bool
}

func (d *rowReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *rowReader) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *rowReader) span() Span {
	off := d.uvarint()
	if off == 0 {
		return Null
	}
	return Span{Off: uint32(off - 1), Len: uint32(d.uvarint())}
}

// decodeRow reads a row; its Text and Original lie in b, uncopied. It answers
// what is left of b.
func decodeRow(b []byte, r *Row) ([]byte, error) {
	r.Reset()
	d := &rowReader{b: b}
	r.Text = d.bytes()
	r.RawLen = int(d.uvarint())
	if d.uvarint() == 1 {
		r.Original = d.bytes()
	}
	for i := range r.Strings {
		r.Strings[i] = d.span()
	}
	r.Has = uint32(d.uvarint())
	for i := range r.Numbers {
		if r.HasNumber(i) {
			r.Numbers[i] = d.varint()
		}
	}
	for i := range r.Lists {
		n := d.uvarint()
		if n == 0 {
			continue
		}
		r.Lists[i].Valid = true
		for range n - 1 {
			if d.bad {
				return nil, errRowCodec
			}
			r.Lists[i].Items = append(r.Lists[i].Items, d.span())
		}
	}
	if n := d.uvarint(); n > 0 {
		r.HasObjects = true
		for range n - 1 {
			if d.bad {
				return nil, errRowCodec
			}
			r.Objects = append(r.Objects, d.object())
		}
	}
	if len(d.b) < 8 {
		return nil, errRowCodec
	}
	r.ContentHash = int64(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	r.Page = int32(d.varint())
	if d.bad {
		return nil, errRowCodec
	}
	return d.b, nil
}

func (d *rowReader) object() Object {
	if len(d.b) == 0 {
		d.bad = true
		return Object{}
	}
	set := d.b[0]
	d.b = d.b[1:]
	if set == objectNull {
		return Object{Null: true}
	}
	o := Object{Set: set}
	o.ID, o.Name, o.Value, o.ServiceObjectType = d.span(), d.span(), d.span(), d.span()
	o.Type, o.Role = int32(d.varint()), int32(d.varint())
	o.AppID, o.InstanceID = d.varint(), d.varint()
	return o
}
