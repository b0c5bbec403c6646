package query_test

import (
	"cmp"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"mdcalake/store/parquetfile"
)

// The engine leaves row groups out by the bounds in our files' footers: with
// filters at the bounds, just below and just above, no row may be lost, whatever
// the type and the encoding.

// boundedColumn is a column of such a file, its values as SQL has them.
type boundedColumn struct {
	name    string
	sqlType string
	kind    parquet.Type
	options parquetfile.Options
	value   func(group, row int) string
	probes  []string // beside the values themselves
	compare func(a, b string) int
}

const (
	boundedGroups = 7
	boundedRows   = 40
)

func integerColumn(name string, kind parquet.Type, e parquetfile.Encoding) boundedColumn {
	sqlType, least, most := "BIGINT", int64(math.MinInt64), int64(math.MaxInt64)
	if kind == parquet.Types.Int32 {
		sqlType, least, most = "INTEGER", math.MinInt32, math.MaxInt32
	}
	return boundedColumn{
		name: name, sqlType: sqlType, kind: kind, options: parquetfile.Options{Encoding: e, Bounds: true},
		value: func(group, row int) string {
			n := int64(group-3)*1000 + int64(row%10)
			switch {
			case group == 0 && row == 1:
				n = least
			case group == boundedGroups-1 && row == 1:
				n = most
			}
			return fmt.Sprint(n)
		},
		probes:  []string{"-3001", "-1", "10", "1010", fmt.Sprint(least), fmt.Sprint(least + 1), fmt.Sprint(most - 1), fmt.Sprint(most)},
		compare: func(a, b string) int { return cmp.Compare(parse[int64](a), parse[int64](b)) },
	}
}

func parse[T any](s string) (v T) {
	if _, err := fmt.Sscan(s, &v); err != nil {
		panic(err)
	}
	return v
}

func doubleColumn(name string, e parquetfile.Encoding) boundedColumn {
	return boundedColumn{
		name: name, sqlType: "DOUBLE", kind: parquet.Types.Double, options: parquetfile.Options{Encoding: e, Bounds: true},
		value: func(group, row int) string {
			switch group {
			case 2:
				return "-0.0"
			case 3:
				return "0.0"
			case 4:
				return []string{"1e-300", "Inf"}[row%2]
			case 5:
				return []string{"-Inf", "-1e-300"}[row%2]
			default:
				return fmt.Sprint(float64(group)*10 + float64(row%10)/10)
			}
		},
		probes:  []string{"0.0", "-0.0", "-1e-300", "1e-300", "10.950000000000001", "9.99", "Inf", "-Inf", "1.7976931348623157e308"},
		compare: func(a, b string) int { return cmp.Compare(parse[float64](a), parse[float64](b)) },
	}
}

func textColumn(name string, e parquetfile.Encoding) boundedColumn {
	return boundedColumn{
		name: name, sqlType: "VARCHAR", kind: parquet.Types.ByteArray, options: parquetfile.Options{Encoding: e, Bounds: true},
		value: func(group, row int) string {
			switch group {
			case 0:
				return []string{"", "a"}[row%2]
			case 1:
				return strings.Repeat("m", 256+row%2) // one is a bound, one is too long
			case 2:
				return []string{"zebra", "ähnlich", "\U0010ffff"}[row%3]
			case 3:
				return "one"
			default:
				return fmt.Sprintf("g%d-%02d", group, row%10)
			}
		},
		probes:  []string{"A", "aa", "g4-", "g4-000", "g6-091", strings.Repeat("m", 255), strings.Repeat("m", 258), "on", "onf", "\U0010ffffa"},
		compare: strings.Compare,
	}
}

func booleanColumn() boundedColumn {
	return boundedColumn{
		name: "boolean", sqlType: "BOOLEAN", kind: parquet.Types.Boolean, options: parquetfile.Options{Bounds: true},
		value:   func(group, row int) string { return fmt.Sprint(group%3 == 0 || group%3 == 1 && row%2 == 0) },
		compare: strings.Compare,
	}
}

// null: one group has none, one nothing else.
func (c boundedColumn) null(group, row int) bool {
	return group == 1 || group != 3 && (row*7+group)%5 == 0
}

func (c boundedColumn) literal(v string) string {
	return "CAST('" + v + "' AS " + c.sqlType + ")"
}

func boundedColumns() []boundedColumn {
	return []boundedColumn{
		booleanColumn(),
		integerColumn("int_dictionary", parquet.Types.Int32, parquetfile.Dictionary),
		integerColumn("int_plain", parquet.Types.Int32, parquetfile.Plain),
		integerColumn("int_delta", parquet.Types.Int32, parquetfile.Delta),
		integerColumn("long_dictionary", parquet.Types.Int64, parquetfile.Dictionary),
		integerColumn("long_plain", parquet.Types.Int64, parquetfile.Plain),
		integerColumn("long_delta", parquet.Types.Int64, parquetfile.Delta),
		doubleColumn("double_dictionary", parquetfile.Dictionary),
		doubleColumn("double_plain", parquetfile.Plain),
		textColumn("text_dictionary", parquetfile.Dictionary),
		textColumn("text_plain", parquetfile.Plain),
	}
}

