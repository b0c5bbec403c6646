package ingest

import (
	"fmt"
	"sync"
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
	// maxKept is how much memory a decoder keeps for the next record, after one
	// with huge escaped strings.
	maxKept = 1 << 20
	// maxID is what the lake takes for an identity; 20 to 80 bytes are usual.
	maxID = 512
	// Usable times, in milliseconds: from 2000-01-01 to before 2100-01-01.
	minTimestamp, maxTimestamp = 946684800000, 4102444800000
)

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

// decoders are those that Lift has at rest; one that has learned the shape of
// the records is worth keeping.
var decoders = sync.Pool{New: func() any { return NewDecoder() }}

// Lift is Decode for callers in several goroutines at once, as verify is.
func Lift(record []byte, row *store.Row) error {
	d := decoders.Get().(*Decoder)
	defer decoders.Put(d)
	return d.Decode(record, row)
}

// Decode fills row from one record: its verbatim bytes, to which it keeps no
// reference. A row is reset first, and left empty when the record is Unusable.
func (d *Decoder) Decode(record []byte, row *store.Row) error {
	d.row = row
	reason := d.decode(record)
	d.row, d.text = nil, nil
	if cap(d.side) > maxKept || cap(d.key) > maxKept {
		d.side, d.key = nil, nil
	}
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
