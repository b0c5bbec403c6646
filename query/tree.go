package query

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The guard's second layer: DuckDB's own tree of the statement. Whatever the
// tree says that is not known here is refused.

// tableFunctions are the functions that may stand where a table stands. None
// reads a file, has an effect, or runs text that this layer does not see
// (query() and json_execute_serialized_sql() do).
var tableFunctions = map[string]bool{
	// false: computes from its arguments; true: may look at the tables
	"range": false, "generate_series": false, "unnest": false, "repeat": false,
	"json_each": false, "json_tree": false, "pg_timezone_names": false,
	"duckdb_functions": false, "duckdb_keywords": false, "duckdb_types": false,
	"duckdb_columns": true, "duckdb_tables": true, "duckdb_views": true,
	"pragma_table_info": true, "summary": true, "histogram": true, "histogram_values": true,
}

// deniedFunctions have effects, wait, or bind text that was not checked.
// tree_test.go goes through all functions that DuckDB itself calls volatile,
// so that a new one is noticed.
var deniedFunctions = map[string]string{
	"write_log":                   "writes to the log",
	"nextval":                     "changes a sequence",
	"currval":                     "reads a sequence",
	"setseed":                     "changes the state of random()",
	"sleep_ms":                    "waits",
	"json_serialize_plan":         "plans statements that were not checked",
	"json_execute_serialized_sql": "runs statements that were not checked",
	"getenv":                      "reads the environment",
	"query":                       "runs statements that were not checked",
	"query_table":                 "reads tables that were not checked",
}

// tableRefs are the kinds of things that may stand behind FROM.
var tableRefs = []string{
	"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM",
	"PIVOT", "SHOW_REF", "COLUMN_DATA", "CTE", "CROSS_PRODUCT",
}

var (
	openCatalogs = []string{"", "memory", "system", "temp"}
	openSchemas  = []string{"", "main", "memory", "system", "temp", "information_schema", "pg_catalog"}
	// openDuckDB are the views of DuckDB's own that say what there is in the
	// lake; others tell of logs, settings and secrets.
	openDuckDB = []string{"duckdb_columns", "duckdb_constraints", "duckdb_databases", "duckdb_indexes", "duckdb_schemas", "duckdb_tables", "duckdb_types", "duckdb_views"}
	// openSettings are those that a statement's own meaning depends on.
	openSettings = []string{"timezone", "calendar"}
	openShows    = []string{"tables", "databases", "schemas", "__show_tables_expanded"}
)

// treeFacts are what is known of a statement from its tree.
type treeFacts struct {
	tables  map[string]bool // names behind FROM, in lower case
	every   bool            // it may read tables that it does not name
	catalog bool            // it looks at what there is, if not into it
}

// reads: a table that is wrongly left out would look empty, so what is not
// understood reads everything.
func (f *treeFacts) reads(table string) bool { return f.every || f.tables[table] }

// sees: whether the statement can tell that the table is there.
func (f *treeFacts) sees(table string) bool { return f.catalog || f.reads(table) }

// badTree is why a tree is refused.
type badTree struct {
	position   int // in the text that was parsed; -1: unknown
	what, hint string
}

func inspect(tree any) (treeFacts, *badTree) {
	f := treeFacts{tables: map[string]bool{}}
	bad := f.walk(tree)
	return f, bad
}

func (f *treeFacts) walk(node any) *badTree {
	switch n := node.(type) {
	case []any:
		for _, c := range n {
			if bad := f.walk(c); bad != nil {
				return bad
			}
		}
	case map[string]any:
		if bad := f.checkNode(n); bad != nil {
			return bad
		}
		for _, key := range sortedKeys(n) {
			if bad := f.walk(n[key]); bad != nil {
				return bad
			}
		}
	}
	return nil
}

// sortedKeys: of two reasons to refuse always the same one is told.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (f *treeFacts) checkNode(n map[string]any) *badTree {
	// Functions, windows and whatever else calls by name.
	if name, ok := n["function_name"].(string); ok {
		name = strings.ToLower(name)
		if why, denied := deniedFunctions[name]; denied {
			return &badTree{place(n), fmt.Sprintf("the function %s is not open to queries: it %s", name, why), "leave it out"}
		}
		if name == "current_setting" {
			children, _ := n["children"].([]any)
			if len(children) != 1 || !slices.Contains(openSettings, strings.ToLower(constantText(children[0]))) {
				return &badTree{place(n), "a setting is not open to queries: some hold paths of this machine", "ask for " + strings.Join(openSettings, " or ")}
			}
		}
		if schema, _ := n["schema"].(string); schema != "" && slices.Contains(shielded, name) {
			return &badTree{place(n), fmt.Sprintf("the function %s is open to queries without a schema before its name", name), "write " + name + "(...)"}
		}
		if name == ipInName {
			if bad := checkRanges(n); bad != nil {
				return bad
			}
		}
	}
	_, isTable := n["sample"]
	_, hasAlias := n["alias"]
	kind, _ := n["type"].(string)
	// By their name as well, should their shape ever change.
	named := kind == "BASE_TABLE" || kind == "TABLE_FUNCTION" || kind == "SHOW_REF"
	if !named && !(isTable && hasAlias) {
		return nil
	}
	if !slices.Contains(tableRefs, kind) {
		return &badTree{place(n), fmt.Sprintf("%q behind FROM is not known to this version", kind), "write it as a subquery of tables of the lake"}
	}
	switch kind {
	case "BASE_TABLE":
		return f.checkTable(n)
	case "TABLE_FUNCTION":
		return f.checkTableFunction(n)
	case "SHOW_REF":
		return f.checkShow(n)
	}
	return nil
}

