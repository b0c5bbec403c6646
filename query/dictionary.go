package query

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"mdcalake/store"
)

// The data dictionary: what each column means and where it comes from, how many
// rows have a value in it, and what values look like.
//
// A lake is evidence, and a dictionary is handed around. So examples are the
// most frequent values of the newest days, and not the odd ones; of a column
// that names people, addresses or what they touched, they are shapes: letters
// as a, digits as 9 (aaa@aaaaaaa.aaa). The same lake gives the same examples.

// DictionaryOptions say what goes into a dictionary.
type DictionaryOptions struct {
	Tables []string // empty: all
	// Since and Until bound the event time of the rows that are counted, of
	// activities and revisions; zero: all.
	Since, Until time.Time
	NoExamples   bool
	// Values shows values of columns that name people, too, and not their shapes.
	Values bool
}

// DictionaryTable is a table of the lake.
type DictionaryTable struct {
	Name    string             `json:"table"`
	Meaning string             `json:"meaning"`
	Rows    *int64             `json:"rows,omitempty"` // that were counted; absent: none were
	Columns []DictionaryColumn `json:"columns"`
}

// DictionaryColumn is a column of a table.
type DictionaryColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // as DuckDB writes it
	Required bool   `json:"required"`
	Source   string `json:"source,omitempty"`
	Meaning  string `json:"meaning,omitempty"`
	// Filled is how many of the table's rows have a value; absent: not counted.
	Filled   *int64   `json:"filled,omitempty"`
	FillRate *float64 `json:"fill_rate,omitempty"` // 0 to 1; absent too where there are no rows
	// Examples are fit for a terminal: see Visible. Shapes says that they are
	// shapes of values.
	Examples []string `json:"examples,omitempty"`
	Shapes   bool     `json:"shapes,omitempty"`

	typ   store.Type
	shape bool
}

// exampleRows bounds the rows that are looked at for examples, and
// exampleWidth their characters.
const (
	exampleRows  = 50_000
	exampleWidth = 40
	exampleCount = 3
)