func (c boundedColumn) write(l *parquetfile.Leaf, group, row int) {
	if c.null(group, row) {
		l.Null(0, 0)
		return
	}
	v := c.value(group, row)
	switch c.kind {
	case parquet.Types.ByteArray:
		l.Text(0, v)
	case parquet.Types.Double:
		l.Int(0, int64(math.Float64bits(parse[float64](v))))
	case parquet.Types.Boolean:
		n := int64(0)
		if v == "true" {
			n = 1
		}
		l.Int(0, n)
	default:
		l.Int(0, parse[int64](v))
	}
}

func writeBounded(t *testing.T, path string, columns []boundedColumn) {
	t.Helper()
	fields := schema.FieldList{schema.NewInt64Node("row", parquet.Repetitions.Required, -1)}
	options := map[string]parquetfile.Options{"row": {Encoding: parquetfile.Delta, Bounds: true}}
	for _, c := range columns {
		var logical schema.LogicalType = schema.NoLogicalType{}
		if c.kind == parquet.Types.ByteArray {
			logical = schema.StringLogicalType{}
		}
		n, err := schema.NewPrimitiveNodeLogical(c.name, parquet.Repetitions.Optional, logical, c.kind, -1, -1)
		if err != nil {
			t.Fatal(err)
		}
		fields, options[c.name] = append(fields, n), c.options
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := parquetfile.NewLayout(root, func(name string) parquetfile.Options { return options[name] })
	if err != nil {
		t.Fatal(err)
	}
	w, err := parquetfile.NewWriter(layout, parquetfile.Form{Level: 1, PageBytes: 64})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := w.Begin(f); err != nil {
		t.Fatal(err)
	}
	for group := range boundedGroups {
		for row := range boundedRows {
			w.Leaves[0].Int(0, int64(group*boundedRows+row))
			for i, c := range columns {
				c.write(&w.Leaves[i+1], group, row)
			}
			w.EndRow()
		}
		if err := w.EndGroup(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close("tests", nil); err != nil {
		t.Fatal(err)
	}
}

func TestFiltersAtTheBoundsLoseNoRows(t *testing.T) {
	columns := boundedColumns()
	path := filepath.Join(t.TempDir(), "bounded.parquet")
	writeBounded(t, path, columns)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	from := " from read_parquet('" + path + "')"
	count := func(where string) (n, sum int64) {
		t.Helper()
		if err := db.QueryRow("select count(*), coalesce(sum(row), 0)::bigint"+from+" where "+where).Scan(&n, &sum); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		return n, sum
	}
	for _, c := range columns {
		t.Run(c.name, func(t *testing.T) {
			same := func(where string, holds func(v string, null bool) bool) {
				t.Helper()
				var n, sum int64
				for group := range boundedGroups {
					for row := range boundedRows {
						if holds(c.value(group, row), c.null(group, row)) {
							n++
							sum += int64(group*boundedRows + row)
						}
					}
				}
				if gotN, gotSum := count(where); gotN != n || gotSum != sum {
					t.Errorf("%.90s: %d rows (sum %d), written %d (sum %d)", where, gotN, gotSum, n, sum)
				}
			}
			same(c.name+" is null", func(_ string, null bool) bool { return null })
			same(c.name+" is not null", func(_ string, null bool) bool { return !null })
			for _, probe := range c.allProbes() {
				for op, holds := range map[string]func(int) bool{
					"=": func(d int) bool { return d == 0 }, "<>": func(d int) bool { return d != 0 },
					"<": func(d int) bool { return d < 0 }, "<=": func(d int) bool { return d <= 0 },
					">": func(d int) bool { return d > 0 }, ">=": func(d int) bool { return d >= 0 },
				} {
					same(c.name+" "+op+" "+c.literal(probe), func(v string, null bool) bool { return !null && holds(c.compare(v, probe)) })
				}
			}
		})
	}
}

// allProbes are the least and the greatest value of each group, and those beside
// them.
func (c boundedColumn) allProbes() []string {
	seen := map[string]bool{}
	probes := []string{}
	add := func(p string) {
		if !seen[p] {
			seen[p] = true
			probes = append(probes, p)
		}
	}
	for group := range boundedGroups {
		least, most := c.value(group, 0), c.value(group, 0)
		for row := range boundedRows {
			v := c.value(group, row)
			if c.compare(v, least) < 0 {
				least = v
			}
			if c.compare(v, most) > 0 {
				most = v
			}
		}
		add(least)
		add(most)
	}
	for _, p := range c.probes {
		add(p)
	}
	return probes
}

func TestTheEngineReadsOurValues(t *testing.T) {
	columns := boundedColumns()
	path := filepath.Join(t.TempDir(), "bounded.parquet")
	writeBounded(t, path, columns)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, c := range columns {
		rows, err := db.Query("select row, " + c.name + " is null, coalesce(" + c.name + "::varchar, '') from read_parquet('" + path + "') order by row")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var row int
			var null bool
			var got string
			if err := rows.Scan(&row, &null, &got); err != nil {
				t.Fatal(err)
			}
			group, at := row/boundedRows, row%boundedRows
			want := c.value(group, at)
			if null != c.null(group, at) || !null && c.compare(got, want) != 0 {
				t.Errorf("%s, row %d: %q (%v), written %q (%v)", c.name, row, got, null, want, c.null(group, at))
			}
		}
		if rows.Err() != nil || n != boundedGroups*boundedRows {
			t.Errorf("%s: %d rows, %v", c.name, n, rows.Err())
		}
	}
}
