package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"mdcalake/ingest"
	"mdcalake/store"
)

// with is a usable record with further members.
func with(members string) string {
	record := `{"_id":"a","timestamp":1700000000000`
	if members != "" {
		record += "," + members
	}
	return record + "}"
}

// decoded lifts a record that must be taken.
func decoded(t testing.TB, record string) *store.Row {
	t.Helper()
	row := new(store.Row)
	if err := ingest.NewDecoder().Decode([]byte(record), row); err != nil {
		t.Fatalf("decode %.200s: %v", record, err)
	}
	return row
}

// refusal is why a record is unusable, "" when it is not.
func refusal(t testing.TB, record string) string {
	t.Helper()
	row := new(store.Row)
	err := ingest.NewDecoder().Decode([]byte(record), row)
	if err == nil {
		return ""
	}
	var u *ingest.Unusable
	if !errors.As(err, &u) {
		t.Fatalf("decode %.200s: %v is no *Unusable", record, err)
	}
	if row.RawLen != 0 || len(row.Text) != 0 {
		t.Errorf("a refused record left %d bytes in the row", len(row.Text))
	}
	return u.Reason
}

// rules is one line per rule: members of a record, a column, what it becomes
// (strings quoted), and which columns drift.
var rules = []struct{ name, members, column, want, drift string }{
	{"a string is lifted", `"appName":"Box"`, "app_name", `"Box"`, ""},
	{"an empty string stays one", `"appName":""`, "app_name", `""`, ""},
	{"null is absence", `"appName":null`, "app_name", "NULL", ""},
	{"a number becomes text as written", `"appName":1.50E+2`, "app_name", `"1.50E+2"`, ""},
	{"true becomes text", `"appName":true`, "app_name", `"true"`, ""},
	{"false becomes text", `"appName":false`, "app_name", `"false"`, ""},
	{"an object is no string", `"appName":{"a":1}`, "app_name", "NULL", "app_name"},
	{"an array is no string", `"appName":["a"]`, "app_name", "NULL", "app_name"},
	{"escapes are resolved", `"appName":"\"\\\/\b\f\n\r\tA\u0042\u00e9\u20AC\ud83d\uDE00"`, "app_name", strconv.Quote("\"\\/\b\f\n\r\tABé€😀"), ""},
	{"NUL is kept", `"appName":"a\u0000b"`, "app_name", `"a\x00b"`, ""},
	{"keys are compared unescaped", `"\u0061pp\u004eame":"Box"`, "app_name", `"Box"`, ""},
	{"keys are compared with their case", `"AppName":"x","appname":"y"`, "app_name", "NULL", ""},
	{"a twin in another case changes nothing", `"AppName":"x","appName":"Box","appname":"y"`, "app_name", `"Box"`, ""},

	{"the first of duplicates counts", `"appName":"a","appName":"b"`, "app_name", `"a"`, "app_name"},
	{"also when one is escaped", `"appName":"a","app\u004eame":"b"`, "app_name", `"a"`, "app_name"},
	{"also when it is null", `"appName":null,"appName":"b"`, "app_name", "NULL", "app_name"},
	{"also when it is unfit", `"appName":[],"appName":"b"`, "app_name", "NULL", "app_name"},
	{"a second object is not read", `"session":{},"session":{"sessionId":"x"}`, "session_id", "NULL", "session_id"},
	{"nor is it merged", `"userAgent":{"browser":"a"},"userAgent":{"browser":"b","deviceType":"c"}`, "device_type", "NULL", "browser os device_type user_agent_tags"},
	{"nor is a second list", `"user":{"userTags":["a"],"userTags":["b"]}`, "user_tags", `["a"]`, "user_tags"},
	{"a duplicate nobody asked for is no drift", `"x":1,"x":2,"user":{"y":1,"y":2}`, "user_name", "NULL", ""},
	{"a duplicate of _id", `"_id":"b"`, "activity_id", `"a"`, "activity_id"},
	{"a duplicate of timestamp", `"timestamp":5`, "timestamp", "1700000000000", "timestamp"},
	{"the same key in another object is none", `"mainInfo":{"type":"x","eventObjects":[{"id":"1"},{"id":"2"}]},"type":"y"`, "activity_kind", `"x"`, ""},

	{"created as a number", `"created":1600000000000`, "created", "1600000000000", ""},
	{"created as text", `"created":"1600000000000"`, "created", "1600000000000", ""},
	{"created with a zero fraction", `"created":1600000000000.00`, "created", "1600000000000", ""},
	{"created with an exponent", `"created":1.6e12`, "created", "1600000000000", ""},
	{"created too early", `"created":946684799999`, "created", "NULL", "created"},
	{"created at the earliest", `"created":946684800000`, "created", "946684800000", ""},
	{"created at the latest", `"created":4102444799999`, "created", "4102444799999", ""},
	{"created too late", `"created":4102444800000`, "created", "NULL", "created"},
	{"created as null", `"created":null`, "created", "NULL", ""},
	{"created as a date", `"created":"2020-01-01"`, "created", "NULL", "created"},

	{"appId as a number", `"appId":15600`, "app_id", "15600", ""},
	{"appId as text", `"appId":"15600"`, "app_id", "15600", ""},
	{"appId as text with escapes", `"appId":"\u00315600"`, "app_id", "15600", ""},
	{"appId with a zero fraction", `"appId":15600.0`, "app_id", "15600", ""},
	{"appId below zero", `"appId":-1`, "app_id", "-1", ""},
	{"appId as null", `"appId":null`, "app_id", "NULL", ""},
	{"appId that is not whole", `"appId":1.5`, "app_id", "NULL", "app_id"},
	{"appId as other text", `"appId":"Box"`, "app_id", "NULL", "app_id"},
	{"appId as empty text", `"appId":""`, "app_id", "NULL", "app_id"},
	{"appId as true", `"appId":true`, "app_id", "NULL", "app_id"},
	{"the largest long", `"tenantId":9223372036854775807`, "tenant_id", "9223372036854775807", ""},
	{"the smallest long", `"tenantId":-9223372036854775808`, "tenant_id", "-9223372036854775808", ""},
	{"beyond the largest long", `"tenantId":9223372036854775808`, "tenant_id", "NULL", "tenant_id"},
	{"beyond the smallest long", `"tenantId":-9223372036854775809`, "tenant_id", "NULL", "tenant_id"},
	{"beyond 2^53 nothing is rounded", `"tenantId":9007199254740993`, "tenant_id", "9007199254740993", ""},
	{"nor with a fraction", `"tenantId":9007199254740993.0`, "tenant_id", "9007199254740993", ""},
	{"nor with an exponent", `"tenantId":9.007199254740993e15`, "tenant_id", "9007199254740993", ""},

	{"an integer", `"eventType":233580`, "event_type", "233580", ""},
	{"an integer as text", `"eventType":"233580"`, "event_type", "233580", ""},
	{"an integer with an exponent", `"eventType":2.3358e5`, "event_type", "233580", ""},
	{"an integer with zeros to take off", `"eventType":2335800e-1`, "event_type", "233580", ""},
	{"an integer that is not whole", `"eventType":2e-1`, "event_type", "NULL", "event_type"},
	{"minus zero", `"eventType":-0`, "event_type", "0", ""},
	{"zero with a huge exponent", `"eventType":0e999999999999999999999`, "event_type", "0", ""},
	{"a huge exponent", `"eventType":1e999999999999999999999`, "event_type", "NULL", "event_type"},
	{"a tiny exponent", `"eventType":1e-999999999999999999999`, "event_type", "NULL", "event_type"},
	{"the largest integer", `"source":2147483647`, "source", "2147483647", ""},
	{"the smallest integer", `"source":-2147483648`, "source", "-2147483648", ""},
	{"beyond the largest integer", `"source":2147483648`, "source", "NULL", "source"},
	{"beyond the smallest integer", `"source":-2147483649`, "source", "NULL", "source"},
	{"text with a space is no number", `"source":" 1"`, "source", "NULL", "source"},
	{"text with a plus is no number", `"source":"+1"`, "source", "NULL", "source"},
	{"text with a leading zero is no number", `"source":"01"`, "source", "NULL", "source"},
	{"false is no integer", `"source":false`, "source", "NULL", "source"},
	{"an object is no integer", `"source":{}`, "source", "NULL", "source"},

	{"true", `"location":{"anonymousProxy":true}`, "is_anonymous_proxy", "true", ""},
	{"false", `"location":{"anonymousProxy":false}`, "is_anonymous_proxy", "false", ""},
	{"true as text", `"location":{"anonymousProxy":"TrUe"}`, "is_anonymous_proxy", "true", ""},
	{"false as text", `"location":{"anonymousProxy":"FALSE"}`, "is_anonymous_proxy", "false", ""},
	{"1 is true", `"location":{"anonymousProxy":1}`, "is_anonymous_proxy", "true", ""},
	{"0 is false", `"location":{"anonymousProxy":0}`, "is_anonymous_proxy", "false", ""},
	{"0 as text is false", `"location":{"anonymousProxy":"0"}`, "is_anonymous_proxy", "false", ""},
	{"2 is no boolean", `"location":{"anonymousProxy":2}`, "is_anonymous_proxy", "NULL", "is_anonymous_proxy"},
	{"yes is no boolean", `"location":{"anonymousProxy":"yes"}`, "is_anonymous_proxy", "NULL", "is_anonymous_proxy"},
	{"a long s does not fold", `"location":{"anonymousProxy":"falſe"}`, "is_anonymous_proxy", "NULL", "is_anonymous_proxy"},
	{"null is no boolean", `"location":{"anonymousProxy":null}`, "is_anonymous_proxy", "NULL", ""},
	{"an array is no boolean", `"location":{"anonymousProxy":[]}`, "is_anonymous_proxy", "NULL", "is_anonymous_proxy"},

	{"a double", `"location":{"latitude":-32.0679}`, "latitude", "-32.0679", ""},
	{"a double as text", `"location":{"latitude":"32.0679"}`, "latitude", "32.0679", ""},
	{"a double that is whole", `"location":{"latitude":32}`, "latitude", "32", ""},
	{"a double beyond all bounds", `"location":{"latitude":1e400}`, "latitude", "NULL", "latitude"},
	{"not a number", `"location":{"latitude":"NaN"}`, "latitude", "NULL", "latitude"},
	{"infinity", `"location":{"latitude":"Infinity"}`, "latitude", "NULL", "latitude"},
	{"hexadecimal text is no number", `"location":{"latitude":"0x1p4"}`, "latitude", "NULL", "latitude"},
	{"true is no double", `"location":{"latitude":true}`, "latitude", "NULL", "latitude"},

	{"a list", `"user":{"userTags":["a","b\n"]}`, "user_tags", `["a" "b\n"]`, ""},
	{"an empty list is not NULL", `"user":{"userTags":[]}`, "user_tags", "[]", ""},
	{"scalars in a list become text", `"user":{"userTags":[1,true,false,1e2]}`, "user_tags", `["1" "true" "false" "1e2"]`, ""},
	{"null keeps its place in a list", `"user":{"userTags":[null,"a",null]}`, "user_tags", `[NULL "a" NULL]`, ""},
	{"nested values in a list become JSON text", `"user":{"userTags":[{"a": 1},[ 2 ]]}`, "user_tags", `["{\"a\": 1}" "[ 2 ]"]`, ""},
	{"a bare string is a list of one", `"user":{"userTags":"a"}`, "user_tags", `["a"]`, ""},
	{"a null list", `"user":{"userTags":null}`, "user_tags", "NULL", ""},
	{"a bare number is no list", `"user":{"userTags":1}`, "user_tags", "NULL", "user_tags"},
	{"an object is no list", `"user":{"userTags":{}}`, "user_tags", "NULL", "user_tags"},
	{"other lists", `"internals":{"otherIPs":["::1"]}`, "other_ips", `["::1"]`, ""},

	{"an object of the activity", `"mainInfo":{"eventObjects":[{"id":"i","name":"n","value":"v","objType":1,"role":2,"saasId":3,"instanceId":4,"serviceObjectType":"s","x":{"id":"no"}}]}`,
		"objects", `[{"i" "n" "v" 1 2 3 4 "s"}]`, ""},
	{"its values are converted", `"mainInfo":{"eventObjects":[{"id":7,"value":false,"objType":"23","saasId":"11161"}]}`, "objects", `[{"7" NULL "false" 23 NULL 11161 NULL NULL}]`, ""},
	{"nulls in it", `"mainInfo":{"eventObjects":[{"id":null,"objType":null}]}`, "objects", `[{NULL NULL NULL NULL NULL NULL NULL NULL}]`, ""},
	{"null keeps its place", `"mainInfo":{"eventObjects":[null,{"id":"b"},null]}`, "objects", `[NULL {"b" NULL NULL NULL NULL NULL NULL NULL} NULL]`, ""},
	{"an element that is no object", `"mainInfo":{"eventObjects":["x",{"id":"b"}]}`, "objects", `[NULL {"b" NULL NULL NULL NULL NULL NULL NULL}]`, "objects"},
	{"an empty array of objects", `"mainInfo":{"eventObjects":[]}`, "objects", "[]", ""},
	{"an object instead of the array", `"mainInfo":{"eventObjects":{"id":"a"}}`, "objects", "NULL", "objects"},
	{"null instead of the array", `"mainInfo":{"eventObjects":null}`, "objects", "NULL", ""},
	{"a member that does not fit", `"mainInfo":{"eventObjects":[{"role":2147483648,"name":[],"id":"a"}]}`, "objects", `[{"a" NULL NULL NULL NULL NULL NULL NULL}]`, "objects"},
	{"a member that stands twice", `"mainInfo":{"eventObjects":[{"id":"a","id":"b"}]}`, "objects", `[{"a" NULL NULL NULL NULL NULL NULL NULL}]`, "objects"},
	{"a second array of objects", `"mainInfo":{"eventObjects":[],"eventObjects":[{"id":"b"}]}`, "objects", "[]", "objects"},

	{"text instead of an object", `"location":"NL"`, "city", "NULL",
		"ip_category ip_category_name ip_tags country region city latitude longitude isp is_anonymous_proxy"},
	{"an array instead of an object", `"eventRouting":[{"adminEvent":true}]`, "is_admin", "NULL", "is_admin"},
	{"null instead of an object", `"location":null`, "city", "NULL", ""},
	{"an object further down", `"mainInfo":{"activityResult":{"isSuccess":false,"message":"no"}}`, "result_message", `"no"`, ""},
	{"text instead of it", `"mainInfo":{"activityResult":"no"}`, "is_success", "NULL", "is_success result_message"},
	{"mainInfo as text", `"mainInfo":"x"`, "action", "NULL", "action activity_kind is_success result_message objects"},
	{"rawDataJson as text", `"rawDataJson":"{\"Workload\":\"x\"}"`, "workload", "NULL", "workload object_id"},

	{"object_id takes a string", `"rawDataJson":{"ObjectId":"a\/b"}`, "object_id", `"a/b"`, ""},
	{"object_id takes a number", `"rawDataJson":{"ObjectId":1.0}`, "object_id", `"1.0"`, ""},
	{"object_id takes an object", `"rawDataJson":{"ObjectId":{"a": [1]}}`, "object_id", `"{\"a\": [1]}"`, ""},
	{"object_id takes an array", `"rawDataJson":{"ObjectId":["a"]}`, "object_id", `"[\"a\"]"`, ""},
	{"object_id does not take null", `"rawDataJson":{"ObjectId":null}`, "object_id", "NULL", ""},

	{"the user's name", `"user":{"userName":"u"},"failedUserData":{"userName":"f"}`, "user_name", `"u"`, ""},
	{"whatever the order", `"failedUserData":{"userName":"f"},"user":{"userName":"u"}`, "user_name", `"u"`, ""},
	{"else the failed user's", `"user":{"userTags":[]},"failedUserData":{"userName":"f"}`, "user_name", `"f"`, ""},
	{"else when null", `"failedUserData":{"userName":"f"},"user":{"userName":null}`, "user_name", `"f"`, ""},
	{"else when user is null", `"user":null,"failedUserData":{"userName":"f"}`, "user_name", `"f"`, ""},
	{"not when empty", `"user":{"userName":""},"failedUserData":{"userName":"f"}`, "user_name", `""`, ""},
	{"not when unfit", `"user":{"userName":[]},"failedUserData":{"userName":"f"}`, "user_name", "NULL", "user_name"},
	{"not when user is unfit", `"user":"bob","failedUserData":{"userName":"f"}`, "user_name", "NULL", "user_name user_tags"},
	{"the failed user is unfit", `"failedUserData":"bob"`, "user_name", "NULL", "user_name"},
	{"the failed user is unfit and not needed", `"failedUserData":"bob","user":{"userName":"u"}`, "user_name", `"u"`, ""},
	{"the failed user stands twice", `"failedUserData":{"userName":"f"},"failedUserData":{"userName":"g"}`, "user_name", `"f"`, "user_name"},
	{"a null that stands twice still counts", `"user":{"userName":null,"userName":"x"},"failedUserData":{"userName":"f"}`, "user_name", `"f"`, "user_name"},
	{"the location's country", `"device":{"countryCode":"DE"},"location":{"countryCode":"NL"}`, "country", `"NL"`, ""},
	{"else the device's", `"location":{"city":"x"},"device":{"countryCode":"DE"}`, "country", `"DE"`, ""},
	{"device as text", `"device":"x"`, "country", "NULL", "ip country user_agent"},
}

func TestDecodeRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			record := with(r.members)
			row := decoded(t, record)
			if got := rendered(row)[r.column]; got != r.want {
				t.Errorf("%s of %s is %s, want %s", r.column, r.members, got, r.want)
			}
			if got := drifted(row.Drift); got != r.drift {
				t.Errorf("drift of %s is %q, want %q", r.members, got, r.drift)
			}
			compareWithReference(t, row)
		})
	}
}

func compareWithReference(t checker, row *store.Row) {
	t.Helper()
	want, drift := reference(t, row.Raw())
	if diff := cmp.Diff(want, rendered(row)); diff != "" {
		t.Errorf("columns differ from the reference (-want +got):\n%s", diff)
	}
	if got := drifted(row.Drift); got != drift {
		t.Errorf("drift is %q, the reference says %q", got, drift)
	}
}

func TestDecodeIdentityAndTime(t *testing.T) {
	const noID, noTime = "no usable _id: ", "no usable timestamp: "
	long := strings.Repeat("x", 512)
	for _, c := range []struct{ name, record, want string }{
		{"both", `{"_id":"a","timestamp":1700000000000}`, ""},
		{"an escaped key", `{"\u005fid":"a","timestamp":1700000000000}`, ""},
		{"a number as _id", `{"_id":12,"timestamp":1700000000000}`, ""},
		{"512 bytes of _id", `{"_id":"` + long + `","timestamp":1700000000000}`, ""},
		{"512 unescaped bytes of _id", `{"_id":"` + long[1:] + `\u0041","timestamp":1700000000000}`, ""},
		{"513 bytes of _id", `{"_id":"` + long + `x","timestamp":1700000000000}`, noID + "longer than 512 bytes"},
		{"no _id", `{"timestamp":1700000000000}`, noID + "missing"},
		{"_id is null", `{"_id":null,"timestamp":1700000000000}`, noID + "null"},
		{"the first _id is null", `{"_id":null,"_id":"a","timestamp":1700000000000}`, noID + "null"},
		{"_id is empty", `{"_id":"","timestamp":1700000000000}`, noID + "empty"},
		{"_id is true", `{"_id":true,"timestamp":1700000000000}`, noID + "neither a string nor a number"},
		{"_id is an object", `{"_id":{},"timestamp":1700000000000}`, noID + "neither a string nor a number"},
		{"_id in another case", `{"_ID":"a","timestamp":1700000000000}`, noID + "missing"},
		{"time with a zero fraction", `{"_id":"a","timestamp":1700000000000.0}`, ""},
		{"time with an exponent", `{"_id":"a","timestamp":1.7e12}`, ""},
		{"time as text", `{"_id":"a","timestamp":"1700000000000"}`, ""},
		{"time as text with an exponent", `{"_id":"a","timestamp":"1.7E+12"}`, ""},
		{"the earliest time", `{"_id":"a","timestamp":946684800000}`, ""},
		{"the latest time", `{"_id":"a","timestamp":4102444799999}`, ""},
		{"too early", `{"_id":"a","timestamp":946684799999}`, noTime + "not between 2000-01-01 and 2100-01-01"},
		{"too late", `{"_id":"a","timestamp":4102444800000}`, noTime + "not between 2000-01-01 and 2100-01-01"},
		{"seconds", `{"_id":"a","timestamp":1700000000}`, noTime + "not between 2000-01-01 and 2100-01-01"},
		{"no time", `{"_id":"a"}`, noTime + "missing"},
		{"time is null", `{"_id":"a","timestamp":null}`, noTime + "null"},
		{"a fraction of a millisecond", `{"_id":"a","timestamp":1700000000000.5}`, noTime + "not a whole number of milliseconds"},
		{"a fraction lost in a float", `{"_id":"a","timestamp":1700000000000.00000000000000000001}`, noTime + "not a whole number of milliseconds"},
		{"time as a date", `{"_id":"a","timestamp":"2020-01-01"}`, noTime + "not a whole number of milliseconds"},
		{"time is true", `{"_id":"a","timestamp":true}`, noTime + "not a whole number of milliseconds"},
		{"time is an array", `{"_id":"a","timestamp":[1700000000000]}`, noTime + "not a whole number of milliseconds"},
		{"neither", `{}`, noID + "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := refusal(t, c.record); got != c.want {
				t.Errorf("refused with %q, want %q", got, c.want)
			}
		})
	}
	if got := rendered(decoded(t, `{"_id":12.0,"timestamp":17e11}`)); got["activity_id"] != `"12.0"` || got["timestamp"] != "1700000000000" {
		t.Errorf("got _id %s at %s", got["activity_id"], got["timestamp"])
	}
}

