package indicators_test

import (
	"slices"
	"strings"
	"testing"

	"mdcalake/query/indicators"
)

// rowOf puts a text into one column.
func rowOf(c indicators.Column, text string) *indicators.Row {
	r := &indicators.Row{}
	switch c {
	case indicators.ColumnIP:
		r.IP = text
	case indicators.ColumnOtherIPs:
		r.OtherIPs = []string{"192.0.2.1", text}
	case indicators.ColumnUserName:
		r.UserName = text
	case indicators.ColumnActorName:
		r.ActorName = text
	case indicators.ColumnAgent:
		r.UserAgent = text
	case indicators.ColumnObjectID:
		r.ObjectID = text
	case indicators.ColumnIDs:
		r.IDs = []string{text}
	case indicators.ColumnNames:
		r.Names = []string{"", text}
	case indicators.ColumnValues:
		r.Values = []string{text}
	case indicators.ColumnRaw:
		r.Raw = text
	}
	return r
}

// seen are the hits of a row, as column=value.
func seen(t *testing.T, list string, raw bool, r *indicators.Row) []string {
	t.Helper()
	set := read(t, "type,value\n"+list+"\n", indicators.Options{})
	m, err := indicators.NewMatcher(set, raw)
	if err != nil {
		t.Fatal(err)
	}
	var first []string
	for again := range 2 { // what a row remembers must not change its answer
		var hits []string
		m.Match(r, func(h indicators.Hit) { hits = append(hits, string(h.Column)+"="+h.Value) })
		if again == 0 {
			first = hits
		} else if !slices.Equal(first, hits) {
			t.Errorf("%s: %v, and again %v", list, first, hits)
		}
	}
	return first
}

func TestWhatAnIndicatorMatches(t *testing.T) {
	md5 := "d41d8cd98f00b204e9800998ecf8427e"
	type is = map[string]bool // text -> is it a hit
	for _, c := range []struct {
		list   string
		column indicators.Column
		texts  is
	}{
		{"ip,203.0.113.9", "ip", is{"203.0.113.9": true, "::ffff:203.0.113.9": true, "203.0.113.9:51234": true, " 203.0.113.9 ": true, "[::ffff:203.0.113.9]:1": true, "::FFFF:CB00:7109": true, "203.0.113.90": false, "1203.0.113.9": false, "203.0.113.9.example": false}},
		{"ip,203.0.113.9", "other_ips", is{"203.0.113.9": true, "203.0.113.8": false}},
		{"ip,203.0.113.9", "objects.name", is{"203.0.113.9": false}},
		{"ip,2001:db8::1", "ip", is{"2001:0DB8:0:0::1": true, "[2001:db8::1]:443": true, "2001:db8::1%eth0": true, "2001:db8::11": false}},
		{"ip,203.0.113.0/24", "ip", is{"203.0.113.0": true, "203.0.113.255": true, "::ffff:203.0.113.77": true, "203.0.114.0": false, "203.0.112.255": false}},
		{"ip,2001:db8::/33", "ip", is{"2001:db8:7fff::": true, "2001:db8:8000::": false, "32.1.13.184": false}},
		{"domain,evil.example", "user_name", is{"eve@evil.example": true, "Eve@Mail.Evil.Example": true, "eve@notevil.example": false, "eve@evil.example.org": false, "evil.example": false, "evil.example@good.example": false, "eve_evil.example#EXT#@good.example": true, "eve_notevil.example#EXT#@good.example": false, `EVIL.EXAMPLE\eve`: false}},
		{"domain,evil.example", "actor_name", is{"eve@evil.example": false}},
		{"domain,evil.example", "object_id", is{"https://evil.example/a": true, "https://a.b.evil.example:8443/": true, "https://user@evil.example?x": true, "https://good.example/evil.example": false, "https://good.example/?to=https://evil.example": false, "https://notevil.example": false, "evil.example/sites/x": true, "good.example/evil.example": false}},
		{"domain,evil.example", "objects.name", is{"evil.example": true, "mail to eve@evil.example, please": true, "Eve <eve@evil.example>": true, "evil.example.": true, "evil.example.docx": false, "evilexample": false, "evil": false, "-evil.example": false}},
		{"domain,evil.example", "objects.value", is{"smtp:eve@evil.example;x": true, "i:0#.f|membership|eve@evil.example": true}},
		{"email,eve@evil.example", "user_name", is{"Eve@evil.example": true, "steve@evil.example": false, "eve@evil.example.org": false, "eve@mail.evil.example": false, "eve_evil.example#EXT#@good.example": true}},
		{"email,eve@evil.example", "actor_name", is{"eve@evil.example": true, "Eve (eve@evil.example)": true}},
		{"email,eve@evil.example", "objects.id", is{"eve@evil.example": true, "mailto:eve@evil.example": true, "https://good.example/eve@evil.example": false}},
		{"email,eve@evil.example", "object_id", is{"eve@evil.example": false}},
		{"user-agent,evil/1.0 (x)", "user_agent", is{"evil/1.0 (x)": true, "EVIL/1.0 (X)": true, "evil/1.0 (x) more": false}},
		{"user-agent,*zure*ound*", "user_agent", is{"AZURE*OUND/1": true, "AzureHound/1": false}},
		{"user-agent,*hound*", "user_agent", is{"AzureHound/v2": true, "houn d": false}},
		{"file-name,Drop.exe", "object_id", is{"https://x.example/sites/a/drop.EXE": true, "https://x.example/drop.exe?web=1": true, "https://x.example/drop.exe/other": false, "https://x.example/xdrop.exe": false, `C:\temp\drop.exe`: true, "drop.exe": true}},
		{"file-name,Drop.exe", "objects.name", is{"a/drop.exe": true, "drop.exe.txt": false}},
		{"file-name,Drop.exe", "objects.id", is{"drop.exe": false}},
		{"md5," + md5, "objects.value", is{md5: true, "MD5:" + strings.ToUpper(md5): true, "0" + md5: false, md5 + "z": false, md5[1:]: false}},
		{"md5," + md5, "object_id", is{"file/" + md5 + ".bin": true}},
		{"url,https://evil.example/A?b=c", "object_id", is{"https://evil.example/a?b=c": true, "HTTPS://EVIL.example/A?b=c#frag": true, "http://evil.example/a?b=c": false, "https://evil.example/a": false, "https://evil.example/a?b=cd": false}},
		{"url,evil.example/a", "objects.value", is{"https://evil.example/a/": true, "evil.example/a": true, "https://evil.example/a/b": false}},
	} {
		for text, want := range c.texts {
			got := seen(t, c.list, false, rowOf(c.column, text))
			if (len(got) == 1) != want || want && got[0] != string(c.column)+"="+text {
				t.Errorf("%s in %s %q: %q, want a hit: %t", c.list, c.column, text, got, want)
			}
		}
	}
}

