package ingest

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPlainEndFindsTheFirstByteThatMatters(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			text := append(bytes.Repeat([]byte{'a'}, at), byte(c))
			text = append(append(text, 'b', '"'), make([]byte, scanPadding)...)
			want := bytes.IndexFunc(text, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' })
			if got := plainEnd(text, 0); got != want {
				t.Errorf("byte %#x at %d: got %d, want %d", c, at, got, want)
			}
		}
	}
}

func TestParseWholeIsExact(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "0e5": "0", "-0.000e-7": "0",
		"10": "10", "1e1": "10", "1E+1": "10", "100e-1": "10", "0.01e3": "10", "10.000": "10", "1000.0e-2": "10",
		"9223372036854775807": "9223372036854775807", "9223372036854775807.0": "9223372036854775807",
		"9223372036854775808": "", "-9223372036854775808": "-9223372036854775808", "-9223372036854775809": "",
		"9999999999999999999": "", "18446744073709551616": "", "99999999999999999999999": "", "1e18": "1000000000000000000", "1e19": "",
		"1.5": "", "1e-1": "", "15e-1": "", "0.1": "",
		"1" + strings.Repeat("0", 5000) + "e-5000": "1", "0." + strings.Repeat("0", 4999) + "1e5000": "1",
		"1e99999999999999999999": "", "1e-99999999999999999999": "",
		"": "", "-": "", "+1": "", "01": "", "-01": "", "1.": "", ".1": "", "1e": "", "1e+": "", " 1": "", "1 ": "", "0x1": "", "1_0": "", "١": "",
	} {
		got := ""
		if v, ok := parseWhole([]byte(text)); ok {
			got = big.NewInt(v).String()
		}
		if got != want {
			t.Errorf("%.40s is %q, want %q", text, got, want)
		}
	}
}

func TestParseWholeAgreesWithRationals(t *testing.T) {
	form := rapid.StringMatching(`-?(0|[1-9]0{0,4}[0-9]{0,16}0{0,3})(\.[0-9]{0,3}0{0,4}0)?([eE][-+]?[0-2]?[0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		text := form.Draw(t, "number")
		r, _ := new(big.Rat).SetString(text)
		want := r.IsInt() && r.Num().IsInt64()
		v, ok := parseWhole([]byte(text))
		if ok != want || ok && v != r.Num().Int64() {
			t.Fatalf("%s is %d, %v; want %s, %v", text, v, ok, r, want)
		}
	})
}

func TestUnescapedAndRepairedAgreeWithEncodingJSON(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "é", "😀", `\n`, `\\`, `\"`, `\/`, `\u0041`, `\u0000`, `\ud83d`, `\uDE00`, `\ud83d\ude00`,
		"u", "\xff", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f", "\x98\x80", "\uFFFD", `\ufffd`})
	rapid.Check(t, func(t *rapid.T) {
		inside := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		var want string
		if err := json.Unmarshal([]byte(`"`+inside+`"`), &want); err != nil {
			t.Fatal(err)
		}
		repaired := appendRepaired(nil, []byte(inside))
		if got := string(appendUnescaped(nil, repaired)); got != want {
			t.Fatalf("%q means %q, want %q", inside, got, want)
		}
		if !utf8.Valid(repaired) {
			t.Fatalf("%q was repaired to %q", inside, repaired)
		}
		if again := appendRepaired(nil, repaired); !bytes.Equal(again, repaired) {
			t.Fatalf("%q was repaired to %q, then to %q", inside, repaired, again)
		}
	})
}
