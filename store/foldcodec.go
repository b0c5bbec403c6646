package store

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// The form of the cached fold in bytes. One function walks over each type,
// whichever the direction (foldstate.go): what is written and what is read
// cannot drift apart.

var errFoldCodec = errors.New("the cached fold is damaged")

// foldCodec goes over a fold once, in one direction. Texts that were read lie
// in the one string they were read from. After the first fault everything is
// zero and bad stays set.
type foldCodec struct {
	reading bool
	// light passes over what of a table's files only a writer asks for: two maps
	// of each, a third of the time.
	light bool
	bad   bool

	out     []byte
	textNo  map[string]uint64 // texts that were written, from 1
	valueNo map[string]uint64 // and partition values

	in     string
	texts  []string
	values []map[string]*string // the files of a cell share them
	ints   []int64              // room for numbers that may be missing
}

func encodeFold(s *fold, room int64) []byte {
	c := &foldCodec{out: make([]byte, 0, room), textNo: map[string]uint64{}, valueNo: map[string]uint64{}}
	c.fold(s)
	return c.out
}

func decodeFold(data string, light bool) (*fold, error) {
	c := &foldCodec{reading: true, light: light, in: data}
	s := newFold()
	c.fold(s)
	if c.bad || c.in != "" {
		return nil, errFoldCodec
	}
	return s, nil
}

func (c *foldCodec) fault() { c.bad, c.in = true, "" }

func (c *foldCodec) unsigned(v *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	*v = 0
	for i := 0; i < len(c.in) && i < binary.MaxVarintLen64; i++ {
		b := c.in[i]
		*v |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			c.in = c.in[i+1:]
			return
		}
	}
	*v = 0
	c.fault()
}

func (c *foldCodec) number(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.unsigned(&u)
	*v = int64(u>>1) ^ -int64(u&1)
}

func (c *foldCodec) numbers(vs ...*int64) {
	for _, v := range vs {
		c.number(v)
	}
}

func (c *foldCodec) flag(v *bool) {
	var u uint64
	if *v {
		u = 1
	}
	c.unsigned(&u)
	*v = u == 1
}

// count is how many elements follow; -1: there is not even an empty list. Each
// takes at least so many bytes: a forged count gets no memory that the file's
// own size does not answer for.
func (c *foldCodec) count(n, least int) int {
	u := uint64(n + 1)
	c.unsigned(&u)
	if c.reading && u > uint64(len(c.in)/least)+1 {
		c.fault()
		u = 0
	}
	return int(u) - 1
}

// plain is a text that hardly comes a second time.
func (c *foldCodec) plain(s *string) {
	n := c.count(len(*s), 1)
	if !c.reading {
		c.out = append(c.out, *s...)
		return
	}
	n = max(n, 0)
	*s, c.in = c.in[:n], c.in[n:]
}

// text is one that may come again; then its number stands for it.
func (c *foldCodec) text(s *string) {
	n := c.textNo[*s]
	c.unsigned(&n)
	switch {
	case n == 0 && c.reading:
		c.plain(s)
		c.texts = append(c.texts, *s)
	case n == 0:
		c.plain(s)
		c.textNo[*s] = uint64(len(c.textNo)) + 1
	case !c.reading:
	case n <= uint64(len(c.texts)):
		*s = c.texts[n-1]
	default:
		*s = ""
		c.fault()
	}
}

func (c *foldCodec) textsOf(ss ...*string) {
	for _, s := range ss {
		c.text(s)
	}
}

// bytes are copied: whoever gets them may append to them.
func (c *foldCodec) bytes(b *[]byte) {
	n := c.count(lengthOf(*b), 1)
	if !c.reading {
		c.out = append(c.out, *b...)
		return
	}
	*b = nil
	if n >= 0 {
		*b, c.in = []byte(c.in[:n]), c.in[n:]
	}
}

