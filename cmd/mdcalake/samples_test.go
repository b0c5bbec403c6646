package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// Records as the API really gives them go through the simulator into a lake and
// come out byte for byte; the typed columns are what encoding/json reads in them.
func TestNativeSamples(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("MDCALAKE_SAMPLES")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "api", "samples")
	}
	// The same activity twice, in two forms, is a revision: one of the two.
	for _, files := range [][]string{
		{"10_native_onedrive_file_previewed.json", "12_native_failed_logins.json"},
		{"11_native_onedrive_entitydata_as_array.json"},
	} {
		t.Run(strings.Join(files, "+"), func(t *testing.T) {
			t.Parallel()
			var records [][]byte
			for _, name := range files {
				list, err := simulator.ReadRecordsFile(filepath.Join(folder, name))
				if os.IsNotExist(err) || err != nil && strings.Contains(err.Error(), "no such file") {
					t.Skipf("no sample records: set MDCALAKE_SAMPLES to their folder (%v)", err)
				}
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, list...)
			}
			srv, err := simulator.Start(simulator.Options{Records: records})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			dir := t.TempDir()
			if _, errs, code := mdcalake(t, dir, nil, "ingest", "--url", srv.URL, "--since", "2020-07-18", "--until", "2020-07-19", "--rate", "0"); code != exitDone {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			if _, errs, code := mdcalake(t, dir, nil, "ingest", "--url", srv.URL, "--since", "2021-07-13", "--until", "2021-07-14", "--rate", "0"); code != exitDone {
				t.Fatalf("exit code %d: %s", code, errs)
			}
			want := map[string][]byte{}
			for _, r := range records {
				sum := sha256.Sum256(r)
				want[hex.EncodeToString(sum[:])] = r
			}
			for _, line := range queryLines(t, dir, "select * exclude (raw, raw_original), sha256(raw) as sum, raw_original is null as verbatim from activities") {
				var row map[string]json.RawMessage
				if err := json.Unmarshal(line, &row); err != nil {
					t.Fatal(err)
				}
				var sum string
				if err := json.Unmarshal(row["sum"], &sum); err != nil {
					t.Fatal(err)
				}
				record, ok := want[sum]
				if !ok || string(row["verbatim"]) != "true" {
					t.Errorf("a record came out with other bytes: %s", line)
					continue
				}
				delete(want, sum)
				for column, value := range columnsOf(t, record) {
					got := plain(t, row[column])
					if got != plain(t, value) {
						t.Errorf("column %s is %s, want %s", column, got, plain(t, value))
					}
				}
			}
			if len(want) > 0 {
				t.Errorf("%d of %d records are lost", len(want), len(records))
			}
			if out, _, code := mdcalake(t, dir, nil, "verify"); code != exitDone {
				t.Errorf("verify: exit code %d\n%s", code, out)
			}
		})
	}
}

// columnPaths is the design's table of columns for the members that have one
// source and keep their type.
var columnPaths = map[string]string{
	"activity_id": "_id", "tenant_id": "tenantId", "app_id": "appId", "service": "appId", "app_name": "appName", "source": "source",
	"event_type": "eventType", "event_type_value": "eventTypeValue", "event_type_name": "eventTypeName", "generic_event_type": "genericEventType",
	"action": "mainInfo.rawOperationName", "activity_kind": "mainInfo.type", "description": "description",
	"is_success": "mainInfo.activityResult.isSuccess", "result_message": "mainInfo.activityResult.message", "is_admin": "eventRouting.adminEvent",
	"severity": "severity", "confidence": "confidenceLevel", "actor_id": "resolvedActor.id", "actor_name": "resolvedActor.name", "user_tags": "user.userTags",
	"ip": "device.clientIP", "other_ips": "internals.otherIPs", "ip_category": "location.category", "ip_category_name": "location.categoryValue",
	"ip_tags": "location.ipTags", "country": "location.countryCode", "region": "location.region", "city": "location.city",
	"latitude": "location.latitude", "longitude": "location.longitude", "isp": "location.organizationSearchable",
	"is_anonymous_proxy": "location.anonymousProxy", "user_agent": "device.userAgent", "browser": "userAgent.browser",
	"os": "userAgent.operatingSystem.name", "device_type": "userAgent.deviceType", "user_agent_tags": "userAgent.tags",
	"session_id": "session.sessionId", "workload": "rawDataJson.Workload", "object_id": "rawDataJson.ObjectId",
}

// columnsOf reads a record's columns the slow way.
func columnsOf(t *testing.T, record []byte) map[string]json.RawMessage {
	t.Helper()
	at := func(path string) json.RawMessage {
		value := json.RawMessage(record)
		for _, name := range strings.Split(path, ".") {
			var members map[string]json.RawMessage
			if json.Unmarshal(value, &members) != nil || members[name] == nil {
				return json.RawMessage("null")
			}
			value = members[name]
		}
		return value
	}
	columns := map[string]json.RawMessage{}
	for column, path := range columnPaths {
		columns[column] = at(path)
	}
	columns["user_name"] = at("user.userName")
	if bytes.Equal(columns["user_name"], []byte("null")) {
		columns["user_name"] = at("failedUserData.userName")
	}
	for column, path := range map[string]string{"timestamp": "timestamp", "created": "created"} {
		var ms int64
		if err := json.Unmarshal(at(path), &ms); err != nil {
			t.Fatal(err)
		}
		layout := time.RFC3339
		if ms%1000 != 0 {
			layout = "2006-01-02T15:04:05.000Z07:00"
		}
		columns[column] = json.RawMessage(`"` + time.UnixMilli(ms).UTC().Format(layout) + `"`)
		if column == "timestamp" {
			columns["date"] = json.RawMessage(`"` + time.UnixMilli(ms).UTC().Format(time.DateOnly) + `"`)
		}
	}
	// The objects, member by member.
	var objects []map[string]json.RawMessage
	if list := at("mainInfo.eventObjects"); json.Unmarshal(list, &objects) == nil && objects != nil {
		var out []string
		for _, o := range objects {
			var members []string
			for _, m := range [][2]string{{"id", "id"}, {"name", "name"}, {"value", "value"}, {"type", "objType"}, {"role", "role"},
				{"app_id", "saasId"}, {"instance_id", "instanceId"}, {"service_object_type", "serviceObjectType"}} {
				value := o[m[1]]
				if value == nil {
					value = json.RawMessage("null")
				}
				members = append(members, `"`+m[0]+`":`+string(value))
			}
			out = append(out, "{"+strings.Join(members, ",")+"}")
		}
		columns["objects"] = json.RawMessage("[" + strings.Join(out, ",") + "]")
	}
	return columns
}
