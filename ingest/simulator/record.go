package simulator

import (
	"strconv"
	"strings"
)

// append writes the whole record.
func (d *draft) append(dst []byte) []byte {
	if d.bad != 0 {
		return badRow(dst, d.bad, d)
	}
	o := &out{append(dst, '{')}
	d.head(o)
	d.actorPlace(o)
	d.client(o)
	o.obj("internals")
	o.arr("otherIPs")
	if d.net.ip != "" && d.odd != oddNoIP {
		o.elemStr(d.net.ip)
	}
	o.stop()
	o.end()
	d.mainInfo(o)
	o.int("confidenceLevel", int64(20+10*(d.key&1)))
	if d.odd == oddSourceText {
		o.str("source", strconv.Itoa(d.source()))
	} else {
		o.int("source", int64(d.source()))
	}
	d.grabber(o)
	o.int("srcAppId", d.connector())
	d.collected(o)
	if d.act.feed == feedSession {
		d.session(o)
	}
	o.obj("rawDataJson")
	d.upstream(o)
	if d.odd == oddDeepUnknown {
		oddKeys.strange(o, d.key)
		oddBigNumbers.strange(o, d.key)
	}
	o.end()
	d.actor(o)
	o.str("uid", d.id)
	o.str("appName", d.app.name)
	o.str("eventTypeName", "EVENT_CATEGORY_"+d.act.name)
	o.arr("classifications")
	if d.act.feed == feedSignIn {
		o.elemStr("access")
	}
	o.stop()
	d.entityData(o)
	d.describe(o)
	o.str("severity", "INFO")
	d.odd.strange(o, d.key)
	d.brokenText(o)
	if d.e.rev > 0 {
		// What MDCA adds when it has looked at a record again.
		o.arr("matchingRules")
		o.elemStr(hexText(d.key+9, 24))
		o.stop()
		o.int("revision", int64(d.e.rev))
	}
	o.end()
	o.trim()
	return o.b
}

// source is the stream a record came by: 0 access control, 1 session control,
// 2 app connector, 6 the sensors of Defender.
func (d *draft) source() int {
	switch d.act.feed {
	case feedSession:
		return int(either64(d.act.work == accessControl, 0, 1))
	case feedIdentity:
		return 6
	}
	return 2
}

// connector is the app whose connector brought the record.
func (d *draft) connector() int64 {
	if d.act.feed <= feedSignIn {
		return 11161
	}
	if d.app.id == 26069 {
		return 11770 // Google Drive comes by the connector of the Workspace
	}
	return d.app.id
}

func (d *draft) head(o *out) {
	o.str("_id", d.id)
	o.int("tenantId", d.g.opt.TenantID)
	o.guid("aadTenantId", d.g.co.aad)
	o.int("appId", d.app.id)
	o.int("saasId", d.app.id)
	o.int("timestamp", d.e.ts)
	o.int("timestampRaw", d.e.ts)
	built := max(d.e.ts, d.e.created-40-int64(d.key%9000))
	o.int("instantiation", built)
	o.int("instantiationRaw", built)
	o.int("created", d.e.created)
	o.int("createdRaw", d.e.created)
	o.int("eventType", d.act.typ)
	o.str("eventTypeValue", d.act.value)
	o.obj("eventRouting")
	o.bool("scubaUnpacker", false)
	o.bool("lograbber", d.act.feed != feedSession)
	o.bool("auditing", true)
	if d.act.feed == feedSignIn {
		o.bool("dispersed", true)
	}
	if d.act.admin {
		o.bool("adminEvent", true)
	}
	if d.act.feed == feedSession {
		o.bool("samlproxy", d.act.typ == 1024)
		o.bool("niptuck", d.act.typ != 1024)
		o.bool("isAadLimitedSession", false)
	}
	o.end()
}

// ip is device.clientIP, in the forms that have been seen; "" means none.
func (d *draft) ip() string {
	switch d.odd {
	case oddNoIP:
		return ""
	case oddMappedIP:
		if !strings.Contains(d.net.ip, ":") {
			return "::ffff:" + d.net.ip
		}
	case oddPortIP:
		if !strings.Contains(d.net.ip, ":") {
			return d.net.ip + ":" + strconv.Itoa(1024+int(d.key%64000))
		}
	case oddSpaceIP:
		return d.net.ip + " "
	}
	return d.net.ip
}

