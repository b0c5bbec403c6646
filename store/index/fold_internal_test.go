package index

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var writeFoldTable = flag.Bool("index.foldtable", false, "write fold_table.go anew; needs a new hashVersion")

// duckCases reads what DuckDB's lower and upper do: pairs (from, to).
func duckCases(t testing.TB) (lower, all [][2]rune) {
	t.Helper()
	f, err := os.Open("testdata/duckdb-case.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if fields[0] == "#" {
			continue
		}
		from, err1 := strconv.ParseInt(fields[1], 16, 32)
		to, err2 := strconv.ParseInt(fields[2], 16, 32)
		if err1 != nil || err2 != nil || len(fields) != 3 {
			t.Fatalf("line %q: want l|u FROM TO", lines.Text())
		}
		pair := [2]rune{rune(from), rune(to)}
		all = append(all, pair)
		if fields[0] == "l" {
			lower = append(lower, pair)
		}
	}
	if err := lines.Err(); err != nil || len(lower) < 1400 {
		t.Fatalf("%d pairs of lower, %v", len(lower), err)
	}
	return lower, all
}

// goCases is what this Go's own tables say.
func goCases() [][2]rune {
	var pairs [][2]rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		for _, to := range []rune{unicode.SimpleFold(r), unicode.ToLower(r), unicode.ToUpper(r), unicode.ToTitle(r)} {
			if to != r {
				pairs = append(pairs, [2]rune{r, to})
			}
		}
	}
	return pairs
}

// lower(x) = lower(y) must imply equal hashes. That holds if fold says the
// same of a code point and of its lower case.
func TestFoldingIsCoarserThanDuckDBsLower(t *testing.T) {
	lower, _ := duckCases(t)
	for _, p := range lower {
		if fold(p[0]) != fold(p[1]) {
			t.Errorf("lower(U+%04X) = U+%04X, but they fold to U+%04X and U+%04X", p[0], p[1], fold(p[0]), fold(p[1]))
		}
	}
}

func TestFoldingIsIdempotentAndKeepsASCII(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		f := fold(r)
		if f > r || fold(f) != f {
			t.Fatalf("U+%04X folds to U+%04X, and that to U+%04X", r, f, fold(f))
		}
		if r < utf8.RuneSelf && f != unicode.ToUpper(r) {
			t.Fatalf("%q folds to %q", r, f)
		}
	}
}

func TestHashFolds(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b string
		same bool
	}{
		{"ASCII", "Alice@Contoso.COM", "alice@contoso.com", true},
		{"umlauts", "MÜLLER", "müller", true},
		{"Turkish capital I with dot, as DuckDB's lower", "İpek", "ipek", true},
		{"Turkish dotless i", "ışık", "IŞIK", true},
		{"sharp s and its capital", "straße", "STRAẞE", true},
		{"sharp s is not ss to lower either", "straße", "strasse", false},
		{"Greek final sigma", "ΟΔΟΣ", "οδος", true},
		{"Greek final sigma, written so", "ΟΔΟΣ", "οδοσ", true},
		{"Kelvin sign", "\u212aelvin", "kelvin", true},
		{"Angstrom sign", "\u212bngstrom", "ångstrom", true},
		{"long s", "ſecret", "SECRET", true},
		{"micro sign and mu", "5µs", "5Μs", true},
		{"Dz in title case", "ǅ", "ǆ", true},
		{"Cherokee", "Ꭰ", "ꭰ", true},
		{"Deseret, beyond 16 bits", "\U00010400", "\U00010428", true},
		{"combining marks, same spelling", "E\u0301va", "e\u0301va", true},
		{"composed and decomposed stay two values", "\u00e9va", "e\u0301va", false},
		{"invalid UTF-8 and one replacement for each byte", "a\xff\xfeb", "A\ufffd\ufffdB", true},
		{"invalid UTF-8 and one replacement for all", "a\xff\xfeb", "A\ufffdB", true},
		{"a surrogate half", "x\xed\xa0\x80", "x\ufffd", true},
		{"a cut sequence", "x\xe2\x82", "x\ufffd", true},
		{"other values", "alice", "bob", false},
		{"NUL counts", "a\x00", "a", false},
		{"long values", strings.Repeat("Ä", 400), strings.Repeat("ä", 400), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := Hash(UserName, []byte(c.a)), Hash(UserName, []byte(c.b))
			if (a == b) != c.same {
				t.Errorf("Hash(%q) = %x, Hash(%q) = %x, want same %v", c.a, a, c.b, b, c.same)
			}
			if s := HashString(UserName, c.a); s != a {
				t.Errorf("HashString(%q) = %x, Hash %x", c.a, s, a)
			}
		})
	}
}

