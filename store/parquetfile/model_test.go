package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"mdcalake/store/parquetfile"
)

// What the tests write: columns of every form, filled by a seed, and what must
// be found in the file again.

type form int

const (
	required form = iota
	optional
	listed  // a list of strings
	structs // a list of structures with a member of each type
)

type column struct {
	form    form
	kind    parquet.Type // of required and optional columns
	options parquetfile.Options
	mood    mood
}

// leafKinds are the types of a column's leaves.
func (c column) leafKinds() []parquet.Type {
	switch c.form {
	case listed:
		return []parquet.Type{parquet.Types.ByteArray}
	case structs:
		return allKinds
	default:
		return []parquet.Type{c.kind}
	}
}

var allKinds = []parquet.Type{
	parquet.Types.Boolean, parquet.Types.Int32, parquet.Types.Int64, parquet.Types.Double, parquet.Types.ByteArray,
}

// levels are the greatest of a leaf of the column.
func (c column) levels() (rep, def uint8) {
	switch c.form {
	case required:
		return 0, 0
	case optional:
		return 0, 1
	case listed:
		return 1, 3
	default:
		return 1, 4
	}
}

// mood is what the values of a leaf are like.
type mood int

const (
	constant mood = iota
	few           // of a handful of values
	runs          // of them, each many times in a row
	unique
	steps // each a little more than the one before
	extremes
	fewThenUnique // a dictionary that is given up in the middle
	allNull
	moods
)

// entry is a value or NULL at its levels.
type entry struct {
	rep, def uint8
	null     bool
	kind     parquet.Type
	n        int64
	text     string
	bytes    []byte // of the text
}

func textEntry(rep, def uint8, text string) entry {
	return entry{rep: rep, def: def, kind: parquet.Types.ByteArray, text: text, bytes: []byte(text)}
}

// source makes the values of a leaf.
type source struct {
	kind  parquet.Type
	mood  mood
	r     *rand.Rand
	made  int
	last  int64
	still int // how often the value before comes again
	held  int64
}

func (s *source) null() bool {
	return s.mood == allNull || s.mood != unique && s.r.IntN(9) == 0
}

// next is a number that stands for a value; number and text say for which.
func (s *source) next() int64 {
	s.made++
	switch s.mood {
	case constant:
		return 7
	case few:
		return s.r.Int64N(5)
	case runs:
		if s.still == 0 {
			s.still, s.held = 1+s.r.IntN(40), s.r.Int64N(6)
		}
		s.still--
		return s.held
	case unique:
		return s.r.Int64()
	case steps:
		s.last += s.r.Int64N(1000)
		return s.last
	case fewThenUnique:
		if s.made < 60 {
			return s.r.Int64N(3)
		}
		return s.r.Int64()
	default:
		return -1 - s.r.Int64N(12)
	}
}

func (s *source) number() int64 {
	n := s.next()
	switch s.kind {
	case parquet.Types.Boolean:
		return n & 1
	case parquet.Types.Int32:
		if n < 0 {
			return pick([]int64{math.MinInt32, math.MaxInt32, 0, -1, 1, math.MinInt32 + 1}, n)
		}
		return int64(int32(n))
	case parquet.Types.Double:
		if n < 0 {
			return int64(math.Float64bits(pick([]float64{
				math.Copysign(0, -1), 0, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.SmallestNonzeroFloat64, 1.5,
			}, n)))
		}
		return int64(math.Float64bits(float64(n) / 3))
	default:
		if n < 0 {
			return pick([]int64{math.MinInt64, math.MaxInt64, 0, -1, 1, math.MinInt64 + 1}, n)
		}
		return n
	}
}

func (s *source) string() string {
	n := s.next()
	if n < 0 {
		return pick([]string{
			"", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("\xff", 300), strings.Repeat("\xff", 256), "\x00", "a", "äß∆", "a\x00",
		}, n)
	}
	return fmt.Sprintf("v%x", n)
}

func pick[T any](from []T, n int64) T { return from[int(-n)%len(from)] }

func (s *source) entry(rep, def uint8) entry {
	if s.kind == parquet.Types.ByteArray {
		return textEntry(rep, def, s.string())
	}
	return entry{rep: rep, def: def, kind: s.kind, n: s.number()}
}

// table is what a file holds: of each row group, of each leaf, the entries.
type table struct {
	groups [][][]entry
	rows   []int
}

// fill makes row groups of so many rows.
func fill(columns []column, seed uint64, rows []int) table {
	r := rand.New(rand.NewPCG(seed, 1))
	t := table{rows: rows}
	for _, n := range rows {
		var leaves [][]entry
		for _, c := range columns {
			leaves = append(leaves, c.fill(r, n)...)
		}
		t.groups = append(t.groups, leaves)
	}
	return t
}

func (c column) fill(r *rand.Rand, rows int) [][]entry {
	var sources []*source
	for _, k := range c.leafKinds() {
		sources = append(sources, &source{kind: k, mood: c.mood, r: r})
	}
	leaves := make([][]entry, len(sources))
	_, maxDef := c.levels()
	null := func(rep, def uint8) {
		for i := range leaves {
			leaves[i] = append(leaves[i], entry{rep: rep, def: def, null: true})
		}
	}
	for range rows {
		if c.form == required || c.form == optional {
			if c.form == optional && sources[0].null() {
				null(0, 0)
			} else {
				leaves[0] = append(leaves[0], sources[0].entry(0, maxDef))
			}
			continue
		}
		length := min(r.IntN(6)-2, 3)
		if r.IntN(40) == 0 {
			length = 60 // more than a page has
		}
		if length <= 0 {
			null(0, uint8(length+2)/2) // NULL, or empty
			continue
		}
		var rep uint8
		for range length {
			if r.IntN(7) == 0 {
				null(rep, 2) // the element
			} else {
				for i, s := range sources {
					if s.null() {
						leaves[i] = append(leaves[i], entry{rep: rep, def: maxDef - 1, null: true})
					} else {
						leaves[i] = append(leaves[i], s.entry(rep, maxDef))
					}
				}
			}
			rep = 1
		}
	}
	return leaves
}

