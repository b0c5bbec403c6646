package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Reads the scans out of a plan. The promise: of the scans of our tables none
// is overlooked, or the plan is refused as a whole; and the filter of a scan
// lets through at least what the statement does.

// scans are the filters of each scan of a table.
type scans map[*lakeTable][]*filter

// errPlan is a plan that says nothing: whatever it scans, all files stay.
var errPlan = errors.New("the plan is not understood")

func planFault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errPlan, fmt.Sprintf(format, args...))
}

// leaves are the operators that may have nothing below them. Of any other the
// rest of the plan would be missing.
var leaves = []string{"LOGICAL_GET", "LOGICAL_CHUNK_GET", "LOGICAL_DELIM_GET", "LOGICAL_EXPRESSION_GET", "LOGICAL_DUMMY_SCAN", "LOGICAL_EMPTY_RESULT", "LOGICAL_CTE_REF"}

// readPlan reads an answer of json_serialize_plan. tables are ours, by the path
// of their template.
func readPlan(answer []byte, tables map[string]*lakeTable) (scans, error) {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, planFault("%v", err) // NaN is one that DuckDB writes
	}
	top := node(v)
	if failed, ok := top["error"].(bool); !ok || failed {
		return nil, planFault("%s error", top.text("error_type"))
	}
	plans, _ := top["plans"].([]any)
	if len(plans) != 1 {
		return nil, planFault("%d plans", len(plans))
	}
	r := planReader{tables: tables, found: scans{}, met: map[*lakeTable]int{}}
	if err := r.operator(plans[0], nil); err != nil {
		return nil, err
	}
	// Each mention of a template must belong to a scan that was found: one in a
	// place that nobody knows of would be overlooked.
	all := map[*lakeTable]int{}
	mentions(v, tables, all)
	for table, n := range all {
		if r.met[table] != n {
			return nil, planFault("%s is scanned in %d places, and %d are known", table.name, n, r.met[table])
		}
	}
	return r.found, nil
}

type planReader struct {
	tables map[string]*lakeTable
	found  scans
	met    map[*lakeTable]int // mentions of a template in scans that were found
}

// condition is a filter on the way down to a scan: expressions, and the
// projections that it has passed, outermost first.
type condition struct {
	exprs  []any
	passed [][]any
}

// operator walks the plan. The conditions hold for every row that the operator
// gives to the one above.
func (r *planReader) operator(v any, above []condition) error {
	op := node(v)
	kind := op.text("type")
	children, ok := op["children"].([]any)
	if !ok || kind == "" || len(children) == 0 && !slices.Contains(leaves, kind) {
		return planFault("an operator %q has nothing below it", kind)
	}
	var below []condition
	switch kind {
	case "LOGICAL_GET":
		if err := r.get(op, above); err != nil {
			return err
		}
	case "LOGICAL_FILTER":
		if exprs, ok := op["expressions"].([]any); ok {
			below = append(below, condition{exprs: exprs})
		}
		// Where it hands on only some columns, the numbers above are others.
		if picked, ok := op["projection_map"].([]any); ok && len(picked) == 0 {
			below = append(below, above...)
		}
	case "LOGICAL_PROJECTION":
		if exprs, ok := op["expressions"].([]any); ok {
			for _, c := range above {
				below = append(below, condition{c.exprs, append(slices.Clip(c.passed), exprs)})
			}
		}
	}
	if len(children) > 1 {
		below = nil // none of the three has two
	}
	for _, c := range children {
		if err := r.operator(c, below); err != nil {
			return err
		}
	}
	return nil
}

// get reads a scan.
func (r *planReader) get(op jsonObject, above []condition) error {
	if op.text("name") != "read_parquet" {
		// A function. What it reads may stand below it.
		inputs, ok := op["input_table_types"].([]any)
		if children, _ := op["children"].([]any); !ok || len(inputs) > 0 && len(children) == 0 {
			return planFault("the scan of %q", op.text("name"))
		}
		return nil
	}
	files, _ := node(op["function_data"])["files"].([]any)
	if len(files) != 1 {
		return planFault("a scan of %d files", len(files))
	}
	path, _ := files[0].(string)
	table, ok := r.tables[path]
	if !ok {
		return planFault("a scan of no table of the lake")
	}
	mentions(map[string]any(without(op, "children")), r.tables, r.met)
	r.found[table] = append(r.found[table], both(append(tableFilters(op), conditionFilters(op, above)...)...))
	return nil
}

// mentions counts the templates' paths in a part of a plan.
func mentions(v any, tables map[string]*lakeTable, count map[*lakeTable]int) {
	switch v := v.(type) {
	case string:
		if t, ok := tables[v]; ok {
			count[t]++
		}
	case []any:
		for _, e := range v {
			mentions(e, tables, count)
		}
	case map[string]any:
		for _, e := range v {
			mentions(e, tables, count)
		}
	}
}

func without(o jsonObject, key string) jsonObject {
	c := make(jsonObject, len(o))
	for k, v := range o {
		if k != key {
			c[k] = v
		}
	}
	return c
}

// scanned is the name of a file's column by its number.
func scanned(op jsonObject, index int64) string {
	names, _ := op["names"].([]any)
	if index < 0 || index >= int64(len(names)) {
		return ""
	}
	name, _ := names[index].(string)
	return name
}

// tableFilters are those that stand in the scan itself. All must hold.
func tableFilters(op jsonObject) []*filter {
	list, _ := node(op["table_filters"])["filters"].([]any)
	var filters []*filter
	for _, v := range list {
		f := node(v)
		if key, ok := f.number("key"); ok {
			filters = append(filters, scanFilter(f["value"], scanned(op, key)))
		}
	}
	return filters
}

// conditionFilters are those that stand above.
func conditionFilters(op jsonObject, above []condition) []*filter {
	columns, ok := op["column_indexes"].([]any)
	picked, ok2 := op["projection_ids"].([]any)
	if !ok || !ok2 {
		return nil
	}
	atScan := func(index int64) (string, any, reference) {
		if len(picked) > 0 {
			if index < 0 || index >= int64(len(picked)) {
				return "", nil, nil
			}
			n, ok := picked[index].(json.Number)
			i, err := n.Int64()
			if !ok || err != nil {
				return "", nil, nil
			}
			index = i
		}
		if index < 0 || index >= int64(len(columns)) {
			return "", nil, nil
		}
		column := node(columns[index])
		i, ok := column.number("index")
		if parts, isList := column["child_indexes"].([]any); !ok || !isList || len(parts) > 0 || column.text("index_type") != "FULL_READ" {
			return "", nil, nil
		}
		return scanned(op, i), nil, nil
	}
	var filters []*filter
	for _, c := range above {
		ref := atScan
		for _, exprs := range slices.Backward(c.passed) {
			deeper := ref
			ref = func(index int64) (string, any, reference) {
				if index < 0 || index >= int64(len(exprs)) {
					return "", nil, nil
				}
				return "", exprs[index], deeper
			}
		}
		for _, e := range c.exprs {
			filters = append(filters, exprFilter(e, ref))
		}
	}
	return filters
}
