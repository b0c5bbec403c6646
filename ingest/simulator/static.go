package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// staticRecord is one of Options.Records, or of a story or the noise.
type staticRecord struct {
	bytes []byte
	facts func() facts // read the first time a filter asks
	row
	saved int64 // created, or where the record stands for want of it
}

// row is what the truth says about a record; a nil member is absent or unusable.
type row struct {
	id                 *string
	timestamp, created *int64
	appID              *int64
}

func readRow(record []byte) row {
	v, err := decode(record)
	m, _ := v.(map[string]any)
	if err != nil || m == nil {
		return row{}
	}
	var r row
	switch id := m["_id"].(type) {
	case string:
		r.id = &id
	case json.Number:
		text := id.String()
		r.id = &text
	}
	r.timestamp, r.created = usableTime(m["timestamp"]), usableTime(m["created"])
	if n, ok := m["appId"].(json.Number); ok {
		if id, err := n.Int64(); err == nil {
			r.appID = &id
		}
	}
	return r
}

var (
	firstUsable = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	lastUsable  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// usableTime is a whole number of ms in this century, also as text.
func usableTime(v any) *int64 {
	n, err := number(v)
	if err != nil || n < firstUsable || n >= lastUsable {
		return nil
	}
	return &n
}

// given makes static records of those that came as bytes.
func given(records [][]byte) []staticRecord {
	list := make([]staticRecord, len(records))
	for i, b := range records {
		list[i] = newStatic(b, readRow(b))
	}
	return list
}

func newStatic(b []byte, r row) staticRecord {
	return staticRecord{bytes: b, row: r, facts: sync.OnceValue(func() facts { return readFacts(b) })}
}

// staticEntries gives given records their places. A row without a usable time
// keeps the place of its neighbour in the file, so that it is served where it was.
func staticEntries(list []staticRecord) []entry {
	entries := make([]entry, len(list))
	var last int64
	known := false
	for i := range list {
		if !known && list[i].timestamp != nil {
			last, known = *list[i].timestamp, true
			for j := range i {
				entries[j].ts = last
				if list[j].created == nil {
					entries[j].created = last
				}
			}
		}
		if t := list[i].timestamp; t != nil {
			last = *t
		} else if c := list[i].created; c != nil && !known {
			last = *c
		}
		e := entry{ts: last, created: last, n: uint32(i), act: actStatic}
		if c := list[i].created; c != nil {
			e.created = *c
		}
		entries[i] = e
	}
	for i := range list {
		list[i].saved = entries[i].created
	}
	return entries
}

// ReadRecordsFile reads the records of a file: see ReadRecords.
func ReadRecordsFile(name string) ([][]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	defer f.Close()
	list, err := ReadRecords(f)
	if err != nil {
		return nil, fmt.Errorf("read records %q: %w", name, err)
	}
	return list, nil
}

// ReadRecords takes records out of a JSON array, an API page (an object with an
// array "data" and no "_id"), a single record, or any number of these one after
// the other (NDJSON). The bytes of each record stay as they are.
func ReadRecords(r io.Reader) ([][]byte, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	dec := json.NewDecoder(bytes.NewReader(text))
	var list [][]byte
	for {
		var value json.RawMessage
		before := dec.InputOffset()
		if err := dec.Decode(&value); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("value after byte %d is no JSON: %w", before, err)
		}
		more, err := recordsOf(value)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
}

func recordsOf(value json.RawMessage) ([][]byte, error) {
	array := value
	if value[0] == '{' {
		members, err := parseMembers(value)
		if err != nil {
			return nil, err
		}
		array = nil
		for _, m := range members {
			if m.key == "_id" {
				array = nil
				break
			}
			if m.key == "data" && m.value[0] == '[' {
				array = m.value
			}
		}
	}
	if len(array) == 0 || array[0] != '[' {
		return [][]byte{value}, nil
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(array, &rows); err != nil {
		return nil, err
	}
	list := make([][]byte, len(rows))
	for i, b := range rows {
		list[i] = b
		if b == nil {
			list[i] = []byte("null")
		}
	}
	return list, nil
}
