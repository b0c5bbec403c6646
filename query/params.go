package query

import (
	"context"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// Parameter is the value of $Name in a statement.
type Parameter struct {
	Name  string // without the $; case does not matter
	Value string
}

// Parameters are the names of a statement's parameters ($name), in the order
// in which they first occur and in lower case. What stands in a string, a
// comment or a quoted name is none.
func Parameters(sql string) []string {
	var names []string
	for _, t := range lex(sql) {
		if name, ok := parameterName(sql, t); ok && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// ParameterName is the name that a person gave, with its $ or without. ok is
// false where DuckDB takes no such name behind a $.
func ParameterName(typed string) (name string, ok bool) {
	name = strings.TrimPrefix(typed, "$")
	return name, parameterLook.MatchString(name)
}

var parameterLook = regexp.MustCompile(`^([\pL_][\pL\pN_]*|[1-9][0-9]{0,3})$`)

// parameterName is empty for a ?, which has none.
func parameterName(sql string, t token) (name string, ok bool) {
	if t.kind != parameter {
		return "", false
	}
	return strings.ToLower(strings.TrimLeft(sql[t.start:t.end], "$?")), true
}

// Bind writes the values of parameters into a statement, each as a literal:
// then the choice of files sees them, and what runs is what was checked. A
// value can end no literal, so it stays a value whatever is in it.
//
// The place decides what a value is: beside user_name it is text, whatever it
// looks like, beside service a number, beside timestamp a time. Where the place
// does not tell, as in now() - to_days($days), a value that does not fit as
// text is what it looks like: a number, true or false, a date, a time
// (RFC 3339), an interval (7 days).
//
// Of those that look like something else and are text all the same, since no
// place tells and as text they fit, asText has the names: '10' < '9'.
//
// A parameter without a value is an *Error; values that the statement does not
// ask for are left out.
func (e *Engine) Bind(ctx context.Context, sql string, given []Parameter) (bound string, asText []string, err error) {
	values := map[string]string{}
	for _, p := range given {
		values[strings.ToLower(p.Name)] = p.Value
	}
	var used []string // parameters that look like something else than text
	for _, t := range lex(sql) {
		name, ok := parameterName(sql, t)
		if !ok {
			continue
		}
		value, ok := values[name]
		switch {
		case name == "":
			return "", nil, &Error{Kind: Names, SQL: sql, Position: t.start, Message: "a parameter has no name here", Hint: "write $name, and give its value with -p name=VALUE"}
		case !ok:
			e := &Error{Kind: Names, SQL: sql, Position: t.start, Message: fmt.Sprintf("parameter $%s has no value", name), Candidates: nearestNames(name, given)}
			if len(e.Candidates) == 0 {
				e.Hint = fmt.Sprintf("give it one with -p %s=VALUE, or .param %s VALUE in a prompt", name, name)
			}
			return "", nil, e
		case strings.IndexByte(value, 0) >= 0 || !utf8.ValidString(value):
			return "", nil, &Error{Kind: Names, SQL: sql, Position: t.start, Message: fmt.Sprintf("the value of $%s is no text: it holds a zero byte or is not UTF-8", name), Hint: "compare hexadecimal digits: encode() and hex() make them"}
		}
		if looksLike(value) != "" && !slices.Contains(used, name) {
			used = append(used, name)
		}
	}
	if len(used) == 0 {
		return substitute(sql, values, nil), nil, nil
	}
	return e.fitting(ctx, &binding{sql: sql, values: values, names: used})
}

// binding is a statement whose values have more than one form.
type binding struct {
	sql    string
	values map[string]string
	names  []string // of these
}

// with is the statement with the parameters named as what they look like.
func (b *binding) with(typed []string) string { return substitute(b.sql, b.values, typed) }

// substitute writes the values in, those of the parameters named as what they
// look like.
func substitute(sql string, values map[string]string, typed []string) string {
	var b strings.Builder
	last := 0
	for _, t := range lex(sql) {
		name, ok := parameterName(sql, t)
		if !ok {
			continue
		}
		literal := quoteString(values[name])
		if slices.Contains(typed, name) {
			literal = looksLike(values[name])
		}
		b.WriteString(sql[last:t.start])
		// Beside a quote or an & it would become a part of another literal.
		if t.start > 0 && strings.IndexByte("'&", sql[t.start-1]) >= 0 {
			b.WriteByte(' ')
		}
		b.WriteString(literal)
		if t.end < len(sql) && sql[t.end] == '\'' {
			b.WriteByte(' ')
		}
		last = t.end
	}
	b.WriteString(sql[last:])
	return b.String()
}

var (
	numberLook   = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,36})(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?$`)
	intervalLook = regexp.MustCompile(`^[0-9]{1,6} ?(second|minute|hour|day|week|month|year)s?$`)
)

// looksLike is the literal of what a text looks like; "" when it is only text.
func looksLike(value string) string {
	parses := func(layout string) bool { _, err := time.Parse(layout, value); return err == nil }
	switch {
	case numberLook.MatchString(value):
		return "(" + value + ")" // a minus before a minus would begin a comment
	case value == "true", value == "false":
		return value
	case parses(time.DateOnly):
		return "DATE " + quoteString(value)
	case parses(time.RFC3339):
		return "TIMESTAMPTZ " + quoteString(value)
	case intervalLook.MatchString(value):
		return "INTERVAL " + quoteString(value)
	}
	return ""
}

// mostUnclear bounds the search for the parameters that are no text.
const mostUnclear = 5

// fitting is the form of the statement that fits its places.
func (e *Engine) fitting(ctx context.Context, b *binding) (string, []string, error) {
	in, err := e.takeInstance(ctx)
	if err != nil {
		return "", nil, err
	}
	type answer struct {
		bound  string
		asText []string
	}
	e.warmUp(ctx)
	done := make(chan answer, 1)
	release := in.interruptOn(ctx)
	go func() {
		typed, unclear := e.typed(ctx, in, b)
		release()
		in.close()
		done <- answer{b.with(typed), slices.DeleteFunc(unclear, func(name string) bool { return slices.Contains(typed, name) })}
	}()
	select {
	case a := <-done:
		if ctx.Err() == nil {
			return a.bound, a.asText, nil
		}
	case <-ctx.Done():
		select {
		case <-done:
		case <-time.After(abandonAfter): // binding cannot be stopped
			e.forsaken.Add(1)
			e.abandoned.Go(func() { defer e.forsaken.Add(-1); <-done })
		}
	}
	return "", nil, cancelled(ctx, b.sql)
}

// typed are the parameters that are to be what they look like, and unclear those
// whose places do not tell. Errors are left to the statement itself, which will
// have them too.
func (e *Engine) typed(ctx context.Context, in *instance, b *binding) (typed, unclear []string) {
	q, err := e.check(ctx, in, b.with(nil))
	if err != nil || q.before > 0 || e.furnish(ctx, in, q) != nil || in.lock(ctx, e.templatePaths()) != nil {
		return nil, nil // of a PIVOT that looks for its values a part would run
	}
	binds := func(typed []string) bool {
		// The guard sees each form: another literal is another text.
		q, err := e.check(ctx, in, b.with(typed))
		if err != nil || ctx.Err() != nil {
			return false
		}
		p, err := in.prepare(q.run, q.before)
		if err != nil {
			return false
		}
		p.close()
		return true
	}
	sure, unclear := in.parameterTypes(ctx, b)
	tried := unclear[:min(len(unclear), mostUnclear)]
	// All of them as text, with one exception, with two, and so on. A fraction
	// is a number first: '1.5' * 2 binds, and DuckDB makes 2 * 2 of it.
	for exceptions := 0; exceptions <= len(tried); exceptions++ {
		for set := uint(0); set < 1<<len(tried); set++ {
			if bits.OnesCount(set) != exceptions {
				continue
			}
			typed := slices.Clone(sure)
			for i, name := range tried {
				if isFraction(b.values[name]) != (set>>i&1 == 1) {
					typed = append(typed, name)
				}
			}
			if binds(typed) {
				return typed, unclear
			}
		}
	}
	return sure, nil
}

func isFraction(value string) bool {
	return numberLook.MatchString(value) && strings.ContainsAny(value, ".eE")
}

// parameterTypes asks DuckDB what the places of the parameters are: those
// where a number belongs and a number is given, and those that it cannot tell.
func (in *instance) parameterTypes(ctx context.Context, b *binding) (numbers, unclear []string) {
	q, err := guard{in}.check(ctx, b.sql)
	if err != nil {
		return nil, b.names
	}
	p, err := in.prepare(q.run, q.before)
	if err != nil {
		return nil, b.names
	}
	defer p.close()
	known := map[string]bool{}
	for i := range p.parameters() {
		n := bindings.IdxT(i + 1)
		t := bindings.ParamLogicalType(p.stmt, n)
		if t.Ptr == nil {
			continue
		}
		name := strings.ToLower(bindings.ParameterName(p.stmt, n))
		known[name] = true
		if newValueType(t).numeric() && numberLook.MatchString(b.values[name]) && slices.Contains(b.names, name) {
			numbers = append(numbers, name)
		}
		bindings.DestroyLogicalType(&t)
	}
	for _, name := range b.names {
		if !known[name] {
			unclear = append(unclear, name)
		}
	}
	return numbers, unclear
}

// templatePaths are the files of tables without rows that there are by now, and of
// those that were staged.
func (e *Engine) templatePaths() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var paths []string
	for _, t := range e.templates {
		paths = append(paths, t.path)
	}
	for _, t := range e.stages {
		paths = append(paths, t.path)
	}
	return paths
}

// nearestNames are the given parameters that were perhaps meant.
func nearestNames(name string, given []Parameter) []string {
	var near []string
	for _, p := range given {
		if editDistance(name, strings.ToLower(p.Name)) <= (len(name)+1)/4 {
			near = append(near, p.Name)
		}
	}
	return near
}
