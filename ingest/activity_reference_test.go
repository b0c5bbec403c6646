package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"mdcalake/store"
)

// Two ways to write a lifted record as text, column by column: rendered reads a
// row; reference lifts the record once more, slowly, by the words of
// store.Columns and with encoding/json. They share nothing with the decoder.

// checker is a *testing.T or a *rapid.T.
type checker interface {
	Helper()
	Errorf(format string, args ...any)
	Skip(args ...any)
}

// lifted are the columns that come from the record, by name. Strings stand
// quoted, absent ones are NULL.
type lifted map[string]string

const null = "NULL"

// fromRecord says whether a column of store.Columns is lifted.
func fromRecord(c store.Column) bool {
	return !c.Partition && c.Source != "the record" && c.Source != "mdcalake"
}

// rendered reads a row. Slots of strings, numbers and lists are in the order of
// store.Columns.
func rendered(row *store.Row) lifted {
	out := lifted{}
	text := func(s store.Span) string {
		if s.IsNull() {
			return null
		}
		return strconv.Quote(string(row.Bytes(s)))
	}
	var strs, numbers, lists int
	for _, c := range store.Columns {
		if !fromRecord(c) {
			continue
		}
		v := null
		switch c.Type {
		case store.TypeString:
			v = text(row.Strings[strs])
			strs++
		case store.TypeStrings:
			if l := row.Lists[lists]; l.Valid {
				items := []string{}
				for _, s := range l.Items {
					items = append(items, text(s))
				}
				v = "[" + strings.Join(items, " ") + "]"
			}
			lists++
		case store.TypeObjects:
			if row.HasObjects {
				items := []string{}
				for _, o := range row.Objects {
					items = append(items, renderedObject(o, text))
				}
				v = "[" + strings.Join(items, " ") + "]"
			}
		default:
			switch {
			case !row.HasNumber(numbers):
			case c.Type == store.TypeBoolean:
				v = strconv.FormatBool(row.Numbers[numbers] == 1)
			case c.Type == store.TypeDouble:
				v = fmt.Sprint(row.Double(numbers))
			default:
				v = strconv.FormatInt(row.Numbers[numbers], 10)
			}
			numbers++
		}
		out[c.Name] = v
	}
	return out
}

func renderedObject(o store.Object, text func(store.Span) string) string {
	if o.Null {
		return null
	}
	number := func(bit uint8, v int64) string {
		if o.Set&bit == 0 {
			return null
		}
		return strconv.FormatInt(v, 10)
	}
	return "{" + strings.Join([]string{text(o.ID), text(o.Name), text(o.Value),
		number(store.ObjectHasType, int64(o.Type)), number(store.ObjectHasRole, int64(o.Role)),
		number(store.ObjectHasAppID, o.AppID), number(store.ObjectHasInstanceID, o.InstanceID),
		text(o.ServiceObjectType)}, " ") + "}"
}

// drifted are the names of the columns in Drift, in their order.
func drifted(drift uint64) string {
	var names []string
	for i := range 64 {
		if drift>>i&1 == 1 {
			names = append(names, store.Columns[i].Name)
		}
	}
	return strings.Join(names, " ")
}

// object is a JSON object of which the first of duplicate keys counts.
type object struct {
	members map[string]json.RawMessage
	twice   map[string]bool
}

func objectOf(raw json.RawMessage) object {
	o := object{map[string]json.RawMessage{}, map[string]bool{}}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		panic(err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			panic(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			panic(err)
		}
		name := key.(string)
		if _, ok := o.members[name]; ok {
			o.twice[name] = true
			continue
		}
		o.members[name] = bytes.TrimSpace(v)
	}
	return o
}

// at follows a path. The value is nil when it or an object around it is absent
// or null; unfit says that something around it is no object.
func at(raw json.RawMessage, path string) (v json.RawMessage, unfit, twice bool) {
	for _, key := range strings.Split(path, ".") {
		if raw[0] != '{' {
			return nil, true, twice
		}
		o := objectOf(raw)
		twice = twice || o.twice[key]
		if raw = o.members[key]; raw == nil || string(raw) == "null" {
			return nil, false, twice
		}
	}
	return raw, false, twice
}

// reference lifts repaired JSON text. It skips what it would take too long for.
func reference(t checker, raw []byte) (out lifted, drift string) {
	raw = bytes.TrimSpace(raw)
	out = lifted{}
	var names []string
	for _, c := range store.Columns {
		if !fromRecord(c) {
			continue
		}
		path, other, _ := strings.Cut(strings.TrimSuffix(c.Source, "[]"), ", else ")
		v, unfit, twice := at(raw, path)
		if v == nil && !unfit && other != "" {
			var also bool
			v, unfit, also = at(raw, other)
			twice = twice || also
		}
		out[c.Name] = null
		if v != nil {
			text, ok, again := referenceValue(t, c, v)
			if out[c.Name] = text; !ok {
				unfit = true
			}
			twice = twice || again
		}
		if unfit || twice {
			names = append(names, c.Name)
		}
	}
	return out, strings.Join(names, " ")
}

