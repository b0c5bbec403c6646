package simulator_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mdcalake/ingest/simulator"
)

func TestNativeFeeds(t *testing.T) {
	services := []int64{11599, 10489, 11114, 11770, 26069, 20940, 20892}
	s := newSim(t, simulator.Options{Seed: 3, Count: 4000, NativeFeeds: true, Services: services, Huge: 0.01, HugeBytes: 50_000})
	// What each service's records hold, whoever wrote them: members of rawDataJson
	// and of the record, and a shape of _id.
	type want struct {
		service string
		where   func(object) bool
		raw     []string
		members []string
		id      string
	}
	connector := func(o object) bool {
		return o.text("source") == "2" && !strings.HasPrefix(o.text("eventTypeValue"), "EVENT_AAD")
	}
	found := map[string]map[string]int{}
	wants := []want{
		{"11599", connector, []string{"eventVersion", "userIdentity.arn", "eventSource", "eventName", "awsRegion", "requestParameters", "responseElements.ConsoleLogin", "additionalEventData.bytesTransferredOut", "errorCode", "eventID"}, []string{"collected.aws.accountId"}, `^[0-9a-f]{64}_11599$`},
		{"10489", connector, []string{"event_type", "created_by.login", "source.parent.name", "additional_details.size", "session_id"}, []string{"collected.box.streamPosition"}, `^[0-9a-f]{64}_10489$`},
		{"11114", connector, []string{"EVENT_TYPE", "TIMESTAMP_DERIVED", "USER_ID_DERIVED", "LOGIN_STATUS", "ROWS_PROCESSED", "attributes.type", "CreatedBy.Username"}, []string{"collected.salesforce.source"}, `^[0-9a-f]{64}_11114$`},
		{"11770", connector, []string{"id.uniqueQualifier", "actor.profileId", "events", "ipAddress"}, []string{"collected.googleApps.applicationName", "failedUserData.userName"}, `^[0-9a-f]{64}_11770$`},
		{"26069", connector, []string{"id.uniqueQualifier", "events"}, []string{"srcAppId"}, `^[0-9a-f]{64}_26069$`},
		{"20940", func(o object) bool { return o.text("source") == "6" }, []string{"SourceComputer.Name", "DestinationComputers", "Spn", "SearchFilter", "NtlmVersion"}, []string{"collected.aatp.sensor"}, `^[0-9a-f-]{36}_\d{9}_\d{13}_20940$`},
		{"20892", func(o object) bool { return o.text("source") == "1" }, []string{"file.sha256", "policies", "verdict"}, []string{"session.sessionId", "protocols.HTTP", "performedActionNamesSet"}, `^[0-9a-f]{64}$`},
		{"10489", func(o object) bool { return o.text("source") == "0" }, []string{"saml.issuer"}, []string{"http.requestId", "serviceHostName"}, `^[0-9a-f]{64}$`},
	}
	huge := 0
	for p := range s.Expected() {
		b := p.Bytes()
		if !json.Valid(b) {
			t.Fatalf("not valid: %.3000s", b)
		}
		if len(b) > 50_000 {
			huge++
		}
		o := object(decoded(t, b))
		for i, w := range wants {
			if o.text("appId") != w.service || !w.where(o) {
				continue
			}
			key := fmt.Sprint(i)
			if found[key] == nil {
				found[key] = map[string]int{}
			}
			found[key]["records"]++
			if regexp.MustCompile(w.id).MatchString(o.text("_id")) {
				found[key]["id"]++
			}
			for _, m := range w.raw {
				if o.text("rawDataJson."+m) != "" {
					found[key][m]++
				}
			}
			for _, m := range w.members {
				if o.text(m) != "" {
					found[key][m]++
				}
			}
		}
	}
	for i, w := range wants {
		got := found[fmt.Sprint(i)]
		if got["records"] < 10 || got["id"] < got["records"]*9/10 {
			t.Errorf("service %s: %d records, %d ids of the shape %s", w.service, got["records"], got["id"], w.id)
		}
		for _, m := range append(w.raw, w.members...) {
			if got[m] == 0 {
				t.Errorf("service %s: no record has %s", w.service, m)
			}
		}
	}
	if huge < 10 {
		t.Errorf("%d huge records", huge)
	}
	got, _ := client{t: t, s: s}.scan(`{"service":{"eq":[11599,10489]}}`, `,"limit":500`, 60)
	for _, b := range got {
		if id := facet(t, b, "appId"); id != 11599 && id != 10489 {
			t.Fatalf("service %d was not asked for", id)
		}
	}
	if _, err := simulator.New(simulator.Options{Services: []int64{26069}}); err == nil || !strings.Contains(err.Error(), "native feeds") {
		t.Errorf("a service without records: %v", err)
	}
}