// layoutOf is the schema of the columns and their layout.
func layoutOf(t testing.TB, columns []column) (*schema.GroupNode, *parquetfile.Layout) {
	t.Helper()
	must := func(n schema.Node, err error) schema.Node {
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	leaf := func(name string, k parquet.Type, rep parquet.Repetition) schema.Node {
		if k == parquet.Types.ByteArray {
			return must(schema.NewPrimitiveNodeLogical(name, rep, schema.StringLogicalType{}, k, -1, -1))
		}
		return must(schema.NewPrimitiveNode(name, rep, k, -1, -1))
	}
	list := func(name string, element schema.Node) schema.Node {
		middle := must(schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1))
		return must(schema.NewGroupNodeLogical(name, parquet.Repetitions.Optional, schema.FieldList{middle}, schema.NewListLogicalType(), -1))
	}
	var nodes schema.FieldList
	options := map[string]parquetfile.Options{}
	for i, c := range columns {
		name := fmt.Sprintf("c%d", i)
		options[name] = c.options
		switch c.form {
		case required:
			nodes = append(nodes, leaf(name, c.kind, parquet.Repetitions.Required))
		case optional:
			nodes = append(nodes, leaf(name, c.kind, parquet.Repetitions.Optional))
		case listed:
			nodes = append(nodes, list(name, leaf("element", parquet.Types.ByteArray, parquet.Repetitions.Optional)))
		case structs:
			var members schema.FieldList
			for _, k := range allKinds {
				members = append(members, leaf(strings.ToLower(k.String()), k, parquet.Repetitions.Optional))
			}
			nodes = append(nodes, list(name, must(schema.NewGroupNode("element", parquet.Repetitions.Optional, members, -1))))
		}
	}
	root := must(schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)).(*schema.GroupNode)
	l, err := parquetfile.NewLayout(root, func(name string) parquetfile.Options { return options[name] })
	if err != nil {
		t.Fatal(err)
	}
	return root, l
}

// write writes the table as a file, row by row.
func (t table) write(w *parquetfile.Writer, columns []column, sink io.Writer) error {
	if err := w.Begin(sink); err != nil {
		return err
	}
	for g, leaves := range t.groups {
		next := make([]int, len(leaves))
		for range t.rows[g] {
			for i := range leaves {
				next[i] = writeRow(&w.Leaves[i], leaves[i], next[i])
			}
			w.EndRow()
		}
		if g < len(t.groups)-1 || g%2 == 1 { // Close ends the last one as well
			if err := w.EndGroup(); err != nil {
				return err
			}
		}
	}
	return w.Close("tests", [][2]string{{"key", "value"}, {"empty", ""}})
}

// writeRow writes entries up to the next row and answers where that is.
func writeRow(l *parquetfile.Leaf, entries []entry, at int) int {
	for first := true; at < len(entries) && (first || entries[at].rep > 0); at++ {
		first = false
		e := entries[at]
		switch {
		case e.null:
			l.Null(e.rep, e.def)
		case e.kind == parquet.Types.ByteArray:
			if at%2 == 0 {
				l.Text(e.rep, e.text)
			} else {
				l.Bytes(e.rep, e.bytes)
			}
		default:
			l.Int(e.rep, e.n)
		}
	}
	return at
}

// bounds are those that the statistics of a leaf must have: PLAIN, or nil.
func bounds(k parquet.Type, entries []entry) (least, most []byte) {
	var low, high *entry
	for i := range entries {
		e := &entries[i]
		if e.null || k == parquet.Types.Double && math.IsNaN(math.Float64frombits(uint64(e.n))) {
			continue
		}
		if low == nil || less(k, e, low) {
			low = e
		}
		if high == nil || less(k, high, e) {
			high = e
		}
	}
	if low == nil {
		return nil, nil
	}
	return encodeBound(k, low, true), encodeBound(k, high, false)
}

func less(k parquet.Type, a, b *entry) bool {
	switch k {
	case parquet.Types.ByteArray:
		return bytes.Compare([]byte(a.text), []byte(b.text)) < 0
	case parquet.Types.Double:
		return math.Float64frombits(uint64(a.n)) < math.Float64frombits(uint64(b.n))
	default:
		return a.n < b.n
	}
}

func encodeBound(k parquet.Type, e *entry, least bool) []byte {
	switch k {
	case parquet.Types.ByteArray:
		if len(e.text) > 256 {
			return nil
		}
		return []byte(e.text)
	case parquet.Types.Boolean:
		return []byte{byte(e.n)}
	case parquet.Types.Int32:
		return binary.LittleEndian.AppendUint32(nil, uint32(e.n))
	case parquet.Types.Double:
		f := math.Float64frombits(uint64(e.n))
		if f == 0 { // the least zero is negative, the greatest is not
			f = 0
			if least {
				f = math.Copysign(0, -1)
			}
		}
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))
	default:
		return binary.LittleEndian.AppendUint64(nil, uint64(e.n))
	}
}
