package query

import (
	"encoding/json"
	"math"
	"strings"
)

// Reads the filters of a plan: DuckDB's expressions, and the shorter form that
// stands in a scan. One that is not wholly understood is anything.

// prunable are the columns that something is known of, file by file, and the
// type that a constant must have to be compared with them.
var prunable = map[string]string{
	"date": "DATE", "service": "BIGINT", "app_id": "BIGINT",
	"timestamp": timestampTZ, "created": timestampTZ, "ingested": timestampTZ,
	"activity_id": "VARCHAR", "user_name": "VARCHAR", "actor_id": "VARCHAR",
	"ip": "VARCHAR", "object_id": "VARCHAR", "session_id": "VARCHAR",
}

const timestampTZ = "TIMESTAMP WITH TIME ZONE"

// exactCase is the column that is looked up as it is written.
const exactCase = "activity_id"

// reference finds what a BOUND_REF means: the name of a column of the scan, or an
// expression of a projection in between, which has references of its own.
type reference func(index int64) (column string, expr any, deeper reference)

// exprFilter reads an expression that must hold.
func exprFilter(expr any, ref reference) *filter {
	e := node(expr)
	switch e.text("expression_class") {
	case "BOUND_COMPARISON":
		return comparisonFilter(e, ref)
	case "BOUND_BETWEEN":
		return both(
			compared(e["input"], "COMPARE_GREATERTHANOREQUALTO", e["lower"], ref),
			compared(e["input"], "COMPARE_LESSTHANOREQUALTO", e["upper"], ref))
	case "BOUND_CONJUNCTION":
		children, _ := e["children"].([]any)
		filters := make([]*filter, len(children))
		for i, c := range children {
			filters[i] = exprFilter(c, ref)
		}
		switch e.text("type") {
		case "CONJUNCTION_AND":
			return both(filters...)
		case "CONJUNCTION_OR":
			return either(filters...)
		}
	case "BOUND_OPERATOR":
		if children, _ := e["children"].([]any); e.text("type") == "COMPARE_IN" && len(children) > 1 {
			constants := make([]any, len(children)-1)
			for i, c := range children[1:] {
				constants[i] = node(c).constant()
			}
			return operandOf(children[0], ref).isOneOf(constants)
		}
	case "BOUND_FUNCTION":
		return functionFilter(e, ref)
	}
	return open
}

// node is an object of the plan. What it lacks, or has in another form, is
// empty.
func node(v any) jsonObject {
	o, _ := v.(map[string]any)
	return o
}

type jsonObject map[string]any

func (o jsonObject) text(key string) string {
	s, _ := o[key].(string)
	return s
}

