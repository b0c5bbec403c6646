package delta

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Checkpoint is what a checkpoint says. It says more than a snapshot's files:
// tombstones that have not expired; and less: no commitInfo, and not which
// version added a file.
type Checkpoint struct {
	Protocol Protocol
	MetaData MetaData
	Txns     []Txn
	Adds     []Add
	Removes  []Remove
}

// DecodeCheckpoint reads a checkpoint of any writer: columns that this package
// does not know are passed over, rows of other actions too. The bytes may be
// anything. A V2 checkpoint is answered by a CheckpointKindError, one with
// deletion vectors is refused. Whether the table's protocol can be read at all
// is not asked here.
func DecodeCheckpoint(data []byte) (c *Checkpoint, err error) {
	// The library panics on some kinds of damage; a damaged file is an answer.
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("it is no sound Parquet file: %v", p)
		}
	}()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("it is no sound Parquet file: %w", err)
	}
	defer r.Close()
	d := checkpointDecoder{reader: r, schema: r.MetaData().Schema, bytes: int64(len(data)), rowsLeft: int64(len(data))}
	var actions []Action
	for i := range r.NumRowGroups() {
		rows, err := d.rowGroup(r.RowGroup(i))
		if err != nil {
			return nil, err
		}
		actions = append(actions, rows...)
	}
	return collect(actions)
}

// collect sorts the rows by kind.
func collect(actions []Action) (*Checkpoint, error) {
	c := &Checkpoint{}
	protocols, metas := 0, 0
	for _, a := range actions {
		if a.Protocol != nil {
			c.Protocol, protocols = *a.Protocol, protocols+1
		}
		if a.MetaData != nil {
			c.MetaData, metas = *a.MetaData, metas+1
		}
		if a.Txn != nil {
			c.Txns = append(c.Txns, *a.Txn)
		}
		if a.Add != nil {
			c.Adds = append(c.Adds, *a.Add)
		}
		if a.Remove != nil {
			c.Removes = append(c.Removes, *a.Remove)
		}
	}
	if protocols != 1 || metas != 1 {
		return nil, fmt.Errorf("it has %d protocol and %d metaData actions, want one of each", protocols, metas)
	}
	return c, nil
}

type checkpointDecoder struct {
	reader *file.Reader
	schema *schema.Schema
	bytes  int64
	// Paths differ, so a row takes more than a byte however it is packed. A few
	// bytes that claim to be a billion rows shall not be believed.
	rowsLeft int64
}

