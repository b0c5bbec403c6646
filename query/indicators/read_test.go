package indicators_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mdcalake/query/indicators"
)

func read(t *testing.T, text string, o indicators.Options) *indicators.Set {
	t.Helper()
	set := &indicators.Set{}
	if err := set.Read("f", strings.NewReader(text), o); err != nil {
		t.Fatal(err)
	}
	return set
}

// lines are the indicators of a set, one a line.
func lines(s *indicators.Set) []string {
	var all []string
	for _, i := range s.Indicators {
		line := string(i.Kind) + " " + i.Value + " <- " + strings.Join(i.Places(), ", ")
		if c := i.Comment(); c != "" {
			line += " (" + c + ")"
		}
		for _, span := range i.Spans {
			line += " [" + span.String() + "]"
		}
		all = append(all, line)
	}
	return all
}

func refusals(s *indicators.Set) []string {
	var all []string
	for _, r := range s.Refused {
		all = append(all, r.String())
	}
	return all
}

func TestFormsOfAValueInAList(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.9":                           "ip 203.0.113.9",
		"203.0.113[.]9":                         "ip 203.0.113.9",
		"203.0.113.9:443":                       "ip 203.0.113.9",
		"::ffff:203.0.113.9":                    "ip 203.0.113.9",
		"2001:DB8:0::1":                         "ip 2001:db8::1",
		"[2001:db8::1]:443":                     "ip 2001:db8::1",
		"2001:db8[:]:1":                         "ip 2001:db8::1",
		"203.0.113.9/24":                        "range 203.0.113.0/24",
		"203.0.113.9/32":                        "ip 203.0.113.9",
		"::ffff:203.0.113.0/120":                "range 203.0.113.0/24",
		"2001:db8::/32":                         "range 2001:db8::/32",
		"Evil.Example.":                         "domain evil.example",
		"evil[.]example":                        "domain evil.example",
		"*.evil.example":                        "domain evil.example",
		"evil(dot)zip":                          "domain evil.zip",
		"evil.zip":                              "file-name evil.zip",
		"@evil.example":                         "domain evil.example",
		"bücher.example":                        "domain bücher.example",
		"eve[@]evil[.]example":                  "email eve@evil.example",
		"Eve@Evil.Example":                      "email eve@evil.example",
		"hxxps://evil[.]example/a?b=c#d":        "url https://evil.example/a?b=c#d",
		"evil.example/a":                        "url evil.example/a",
		"203.0.113.9/a":                         "url 203.0.113.9/a",
		"Mozilla/5.0 (evil; x)":                 "user-agent Mozilla/5.0 (evil; x)",
		"python-requests/2.31.0":                "user-agent python-requests/2.31.0",
		"*AzureHound*":                          "user-agent *AzureHound*",
		"Invoice Q4.docm":                       "file-name Invoice Q4.docm",
		`"quoted.exe"`:                          "file-name quoted.exe",
		"D41D8CD98F00B204E9800998ECF8427E":      "hash d41d8cd98f00b204e9800998ecf8427e",
		strings.Repeat("ab", 20):                "hash " + strings.Repeat("ab", 20),
		strings.Repeat("ab", 32):                "hash " + strings.Repeat("ab", 32),
		"http://[2001:db8::1]:8080/x":           "url http://[2001:db8::1]:8080/x",
		"https://evil.example # the real thing": "url https://evil.example",
	} {
		set := read(t, in, indicators.Options{})
		var got string
		for _, i := range set.Indicators {
			got += string(i.Kind) + " " + i.Value
		}
		if got != want {
			t.Errorf("%q is %q (refused %v), want %q", in, got, refusals(set), want)
		}
	}
}

