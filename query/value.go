package query

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	bindings "github.com/duckdb/duckdb-go-bindings"
)

// The one form of each value (doc.go). Everything appends to a buffer that is
// used again, for there may be hundreds of millions of them.

// exactInteger is the largest number up to which every reader of JSON keeps
// all digits.
const exactInteger = 1 << 53

// appendText appends a value that is not NULL as csv and table show it.
func appendText(b []byte, t *valueType, a arrow.Array, i int) []byte {
	a = plain(a)
	if t.nested() {
		return appendJSON(b, t, a, i)
	}
	switch v := a.(type) {
	case *array.String:
		return append(b, v.Value(i)...)
	case *array.LargeString:
		return append(b, v.Value(i)...)
	case *array.StringView:
		return append(b, v.Value(i)...)
	case *array.Dictionary:
		return appendText(b, t, v.Dictionary(), v.GetValueIndex(i))
	case *array.Boolean:
		return strconv.AppendBool(b, v.Value(i))
	case *array.Int8:
		return strconv.AppendInt(b, int64(v.Value(i)), 10)
	case *array.Int16:
		return strconv.AppendInt(b, int64(v.Value(i)), 10)
	case *array.Int32:
		return strconv.AppendInt(b, int64(v.Value(i)), 10)
	case *array.Int64:
		return strconv.AppendInt(b, v.Value(i), 10)
	case *array.Uint8:
		return strconv.AppendUint(b, uint64(v.Value(i)), 10)
	case *array.Uint16:
		return strconv.AppendUint(b, uint64(v.Value(i)), 10)
	case *array.Uint32:
		return strconv.AppendUint(b, uint64(v.Value(i)), 10)
	case *array.Uint64:
		return strconv.AppendUint(b, v.Value(i), 10)
	case *array.Float32:
		return appendFloat(b, float64(v.Value(i)), 32)
	case *array.Float64:
		return appendFloat(b, v.Value(i), 64)
	case *array.Decimal128:
		n := v.Value(i).BigInt()
		if t.id == bindings.TypeUHugeInt && n.Sign() < 0 {
			// Arrow has no unsigned one: the bits come as a signed number.
			n.Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		return appendScaled(b, n, int(t.scale))
	case *array.Timestamp:
		unit := v.DataType().(*arrow.TimestampType).Unit
		return appendTimestamp(b, int64(v.Value(i)), unit, t.id == bindings.TypeTimestampTZ)
	case *array.Date32:
		return appendDate(b, int64(v.Value(i)))
	case *array.Time64:
		n := int64(v.Value(i))
		if v.DataType().(*arrow.Time64Type).Unit == arrow.Microsecond {
			n *= 1000
		}
		return appendClock(b, n)
	case *array.MonthDayNanoInterval:
		return appendInterval(b, v.Value(i))
	case *array.Binary:
		return appendBytes(b, t, v.Value(i))
	case *array.LargeBinary:
		return appendBytes(b, t, v.Value(i))
	}
	return append(b, a.ValueStr(i)...)
}

// plain takes the wrapping off an extension type.
func plain(a arrow.Array) arrow.Array {
	for {
		e, ok := a.(array.ExtensionArray)
		if !ok {
			return a
		}
		a = e.Storage()
	}
}

func isNull(a arrow.Array, i int) bool {
	switch v := a.(type) {
	case *array.Dictionary:
		return v.IsNull(i) || v.Dictionary().IsNull(v.GetValueIndex(i))
	case array.Union: // has no NULL of its own: the member that is set has
		member, j := unionMember(v, i)
		return member == nil || isNull(member, j)
	}
	return a.IsNull(i)
}

func unionMember(u array.Union, i int) (arrow.Array, int) {
	child := u.ChildID(i)
	if child < 0 || child >= u.NumFields() {
		return nil, 0
	}
	if d, ok := u.(*array.DenseUnion); ok {
		return u.Field(child), int(d.ValueOffset(i))
	}
	return u.Field(child), i
}

// appendJSON appends a value, NULL as null.
func appendJSON(b []byte, t *valueType, a arrow.Array, i int) []byte {
	a = plain(a)
	if isNull(a, i) {
		return append(b, "null"...)
	}
	switch v := a.(type) {
	case *array.Struct:
		b = append(b, '{')
		for f := range v.NumField() {
			if f > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, t.names[f]), ':')
			b = appendJSON(b, t.children[f], v.Field(f), i)
		}
		return append(b, '}')
	case *array.Map: // before ListLike, which it is as well
		from, to := v.ValueOffsets(i)
		b = append(b, '{')
		for k := from; k < to; k++ {
			if k > from {
				b = append(b, ',')
			}
			key := appendText(nil, t.children[0], v.Keys(), int(k))
			b = append(appendJSONString(b, string(key)), ':')
			b = appendJSON(b, t.children[1], v.Items(), int(k))
		}
		return append(b, '}')
	case array.ListLike:
		from, to := v.ValueOffsets(i)
		b = append(b, '[')
		for k := from; k < to; k++ {
			if k > from {
				b = append(b, ',')
			}
			b = appendJSON(b, t.children[0], v.ListValues(), int(k))
		}
		return append(b, ']')
	case array.Union:
		member, j := unionMember(v, i)
		return appendJSON(b, t.children[v.ChildID(i)], member, j)
	case *array.Boolean:
		return strconv.AppendBool(b, v.Value(i))
	case *array.String:
		if t.json {
			return appendRawJSON(b, v.Value(i))
		}
		return appendJSONString(b, v.Value(i))
	}
	if !t.numeric() {
		return appendJSONString(b, string(appendText(nil, t, a, i)))
	}
	start := len(b)
	b = appendText(b, t, a, i)
	if !exactNumber(t, b[start:]) {
		number := string(b[start:])
		b = append(append(append(b[:start], '"'), number...), '"')
	}
	return b
}

