package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Reads the scans out of a plan. The promise: of the scans of our tables none
// is overlooked, or the plan is refused as a whole; and the filter of a scan
// lets through at least what the statement does.

// scans are the filters of each scan of a table.
type scans map[*lakeTable][]*filter

// errPlan is a plan that says nothing: whatever it scans, all files stay.
var errPlan = errors.New("the plan is not understood")

// errNotPlanned is what DuckDB itself says: mostly it is the statement's fault.
var errNotPlanned = errors.New("DuckDB does not plan it")

func planFault(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errPlan, fmt.Sprintf(format, args...))
}

// leaves are the operators that may have nothing below them. Of any other the
// rest of the plan would be missing.
var leaves = []string{"LOGICAL_GET", "LOGICAL_CHUNK_GET", "LOGICAL_DELIM_GET", "LOGICAL_EXPRESSION_GET", "LOGICAL_DUMMY_SCAN", "LOGICAL_EMPTY_RESULT", "LOGICAL_CTE_REF"}

// readPlan reads an answer of json_serialize_plan about a statement. tables are
// ours, by the path of their template; staged are the paths of others.
func readPlan(answer []byte, tables map[string]*lakeTable, staged []string, sql string) (scans, error) {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, planFault("%v", err) // NaN is one that DuckDB writes
	}
	top := node(v)
	failed, ok := top["error"].(bool)
	switch {
	case !ok:
		return nil, planFault("it is none")
	case failed:
		return nil, fmt.Errorf("%w: %w: %s", errPlan, errNotPlanned, top.text("error_message"))
	}
	plans, _ := top["plans"].([]any)
	if len(plans) != 1 {
		return nil, planFault("%d plans", len(plans))
	}
	r := planReader{tables: tables, staged: staged, found: scans{}, met: map[*lakeTable]int{}}
	r.numbers = !strings.Contains(strings.ToLower(sql), rowNumbers)
	if err := r.operator(plans[0], nil, false); err != nil {
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
	staged []string           // paths of tables that are none of the lake's
	met    map[*lakeTable]int // mentions of a template in scans that were found
	// numbers says that whatever is called rowNumbers is DuckDB's own.
	numbers bool
}

// rowNumbers is what DuckDB calls the numbers that it gives to rows when a
// later part of FROM refers to them, as in FROM activities, unnest(objects).
// They serve to put the two together again and nothing else, so that it does
// not matter which rows have which. The statement's filters end above them.
const rowNumbers = "delim_index"

// isRowNumbers says whether a window only gives these.
func (r *planReader) isRowNumbers(op jsonObject) bool {
	exprs, _ := op["expressions"].([]any)
	if !r.numbers || len(exprs) != 1 {
		return false
	}
	w := node(exprs[0])
	partitions, ok1 := w["partitions"].([]any)
	orders, ok2 := w["orders"].([]any)
	return w.text("type") == "WINDOW_ROW_NUMBER" && w.text("alias") == rowNumbers && ok1 && ok2 && len(partitions) == 0 && len(orders) == 0
}

// condition is a filter on the way down to a scan: expressions, and the
// projections that it has passed, outermost first.
type condition struct {
	exprs  []any
	passed [][]any
}

// operator walks the plan. The conditions hold for every row that the operator
// gives to the one above. numbered: that one is a join by rowNumbers, or a
// filter below it.
func (r *planReader) operator(v any, above []condition, numbered bool) error {
	op := node(v)
	kind := op.text("type")
	children, ok := op["children"].([]any)
	if !ok || kind == "" || len(children) == 0 && !slices.Contains(leaves, kind) {
		return planFault("an operator %q has nothing below it", kind)
	}
	var below []condition
	stays := false
	switch kind {
	case "LOGICAL_GET":
		if err := r.get(op, above); err != nil {
			return err
		}
	case "LOGICAL_DELIM_JOIN":
		flipped, ok := op["delim_flipped"].(bool)
		stays = ok && !flipped
	case "LOGICAL_WINDOW":
		if numbered && r.isRowNumbers(op) {
			below = above // they stand behind the columns that were there before
		}
	case "LOGICAL_FILTER":
		stays = numbered
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
		below = nil // none of those that pass conditions on has two
	}
	for i, c := range children {
		if err := r.operator(c, below, stays && i == 0); err != nil {
			return err
		}
	}
	return nil
}

// get reads a scan.
func (r *planReader) get(op jsonObject, above []condition) error {
	if table := node(op["function_data"]).text("table"); op.text("name") == "seq_scan" && table != "" {
		return nil // a table in memory
	}
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
	if !ok && slices.Contains(r.staged, path) {
		return nil
	}
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
