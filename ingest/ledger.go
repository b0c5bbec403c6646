package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// What the ledger keeps of a question. A filter may name people, and the log is
// never erased: fields and operators are kept in clear, values as hashes. A hash
// tells whoever knows the value that it was asked for, and nobody else anything.

// ledgerFilter is a filter as the ledger has it; empty for none:
// user.username eq sha256:0123456789abcdef0123456789abcdef.
func ledgerFilter(filter []byte) string {
	if len(filter) == 0 {
		return ""
	}
	var all []string
	e := envelope{b: filter}
	e.peek()
	// It was checked before it was asked: there is no error to come.
	_ = e.members(func(field string) error {
		value, err := e.value()
		all = append(all, conditions(ledgerWord(field), value)...)
		return err
	})
	slices.Sort(all)
	return strings.Join(all, "; ")
}

// conditions are what a filter asks of one field.
func conditions(field string, value []byte) (all []string) {
	e := envelope{b: value}
	if e.peek() == '{' {
		_ = e.members(func(operator string) error {
			operand, err := e.value()
			all = append(all, field+" "+ledgerWord(operator)+" "+hashed(operand))
			return err
		})
	}
	if len(all) == 0 { // not in the API's form
		all = []string{field + " " + hashed(value)}
	}
	return all
}

// plainName is how the API names its fields and operators; no address and no
// name with a space is one.
var plainName = regexp.MustCompile(`^[a-z][A-Za-z0-9_.]{0,63}$`)

func ledgerWord(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return hashed([]byte(name))
}

// hashed is a JSON value as 16 bytes of the SHA-256 of its text without white
// space, members sorted.
func hashed(value []byte) string {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if d.Decode(&v) == nil {
		if text, err := json.Marshal(v); err == nil {
			value = text
		}
	}
	sum := sha256.Sum256(value)
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// ledgerReason is why a window failed, as the ledger has it. Where a filter was
// asked, the service's words may repeat it and are left out.
func ledgerReason(w Window, err error) string {
	text := err.Error()
	if len(w.Filter) > 0 {
		var status *StatusError
		var throttled *ThrottledError
		if errors.As(err, &status) && status.Text != "" {
			text = strings.ReplaceAll(text, ": "+status.Text, "")
		}
		if errors.As(err, &throttled) && throttled.Text != "" {
			text = strings.ReplaceAll(text, ": "+throttled.Text, "")
		}
	}
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + " ..."
	}
	return text
}
