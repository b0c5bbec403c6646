package query

import "strings"

// Four of DuckDB's JSON functions call themselves once a level, and a text of
// some 30,000 levels, which anybody can put into a record, takes the process
// along (tried with DuckDB 1.5.6: 20,000 end well, 40,000 do not). Macros of the
// same names stand before them and refuse such a text: they count brackets,
// of which there are at least as many as levels. The guard refuses the way
// around them, by the schema's name.

// mostBrackets is far above what a record has, and below what does harm.
const mostBrackets = "10000"

// shielded are the functions that have such a macro.
var shielded = []string{"json_structure", "json_group_structure", "json_contains", "json_merge_patch"}

// flat is the text of an argument, or an error.
func flat(argument string) string {
	text := argument + "::VARCHAR"
	return "CASE WHEN length(" + text + ") - length(replace(replace(" + text + ", '[', ''), '{', '')) > " + mostBrackets +
		" THEN error('a JSON text has more than " + mostBrackets + " brackets, and this function could not take so many levels: take a part of it with json_extract') ELSE " + argument + " END"
}

// createShields is the SQL that makes the macros.
var createShields = func() string {
	call := func(name string, arguments ...string) string {
		var checked []string
		for _, a := range arguments {
			checked = append(checked, flat(a))
		}
		return "(" + strings.Join(arguments, ", ") + ") AS system.main." + name + "(" + strings.Join(checked, ", ") + ")"
	}
	patches := []string{call("json_merge_patch", "a", "b"), call("json_merge_patch", "a", "b", "c"), call("json_merge_patch", "a", "b", "c", "d")}
	return "CREATE MACRO json_structure" + call("json_structure", "j") + ";\n" +
		"CREATE MACRO json_group_structure" + call("json_group_structure", "j") + ";\n" +
		"CREATE MACRO json_contains" + call("json_contains", "haystack", "needle") + ";\n" +
		"CREATE MACRO json_merge_patch" + strings.Join(patches, ", ") + ";\n"
}()
