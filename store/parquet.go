package store

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// Writing Parquet. Rows go into one buffer per leaf column and from there, a
// thousand at a time, through arrow-go's column writers. The bytes of a row
// are not copied on the way: the buffers hold slices of its Text, which must
// therefore stay as it is until the next flush.

const (
	flushRows  = 1024
	flushBytes = 512 << 10 // arrow-go looks at the size of a page between calls only

	metaSchemaVersion = "mdcalake.schema_version"
	metaToolVersion   = "mdcalake.version"
)

// form is how a file trades time for size.
type form struct {
	level     int   // of zstd; the writer below has four: 1, 3, 6, 10
	pageBytes int64 // of a data page, before compression
}

var (
	// quick is what a run writes; level 3 is slower and hardly smaller.
	quick = form{level: 1, pageBytes: rawPageBytes}
	// dense is for files that have come to rest. Level 10 takes three times as
	// long for one hundredth less.
	dense = form{level: 6, pageBytes: densePageBytes}
)

// formOf is the form of files that were written at a level.
func formOf(level int) form {
	if level >= dense.level {
		return dense
	}
	return quick
}

// kind says from which part of a row a column is filled.
type kind int

const (
	kindString kind = iota
	kindMillis      // a number of milliseconds, on disk microseconds
	kindLong
	kindInteger
	kindBoolean
	kindDouble
	kindStrings
	kindObjects
	kindRaw
	kindOriginal
	kindHash
	kindIngested
	kindRunID
	kindPage
	kindDate
	kindService
	kindReplaced
	kindReplacedByRun
	kindReplacedByHash
)

type field struct {
	kind  kind
	index int
}

// fields ties the columns' names to the parts of a Row.
var fields = map[string]field{
	"activity_id": {kindString, ActivityID}, "timestamp": {kindMillis, Timestamp}, "created": {kindMillis, Created},
	"date": {kindDate, 0}, "service": {kindService, 0},
	"tenant_id": {kindLong, TenantID}, "app_id": {kindLong, AppID}, "app_name": {kindString, AppName},
	"source": {kindInteger, SourceID}, "event_type": {kindInteger, EventType},
	"event_type_value": {kindString, EventTypeValue}, "event_type_name": {kindString, EventTypeName}, "generic_event_type": {kindString, GenericEventType},
	"action": {kindString, Action}, "activity_kind": {kindString, ActivityKind}, "description": {kindString, Description},
	"is_success": {kindBoolean, IsSuccess}, "result_message": {kindString, ResultMessage}, "is_admin": {kindBoolean, IsAdmin},
	"severity": {kindString, Severity}, "confidence": {kindInteger, Confidence},
	"user_name": {kindString, UserName}, "actor_id": {kindString, ActorID}, "actor_name": {kindString, ActorName}, "user_tags": {kindStrings, UserTags},
	"ip": {kindString, IP}, "other_ips": {kindStrings, OtherIPs},
	"ip_category": {kindInteger, IPCategory}, "ip_category_name": {kindString, IPCategoryName}, "ip_tags": {kindStrings, IPTags},
	"country": {kindString, Country}, "region": {kindString, Region}, "city": {kindString, City},
	"latitude": {kindDouble, Latitude}, "longitude": {kindDouble, Longitude},
	"isp": {kindString, ISP}, "is_anonymous_proxy": {kindBoolean, IsAnonymousProxy},
	"user_agent": {kindString, UserAgent}, "browser": {kindString, Browser}, "os": {kindString, OS}, "device_type": {kindString, DeviceType}, "user_agent_tags": {kindStrings, UserAgentTags},
	"session_id": {kindString, SessionID}, "objects": {kindObjects, 0},
	"workload": {kindString, Workload}, "object_id": {kindString, ObjectID},
	"raw": {kindRaw, 0}, "raw_original": {kindOriginal, 0}, "content_hash": {kindHash, 0},
	"ingested": {kindIngested, 0}, "run_id": {kindRunID, 0}, "page": {kindPage, 0},
	"replaced": {kindReplaced, 0}, "replaced_by_run": {kindReplacedByRun, 0}, "replaced_by_hash": {kindReplacedByHash, 0},
}

// replacement is what a row of `revisions` has beyond a row of `activities`.
type replacement struct {
	at   int64 // ms
	run  string
	hash int64
}

// near-unique columns gain nothing from a dictionary but the time to find out.
var noDictionary = []string{"activity_id", "raw", "raw_original", "content_hash", "timestamp", "created", "ingested", "page"}

