package store

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	"mdcalake/store/parquetfile"
)

// Writing the files of activities and revisions: the parts of a row go to the
// leaves of a parquetfile.Writer.

const (
	createdBy         = "mdcalake"
	metaSchemaVersion = "mdcalake.schema_version"
	metaToolVersion   = "mdcalake.version"
)

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

// tableWriter writes one file of activities or revisions.
type tableWriter struct {
	sink *hashingWriter
	w    *parquetfile.Writer
	kind *fileKind
	form parquetfile.Form
	tool string // version of this program

	groupBytes int // of the records in the row group under way
	rows       int64
	stats      Stats
}

// newTableWriter begins a file. withKeys writes date and service as columns,
// for tables whose path does not hold them.
func newTableWriter(w io.Writer, columns []Column, withKeys bool, toolVersion string, f parquetfile.Form) (*tableWriter, error) {
	kind, err := kindOfFile(columns, withKeys)
	if err != nil {
		return nil, err
	}
	pw, err := kind.writer(f)
	if err != nil {
		return nil, err
	}
	t := &tableWriter{sink: newHashingWriter(w), w: pw, kind: kind, form: f, tool: toolVersion, stats: emptyStats()}
	return t, t.w.Begin(t.sink)
}

// append adds a row, which may be used again at once.
func (t *tableWriter) append(r *Row, rep *replacement) error {
	for i := range t.kind.columns {
		t.fill(t.w.Leaves[t.kind.first[i]:], &t.kind.columns[i], t.kind.fields[i], r, rep)
	}
	t.w.EndRow()
	t.stats.add(r)
	t.rows++
	t.groupBytes += len(r.Text) + len(r.Original)
	if t.w.GroupRows() >= RowGroupRows || t.groupBytes >= rowGroupBytes {
		t.groupBytes = 0
		return t.w.EndGroup()
	}
	return nil
}

func (t *tableWriter) fill(leaves []parquetfile.Leaf, c *Column, f field, r *Row, rep *replacement) {
	l := &leaves[0]
	switch f.kind {
	case kindString:
		if s := r.Strings[f.index]; s.IsNull() && !c.Required {
			l.Null(0, 0)
		} else {
			l.Bytes(0, r.Bytes(s))
		}
	case kindMillis:
		number(l, r.Numbers[f.index]*1000, r.HasNumber(f.index) || c.Required)
	case kindLong, kindDouble: // of a double, its bits
		number(l, r.Numbers[f.index], r.HasNumber(f.index) || c.Required)
	case kindInteger:
		number(l, int64(int32(r.Numbers[f.index])), r.HasNumber(f.index) || c.Required)
	case kindBoolean:
		var v int64
		if r.Numbers[f.index] != 0 {
			v = 1
		}
		number(l, v, r.HasNumber(f.index))
	case kindStrings:
		writeList(l, r, &r.Lists[f.index])
	case kindObjects:
		writeObjects(leaves[:len(objectFields)], r)
	case kindRaw:
		l.Bytes(0, r.Raw())
	case kindOriginal:
		if r.Original == nil {
			l.Null(0, 0)
		} else {
			l.Bytes(0, r.Original)
		}
	case kindHash:
		l.Int(0, r.ContentHash)
	case kindIngested:
		l.Int(0, r.Ingested*1000)
	case kindRunID:
		l.Text(0, r.RunID)
	case kindPage:
		number(l, int64(r.Page), r.Page != 0)
	case kindDate:
		l.Int(0, int64(r.Partition().Day))
	case kindService:
		l.Int(0, r.Partition().Service)
	case kindReplaced:
		l.Int(0, rep.at*1000)
	case kindReplacedByRun:
		l.Text(0, rep.run)
	case kindReplacedByHash:
		l.Int(0, rep.hash)
	}
}

func number(l *parquetfile.Leaf, v int64, has bool) {
	if has {
		l.Int(0, v)
	} else {
		l.Null(0, 0)
	}
}

