package ingest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mdcalake/ingest"
	"mdcalake/store"
)

// FuzzDecode: what is JSON is decided as jsontext decides it; raw of what is
// taken is good for every reader, and untouched if it was so already; the
// columns are what the slow reference lifts; and a decoder that has learned
// the record says the same as one that has not.
func FuzzDecode(f *testing.F) {
	for _, record := range pool() {
		f.Add([]byte(record))
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if len(record) > 1<<20 {
			t.Skip("too long")
		}
		d, row := ingest.NewDecoder(), new(store.Row)
		err := d.Decode(record, row)
		checkVerdict(t, record, err)
		learned := new(store.Row)
		again := d.Decode(record, learned)
		if diff := cmp.Diff(err, again) + cmp.Diff(row, learned, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("differs the second time:\n%s", diff)
		}
		if err == nil {
			checkRaw(t, record, row)
			compareWithReference(t, row)
		}
	})
}

// checkVerdict asks jsontext whether the record is JSON apart from its bytes
// and surrogates.
func checkVerdict(t checker, record []byte, err error) {
	t.Helper()
	reason := ""
	if err != nil {
		reason = err.(*ingest.Unusable).Reason
	}
	valid := jsontext.Value(record).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	switch {
	case strings.HasPrefix(reason, "nested deeper"):
		if valid && depthOf(record) <= 512 {
			t.Errorf("refused as %s at depth %d", reason, depthOf(record))
		}
	case valid && depthOf(record) > 512:
		t.Errorf("depth %d not noticed: %q", depthOf(record), reason)
	case valid == strings.HasPrefix(reason, "not JSON"):
		t.Errorf("jsontext says valid: %v, the decoder says %q", valid, reason)
	}
}

// depthOf is how deep valid JSON text nests.
func depthOf(text []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

func checkRaw(t checker, record []byte, row *store.Row) {
	t.Helper()
	strict := func(b []byte) bool { return jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true)) }
	if !json.Valid(row.Raw()) || !strict(row.Raw()) {
		t.Errorf("raw is not for every reader: %q", row.Raw())
	}
	if good := strict(record); good != (row.Original == nil) || good && string(row.Raw()) != string(record) {
		t.Errorf("record %q (good: %v) became raw %q with original %q", record, good, row.Raw(), row.Original)
	}
	if string(row.Verbatim()) != string(record) {
		t.Errorf("verbatim bytes are %q, want %q", row.Verbatim(), record)
	}
}
