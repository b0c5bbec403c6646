package hunts_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/query/hunts"
)

const sound = `id: 11111111-2222-4333-8444-555555555555
name: own-hunt
title: t
description: d
severity: high
tactics: [Impact]
techniques: [T1485]
baseline: 30d
params:
  - {name: lands, type: list, default: "BR, KP", help: countries}
needs: [activity_id, timestamp, country, raw.Operation]
false_positives: []
source: []
sql: SELECT $lands, $since, $until, $baseline FROM hunted
`

func TestABrokenHuntSaysWhatIsWrong(t *testing.T) {
	if _, err := hunts.Parse([]byte(sound)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{"id: 1111", "id: X", "no UUID"},
		{"name: own-hunt", "name: Own Hunt", "small letters"},
		{"title: t", "title: ''", "must say something"},
		{"severity: high", "severity: grave", `severity "grave" is none of`},
		{"severity: high", "sevrity: high", "sevrity"},
		{"T1485", "1485", "no number of ATT&CK"},
		{"baseline: 30d", "baseline: a month", "no length of time"},
		{"baseline: 30d\n", "", "asks for $baseline, and there is none"},
		{"type: list", "type: lists", `the type "lists" is none of`},
		{"type: list", "type: number", `"BR, KP" is no number`},
		{"name: lands", "name: since", "none is since, until, baseline"},
		{"help: countries", "help: ''", "has no help"},
		{"country,", "land,", `needs "land"`},
		{"country,", "country, country,", "twice"},
		{"country,", "raw,", `needs "raw"`},
		{"activity_id, ", "", "needs no activity_id"},
		{"$lands", "$land", "$land, which is no parameter"},
		{"FROM hunted", "FROM hunted; SELECT 2", "2 statements"},
		{"sql: SELECT $lands, $since, $until, $baseline FROM hunted", "sql: ''", "sql is empty"},
		{"sql:", "---\nsql:", ""},
		{sound, "", "it is empty"},
		{sound, "- a list", "it is no hunt"},
	} {
		text := strings.Replace(sound, c.from, c.to, 1)
		if text == sound {
			t.Fatalf("%q changes nothing", c.to)
		}
		if _, err := hunts.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %q: %v, want an error with %q", c.to, c.from, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sound))
	for _, h := range catalog(f) {
		text, err := os.ReadFile(filepath.Join("catalog", h.Name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := hunts.Parse(text)
		if (h == nil || h.Name == "") && err == nil {
			t.Error("a hunt without a name is sound")
		}
	})
}

// TestTheCatalogIsWhole: thirty hunts, each with what a hunter asks for.
func TestTheCatalogIsWhole(t *testing.T) {
	all := catalog(t)
	if len(all) != 30 {
		t.Errorf("%d hunts", len(all))
	}
	if _, err := hunts.Together(all, nil); err != nil {
		t.Error(err)
	}
	for _, h := range all {
		if len(h.Techniques) == 0 || len(h.Tactics) == 0 || len(h.Source) == 0 || len(h.FalsePositives) == 0 {
			t.Errorf("%s does not say where it comes from and what else it finds", h.Name)
		}
	}
}

func TestLengthsOfTime(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "20m": 20 * time.Minute, "48h": 48 * time.Hour, "30s": 30 * time.Second, "0d": 0} {
		if d, err := hunts.ParseDuration(text); err != nil || d != want {
			t.Errorf("%s is %s (%v)", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1w", "1.5h", "1 d", "999999d"} {
		if d, err := hunts.ParseDuration(text); err == nil {
			t.Errorf("%q is %s", text, d)
		}
	}
	if s := hunts.Duration(48 * time.Hour).String(); s != "2d" {
		t.Errorf("48 hours are %s", s)
	}
}

func TestAnAllowlist(t *testing.T) {
	read := func(text string) (hunts.Allowlist, error) {
		name := filepath.Join(t.TempDir(), "allow.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return hunts.ReadAllowlist(name)
	}
	a, err := read("exclude_users: [a@x]\nexclude_ips: [203.0.113.0/24, '2001:db8::1']\nexclude_apps: [Mail, \"20892\"]\nexclude_countries: [de]\n")
	if err != nil || a.Empty() || !slices.Equal(a.IPs, []string{"203.0.113.0/24", "2001:db8::1"}) || !slices.Equal(a.Apps, []string{"Mail", "20892"}) {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := read("# nothing yet\n"); err != nil || !a.Empty() {
		t.Errorf("an empty one is %+v, %v", a, err)
	}
	for text, want := range map[string]string{
		"exclude_ips: [10.0.0.0/33]":      "neither an address nor a range",
		"exclude_countries: [Germany]":    "two letters",
		"exclude_users: ['']":             "would take nothing out",
		"users: [a]":                      "users",
		"exclude_users: a":                "",
		"exclude_users: [a]\n\x00":        "no text in UTF-8",
		"exclude_users: [\"\xff\xfe\"]\n": "no text in UTF-8",
	} {
		if a, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %+v, %v, want an error with %q", text, a, err, want)
		}
	}
}

// TestTruthIsReadLineByLine: what is wrong with it is said with its line.
func TestTruthIsReadLineByLine(t *testing.T) {
	all, err := hunts.ReadTruth(strings.NewReader(`{"name":"a","more":1,"evidence":[{"hunt":"h","ids":["x"]}],"records":["x"]}` + "\n\n"))
	if err != nil || len(all) != 1 || all[0].Evidence[0].IDs[0] != "x" {
		t.Errorf("%+v, %v", all, err)
	}
	for text, want := range map[string]string{"": "no story", "{}\n{": "line 2", `{"name":"a","evidence":[{"hunt":"h"}]}`: "needs a hunt and the ids"} {
		if _, err := hunts.ReadTruth(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// catalog are the hunts that come with the program.
func catalog(t testing.TB) []*hunts.Hunt {
	t.Helper()
	all, err := hunts.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
