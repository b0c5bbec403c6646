package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// member is one member of a JSON object, its value as it was written.
type member struct {
	key   string
	value json.RawMessage
}

// parseMembers reads an object in order. A repeated key stays repeated.
func parseMembers(text []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, fmt.Errorf("want an object, got %v", t)
	}
	var list []member
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)}
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("text follows the object")
	}
	return list, nil
}

func appendMembers(dst []byte, list []member) []byte {
	dst = append(dst, '{')
	for i, m := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, m.key), ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}')
}

// put replaces the last member of that name, or adds one.
func put(list []member, key string, value []byte) []member {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].key == key {
			list[i].value = value
			return list
		}
	}
	return append(list, member{key, value})
}

// moveBound returns the caller's filters with one bound of one field moved;
// everything else stays as it was written, in its order.
func moveBound(filters []byte, field, op string, bound int64) []byte {
	list, _ := parseMembers(filters) // it was parsed before, or is empty
	var ops []member
	for _, m := range list {
		if m.key == field {
			ops, _ = parseMembers(m.value)
		}
	}
	ops = put(ops, op, strconv.AppendInt(nil, bound, 10))
	return appendMembers(nil, put(list, field, appendMembers(nil, ops)))
}

// extraMember is the member that Cursor.Extra adds: nothing a client knows.
const extraMember = "scanContext"

// withExtra adds the member, which is a digest of the rest.
func withExtra(seed uint64, cursor []byte) []byte {
	list, _ := parseMembers(cursor)
	return appendMembers(nil, put(list, extraMember, extraValue(seed, cursor)))
}

func extraValue(seed uint64, cursor []byte) []byte {
	o := out{}
	o.elem()
	o.str("v", "2")
	o.uint("position", digest(seed, cursor)|1<<63)
	o.null("shard")
	o.end()
	o.trim()
	return o.b
}

// withoutExtra takes the member off and says whether it was there.
func withoutExtra(filters []byte) (rest []byte, had bool) {
	list, err := parseMembers(filters)
	if err != nil {
		return filters, false
	}
	var keep []member
	for _, m := range list {
		if m.key == extraMember {
			had = true
			continue
		}
		keep = append(keep, m)
	}
	if !had {
		return filters, false
	}
	return appendMembers(nil, keep), true
}

// digest tells filters apart by meaning: the order of members does not count.
func digest(seed uint64, filters []byte) uint64 {
	v, err := decode(filters)
	if err != nil {
		return 0
	}
	text, err := json.Marshal(v) // sorts keys
	if err != nil {
		return 0
	}
	return hashText(seed, text)
}

func hashText(seed uint64, text []byte) uint64 {
	for _, b := range text {
		seed = mix(seed ^ uint64(b))
	}
	return seed
}
