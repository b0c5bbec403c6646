package indicators

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Names of columns in a header, the first that is there counts.
var (
	valueColumns   = []string{"indicator", "value", "ioc", "indicator_value", "ioc_value", "indicatorvalue", "observable"}
	typeColumns    = []string{"type", "indicator_type", "ioc_type", "indicatortype", "kind"}
	commentColumns = []string{"comment", "description", "notes", "note", "title"}
)

// csvHeader finds a header in the first line that is no comment, and what separates
// its columns. A header names the column of the indicators.
func csvHeader(text []byte) (separator rune, header []string, ok bool) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		for _, separator := range []rune{',', ';', '\t'} {
			fields := strings.Split(strings.ToLower(string(line)), string(separator))
			for i, f := range fields {
				fields[i] = strings.Trim(f, "\" \t")
			}
			if columnOf(fields, valueColumns) >= 0 {
				return separator, fields, true
			}
		}
		return 0, nil, false
	}
	return 0, nil, false
}

func columnOf(header, names []string) int {
	for _, name := range names {
		if i := slices.Index(header, name); i >= 0 {
			return i
		}
	}
	return -1
}

func (s *Set) readCSV(name string, text []byte, separator rune, header []string) error {
	values, types, comments := columnOf(header, valueColumns), columnOf(header, typeColumns), columnOf(header, commentColumns)
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.Comment, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = separator, '#', -1, true, true
	first := true
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			first = false
			continue
		}
		line, _ := r.FieldPos(0)
		field := func(i int) string {
			if i < 0 || i >= len(record) {
				return ""
			}
			return strings.TrimSpace(record[i])
		}
		f := finding{text: field(values), place: fmt.Sprintf("%s:%d", name, line), comment: field(comments)}
		if typ := field(types); typ != "" {
			var known bool
			if f.kind, known = kindOfType(typ); !known {
				s.leaveOut(fmt.Sprintf("of the type %s, which activities do not have", shortened(typ)))
				continue
			}
		}
		if f.text == "" && strings.Join(record, "") == "" {
			continue
		}
		s.add(f)
	}
}