func writerProperties(f form) *parquet.WriterProperties {
	options := []parquet.WriterProperty{
		parquet.WithCreatedBy("mdcalake"),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(f.level),
		parquet.WithDataPageSize(f.pageBytes),
		parquet.WithBatchSize(flushRows),
		parquet.WithDictionaryDefault(true),
		parquet.WithStats(true),
		parquet.WithStatsFor("raw", false),
		parquet.WithStatsFor("raw_original", false),
		// Longer bounds are left out by the writer rather than cut.
		parquet.WithMaxStatsSize(256),
	}
	for _, name := range noDictionary {
		options = append(options, parquet.WithDictionaryFor(name, false))
	}
	for _, name := range []string{"timestamp", "created"} {
		options = append(options, parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	return parquet.NewWriterProperties(options...)
}

// fileSchema is the Parquet schema of a file with these columns. withKeys says
// whether the keys of the path are columns as well.
func fileSchema(columns []Column, withKeys bool) (*schema.GroupNode, []Column, error) {
	var nodes schema.FieldList
	var kept []Column
	for _, c := range columns {
		if c.Partition && !withKeys {
			continue
		}
		n, err := columnNode(c)
		if err != nil {
			return nil, nil, err
		}
		nodes, kept = append(nodes, n), append(kept, c)
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, nodes, -1)
	return root, kept, err
}

func columnNode(c Column) (schema.Node, error) {
	rep := parquet.Repetitions.Optional
	if c.Required {
		rep = parquet.Repetitions.Required
	}
	switch c.Type {
	case TypeStrings:
		return listNode(c.Name, rep, primitive("element", TypeString, parquet.Repetitions.Optional))
	case TypeObjects:
		var members schema.FieldList
		for _, m := range objectFields {
			members = append(members, primitive(m.name, m.typ, parquet.Repetitions.Optional))
		}
		element, err := schema.NewGroupNode("element", parquet.Repetitions.Optional, members, -1)
		if err != nil {
			return nil, err
		}
		return listNode(c.Name, rep, element)
	default:
		return primitive(c.Name, c.Type, rep), nil
	}
}

func listNode(name string, rep parquet.Repetition, element schema.Node) (schema.Node, error) {
	list, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNodeLogical(name, rep, schema.FieldList{list}, schema.NewListLogicalType(), -1)
}

func primitive(name string, t Type, rep parquet.Repetition) schema.Node {
	switch t {
	case TypeLong:
		return schema.NewInt64Node(name, rep, -1)
	case TypeInteger:
		return schema.NewInt32Node(name, rep, -1)
	case TypeBoolean:
		return schema.NewBooleanNode(name, rep, -1)
	case TypeDouble:
		return schema.NewFloat64Node(name, rep, -1)
	case TypeBinary:
		return schema.NewByteArrayNode(name, rep, -1)
	case TypeTimestamp:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64, -1, -1))
	case TypeDate:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.DateLogicalType{}, parquet.Types.Int32, -1, -1))
	default:
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, rep, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1))
	}
}

// objectFields are the members of an element of `objects`.
var objectFields = []struct {
	name string
	typ  Type
}{
	{"id", TypeString}, {"name", TypeString}, {"value", TypeString}, {"type", TypeInteger},
	{"role", TypeInteger}, {"app_id", TypeLong}, {"instance_id", TypeLong}, {"service_object_type", TypeString},
}

// leaf is the buffer of one leaf column.
type leaf struct {
	bytes    []parquet.ByteArray
	longs    []int64
	ints     []int32
	bools    []bool
	doubles  []float64
	def, rep []int16
}

func (l *leaf) reset() {
	clear(l.bytes) // let go of the rows
	l.bytes, l.longs, l.ints, l.bools, l.doubles = l.bytes[:0], l.longs[:0], l.ints[:0], l.bools[:0], l.doubles[:0]
	l.def, l.rep = l.def[:0], l.rep[:0]
}

// tableWriter writes one file of activities or revisions.
type tableWriter struct {
	sink    *hashingWriter
	w       *file.Writer
	group   file.BufferedRowGroupWriter
	form    form
	columns []Column
	first   []int // of each column, its first leaf
	leaves  []leaf
	waiting int // rows in the leaves
	bytes   int // their records' bytes

	groupRows  int
	groupBytes int
	rows       int64
	stats      Stats
}

// newTableWriter begins a file. withKeys writes date and service as columns,
// for tables whose path does not hold them.
func newTableWriter(w io.Writer, columns []Column, withKeys bool, toolVersion string, f form) (*tableWriter, error) {
	root, kept, err := fileSchema(columns, withKeys)
	if err != nil {
		return nil, err
	}
	t := &tableWriter{sink: newHashingWriter(w), form: f, columns: kept, stats: emptyStats()}
	for _, c := range kept {
		t.first = append(t.first, len(t.leaves))
		n := 1
		if c.Type == TypeObjects {
			n = len(objectFields)
		}
		t.leaves = append(t.leaves, make([]leaf, n)...)
	}
	t.w, err = file.NewParquetWriterWithError(t.sink, root, file.WithWriterProps(writerProperties(f)))
	if err != nil {
		return nil, err
	}
	if err := t.w.AppendKeyValueMetadata(metaSchemaVersion, fmt.Sprint(SchemaVersion)); err != nil {
		return nil, err
	}
	return t, t.w.AppendKeyValueMetadata(metaToolVersion, toolVersion)
}

