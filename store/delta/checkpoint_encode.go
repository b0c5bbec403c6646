package delta

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// EncodeCheckpoint writes the snapshot as the one Parquet file of a classic
// checkpoint (V1), and says what _last_checkpoint has to tell of it. The same
// snapshot at the same time gives the same bytes. Tombstones that have expired
// by now are left out; see retention. A table that asks for more than this
// writer can do is refused (UnsupportedError), because a checkpoint would lose
// what it does not know.
func EncodeCheckpoint(s *Snapshot, now time.Time) ([]byte, LastCheckpoint, error) {
	var last LastCheckpoint
	if s.Version < 0 {
		return nil, last, errors.New("the table has no version yet")
	}
	if err := s.CanWrite(); err != nil {
		return nil, last, err
	}
	actions := s.state(now)
	data, err := encodeActions(actions)
	if err != nil {
		return nil, last, err
	}
	last = LastCheckpoint{Version: s.Version, Size: int64(len(actions)), SizeInBytes: int64(len(data)), NumOfAddFiles: int64(len(s.files))}
	return data, last, nil
}

// state is the table as actions, one after the other by kind and name.
func (s *Snapshot) state(now time.Time) []Action {
	actions := []Action{{Protocol: &s.Protocol}, {MetaData: s.MetaData}}
	for _, app := range slices.Sorted(maps.Keys(s.Txns)) {
		txn := s.Txns[app]
		actions = append(actions, Action{Txn: &txn})
	}
	keep, limited := s.retention()
	for _, r := range s.Removed() {
		if !limited || r.DeletionTimestamp >= now.UnixMilli()-keep.Milliseconds() {
			actions = append(actions, Action{Remove: &r.Remove})
		}
	}
	files := s.Files()
	for i := range files {
		files[i].DataChange = false // a checkpoint tells of a state and changes none
		actions = append(actions, Action{Add: &files[i].Add})
	}
	return actions
}

func checkpointProperties() *parquet.WriterProperties {
	options := []parquet.WriterProperty{
		parquet.WithCreatedBy("mdcalake"),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Snappy), // which every reader of checkpoints has
		parquet.WithDictionaryDefault(true),
		parquet.WithStats(false), // bounds of one kind of row among others exclude nothing
	}
	// Hardly two values are the same.
	for _, name := range []string{"add.path", "add.stats", "add.size", "add.tags.key_value.value", "remove.path", "remove.size"} {
		options = append(options, parquet.WithDictionaryFor(name, false))
	}
	return parquet.NewWriterProperties(options...)
}

// encodeActions writes a row for each action.
func encodeActions(actions []Action) ([]byte, error) {
	root, err := checkpointSchema()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := file.NewParquetWriterWithError(&out, root, file.WithWriterProps(checkpointProperties()))
	if err != nil {
		return nil, err
	}
	group, err := w.AppendRowGroupChecked()
	if err != nil {
		return nil, err
	}
	for _, k := range actionKinds {
		for _, m := range k.members {
			columns, err := memberColumns(k, m, actions)
			if err != nil {
				return nil, err
			}
			for _, c := range columns {
				if err := c.write(group); err != nil {
					return nil, fmt.Errorf("column %s.%s: %w", k.name, m.name, err)
				}
			}
		}
	}
	if err := w.Close(); err != nil { // closes the row group as well
		return nil, err
	}
	return out.Bytes(), nil
}

// column is a leaf column being written: Parquet's levels, and the values of
// the one type that it has.
type column struct {
	def, rep []int16
	texts    []parquet.ByteArray
	longs    []int64
	ints     []int32
	bools    []bool
}

func (c *column) level(def int16, first bool) {
	var rep int16
	if !first {
		rep = 1
	}
	c.def, c.rep = append(c.def, def), append(c.rep, rep)
}

func (c *column) write(group file.SerialRowGroupWriter) error {
	to, err := group.NextColumn()
	if err != nil {
		return err
	}
	switch to := to.(type) {
	case *file.ByteArrayColumnChunkWriter:
		_, err = to.WriteBatch(c.texts, c.def, c.rep)
	case *file.Int64ColumnChunkWriter:
		_, err = to.WriteBatch(c.longs, c.def, c.rep)
	case *file.Int32ColumnChunkWriter:
		_, err = to.WriteBatch(c.ints, c.def, c.rep)
	case *file.BooleanColumnChunkWriter:
		_, err = to.WriteBatch(c.bools, c.def, c.rep)
	}
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return err
}

