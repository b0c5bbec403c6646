package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What became of an odd record.
const (
	kept        = "kept"        // raw is what came, byte for byte
	mended      = "mended"      // raw is what every JSON reader accepts, raw_original what came
	quarantined = "quarantined" // only its bytes are there
)

// oddPages says, for each file of testdata/pages, what must become of the
// records in it. A file is an answer of the API with one oddity; its records
// stand on a line each, so that their bytes are known without a parser.
var oddPages = map[string][]string{
	"duplicate-keys":      {kept},
	"case-twins":          {kept},
	"numbers-beyond-2-53": {kept, kept, kept, kept},
	"lone-surrogates":     {mended, mended, mended, mended, mended, kept, kept},
	"invalid-utf8":        {mended, mended, mended, mended, mended, mended, kept},
	"nul-escapes":         {kept, kept, kept},
	"no-object":           {quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined},
	"missing-id":          {quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, quarantined, kept},
	"timestamps": {kept, kept, kept, kept, quarantined, quarantined, quarantined, quarantined, quarantined,
		quarantined, quarantined, quarantined, quarantined, quarantined, quarantined},
	"empty-strings": {kept},
	"spellings":     {kept, kept, kept},
	"wrong-types":   {kept},
}

// oddColumns are typed columns of some of them, as JSON.
var oddColumns = map[string]string{
	"dup-first":        `{"timestamp":"2026-11-19T12:00:00Z","description":"first","user_name":"first"}`,
	"twins":            `{"app_id":11161,"severity":"INFO","workload":"yes"}`,
	"big-app":          `{"app_id":"9007199254740993","service":"9007199254740993","object_id":"9007199254740993"}`, // text: a JSON reader with floats would change it
	"big-over":         `{"app_id":null,"service":0}`,
	"9007199254740993": `{"service":0}`,
	"sur-high":         `{"description":"a` + "\ufffd" + `b"}`,
	"sur-pair":         `{"description":"😀"}`,
	"sur-text":         `{"description":"\\ud800"}`,
	"utf-byte":         `{"description":"a` + "\ufffd" + `b"}`,
	"utf-good":         `{"description":"ä 湖 😀 ` + "\u2028" + `"}`,
	"nul-text":         `{"description":"a\u0000b"}`,
	"ts-text":          `{"timestamp":"2026-11-19T12:00:00Z","date":"2026-11-19"}`,
	"ts-zero-fraction": `{"timestamp":"2026-11-19T12:00:00Z"}`,
	"ts-first":         `{"timestamp":"2000-01-01T00:00:00Z","date":"2000-01-01"}`,
	"ts-last":          `{"timestamp":"2099-12-31T23:59:59.999Z","date":"2099-12-31"}`,
	"empty":            `{"app_name":"","description":"","user_name":"","user_tags":[],"ip":"","city":"","other_ips":[""]}`,
	"types":            `{"app_id":20893,"service":20893,"app_name":"5","tenant_id":null,"event_type":null,"user_name":null,"latitude":52.5,"ip_category":1,"is_success":true,"objects":null}`,
}

// oddRecord is one record of the pages.
type oddRecord struct {
	page  string
	bytes []byte
	fate  string
}

func oddRecords(t *testing.T) (records []oddRecord) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pages", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		page := strings.TrimSuffix(filepath.Base(file), ".json")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(text, []byte("\n"))
		lines = lines[1 : len(lines)-2]
		if len(lines) != len(oddPages[page]) {
			t.Fatalf("page %s has %d records, and the fates of %d are known", page, len(lines), len(oddPages[page]))
		}
		for i, line := range lines {
			records = append(records, oddRecord{page, bytes.Clone(bytes.TrimSuffix(line, []byte(","))), oddPages[page][i]})
		}
	}
	if len(files) != len(oddPages) {
		t.Fatalf("%d pages are there, %d are known", len(files), len(oddPages))
	}
	// Two that are too long for a file in the project.
	huge := fmt.Appendf(nil, `{"_id":"huge","timestamp":1795089600000,"description":%q,"x":%q}`, strings.Repeat("d", 1<<20), strings.Repeat("0123456789abcdef", 20<<16))
	deep := fmt.Appendf(nil, `{"_id":"deep","timestamp":1795089600000,"x":%s%s}`, strings.Repeat("[", 500), strings.Repeat("]", 500))
	return append(records, oddRecord{"huge", huge, kept}, oddRecord{"deep", deep, kept})
}

