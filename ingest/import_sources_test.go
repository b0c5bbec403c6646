package ingest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"mdcalake/ingest"
	"mdcalake/ingest/simulator"
)

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, what, hint string }{
		"UTF-16":          {"\xff\xfe{\x00}\x00", "UTF-16", "iconv -f UTF-16"},
		"UTF-16 unmarked": {"{\x00\"\x00", "UTF-16", "iconv -f UTF-16"},
		"CSV":             {"Date,User\n2026-11-20,ada\n", "does not begin with records", "right file"},
		"text":            {"hello", "does not begin with records", "right file"},
		"HTML":            {" \r\n<!DOCTYPE html><html>\n", "HTML", "saved page"},
		"ZIP":             {"PK\x03\x04\x14\x00", "ZIP", "unzip -p"},
		"Parquet":         {"PAR1\x15\x04", "Parquet", "query --lake"},
		"Arrow":           {"ARROW1\x00\x00", "Arrow", "JSON"},
		"Avro":            {"Obj\x01\x04", "Avro", "JSON"},
		"SQLite":          {"SQLite format 3\x00\x10", "SQLite", "JSON"},
		"bzip2":           {"BZh91AY", "bzip2", "bzip2 -dc"},
		"xz":              {"\xfd7zXZ\x00\x00", "xz", "xz -dc"},
		"7-Zip":           {"7z\xbc\xaf\x27\x1c\x00", "7-Zip", "7z e"},
		"lz4":             {"\x04\x22\x4d\x18\x64", "lz4", "lz4 -dc"},
		"tar":             {"records.json" + strings.Repeat("\x00", 245) + "ustar\x0000", "tar", "tar -x"},
		"PDF":             {"%PDF-1.7\n", "PDF", "right file"},
		"something":       {"\x7fELF\x02\x01\x01", "binary", "right file"},
		"gzip in gzip":    {gz(gz("{}")), "compressed twice", "gunzip -c"},
		"ZIP in zstd":     {zst("PK\x03\x04\x14\x00"), "ZIP", "unzip -p"},
		"tar in gzip":     {gz("x" + strings.Repeat("\x00", 256) + "ustar"), "tar", "tar -x"},
		"a cut gzip":      {gz(record("a", 0))[:12], "the gzip data is cut (at byte 12 of the file)", "whole copy"},
		"a cut zstd":      {zst(record("a", 0))[:5], "the zstd data is cut", "whole copy"},
		"a broken gzip":   {"\x1f\x8b\x08\xff\xff\xff", "the gzip data is", "whole copy"},
		"a huge window":   {"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00", "1024 MiB of memory", "--long=31"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := lakeDir(t)
			s, err := importInto(t.Context(), t, dir, nil, text("in.x", c.in))
			var e *ingest.ImportError
			if !errors.As(err, &e) || e.Name != "in.x" || !strings.Contains(err.Error(), c.what) || !strings.Contains(hint(err), c.hint) || s.Run.Outcome != "failed" || s.Head != "" {
				t.Errorf("%v (%s)", err, hint(err))
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("a lake was made")
			}
			// Beside another one it takes nothing along.
			s, err = importInto(t.Context(), t, dir, nil, text("in.x", c.in), text("good", record("a", 0)))
			if err != nil || s.Run.Outcome != "partial" || s.Run.Added != 1 || len(s.NotWhole) != 1 || s.NotWhole[0].Name != "in.x" || s.NotWhole[0].Err == nil || len(entries(t, dir)[0].Pages) != 1 {
				t.Errorf("%v, %+v", err, s)
			}
		})
	}
	// A bad beginning is no reason: it goes to quarantine.
	for _, in := range []string{"null\n" + record("a", 0), "garbage\n" + record("a", 0), "\"text\"\n5\n" + record("a", 0), "[1,{}]\n" + record("a", 0), "[]\r\n\r\n" + record("a", 0), `{"_id":"x","cut` + "\n" + record("a", 0)} {
		dir := lakeDir(t)
		if s := mustImport(t, dir, nil, text("a", in)); s.Run.Added != 1 || s.Run.Quarantined == 0 || len(s.NotWhole) > 0 {
			t.Errorf("%q: %+v", in, s.Run)
		}
	}
}