// country is "" where the record knows none.
func (d *draft) country() string {
	if d.odd == oddNoLocation {
		return ""
	}
	if d.odd == oddDashCountry {
		return "--"
	}
	return d.net.place.country
}

func (d *draft) agentText() string {
	if d.act.feed == feedSignIn {
		return d.tool.signIn
	}
	return d.tool.raw
}

// username is the member user.userName or, after a failure, failedUserData.userName.
func (d *draft) username() string {
	if d.act.feed == feedIdentity {
		return d.who.mailLocal
	}
	return d.who.upn
}

func (d *draft) actorPlace(o *out) {
	o.obj("device")
	if ip := d.ip(); ip != "" {
		o.str("clientIP", ip)
	}
	o.str("userAgent", d.agentText())
	o.str("countryCode", d.net.place.country)
	if d.act.feed == feedSession {
		o.str("machineId", d.who.machineID)
		o.obj("certificate")
		o.bool("certifiedByClientCertificate", d.key&4 == 0)
		o.end()
	}
	if d.odd == oddDeepUnknown {
		o.str("ja4", hexText(d.key+3, 24))
	}
	o.end()
	if d.odd != oddNoLocation {
		d.location(o)
	}
	switch {
	case d.odd == oddUserNull:
		o.null("user")
	case d.act.failed:
		o.obj("user")
		o.raw("userTags", d.who.tag)
		o.end()
		o.obj("failedUserData")
		o.str("userName", d.username())
		o.end()
	default:
		o.obj("user")
		o.str("userName", d.username())
		o.raw("userTags", d.who.tag)
		o.end()
	}
}

func (d *draft) location(o *out) {
	p := d.net.place
	city, region := p.city, p.region
	if d.act.feed == feedSignIn { // this feed writes places in small letters
		city, region = strings.ToLower(city), strings.ToLower(region)
	}
	o.obj("location")
	o.str("countryCode", d.country())
	switch d.odd {
	case oddCityNull:
		o.null("city")
	case oddCityEmpty:
		o.str("city", "")
	default:
		o.str("city", city)
	}
	if p.regionCode != "" && d.act.feed != feedSignIn {
		o.str("regionCode", p.regionCode)
	}
	if region != "" {
		o.str("region", region)
	}
	if p.postal != "" {
		o.str("postalCode", p.postal)
	}
	o.raw("longitude", p.lon)
	o.raw("latitude", p.lat)
	if d.act.feed == feedSignIn {
		o.str("carrier", d.net.carrier)
	}
	o.str("organizationSearchable", d.net.isp)
	o.bool("anonymousProxy", d.net.proxy)
	o.bool("isSatelliteProvider", false)
	o.int("category", int64(d.net.category))
	o.str("categoryValue", d.net.value)
	if len(d.net.tags) > 0 {
		o.arr("ipTags")
		for _, t := range d.net.tags {
			o.elemStr(t)
		}
		o.stop()
	}
	o.end()
}

func (d *draft) client(o *out) {
	a := d.tool
	o.obj("userAgent")
	o.str("family", a.browser)
	o.str("name", a.name)
	o.obj("operatingSystem")
	if a.osName == "" {
		o.str("name", "Unknown")
	} else {
		o.str("name", a.osName)
		if a.osVer != "" {
			o.str("version", a.osVer)
		}
	}
	o.str("family", a.osFam)
	o.end()
	o.str("type", a.kind)
	o.str("typeName", a.kind)
	o.str("deviceType", a.device)
	o.bool("nativeBrowser", a.native)
	if a.version != "" {
		o.str("version", a.version)
		o.str("major", a.major)
		o.str("minor", a.minor)
	}
	if a.tags != nil {
		o.arr("tags")
		for _, t := range a.tags {
			o.elemStr(t)
		}
		o.stop()
	}
	o.str("os", a.os)
	o.str("browser", a.browser)
	o.end()
}

