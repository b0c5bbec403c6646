package ingest_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"mdcalake/ingest"
	"mdcalake/store"
)

// typicalRecord is made up, in the shape and size of a record of a file
// activity: about 150 keys, 4 KB, no white space.
const typicalRecord = `{"_id":"70000001_15600_0b9a6f0e-5a3c-4d52-9c1e-1f2e3d4c5b6a","tenantId":70000001,` +
	`"aadTenantId":"11111111-2222-4333-8444-555555555555","appId":15600,"saasId":15600,"timestamp":1700000000123,` +
	`"timestampRaw":1700000000123,"instantiation":1700000060456,"instantiationRaw":1700000060456,"created":1700000061789,` +
	`"createdRaw":1700000061789,"eventType":233580,"eventTypeValue":"EVENT_O365_ONEDRIVE_GENERIC","eventRouting":` +
	`{"scubaUnpacker":false,"lograbber":true,"auditing":true,"adminEvent":false},"device":{"clientIP":"192.0.2.17",` +
	`"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",` +
	`"countryCode":"NL"},"location":{"countryCode":"NL","city":"Utrecht","regionCode":"UT","region":"Utrecht",` +
	`"longitude":5.1214,"latitude":52.0907,"organizationSearchable":"Example Networks B.V.","anonymousProxy":false,` +
	`"isSatelliteProvider":false,"category":1,"categoryValue":"CORPORATE","ipTags":["aaaaaaaaaaaaaaaaaaaaaaaa"]},` +
	`"user":{"userName":"wilma.jansen@contoso.example","userTags":["bbbbbbbbbbbbbbbbbbbbbbbb","cccccccccccccccccccccccc"]},` +
	`"userAgent":{"family":"CHROME","name":"Chrome","operatingSystem":{"name":"Windows 10","family":"Windows","version":"10"},` +
	`"type":"Browser","typeName":"Browser","deviceType":"DESKTOP","nativeBrowser":false,"version":"120.0","major":"120",` +
	`"minor":"0","tags":["000000000000000000000000"],"os":"windows","browser":"CHROME"},"internals":{"otherIPs":["192.0.2.17"]},` +
	`"mainInfo":{"eventObjects":[{"objType":1,"role":3,"tags":[],"name":"https://contoso-my.sharepoint.example/personal/wilma_jansen/",` +
	`"id":"12121212-3434-4565-8787-909090909090","serviceObjectType":"OneDrive Site Collection"},{"objType":21,"role":4,"tags":[],` +
	`"name":"Wilma Jansen","instanceId":0,"resolved":true,"saasId":11161,"id":"wilma.jansen@contoso.example","link":-987654321},` +
	`{"objType":23,"role":4,"tags":["bbbbbbbbbbbbbbbbbbbbbbbb"],"name":"Wilma Jansen","instanceId":0,"resolved":true,` +
	`"saasId":11161,"id":"abababab-cdcd-4efe-8f0f-121314151617","link":-987654321}],"rawOperationName":"FilePreviewed",` +
	`"prettyOperationName":"FilePreviewed","type":"basic"},"confidenceLevel":20,"source":2,"lograbberService":` +
	`{"o365EventGrabber":true,"gediEvent":true},"srcAppId":11161,"collected":{"o365":{"blobCreated":"2023-11-14T22:14:00.1230000Z",` +
	`"blobId":"20231114221400123000001$20231114221402000000002$audit_sharepoint$Audit_SharePoint$emea0001"}},"rawDataJson":` +
	`{"OrganizationId":"11111111-2222-4333-8444-555555555555","CreationTime":"2023-11-14T22:13:20.0000000Z","RecordType":6,` +
	`"Operation":"FilePreviewed","UserType":0,"Workload":"OneDrive","ClientIP":"192.0.2.17","UserKey":"i:0h.f|membership|1003200",` +
	`"Version":1,"ObjectId":"https://contoso-my.sharepoint.example/personal/wilma_jansen/Documents/Budget 2024.xlsx",` +
	`"CorrelationId":"a1a1a1a1-b2b2-4c3c-8d4d-e5e5e5e5e5e5","UserId":"wilma.jansen@contoso.example",` +
	`"ListItemUniqueId":"f0f0f0f0-1e1e-4d2d-8c3c-b4b4b4b4b4b4","EventSource":"SharePoint","SourceFileExtension":"xlsx",` +
	`"UserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",` +
	`"SourceRelativeUrl":"Documents","ItemType":"File","SourceFileName":"Budget 2024.xlsx","Note":"line one\nline \"two\" \u00e9",` +
	`"Id":"0b9a6f0e-5a3c-4d52-9c1e-1f2e3d4c5b6a","ApplicationId":"99999999-8888-4777-8666-555555555555",` +
	`"ListId":"31313131-4242-4535-8646-757575757575","WebId":"52525252-6363-4747-8858-969696969696","SiteUrl":` +
	`"https://contoso-my.sharepoint.example/personal/wilma_jansen/","Site":"12121212-3434-4565-8787-909090909090",` +
	`"DoNotDistributeEvent":true,"HighPriorityMediaProcessing":false},"resolvedActor":{"id":"abababab-cdcd-4efe-8f0f-121314151617",` +
	`"saasId":"11161","instanceId":"0","tags":["bbbbbbbbbbbbbbbbbbbbbbbb"],"objType":"23","name":"Wilma Jansen","role":"4",` +
	`"resolved":true},"uid":"70000001_15600_0b9a6f0e-5a3c-4d52-9c1e-1f2e3d4c5b6a","appName":"Microsoft OneDrive for Business",` +
	`"eventTypeName":"EVENT_CATEGORY_UNSPECIFIED","classifications":[],"entityData":{"0":{"displayName":"Wilma Jansen","id":` +
	`{"id":"wilma.jansen@contoso.example","saas":11161,"inst":0},"resolved":true},"1":null,"2":{"displayName":"Wilma Jansen",` +
	`"id":{"id":"abababab-cdcd-4efe-8f0f-121314151617","saas":11161,"inst":0},"resolved":true}},"description_id":` +
	`"EVENT_DESCRIPTION_BASIC_EVENT","description_metadata":{"target_object":"","operation_name":"FilePreviewed","colon":"",` +
	`"dash":""},"description":"FilePreviewed: file \"Budget 2024.xlsx\"","genericEventType":"ENUM_ACTIVITY_GENERIC_TYPE_BASIC","severity":"INFO"}`

