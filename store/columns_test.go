package store_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"mdcalake/store"
)

// builder makes rows by hand.
type builder struct{ *store.Row }

func newRow(raw string, timestamp int64) builder {
	var r store.Row
	r.Reset()
	r.Text = append(r.Text, raw...)
	r.RawLen = len(raw)
	r.ContentHash = int64(xxh3.HashString(raw))
	r.SetNumber(store.Timestamp, timestamp)
	b := builder{&r}
	b.Strings[store.ActivityID] = b.text("id")
	return b
}

func (b builder) text(s string) store.Span {
	off := len(b.Text)
	b.Text = append(b.Text, s...)
	return store.Span{Off: uint32(off), Len: uint32(len(s))}
}

var (
	earliest = int64(946684800000)  // 2000-01-01
	latest   = int64(4102444799999) // 2099-12-31T23:59:59.999
)

func fullRow(s string, n int64, f float64) builder {
	r := newRow(`{"a":1}`, earliest)
	for i := range r.Strings {
		r.Strings[i] = r.text(s)
	}
	for i := range store.NumNumbers {
		r.SetNumber(i, n)
	}
	r.SetNumber(store.Timestamp, latest)
	r.SetNumber(store.Created, earliest)
	for _, i := range []int{store.SourceID, store.EventType, store.Confidence, store.IPCategory} {
		r.SetNumber(i, int64(int32(n)))
	}
	for _, i := range []int{store.IsSuccess, store.IsAdmin, store.IsAnonymousProxy} {
		r.SetNumber(i, n&1)
	}
	r.SetDouble(store.Latitude, f)
	r.SetDouble(store.Longitude, -f)
	for i := range r.Lists {
		r.Lists[i] = store.List{Valid: true, Items: []store.Span{r.text(s), store.Null, r.text("")}}
	}
	r.HasObjects = true
	full := store.Object{ID: r.text(s), Name: r.text(""), Value: r.text(s), ServiceObjectType: r.text(s), Type: int32(n), Role: math.MinInt32, AppID: n, InstanceID: -n, Set: 0x0f}
	r.Objects = []store.Object{full, {Null: true}, {ID: store.Null, Name: store.Null, Value: store.Null, ServiceObjectType: store.Null}, full}
	r.Original = []byte("\xff\x00" + s)
	r.Page = math.MaxInt32
	return r
}

func oddRows() []*store.Row {
	var rows []*store.Row
	add := func(b builder) { rows = append(rows, b.Row) }
	add(newRow(`{}`, earliest))
	add(newRow(`0`, earliest)) // one byte
	empty := newRow(`{}`, latest)
	for i := range empty.Lists {
		empty.Lists[i].Valid = true
	}
	empty.HasObjects, empty.Original = true, []byte{}
	add(empty)
	nulls := newRow(`{}`, latest)
	for i := range nulls.Lists {
		nulls.Lists[i] = store.List{Valid: true, Items: []store.Span{store.Null}}
	}
	nulls.HasObjects, nulls.Objects = true, []store.Object{{Null: true}}
	add(nulls)
	for _, f := range []float64{0, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), 0} {
		add(fullRow("text", 1, f))
	}
	add(fullRow("", math.MaxInt64, 1.5))
	add(fullRow("\x00\x00", math.MinInt64, 1.5))
	add(fullRow(strings.Repeat("ü", 2000), 0, 1.5)) // longer than statistics may be
	huge := newRow(`"`+strings.Repeat("x", 5<<20)+`"`, latest)
	huge.Strings[store.UserAgent] = huge.text(strings.Repeat("y", 1<<20))
	add(huge)
	return rows
}

func TestEveryColumnComesBackAsItWent(t *testing.T) {
	rows := oddRows()
	for i, r := range rows {
		r.Ingested, r.RunID = earliest+int64(i), fmt.Sprint("run", i)
	}
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := store.WriteRows(path, rows); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := store.ReadRows(context.Background(), path, func(r *store.Row) error {
		compareRows(t, fmt.Sprint("row ", n), rows[n], r)
		if r.Ingested != rows[n].Ingested || r.RunID != rows[n].RunID {
			t.Errorf("row %d: ingested %d by %q", n, r.Ingested, r.RunID)
		}
		n++
		return nil
	})
	if err != nil || n != len(rows) {
		t.Errorf("%d rows of %d, %v", n, len(rows), err)
	}
}

