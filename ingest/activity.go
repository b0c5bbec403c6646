package ingest

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"mdcalake/store"
)

// The lifting: one record of the API becomes one store.Row.
//
// What holds for every record that is taken:
//
//   - raw is text that every JSON reader accepts. Where the record was not, in
//     unpaired surrogate escapes or bytes that are not UTF-8, raw has U+FFFD
//     instead and Original keeps the bytes as they came.
//   - A value goes into its column when nothing is lost by it: numbers written
//     as text and text written as number. What the column cannot hold leaves it
//     NULL and sets its bit in Drift. null is absence, not drift.
//   - Of duplicate keys in one object the first counts, wholly, as DuckDB's ->>
//     reads raw; the columns concerned get their bit in Drift.
//   - Text that stands for a number is exactly what JSON would call a number:
//     no spaces, no plus sign, no leading zeros.
//
// Refused is only what is no JSON object or has no usable _id or timestamp.

// Unusable is the error for a record that cannot be a row. Reason is a short
// sentence with nothing of the record's content in it, so that it can be
// counted, logged and shown.
type Unusable struct{ Reason string }

func (e *Unusable) Error() string { return "unusable record: " + e.Reason }

const (
	// maxRecord keeps the offsets of a row's text, raw and unescaped strings
	// together, within 32 bits.
	maxRecord = 1 << 30
	// maxID is what the lake takes for an identity; 20 to 80 bytes are usual.
	maxID = 512
	// Usable times, in milliseconds: from 2000-01-01 to before 2100-01-01.
	minTimestamp, maxTimestamp = 946684800000, 4102444800000
)

// liftKind is what to do with a value.
type liftKind uint8

const (
	liftNothing liftKind = iota // but check it
	liftParent                  // look into the object
	liftID
	liftTimestamp
	liftTime
	liftText
	liftJSON // as liftText, and whatever is no string as its JSON text
	liftInteger
	liftLong
	liftDouble
	liftBoolean
	liftTexts
	liftObjects
	// Members of an object in liftObjects.
	liftObjectText
	liftObjectInteger
	liftObjectLong
)

// lifting says where a value goes.
type lifting struct {
	kind    liftKind
	slot    uint8  // of Row.Strings, Numbers or Lists, or of the object's fields
	columns uint64 // bits in Row.Drift of the columns that hang on the value
}

// A record may have a user name and a country in a second place. They wait in
// string slots behind those of the row, with drift bits behind those of
// store.Columns, until it is known that the first place has none.
const (
	spareUserName = store.NumStrings + iota
	spareCountry
	numStrings
)

const firstSpareBit = 62

// liftedField is one column, the path of its value in the record, and the slot
// of Row.Strings, Numbers or Lists that it fills.
type liftedField struct {
	column string
	path   string
	slot   uint8
}

// liftedFields is the one table of what is lifted. How follows from the column's type.
var liftedFields = []liftedField{
	{"activity_id", "_id", store.ActivityID},
	{"timestamp", "timestamp", store.Timestamp},
	{"created", "created", store.Created},
	{"tenant_id", "tenantId", store.TenantID},
	{"app_id", "appId", store.AppID},
	{"app_name", "appName", store.AppName},
	{"source", "source", store.SourceID},
	{"event_type", "eventType", store.EventType},
	{"event_type_value", "eventTypeValue", store.EventTypeValue},
	{"event_type_name", "eventTypeName", store.EventTypeName},
	{"generic_event_type", "genericEventType", store.GenericEventType},
	{"action", "mainInfo.rawOperationName", store.Action},
	{"activity_kind", "mainInfo.type", store.ActivityKind},
	{"description", "description", store.Description},
	{"is_success", "mainInfo.activityResult.isSuccess", store.IsSuccess},
	{"result_message", "mainInfo.activityResult.message", store.ResultMessage},
	{"is_admin", "eventRouting.adminEvent", store.IsAdmin},
	{"severity", "severity", store.Severity},
	{"confidence", "confidenceLevel", store.Confidence},
	{"user_name", "user.userName", store.UserName},
	{"user_name", "failedUserData.userName", spareUserName},
	{"actor_id", "resolvedActor.id", store.ActorID},
	{"actor_name", "resolvedActor.name", store.ActorName},
	{"user_tags", "user.userTags", store.UserTags},
	{"ip", "device.clientIP", store.IP},
	{"other_ips", "internals.otherIPs", store.OtherIPs},
	{"ip_category", "location.category", store.IPCategory},
	{"ip_category_name", "location.categoryValue", store.IPCategoryName},
	{"ip_tags", "location.ipTags", store.IPTags},
	{"country", "location.countryCode", store.Country},
	{"country", "device.countryCode", spareCountry},
	{"region", "location.region", store.Region},
	{"city", "location.city", store.City},
	{"latitude", "location.latitude", store.Latitude},
	{"longitude", "location.longitude", store.Longitude},
	{"isp", "location.organizationSearchable", store.ISP},
	{"is_anonymous_proxy", "location.anonymousProxy", store.IsAnonymousProxy},
	{"user_agent", "device.userAgent", store.UserAgent},
	{"browser", "userAgent.browser", store.Browser},
	{"os", "userAgent.operatingSystem.name", store.OS},
	{"device_type", "userAgent.deviceType", store.DeviceType},
	{"user_agent_tags", "userAgent.tags", store.UserAgentTags},
	{"session_id", "session.sessionId", store.SessionID},
	{"objects", "mainInfo.eventObjects", 0},
	{"workload", "rawDataJson.Workload", store.Workload},
	{"object_id", "rawDataJson.ObjectId", store.ObjectID},
}