func TestOddRecordsOfTheAPI(t *testing.T) {
	t.Parallel()
	records := oddRecords(t)
	var pages [][]byte
	var names []string
	for _, r := range records {
		if !slices.Contains(names, r.page) {
			names = append(names, r.page)
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "pages", name+".json"))
		if err != nil {
			i := slices.IndexFunc(records, func(r oddRecord) bool { return r.page == name })
			text = slices.Concat([]byte(`{"data":[`), records[i].bytes, []byte(`],"hasNext":false}`))
		}
		pages = append(pages, text)
	}
	// The files stand in a chain, each the page after the other.
	requests := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Filters struct{ Page int } }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Filters.Page >= len(pages) || requests > 100 {
			http.Error(w, "no such page", http.StatusBadRequest)
			return
		}
		requests++
		page := pages[q.Filters.Page]
		if next := q.Filters.Page + 1; next < len(pages) {
			page = bytes.Replace(page, []byte(`],"hasNext":false}`), fmt.Appendf(nil, `],"hasNext":true,"nextQueryFilters":{"page":%d}}`, next), 1)
		}
		w.Write(page)
	}))
	defer srv.Close()
	dir := t.TempDir()
	args := []string{"ingest", "--url", srv.URL, "--since", "2026-11-19", "--until", "2026-11-20", "--rate", "0", "--summary-json", "-"}
	out, errs, code := mdcalake(t, dir, nil, args...)
	if code != exitPartial {
		t.Errorf("exit code %d, want %d for new records in quarantine", code, exitPartial)
	}
	if !strings.Contains(errs, "warning: ") || !strings.Contains(errs, "could not be read and are in quarantine") {
		t.Error("nothing is said of the quarantine")
	}
	checkOddLake(t, dir, records, out, 2) // the end of the window is asked for twice, and the chain begins anew

	// Known by now, they are no news.
	args = append(args, "--again")
	if _, _, code = mdcalake(t, dir, nil, args...); code != exitDone {
		t.Errorf("exit code %d, want 0: all is known", code)
	}
	if _, _, code = mdcalake(t, dir, nil, append(args, "--strict")...); code != exitPartial {
		t.Errorf("exit code %d with --strict, want %d", code, exitPartial)
	}
	checkOddLake(t, dir, records, "", 0)
}

func TestOddRecordsOfAFile(t *testing.T) {
	t.Parallel()
	records := oddRecords(t)
	dir := t.TempDir()
	var lines []byte
	for _, r := range records {
		lines = append(append(lines, r.bytes...), '\n')
	}
	if err := os.WriteFile(filepath.Join(dir, "odd.jsonl"), lines, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, code := mdcalake(t, dir, nil, "import", "odd.jsonl", "--summary-json", "-")
	if code != exitPartial {
		t.Errorf("exit code %d, want %d for new records in quarantine", code, exitPartial)
	}
	checkOddLake(t, dir, records, out, 1)
}

// checkOddLake compares the lake in dir with what must have become of the
// records, each of which came so many times.
func checkOddLake(t *testing.T, dir string, records []oddRecord, summary string, times int) {
	t.Helper()
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	want := map[string]string{} // fate and hash of the verbatim bytes -> page
	bad := map[string]int{}
	for _, r := range records {
		want[r.fate+" "+sum(r.bytes)] = r.page
		if r.fate == quarantined {
			bad[sum(r.bytes)]++
		}
	}
	if summary != "" {
		var s summaryJSON
		if err := json.Unmarshal([]byte(summary), &s); err != nil {
			t.Fatal(err)
		}
		if total := int64(len(records) * times); s.Records != total || s.Quarantined != int64(len(bad)) || s.Added+s.Quarantined+s.Duplicates != total {
			t.Errorf("the summary counts wrong: %+v, for %d records with %d in quarantine", s, total, len(bad))
		}
	}
	const ask = `select case when raw_original is null then 'kept' else 'mended' end as fate, sha256(coalesce(raw_original, encode(raw))) as hash,
  (raw_original is null or raw_original <> encode(raw)) and json_valid(raw) as sound from activities
union all select 'quarantined', sha256(bytes), reason <> '' from quarantine`
	for _, line := range queryLines(t, dir, ask) {
		var row struct {
			Fate, Hash string
			Sound      bool
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		key := row.Fate + " " + row.Hash
		if _, ok := want[key]; !ok {
			t.Errorf("%s is there, and should not", key)
		}
		if !row.Sound {
			t.Errorf("%s of page %s: raw is no JSON, or raw_original says what raw does, or no reason is given", key, want[key])
		}
		delete(want, key)
	}
	for key, page := range want {
		t.Errorf("a record of page %s is lost or had another fate: %s", page, key)
	}
	for _, line := range queryLines(t, dir, "select * exclude (raw, raw_original) from activities where length(description) < 1000 or description is null") {
		var row map[string]json.RawMessage
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var id string
		if err := json.Unmarshal(row["activity_id"], &id); err != nil {
			t.Fatal(err)
		}
		var columns map[string]json.RawMessage
		if text, ok := oddColumns[id]; ok {
			if err := json.Unmarshal([]byte(text), &columns); err != nil {
				t.Fatal(err)
			}
		}
		for name, value := range columns {
			if got := plain(t, row[name]); got != plain(t, value) {
				t.Errorf("%s: column %s is %s, want %s", id, name, got, plain(t, value))
			}
		}
	}
	if out, _, code := mdcalake(t, dir, nil, "verify"); code != exitDone {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}
}

// plain is one spelling of a JSON value.
func plain(t *testing.T, text json.RawMessage) string {
	t.Helper()
	if text == nil {
		return "missing"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// queryLines are the rows of an answer as JSON objects.
func queryLines(t *testing.T, dir, sql string) [][]byte {
	t.Helper()
	out, errs, code := mdcalake(t, dir, nil, "query", "-o", "jsonl", sql)
	if code != exitDone {
		t.Fatalf("query: exit code %d: %s", code, errs)
	}
	return bytes.Split(bytes.TrimSuffix([]byte(out), []byte("\n")), []byte("\n"))
}