func TestWhatWouldMatchEverythingIsRefused(t *testing.T) {
	for in, why := range map[string]string{
		"0.0.0.0/0":                      "every address",
		"203.0.113.9/0":                  "every address",
		"::/0":                           "every address",
		"::ffff:0:0/96":                  "every address",
		"0.0.0.0":                        "every address, or for none",
		"::":                             "every address, or for none",
		`""`:                             "would match everything",
		"**":                             "cannot be told",
		"*a*":                            "nearly every user agent",
		"* *":                            "nearly every user agent",
		"word":                           "cannot be told",
		"two words":                      "cannot be told",
		"256.1.1.1":                      "cannot be told",
		"http://":                        "no URL",
		"a@b":                            "no mail address",
		"x\x01y.example":                 "control characters",
		strings.Repeat("a", 5000) + ".b": "has 5002 bytes",
	} {
		set := read(t, in, indicators.Options{})
		if len(set.Indicators) != 0 || len(set.Refused) != 1 || !strings.Contains(set.Refused[0].Why, why) {
			t.Errorf("%q: %v, refused %v, want %q", in, lines(set), refusals(set), why)
		}
	}
}

func TestPrivateAddressesOnlyWarn(t *testing.T) {
	set := read(t, "10.1.2.3\n192.168.0.0/16\nfe80::1\n203.0.113.9\n", indicators.Options{})
	if len(set.Indicators) != 4 || len(set.Warnings) != 3 {
		t.Errorf("%v, warnings %q", lines(set), set.Warnings)
	}
}

func TestAnIndicatorOfSeveralSourcesIsOne(t *testing.T) {
	set := &indicators.Set{}
	for _, f := range []struct{ name, text string }{
		{"a", "evil[.]example # one\nEVIL.example\n"},
		{"b", "type,ioc,description\ndomain,evil.example,two\n"},
	} {
		if err := set.Read(f.name, strings.NewReader(f.text), indicators.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"domain evil.example <- a:1, a:2, b:2 (one; two)"}
	if d := cmp.Diff(want, lines(set)); d != "" {
		t.Error(d)
	}
	if set.Duplicates != 2 || set.Defanged != 1 {
		t.Errorf("%d duplicates, %d defanged", set.Duplicates, set.Defanged)
	}
}

func TestCSV(t *testing.T) {
	set := read(t, `# from somewhere
Type;Indicator;Note
SHA256;`+strings.Repeat("0a", 32)+`;"one; quoted"
ipv4;203.0.113[.]9;
hostname;203.0.113.10;an address
filename;"C:\Users\eve\drop.bin";
user-agent;;MacOs;Chrome 141.0;
mutex;Global\x;
ip;nonsense;
;evil.example;its form tells

`, indicators.Options{})
	want := []string{
		"ip 203.0.113.10 <- f:5 (an address)", "ip 203.0.113.9 <- f:4",
		"domain evil.example <- f:10 (its form tells)",
		`file-name drop.bin <- f:6`,
		"hash " + strings.Repeat("0a", 32) + " <- f:3 (one; quoted)",
	}
	if d := cmp.Diff(want, lines(set)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{`f:7: "": it is empty, and would match everything`, `f:9: "nonsense": it is no address of IPv4 or IPv6`}, refusals(set)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"of the type mutex, which activities do not have"}, set.Reasons()); d != "" {
		t.Error(d)
	}
	one := read(t, "ioc\nevil.example\n203.0.113.9\n", indicators.Options{})
	if d := cmp.Diff([]string{"ip 203.0.113.9 <- f:3", "domain evil.example <- f:2"}, lines(one)); d != "" {
		t.Error(d)
	}
}

const mispFile = `{"response":[{"Event":{"uuid":"E1","info":"a campaign",
 "Attribute":[
  {"uuid":"A1","type":"ip-dst|port","value":"203.0.113.9|443","to_ids":true,"first_seen":"2026-11-01T00:00:00.000000+00:00","last_seen":"2026-11-02T00:00:00+00:00"},
  {"uuid":"A2","type":"domain|ip","value":"evil.example|203.0.113.10","to_ids":"1","comment":"both"},
  {"uuid":"A3","type":"filename|sha256","value":"a|b.exe|` + "0101010101010101010101010101010101010101010101010101010101010101" + `","to_ids":1},
  {"uuid":"A4","type":"domain","value":"benign.example","to_ids":false},
  {"uuid":"A5","type":"mutex","value":"x","to_ids":true},
  {"uuid":"A6","type":"domain","value":"gone.example","to_ids":true,"deleted":true},
  {"uuid":"A7","type":"ip-src","value":"198.51.100.0/24","to_ids":true,"first_seen":"yesterday"}],
 "Object":[{"first_seen":"2026-10-01T00:00:00Z","Attribute":[{"uuid":"A8","type":"url","value":"https://evil.example/x","to_ids":true}]}]}}]}`

