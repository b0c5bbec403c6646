package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mdcalake/store"
)

// Export is a filtered copy of activities: rows by a selection and a condition,
// columns by name. It runs as a statement, through the same guard as any other.
type Export struct {
	Selection Selection
	// Where is a condition in SQL; empty: none. Its subqueries see the whole
	// lake, not the selection.
	Where string
	// Columns are those of the copy, in this order; none: all that the shape has
	// by itself.
	Columns []string
	// Except are left out.
	Except []string
	Shape  ExportShape
}

// ExportShape is what the rows of an Export look like.
type ExportShape int

// The shapes.
const (
	// PlainRows are those of activities.
	PlainRows ExportShape = iota
	// KeyedRows end with date and service, for WritePartitions.
	KeyedRows
	// TimesketchRows are events of a timeline (timesketch.go).
	TimesketchRows
)

// Check says what is wrong with the columns: names that activities does not
// have, or none left.
func (x Export) Check() error {
	known := columnNames(store.Columns)
	for _, name := range slices.Concat(x.Columns, x.Except) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("activities has no column %q", name)
		}
	}
	for i, name := range x.Columns {
		if slices.Contains(x.Columns[:i], name) {
			return fmt.Errorf("the column %q is asked for twice", name)
		}
	}
	if len(x.columns()) == 0 {
		return errors.New("no column is left")
	}
	return nil
}

// columns are those of the copy that are a column of activities as it is.
func (x Export) columns() []string {
	names := x.Columns
	if len(names) == 0 {
		names = columnNames(store.Columns)
		if x.Shape == TimesketchRows {
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(notInTimesketch, name) })
		}
	}
	except := x.Except
	switch x.Shape {
	case KeyedRows:
		except = slices.Concat(except, []string{"date", "service"}) // they are the directories
	case TimesketchRows:
		except = slices.Concat(except, []string{"timestamp"}) // has another meaning there
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(except, name) })
}

func columnNames(columns []store.Column) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// statement is the copy in SQL, and where in it the condition stands.
func (x Export) statement() (sql string, at int) {
	var fields []string
	if x.Shape == TimesketchRows {
		fields = append(fields, TimesketchFields(timesketchMessage))
	}
	for _, name := range x.columns() {
		fields = append(fields, quoteName(name))
	}
	if x.Shape == KeyedRows {
		fields = append(fields, "date", "service")
	}
	sql = "SELECT " + strings.Join(fields, ", ") + " FROM activities"
	condition := x.Selection.condition()
	if x.Where == "" {
		if condition != "" {
			sql += " WHERE " + condition
		}
		return sql, len(sql)
	}
	sql += " WHERE "
	if condition != "" {
		sql += condition + " AND "
	}
	sql += "("
	at = len(sql)
	// The condition may end in a comment.
	return sql + x.Where + "\n)", at
}

// Export starts the copy; see Query. Errors about the condition speak of its
// own text.
func (e *Engine) Export(ctx context.Context, x Export) (*Rows, error) {
	if err := x.Check(); err != nil {
		return nil, err
	}
	if err := checkCondition(x.Where); err != nil {
		return nil, err
	}
	sql, at := x.statement()
	rows, err := e.Query(ctx, sql)
	if failed, ok := asError(err); ok {
		failed.Position -= at
		if failed.SQL = x.Where; failed.Position < 0 || failed.Position > len(x.Where) {
			failed.Position = -1
		}
	}
	return rows, err
}

// checkCondition sees to it that the condition is one: what closes a
// parenthesis that it did not open would end ours, and could put something
// else behind it.
func checkCondition(where string) error {
	refuse := func(at int, what string) error {
		return &Error{Kind: Refused, SQL: where, Position: at, Message: what, Hint: "write one condition over the columns of activities, like user_name = 'ada@example.com'"}
	}
	depth, last := 0, 0
	for _, t := range lex(where) {
		switch {
		case t.kind == semicolon:
			return refuse(t.start, "the condition holds a semicolon")
		case t.is(where, "("):
			depth, last = depth+1, t.start
		case t.is(where, ")"):
			if depth--; depth < 0 {
				return refuse(t.start, "the condition closes a parenthesis that it does not open")
			}
		}
	}
	if depth > 0 {
		return refuse(last, "the condition opens a parenthesis and does not close it")
	}
	return nil
}