func TestAWaitingRowComesBackAsItWent(t *testing.T) {
	var back store.Row
	for i, r := range oddRows() {
		if err := store.EncodeDecode(r, &back); err != nil {
			t.Fatal(err)
		}
		compareRows(t, fmt.Sprint("row ", i), r, &back)
	}
}

func compareRows(t testing.TB, name string, want, have *store.Row) {
	t.Helper()
	if c := store.Differs(want, have); c != "" {
		t.Errorf("%s: column %s has changed", name, c)
	}
	if want.ContentHash != have.ContentHash || want.Page != have.Page {
		t.Errorf("%s: content_hash or page has changed", name)
	}
}

// anyRow is a row with values and NULLs anywhere.
var anyRow = rapid.Custom(func(t *rapid.T) *store.Row {
	r := fullRow(rapid.String().Draw(t, "text"), rapid.Int64().Draw(t, "number"), rapid.Float64().Draw(t, "double"))
	for i := range r.Strings {
		if i != store.ActivityID && rapid.Bool().Draw(t, "null") {
			r.Strings[i] = store.Null
		}
	}
	r.Has = rapid.Uint32().Draw(t, "has")&(1<<store.NumNumbers-1) | 1<<store.Timestamp
	for i := range r.Lists {
		r.Lists[i].Items = r.Lists[i].Items[:rapid.IntRange(0, 3).Draw(t, "elements")]
		if r.Lists[i].Valid = rapid.Bool().Draw(t, "list"); !r.Lists[i].Valid {
			r.Lists[i].Items = nil
		}
	}
	r.Objects = r.Objects[:rapid.IntRange(0, 4).Draw(t, "objects")]
	for i := range r.Objects {
		if !r.Objects[i].Null { // numbers that are not there are zero
			o := &r.Objects[i]
			if o.Set &= rapid.Uint8().Draw(t, "set"); o.Set&store.ObjectHasType == 0 {
				o.Type = 0
			}
			if o.Set&store.ObjectHasRole == 0 {
				o.Role = 0
			}
			if o.Set&store.ObjectHasAppID == 0 {
				o.AppID = 0
			}
			if o.Set&store.ObjectHasInstanceID == 0 {
				o.InstanceID = 0
			}
		}
	}
	if r.HasObjects = rapid.Bool().Draw(t, "has objects"); !r.HasObjects {
		r.Objects = nil
	}
	return r.Row
})

func TestRowsOfAnyShapeComeBackTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lent := tb{t, rt}
		rows := rapid.SliceOfN(anyRow, 1, 20).Draw(rt, "rows")
		dir, err := os.MkdirTemp("", "shapes")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "f.parquet")
		if err := store.WriteRows(path, rows); err != nil {
			rt.Fatal(err)
		}
		n := 0
		err = store.ReadRows(context.Background(), path, func(r *store.Row) error {
			compareRows(lent, fmt.Sprint("row ", n), rows[n], r)
			n++
			return nil
		})
		if err != nil || n != len(rows) {
			rt.Errorf("%d rows of %d, %v", n, len(rows), err)
		}
	})
}

func TestOthersReadTheFileWithTheSchemaWeSay(t *testing.T) {
	rows := oddRows()
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := store.WriteRows(path, rows); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := pqarrow.ReadTable(context.Background(), f, nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if table.NumRows() != int64(len(rows)) {
		t.Errorf("%d rows, want %d", table.NumRows(), len(rows))
	}
	var schema strings.Builder
	for _, field := range table.Schema().Fields() {
		if field.Name == "date" || field.Name == "service" {
			t.Errorf("the file has a column %q: pandas and pyarrow then fail over the path's", field.Name)
		}
		null := "NOT NULL"
		if field.Nullable {
			null = "NULL"
		}
		fmt.Fprintln(&schema, field.Name, field.Type, null)
	}
	compareGolden(t, "schema.txt", schema.String())
}