func TestDecodeRefusesWhatIsNoJSON(t *testing.T) {
	nested := func(n int) string { return with(`"x":` + strings.Repeat("[", n) + strings.Repeat("]", n)) }
	objects := func(n int) string {
		return with(`"x":` + strings.Repeat(`{"a":`, n) + "0" + strings.Repeat("}", n))
	}
	for _, c := range []struct{ name, record, want string }{
		{"nothing", ``, "not JSON: ends too early at byte 0"},
		{"an array", `[1]`, "not a JSON object"},
		{"text", `"a"`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"half an array", `[1`, "not JSON: ends too early at byte 2"},
		{"half an object", `{"_id":"a"`, "not JSON: ends too early at byte 10"},
		{"half a key", `{"_i`, "not JSON: ends too early at byte 4"},
		{"half a number", `{"a":-`, "not JSON: malformed number at byte 5"},
		{"half a word", `{"a":tru`, "not JSON: unexpected character at byte 5"},
		{"something behind", `{} x`, "not JSON: unexpected character at byte 3"},
		{"two records", `{}{}`, "not JSON: unexpected character at byte 2"},
		{"a byte order mark", "\ufeff{}", "not JSON: unexpected character at byte 0"},
		{"a zero byte behind", "{}\x00", "not JSON: unexpected character at byte 2"},
		{"a zero byte for a space", "{\x00}", "not JSON: unexpected character at byte 1"},
		{"a comma too many", `{"a":1,}`, "not JSON: unexpected character at byte 7"},
		{"a comma too many in an array", `{"a":[1,]}`, "not JSON: unexpected character at byte 8"},
		{"no colon", `{"a" 1}`, "not JSON: unexpected character at byte 5"},
		{"no value", `{"a":}`, "not JSON: unexpected character at byte 5"},
		{"no quotes", `{a:1}`, "not JSON: unexpected character at byte 1"},
		{"brackets crossed", `{"a":[1}`, "not JSON: unexpected character at byte 7"},
		{"a leading zero", `{"a":01}`, "not JSON: malformed number at byte 5"},
		{"a bare point", `{"a":1.}`, "not JSON: malformed number at byte 5"},
		{"a plus", `{"a":+1}`, "not JSON: unexpected character at byte 5"},
		{"an empty exponent", `{"a":1e}`, "not JSON: malformed number at byte 5"},
		{"NaN", `{"a":NaN}`, "not JSON: unexpected character at byte 5"},
		{"a line break in a string", "{\"a\":\"x\ny\"}", "not JSON: control character in a string at byte 7"},
		{"a zero byte in a string", "{\"a\":\"x\x00y\"}", "not JSON: control character in a string at byte 7"},
		{"a line break in a key", "{\"a\n\":1}", "not JSON: control character in a string at byte 3"},
		{"an unknown escape", `{"a":"\x41"}`, "not JSON: malformed escape at byte 6"},
		{"half an escape", `{"a":"\u12`, "not JSON: malformed escape at byte 6"},
		{"digits that are none", `{"a":"\u12g4"}`, "not JSON: malformed escape at byte 6"},
		{"deep inside what nobody asked for", with(`"x":[{"y":[tru]}]`), "not JSON: unexpected character at byte 48"},
		{"inside a duplicate", with(`"user":{},"user":{"userName":01}`), "not JSON: malformed number at byte 66"},
		{"inside what does not fit", with(`"appName":[01]`), "not JSON: malformed number at byte 48"},
		{"bytes that are no UTF-8 outside of a string", "{\"a\":\xff}", "not JSON: unexpected character at byte 5"},
		{"behind bytes that are no UTF-8", "{\"a\":\"\xff\",}", "not JSON: unexpected character at byte 9"},
		{"behind half a pair", `{"a":"\ud800",}`, "not JSON: unexpected character at byte 14"},
		{"512 levels", nested(511), ""},
		{"513 levels", nested(512), "nested deeper than 512"},
		{"512 levels of objects", objects(511), ""},
		{"513 levels of objects", objects(512), "nested deeper than 512"},
		{"513 levels in a list", with(`"user":{"userTags":[` + strings.Repeat("[", 510) + strings.Repeat("]", 510) + "]}"), "nested deeper than 512"},
		{"a million levels", strings.Repeat(`{"a":`, 1e6), "nested deeper than 512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := refusal(t, c.record); got != c.want {
				t.Errorf("refused with %q, want %q", got, c.want)
			}
		})
	}
}

