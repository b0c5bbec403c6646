package store

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

// oddRow is a row of which many are unlike the one before: NULL where that has a
// value, lists that are long, empty, absent, or hold NULLs.
func oddRow(i int) *Row {
	r := busyRow(i)
	for s := range r.Strings {
		if s != ActivityID && (i+s)%5 == 0 {
			r.Strings[s] = Null
		}
	}
	for n := range r.Numbers {
		if n != Timestamp && (i+n)%7 == 0 {
			r.Has &^= 1 << n
			r.Numbers[n] = 0
		}
	}
	if i%11 == 0 {
		r.Lists[UserTags] = List{Valid: true, Items: []Span{Null, r.addText("after NULL"), Null}}
		r.Objects = append(r.Objects, Object{Null: true, ID: Null, Name: Null, Value: Null, ServiceObjectType: Null}, Object{ID: Null, Name: Null, Value: Null, ServiceObjectType: Null})
	}
	if i%13 == 0 {
		r.HasObjects, r.Objects = false, nil
	}
	if i%17 == 0 { // longer than a batch of levels
		for n := range 2 * leafBatch {
			r.Lists[OtherIPs].Valid = true
			r.Lists[OtherIPs].Items = append(r.Lists[OtherIPs].Items, r.addText(strings.Repeat("x", n%40)))
			r.HasObjects = true
			r.Objects = append(r.Objects, Object{ID: r.addText("id"), Name: Null, Value: r.addText(""), ServiceObjectType: Null, AppID: int64(n), Set: ObjectHasAppID})
		}
	}
	if i%19 == 0 {
		r.Original, r.Page = []byte{0xff, byte(i)}, 0
	}
	return r
}

// A merge adds up what it reads in one way, and an adoption compares files of
// both kinds: the two ways of reading must give a row the same bytes.
func TestRowsAreTheSameByWhicheverWayTheyAreRead(t *testing.T) {
	for _, table := range []struct {
		name    string
		columns []Column
		by      *replacement
	}{{"activities", Columns, nil}, {"revisions", RevisionColumns, &replacement{at: 7_000, run: "R", hash: -1}}} {
		t.Run(table.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "part.parquet")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			w, err := newTableWriter(f, table.columns, table.by != nil, "test", quick)
			if err != nil {
				t.Fatal(err)
			}
			var wrote, read [][]byte
			for i := range 3000 { // several pages of raw
				r := oddRow(i)
				wrote = append(wrote, appendRead(t, r, table.by))
				if err := w.append(r, table.by); err != nil {
					t.Fatal(err)
				}
				if i == 1000 || i == 1001 { // several row groups, one of a single row
					if err := w.w.EndGroup(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			f.Close()
			same := func(way string) func(r *Row, by *replacement) error {
				n := 0
				t.Cleanup(func() {
					if n != len(wrote) {
						t.Errorf("%s: %d rows of %d", way, n, len(wrote))
					}
				})
				return func(r *Row, by *replacement) error {
					if (by == nil) != (table.by == nil) || by != nil && *by != *table.by {
						t.Errorf("%s: row %d was replaced by %+v", way, n, by)
					}
					if have := appendRead(t, r, by); !bytes.Equal(have, wrote[n]) {
						t.Fatalf("%s: row %d is not what was written", way, n)
					}
					read = append(read, appendWhole(nil, r))
					n++
					return nil
				}
			}
			ours, err := readTable(context.Background(), path, same("ours"))
			if !ours || err != nil {
				t.Errorf("a file of ours, %v, %v", ours, err)
			}
			each, row := same("by Arrow"), Row{}
			err = readColumns(context.Background(), path, nil, func(batch arrow.RecordBatch) error {
				by, err := replacements(batch)
				if err != nil {
					return err
				}
				return eachRow(batch, &row, func(i int) error { return each(&row, by(i)) })
			})
			if err != nil {
				t.Error(err)
			}
			for i := range wrote {
				if !bytes.Equal(read[i], read[len(wrote)+i]) {
					t.Fatalf("row %d has other bytes by the two ways", i)
				}
			}
		})
	}
}

// appendRead is a row as both ways must give it: its texts in the order of the
// columns, whatever order they were lifted in.
func appendRead(t *testing.T, r *Row, by *replacement) []byte {
	t.Helper()
	in := Row{Text: append([]byte{}, r.Raw()...), RawLen: r.RawLen, Original: r.Original, Numbers: r.Numbers, Has: r.Has, HasObjects: r.HasObjects, ContentHash: r.ContentHash, Page: r.Page, Ingested: r.Ingested, RunID: r.RunID, Drift: r.Drift}
	move := func(s Span) Span {
		if s.IsNull() {
			return s
		}
		return in.addText(string(r.Bytes(s)))
	}
	for _, c := range Columns {
		switch f := fields[c.Name]; f.kind {
		case kindString:
			in.Strings[f.index] = move(r.Strings[f.index])
		case kindStrings:
			in.Lists[f.index].Valid = r.Lists[f.index].Valid
			for _, s := range r.Lists[f.index].Items {
				in.Lists[f.index].Items = append(in.Lists[f.index].Items, move(s))
			}
		case kindObjects:
			for _, o := range r.Objects {
				o.ID, o.Name, o.Value = move(o.ID), move(o.Name), move(o.Value)
				o.ServiceObjectType = move(o.ServiceObjectType)
				in.Objects = append(in.Objects, o)
			}
		}
	}
	return appendWhole(nil, &in)
}
