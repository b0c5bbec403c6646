package simulator

// oddity is a form a record takes now and then: the drift that clients have
// been seen to trip over. Most records have none.
type oddity uint8

const (
	oddNone oddity = iota
	oddEntityArray
	oddEntityNull
	oddEntityAbsent
	oddEntityMany
	oddCityNull
	oddCityEmpty
	oddNoLocation
	oddMappedIP
	oddPortIP
	oddSpaceIP
	oddNoIP
	oddBigNumbers
	oddKeys
	oddControl
	oddMarkup
	oddTopUnknown
	oddDeepUnknown
	oddTwins
	oddNulls
	oddUserNull
	oddDashCountry
	oddSourceText
	oddCount
)

// drawOddity gives about one record in fifteen an oddity.
func drawOddity(r *rng) oddity {
	if !r.oneIn(15) {
		return oddNone
	}
	return oddity(1 + r.n(int(oddCount)-1))
}

// strange writes members that no client can know.
func (o oddity) strange(w *out, key uint64) {
	switch o {
	case oddBigNumbers:
		w.uint("sequenceNumber", key|1<<63)
		w.int("uniqueQualifier", -int64(key>>1|1<<60))
		w.raw("ratio", "1.7976931348623157e+308")
		w.raw("tiny", "-0.000000000000000000012345678901234567890")
	case oddKeys:
		w.str("", "a key without a name")
		w.str("$schema", "activity/v3")
		w.obj("labels")
		w.str("ACTOR.ENTITY_USER", "dotted")
		w.bool("Pass-through authentication", false)
		w.str("$ref", "#/0")
		w.str("0", "digits")
		w.str("ключ", "значение")
		w.end()
	case oddControl:
		w.str("note", "bell\x07 vertical\x0b escape\x1b[31m end\r\n\ttab \x7f")
		w.raw("escaped", `"caf\u00e9 \ud83d\ude00 \/ \u0000 \u2028"`)
	case oddTopUnknown:
		w.obj("enrichment")
		w.int("schema", 4)
		w.arr("signals")
		w.elem()
		w.str("kind", "rarity")
		w.raw("score", "0.0625")
		w.end()
		w.b = append(w.b, "[],{},null,"...)
		w.stop()
		w.end()
		w.bool("isNovel", key&1 == 0)
	case oddTwins:
		w.str("Severity", "Low")
		w.str("AppName", "twin of appName")
		w.int("Timestamp", int64(key%1_000_000))
	case oddNulls:
		w.null("session")
		w.null("connection")
		w.raw("tags", "[null,null]")
		w.null("alertIds")
	}
}

// badKinds is the number of ways in which a row can be unusable.
const badKinds = 8

// badRow writes a row that is no usable record; body is the record it would have been.
func badRow(dst []byte, kind uint64, d *draft) []byte {
	o := out{dst}
	switch kind {
	case 1:
		return append(dst, "null"...)
	case 2:
		return append(dst, `"maintenance"`...)
	case 3:
		return append(dst, `[]`...)
	case 4:
		return append(dst, `{}`...)
	}
	o.b = append(o.b, '{')
	switch kind {
	case 5: // no _id
		o.int("timestamp", d.e.ts)
	case 6: // no timestamp
		o.str("_id", d.id)
	case 7:
		o.str("_id", d.id)
		o.str("timestamp", "yesterday")
	default:
		o.raw("_id", `{"id":1}`)
		o.int("timestamp", d.e.ts)
	}
	o.int("created", d.e.created)
	o.int("appId", d.app.id)
	o.str("description", d.act.op)
	o.end()
	o.trim()
	return o.b
}