func TestDecodeRefusesARecordBeyondTheOffsets(t *testing.T) {
	if testing.Short() {
		t.Skip("asks for 1 GiB of memory, without touching it")
	}
	row := new(store.Row)
	err := ingest.NewDecoder().Decode(make([]byte, 1<<30+1), row)
	if want := "unusable record: longer than 1073741824 bytes"; fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDecodeRepairsRaw(t *testing.T) {
	const bad = "\uFFFD"
	for _, c := range []struct{ name, text, raw string }{
		{"a high half alone", `a\ud800b`, "a" + bad + "b"},
		{"a low half alone", `\udc00`, bad},
		{"two high halves and a low one", `\ud800\uD83D\ude00`, bad + `\uD83D\ude00`},
		{"halves in the wrong order", `\udc00\ud800`, bad + bad},
		{"a high half before another escape", `\ud800\n\u0041`, bad + `\n\u0041`},
		{"a high half before text like the other", `\ud800udc00`, bad + `udc00`},
		{"a high half before what is no half", `\ud800\ue000\ud800\udbff`, bad + `\ue000` + bad + bad},
		{"a high half at the end", `\ud800`, bad},
		{"a byte that is no UTF-8", "a\xffb", "a" + bad + "b"},
		{"half a sequence", "\xe2\x82", bad + bad},
		{"a surrogate as UTF-8", "\xed\xa0\x80", bad + bad + bad},
		{"too long a form", "\xc0\xaf", bad + bad},
		{"beyond Unicode", "\xf4\x90\x80\x80", bad + bad + bad + bad},
		{"among good ones", "é\\n\xff€\\ud83d\\ude00", "é\\n" + bad + "€\\ud83d\\ude00"},
		{"an escaped backslash before u", "\\\\ud800\xff", "\\\\ud800" + bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := with(`"appName":"` + c.text + `","x":{"` + c.text + `":["` + c.text + `"]}`)
			want := with(`"appName":"` + c.raw + `","x":{"` + c.raw + `":["` + c.raw + `"]}`)
			row := decoded(t, record)
			if got := string(row.Raw()); got != want {
				t.Errorf("raw is %q, want %q", got, want)
			}
			if string(row.Original) != record || string(row.Verbatim()) != record {
				t.Errorf("original is %q, want %q", row.Original, record)
			}
			if want := int64(xxh3.HashString(record)); row.ContentHash != want {
				t.Errorf("hash is %x, want %x: that of the verbatim bytes", row.ContentHash, want)
			}
			compareWithReference(t, row)
		})
	}
}

