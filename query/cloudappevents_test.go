package query_test

import (
	"strings"
	"testing"

	"mdcalake/query"
)

// huntingColumns are those of CloudAppEvents as Microsoft's page lists them.
const huntingColumns = `Timestamp ActionType Application ApplicationId AppInstanceId AccountObjectId AccountId AccountDisplayName IsAdminOperation
DeviceType OSPlatform IPAddress IsAnonymousProxy CountryCode City ISP UserAgent ActivityType ActivityObjects ObjectName ObjectType ObjectId ReportId
AccountType IsExternalUser IsImpersonated IPTags IPCategory UserAgentTags RawEventData AdditionalFields LastSeenForUser UncommonForUser AuditSource
SessionData OAuthAppId`

func TestCloudAppEventsHasTheColumnsOfTheHuntingTable(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	want := strings.Join(strings.Fields(huntingColumns), " ")
	if got := csv(t, e, "SELECT column_name FROM (DESCRIBE cloud_app_events)"); got != want {
		t.Errorf("columns are\n%s, want\n%s", got, want)
	}
	if got := csv(t, e, "SELECT count(*), count(DISTINCT ReportId), min(Timestamp), max(Timestamp) FROM cloud_app_events"); got != "96,96,2026-03-01T00:00:00Z,2026-03-02T23:00:00Z" {
		t.Errorf("got %s", got)
	}
	// In any case, in a CTE, joined to what it stands on.
	if got := csv(t, e, "WITH x AS (FROM CLOUD_APP_EVENTS WHERE ipaddress = '203.0.113.7') SELECT count(*) FROM x JOIN activities AS a ON a.activity_id = x.reportid"); got != "4" {
		t.Errorf("got %s", got)
	}
}

func TestCloudAppEventsOfALakeWithoutRows(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 0))
	if got := csv(t, e, "SELECT count(*), count(RawEventData) FROM cloud_app_events"); got != "0,0" {
		t.Errorf("got %s", got)
	}
}

// What stands in a plan's scan of the files is what pruning goes by.
func TestFiltersOnPlainColumnsReachTheFiles(t *testing.T) {
	e := open(t, newLake(t, t.TempDir(), 2))
	for filter, want := range map[string]string{
		"Timestamp >= '2026-03-02'":             "timestamp>=",
		"Timestamp::DATE = '2026-03-02'":        "timestamp",
		"ApplicationId = 20893":                 "app_id=20893",
		"IPAddress = '203.0.113.1'":             "ip='203.0.113.1'",
		"ReportId = 'x'":                        "activity_id='x'",
		"AccountId = 'x'":                       "actor_id='x'",
		"ObjectId = 'x'":                        "object_id='x'",
		"CountryCode = 'DE'":                    "country='DE'",
		"ActionType = 'x' AND ObjectName = 'y'": "action='x'",
		"IsAdminOperation":                      "is_admin",
	} {
		plan, _ := answer(t, e, query.CSV, "EXPLAIN SELECT count(*) FROM cloud_app_events WHERE "+filter, query.WriteOptions{})
		scan := plan[strings.LastIndex(plan, "READ_PARQUET"):]
		if _, filters, ok := strings.Cut(scan, "Filters:"); !ok && !strings.Contains(plan, "FILTER") || ok && !strings.Contains(filters, want) {
			t.Errorf("%s: the scan is\n%s", filter, scan)
		}
	}
}
