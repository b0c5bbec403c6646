package hunts

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"mdcalake/query"
)

// ParamType is what a parameter's value is.
type ParamType string

// The types.
const (
	NumberParam   ParamType = "number"
	DurationParam ParamType = "duration" // an INTERVAL: 90d, 12h, 20m, 30s
	TextParam     ParamType = "text"
	BooleanParam  ParamType = "boolean"
	// ListParam is a VARCHAR[]: a, b, c, or @FILE with one on each line.
	ListParam ParamType = "list"
)

// literal is a value of the type as SQL.
func (t ParamType) literal(value string) (query.Literal, error) {
	switch t {
	case NumberParam:
		l := query.Number(value)
		if l == query.Text(value) {
			return "", fmt.Errorf("%q is no number", value)
		}
		return l, nil
	case DurationParam:
		d, err := ParseDuration(value)
		return query.Span(d), err
	case TextParam:
		return query.Text(value), nil
	case BooleanParam:
		if value != "true" && value != "false" {
			return "", fmt.Errorf("%q is neither true nor false", value)
		}
		return query.Truth(value == "true"), nil
	case ListParam:
		items, err := readList(value)
		return query.List(items), err
	}
	return "", fmt.Errorf("the type %q is none of number, duration, text, boolean, list", t)
}

// readList takes a list apart. Spaces around items and empty items are left out.
func readList(value string) ([]string, error) {
	sep := ","
	if name, ok := strings.CutPrefix(value, "@"); ok {
		text, err := readSmall(name)
		if err != nil {
			return nil, err
		}
		value, sep = text, "\n"
	}
	var items []string
	for item := range strings.SplitSeq(value, sep) {
		if item = strings.TrimSpace(item); item != "" && !(sep == "\n" && item[0] == '#') {
			items = append(items, item)
		}
	}
	return items, nil
}

// maxList bounds a file of values.
const maxList = 16 << 20

func readSmall(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.Size() > maxList {
		return "", fmt.Errorf("%s has %d bytes, and a list has at most %d", name, info.Size(), maxList)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(text) || strings.IndexByte(string(text), 0) >= 0 {
		return "", fmt.Errorf("%s is no text in UTF-8", name)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}