func TestDecodeLeavesGoodTextAlone(t *testing.T) {
	for _, text := range []string{"", "plain", `\u0000`, `\ud83d\ude00`, "\uFFFD", `\ufffd`, "é€😀", "\x7f"} {
		record := " " + with(" \t\"appName\" :\r\n\""+text+"\"") + "\n"
		row := decoded(t, record)
		if string(row.Raw()) != record || row.Original != nil {
			t.Errorf("raw is %q with original %q, want %q and none", row.Raw(), row.Original, record)
		}
		compareWithReference(t, row)
	}
}

func TestDecodeKeepsNoReference(t *testing.T) {
	for _, record := range []string{typicalRecord, with(`"appName":"\ud800"`)} {
		given := []byte(record)
		row := new(store.Row)
		if err := ingest.NewDecoder().Decode(given, row); err != nil {
			t.Fatal(err)
		}
		before := rendered(row)
		for i := range given {
			given[i] = 'x'
		}
		if diff := cmp.Diff(before, rendered(row)); diff != "" || string(row.Verbatim()) != record {
			t.Errorf("the row changed with the bytes it came from:\n%s", diff)
		}
	}
}

// pool are records of all sorts for the property tests.
func pool() []string {
	records := []string{typicalRecord, strings.ReplaceAll(typicalRecord, ",", ", "), with(`"appName":"\ud800"`), "{\"_id\":\"\xff\",\"timestamp\":17e11}",
		`{`, `[]`, `{"timestamp":1}`, with(strings.Repeat(`"k":{"k":`, 20) + "1" + strings.Repeat("}", 20))}
	for _, r := range rules {
		records = append(records, with(r.members), "{"+r.members+`,"timestamp":"17e11","_id":1}`)
	}
	return records
}