func BenchmarkDecode(b *testing.B) {
	b.Run("one shape", func(b *testing.B) { benchmarkDecode(b, []string{typicalRecord}) })
	b.Run("many shapes", func(b *testing.B) { benchmarkDecode(b, manyShapes()) })
	b.Run("with spaces", func(b *testing.B) {
		benchmarkDecode(b, []string{strings.ReplaceAll(strings.ReplaceAll(typicalRecord, `":`, `": `), `,"`, `, "`)})
	})
}

// manyShapes is the record with other keys missing and other values each time,
// always in the same random order, so that neither our predictions nor the
// processor's know what comes next.
func manyShapes() []string {
	optional := []string{`"adminEvent":false`, `"ipTags":["aaaaaaaaaaaaaaaaaaaaaaaa"]`, `"serviceObjectType":"OneDrive Site Collection",`,
		`"uid":"70000001_15600_0b9a6f0e-5a3c-4d52-9c1e-1f2e3d4c5b6a",`, `"severity":"INFO"`, `"Site":"12121212-3434-4565-8787-909090909090",`,
		`"city":"Utrecht",`, `"confidenceLevel":20,`, `"ItemType":"File",`, `"UserType":0,`}
	random := rand.New(rand.NewPCG(1, 2))
	records := make([]string, 500)
	for i := range records {
		record := typicalRecord
		for _, o := range optional {
			key, _, _ := strings.Cut(o[1:], `"`)
			switch {
			case random.IntN(2) == 0:
			case strings.HasSuffix(o, ","):
				record = strings.Replace(record, o, "", 1)
			default:
				record = strings.Replace(record, `"`+key+`":`, `"`+key+`Other":`, 1)
			}
		}
		for _, text := range []string{"wilma.jansen", "FilePreviewed", "Budget 2024", "192.0.2.17"} {
			record = strings.ReplaceAll(record, text, text+strings.Repeat("x", random.IntN(20)))
		}
		records[i] = record
	}
	return records
}

func benchmarkDecode(b *testing.B, records []string) {
	total := 0
	texts := make([][]byte, len(records))
	for i, record := range records {
		texts[i] = []byte(record)
		total += len(record)
	}
	d, row := ingest.NewDecoder(), new(store.Row)
	b.SetBytes(int64(total / len(records)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := d.Decode(texts[i%len(texts)], row); err != nil {
			b.Fatal(err)
		}
	}
}
