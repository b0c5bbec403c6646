package store

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// rowCheck compares the rows of one file with their own bytes, and the file's
// statistics with its rows.
type rowCheck struct {
	v      *verifier
	file   File
	ours   bool
	found  finding
	stats  Stats
	rows   int64
	lifted Row
}

func (v *verifier) newRowCheck(f File, found finding) *rowCheck {
	return &rowCheck{v: v, file: f, ours: v.ours(f), found: found, stats: emptyStats()}
}

func (c *rowCheck) row(r *Row, index int64) {
	c.stats.add(r)
	c.rows++
	verbatim := r.Verbatim()
	if int64(xxh3.Hash(verbatim)) != r.ContentHash {
		c.found(c.file.Path, "row %d: content_hash does not follow from its bytes", index)
	}
	if (c.ours || c.v.adopting) && c.v.log.whole() && c.v.log.commits[r.Ingested] != r.RunID {
		c.found(c.file.Path, "row %d: the log has no commit of run %q with its value of ingested", index, r.RunID)
	}
	if c.v.erased.has(r) {
		c.found(c.file.Path, "row %d: a purge has erased it, and it is there", index)
	}
	if c.v.o.Lift == nil {
		return
	}
	if err := c.v.o.Lift(verbatim, &c.lifted); err != nil {
		c.found(c.file.Path, "row %d: its bytes are no record: %v", index, err)
		return
	}
	if column := differs(r, &c.lifted); column != "" {
		c.found(c.file.Path, "row %d: column %s does not follow from its bytes", index, column)
	}
}

// end compares the whole with what the log says.
func (c *rowCheck) end() {
	// Another writer may have left the number out.
	if c.file.Rows != c.rows && (c.file.Rows >= 0 || c.ours) {
		c.found(c.file.Path, "it has %d rows, entry %d says %d", c.rows, c.file.Version, c.file.Rows)
	}
	if c.ours && c.stats != c.file.Stats {
		c.found(c.file.Path, "the statistics of entry %d do not fit its rows", c.file.Version)
	}
}

// hashID is what ids are compared by; see seedOf.
func (v *verifier) hashID(id []byte) xxh3.Uint128 { return xxh3.Hash128Seed(id, v.seed) }

func (v *verifier) activityRows(ctx context.Context, f File, found finding, ids *repeats, superseded *revisionCheck) error {
	c := v.newRowCheck(f, found)
	cell, placed := cellOf(f)
	last := int64(math.MinInt64)
	var hashes, indexed []uint64
	err := readRows(ctx, v.layout.path(f.Path), func(r *Row, index int64) error {
		c.row(r, index)
		indexed = v.appendIndexed(indexed, f, r)
		if p := r.Partition(); placed && p != cell {
			found(f.Path, "row %d belongs to %s", index, p)
		}
		if c.ours && r.Numbers[Timestamp] < last {
			found(f.Path, "row %d is out of the order of time", index)
		}
		last = r.Numbers[Timestamp]
		id := v.hashID(r.Bytes(r.Strings[ActivityID]))
		if hashes = append(hashes, id.Hi); len(hashes) == readBatch {
			ids.hashes.add(hashes)
			hashes = hashes[:0]
		}
		superseded.against(f, r, index, id, found)
		return nil
	})
	ids.hashes.add(hashes)
	v.count(func(n *Verified) { n.Rows += c.rows })
	if err == nil {
		c.end()
		v.checkIndexed(f, cell, indexed, found)
	}
	return err
}

func (v *verifier) quarantineRows(ctx context.Context, f File, found finding, bad *repeats) error {
	n := int64(0)
	err := readColumns(ctx, v.layout.path(f.Path), []string{"bytes", "content_hash"}, func(b arrow.RecordBatch) error {
		data, ok1 := b.Column(0).(*array.Binary)
		hash, ok2 := b.Column(1).(*array.String)
		if !ok1 || !ok2 {
			return errors.New("its columns have other types than ours")
		}
		for i := range data.Len() {
			if sha256Hex(data.Value(i)) != hash.Value(i) {
				found(f.Path, "row %d: content_hash does not follow from its bytes", n)
			}
			bad.hashes.add([]uint64{v.hashID([]byte(hash.Value(i))).Hi})
			n++
		}
		return nil
	})
	v.count(func(r *Verified) { r.Quarantine += n })
	if err == nil && n != f.Rows {
		found(f.Path, "it has %d rows, entry %d says %d", n, f.Version, f.Rows)
	}
	return err
}

// erasedRows takes the hashes of a file over, for the rows to be compared with.
func (v *verifier) erasedRows(ctx context.Context, f File, found finding) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, err := v.erased.read(ctx, v.layout.path(f.Path))
	if err == nil && n != f.Rows {
		found(f.Path, "it has %d rows, entry %d says %d", n, f.Version, f.Rows)
	}
	return err
}

// columnFields are the parts of a Row behind Columns.
var columnFields = func() (list []field) {
	for _, c := range Columns {
		list = append(list, fields[c.Name])
	}
	return list
}()

// differs names the first column in which a row that was read differs from one
// that was lifted; "" if none.
func differs(a, b *Row) string {
	for i, f := range columnFields {
		same := true
		switch f.kind {
		case kindString:
			same = sameText(a, a.Strings[f.index], b, b.Strings[f.index])
		case kindMillis, kindLong, kindInteger, kindBoolean, kindDouble:
			same = a.HasNumber(f.index) == b.HasNumber(f.index) && (!a.HasNumber(f.index) || a.Numbers[f.index] == b.Numbers[f.index])
		case kindStrings:
			x, y := &a.Lists[f.index], &b.Lists[f.index]
			same = x.Valid == y.Valid && slices.EqualFunc(x.Items, y.Items, func(s, t Span) bool { return sameText(a, s, b, t) })
		case kindObjects:
			same = a.HasObjects == b.HasObjects && len(a.Objects) == len(b.Objects)
			for j := 0; same && j < len(a.Objects); j++ {
				same = sameObject(a, &a.Objects[j], b, &b.Objects[j])
			}
		case kindRaw:
			same = bytes.Equal(a.Raw(), b.Raw())
		case kindOriginal:
			same = (a.Original == nil) == (b.Original == nil) && bytes.Equal(a.Original, b.Original)
		}
		if f.kind == kindMillis || f.kind == kindIngested {
			same = same && a.Drift&(1<<i) == 0
		}
		if !same {
			return Columns[i].Name
		}
	}
	return ""
}

func sameText(a *Row, s Span, b *Row, t Span) bool {
	return s.IsNull() == t.IsNull() && bytes.Equal(a.Bytes(s), b.Bytes(t))
}

func sameObject(a *Row, o *Object, b *Row, p *Object) bool {
	return o.Null == p.Null && o.Set == p.Set && o.Type == p.Type && o.Role == p.Role && o.AppID == p.AppID && o.InstanceID == p.InstanceID &&
		(o.Null || sameText(a, o.ID, b, p.ID) && sameText(a, o.Name, b, p.Name) && sameText(a, o.Value, b, p.Value) &&
			sameText(a, o.ServiceObjectType, b, p.ServiceObjectType))
}
