package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mdcalake/store/parquetfile"
)

// tableOf writes a file of activities like those of a busy service: so many
// rows of about 4 KB, with the columns that most records fill.
func tableOf(tb testing.TB, path string, rows int, as parquetfile.Form) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	t, err := newTableWriter(f, Columns, false, "test", as)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range rows {
		if err := t.append(busyRow(i), nil); err != nil {
			tb.Fatal(err)
		}
	}
	if err := t.close(); err != nil {
		tb.Fatal(err)
	}
}

func busyRow(i int) *Row {
	r := &Row{}
	r.Reset()
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 40 * time.Millisecond)
	id := sha256Hex(fmt.Appendf(nil, "id %d", i))[:36]
	r.Text = fmt.Appendf(r.Text, `{"_id":"%s","timestamp":%d,"filler":"%s","noise":"%s"}`, id, at.UnixMilli(), strings.Repeat("EVENT_CATEGORY_", 200), sha256Hex([]byte(id)))
	r.RawLen = len(r.Text)
	r.ContentHash, r.Page, r.Ingested, r.RunID = int64(i)*7919, int32(i/5000+1), at.UnixMilli()+60_000, "20260601T000000Z-0123456789"
	for s := range r.Strings {
		if s%4 != 3 {
			r.Strings[s] = r.addText(fmt.Sprintf("value %d of %d", i%(1+s*s*7), s))
		}
	}
	r.Strings[ActivityID] = r.addText(id)
	for n := range r.Numbers {
		r.SetNumber(n, int64(i%(n*n+2)))
	}
	r.SetNumber(IsAdmin, 0)
	r.SetNumber(IsSuccess, 1)
	r.SetNumber(IsAnonymousProxy, 0)
	r.SetNumber(Timestamp, at.UnixMilli())
	r.SetNumber(Created, at.UnixMilli()+5_000)
	r.SetNumber(AppID, 20893)
	for l := range r.Lists {
		r.Lists[l].Valid = i%3 != 0
		for n := range i % 3 {
			r.Lists[l].Items = append(r.Lists[l].Items, r.addText(fmt.Sprint("tag ", n)))
		}
	}
	r.HasObjects = true
	for n := range i % 4 {
		r.Objects = append(r.Objects, Object{ID: r.addText(id), Name: r.addText("report.docx"), Value: Null, ServiceObjectType: r.addText("file"), Type: 23, Role: int32(n), AppID: 20893, Set: ObjectHasType | ObjectHasRole | ObjectHasAppID})
	}
	return r
}

// BenchmarkReadRows reads whole rows back, as merging and verify do, and by way
// of Arrow's builders, as files of other programs are read.
func BenchmarkReadRows(b *testing.B) {
	path := filepath.Join(b.TempDir(), "part.parquet")
	tableOf(b, path, 20_000, quick)
	var raw int64
	for _, way := range []struct {
		name string
		read func(each func(*Row)) error
	}{
		{"ours", func(each func(*Row)) error {
			return readRows(context.Background(), path, func(r *Row, _ int64) error { each(r); return nil })
		}},
		{"by Arrow", func(each func(*Row)) error {
			var row Row
			return readColumns(context.Background(), path, nil, func(batch arrow.RecordBatch) error {
				return eachRow(batch, &row, func(int) error { each(&row); return nil })
			})
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				raw = 0
				if err := way.read(func(r *Row) { raw += int64(r.RawLen) }); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(raw)
			}
		})
	}
}
