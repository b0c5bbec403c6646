package simulator

import "strconv"

// No public sample shows how MDCA passes the records of connected apps on,
// Google's apart. Each is written here as the app's own documents describe its
// audit record, since that is what rawDataJson was seen to hold elsewhere; the
// members of session control and of the sensors are guesses after the names
// that clients read.

// upstreamNative writes the record of a connected app in its own form.
func (d *draft) upstreamNative(o *out) {
	switch {
	case d.act.feed == feedGoogle:
		d.report(o)
	case d.act.feed == feedIdentity:
		d.sensor(o)
	case d.act.feed == feedSession:
		d.controlled(o)
	case d.app.id == 11599:
		d.cloudTrail(o)
	case d.app.id == 10489:
		d.boxEvent(o)
	case d.act.work == "SetupAuditTrail":
		d.setupTrail(o)
	default:
		d.eventLog(o)
	}
	if d.huge {
		d.padding(o)
	}
}

// collectedNative writes what the collector of a connected app noted.
func (d *draft) collectedNative(o *out, arrived int64) {
	switch {
	case d.act.feed == feedGoogle:
		o.obj("googleApps")
		o.str("applicationName", d.act.work)
	case d.act.feed == feedIdentity:
		o.obj("aatp")
		o.str("sensor", d.domainHost())
	case d.act.feed == feedSession:
		return // it is no collector that brings these
	case d.app.id == 11599:
		o.obj("aws")
		o.str("trail", "organization-trail")
		o.str("accountId", d.awsAccount())
	case d.app.id == 10489:
		o.obj("box")
		o.str("streamType", "admin_logs")
		o.str("streamPosition", strconv.FormatInt(d.e.ts, 10)+"_"+strconv.FormatUint(d.key%1000, 10))
	default:
		o.obj("salesforce")
		o.str("source", d.act.work)
	}
	o.int("enqueueTime", arrived)
	o.int("routingTime", arrived+52)
	o.end()
}

// named is what an activity in a connected app was done to.
type named struct{ id, name, kind string }

// target is the object of an activity in a connected app.
func (d *draft) target() named {
	switch {
	case d.app.id == 11599:
		return named{d.awsResource(), d.awsResource(), "AWS Resource"}
	case d.act.work == "SetupAuditTrail", d.act.main == "login", d.act.main == "failedLogin", d.act.name == "LOGOUT":
		return named{d.other.objectID, d.other.upn, "User"}
	case d.app.id == 11114:
		return named{salesforceID("00O", d.file.id), d.file.site, "Report"}
	}
	return named{boxID(d.file.id), d.file.name, "File"}
}

// digits is a number of so many digits that belongs to a text.
func digits(text string, n int) string {
	key := hashText(71, []byte(text))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + key%10)
		if key /= 10; key == 0 {
			key = hashText(72, b[:i+1])
		}
	}
	if b[0] == '0' {
		b[0] = '1'
	}
	return string(b)
}

func boxID(text string) string { return digits(text, 12) }

// salesforceID is an id of 15 characters: what it is of, and which.
func salesforceID(prefix, text string) string {
	return prefix + "5g0000" + string(appendBase62(nil, hashText(73, []byte(text)), 6))
}

const base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func appendBase62(dst []byte, key uint64, n int) []byte {
	for range n {
		dst = append(dst, base62Digits[key%62])
		key /= 62
	}
	return dst
}