func TestMISP(t *testing.T) {
	set := read(t, mispFile, indicators.Options{})
	want := []string{
		"ip 203.0.113.10 <- f event E1 attribute A2 (both)",
		"ip 203.0.113.9 <- f event E1 attribute A1 (a campaign) [2026-11-01T00:00:00Z .. 2026-11-02T00:00:00.000001Z]",
		"domain evil.example <- f event E1 attribute A2 (both)",
		"file-name a|b.exe <- f event E1 attribute A3 (a campaign)",
		"hash " + strings.Repeat("01", 32) + " <- f event E1 attribute A3 (a campaign)",
		"url https://evil.example/x <- f event E1 attribute A8 (a campaign) [2026-10-01T00:00:00Z ..]",
	}
	if d := cmp.Diff(want, lines(set)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]int{"not meant for detection (to_ids is not set; --all-attributes takes them)": 1, "of the type mutex, which activities do not have": 1, "deleted in MISP": 1}, set.LeftOut); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{`f event E1 attribute A7: "198.51.100.0/24": first_seen: "yesterday" is no time such as 2026-11-17T09:00:00Z`}, refusals(set)); d != "" {
		t.Error(d)
	}
	if all := read(t, mispFile, indicators.Options{AllAttributes: true}); len(all.Indicators) != len(set.Indicators)+1 {
		t.Errorf("all attributes are %v", lines(all))
	}
}