func TestWhatIsFoundInRaw(t *testing.T) {
	md5 := "d41d8cd98f00b204e9800998ecf8427e"
	for _, c := range []struct{ list, text, want string }{
		{"ip,203.0.113.9", `{"ClientIP":"203.0.113.9:443"}`, "203.0.113.9"},
		{"ip,203.0.113.9", `"::ffff:203.0.113.9"`, "203.0.113.9"},
		{"ip,203.0.113.9", `"1203.0.113.9"`, ""},
		{"ip,203.0.113.9", `"203.0.113.90"`, ""},
		{"ip,203.0.113.9", `"203.0.113.9.1"`, ""},
		{"ip,2001:db8::1", `"2001:DB8::1"`, "2001:DB8::1"},
		{"ip,2001:db8::1", `"2001:db8::1:2"`, ""},
		{"cidr,203.0.113.0/24", `"203.0.113.9" "203.0.113.0/24"`, ""},
		{"domain,evil.example", `"x":"https:\/\/a.EVIL.example\/b"`, "EVIL.example"},
		{"domain,evil.example", `"notevil.example evil.example.org evil.example-x"`, ""},
		{"email,eve@evil.example", `"to":"eve@evil.example"`, "eve@evil.example"},
		{"email,eve@evil.example", `"steve@evil.example"`, ""},
		{"user-agent,evil (x)", `"evil (x)"`, "evil (x)"},
		{`user-agent,say "hi"`, `{"a":"say \"hi\""}`, `say \"hi\"`},
		{"user-agent,*hound*", `"AzureHounds"`, "Hound"},
		{"file-name,drop.exe", `"a\/drop.exe"`, "drop.exe"},
		{"file-name,drop.exe", `"xdrop.exe"`, ""},
		{"md5," + md5, `"` + md5 + `"`, md5},
		{"md5," + md5, `"` + md5 + `0"`, ""},
		{"url,https://evil.example/a", `"https:\/\/evil.example\/a"`, `https:\/\/evil.example\/a`},
		{"url,https://evil.example/a", `"https://evil.example/abc"`, ""},
	} {
		var want []string
		if c.want != "" {
			want = []string{"raw=" + c.want}
		}
		if got := seen(t, c.list, true, rowOf(indicators.ColumnRaw, c.text)); !slices.Equal(got, want) {
			t.Errorf("%s in %s: %q, want %q", c.list, c.text, got, want)
		}
		if got := seen(t, c.list, false, rowOf(indicators.ColumnRaw, c.text)); got != nil {
			t.Errorf("%s in %s: %q, and raw was not asked for", c.list, c.text, got)
		}
	}
}

// One indicator in several places of a row is one hit a column.
func TestOneHitAColumn(t *testing.T) {
	r := &indicators.Row{UserName: "eve@evil.example", Names: []string{"a.evil.example", "b.evil.example"}, Values: []string{"evil.example"}}
	want := []string{"user_name=eve@evil.example", "objects.name=a.evil.example", "objects.value=evil.example"}
	if got := seen(t, "domain,evil.example", false, r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTooMuchToBeFoundInRaw(t *testing.T) {
	var list strings.Builder
	list.WriteString("type,value\n")
	for i := range 2000 {
		list.WriteString("filename," + strings.Repeat(string(rune('a'+i%26))+string(rune('a'+i/26%26)), 1000) + string(rune('a'+i/676)) + "é\n")
	}
	set := read(t, list.String(), indicators.Options{})
	if _, err := indicators.NewMatcher(set, false); err != nil {
		t.Errorf("without raw: %v", err)
	}
	if _, err := indicators.NewMatcher(set, true); err == nil || !strings.Contains(err.Error(), "look for them in parts") {
		t.Errorf("with raw: %v", err)
	}
}
