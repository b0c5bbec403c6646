package ingest

import "mdcalake/store"

// How a value gets into its column.

// jsonClass is what a value is in JSON.
type jsonClass uint8

const (
	classString jsonClass = iota + 1
	classNumber
	classBoolean
	classNull
	classNested // an object or an array
)

// scanned is a value that was passed: the text of a string, the JSON text of others.
type scanned struct {
	class jsonClass
	span  store.Span
}

// value passes any value and says what it is. Members of objects are not
// looked at.
func (d *Decoder) value(i int, depth int) (v scanned, end int) {
	switch d.text[i] {
	case '"':
		end, escaped := d.str(i)
		if end < 0 {
			return v, end
		}
		if !escaped {
			return scanned{classString, spanOf(i+1, end-1)}, end
		}
		start := d.length + len(d.side)
		d.side = appendUnescaped(d.side, d.text[i+1:end-1])
		return scanned{classString, spanOf(start, d.length+len(d.side))}, end
	case '{', '[':
		v.class = classNested
	case 't', 'f':
		v.class = classBoolean
	case 'n':
		v.class = classNull
	default:
		v.class = classNumber
	}
	if end = d.skip(i, nil, depth); end < 0 {
		return v, end
	}
	v.span = spanOf(i, end)
	return v, end
}

func spanOf(start, end int) store.Span {
	return store.Span{Off: uint32(start), Len: uint32(end - start)}
}

// bytes are the bytes of a span while the record is at work.
func (d *Decoder) bytes(s store.Span) []byte {
	if off := int(s.Off) - d.length; off >= 0 {
		return d.side[off : off+int(s.Len)]
	}
	return d.text[s.Off : s.Off+s.Len]
}

// again notes a duplicate.
func (d *Decoder) again(m *member) { d.twice |= m.columns }

// lift takes a value that somebody asked for.
func (d *Decoder) lift(i int, m *member, depth int) int {
	switch m.kind {
	case liftParent:
		return d.liftParent(i, m, depth)
	case liftTexts:
		return d.liftTexts(i, m, depth)
	case liftObjects:
		return d.liftObjects(i, m, depth)
	}
	v, end := d.value(i, depth)
	switch {
	case end < 0:
	case m.kind == liftID:
		d.id = v
	case m.kind == liftTimestamp:
		d.timestamp = v
	case v.class != classNull && !d.fill(m, v):
		d.unfit |= m.columns
	}
	return end
}

func (d *Decoder) liftParent(i int, m *member, depth int) int {
	if d.text[i] == '{' {
		return d.object(i, m.inner, depth+1)
	}
	if d.text[i] != 'n' {
		d.unfit |= m.columns
	}
	return d.skip(i, nil, depth)
}

// fill puts a value that is not null where it goes, if that can hold it.
func (d *Decoder) fill(m *member, v scanned) (ok bool) {
	var n int64
	switch m.kind {
	case liftText, liftJSON:
		if v.class == classNested && m.kind != liftJSON {
			return false
		}
		d.strings[m.slot] = v.span
		return true
	case liftObjectText:
		if v.class == classNested {
			return false
		}
		*d.objectText(m.slot) = v.span
		return true
	case liftDouble:
		var double float64
		if double, ok = d.double(v); ok {
			d.row.SetDouble(int(m.slot), double)
		}
		return ok
	case liftBoolean:
		n, ok = d.boolean(v)
	default:
		n, ok = d.whole(v)
	}
	if !ok || !fits(m.kind, n) {
		return false
	}
	if m.kind == liftObjectInteger || m.kind == liftObjectLong {
		d.setObjectNumber(m.slot, n)
	} else {
		d.row.SetNumber(int(m.slot), n)
	}
	return true
}

// fits says whether a number is within what its column may hold.
func fits(k liftKind, n int64) bool {
	switch k {
	case liftInteger, liftObjectInteger:
		return n == int64(int32(n))
	case liftTime:
		return n >= minTimestamp && n < maxTimestamp
	default:
		return true
	}
}

func (d *Decoder) whole(v scanned) (int64, bool) {
	if v.class != classNumber && v.class != classString {
		return 0, false
	}
	return parseWhole(d.bytes(v.span))
}

func (d *Decoder) double(v scanned) (float64, bool) {
	if v.class != classNumber && v.class != classString {
		return 0, false
	}
	return parseDouble(d.bytes(v.span))
}

func (d *Decoder) boolean(v scanned) (int64, bool) {
	if v.class == classNested {
		return 0, false
	}
	return parseBool(d.bytes(v.span))
}

// liftTexts takes an array of strings, or a bare string as an array of one.
func (d *Decoder) liftTexts(i int, m *member, depth int) int {
	list := &d.row.Lists[m.slot]
	if d.text[i] != '[' {
		v, end := d.value(i, depth)
		switch v.class {
		case classString:
			list.Valid, list.Items = true, append(list.Items, v.span)
		case classNull:
		default:
			d.unfit |= m.columns
		}
		return end
	}
	list.Valid = true
	depth++
	i, more := d.open(i, ']', depth)
	for more {
		v, end := d.value(i, depth)
		if end < 0 {
			return end
		}
		if v.class == classNull {
			v.span = store.Null
		}
		list.Items = append(list.Items, v.span)
		i, more = d.comma(end, ']')
	}
	return i
}

// liftObjects takes mainInfo.eventObjects. An element that is no object keeps
// its place as NULL, because other fields point at places.
func (d *Decoder) liftObjects(i int, m *member, depth int) int {
	if d.text[i] != '[' {
		if d.text[i] != 'n' {
			d.unfit |= m.columns
		}
		return d.skip(i, nil, depth)
	}
	d.row.HasObjects = true
	depth++
	i, more := d.open(i, ']', depth)
	for more {
		d.element = store.Object{ID: store.Null, Name: store.Null, Value: store.Null, ServiceObjectType: store.Null}
		if d.text[i] == '{' {
			i = d.object(i, m.inner, depth+1)
		} else {
			d.element.Null = true
			if d.text[i] != 'n' {
				d.unfit |= m.columns
			}
			i = d.skip(i, nil, depth)
		}
		if i < 0 {
			return i
		}
		d.row.Objects = append(d.row.Objects, d.element)
		i, more = d.comma(i, ']')
	}
	return i
}

func (d *Decoder) objectText(slot uint8) *store.Span {
	switch slot {
	case objectID:
		return &d.element.ID
	case objectName:
		return &d.element.Name
	case objectValue:
		return &d.element.Value
	default:
		return &d.element.ServiceObjectType
	}
}

func (d *Decoder) setObjectNumber(bit uint8, n int64) {
	d.element.Set |= bit
	switch bit {
	case store.ObjectHasType:
		d.element.Type = int32(n)
	case store.ObjectHasRole:
		d.element.Role = int32(n)
	case store.ObjectHasAppID:
		d.element.AppID = n
	default:
		d.element.InstanceID = n
	}
}