// Definition levels in a list: 0 the list is NULL, 1 it is empty, 2 the element is
// NULL; 3 the element is there, and in objects its member is NULL. The repetition
// level is 0 in front of a row's first element, and else 1.

func writeList(l *parquetfile.Leaf, r *Row, list *List) {
	switch {
	case !list.Valid:
		l.Null(0, 0)
		return
	case len(list.Items) == 0:
		l.Null(0, 1)
		return
	}
	var rep uint8
	for _, s := range list.Items {
		if s.IsNull() {
			l.Null(rep, 2)
		} else {
			l.Bytes(rep, r.Bytes(s))
		}
		rep = 1
	}
}

func writeObjects(leaves []parquetfile.Leaf, r *Row) {
	null := func(rep, def uint8) {
		for i := range leaves {
			leaves[i].Null(rep, def)
		}
	}
	switch {
	case !r.HasObjects:
		null(0, 0)
		return
	case len(r.Objects) == 0:
		null(0, 1)
		return
	}
	var rep uint8
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.Null {
			null(rep, 2)
			rep = 1
			continue
		}
		memberText(&leaves[0], rep, r, o.ID)
		memberText(&leaves[1], rep, r, o.Name)
		memberText(&leaves[2], rep, r, o.Value)
		memberNumber(&leaves[3], rep, int64(o.Type), o.Set&ObjectHasType != 0)
		memberNumber(&leaves[4], rep, int64(o.Role), o.Set&ObjectHasRole != 0)
		memberNumber(&leaves[5], rep, o.AppID, o.Set&ObjectHasAppID != 0)
		memberNumber(&leaves[6], rep, o.InstanceID, o.Set&ObjectHasInstanceID != 0)
		memberText(&leaves[7], rep, r, o.ServiceObjectType)
		rep = 1
	}
}

func memberText(l *parquetfile.Leaf, rep uint8, r *Row, s Span) {
	if s.IsNull() {
		l.Null(rep, 3)
	} else {
		l.Bytes(rep, r.Bytes(s))
	}
}

func memberNumber(l *parquetfile.Leaf, rep uint8, v int64, has bool) {
	if has {
		l.Int(rep, v)
	} else {
		l.Null(rep, 3)
	}
}

// close ends the file: everything is in the writer below when it returns.
func (t *tableWriter) close() error {
	err := t.w.Close(createdBy, [][2]string{{metaSchemaVersion, fmt.Sprint(SchemaVersion)}, {metaToolVersion, t.tool}})
	if err != nil {
		return err
	}
	t.kind.giveBack(t.form, t.w)
	t.w = nil
	return t.sink.finish()
}

// hashingWriter counts and hashes what goes to the disk, in large writes.
type hashingWriter struct {
	*bufio.Writer
	below io.Writer
	sum   hash.Hash
	size  int64
}

// sinkBuffers are those of files that are whole.
var sinkBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 256<<10) }}

func newHashingWriter(w io.Writer) *hashingWriter {
	h := &hashingWriter{below: w, sum: sha256.New(), Writer: sinkBuffers.Get().(*bufio.Writer)}
	h.Reset((*hashedWriter)(h))
	return h
}

// finish writes what is left. Nothing can be written after it.
func (h *hashingWriter) finish() error {
	if err := h.Flush(); err != nil {
		return err
	}
	h.Reset(nil)
	sinkBuffers.Put(h.Writer)
	h.Writer = nil
	return nil
}

// hashedWriter is what a hashingWriter's buffer is emptied into.
type hashedWriter hashingWriter

func (h *hashedWriter) Write(p []byte) (int, error) {
	n, err := h.below.Write(p)
	h.sum.Write(p[:n])
	h.size += int64(n)
	return n, err
}

func (h *hashingWriter) hex() string { return hex.EncodeToString(h.sum.Sum(nil)) }

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