func TestAnActivityIDIsNotFolded(t *testing.T) {
	if HashString(ActivityID, "abc") == HashString(ActivityID, "ABC") {
		t.Error("ids that differ in case have one hash")
	}
	if HashString(ActivityID, "abc\xff") == HashString(ActivityID, "abc") {
		t.Error("ids that differ in bytes have one hash")
	}
}

// Runs outlive the program: these numbers never change under hashVersion 1.
func TestHashesAreFixedForEver(t *testing.T) {
	if hashVersion != 1 {
		t.Fatal("a new version: new numbers below, and the old ones refused")
	}
	for _, c := range []struct {
		kind  Kind
		value string
		want  uint64
	}{
		{ActivityID, "97134000_20893_7d0a", 0x70b8d451847cdb95},
		{UserName, "İstanbul@Straße.example", 0x5f1b0e06393ae477},
		{IP, "2001:db8::1", 0x1091d0d22cbc6fc},
		{SessionID, "", 0x83ed7c2b041a3869},
	} {
		if got := HashString(c.kind, c.value); got != c.want {
			t.Errorf("%v %q: %#x, want %#x", c.kind, c.value, got, c.want)
		}
	}
	sum := uint64(0)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		sum = sum*31 + uint64(fold(r))
	}
	if want := uint64(0x705c8cc3838e6592); sum != want {
		t.Errorf("the folding of all code points sums to %#x, want %#x", sum, want)
	}
}

func FuzzFoldingFollowsLower(f *testing.F) {
	lower, _ := duckCases(f)
	table := map[rune]rune{}
	for _, p := range lower {
		table[p[0]] = p[1]
	}
	f.Add("İstanbul K ſ ΟΔΟΣ")
	f.Add("a\xff\xe2\x82")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd") // what DuckDB can hold
		low := strings.Map(func(r rune) rune {
			if to, ok := table[r]; ok {
				return to
			}
			return r
		}, s)
		if Hash(IP, []byte(s)) != Hash(IP, []byte(low)) {
			t.Errorf("%q and its lower case %q have two hashes", s, low)
		}
	})
}

// With -index.foldtable: the classes are those that lower and upper of DuckDB
// and the four mappings of Go's unicode package connect.
func TestWriteFoldTable(t *testing.T) {
	if !*writeFoldTable {
		t.Skip("only with -index.foldtable")
	}
	parent := map[rune]rune{}
	var find func(r rune) rune
	find = func(r rune) rune {
		if p, ok := parent[r]; ok && p != r {
			parent[r] = find(p)
			return parent[r]
		}
		return r
	}
	_, duck := duckCases(t)
	for _, p := range append(duck, goCases()...) {
		a, b := find(p[0]), find(p[1])
		parent[max(a, b)] = min(a, b)
	}
	var runes []rune
	for r := range parent {
		if find(r) != r {
			runes = append(runes, r)
		}
	}
	slices.Sort(runes)
	var ranges []foldRange
	for i := 0; i < len(runes); {
		r := runes[i]
		best := foldRange{first: r, last: r, step: 1, delta: r - find(r)}
		n := 1
		for step := rune(1); step <= 2; step++ {
			k := 1
			for i+k < len(runes) && runes[i+k] == r+rune(k)*step && runes[i+k]-find(runes[i+k]) == best.delta {
				k++
			}
			if k > n {
				n, best.step, best.last = k, step, r+rune(k-1)*step
			}
		}
		ranges = append(ranges, best)
		i += n
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "package index\n\n// foldRanges is frozen under hashVersion %d; made by 'go test -run WriteFoldTable\n// -index.foldtable' from the case mappings of DuckDB 1.5.6\n// (testdata/duckdb-case.txt) and of Go's unicode package, version %s.\nvar foldRanges = [...]foldRange{\n", hashVersion, unicode.Version)
	for _, r := range ranges {
		fmt.Fprintf(&out, "{%#x, %#x, %d, %d},\n", r.first, r.last, r.step, r.delta)
	}
	out.WriteString("}\n")
	text, err := format.Source(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("fold_table.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
}
