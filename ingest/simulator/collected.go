package simulator

import "strings"

// collected writes what the collector noted: one member per feed.
func (d *draft) collected(o *out) {
	arrived := max(d.e.ts, d.e.created-60_000-int64(d.key%20_000))
	o.obj("collected")
	switch f := d.act.feed; {
	case f == feedSignIn:
		o.obj("aadLogins")
		o.bool("MCAS_Router", false)
		o.guid("correlationId", newGUID(d.key+4))
		o.int("enqueueTime", arrived)
		o.int("routingTime", arrived+65)
		o.end()
	case f < feedSignIn:
		o.obj("o365")
		o.time("blobCreated", arrived, 7, "Z")
		o.key("blobId")
		o.b = appendStamp(append(o.b, '"'), arrived-51_000)
		o.b = appendPadded(o.b, int64(d.key%1_000_000), 6)
		o.b = appendStamp(append(o.b, '$'), arrived)
		o.b = appendPadded(o.b, int64(d.key>>20%1_000_000), 6)
		o.b = append(o.b, blobKinds[min(int(f), len(blobKinds)-1)]...)
		o.b = append(o.b, '"', ',')
		if f == feedDirectory {
			d.collectedDirectory(o)
		}
		o.end()
	case f == feedAzure:
		o.obj("azure")
		o.bool("MCAS_Router", false)
		o.int("enqueueTime", arrived)
		o.int("routingTime", arrived+48)
		o.str("resourceGroup", "rg-"+resourceNames[d.key%7])
		o.str("resourceName", d.resourceName())
		o.str("resourceProvider", "Microsoft.Resources")
		o.str("resourceType", "deployments")
		o.str("subscriptionId", d.subscription())
		o.end()
	case d.act.in == onlyNative:
		d.collectedNative(o, arrived)
	}
	o.end()
}

var blobKinds = []string{
	"$audit_sharepoint$Audit_SharePoint$emea0029",
	"$audit_exchange$Audit_Exchange$emea0031",
	"$audit_exchange$Audit_Exchange$emea0031",
	"$audit_general$Audit_General$emea0012",
	"$audit_azureactivedirectory$Audit_AzureActiveDirectory$emea0007",
	"$audit_general$Audit_General$emea0012",
}

// collectedDirectory writes the pairs of old and new values of a change.
func (d *draft) collectedDirectory(o *out) {
	o.obj("target")
	o.str("NAME", d.other.name)
	o.str("OTHER", d.other.objectID)
	o.str("PUID", d.other.puid)
	o.str("UPN", d.other.upn)
	o.str("formatted", d.other.name+" ("+d.other.upn+")")
	o.end()
	o.obj("extendedProperties")
	o.str("additionaldetails", `{"UserType":"Member"}`)
	o.end()
	o.str("AccountEnabledNewValue", "[true]")
	o.str("AccountEnabledOldValue", "[false]")
	o.str("DisplayNameNewValue", `["`+d.other.name+`"]`)
	o.str("DisplayNameOldValue", "[]")
}

// proxied is the host and path that went through session control.
func (d *draft) proxied() (host, path string) {
	if d.act.in == onlyNative && d.app.id != 20892 {
		return strings.ToLower(strings.ReplaceAll(d.app.name, " ", "-")) + ".apps.example", "/file/" + d.file.id
	}
	return "contoso.sharepoint.example", "/sites/" + d.file.site + "/_layouts/15/download.aspx"
}

// taken is what session control did.
func (d *draft) taken() string {
	if d.act.in == onlyNative {
		return takenActions[d.key%uint64(len(takenActions))]
	}
	return either(d.key&7 == 0, "block", "proxy")
}

var takenActions = []string{"proxy", "proxy", "proxy", "proxy", "BypassProxy", "block", "protect", "encrypt", "encryptionFailed", "verify", "verified", "decrypt"}

// session writes what only session control knows.
func (d *draft) session(o *out) {
	o.obj("session")
	o.guid("sessionId", newGUID(d.key+5))
	o.end()
	o.obj("connection")
	o.str("targetIp", "192.0.2.10")
	o.int("targetPort", 443)
	o.end()
	o.obj("http")
	host, path := d.proxied()
	o.str("httpMethod", either(d.act.name == "UPLOAD_FILE", "POST", "GET"))
	o.str("httpPath", path)
	o.str("httpReferer", d.file.siteURL)
	o.guid("requestId", newGUID(d.key+6))
	o.end()
	o.b = append(o.b, `"protocols":{"HTTP":true,"SSL":true},`...)
	o.obj("host")
	o.str("name", host+".mcas.example")
	o.end()
	o.str("serviceHostName", host)
	o.str("targetAppLoginUrl", "https://login.contoso.example/")
	taken := d.taken()
	o.arr("performedActionNamesSet")
	o.elemStr(taken)
	o.stop()
	o.arr("performedActions")
	o.elem()
	o.str("name", taken)
	o.end()
	o.stop()
	o.arr("tags")
	o.stop()
}