func TestFormsOfMISP(t *testing.T) {
	const attribute = `{"type":"domain","value":"evil.example","to_ids":true,"event_id":"7","Event":{"uuid":"E2"}}`
	for _, text := range []string{
		`{"Event":{"uuid":"E2","Attribute":[` + attribute + `]}}`,
		`[{"Event":{"uuid":"E2","Attribute":[` + attribute + `]}}]`,
		`{"response":{"Attribute":[` + attribute + `]}}`,
		`{"Attribute":[` + attribute + `]}`,
		"[\n" + attribute + "]",
	} {
		if d := cmp.Diff([]string{"domain evil.example <- f event E2"}, lines(read(t, text, indicators.Options{}))); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestSTIX(t *testing.T) {
	n := 0
	object := func(pattern, more string) string {
		n++
		return fmt.Sprintf(`{"type":"indicator","id":"indicator--%d","name":"n%d","pattern_type":"stix","pattern":%q,"valid_from":"2026-11-01T00:00:00Z"%s}`, n, n, pattern, more)
	}
	set := read(t, `{"type":"bundle","objects":[{"type":"malware","id":"malware--1"},`+strings.Join([]string{
		object("[ipv4-addr:value = '203.0.113.9']", `,"valid_until":"2026-12-01T00:00:00Z"`),
		object("[ ipv4-addr:value IN ('203.0.113.10','203.0.113.11') OR domain-name:value='evil.example' ]", ""),
		object("[file:hashes.'SHA-256' = '"+strings.Repeat("01", 32)+"']", ""),
		object(`[file:name = 'it\'s.exe']`, ""),
		object("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'evil']", ""),
		object("[email-addr:value = 'eve@evil.example']", `,"revoked":true`),
		object("[file:name = 'a.exe' AND file:size = 3]", ""),
		object("[domain-name:value LIKE '%.example']", ""),
		object("[domain-name:value != 'x.example']", ""),
		object("[domain-name:value = 'x.example'] FOLLOWEDBY [domain-name:value = 'y.example']", ""),
		object("[domain-name:value = 'x.example'] OR [domain-name:value = 'y.example']", ""),
		object("[(domain-name:value = 'x.example')]", ""),
		object("[NOT domain-name:value = 'x.example']", ""),
		object("[windows-registry-key:key = 'x']", ""),
		object("[domain-name:value = 'x.example", ""),
		object("[ipv4-addr:value = '0.0.0.0/0']", ""),
		strings.Replace(object("rule x {}", ""), `"stix"`, `"yara"`, 1),
	}, ",")+`]}`, indicators.Options{})
	want := []string{
		"ip 203.0.113.10 <- f indicator--2 (n2) [2026-11-01T00:00:00Z ..]",
		"ip 203.0.113.11 <- f indicator--2 (n2) [2026-11-01T00:00:00Z ..]",
		"ip 203.0.113.9 <- f indicator--1 (n1) [2026-11-01T00:00:00Z .. 2026-12-01T00:00:00Z]",
		"domain evil.example <- f indicator--2 (n2) [2026-11-01T00:00:00Z ..]",
		"user-agent evil <- f indicator--5 (n5) [2026-11-01T00:00:00Z ..]",
		"file-name it's.exe <- f indicator--4 (n4) [2026-11-01T00:00:00Z ..]",
		"hash " + strings.Repeat("01", 32) + " <- f indicator--3 (n3) [2026-11-01T00:00:00Z ..]",
	}
	if d := cmp.Diff(want, lines(set)); d != "" {
		t.Error(d)
	}
	if set.LeftOut["revoked in STIX"] != 1 {
		t.Errorf("left out %v", set.LeftOut)
	}
	for n, why := range []string{
		"joined by AND", "compares with LIKE", `compares with "!=`, "FOLLOWEDBY", "stands OR", "parentheses", "says NOT", `about "windows-registry-key:key"`, "has no end", "every address", "language yara",
	} {
		if n >= len(set.Refused) || !strings.Contains(set.Refused[n].Why, why) || !strings.Contains(set.Refused[n].Place, fmt.Sprintf("indicator--%d", n+7)) {
			t.Errorf("refusal %d is not about %q: %v", n, why, refusals(set))
		}
	}
}

func TestSpansOfOneIndicatorCountTogether(t *testing.T) {
	attribute := func(first, last string) string {
		return fmt.Sprintf(`{"type":"ip-src","value":"203.0.113.9","to_ids":true,"first_seen":%q,"last_seen":%q}`, first, last)
	}
	two := `{"Attribute":[` + attribute("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z") + "," + attribute("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
	for _, c := range []struct {
		text string
		at   string
		hits int
	}{
		{two + "]}", "2026-01-01T00:00:00Z", 1},
		{two + "]}", "2026-01-02T00:00:00Z", 1},
		{two + "]}", "2026-01-02T00:00:01Z", 0},
		{two + "]}", "2025-12-31T23:59:59Z", 0},
		{two + "]}", "2026-03-01T12:00:00Z", 1},
		{two + "," + attribute("", "") + "]}", "2026-02-01T00:00:00Z", 1},
	} {
		m, err := indicators.NewMatcher(read(t, c.text, indicators.Options{}), false)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		m.Match(&indicators.Row{At: at, IP: "203.0.113.9"}, func(indicators.Hit) { hits++ })
		if hits != c.hits {
			t.Errorf("at %s: %d hits, want %d", c.at, hits, c.hits)
		}
	}
}

func TestFilesThatAreNoneOfThem(t *testing.T) {
	for text, why := range map[string]string{
		"":                              "empty",
		" \n":                           "empty",
		"a\x00b":                        "no text in UTF-8",
		"\xff\xfe":                      "no text in UTF-8",
		"{":                             "no JSON",
		`{"a":1}`:                       "neither of MISP",
		`{"type":"bundle","objects":3}`: `"objects" is a number`,
		`{"Event":{"Attribute":{}}}`:    `"Attribute" is a object`,
		strings.Repeat("[{", 20000):     "no JSON",
		`{"response":` + strings.Repeat("[", 50) + "{}" + strings.Repeat("]", 50) + "}": "too deep",
	} {
		set := &indicators.Set{}
		err := set.Read("f", strings.NewReader(text), indicators.Options{})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q: %v, want %q", text, err, why)
		}
	}
}