// objectFields are the members of an object in mainInfo.eventObjects; for the
// numbers the slot is their bit in Object.Set.
var objectFields = []struct {
	key  string
	kind liftKind
	slot uint8
}{
	{"id", liftObjectText, objectID},
	{"name", liftObjectText, objectName},
	{"value", liftObjectText, objectValue},
	{"serviceObjectType", liftObjectText, objectServiceType},
	{"objType", liftObjectInteger, store.ObjectHasType},
	{"role", liftObjectInteger, store.ObjectHasRole},
	{"saasId", liftObjectLong, store.ObjectHasAppID},
	{"instanceId", liftObjectLong, store.ObjectHasInstanceID},
}

const (
	objectID = iota
	objectName
	objectValue
	objectServiceType
)

// kindOf is how a column is filled.
func kindOf(c store.Column) liftKind {
	switch {
	case c.Name == "activity_id":
		return liftID
	case c.Name == "timestamp":
		return liftTimestamp
	case c.Name == "object_id":
		return liftJSON
	}
	return map[store.Type]liftKind{
		store.TypeString: liftText, store.TypeLong: liftLong, store.TypeInteger: liftInteger,
		store.TypeBoolean: liftBoolean, store.TypeDouble: liftDouble, store.TypeTimestamp: liftTime,
		store.TypeStrings: liftTexts, store.TypeObjects: liftObjects,
	}[c.Type]
}

// Decoder lifts records into rows. It is made once and used for many records,
// because it learns their shape; it is not safe for concurrent use.
type Decoder struct {
	scanner
	root   *members
	spares []secondPlace

	// Of the record at work:
	row       *store.Row
	side      []byte // unescaped strings, which go behind the record
	strings   [numStrings]store.Span
	id        scanned
	timestamp scanned
	element   store.Object // of mainInfo.eventObjects
	unfit     uint64       // columns whose value they cannot hold
	twice     uint64       // columns whose field, or an object around it, stood twice
}

// secondPlace is where else a column's value may stand: slots of strings, and
// numbers of bits in Row.Drift.
type secondPlace struct {
	slot, spareSlot uint8
	bit, spareBit   uint8
}

// NewDecoder makes a decoder that has seen nothing yet.
func NewDecoder() *Decoder {
	d := &Decoder{root: newMembers()}
	d.lifter = d
	index := make(map[string]uint8, len(store.Columns))
	for i, c := range store.Columns {
		index[c.Name] = uint8(i)
	}
	first := make(map[string]uint8) // slots of the columns' first places
	for _, f := range liftedFields {
		bit := index[f.column]
		k := kindOf(store.Columns[bit])
		if k == liftText && f.slot >= store.NumStrings {
			p := secondPlace{slot: first[f.column], spareSlot: f.slot, bit: bit}
			p.spareBit = firstSpareBit + f.slot - store.NumStrings
			d.spares = append(d.spares, p)
			bit = p.spareBit
		} else {
			first[f.column] = f.slot
		}
		m := d.root.place(f.path, 1<<bit)
		m.lifting = lifting{kind: k, slot: f.slot, columns: 1 << bit}
		if k != liftObjects {
			continue
		}
		m.inner = newMembers()
		for _, o := range objectFields {
			m.inner.add(o.key).lifting = lifting{kind: o.kind, slot: o.slot, columns: 1 << bit}
		}
	}
	return d
}