// time is in UTC, as all times of a fold are.
func (c *foldCodec) time(t *time.Time) {
	seconds, nanos := t.Unix(), int64(t.Nanosecond())
	c.numbers(&seconds, &nanos)
	if c.reading {
		*t = time.Unix(seconds, nanos).UTC()
	}
}

func (c *foldCodec) times(ts ...*time.Time) {
	for _, t := range ts {
		c.time(t)
	}
}

// optional is a number that may be missing.
func (c *foldCodec) optional(p **int64) {
	has := *p != nil
	c.flag(&has)
	if c.reading {
		*p = nil
	}
	if !has {
		return
	}
	if c.reading {
		if len(c.ints) == cap(c.ints) {
			c.ints = make([]int64, 0, 512)
		}
		c.ints = append(c.ints, 0)
		*p = &c.ints[len(c.ints)-1]
	}
	c.number(*p)
}

// optionalText is a text that may be missing.
func (c *foldCodec) optionalText(p **string) {
	has := *p != nil
	c.flag(&has)
	if c.reading {
		*p = nil
	}
	if !has {
		return
	}
	if c.reading {
		*p = new(string)
	}
	c.text(*p)
}

// pass goes over a table of texts and keeps none of them. Numbers that stand
// for texts count on all the same.
func (c *foldCodec) pass(value func(*string)) {
	var s string
	for range max(c.count(0, 2), 0) {
		c.text(&s)
		value(&s)
		if c.bad {
			return
		}
	}
}

// passOptional goes over a text that may be missing.
func (c *foldCodec) passOptional(s *string) {
	var has bool
	if c.flag(&has); has {
		c.text(s)
	}
}

// tags are those of a file.
func (c *foldCodec) tags(v *map[string]string) {
	if c.light {
		c.pass(c.text)
		return
	}
	codeTable(c, v, 1, c.text)
}

// partitionValues of a file; the second file of a cell refers to the first.
func (c *foldCodec) partitionValues(v *map[string]*string) {
	key := ""
	if !c.reading {
		key = valuesKey(*v)
	}
	n := c.valueNo[key]
	c.unsigned(&n)
	switch {
	case n == 0 && c.light:
		c.pass(c.passOptional)
		c.values = append(c.values, nil)
	case n == 0:
		codeTable(c, v, 1, c.optionalText)
		if c.reading {
			c.values = append(c.values, *v)
		} else {
			c.valueNo[key] = uint64(len(c.valueNo)) + 1
		}
	case !c.reading:
	case n <= uint64(len(c.values)):
		*v = c.values[n-1]
	default:
		c.fault()
	}
}

func valuesKey(v map[string]*string) string {
	if v == nil {
		return "none"
	}
	var key strings.Builder
	for _, name := range sortedKeys(v) {
		key.WriteString("," + name)
		if value := v[name]; value != nil {
			key.WriteString("=" + *value)
		}
		key.WriteByte(0)
	}
	return key.String()
}

func lengthOf[S ~[]T, T any](s S) int {
	if s == nil {
		return -1
	}
	return len(s)
}

// codeList walks over a list whose elements take at least so many bytes.
func codeList[T any](c *foldCodec, list *[]T, least int, one func(*T)) {
	n := c.count(lengthOf(*list), least)
	if c.reading {
		*list = nil
		if n >= 0 {
			*list = make([]T, n)
		}
	}
	for i := range *list {
		if c.bad {
			return
		}
		one(&(*list)[i])
	}
}

// codeTable walks over a map, in the order of its keys.
func codeTable[T any](c *foldCodec, table *map[string]T, least int, one func(*T)) {
	n := -1
	if *table != nil {
		n = len(*table)
	}
	n = c.count(n, least+1)
	if !c.reading {
		for _, key := range sortedKeys(*table) {
			v := (*table)[key]
			c.text(&key)
			one(&v)
		}
		return
	}
	*table = nil
	if n < 0 {
		return
	}
	*table = make(map[string]T, n)
	var key string
	var v, empty T
	for range n {
		v = empty
		c.text(&key)
		one(&v)
		if c.bad {
			return
		}
		(*table)[key] = v
	}
}