// Dictionary tells of the tables of the lake. It reads every column of activities but the
// widest; of a large lake Since bounds the time that takes.
func (e *Engine) Dictionary(ctx context.Context, o DictionaryOptions) ([]DictionaryTable, error) {
	var out []DictionaryTable
	for _, t := range dictionary() {
		if len(o.Tables) > 0 && !slices.Contains(o.Tables, t.Name) {
			continue
		}
		if t.Name != cloudAppEvents { // its values are those of activities
			if err := e.count(ctx, &t, o); err != nil {
				return nil, err
			}
			if !o.NoExamples && *t.Rows > 0 {
				if err := e.exemplify(ctx, &t, o); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// TableNames are the tables that a statement may name.
func TableNames() []string { return tableNames() }

// dictionary is what is known without looking at rows.
func dictionary() []DictionaryTable {
	var out []DictionaryTable
	add := func(name string, columns []store.Column) {
		t := DictionaryTable{Name: name, Meaning: tableMeanings[name]}
		for _, c := range columns {
			t.Columns = append(t.Columns, DictionaryColumn{
				Name: c.Name, Type: c.Type.SQL(), Required: c.Required, Source: c.Source, Meaning: c.Meaning, typ: c.Type, shape: c.Personal,
			})
		}
		out = append(out, t)
	}
	add("activities", store.Columns)
	add("revisions", store.RevisionColumns)
	add("quarantine", store.QuarantineColumns)
	for _, t := range memoryTables {
		if t.schema == "main" {
			add(t.name, t.columns)
		}
	}
	events := DictionaryTable{Name: cloudAppEvents, Meaning: tableMeanings[cloudAppEvents]}
	for _, c := range eventColumns {
		events.Columns = append(events.Columns, DictionaryColumn{Name: c.name, Type: c.typ, Source: c.note})
	}
	return append(out, events)
}

// span is the condition on the rows that are looked at.
func (t *DictionaryTable) span(since, until time.Time) string {
	if t.Name != "activities" && t.Name != "revisions" {
		return "true"
	}
	condition := "true"
	instant := func(at time.Time) string {
		return "TIMESTAMPTZ " + quoteString(at.UTC().Format("2006-01-02 15:04:05.000000+00"))
	}
	if !since.IsZero() {
		condition += " AND timestamp >= " + instant(since)
	}
	if !until.IsZero() {
		condition += " AND timestamp < " + instant(until)
	}
	return condition
}

// count fills in how many rows have a value. A column that is never NULL need
// not be read for it, and so the record itself is not.
func (e *Engine) count(ctx context.Context, t *DictionaryTable, o DictionaryOptions) error {
	sql := "SELECT count(*)"
	for _, c := range t.Columns {
		if !c.Required {
			sql += ", count(" + quoteName(c.Name) + ")"
		}
	}
	rows, err := e.texts(ctx, sql+" FROM "+t.Name+" WHERE "+t.span(o.Since, o.Until))
	if err != nil {
		return err
	}
	var numbers []int64
	for _, text := range rows[0] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("count the rows of %s: %w", t.Name, err)
		}
		numbers = append(numbers, n)
	}
	t.Rows = &numbers[0]
	next := 1
	for i := range t.Columns {
		c := &t.Columns[i]
		c.Filled = t.Rows
		if !c.Required {
			c.Filled = &numbers[next]
			next++
		}
		if *t.Rows > 0 {
			rate := float64(*c.Filled) / float64(*t.Rows)
			c.FillRate = &rate
		}
	}
	return nil
}

// exemplify finds examples for all columns of a table.
func (e *Engine) exemplify(ctx context.Context, t *DictionaryTable, o DictionaryOptions) error {
	since := o.Since
	if t.Name == "activities" {
		since = e.newestDays(since, o.Until)
	}
	var wanted []string
	var counts []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.exemplary() || *c.Filled == 0 {
			continue
		}
		c.Shapes = c.shape && !o.Values
		wanted = append(wanted, quoteName(c.Name))
		counts = append(counts, fmt.Sprintf("(SELECT %d AS place, v, count(*) AS n FROM (SELECT %s AS v FROM s WHERE %s IS NOT NULL) GROUP BY v ORDER BY n DESC, v LIMIT %d)",
			i, c.asExample(), quoteName(c.Name), exampleCount))
	}
	if len(wanted) == 0 {
		return nil
	}
	rows, err := e.texts(ctx, fmt.Sprintf("WITH s AS MATERIALIZED (SELECT %s FROM %s WHERE %s LIMIT %d) SELECT place, v FROM (%s) ORDER BY place, n DESC, v",
		strings.Join(wanted, ", "), t.Name, t.span(since, o.Until), exampleRows, strings.Join(counts, " UNION ALL ")))
	if err != nil {
		return err
	}
	for _, r := range rows {
		place, err := strconv.Atoi(r[0])
		if err != nil || place < 0 || place >= len(t.Columns) {
			return fmt.Errorf("find examples in %s: column %q is none", t.Name, r[0])
		}
		c := &t.Columns[place]
		c.Examples = append(c.Examples, clip(r[1]))
	}
	return nil
}

// exemplary: an example of a whole record says less than its columns do.
func (c *DictionaryColumn) exemplary() bool {
	return c.typ != store.TypeBinary && c.typ != store.TypeObjects && c.Name != "raw"
}

// asExample is a value as text, or its shape.
func (c *DictionaryColumn) asExample() string {
	name := quoteName(c.Name)
	text := name + "::VARCHAR"
	switch c.typ {
	case store.TypeTimestamp:
		text = "strftime(" + name + ", '%Y-%m-%dT%H:%M:%S.%gZ')"
	case store.TypeStrings:
		text = "to_json(" + name + ")::VARCHAR"
	}
	if c.Shapes {
		// Upper case first: what is left of the letters has no capitals.
		text = `regexp_replace(regexp_replace(regexp_replace(` + text + `, '\p{N}', '9', 'g'), '\p{Lu}', 'A', 'g'), '[\p{Ll}\p{Lt}\p{Lm}\p{Lo}\p{M}]', 'a', 'g')`
	}
	return "left(" + text + ", " + strconv.Itoa(exampleWidth+1) + ")"
}

// clip cuts an example to its width and makes it visible.
func clip(s string) string {
	if r := []rune(s); len(r) > exampleWidth {
		return Visible(string(r[:exampleWidth])) + "..."
	}
	return Visible(s)
}

// newestDays is where the newest days begin that have enough rows for
// examples, so that a year is not read for them.
func (e *Engine) newestDays(since, until time.Time) time.Time {
	rows := map[int32]int64{}
	for _, f := range e.snapshot.Files {
		day := time.Unix(int64(f.Partition.Day)*86400, 0)
		if until.IsZero() || day.Before(until) {
			rows[f.Partition.Day] += f.Rows
		}
	}
	days := make([]int32, 0, len(rows))
	for day := range rows {
		days = append(days, day)
	}
	slices.Sort(days)
	seen := int64(0)
	for _, day := range slices.Backward(days) {
		begin := time.Unix(int64(day)*86400, 0).UTC()
		if begin.Before(since) {
			return since
		}
		// Part of the first day may lie behind the end: one more is looked at.
		if seen >= exampleRows {
			return begin
		}
		seen += rows[day]
	}
	return since
}

// texts are the rows of an answer in the form of the text formats; NULL is "".
func (e *Engine) texts(ctx context.Context, sql string) ([][]string, error) {
	rows, err := e.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range int(batch.NumRows()) {
			row := make([]string, batch.NumCols())
			for j := range row {
				if a := batch.Column(j); !a.IsNull(i) {
					row[j] = string(appendText(nil, rows.Columns()[j].typ, a, i))
				}
			}
			out = append(out, row)
		}
		batch.Release()
	}
}