func gz(pieces ...string) string {
	var b bytes.Buffer
	for _, piece := range pieces {
		w := gzip.NewWriter(&b)
		io.WriteString(w, piece)
		w.Close()
	}
	return b.String()
}

func zst(pieces ...string) string {
	var b bytes.Buffer
	for _, piece := range pieces {
		w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		io.WriteString(w, piece)
		w.Close()
	}
	return b.String()
}

// pretty writes records one after the other, each over many lines.
func pretty(lines []byte) string {
	var b bytes.Buffer
	for line := range bytes.Lines(lines) {
		var record bytes.Buffer
		if json.Indent(&record, line, "    ", "  ") != nil {
			record.Write(line)
		}
		b.WriteString("    " + strings.TrimRight(record.String(), "\n") + "\n")
	}
	return b.String()
}

// Whatever the shape, the compression and the pieces in which it comes: the lake
// is the same.
func TestAllShapesAndCompressions(t *testing.T) {
	t.Parallel()
	sim, data := saved(t, simulator.Options{Count: 300, Revisions: 0.05, BadRecords: 0.05, Services: []int64{20893, 11161}})
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	array := func(lines []string) string { return "[" + strings.Join(lines, ",") + "]" }
	answer := func(lines []string) string { return `{"data":` + array(lines) + `,"hasNext":true,"total":3}` }
	third := len(lines) / 3
	shapes := map[string][]string{
		"lines":                       {string(data[:len(data)/3]), string(data[len(data)/3:])},
		"an array":                    {array(lines)},
		"an array, a record a line":   {"[\n" + strings.Join(lines, ",\n") + "\n]\n"},
		"arrays":                      {array(lines[:third]) + "\n", array(lines[third:])},
		"an answer":                   {answer(lines)},
		"answers, one a line":         {answer(lines[:third]) + "\n", answer(lines[third:2*third]) + "\n" + answer(lines[2*third:]) + "\n"},
		"answers, one behind another": {answer(lines[:third]), answer(lines[third:])},
		"an array of answers":         {"[" + answer(lines[:third]) + ",\n", answer(lines[third:]) + "]"},
		"answers among lines":         {"null\n" + answer(lines[:third]) + "\n", strings.Join(lines[third:], "\n")},
	}
	packings := map[string]func(...string) string{
		"plain":              func(s ...string) string { return strings.Join(s, "") },
		"gzip":               func(s ...string) string { return gz(strings.Join(s, "")) },
		"gzip, more members": gz,
		"zstd":               func(s ...string) string { return zst(strings.Join(s, "")) },
		"zstd, more frames":  zst,
		"pzstd":              func(s ...string) string { return "\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zst(s...) },
		"marked":             func(s ...string) string { return "\ufeff" + strings.Join(s, "") },
		"zeros behind":       func(s ...string) string { return gz(s...) + strings.Repeat("\x00", 700) },
	}
	pieces := []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
	}
	// Each shape in three packings, each packing with most shapes: the cutters'
	// own tests have the rest.
	names := slices.Sorted(maps.Keys(packings))
	for n, shape := range slices.Sorted(maps.Keys(shapes)) {
		parts := shapes[shape]
		for k := range 3 {
			packing := names[(n+3*k)%len(names)]
			in := packings[packing](parts...)
			read := pieces[(n+k)%len(pieces)]
			t.Run(shape+", "+packing, func(t *testing.T) {
				t.Parallel()
				dir := lakeDir(t)
				s := mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(20_000, 1<<40, 1<<20) }, source("x", read(strings.NewReader(in))))
				got := truth(t, dir, sim.Expected())
				sum := sha256.Sum256([]byte(in))
				if p := entries(t, dir)[0].Pages; len(p) != 1 || p[0].SHA256 != hex.EncodeToString(sum[:]) || p[0].Bytes != int64(len(in)) || p[0].FirstLine != 1 || p[0].Records != s.Run.Records {
					t.Errorf("%+v", p)
				}
				if len(s.NotWhole) > 0 || s.Run.Outcome != "complete" || len(got.activities) == 0 {
					t.Errorf("%+v", s)
				}
				if strings.HasPrefix(shape, "an array") && shape != "an array of answers" || shape == "an answer" {
					linesFit(t, data, got.activities, got.revisions, got.quarantine) // the n-th record
				}
			})
		}
	}
}