// place makes the way to a path; columns hang on every object on it.
func (n *members) place(path string, columns uint64) *member {
	key, rest, below := strings.Cut(path, ".")
	m := n.keys[key]
	if m == nil {
		m = n.add(key)
	}
	if !below {
		return m
	}
	if m.inner == nil {
		m.inner = newMembers()
	}
	m.kind = liftParent
	m.columns |= columns
	return m.inner.place(rest, columns)
}

// Decode fills row from one record: its verbatim bytes, to which it keeps no
// reference. A row is reset first, and left empty when the record is Unusable.
func (d *Decoder) Decode(record []byte, row *store.Row) error {
	d.row = row
	reason := d.decode(record)
	d.row, d.text = nil, nil
	if reason == "" {
		return nil
	}
	row.Reset()
	return &Unusable{Reason: reason}
}

// decode returns why the record is unusable, or nothing.
//
// A record that needs repair is scanned a second time, as repaired: so the
// places in the reasons are those of the record's own bytes, and spans need no
// moving. Such records are rare.
func (d *Decoder) decode(record []byte) (reason string) {
	if len(record) > maxRecord {
		return reasonTooLong
	}
	if !d.scan(record) {
		return d.reason
	}
	if d.lone || !utf8.Valid(record) {
		repaired := appendRepaired(make([]byte, 0, len(record)+len(record)/8), record)
		if len(repaired) > maxRecord {
			return reasonTooLong
		}
		if !d.scan(repaired) {
			return d.reason
		}
		d.row.Original = append([]byte(nil), record...)
	}
	d.row.ContentHash = int64(xxh3.Hash(record))
	return d.finish()
}

var reasonTooLong = fmt.Sprintf("longer than %d bytes", maxRecord)

// scan makes one pass over a record.
func (d *Decoder) scan(record []byte) bool {
	d.row.Reset()
	d.row.Text = append(append(d.row.Text, record...), make([]byte, scanPadding)...)
	d.row.RawLen = len(record)
	d.text, d.length = d.row.Text, len(record)
	d.lone, d.reason = false, ""
	d.side = d.side[:0]
	for i := range d.strings {
		d.strings[i] = store.Null
	}
	d.id, d.timestamp = scanned{}, scanned{}
	d.unfit, d.twice = 0, 0

	i := d.space(0)
	isObject := d.text[i] == '{'
	if isObject {
		i = d.object(i, d.root, 1)
	} else {
		i = d.skip(i, nil, 0)
	}
	if i < 0 {
		return false
	}
	if i = d.space(i); i < d.length {
		d.fail("unexpected character", i)
		return false
	}
	if !isObject {
		d.reason = "not a JSON object"
	}
	return isObject
}

// finish settles what only the end of the record can tell.
func (d *Decoder) finish() (reason string) {
	if reason = d.finishID(); reason != "" {
		return "no usable _id: " + reason
	}
	if reason = d.finishTimestamp(); reason != "" {
		return "no usable timestamp: " + reason
	}
	drift := d.unfit | d.twice
	for _, s := range d.spares {
		// A first place that holds something unfit is not absent.
		if d.strings[s.slot].IsNull() && d.unfit>>s.bit&1 == 0 {
			d.strings[s.slot] = d.strings[s.spareSlot]
			drift |= drift >> s.spareBit & 1 << s.bit
		}
	}
	row := d.row
	row.Drift = drift & (1<<firstSpareBit - 1)
	row.Strings = [store.NumStrings]store.Span(d.strings[:])
	row.Text = append(row.Text[:row.RawLen], d.side...)
	return ""
}

func (d *Decoder) finishID() (reason string) {
	switch id := d.id; {
	case id.class == 0:
		return "missing"
	case id.class == classNull:
		return "null"
	case id.class != classString && id.class != classNumber:
		return "neither a string nor a number"
	case id.span.Len == 0:
		return "empty"
	case id.span.Len > maxID:
		return fmt.Sprintf("longer than %d bytes", maxID)
	}
	d.strings[store.ActivityID] = d.id.span
	return ""
}

func (d *Decoder) finishTimestamp() (reason string) {
	switch d.timestamp.class {
	case 0:
		return "missing"
	case classNull:
		return "null"
	}
	ms, ok := d.whole(d.timestamp)
	if !ok {
		return "not a whole number of milliseconds"
	}
	if ms < minTimestamp || ms >= maxTimestamp {
		return "not between 2000-01-01 and 2100-01-01"
	}
	d.row.SetNumber(store.Timestamp, ms)
	return ""
}

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
