package main

import (
	"fmt"
	"slices"
	"strings"

	"mdcalake/query"
)

// parametersOf reads the values of -p: name=value, and the value may hold
// anything, = and commas too.
func parametersOf(values []string) ([]query.Parameter, error) {
	var given []query.Parameter
	for _, v := range values {
		name, value, ok := strings.Cut(v, "=")
		name, good := query.ParameterName(name)
		switch {
		case !ok:
			return nil, usage("write -p name=value", "-p %q has no =", v)
		case !good:
			return nil, usage("write -p name=value, the name of letters, digits and _", "-p: %q is no name of a parameter", name)
		case slices.ContainsFunc(given, func(p query.Parameter) bool { return strings.EqualFold(p.Name, name) }):
			return nil, usage("give each name one value", "-p %s is given twice", name)
		}
		given = append(given, query.Parameter{Name: name, Value: value})
	}
	return given, nil
}

// allUsed refuses a value that no statement asks for: it was meant for
// something.
func allUsed(given []query.Parameter, sql string) error {
	used := query.Parameters(sql)
	for _, p := range given {
		if slices.Contains(used, strings.ToLower(p.Name)) {
			continue
		}
		hint := "write $" + p.Name + " where the value belongs; the shell takes it away within double quotes"
		switch {
		case strings.Contains(strings.ToLower(sql), "$"+strings.ToLower(p.Name)):
			hint = "$" + p.Name + " stands within quotes or a comment: write it bare, it needs no quotes"
		case len(used) > 0:
			hint = "the SQL asks for $" + strings.Join(used, ", $")
		}
		return usage(hint, "-p %s: the SQL has no $%s", p.Name, p.Name)
	}
	return nil
}

// asTextNote says which values are compared as texts though they look like
// something else.
func asTextNote(names []string) string {
	return fmt.Sprintf("taken as text, since the place does not tell: $%s; write $%s::DOUBLE, ::DATE or the like where it is none", strings.Join(names, ", $"), names[0])
}