// The bytes of a record stay as they stand, white space and all.
func TestRecordsOverManyLinesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	_, data := saved(t, simulator.Options{Count: 100, Services: []int64{20893}})
	text := pretty(data)
	records := map[string]bool{}
	for _, r := range strings.SplitAfter(text, "\n    }\n") {
		records[strings.TrimSpace(r)] = true
	}
	for name, in := range map[string]string{
		"one behind another": text,
		"in an array":        "[\n" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n    }\n", "\n    },\n") + "\n]\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := lakeDir(t)
			mustImport(t, dir, func(o *ingest.ImportOptions) { o.SetLimits(8_000, 1<<40, 1<<20) }, source("x", strings.NewReader(in)))
			got := read(t, dir)
			if len(got.activities) < 90 || len(got.quarantine) > 0 {
				t.Errorf("%d rows, %d in quarantine", len(got.activities), len(got.quarantine))
			}
			for _, r := range got.activities {
				if !records[r.bytes] {
					t.Fatalf("%q is in no file", r.bytes)
				}
			}
		})
	}
}

func TestADamagedSourceTakesNothingAlong(t *testing.T) {
	t.Parallel()
	sim, data := saved(t, simulator.Options{Count: 400, Services: []int64{20893}})
	cable := errors.New("the cable is out")
	limits := func(o *ingest.ImportOptions) { o.SetLimits(16<<10, 200_000, 8<<20) }
	cut := func() io.Reader { return io.MultiReader(bytes.NewReader(data[:500_000]), iotest.ErrReader(cable)) }
	all := int64(bytes.Count(data, []byte{'\n'}))
	in500 := int64(bytes.Count(data[:500_000], []byte{'\n'}))
	half := bytes.LastIndexByte(data[:len(data)/2], '\n') + 1
	firstHalf := int64(bytes.Count(data[:half], []byte{'\n'}))
	broken := []byte(zst(string(data[:half]), string(data[half:])))
	frame := len(zst(string(data[:half])))
	for i := range 40 {
		broken[frame/2+i] ^= 0xff
	}
	wrongSum := []byte(gz(string(data)))
	wrongSum[len(wrongSum)-6] ^= 1
	hostile := "[" + record("y", 0) + ",{]" + strings.Repeat(`{"_id":[`, 5000) + strings.Repeat("x", 1<<20)
	array := "[" + strings.Join(strings.Split(strings.TrimSpace(string(data)), "\n"), ",") + "]"
	sum := func(in string) string { s := sha256.Sum256([]byte(in)); return hex.EncodeToString(s[:]) }
	for name, c := range map[string]struct {
		change func(*ingest.ImportOptions)
		second ingest.Source
		is     error
		came   func(n int64) bool // records of it, quarantine and all
		says   string
		sum    string // in the ledger
	}{
		"not opened":           {nil, ingest.Source{Name: "two", Open: func() (io.ReadCloser, error) { return nil, fs.ErrNotExist }}, fs.ErrNotExist, func(n int64) bool { return n == 0 }, "file does not exist", ""},
		"not read to its end":  {nil, source("two", cut()), cable, func(n int64) bool { return n == in500+1 }, "it cannot be read any further: the cable is out", ""},
		"the same, in parts":   {limits, source("two", cut()), cable, func(n int64) bool { return n == in500+1 }, "nothing behind it was read", ""},
		"not read at all":      {nil, source("two", iotest.ErrReader(cable)), cable, func(n int64) bool { return n == 0 }, "the cable is out", ""},
		"no JSON":              {nil, text("two", "1,2,3\n4,5,6\n"), nil, func(n int64) bool { return n == 0 }, "does not begin with records", ""},
		"too long a line":      {limits, text("two", strings.Repeat(record("y", 0)+"\n", 100)+record("x", 9<<20)+"\n"+record("w", 0)), nil, func(n int64) bool { return n == 101 }, "longer than 8388608 bytes", ""},
		"a cut line":           {nil, text("two", string(data[:500_000])), nil, func(n int64) bool { return n == in500+1 }, "it is cut in its last line", sum(string(data[:500_000]))},
		"hostile":              {func(o *ingest.ImportOptions) { o.SetLimits(64, 1<<40, 200_000) }, text("two", hostile), nil, func(n int64) bool { return n == 1 }, "nothing behind it was read", sum(hostile)},
		"a cut array":          {limits, text("two", array[:500_000]), nil, func(n int64) bool { return n == in500+1 }, "it is cut in a record", sum(array[:500_000])},
		"a cut gzip":           {limits, text("two", gz(string(data))[:len(gz(string(data)))/2]), io.ErrUnexpectedEOF, func(n int64) bool { return n > 100 && n < all }, "the gzip data is cut", sum(gz(string(data))[:len(gz(string(data)))/2])},
		"a wrong checksum":     {nil, text("two", string(wrongSum)), gzip.ErrChecksum, func(n int64) bool { return n == all }, "wrong checksum", sum(string(wrongSum))},
		"a cut zstd":           {limits, text("two", zst(string(data))[:len(zst(string(data)))/2]), nil, func(n int64) bool { return n > 100 && n < all }, "the zstd data is cut", sum(zst(string(data))[:len(zst(string(data)))/2])},
		"a broken frame":       {nil, text("two", string(broken)), nil, func(n int64) bool { return n >= all-firstHalf && n < all }, "the zstd data is damaged", sum(string(broken))},
		"a member and junk":    {nil, text("two", gz(string(data))+"junk"), nil, func(n int64) bool { return n == all }, "followed by something else", sum(gz(string(data)) + "junk")},
		"a broken first frame": {nil, text("two", "\x28\xb5\x2f\xfd\x04\x88\xff\xff\xff"+zst(string(data))), nil, func(n int64) bool { return n == all }, "the zstd data is damaged", sum("\x28\xb5\x2f\xfd\x04\x88\xff\xff\xff" + zst(string(data)))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := lakeDir(t)
			var warned []string
			s, err := importInto(t.Context(), t, dir, func(o *ingest.ImportOptions) {
				if c.change != nil {
					c.change(o)
				}
				o.Warn = func(text string) { warned = append(warned, text) }
			}, text("one", record("z1", 0)), c.second, text("three", record("z3", 0)))
			if err != nil {
				t.Fatal(err)
			}
			last := lastRun(t, dir)
			same(t, "the summary's run and the ledger's", last, s.Run)
			if s.Finished != 2 || last.Outcome != "partial" || last.Ended.IsZero() || len(s.NotWhole) != 1 {
				t.Fatalf("%+v", s)
			}
			short := s.NotWhole[0]
			if short.Name != "two" || short.Input != 2 || !c.came(short.Records) || !strings.Contains(short.String(), c.says) || len(warned) != 1 || warned[0] != short.String() {
				t.Errorf("%d records came of it; %s", short.Records, short.String())
			}
			if c.is != nil && !errors.Is(short.Err, c.is) && (len(short.Faults) == 0 || !errors.Is(short.Faults[0].Err, c.is)) {
				t.Errorf("%+v", short)
			}
			var reasons, sums []string
			for _, e := range entries(t, dir) {
				for _, p := range e.Pages {
					if p.Page == 2 && p.SHA256 != "" {
						sums = append(sums, p.SHA256)
					}
				}
				for _, r := range e.Coverage {
					if r.State != "imported" {
						t.Errorf("%+v", r)
					}
					if r.Reason != "" {
						reasons = append(reasons, r.Reason)
					}
				}
			}
			if c.sum != "" && (len(sums) != 1 || sums[0] != c.sum) || c.sum == "" && name != "too long a line" && len(sums) > 0 {
				t.Errorf("the ledger has %q", sums)
			}
			if short.Records > 0 && (len(reasons) != 1 || reasons[0] != "input 2 was not whole") {
				t.Errorf("reasons %q", reasons)
			}
			// The same again, once it is whole, brings what is missing and no more.
			mustImport(t, dir, c.change, source("two", bytes.NewReader(data)))
			have := map[string]bool{}
			for _, r := range read(t, dir).activities {
				var record struct {
					ID any `json:"_id"`
				}
				if err := json.Unmarshal([]byte(r.bytes), &record); err != nil {
					t.Fatal(err)
				}
				have[fmt.Sprint(record.ID)] = true
			}
			for p := range sim.Expected() {
				if !have[*p.ID] {
					t.Fatalf("%s is missing", *p.ID)
				}
				delete(have, *p.ID)
			}
			for id := range have {
				if len(id) > 2 {
					t.Errorf("%s was made up", id)
				}
			}
		})
	}
}