func TestReusedDecoderAndRowGiveWhatFreshOnesGive(t *testing.T) {
	records := pool()
	rapid.Check(t, func(t *rapid.T) {
		d, row := ingest.NewDecoder(), new(store.Row)
		for _, record := range rapid.SliceOfN(rapid.SampledFrom(records), 1, 30).Draw(t, "records") {
			fresh := new(store.Row)
			want := ingest.NewDecoder().Decode([]byte(record), fresh)
			got := d.Decode([]byte(record), row)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("error for %s differs (-fresh +reused):\n%s", record, diff)
			}
			if diff := cmp.Diff(fresh, row, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("row of %s differs (-fresh +reused):\n%s", record, diff)
			}
		}
	})
}

// randomRecord draws JSON text of every shape with the keys that matter, some
// of them twice, escaped, or where they do not belong.
func randomRecord(t *rapid.T) string {
	scalar := rapid.SampledFrom([]string{"null", "true", "false", "0", "1", "-1", "1.0", "1.5", "17e11", "2147483648", "1700000000000",
		`""`, `"x"`, `"1"`, `"17e11"`, `"TRUE"`, `"a\nb"`, `"\ud800"`, `"\ud83d\ude00"`, "\"\xff\"", `"é"`, `"a longer text \" with \\ escapes"`})
	space := rapid.SampledFrom([]string{"", "", "", "", " ", "\n\t"})
	var names []string
	for _, c := range store.Columns {
		names = append(names, strings.FieldsFunc(c.Source, func(r rune) bool { return strings.ContainsRune("., []", r) })...)
	}
	names = append(names, "id", "name", "value", "objType", "role", "saasId", "instanceId", "serviceObjectType", "x", "y", `\u0075ser`, `\u005fid`)
	name := rapid.SampledFrom(names)
	var value func(depth int) string
	list := func(brackets string, n int, element func() string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(space.Draw(t, "space") + element() + space.Draw(t, "space"))
		}
		return brackets[:1] + b.String() + brackets[1:]
	}
	member := func(key string, depth int) string {
		return `"` + key + `"` + space.Draw(t, "space") + ":" + space.Draw(t, "space") + value(depth)
	}
	value = func(depth int) string {
		shape := rapid.IntRange(0, 5).Draw(t, "shape")
		switch n := rapid.IntRange(0, 4).Draw(t, "members"); {
		case depth > 3 || shape < 3:
			return scalar.Draw(t, "scalar")
		case shape == 3:
			return list("[]", n, func() string { return value(depth + 1) })
		default:
			return list("{}", n, func() string { return member(name.Draw(t, "key"), depth+1) })
		}
	}
	// Paths that matter are rare by chance, so half of the members are such.
	path := rapid.SampledFrom(store.Columns)
	top := func() string {
		keys := strings.Split(strings.TrimSuffix(path.Draw(t, "column").Source, "[]"), ".")
		if len(keys) == 1 || rapid.Bool().Draw(t, "anything") {
			return member(name.Draw(t, "key"), 1)
		}
		inner, _, _ := strings.Cut(keys[1], ",")
		return `"` + keys[0] + `":` + list("{}", rapid.IntRange(1, 3).Draw(t, "members"), func() string {
			if rapid.Bool().Draw(t, "other") {
				return member(name.Draw(t, "key"), 2)
			}
			return member(inner, 2)
		})
	}
	record := list("{}", rapid.IntRange(1, 12).Draw(t, "members"), top)
	if rapid.IntRange(0, 9).Draw(t, "usable") > 0 {
		record = `{"_id":"a","timestamp":1700000000000,` + record[1:]
	}
	return record
}