// memberColumns are the columns of one member.
func memberColumns(k actionKind, m member, actions []Action) ([]*column, error) {
	leaves, _ := k.leaves(m)
	columns := make([]*column, leaves)
	for i := range columns {
		columns[i] = &column{def: make([]int16, 0, len(actions)), rep: make([]int16, 0, len(actions))}
	}
	for i := range actions {
		if !k.has(&actions[i]) {
			for _, c := range columns {
				c.level(0, true)
			}
			continue
		}
		if err := m.put(columns, m.field(&actions[i])); err != nil {
			return nil, fmt.Errorf("column %s.%s: %w", k.name, m.name, err)
		}
	}
	return columns, nil
}

// put adds the value of a member.
func (m member) put(columns []*column, field any) error {
	c := columns[0]
	switch v := field.(type) {
	case *string:
		if m.defined(c, *v != "") {
			c.texts = append(c.texts, parquet.ByteArray(*v))
		}
	case *int64:
		if m.defined(c, *v != 0) {
			c.longs = append(c.longs, *v)
		}
	case *int:
		if *v < math.MinInt32 || *v > math.MaxInt32 {
			return fmt.Errorf("%d is no 32-bit number", *v)
		}
		if m.defined(c, *v != 0) {
			c.ints = append(c.ints, int32(*v))
		}
	case *bool:
		if m.defined(c, *v) {
			c.bools = append(c.bools, *v)
		}
	case *[]string:
		m.putList(c, *v)
	case *map[string]string:
		m.putMap(columns, slices.Sorted(maps.Keys(*v)), func(key string) *string { s := (*v)[key]; return &s })
	case *map[string]*string:
		m.putMap(columns, slices.Sorted(maps.Keys(*v)), func(key string) *string { return (*v)[key] })
	}
	return nil
}

// defined adds the level of a value, or of a NULL.
func (m member) defined(c *column, set bool) bool {
	set = set || m.required
	if set {
		c.level(m.depth(), true)
	} else {
		c.level(m.depth()-1, true)
	}
	return set
}

// Levels of a list or map at depth d: d-1 it is NULL, d it is empty, d+1 the
// key or a NULL, d+2 the value.
func (m member) putList(c *column, list []string) {
	if len(list) == 0 {
		m.defined(c, false)
	}
	for i, s := range list {
		c.level(m.depth()+2, i == 0)
		c.texts = append(c.texts, parquet.ByteArray(s))
	}
}

func (m member) putMap(columns []*column, keys []string, value func(key string) *string) {
	if len(keys) == 0 {
		m.defined(columns[0], false)
		m.defined(columns[1], false)
	}
	for i, key := range keys {
		columns[0].level(m.depth()+1, i == 0)
		columns[0].texts = append(columns[0].texts, parquet.ByteArray(key))
		v := value(key)
		if v == nil {
			columns[1].level(m.depth()+1, i == 0)
			continue
		}
		columns[1].level(m.depth()+2, i == 0)
		columns[1].texts = append(columns[1].texts, parquet.ByteArray(*v))
	}
}

// deletedFileRetention is the property of the table that says for how long a
// removed file may still be read by those who have opened the table before.
const deletedFileRetention = "delta.deletedFileRetentionDuration"

// retention is for how long tombstones stay in checkpoints: a week, if the
// table does not say otherwise. An interval that is not understood keeps them
// all: too many do no harm, one too few lets another program's VACUUM forget a
// file.
func (s *Snapshot) retention() (keep time.Duration, limited bool) {
	text, given := s.MetaData.Configuration[deletedFileRetention]
	if !given {
		return 7 * 24 * time.Hour, true
	}
	return parseInterval(text)
}

var intervalUnits = map[string]time.Duration{
	"nanosecond": time.Nanosecond, "microsecond": time.Microsecond, "millisecond": time.Millisecond,
	"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

// parseInterval reads Spark's text form of an interval, "interval 1 week 2
// days": the word in front may be missing, units may be in the plural and in
// capitals. Months and years have no length and are not understood.
func parseInterval(text string) (sum time.Duration, ok bool) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) > 0 && words[0] == "interval" {
		words = words[1:]
	}
	if len(words) == 0 || len(words)%2 != 0 {
		return 0, false
	}
	for ; len(words) > 0; words = words[2:] {
		n, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			return 0, false
		}
		unit, known := intervalUnits[strings.TrimSuffix(words[1], "s")]
		if !known || n < 0 || n > int64((math.MaxInt64-sum)/unit) {
			return 0, false
		}
		sum += time.Duration(n) * unit
	}
	return sum, true
}