// append adds a row. Its Text must not change before the next flush; see the
// top of the file.
func (t *tableWriter) append(r *Row, rep *replacement) error {
	for i, c := range t.columns {
		t.fill(t.leaves[t.first[i]:], c, r, rep)
	}
	t.stats.add(r)
	t.waiting++
	t.rows++
	t.bytes += len(r.Text) + len(r.Original)
	if t.waiting >= flushRows || t.bytes >= flushBytes {
		return t.flush()
	}
	return nil
}

func (t *tableWriter) fill(leaves []leaf, c Column, r *Row, rep *replacement) {
	f := fields[c.Name]
	l := &leaves[0]
	switch f.kind {
	case kindString:
		l.text(r.Bytes(r.Strings[f.index]), r.Strings[f.index].IsNull(), c.Required)
	case kindMillis:
		l.long(r.Numbers[f.index]*1000, r.HasNumber(f.index), c.Required)
	case kindLong:
		l.long(r.Numbers[f.index], r.HasNumber(f.index), c.Required)
	case kindInteger:
		l.integer(int32(r.Numbers[f.index]), r.HasNumber(f.index))
	case kindBoolean:
		if l.defined(r.HasNumber(f.index)) {
			l.bools = append(l.bools, r.Numbers[f.index] != 0)
		}
	case kindDouble:
		if l.defined(r.HasNumber(f.index)) {
			l.doubles = append(l.doubles, math.Float64frombits(uint64(r.Numbers[f.index])))
		}
	case kindStrings:
		l.list(r, &r.Lists[f.index])
	case kindObjects:
		fillObjects(leaves[:len(objectFields)], r)
	case kindRaw:
		l.text(r.Raw(), false, c.Required)
	case kindOriginal:
		l.text(r.Original, r.Original == nil, c.Required)
	case kindHash:
		l.long(r.ContentHash, true, c.Required)
	case kindIngested:
		l.long(r.Ingested*1000, true, c.Required)
	case kindRunID:
		l.text([]byte(r.RunID), false, c.Required)
	case kindPage:
		l.integer(r.Page, r.Page != 0)
	case kindDate:
		l.ints = append(l.ints, r.Partition().Day)
	case kindService:
		l.long(r.Partition().Service, true, c.Required)
	case kindReplaced:
		l.long(rep.at*1000, true, c.Required)
	case kindReplacedByRun:
		l.text([]byte(rep.run), false, c.Required)
	case kindReplacedByHash:
		l.long(rep.hash, true, c.Required)
	}
}

func (l *leaf) defined(has bool) bool {
	var d int16
	if has {
		d = 1
	}
	l.def = append(l.def, d)
	return has
}

func (l *leaf) text(b []byte, null, required bool) {
	if !required && !l.defined(!null) {
		return
	}
	l.bytes = append(l.bytes, b)
}

func (l *leaf) long(v int64, has, required bool) {
	if !required && !l.defined(has) {
		return
	}
	l.longs = append(l.longs, v)
}

func (l *leaf) integer(v int32, has bool) {
	if l.defined(has) {
		l.ints = append(l.ints, v)
	}
}

// Levels of a list: 0 the list is NULL, 1 it is empty, 2 the element is NULL,
// 3 the element (or, in objects, its member is NULL), 4 the member.
func (l *leaf) level(def int16, first bool) {
	var rep int16
	if !first {
		rep = 1
	}
	l.def, l.rep = append(l.def, def), append(l.rep, rep)
}

func (l *leaf) list(r *Row, list *List) {
	switch {
	case !list.Valid:
		l.level(0, true)
	case len(list.Items) == 0:
		l.level(1, true)
	}
	if !list.Valid {
		return
	}
	for i, s := range list.Items {
		if s.IsNull() {
			l.level(2, i == 0)
			continue
		}
		l.level(3, i == 0)
		l.bytes = append(l.bytes, r.Bytes(s))
	}
}