func (d *checkpointDecoder) rowGroup(g *file.RowGroupReader) ([]Action, error) {
	n := g.NumRows()
	if n < 0 || n > d.rowsLeft {
		return nil, fmt.Errorf("it claims %d rows in %d bytes", n, d.bytes)
	}
	d.rowsLeft -= n
	if err := d.onlyV1(g); err != nil {
		return nil, err
	}
	rows := make([]Action, n)
	for _, k := range actionKinds {
		if err := d.kind(g, k, rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// onlyV1 refuses what must not be passed over: rows that say that the files
// are named elsewhere, or that some of their rows are deleted.
func (d *checkpointDecoder) onlyV1(g *file.RowGroupReader) error {
	vector := errors.New("it uses deletion vectors, which this version cannot read")
	for _, c := range []struct {
		path string
		deep int16 // definition level at which the struct is there
		err  error
	}{
		{"checkpointMetadata", 1, &CheckpointKindError{Kind: CheckpointV2}},
		{"sidecar", 1, &CheckpointKindError{Kind: CheckpointV2}},
		{"add.deletionVector", 2, vector},
	} {
		leaves := d.below(c.path)
		if len(leaves) == 0 {
			continue
		}
		v, err := d.read(g, leaves[0])
		if err != nil {
			return err
		}
		for _, def := range v.def {
			if def >= c.deep {
				return c.err
			}
		}
	}
	return nil
}

// below are the leaf columns of a member, or of what is in it.
func (d *checkpointDecoder) below(path string) (leaves []int) {
	for i := range d.schema.NumColumns() {
		if p := d.schema.Column(i).Path(); p == path || strings.HasPrefix(p, path+".") {
			leaves = append(leaves, i)
		}
	}
	return leaves
}

// kind reads the actions of one kind into their rows.
func (d *checkpointDecoder) kind(g *file.RowGroupReader, k actionKind, rows []Action) error {
	filled := make([]int, len(k.members))
	for i, m := range k.members {
		var err error
		if filled[i], err = d.member(g, k, m, rows); err != nil {
			return fmt.Errorf("column %s.%s: %w", k.name, m.name, err)
		}
	}
	have := 0
	for i := range rows {
		if k.has(&rows[i]) {
			have++
		}
	}
	for i, m := range k.members {
		if m.required && filled[i] != have {
			return fmt.Errorf("column %s.%s: %d of %d %s actions have no value", k.name, m.name, have-filled[i], have, k.name)
		}
	}
	return nil
}

// member reads one member, and answers in how many rows it has a value.
func (d *checkpointDecoder) member(g *file.RowGroupReader, k actionKind, m member, rows []Action) (filled int, err error) {
	leaves := d.below(k.name + "." + m.name)
	if len(leaves) == 0 {
		return 0, nil
	}
	wantLeaves, wantRep := k.leaves(m)
	if len(leaves) != wantLeaves {
		return 0, fmt.Errorf("it has %d columns below it, want %d", len(leaves), wantLeaves)
	}
	columns := make([]*values, len(leaves))
	for i, leaf := range leaves {
		if columns[i], err = d.read(g, leaf); err != nil {
			return 0, err
		}
		if r := d.schema.Column(leaf).MaxRepetitionLevel(); r != wantRep {
			return 0, fmt.Errorf("it is repeated %d times, want %d", r, wantRep)
		}
		if n := columns[i].rows(); n != len(rows) {
			return 0, fmt.Errorf("it has %d rows of %d", n, len(rows))
		}
	}
	if wantLeaves == 2 && len(columns[0].def) != len(columns[1].def) {
		return 0, errors.New("it has other keys than values")
	}
	return fill(k, m, rows, columns)
}

// fill puts the values of a member into the rows.
func fill(k actionKind, m member, rows []Action, columns []*values) (filled int, err error) {
	first := columns[0]
	row := -1
	for i, def := range first.def {
		if first.rep[i] == 0 {
			row++
		}
		if row < 0 {
			return 0, errors.New("its first row has no beginning")
		}
		if def == 0 {
			continue // an action of another kind
		}
		a := &rows[row]
		if !k.has(a) {
			k.make(a)
		}
		if def < first.there {
			continue
		}
		if first.rep[i] == 0 {
			filled++
		}
		if err := set(m.field(a), columns, i); err != nil {
			return 0, err
		}
	}
	return filled, nil
}

// set puts the ith value of the columns into a field; for a list or a map it
// is one element, or says that there is none.
func set(field any, columns []*values, i int) error {
	v := columns[0]
	switch field := field.(type) {
	case *string:
		return one(field, v, v.texts)
	case *int64:
		return one(field, v, v.longs)
	case *bool:
		return one(field, v, v.bools)
	case *int:
		var n int64
		err := one(&n, v, v.longs)
		*field = int(n)
		return err
	case *[]string:
		if *field == nil {
			*field = []string{}
		}
		if v.def[i] <= v.there {
			return nil
		}
		var s string // a NULL is the empty text, as in JSON
		if v.def[i] == v.max {
			if err := one(&s, v, v.texts); err != nil {
				return err
			}
		}
		*field = append(*field, s)
	case *map[string]string:
		if *field == nil {
			*field = map[string]string{}
		}
		key, value, err := entry(columns, i)
		if key != nil && value == nil {
			value = new(string) // as in JSON
		}
		if key != nil {
			(*field)[*key] = *value
		}
		return err
	case *map[string]*string:
		if *field == nil {
			*field = map[string]*string{}
		}
		key, value, err := entry(columns, i)
		if key != nil {
			(*field)[*key] = value
		}
		return err
	}
	return nil
}

// one takes the next value of a column.
func one[T any](field *T, v *values, of []T) error {
	if v.next >= len(of) {
		return errors.New("it has another type than the protocol says, or fewer values than it claims")
	}
	*field = of[v.next]
	v.next++
	return nil
}

// entry takes the next entry of a map; a nil key: the map is empty.
func entry(columns []*values, i int) (key, value *string, err error) {
	keys, vals := columns[0], columns[1]
	if keys.rep[i] != vals.rep[i] || (keys.def[i] > keys.there) != (vals.def[i] > vals.there) {
		return nil, nil, errors.New("it has other keys than values")
	}
	if keys.def[i] <= keys.there {
		return nil, nil, nil
	}
	if keys.def[i] < keys.max {
		return nil, nil, errors.New("a key is NULL")
	}
	var k, v string
	if err := one(&k, keys, keys.texts); err != nil {
		return nil, nil, err
	}
	if vals.def[i] < vals.max {
		return &k, nil, nil
	}
	if err := one(&v, vals, vals.texts); err != nil {
		return nil, nil, err
	}
	return &k, &v, nil
}

// values is a leaf column that was read. Level there is the one at which the
// value is there, or the list or map, be it empty; max is that of a value.
type values struct {
	def, rep   []int16
	there, max int16
	texts      []string
	longs      []int64
	bools      []bool
	next       int // of the values, the first that is not taken
}

func (v *values) rows() (n int) {
	for _, rep := range v.rep {
		if rep == 0 {
			n++
		}
	}
	return n
}

const levelBatch = 1024

// read reads a leaf column of a row group.
func (d *checkpointDecoder) read(g *file.RowGroupReader, leaf int) (*values, error) {
	c, err := g.Column(leaf)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	next, err := reader(c)
	if err != nil {
		return nil, err
	}
	col := d.schema.Column(leaf)
	v := &values{there: there(col.SchemaNode()), max: col.MaxDefinitionLevel()}
	def, rep := make([]int16, levelBatch), make([]int16, levelBatch)
	for {
		n, err := next(v, def, rep)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		v.def, v.rep = append(v.def, def[:n]...), append(v.rep, rep[:n]...)
		// Lists have more levels than rows; see rowsLeft.
		if int64(len(v.def)) > 8*d.bytes {
			return nil, fmt.Errorf("it claims more than %d values in %d bytes", len(v.def), d.bytes)
		}
	}
	return v, c.Err()
}

// there is the definition level at which a node is there, or the list or map
// around it.
func there(n schema.Node) int16 {
	var level int16
	for ; n.Parent() != nil; n = n.Parent() {
		switch n.RepetitionType() {
		case parquet.Repetitions.Repeated:
			level = 0 // what is in a list does not count
		case parquet.Repetitions.Optional:
			level++
		}
	}
	return level
}

// reader makes the function that reads the next levels of a column, and their
// values into the field for their type. 0: there is no more.
func reader(c file.ColumnChunkReader) (func(v *values, def, rep []int16) (int64, error), error) {
	switch c := c.(type) {
	case *file.ByteArrayColumnChunkReader:
		buf := make([]parquet.ByteArray, levelBatch)
		// The same few keys and values come again and again.
		known := map[string]string{}
		return func(v *values, def, rep []int16) (int64, error) {
			n, read, err := c.ReadBatchInPage(levelBatch, buf, def, rep)
			for _, b := range buf[:read] {
				s, ok := known[string(b)]
				if !ok {
					s = string(b)
					known[s] = s
				}
				v.texts = append(v.texts, s)
			}
			return n, err
		}, nil
	case *file.Int64ColumnChunkReader:
		buf := make([]int64, levelBatch)
		return func(v *values, def, rep []int16) (int64, error) {
			n, read, err := c.ReadBatchInPage(levelBatch, buf, def, rep)
			v.longs = append(v.longs, buf[:read]...)
			return n, err
		}, nil
	case *file.Int32ColumnChunkReader:
		buf := make([]int32, levelBatch)
		return func(v *values, def, rep []int16) (int64, error) {
			n, read, err := c.ReadBatchInPage(levelBatch, buf, def, rep)
			for _, i := range buf[:read] {
				v.longs = append(v.longs, int64(i))
			}
			return n, err
		}, nil
	case *file.BooleanColumnChunkReader:
		buf := make([]bool, levelBatch)
		return func(v *values, def, rep []int16) (int64, error) {
			n, read, err := c.ReadBatchInPage(levelBatch, buf, def, rep)
			v.bools = append(v.bools, buf[:read]...)
			return n, err
		}, nil
	}
	return nil, fmt.Errorf("it has type %s", c.Type())
}