func TestDecodeAgreesWithTheReference(t *testing.T) {
	d, row := ingest.NewDecoder(), new(store.Row)
	rapid.Check(t, func(r *rapid.T) {
		record := randomRecord(r)
		err := d.Decode([]byte(record), row)
		checkVerdict(r, []byte(record), err)
		if err == nil {
			checkRaw(r, []byte(record), row)
			compareWithReference(r, row)
		}
	})
}

// A key that reads like several members once it is unescaped must not be
// learned as such: it would hide those members in later records.
func TestAnEscapedKeyDoesNotHideLaterMembers(t *testing.T) {
	d, row := ingest.NewDecoder(), new(store.Row)
	for _, record := range []string{with(`"x\":1,\"appName":"a"`), with(`"x\":1,\"appName":"a"`), with(`"x":1,"appName":"b"`)} {
		if err := d.Decode([]byte(record), row); err != nil {
			t.Fatal(err)
		}
	}
	if got := rendered(row)["app_name"]; got != `"b"` {
		t.Errorf("app_name is %s, want \"b\"", got)
	}
}

func TestDecodeOfManyStrangeKeysStaysRight(t *testing.T) {
	d, row := ingest.NewDecoder(), new(store.Row)
	for i := range 20_000 { // far beyond what is learned
		key := strconv.Itoa(i)
		record := with(`"` + key + `":{"k` + key + `":1},"appName":"` + key + `","user":{"` + key + `":[{"` + key + `":2}],"userName":"u"}`)
		if err := d.Decode([]byte(record), row); err != nil {
			t.Fatal(err)
		}
		if got := string(row.Bytes(row.Strings[store.AppName])); got != key {
			t.Fatalf("app name of record %d is %q", i, got)
		}
	}
}

func TestDecodeAllocatesNothingPerRecord(t *testing.T) {
	d, row := ingest.NewDecoder(), new(store.Row)
	records := [][]byte{[]byte(typicalRecord), []byte(with(`"appName":"\u0041"`)), bytes.ReplaceAll([]byte(typicalRecord), []byte(`":`), []byte(`" : `))}
	if allocs := testing.AllocsPerRun(100, func() {
		for _, record := range records {
			if err := d.Decode(record, row); err != nil {
				t.Fatal(err)
			}
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
