package simulator

import (
	"strconv"
)

// out appends JSON to a byte slice. Members end in a comma, which close turns
// into the bracket: no state, no allocation.
type out struct{ b []byte }

func (o *out) key(k string) {
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *out) str(k, v string) {
	o.key(k)
	o.b = appendText(o.b, v)
	o.b = append(o.b, ',')
}

func (o *out) int(k string, v int64) {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
	o.b = append(o.b, ',')
}

func (o *out) uint(k string, v uint64) {
	o.key(k)
	o.b = strconv.AppendUint(o.b, v, 10)
	o.b = append(o.b, ',')
}

func (o *out) bool(k string, v bool) {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
	o.b = append(o.b, ',')
}

func (o *out) null(k string) { o.raw(k, "null") }

// raw writes a value that is JSON already.
func (o *out) raw(k, v string) {
	o.key(k)
	o.b = append(o.b, v...)
	o.b = append(o.b, ',')
}

func (o *out) obj(k string) { o.key(k); o.b = append(o.b, '{') }
func (o *out) arr(k string) { o.key(k); o.b = append(o.b, '[') }
func (o *out) elem()        { o.b = append(o.b, '{') }

func (o *out) elemStr(v string) {
	o.b = appendText(o.b, v)
	o.b = append(o.b, ',')
}

// end closes an object, stop an array.
func (o *out) end()  { o.shut('}') }
func (o *out) stop() { o.shut(']') }

func (o *out) shut(c byte) {
	if n := len(o.b); o.b[n-1] == ',' {
		o.b[n-1] = c
	} else {
		o.b = append(o.b, c)
	}
	o.b = append(o.b, ',')
}

// trim takes off the comma behind the outermost value.
func (o *out) trim() { o.b = o.b[:len(o.b)-1] }

func (o *out) guid(k string, g guid) {
	o.key(k)
	o.b = append(o.b, '"')
	o.b = g.appendTo(o.b)
	o.b = append(o.b, '"', ',')
}

// time writes t (ms) as the upstream feeds do, with the given number of
// fraction digits (0, 3 or 7) and zone.
func (o *out) time(k string, ms int64, digits int, zone string) {
	o.key(k)
	o.b = append(o.b, '"')
	o.b = appendTime(o.b, ms, digits)
	o.b = append(o.b, zone...)
	o.b = append(o.b, '"', ',')
}

// pair writes one element of a name/value array.
func (o *out) pair(name, value string) {
	o.b = append(o.b, '{')
	o.str("Name", name)
	o.str("Value", value)
	o.end()
}

// nested writes as a JSON string what f writes as JSON.
func (o *out) nested(k string, f func(*out)) {
	start := len(o.b)
	f(o)
	inner := string(o.b[start : len(o.b)-1])
	o.b = o.b[:start]
	o.str(k, inner)
}

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0x7f {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// guid is a GUID of the usual text form; which one, the seed says.
type guid struct{ hi, lo uint64 }

func newGUID(seed uint64) guid {
	hi, lo := mix(seed+0x51_7cc1b727220a95), mix(seed+0x2545f4914f6cdd1d)
	return guid{hi&^0xf000 | 0x4000, lo&^(0xc<<60) | 0x8<<60}
}

func (g guid) appendTo(dst []byte) []byte {
	var b [36]byte
	at := 0
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b[at] = '-'
			at++
		}
		word := g.hi
		if i >= 16 {
			word = g.lo
		}
		b[at] = hexDigits[word>>(60-4*(i&15))&15]
		at++
	}
	return append(dst, b[:]...)
}

func (g guid) String() string { return string(g.appendTo(nil)) }

// appendHex appends n hex digits that follow from seed.
func appendHex(dst []byte, seed uint64, n int) []byte {
	for i := 0; i < n; i += 16 {
		word := mix(seed + uint64(i)*0x9e3779b97f4a7c15)
		for j := 0; j < 16 && i+j < n; j++ {
			dst = append(dst, hexDigits[word>>(60-4*j)&15])
		}
	}
	return dst
}

func hexText(seed uint64, n int) string { return string(appendHex(nil, seed, n)) }

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func appendBase64(dst []byte, seed uint64, n int) []byte {
	for i := 0; i < n; i += 10 {
		word := mix(seed + uint64(i)*0x9e3779b97f4a7c15)
		for j := 0; j < 10 && i+j < n; j++ {
			dst = append(dst, base64Digits[word&63])
			word >>= 6
		}
	}
	return dst
}

// appendTime writes 2006-01-02T15:04:05[.000[0000]] of ms, by hand: it is in
// every record, and time.AppendFormat showed in profiles.
func appendTime(dst []byte, ms int64, digits int) []byte {
	days, rest := ms/86_400_000, ms%86_400_000
	if rest < 0 {
		days, rest = days-1, rest+86_400_000
	}
	y, m, d := civil(days)
	dst = appendPadded(dst, int64(y), 4)
	dst = appendPadded(append(dst, '-'), int64(m), 2)
	dst = appendPadded(append(dst, '-'), int64(d), 2)
	dst = appendPadded(append(dst, 'T'), rest/3_600_000, 2)
	dst = appendPadded(append(dst, ':'), rest/60_000%60, 2)
	dst = appendPadded(append(dst, ':'), rest/1000%60, 2)
	if digits >= 3 {
		dst = appendPadded(append(dst, '.'), rest%1000, 3)
		for range digits - 3 {
			dst = append(dst, '0')
		}
	}
	return dst
}

// appendStamp writes 20060102150405000 of ms.
func appendStamp(dst []byte, ms int64) []byte {
	y, m, d := civil(ms / 86_400_000)
	rest := ms % 86_400_000
	dst = appendPadded(dst, int64(y), 4)
	dst = appendPadded(dst, int64(m), 2)
	dst = appendPadded(dst, int64(d), 2)
	dst = appendPadded(dst, rest/3_600_000, 2)
	dst = appendPadded(dst, rest/60_000%60, 2)
	dst = appendPadded(dst, rest/1000%60, 2)
	return appendPadded(dst, rest%1000, 3)
}

// civil turns days since 1970 into a date (Howard Hinnant's days_from_civil, backwards).
func civil(days int64) (y, m, d int) {
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp + 3)
	if m > 12 {
		m -= 12
	}
	y = int(yoe + era*400)
	if m <= 2 {
		y++
	}
	return y, m, d
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var b [8]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, b[:width]...)
}