// exactNumber says whether every reader of JSON gets the same number from it.
func exactNumber(t *valueType, s []byte) bool {
	switch t.id {
	case bindings.TypeFloat, bindings.TypeDouble:
		last := s[len(s)-1]
		return last >= '0' && last <= '9' // NaN, Infinity
	}
	// The digits without the point: a decimal is exact if these are.
	n, digits := uint64(0), 0
	for _, c := range s {
		if c < '0' || c > '9' {
			continue
		}
		if digits++; digits > 18 {
			return false
		}
		n = n*10 + uint64(c-'0')
	}
	return n <= exactInteger
}

// appendRawJSON appends a value of type JSON as it is. DuckDB's JSON allows
// more than JSON does (NaN); that goes as a string. Line ends between the
// tokens go, for jsonl has one line for a row.
func appendRawJSON(b []byte, s string) []byte {
	raw := []byte(s)
	if !json.Valid(raw) {
		return appendJSONString(b, s)
	}
	if bytes.ContainsAny(raw, "\n\r") {
		var out bytes.Buffer
		if json.Compact(&out, raw) == nil {
			return append(b, out.Bytes()...)
		}
	}
	return append(b, raw...)
}

const hexDigits = "0123456789abcdef"

// appendJSONString appends s in quotes, escaped no more than JSON demands.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), `\ufffd`...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "Infinity"...)
	case math.IsInf(f, -1):
		return append(b, "-Infinity"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, format, -1, bits)
	if format == 'f' && !bytes.ContainsRune(b[start:], '.') {
		b = append(b, ".0"...) // it is a DOUBLE, and should look like one
	}
	return b
}

// appendScaled appends n divided by ten to the power of scale.
func appendScaled(b []byte, n *big.Int, scale int) []byte {
	if n.Sign() < 0 {
		b = append(b, '-')
		n = new(big.Int).Neg(n)
	}
	digits := n.String()
	if scale == 0 {
		return append(b, digits...)
	}
	for len(digits) <= scale {
		digits = "0" + digits
	}
	b = append(b, digits[:len(digits)-scale]...)
	b = append(b, '.')
	return append(b, digits[len(digits)-scale:]...)
}

const day = 24 * 60 * 60

func appendTimestamp(b []byte, v int64, unit arrow.TimeUnit, zoned bool) []byte {
	switch v {
	case math.MaxInt64:
		return append(b, "infinity"...)
	case -math.MaxInt64:
		return append(b, "-infinity"...)
	}
	perSecond := int64(1e9) / int64(unit.Multiplier())
	seconds, rest := floorDiv(v, perSecond)
	days, ofDay := floorDiv(seconds, day)
	b = appendCivil(b, days)
	b = append(b, 'T')
	b = appendClock(b, ofDay*1e9+rest*(1e9/perSecond))
	if zoned {
		b = append(b, 'Z')
	}
	return b
}

