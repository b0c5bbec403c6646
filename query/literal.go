package query

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Literal is a value written as SQL, whose type is known: no place has to tell
// what it is, as with a Parameter.
type Literal string

// Text is a VARCHAR.
func Text(s string) Literal { return Literal(quoteString(s)) }

// Number is a whole number or a decimal, as a person writes it. Anything else is
// a text.
func Number(s string) Literal {
	if !numberLook.MatchString(s) {
		return Text(s)
	}
	return Literal("(" + s + ")") // a minus before a minus would begin a comment
}

// Truth is true or false.
func Truth(b bool) Literal { return Literal(strconv.FormatBool(b)) }

// List is a VARCHAR[], which may be empty.
func List(of []string) Literal {
	quoted := make([]string, len(of))
	for i, s := range of {
		quoted[i] = quoteString(s)
	}
	return Literal("CAST([" + strings.Join(quoted, ", ") + "] AS VARCHAR[])")
}

// Span is an INTERVAL, to the microsecond.
func Span(d time.Duration) Literal {
	return Literal("to_microseconds(" + strconv.FormatInt(d.Microseconds(), 10) + ")")
}

// Moment is a TIMESTAMPTZ, to the microsecond.
func Moment(t time.Time) Literal { return Literal(quoteMoment(t)) }

// Fill writes the values of a statement's parameters, by their names in lower
// case, in the places where they stand. A value can end no literal.
func Fill(sql string, values map[string]Literal) (string, error) {
	var b strings.Builder
	last := 0
	for _, t := range lex(sql) {
		name, ok := parameterName(sql, t)
		if !ok {
			continue
		}
		value, ok := values[name]
		if !ok {
			return "", fmt.Errorf("the statement asks for $%s, which has no value", name)
		}
		b.WriteString(sql[last:t.start])
		b.WriteString(" " + string(value) + " ") // beside a quote it would become a part of another literal
		last = t.end
	}
	b.WriteString(sql[last:])
	return b.String(), nil
}
