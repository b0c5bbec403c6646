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

// brokenKinds is the number of ways in which the text of a record can be broken.
const brokenKinds = 3

// Kinds of broken text. What a parser makes of them is its own affair; of
// repeated keys the first has the true value, and the truth means that one.
const (
	brokenUTF8       = 1 + iota // bytes that are no UTF-8
	brokenSurrogates            // escapes of half a pair
	brokenKeys                  // keys that come again with another value
)

// broken are the bytes that make a string bad, by kind.
var broken = [brokenKinds + 1]string{
	brokenUTF8:       "caf\xe9 \xff\xfe \xed\xa0\xbd \xc0\xaf \xf4\x90\x80\x80",
	brokenSurrogates: `half \ud83d and \udc00\ud83d turned`,
}

// breakText spoils the string that was written last.
func (d *draft) breakText(o *out) {
	if text := broken[d.broken]; text != "" {
		o.b = append(o.b[:len(o.b)-2], ' ') // before the quote and the comma
		o.b = append(append(o.b, text...), '"', ',')
	}
}

// brokenText writes members of broken text, and repeats keys.
func (d *draft) brokenText(o *out) {
	switch d.broken {
	case brokenUTF8, brokenSurrogates:
		o.raw("clientNote", `"`+broken[d.broken]+`"`)
	case brokenKeys:
		o.str("severity", "LOW")
		o.str("appName", "")
		o.int("timestamp", d.e.ts-86_400_000)
		o.null("description")
		o.obj("labels")
		o.int("n", 1)
		o.str("n", "2")
		o.int("N", 3)
		o.end()
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
