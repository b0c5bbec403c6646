package indicators_test

import (
	"strings"
	"testing"

	"mdcalake/query/indicators"
)

// readAll reads hostile bytes: whatever they are, there is a set or an error, every
// indicator that was taken can be looked for, and is taken again as the same.
func readAll(t *testing.T, text []byte) {
	set := &indicators.Set{}
	if err := set.Read("f", strings.NewReader(string(text)), indicators.Options{AllAttributes: true}); err != nil {
		return
	}
	for _, i := range set.Indicators {
		if len(i.Sources) == 0 || i.Value == "" {
			t.Fatalf("%+v has no source or no value", i)
		}
		again := &indicators.Set{}
		csv := "type,value\n" + string(i.Kind) + `,"` + strings.ReplaceAll(i.Value, `"`, `""`) + "\"\n"
		if err := again.Read("f", strings.NewReader(csv), indicators.Options{}); err != nil {
			t.Fatalf("%q: %v", csv, err)
		}
		if len(again.Indicators) != 1 || again.Indicators[0].Kind != i.Kind || again.Indicators[0].Value != i.Value {
			t.Fatalf("%s %q is read again as %v (refused %v)", i.Kind, i.Value, lines(again), refusals(again))
		}
	}
	m, err := indicators.NewMatcher(set, len(text) < 4096)
	if err != nil {
		t.Fatal(err)
	}
	m.Match(&indicators.Row{IP: string(text), UserName: string(text), ObjectID: string(text), Names: []string{string(text)}, Raw: string(text)}, func(h indicators.Hit) {
		if h.Value == "" {
			t.Fatalf("%s %q matches nothing in %q", set.Indicators[h.Indicator].Kind, set.Indicators[h.Indicator].Value, text)
		}
	})
}

func FuzzList(f *testing.F) {
	for _, s := range []string{"203.0.113[.]9 # x\nhxxp://evil[.]example/a", "*a b*", "@a.b\n\"x\"\n", "::ffff:0:0/97", "a.b:1", "<a@b.cd>", "..a.bc..", "mailto:mailto:a@b.cd"} {
		f.Add([]byte(s))
	}
	f.Fuzz(readAll)
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("type,value\nip,1.2.3.4\nurl,\"x\"\"y\"\n"))
	f.Add([]byte("ioc;kind\n*;user-agent\n\"a\nb\";file\n"))
	f.Fuzz(func(t *testing.T, text []byte) { readAll(t, append([]byte("type,value\n"), text...)) })
}

func FuzzMISP(f *testing.F) {
	f.Add([]byte(mispFile))
	f.Add([]byte(`{"response":{"Attribute":[{"type":"domain|ip","value":"a.bc|1.2.3.4","Event":{"Attribute":[]}}]}}`))
	f.Add([]byte(`[[[{"Event":null}]]]`))
	f.Fuzz(readAll)
}

func FuzzSTIX(f *testing.F) {
	for _, p := range []string{"[ipv4-addr:value = '1.2.3.4']", "[file:name IN ('a', 'b\\'c')] OR", "[url:value='x", "[", "[file:hashes.'MD5'=''"} {
		f.Add(p, "2026-11-01T00:00:00Z")
	}
	f.Fuzz(func(t *testing.T, pattern, from string) {
		quote := func(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }
		readAll(t, []byte(`{"type":"bundle","objects":[{"type":"indicator","id":"i","pattern":"`+quote(pattern)+`","valid_from":"`+quote(from)+`"}]}`))
	})
}

// FuzzRaw: many phrases at once are found where each by itself is.
func FuzzRaw(f *testing.F) {
	f.Add("abc\nbca\ncab\nab", "xabcabx")
	f.Add("aaa\naaaa", "AAAAA")
	f.Fuzz(func(t *testing.T, list, text string) {
		var csv strings.Builder
		csv.WriteString("type,value\n")
		for part := range strings.Lines(list) {
			csv.WriteString("user-agent,\"*" + strings.ReplaceAll(strings.TrimSpace(part), `"`, `""`) + "*\"\n")
		}
		set := &indicators.Set{}
		if len(list) > 500 || set.Read("f", strings.NewReader(csv.String()), indicators.Options{}) != nil {
			return
		}
		m, err := indicators.NewMatcher(set, false)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int]bool{}
		m.Match(&indicators.Row{UserAgent: text}, func(h indicators.Hit) { got[h.Indicator] = true })
		ascii := func(s string) string { // only those letters have no case here
			return strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
		for n, i := range set.Indicators {
			want := strings.Contains(ascii(text), strings.ToLower(i.Value[1:len(i.Value)-1]))
			if got[n] != want {
				t.Fatalf("%q in %q: %t, want %t", i.Value, text, got[n], want)
			}
		}
	})
}
