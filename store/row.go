package store

import "math"

// Span is a piece of a row's Text: the bytes [Off, Off+Len). Spans hold no
// pointer, so that a million waiting rows give the garbage collector nothing
// to look at.
type Span struct{ Off, Len uint32 }

// Null is the Span of an absent value.
var Null = Span{Off: math.MaxUint32}

// IsNull says whether the span stands for an absent value.
func (s Span) IsNull() bool { return s.Off == math.MaxUint32 }

// String columns of a Row, in the order of Columns.
const (
	ActivityID = iota
	AppName
	EventTypeValue
	EventTypeName
	GenericEventType
	Action
	ActivityKind
	Description
	ResultMessage
	Severity
	UserName
	ActorID
	ActorName
	IP
	IPCategoryName
	Country
	Region
	City
	ISP
	UserAgent
	Browser
	OS
	DeviceType
	SessionID
	Workload
	ObjectID
	NumStrings
)

// Number columns of a Row: times in milliseconds since 1970, booleans as 0 and
// 1, doubles as their IEEE 754 bits.
const (
	Timestamp = iota
	Created
	TenantID
	AppID
	SourceID
	EventType
	IsSuccess
	IsAdmin
	Confidence
	IPCategory
	Latitude
	Longitude
	IsAnonymousProxy
	NumNumbers
)

// List columns of a Row.
const (
	UserTags = iota
	OtherIPs
	IPTags
	UserAgentTags
	NumLists
)

// List is a list column of a row: NULL, or any number of elements, each of
// which may be NULL.
type List struct {
	Valid bool
	Items []Span
}

// Row is one activity on its way into or out of a file: the record's own bytes
// and the typed columns lifted from them. A Row is made to be reused: Reset
// keeps its memory.
//
// Text begins with the record as JSON text (the column raw, RawLen bytes);
// behind it stand strings that had to be unescaped. All spans point into Text.
// Original is nil unless the verbatim bytes differ from raw.
type Row struct {
	Text     []byte
	RawLen   int
	Original []byte

	Strings [NumStrings]Span
	Numbers [NumNumbers]int64
	Has     uint32 // bit i: Numbers[i] is not NULL
	Lists   [NumLists]List
	Objects []Object
	// HasObjects tells an empty list of objects from an absent one.
	HasObjects bool

	ContentHash int64
	Page        int32 // 0: NULL
	// Ingested (milliseconds) and RunID are filled in by the store.
	Ingested int64
	RunID    string

	// Drift has bit i set when the field behind Columns[i] had a value that the
	// column cannot hold, or stood twice in its object; of a row that was read
	// back, when a time is no whole millisecond. Not stored.
	Drift uint64
}

// Reset empties the row and keeps its memory.
func (r *Row) Reset() {
	r.Text, r.RawLen, r.Original = r.Text[:0], 0, nil
	for i := range r.Strings {
		r.Strings[i] = Null
	}
	r.Numbers, r.Has = [NumNumbers]int64{}, 0
	for i := range r.Lists {
		r.Lists[i].Valid, r.Lists[i].Items = false, r.Lists[i].Items[:0]
	}
	r.Objects, r.HasObjects = r.Objects[:0], false
	r.ContentHash, r.Page, r.Ingested, r.RunID, r.Drift = 0, 0, 0, "", 0
}

// Bytes are the bytes of a span; nil for NULL. They are valid until the row
// is used again.
func (r *Row) Bytes(s Span) []byte {
	if s.IsNull() {
		return nil
	}
	return r.Text[s.Off : uint64(s.Off)+uint64(s.Len)]
}

// id is the activity_id.
func (r *Row) id() []byte { return r.Bytes(r.Strings[ActivityID]) }

// Raw is the record as JSON text.
func (r *Row) Raw() []byte { return r.Text[:r.RawLen] }

// Verbatim are the record's bytes as they came.
func (r *Row) Verbatim() []byte {
	if r.Original != nil {
		return r.Original
	}
	return r.Raw()
}

// SetNumber gives a number column its value.
func (r *Row) SetNumber(column int, v int64) {
	r.Numbers[column] = v
	r.Has |= 1 << column
}

// HasNumber says whether a number column has a value.
func (r *Row) HasNumber(column int) bool { return r.Has&(1<<column) != 0 }

// SetDouble gives a double column its value.
func (r *Row) SetDouble(column int, v float64) { r.SetNumber(column, int64(math.Float64bits(v))) }

// Double is the value of a double column.
func (r *Row) Double(column int) float64 { return math.Float64frombits(uint64(r.Numbers[column])) }

// Partition is the cell the row belongs to. The row must have a timestamp.
func (r *Row) Partition() Partition {
	return Partition{Day: floorDay(r.Numbers[Timestamp]), Service: r.Numbers[AppID]}
}