func appendDate(b []byte, days int64) []byte {
	switch days {
	case math.MaxInt32:
		return append(b, "infinity"...)
	case -math.MaxInt32:
		return append(b, "-infinity"...)
	}
	return appendCivil(b, days)
}

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

// appendCivil appends a day counted from 1970 as YYYY-MM-DD. (The calendar in
// eras of 400 years that begin in March; package time would do as well, at
// five times the price.)
func appendCivil(b []byte, days int64) []byte {
	era, dayOfEra := floorDiv(days+719468, 146097)
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	d := dayOfYear - (153*m+2)/5 + 1
	year := yearOfEra + era*400
	if m += 3; m > 12 {
		m, year = m-12, year+1
	}
	switch {
	case year > 9999:
		b = append(b, '+')
	case year < 0:
		b = append(b, '-')
		year = -year
	}
	b = appendPadded(b, year, 4)
	b = append(b, '-')
	b = appendPadded(b, m, 2)
	b = append(b, '-')
	return appendPadded(b, d, 2)
}

// appendClock appends nanoseconds as hh:mm:ss and as many groups of three
// decimals as they need.
func appendClock(b []byte, ns int64) []byte {
	seconds, frac := ns/1e9, ns%1e9
	b = appendPadded(b, seconds/3600, 2)
	b = append(b, ':')
	b = appendPadded(b, seconds/60%60, 2)
	b = append(b, ':')
	b = appendPadded(b, seconds%60, 2)
	switch {
	case frac == 0:
		return b
	case frac%1e6 == 0:
		return appendPadded(append(b, '.'), frac/1e6, 3)
	case frac%1e3 == 0:
		return appendPadded(append(b, '.'), frac/1e3, 6)
	}
	return appendPadded(append(b, '.'), frac, 9)
}

func appendPadded(b []byte, n int64, width int) []byte {
	digits := 1
	for m := n; m >= 10; m /= 10 {
		digits++
	}
	for ; digits < width; digits++ {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendInterval appends it as DuckDB prints it: 1 year 2 months 3 days 04:05:06.
func appendInterval(b []byte, v arrow.MonthDayNanoInterval) []byte {
	start := len(b)
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(strconv.AppendInt(b, n, 10), ' ')
		b = append(b, unit...)
		if n != 1 && n != -1 {
			b = append(b, 's')
		}
	}
	part(int64(v.Months/12), "year")
	part(int64(v.Months%12), "month")
	part(int64(v.Days), "day")
	if v.Nanoseconds != 0 || len(b) == start {
		if len(b) > start {
			b = append(b, ' ')
		}
		ns := v.Nanoseconds
		if ns < 0 {
			b = append(b, '-')
			ns = -ns
		}
		b = appendClock(b, ns)
	}
	return b
}

func appendBytes(b []byte, t *valueType, v []byte) []byte {
	switch t.id {
	case bindings.TypeBit:
		return appendBit(b, v)
	case bindings.TypeBigNum:
		return appendBigNum(b, v)
	}
	return hex.AppendEncode(b, v)
}

// appendBit: the first byte counts the bits of the second that are padding.
func appendBit(b []byte, v []byte) []byte {
	if len(v) < 1 {
		return b
	}
	for k := int(v[0]); k < 8*(len(v)-1); k++ {
		b = append(b, '0'+v[1+k/8]>>(7-k%8)&1)
	}
	return b
}

// appendBigNum: three bytes of header, the highest bit set when the number is
// not negative, then its size big-endian; all complemented when it is.
func appendBigNum(b []byte, v []byte) []byte {
	if len(v) < 4 {
		return fmt.Appendf(b, "%x", v)
	}
	magnitude := bytes.Clone(v[3:])
	negative := v[0]&0x80 == 0
	if negative {
		for i := range magnitude {
			magnitude[i] = ^magnitude[i]
		}
		b = append(b, '-')
	}
	return new(big.Int).SetBytes(magnitude).Append(b, 10)
}