func (o jsonObject) number(key string) (int64, bool) {
	n, ok := o[key].(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

// constant is the value of a constant expression; nil: it is none.
func (o jsonObject) constant() any {
	if o.text("expression_class") != "BOUND_CONSTANT" {
		return nil
	}
	return o["value"]
}

func comparisonFilter(e jsonObject, ref reference) *filter {
	op := e.text("type")
	if node(e["left"]).constant() != nil {
		return compared(e["right"], mirrored[op], e["left"], ref)
	}
	return compared(e["left"], op, e["right"], ref)
}

var mirrored = map[string]string{
	"COMPARE_EQUAL":                "COMPARE_EQUAL",
	"COMPARE_LESSTHAN":             "COMPARE_GREATERTHAN",
	"COMPARE_GREATERTHAN":          "COMPARE_LESSTHAN",
	"COMPARE_LESSTHANOREQUALTO":    "COMPARE_GREATERTHANOREQUALTO",
	"COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}

func compared(input any, op string, constant any, ref reference) *filter {
	return operandOf(input, ref).is(op, node(constant).constant())
}

// functionFilter knows x ILIKE 'text' without wildcards, which compares what
// lower() makes of both sides.
func functionFilter(e jsonObject, ref reference) *filter {
	children, _ := e["children"].([]any)
	if e.text("name") != "~~*" || len(children) != 2 {
		return open
	}
	o := operandOf(children[0], ref)
	text, ok := textOf(node(children[1]).constant())
	if !ok || strings.ContainsAny(text, `%_\`) || o.column == "" || o.form != "" || o.column == exactCase || prunable[o.column] != "VARCHAR" {
		return open
	}
	return &filter{kind: holds, column: o.column, values: []string{text}}
}

// operand is a column, perhaps in another form that orders as the column does.
type operand struct {
	column string // empty: nothing that is known here
	form   string // "", "lower", or the type that it is cast to
}

func operandOf(expr any, ref reference) operand {
	e := node(expr)
	switch e.text("expression_class") {
	case "BOUND_REF":
		index, ok := e.number("index")
		if !ok {
			return operand{}
		}
		column, inner, deeper := ref(index)
		if inner != nil {
			return operandOf(inner, deeper)
		}
		if prunable[column] == "" || node(e["return_type"]).text("id") != prunable[column] {
			return operand{}
		}
		return operand{column: column}
	case "BOUND_CAST":
		o, to := operandOf(e["child"], ref), node(e["return_type"]).text("id")
		if o.column == "" || o.form != "" || len(node(e["return_type"])) != 1 {
			return operand{}
		}
		// The session's time zone is UTC: a day of the one is a day of the other.
		switch from := prunable[o.column]; {
		case from == timestampTZ && (to == "DATE" || to == "TIMESTAMP"),
			from == "DATE" && (to == "TIMESTAMP" || to == timestampTZ):
			return operand{column: o.column, form: to}
		}
	case "BOUND_FUNCTION":
		children, _ := e["children"].([]any)
		if name := e.text("name"); (name == "lower" || name == "lcase") && len(children) == 1 {
			o := operandOf(children[0], ref)
			if o.form == "" && prunable[o.column] == "VARCHAR" && o.column != exactCase {
				return operand{column: o.column, form: "lower"}
			}
		}
	}
	return operand{}
}

// is reads a comparison with a constant.
func (o operand) is(op string, constant any) *filter {
	if o.column == "" || constant == nil {
		return open
	}
	if prunable[o.column] == "VARCHAR" {
		if op == "COMPARE_EQUAL" {
			return o.isOneOf([]any{constant})
		}
		return open
	}
	v, ok := numberOf(constant, o.typ())
	if !ok {
		return open
	}
	s := span{v, v}
	switch op {
	case "COMPARE_EQUAL":
	case "COMPARE_LESSTHAN":
		if v == math.MinInt64 {
			return open
		}
		s = span{math.MinInt64, v - 1}
	case "COMPARE_LESSTHANOREQUALTO":
		s.lo = math.MinInt64
	case "COMPARE_GREATERTHAN":
		if v == math.MaxInt64 {
			return open
		}
		s = span{v + 1, math.MaxInt64}
	case "COMPARE_GREATERTHANOREQUALTO":
		s.hi = math.MaxInt64
	default:
		return open
	}
	return o.in(spans{s})
}

// isOneOf reads an equality with one of several constants.
func (o operand) isOneOf(constants []any) *filter {
	if o.column == "" || len(constants) == 0 {
		return open
	}
	if prunable[o.column] == "VARCHAR" {
		f := &filter{kind: holds, column: o.column}
		for _, c := range constants {
			text, ok := textOf(c)
			if !ok {
				return open
			}
			f.values = append(f.values, text)
		}
		return f
	}
	var of []span
	for _, c := range constants {
		v, ok := numberOf(c, o.typ())
		if !ok {
			return open
		}
		of = append(of, span{v, v})
	}
	return o.in(union(of))
}

// typ is the type that a constant beside it has.
func (o operand) typ() string {
	if o.form != "" {
		return o.form
	}
	return prunable[o.column]
}

// in makes the filter, in the column's own unit.
func (o operand) in(s spans) *filter {
	switch {
	case o.form == "DATE":
		s = daysToMicros(s)
	case o.form != "" && prunable[o.column] == "DATE":
		s = microsToDays(s)
	}
	return &filter{kind: within, column: o.column, spans: s}
}

// numberOf is a constant of exactly this type, in the unit of the plan: days,
// microseconds, or the number itself.
func numberOf(constant any, typ string) (int64, bool) {
	v := node(constant)
	if null, ok := v["is_null"].(bool); !ok || null || !isType(v["type"], typ) {
		return 0, false
	}
	return v.number("value")
}

func textOf(constant any) (string, bool) {
	v := node(constant)
	if null, ok := v["is_null"].(bool); !ok || null || !isType(v["type"], "VARCHAR") {
		return "", false
	}
	text, ok := v["value"].(string)
	return text, ok
}

// isType: a type with anything beside its name, such as a collation, compares
// in another way.
func isType(v any, typ string) bool {
	t := node(v)
	return len(t) == 1 && t.text("id") == typ
}

// scanFilter reads a filter of the short form. ref is the filter's own column,
// whatever the number.
func scanFilter(v any, column string) *filter {
	f := node(v)
	o := operand{column: column}
	if prunable[column] == "" {
		return open
	}
	switch f.text("filter_type") {
	case "CONSTANT_COMPARISON":
		return o.is(f.text("comparison_type"), f["constant"])
	case "IN_FILTER":
		values, _ := f["values"].([]any)
		return o.isOneOf(values)
	case "CONJUNCTION_AND", "CONJUNCTION_OR":
		children, _ := f["child_filters"].([]any)
		filters := make([]*filter, len(children))
		for i, c := range children {
			filters[i] = scanFilter(c, column)
		}
		if f.text("filter_type") == "CONJUNCTION_OR" {
			return either(filters...)
		}
		return both(filters...)
	case "OPTIONAL_FILTER":
		return scanFilter(f["child_filter"], column)
	case "EXPRESSION_FILTER":
		return exprFilter(f["expr"], func(int64) (string, any, reference) { return column, nil, nil })
	}
	return open
}
