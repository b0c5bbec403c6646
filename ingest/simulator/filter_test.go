package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

// object is a decoded record with a way to ask for a path.
type object map[string]any

func (o object) at(path string) any {
	var v any = map[string]any(o)
	for k := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

func (o object) text(path string) string {
	v := o.at(path)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (o object) list(path string) []string {
	var out []string
	l, _ := o.at(path).([]any)
	for _, v := range l {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

func (o object) has(path, value string) bool {
	for _, v := range o.list(path) {
		if v == value {
			return true
		}
	}
	return false
}

func (o object) user() string {
	if u := o.text("user.userName"); u != "" {
		return u
	}
	return o.text("failedUserData.userName")
}

func (o object) someObject(match func(map[string]any) bool) bool {
	l, _ := o.at("mainInfo.eventObjects").([]any)
	for _, v := range l {
		if m, ok := v.(map[string]any); ok && match(m) {
			return true
		}
	}
	return false
}

func TestEachFilterAgreesWithTheDecodedRecord(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 12, Count: 700, Revisions: 0.2})
	var all []object
	for _, b := range truth(s) {
		all = append(all, decoded(t, b))
	}
	// What to ask for comes from the data, so that no filter is asked in vain.
	find := func(match func(object) bool) object {
		for _, o := range all {
			if match(o) {
				return o
			}
		}
		t.Fatal("no record to take a value from")
		return nil
	}
	some := find(func(o object) bool { return o.user() != "" && o.text("appId") == "20893" })
	user := some.user()
	tag := find(func(o object) bool { return len(o.list("user.userTags")) > 0 }).list("user.userTags")[0]
	file := find(func(o object) bool { return strings.HasPrefix(o.text("eventTypeValue"), "EVENT_O365_SHARE") })
	fileObject := file.at("mainInfo.eventObjects").([]any)[1].(map[string]any)
	fileID, fileName := fmt.Sprint(fileObject["id"]), fmt.Sprint(fileObject["name"])
	taken := find(func(o object) bool { return len(o.list("performedActionNamesSet")) > 0 }).list("performedActionNamesSet")[0]
	rule := find(func(o object) bool { return len(o.list("matchingRules")) > 0 }).list("matchingRules")[0]
	ip := some.text("device.clientIP")
	ipTag := find(func(o object) bool { return len(o.list("location.ipTags")) > 0 }).list("location.ipTags")[0]
	day := now.UnixMilli() - 24*3600*1000
	oneCreated := facet(t, truth(s)[100], "created")
	time := func(o object, k string) int64 {
		n, _ := o.at(k).(json.Number).Int64()
		return n
	}
	country := func(o object) string { return strings.Trim(o.text("location.countryCode"), "-") }
	domain := func(o object) string {
		_, d, _ := strings.Cut(o.user(), "@")
		return d[strings.LastIndex(d, "@")+1:]
	}
	folds := func(s, sub string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(sub)) }

	for _, c := range []struct {
		filter string
		want   func(object) bool
		none   bool // no record is expected
		every  bool // all are
	}{
		{filter: `{"service":{"eq":20893}}`, want: func(o object) bool { return o.text("appId") == "20893" }},
		{filter: `{"service":{"eq":[20893,28375]}}`, want: func(o object) bool { return o.text("appId") == "20893" || o.text("appId") == "28375" }},
		{filter: `{"service":{"neq":[20893,28375]}}`, want: func(o object) bool { return o.text("appId") != "20893" && o.text("appId") != "28375" }},
		{filter: `{"service":{"eq":"20893"},"user.username":{"eq":["` + user + `"]}}`, want: func(o object) bool { return o.text("appId") == "20893" && o.user() == user }},
		{filter: `{"instance":{"eq":0}}`, want: func(object) bool { return true }, every: true},
		{filter: `{"instance":{"neq":0}}`, want: func(object) bool { return false }, none: true},
		{filter: `{"user.orgUnit":{"isnotset":true}}`, want: func(object) bool { return true }, every: true},
		{filter: `{"user.orgUnit":{"isset":true}}`, want: func(object) bool { return false }, none: true},
		{filter: `{"user.username":{"eq":"` + strings.ToUpper(user) + `"}}`, want: func(o object) bool { return o.user() == user }},
		{filter: `{"user.username":{"neq":"` + user + `"}}`, want: func(o object) bool { return o.user() != user }},
		{filter: `{"user.username":{"isset":true}}`, want: func(o object) bool { return o.user() != "" }},
		{filter: `{"user.username":{"isnotset":true}}`, want: func(o object) bool { return o.user() == "" }},
		{filter: `{"user.username":{"startswith":["a","v"]}}`, want: func(o object) bool { return strings.HasPrefix(o.user(), "a") || strings.HasPrefix(o.user(), "v") }},
		{filter: `{"user.tags":{"eq":["` + tag + `"]}}`, want: func(o object) bool { return o.has("user.userTags", tag) }},
		{filter: `{"user.tags":{"neq":[{"role":1,"adv":true},"` + tag + `"]}}`, want: func(o object) bool { return !o.has("user.userTags", tag) }},
		{filter: `{"user.domain":{"eq":"fabrikam.example"}}`, want: func(o object) bool { return strings.Contains(o.user(), "@") && domain(o) == "fabrikam.example" }},
		{filter: `{"user.domain":{"isset":true}}`, want: func(o object) bool { return strings.Contains(o.user(), "@") }},
		{filter: `{"entity":{"eq":[{"id":"` + user + `","inst":0,"saas":11161}]}}`, want: func(o object) bool {
			return o.someObject(func(m map[string]any) bool { return m["id"] == user })
		}},
		{filter: `{"actionType":{"eq":["FileAccessed","Send"]}}`, want: func(o object) bool {
			op := o.text("mainInfo.rawOperationName")
			return op == "FileAccessed" || op == "Send"
		}},
		{filter: `{"activity.actionType":{"eq":"11161:EVENT_AAD_LOGIN:OAuth2:Authorize"}}`, want: func(o object) bool {
			return o.text("appId") == "11161" && o.text("eventTypeValue") == "EVENT_AAD_LOGIN" && o.text("mainInfo.rawOperationName") == "OAuth2:Authorize"
		}},
		{filter: `{"actionType":{"contains":"inboxrule"}}`, want: func(o object) bool { return folds(o.text("mainInfo.rawOperationName"), "inboxrule") }},
		{filter: `{"activity.eventActionType":{"eq":"EVENT_CATEGORY_FAILED_LOGIN"}}`, want: func(o object) bool { return o.text("eventTypeName") == "EVENT_CATEGORY_FAILED_LOGIN" }},
		{filter: `{"activity.eventType":{"neq":["EVENT_CATEGORY_LOGIN"]}}`, want: func(o object) bool { return o.text("eventTypeName") != "EVENT_CATEGORY_LOGIN" }},
		{filter: `{"activity.id":{"eq":"` + some.text("_id") + `"}}`, want: func(o object) bool { return o.text("_id") == some.text("_id") }},
		{filter: `{"activity.impersonated":{"eq":false}}`, want: func(object) bool { return true }, every: true},
		{filter: `{"activity.type":{"eq":true}}`, want: func(o object) bool { return o.at("eventRouting.adminEvent") == true }},
		{filter: `{"activity.type":{"eq":false}}`, want: func(o object) bool { return o.at("eventRouting.adminEvent") != true }},
		{filter: `{"activity.takenAction":{"eq":"` + taken + `"}}`, want: func(o object) bool { return o.has("performedActionNamesSet", taken) }},
		{filter: `{"activity.alertId":{"eq":"x"}}`, want: func(object) bool { return false }, none: true},
		{filter: `{"activityObject":{"eq":"` + fileName + `"}}`, want: func(o object) bool {
			return o.someObject(func(m map[string]any) bool { return m["name"] == fileName || m["id"] == fileName })
		}},
		{filter: `{"device.type":{"eq":["MOBILE","TABLET"]}}`, want: func(o object) bool { d := o.text("userAgent.deviceType"); return d == "MOBILE" || d == "TABLET" }},
		{filter: `{"device.type":{"neq":["DESKTOP"]}}`, want: func(o object) bool { return o.text("userAgent.deviceType") != "DESKTOP" }},
		{filter: `{"device.tags":{"eq":["x"]}}`, want: func(object) bool { return false }, none: true},
		{filter: `{"userAgent.userAgent":{"contains":["CHROME/"]}}`, want: func(o object) bool { return folds(o.text("device.userAgent"), "chrome/") }},
		{filter: `{"userAgent.userAgent":{"ncontains":["chrome","safari"]}}`, want: func(o object) bool {
			return !folds(o.text("device.userAgent"), "chrome") && !folds(o.text("device.userAgent"), "safari")
		}},
		{filter: `{"userAgent.tags":{"eq":"000000000000000000000000"}}`, want: func(o object) bool { return o.has("userAgent.tags", "000000000000000000000000") }},
		{filter: `{"location.country":{"eq":["DE","US"]}}`, want: func(o object) bool { return country(o) == "DE" || country(o) == "US" }},
		{filter: `{"location.country":{"isnotset":true}}`, want: func(o object) bool { return country(o) == "" }},
		{filter: `{"location.organizations":{"contains":"net"}}`, want: func(o object) bool { return folds(o.text("location.organizationSearchable"), "net") }},
		{filter: `{"ip.address":{"eq":["` + ip + `"]}}`, want: func(o object) bool { return o.text("device.clientIP") == ip }},
		{filter: `{"ip.address":{"startswith":"198.18."}}`, want: func(o object) bool { return strings.HasPrefix(o.text("device.clientIP"), "198.18.") }},
		{filter: `{"ip.address":{"doesnotstartwith":["198.","203."]}}`, want: func(o object) bool {
			a := o.text("device.clientIP")
			return !strings.HasPrefix(a, "198.") && !strings.HasPrefix(a, "203.")
		}},
		{filter: `{"ip.address":{"isnotset":true}}`, want: func(o object) bool { return o.text("device.clientIP") == "" }},
		{filter: `{"ip.category":{"eq":[3,5]}}`, want: func(o object) bool { c := o.text("location.category"); return c == "3" || c == "5" }},
		{filter: `{"ip.category":{"neq":1}}`, want: func(o object) bool { return o.text("location.category") != "1" }},
		{filter: `{"ip.tags":{"eq":["` + ipTag + `"]}}`, want: func(o object) bool { return o.has("location.ipTags", ipTag) }},
		{filter: `{"fileId":{"eq":"` + fileID + `"}}`, want: func(o object) bool {
			return o.someObject(func(m map[string]any) bool { return m["id"] == fileID && m["serviceObjectType"] == "File" })
		}},
		{filter: `{"fileSelector":{"eq":["` + fileName + `"]}}`, want: func(o object) bool {
			return o.someObject(func(m map[string]any) bool { return m["name"] == fileName && m["serviceObjectType"] == "File" })
		}},
		{filter: `{"office365url":{"startswith":"https://contoso.sharepoint.example/sites/Finance/"}}`, want: func(o object) bool {
			return strings.HasPrefix(o.text("rawDataJson.ObjectId"), "https://contoso.sharepoint.example/sites/Finance/")
		}},
		{filter: `{"office365url":{"endswith":".docx"}}`, want: func(o object) bool { return strings.HasSuffix(o.text("rawDataJson.ObjectId"), ".docx") }},
		{filter: `{"text":{"text":"failed log on"}}`, want: func(o object) bool { return folds(o.text("description"), "failed log on") }},
		{filter: `{"policy":{"eq":["` + rule + `"]}}`, want: func(o object) bool { return o.has("matchingRules", rule) }},
		{filter: `{"policy":{"isset":true}}`, want: func(o object) bool { return len(o.list("matchingRules")) > 0 }},
		{filter: `{"source":{"eq":["1"]}}`, want: func(o object) bool { return o.text("source") == "1" }},
		{filter: `{"source":{"neq":[2,"t:6"]}}`, want: func(o object) bool { return o.text("source") != "2" && o.text("source") != "6" }},
		{filter: fmt.Sprintf(`{"date":{"gte":%d}}`, day), want: func(o object) bool { return time(o, "timestamp") >= day }},
		{filter: fmt.Sprintf(`{"date":{"lte":%d}}`, day), want: func(o object) bool { return time(o, "timestamp") <= day }},
		{filter: `{"date":{"gte_ndays":1}}`, want: func(o object) bool { return time(o, "timestamp") >= day }},
		{filter: `{"date":{"lte_ndays":1}}`, want: func(o object) bool { return time(o, "timestamp") <= day }},
		{filter: `{"date":{"gte_ndays":3,"lte_ndays":1}}`, want: func(o object) bool { ts := time(o, "timestamp"); return ts <= day && ts >= day-2*86_400_000 }},
		{filter: fmt.Sprintf(`{"date":{"range":[{"start":%d,"end":%d},{"start":%d}]}}`, day-90_000_000, day-80_000_000, day), want: func(o object) bool {
			ts := time(o, "timestamp")
			return ts >= day || ts >= day-90_000_000 && ts <= day-80_000_000
		}},
		{filter: fmt.Sprintf(`{"created":{"eq":%d}}`, oneCreated), want: func(o object) bool { return time(o, "created") == oneCreated }},
		{filter: fmt.Sprintf(`{"created":{"gt":%d}}`, oneCreated), want: func(o object) bool { return time(o, "created") > oneCreated }},
		{filter: fmt.Sprintf(`{"created":{"lt":%d}}`, oneCreated), want: func(o object) bool { return time(o, "created") < oneCreated }},
		{filter: fmt.Sprintf(`{"created":{"gte":%d,"lte":%d},"date":{"lte":%d}}`, day, day+40_000_000, day), want: func(o object) bool {
			return time(o, "created") >= day && time(o, "created") <= day+40_000_000 && time(o, "timestamp") <= day
		}},
	} {
		t.Run(c.filter, func(t *testing.T) {
			got, _ := client{t: t, s: s}.scan(c.filter, `,"limit":5000`, 20)
			var want [][]byte
			for i, b := range allBytes(s) {
				if c.want(all[i]) {
					want = append(want, b)
				}
			}
			sameSet(t, got, want)
			switch {
			case c.none && len(want) > 0, c.every && len(want) < len(all):
				t.Errorf("%d of %d match", len(want), len(all))
			case !c.none && len(want) == 0, !c.every && len(want) == len(all):
				t.Errorf("%d of %d match: the filter is not tried", len(want), len(all))
			}
		})
	}
}

var cached = map[*simulator.Simulator][][]byte{}

// allBytes is truth, kept for one simulator.
func allBytes(s *simulator.Simulator) [][]byte {
	if cached[s] == nil {
		cached[s] = truth(s)
	}
	return cached[s]
}

func TestFiltersThatAreNotValid(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 50})
	lenient := newSim(t, simulator.Options{Seed: 1, Count: 50, Paging: simulator.Paging{IgnoreUnknown: true}})
	for _, c := range []struct{ filter, value string }{
		{`{"alert_id":{"eq":1}}`, "alert_id"},
		{`{"date":{"around":1}}`, "around"},
		{`{"date":{"gt":1}}`, "gt"},
		{`{"service":{"contains":1}}`, "contains"},
		{`{"date":{"gte":"soon"}}`, `"soon"`},
		{`{"date":{"range":[]}}`, `[]`},
		{`{"date":5}`, "date"},
		{`{"user.username":{"isset":false}}`, "false"},
		{`[]`, "filters"},
		{`"{"`, "filters"},
		{`7`, "filters"},
	} {
		t.Run(c.filter, func(t *testing.T) {
			a := client{t: t, s: s}.post(`{"filters":` + c.filter + `}`)
			var body struct {
				Filters []struct {
					Error  string
					Code   string `json:"errorMessageCode"`
					Params struct{ Value string }
				}
				Error bool
			}
			if err := json.Unmarshal(a.Body, &body); err != nil {
				t.Fatal(err)
			}
			if a.Status != http.StatusBadRequest || !body.Error || len(body.Filters) != 1 ||
				body.Filters[0].Error != c.value+" is not valid" || body.Filters[0].Code != "CONSOLE_FORMS_NOT_VALID_VALUE" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	for _, filter := range []string{`{"alert_id":{"eq":1}}`, `{"date":{"around":1}}`} {
		if a := (client{t: t, s: lenient}).post(`{"filters":` + filter + `}`); a.Status != 200 || len(a.Data) == 0 {
			t.Errorf("lenient: %s gave %d", filter, a.Status)
		}
	}
	if st := s.Stats(); st.Refused != 11 {
		t.Errorf("%d requests counted as refused, want 11", st.Refused)
	}
}

func TestFormsOfARequest(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 1, Count: 500})
	c := client{t: t, s: s}
	want := c.post(`{"filters":{"service":{"eq":[20893]}},"isScan":true,"limit":20,"sortDirection":"asc"}`)
	filters := `{"service":{"eq":[20893]}}`
	form := url.Values{"filters": {filters}, "isScan": {"True"}, "limit": {"20"}, "sortDirection": {"asc"}}.Encode()
	part := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	multi := part("filters", filters) + part("isScan", "true") + part("limit", "20.0") + part("sortDirection", "asc") + "--b--\r\n"
	for name, a := range map[string]answer{
		"query":               c.do("GET", "/api/v1/activities/?"+form, "", ""),
		"query without /":     c.do("GET", "/api/v1/activities?"+form, "", ""),
		"other prefix":        c.do("GET", "/cas/api/v1/activities/?"+form, "", ""),
		"query by post":       c.do("POST", "/api/v1/activities/?"+form, "", ""),
		"form":                c.do("POST", "/api/v1/activities/", "application/x-www-form-urlencoded", form),
		"multipart":           c.do("POST", "/api/v1/activities/", "multipart/form-data; boundary=b", multi),
		"json by get":         c.do("GET", "/api/v1/activities/", "application/json", `{"filters":{"service":{"eq":[20893]}},"isScan":true,"limit":20,"sortDirection":"asc"}`),
		"filters as text":     c.post(`{"filters":"{\"service\":{\"eq\":[20893]}}","isScan":"true","limit":"20","sortDirection":"asc"}`),
		"without a type":      c.do("POST", "/api/v1/activities/", "", `{"filters":{"service":{"eq":[20893]}},"isScan":true,"limit":20.0,"sortDirection":"asc"}`),
		"json with form type": c.do("POST", "/api/v1/activities/", "application/x-www-form-urlencoded", `{"filters":{"service":{"eq":[20893]}},"isScan":true,"limit":20,"sortDirection":"asc"}`),
	} {
		if a.Status != 200 || string(a.Body) != string(want.Body) {
			t.Errorf("%s: %d %.300s", name, a.Status, a.Body)
		}
	}
	for name, body := range map[string]string{"broken": `{"filters":`, "no object": `[1]`, "unknown sort": `{"sortField":"user"}`, "unknown direction": `{"sortDirection":"up"}`} {
		if a := c.post(body); a.Status != 400 {
			t.Errorf("%s: status %d, want 400", name, a.Status)
		}
	}
}

func FuzzRequest(f *testing.F) {
	s := newSim(f, simulator.Options{Seed: 1, Count: 60})
	f.Add("application/json", "", `{"filters":{"date":{"gte":1,"range":[{"start":1}]}},"isScan":true,"limit":5}`)
	f.Add("application/x-www-form-urlencoded", "isScan=true", `filters=%7B%22service%22%3A%7B%22eq%22%3A1%7D%7D&limit=3.0`)
	f.Add("multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\n5\r\n--b--\r\n")
	f.Add("", "filters={}&skip=1e3", ``)
	f.Add("application/json", "", `{"filters":"{\"user.tags\":{\"eq\":[{\"role\":1},[],null]}}","limit":1e400}`)
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		a := client{t: t, s: s}.do("POST", "/api/v1/activities/?"+url.PathEscape(query), kind, body)
		if a.Status != 200 && a.Status != 400 {
			t.Fatalf("status %d: %s", a.Status, a.Body)
		}
		if !json.Valid(a.Body) {
			t.Fatalf("no JSON: %.300s", a.Body)
		}
	})
}