func (f *treeFacts) checkTable(n map[string]any) *badTree {
	name, _ := n["table_name"].(string)
	if bad := checkNames(n, name); bad != nil {
		return bad
	}
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "duckdb_") && !slices.Contains(openDuckDB, name) || name == "pg_settings" {
		return &badTree{place(n), fmt.Sprintf("the table %s is not open to queries", name), "the tables are " + strings.Join(tableNames(), ", ")}
	}
	f.tables[name] = true
	if name == cloudAppEvents {
		f.tables["activities"] = true // the view stands on it
	}
	if !slices.Contains(tableNames(), name) {
		// A part of the statement's own, a table of the catalog or a slip:
		// which, only binding tells.
		f.every = true
	}
	return nil
}

// checkNames refuses the names that DuckDB would open as files or databases.
func checkNames(n map[string]any, name string) *badTree {
	if strings.ContainsAny(name, `/\.*:?[]{}~$%`+"\n") {
		return &badTree{place(n), fmt.Sprintf("the table %q looks like a file, and a query reads the lake alone", name), "the tables are " + strings.Join(tableNames(), ", ")}
	}
	catalog, _ := n["catalog_name"].(string)
	schema, _ := n["schema_name"].(string)
	if !slices.Contains(openCatalogs, strings.ToLower(catalog)) || !slices.Contains(openSchemas, strings.ToLower(schema)) {
		return &badTree{place(n), fmt.Sprintf("the schema of %q is not open to queries", strings.Trim(catalog+"."+schema+"."+name, ".")), "the tables are " + strings.Join(tableNames(), ", ")}
	}
	return nil
}

func (f *treeFacts) checkTableFunction(n map[string]any) *badTree {
	call, _ := n["function"].(map[string]any)
	name, ok := call["function_name"].(string)
	if !ok {
		return &badTree{place(n), "a function behind FROM has no name", "write it as a subquery of tables of the lake"}
	}
	name = strings.ToLower(name)
	looks, open := tableFunctions[name]
	if !open {
		return &badTree{place(n), fmt.Sprintf("the table function %s is not open to queries: a query reads the tables of the lake, and no files", name),
			"the tables are " + strings.Join(tableNames(), ", ")}
	}
	if !looks {
		return nil
	}
	f.catalog = true
	if name == "histogram" || name == "histogram_values" || name == "summary" {
		f.every = true
	}
	// These take a table as text, which no other check sees.
	if children, _ := call["children"].([]any); len(children) > 0 {
		return checkNames(n, constantText(children[0]))
	}
	return nil
}

// constantText is a name that is given as text or as a column.
func constantText(node any) string {
	n, _ := node.(map[string]any)
	if v, ok := n["value"].(map[string]any); ok {
		s, _ := v["value"].(string)
		return s
	}
	if names, ok := n["column_names"].([]any); ok && len(names) > 0 {
		s, _ := names[len(names)-1].(string)
		return s
	}
	return ""
}

func (f *treeFacts) checkShow(n map[string]any) *badTree {
	if n["query"] != nil {
		return nil // walked like any other
	}
	f.catalog = true
	name, _ := n["table_name"].(string)
	name = strings.ToLower(strings.Trim(name, `"`))
	if kind, _ := n["show_type"].(string); kind == "SHOW_FROM" {
		return checkNames(n, name)
	}
	if !slices.Contains(openShows, name) {
		return &badTree{place(n), fmt.Sprintf("SHOW %s is not open to queries", name), "SHOW TABLES, or DESCRIBE and a table"}
	}
	return nil
}

// place is where a node stands in the text; DuckDB writes 2^64-1 for nowhere.
func place(n map[string]any) int {
	num, ok := n["query_location"].(json.Number)
	if !ok {
		return -1
	}
	i, err := num.Int64()
	if err != nil || i > 1<<30 {
		return -1
	}
	return int(i)
}
