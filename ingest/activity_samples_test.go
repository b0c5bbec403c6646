package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mdcalake/ingest"
	"mdcalake/store"
)

// samples reads the records of a file of native samples as they stand there.
// The samples are not ours to keep in the project.
func samples(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	dir := os.Getenv("MDCALAKE_SAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "api", "samples")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no sample records: set MDCALAKE_SAMPLES to their folder (%v)", err)
	}
	var records []json.RawMessage
	if err := json.Unmarshal(text, &records); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestDecodeOfNativeSamples(t *testing.T) {
	onedrive := lifted{
		"activity_id": `"97134000_15600_97ee2049-893e-4c9d-a312-08d82b46faf7"`, "timestamp": "1595096313000", "created": "1595096586840",
		"tenant_id": "97134000", "app_id": "15600", "app_name": `"Microsoft OneDrive for Business"`, "source": "2",
		"event_type": "233580", "event_type_value": `"EVENT_O365_ONEDRIVE_GENERIC"`, "event_type_name": `"EVENT_CATEGORY_UNSPECIFIED"`,
		"generic_event_type": `"ENUM_ACTIVITY_GENERIC_TYPE_BASIC"`, "action": `"FilePreviewed"`, "activity_kind": `"basic"`,
		"description": `"FilePreviewed"`, "is_success": null, "result_message": null, "is_admin": null, "severity": `"INFO"`, "confidence": "20",
		"user_name": `"avi.testman@exampledev.onmicrosoft.com"`, "actor_id": `"3fa9f28b-eb0e-463a-ba7b-8089fe9991e2"`, "actor_name": `"Avi Testman"`,
		"user_tags": `["5f01dbbc68df27c17aa6ca81"]`, "ip": `"8.8.8.8"`, "other_ips": `["8.8.8.8"]`, "ip_category": "0", "ip_category_name": `"NONE"`,
		"ip_tags": null, "country": `"IL"`, "region": `"Tel Aviv"`, "city": `"Tel Aviv"`, "latitude": "32.0679", "longitude": "34.7604",
		"isp": `"Cellcom Group"`, "is_anonymous_proxy": "false", "user_agent": `"OneDriveMpc-Transform_Thumbnail/1.0"`,
		"browser": `"MICROSOFT_ONEDRIVE_FOR_BUSINESS"`, "os": `"Unknown"`, "device_type": `"OTHER"`, "user_agent_tags": `["000000000000000000000000"]`,
		"session_id": null, "workload": `"OneDrive"`,
		"objects": `[{"cac4b654-5fcf-44f0-818e-479cf8ae42ac" "https://exampledev-my.sharepoint.com/personal/avi_testman_exampledev_onmicrosoft_com/" NULL 1 3 NULL NULL "OneDrive Site Collection"}` +
			` {"avi.testman@exampledev.onmicrosoft.com" "Avi Testman" NULL 21 4 11161 0 NULL}` +
			` {"3fa9f28b-eb0e-463a-ba7b-8089fe9991e2" "Avi Testman" NULL 23 4 11161 0 NULL}]`,
		"object_id": `"https://exampledev-my.sharepoint.com/personal/avi_testman_exampledev_onmicrosoft_com/Documents/ibanexample.docx"`,
	}
	const guest = `"guest1_example.com#ext#@guestone.onmicrosoft.com"`
	login := lifted{
		"activity_id": `"710e5ae7f65ad8e997e3154db373ad08c2304f63e8b49cb98347fded4652131a"`, "timestamp": "1626197195142", "created": "1626197535294",
		"tenant_id": "97134000", "app_id": "11161", "app_name": `"Office 365"`, "source": "2",
		"event_type": "2293761", "event_type_value": `"EVENT_AAD_LOGIN_FAILED"`, "event_type_name": `"EVENT_CATEGORY_FAILED_LOGIN"`,
		"generic_event_type": `"ENUM_ACTIVITY_GENERIC_TYPE_FAILED_LOGIN"`, "action": `"OAuth2:Authorize"`, "activity_kind": `"failedLogin"`,
		"description": `"Failed log on (Failure message: General failure)"`, "is_success": "false", "result_message": `"General failure"`,
		"is_admin": null, "severity": `"INFO"`, "confidence": "30", "user_name": guest, "actor_id": guest, "actor_name": guest,
		"user_tags": `["000000200000000000000000"]`, "ip": `"1.2.3.6"`, "other_ips": `["1.2.3.6"]`, "ip_category": "0", "ip_category_name": `"NONE"`,
		"ip_tags": null, "country": `"NL"`, "region": `"noord-holland"`, "city": `"amsterdam"`, "latitude": "52.30905", "longitude": "4.94019",
		"isp": `"eunetworks"`, "is_anonymous_proxy": "false", "user_agent": `";Windows 10;Chrome 91.0;"`, "browser": `"CHROME"`,
		"os": `"Windows 10"`, "device_type": `"DESKTOP"`, "user_agent_tags": null, "session_id": null, "workload": null, "object_id": null,
		"objects": `[{"c61faf03-1cbc-4409-94a9-ae1497de0883" "EWS O365" NULL 6 1 NULL NULL NULL}` +
			` {"a25feb7c-f23c-4152-9f46-d87e2e10d800" "Request ID" NULL 7 3 NULL NULL NULL}` +
			` {NULL "Pass-through authentication" "false" 7 3 NULL NULL NULL}` +
			` {"58518ac4-40e0-4dc3-a56b-565dcfe4e9d3" ` + guest + ` NULL 2 2 NULL NULL NULL}` +
			` {` + guest + ` ` + guest + ` NULL 22 5 11161 0 NULL}]`,
	}
	for _, c := range []struct {
		file    string
		records int
		first   lifted
	}{
		{"10_native_onedrive_file_previewed.json", 1, onedrive},
		{"11_native_onedrive_entitydata_as_array.json", 1, onedrive},
		{"12_native_failed_logins.json", 3, login},
	} {
		t.Run(c.file, func(t *testing.T) {
			records := samples(t, c.file)
			if len(records) != c.records {
				t.Errorf("got %d records, want %d", len(records), c.records)
			}
			d, row := ingest.NewDecoder(), new(store.Row)
			for i, record := range records {
				if err := d.Decode(record, row); err != nil {
					t.Fatal(err)
				}
				if row.Drift != 0 || row.Original != nil || string(row.Raw()) != string(record) {
					t.Errorf("record %d drifts in %q, or is not kept as it came", i, drifted(row.Drift))
				}
				if diff := cmp.Diff(c.first, rendered(row)); i == 0 && diff != "" {
					t.Errorf("columns differ (-want +got):\n%s", diff)
				}
				compareWithReference(t, row)
			}
		})
	}
}