func (d *draft) grabber(o *out) {
	o.obj("lograbberService")
	switch {
	case d.act.feed == feedSignIn:
		o.bool("scubaUnpacker", true)
	case d.act.feed < feedSignIn:
		o.bool("o365EventGrabber", true)
		o.bool("gediEvent", d.key&15 != 0)
		if d.key&15 == 0 {
			o.str("categoryReasonForNotGedi", "WORKLOAD")
			o.str("valueReasonForNotGedi", d.act.work)
		}
	}
	o.end()
}

// actor writes resolvedActor, whose numbers are text, and the account where
// nobody could be resolved.
func (d *draft) actor(o *out) {
	known := !(d.act.failed && d.who.guest)
	write := func(key string, full bool) {
		o.obj(key)
		switch {
		case !known:
			o.bool("governable", false)
			o.str("id", d.who.upn)
		case d.act.feed == feedIdentity:
			o.str("id", d.who.mailLocal)
		default:
			o.str("id", d.who.objectID)
		}
		o.str("saasId", "11161")
		o.str("instanceId", "0")
		o.raw("tags", d.who.tag)
		if full {
			o.str("objType", either(known, "23", "22"))
		}
		o.str("name", either(known, d.who.name, d.who.upn))
		o.str("role", either(known && !d.act.failed, "4", "2"))
		o.bool("resolved", known)
		o.end()
	}
	write("resolvedActor", true)
	if !known {
		write("resolvedActorAccount", false)
	}
}

func (d *draft) entityData(o *out) {
	entity := func(id string, resolved bool) {
		o.str("displayName", d.who.name)
		o.obj("id")
		o.str("id", id)
		o.int("saas", 11161)
		o.int("inst", 0)
		o.end()
		o.bool("resolved", resolved)
		o.end()
	}
	switch d.odd {
	case oddEntityAbsent:
	case oddEntityNull:
		o.null("entityData")
	case oddEntityArray:
		o.arr("entityData")
		o.elem()
		entity(d.who.upn, true)
		o.elem()
		entity(d.who.objectID, true)
		o.stop()
	case oddEntityMany:
		o.obj("entityData")
		for i := range 14 {
			o.obj(strconv.Itoa(i * 3))
			entity(d.who.upn, i%2 == 0)
		}
		o.end()
	default:
		o.obj("entityData")
		o.obj("0")
		entity(d.who.upn, true)
		o.null("1")
		o.obj("2")
		entity(d.who.objectID, true)
		o.end()
	}
}

func (d *draft) describe(o *out) {
	if d.act.feed == feedSignIn && d.act.failed {
		message := "(Failure message: " + d.result + ")"
		o.str("description_id", "EVENT_DESCRIPTION_FAILED_LOGIN")
		o.obj("description_metadata")
		o.str("activity_result_message", message)
		o.str("colon", "")
		o.str("dash", "")
		o.str("event_category", "Failed log on")
		o.end()
		o.str("description", "Failed log on "+message)
		o.str("genericEventType", "ENUM_ACTIVITY_GENERIC_TYPE_FAILED_LOGIN")
		return
	}
	o.str("description_id", "EVENT_DESCRIPTION_BASIC_EVENT")
	o.obj("description_metadata")
	o.str("target_object", d.object)
	o.str("operation_name", d.act.op)
	o.str("colon", either(d.object != "", ": ", ""))
	o.str("dash", "")
	if d.act.main == "run" {
		o.str("parameters", "")
		o.str("operation_status", "Succeeded")
	}
	o.end()
	text := d.act.op
	if d.object != "" {
		text += ": " + d.object
	}
	if d.act.feed == feedIdentity || d.odd == oddMarkup {
		text = "<b>" + d.who.name + "</b> performed <b>" + d.act.op + "</b> on <a href=\"#\">" + d.object + "</a> &amp; others"
	}
	o.str("description", text)
	d.breakText(o)
	o.str("genericEventType", "ENUM_ACTIVITY_GENERIC_TYPE_BASIC")
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