func fillObjects(leaves []leaf, r *Row) {
	if !r.HasObjects || len(r.Objects) == 0 {
		var def int16
		if r.HasObjects {
			def = 1
		}
		for i := range leaves {
			leaves[i].level(def, true)
		}
		return
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		first := i == 0
		if o.Null {
			for j := range leaves {
				leaves[j].level(2, first)
			}
			continue
		}
		for j, s := range []Span{o.ID, o.Name, o.Value} {
			leaves[j].member(r, s, first)
		}
		leaves[3].memberInt(o.Type, o.Set&ObjectHasType != 0, first)
		leaves[4].memberInt(o.Role, o.Set&ObjectHasRole != 0, first)
		leaves[5].memberLong(o.AppID, o.Set&ObjectHasAppID != 0, first)
		leaves[6].memberLong(o.InstanceID, o.Set&ObjectHasInstanceID != 0, first)
		leaves[7].member(r, o.ServiceObjectType, first)
	}
}

func (l *leaf) member(r *Row, s Span, first bool) {
	if s.IsNull() {
		l.level(3, first)
		return
	}
	l.level(4, first)
	l.bytes = append(l.bytes, r.Bytes(s))
}

func (l *leaf) memberInt(v int32, has, first bool) {
	if !has {
		l.level(3, first)
		return
	}
	l.level(4, first)
	l.ints = append(l.ints, v)
}

func (l *leaf) memberLong(v int64, has, first bool) {
	if !has {
		l.level(3, first)
		return
	}
	l.level(4, first)
	l.longs = append(l.longs, v)
}

// flush hands the waiting rows to the column writers.
func (t *tableWriter) flush() error {
	if t.waiting == 0 {
		return nil
	}
	if t.group == nil {
		group, err := t.w.AppendBufferedRowGroupChecked()
		if err != nil {
			return err
		}
		t.group = group
	}
	if err := writeLeaves(t.group, t.leaves); err != nil {
		return err
	}
	t.groupRows += t.waiting
	t.groupBytes += t.bytes
	t.waiting, t.bytes = 0, 0
	if t.groupRows >= RowGroupRows || t.groupBytes >= rowGroupBytes {
		return t.closeGroup()
	}
	return nil
}

// writeLeaves hands what the leaves hold to a row group, and empties them.
func writeLeaves(group file.BufferedRowGroupWriter, leaves []leaf) error {
	for i := range leaves {
		c, err := group.Column(i)
		if err != nil {
			return err
		}
		if err := leaves[i].writeTo(c); err != nil {
			return err
		}
		leaves[i].reset()
	}
	return nil
}

func (l *leaf) writeTo(c file.ColumnChunkWriter) (err error) {
	switch c := c.(type) {
	case *file.ByteArrayColumnChunkWriter:
		_, err = c.WriteBatch(l.bytes, l.def, l.rep)
	case *file.Int64ColumnChunkWriter:
		_, err = c.WriteBatch(l.longs, l.def, l.rep)
	case *file.Int32ColumnChunkWriter:
		_, err = c.WriteBatch(l.ints, l.def, l.rep)
	case *file.BooleanColumnChunkWriter:
		_, err = c.WriteBatch(l.bools, l.def, l.rep)
	case *file.Float64ColumnChunkWriter:
		_, err = c.WriteBatch(l.doubles, l.def, l.rep)
	default:
		err = fmt.Errorf("no writer for a column of type %s", c.Type())
	}
	return err
}

func (t *tableWriter) closeGroup() error {
	if t.group == nil {
		return nil
	}
	err := t.group.Close()
	t.group, t.groupRows, t.groupBytes = nil, 0, 0
	return err
}

// close ends the file: everything is in the writer below when it returns.
func (t *tableWriter) close() error {
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.closeGroup(); err != nil {
		return err
	}
	if err := t.w.Close(); err != nil {
		return err
	}
	return t.sink.Flush()
}

// hashingWriter counts and hashes what goes to the disk, in large writes.
type hashingWriter struct {
	*bufio.Writer
	sum  hash.Hash
	size int64
}

func newHashingWriter(w io.Writer) *hashingWriter {
	h := &hashingWriter{sum: sha256.New()}
	h.Writer = bufio.NewWriterSize(writerFunc(func(p []byte) (int, error) {
		n, err := w.Write(p)
		h.sum.Write(p[:n])
		h.size += int64(n)
		return n, err
	}), 256<<10)
	return h
}

func (h *hashingWriter) hex() string { return hex.EncodeToString(h.sum.Sum(nil)) }

// Close keeps arrow-go from closing the file below: it has to be synced first.
func (h *hashingWriter) Close() error { return nil }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// WriteEmpty writes a Parquet file with these columns, those of the path
// included, and no rows: what a table without files is read from. w is closed
// by the caller.
func WriteEmpty(w io.Writer, columns []Column) error {
	t, err := newTableWriter(w, columns, true, "", quick)
	if err != nil {
		return err
	}
	return t.close()
}