func referenceValue(t checker, c store.Column, v json.RawMessage) (text string, ok, twice bool) {
	switch {
	case c.Name == "object_id" && strings.ContainsRune("{[", rune(v[0])):
		return strconv.Quote(string(v)), true, false
	case c.Type == store.TypeStrings:
		text, ok = referenceList(v)
	case c.Type == store.TypeObjects:
		return referenceObjects(t, v)
	default:
		text, ok = referenceScalar(t, c.Type, v)
		if ok && c.Type == store.TypeTimestamp {
			ms, _ := strconv.ParseInt(text, 10, 64)
			ok = ms >= 946684800000 && ms < 4102444800000
		}
	}
	if !ok {
		text = null
	}
	return text, ok, false
}

// textOf is the text of a scalar: of a string its meaning, else its JSON text.
func textOf(v json.RawMessage) string {
	if v[0] != '"' {
		return string(v)
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		panic(err)
	}
	return s
}

func referenceScalar(t checker, typ store.Type, v json.RawMessage) (string, bool) {
	if v[0] == '{' || v[0] == '[' {
		return null, false
	}
	text := textOf(v)
	switch typ {
	case store.TypeString:
		return strconv.Quote(text), true
	case store.TypeBoolean:
		if yes := map[string]bool{"true": true, "false": false}; v[0] != '"' || isASCII(text) {
			if b, ok := yes[strings.ToLower(text)]; ok {
				return strconv.FormatBool(b), true
			}
		}
		n, ok := referenceWhole(t, text)
		return strconv.FormatBool(n == "1"), ok && (n == "0" || n == "1")
	case store.TypeDouble:
		f, err := strconv.ParseFloat(text, 64)
		return fmt.Sprint(f), err == nil && number.MatchString(text)
	case store.TypeInteger:
		n, ok := referenceWhole(t, text)
		_, err := strconv.ParseInt(n, 10, 32)
		return n, ok && err == nil
	default:
		n, ok := referenceWhole(t, text)
		_, err := strconv.ParseInt(n, 10, 64)
		return n, ok && err == nil
	}
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7F }) < 0
}

var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE]([-+]?[0-9]+))?$`)

// referenceWhole is a whole number of any size in plain digits.
func referenceWhole(t checker, text string) (string, bool) {
	parts := number.FindStringSubmatch(text)
	if parts == nil {
		return null, false
	}
	if e, err := strconv.Atoi(parts[4]); parts[4] != "" && (err != nil || e > 1000 || e < -1000) {
		t.Skip("an exponent too large for the reference")
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || !r.IsInt() {
		return null, false
	}
	return r.Num().String(), true
}

func elementsOf(v json.RawMessage) []json.RawMessage {
	var elements []json.RawMessage
	if err := json.Unmarshal(v, &elements); err != nil {
		panic(err)
	}
	return elements
}

func referenceList(v json.RawMessage) (string, bool) {
	switch v[0] {
	case '"':
		return "[" + strconv.Quote(textOf(v)) + "]", true
	case '[':
	default:
		return null, false
	}
	items := []string{}
	for _, e := range elementsOf(v) {
		switch {
		case string(e) == "null":
			items = append(items, null)
		default:
			items = append(items, strconv.Quote(textOf(e)))
		}
	}
	return "[" + strings.Join(items, " ") + "]", true
}

func referenceObjects(t checker, v json.RawMessage) (text string, ok, twice bool) {
	if v[0] != '[' {
		return null, false, false
	}
	ok = true
	items := []string{}
	for _, e := range elementsOf(v) {
		if e[0] != '{' {
			ok = ok && string(e) == "null"
			items = append(items, null)
			continue
		}
		o := objectOf(e)
		var fields []string
		for _, f := range []struct {
			key string
			typ store.Type
		}{{"id", store.TypeString}, {"name", store.TypeString}, {"value", store.TypeString}, {"objType", store.TypeInteger},
			{"role", store.TypeInteger}, {"saasId", store.TypeLong}, {"instanceId", store.TypeLong}, {"serviceObjectType", store.TypeString}} {
			twice = twice || o.twice[f.key]
			s := null
			if m := o.members[f.key]; m != nil && string(m) != "null" {
				var fit bool
				if s, fit = referenceScalar(t, f.typ, m); !fit {
					s, ok = null, false
				}
			}
			fields = append(fields, s)
		}
		items = append(items, "{"+strings.Join(fields, " ")+"}")
	}
	return "[" + strings.Join(items, " ") + "]", ok, twice
}
