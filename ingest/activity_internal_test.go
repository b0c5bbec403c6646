package ingest

import (
	"strconv"
	"strings"
	"testing"

	"mdcalake/store"
)

func TestEveryColumnIsLiftedFromItsSource(t *testing.T) {
	paths := map[string][]string{}
	for _, f := range liftedFields {
		paths[f.column] = append(paths[f.column], f.path)
	}
	for i, c := range store.Columns {
		got := strings.Join(paths[c.Name], ", else ")
		if c.Type == store.TypeObjects {
			got += "[]"
		}
		want := c.Source
		if c.Partition || c.Source == "the record" || c.Source == "mdcalake" {
			want = ""
		}
		if got != want {
			t.Errorf("column %s comes from %q, want %q", c.Name, got, want)
		}
		if i >= firstSpareBit {
			t.Errorf("column %s has drift bit %d, which is a spare", c.Name, i)
		}
	}
}

func TestWhatIsLearnedIsBounded(t *testing.T) {
	d, row := NewDecoder(), new(store.Row)
	for i := range 3 * maxLearned {
		key := `"k` + strconv.Itoa(i) + `":`
		record := `{"_id":"a","timestamp":1700000000000,` + key + `{` + key + `[{` + key + `{}}]},"user":{` + key + `1}}`
		if err := d.Decode([]byte(record), row); err != nil {
			t.Fatal(err)
		}
	}
	if d.learned != maxLearned || d.root.learned > maxLearnedInNode {
		t.Errorf("learned %d keys, %d of them at the top", d.learned, d.root.learned)
	}
	fresh := NewDecoder()
	long := strings.Repeat("k", maxLearnedLength+1)
	if err := fresh.Decode([]byte(`{"_id":"a","timestamp":1700000000000,"`+long+`":1}`), row); err != nil {
		t.Fatal(err)
	}
	if fresh.learned != 0 {
		t.Errorf("learned a key of %d bytes", len(long))
	}
}
