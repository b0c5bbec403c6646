package query

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The history of a prompt is a text file with one JSON string a line: an entry
// of several lines stays one, and a line that was cut short by a crash spoils
// no other.

// Bounds of a history. An entry that is longer than anybody types is a paste,
// and would push out all that was typed.
const (
	historyEntries    = 1000
	historyEntryBytes = 64 << 10
	historyBytes      = 1 << 20
)

// Remembered says whether an entry belongs into a history whose last one is
// given. One that begins with a blank is left out, as shells do.
func Remembered(entry, last string) bool {
	return strings.TrimSpace(entry) != "" && entry[0] != ' ' && entry != last && len(entry) <= historyEntryBytes
}

// AppendHistory appends an entry in the form of the file.
func AppendHistory(b []byte, entry string) []byte {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)                             // < stays readable
	_ = e.Encode(strings.ToValidUTF8(entry, "\ufffd")) // a string always encodes
	return append(b, line.Bytes()...)
}

// DecodeHistory reads a history file, oldest first, as far as the bounds go.
// What is no entry is left out. cut says that the file holds more than that,
// and should be written anew.
func DecodeHistory(data []byte) (entries []string, cut bool) {
	for line := range bytes.Lines(data) {
		var entry string
		if json.Unmarshal(bytes.TrimSpace(line), &entry) != nil || len(entry) > historyEntryBytes {
			cut = true
			continue
		}
		entries = append(entries, entry)
	}
	size, first := 0, len(entries)
	for first > 0 && len(entries)-first < historyEntries && size+len(entries[first-1]) <= historyBytes {
		first--
		size += len(entries[first])
	}
	return entries[first:], cut || first > 0
}
