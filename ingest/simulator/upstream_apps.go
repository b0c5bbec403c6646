package simulator

import "strconv"

// boxEvent writes an event of Box's admin log; its ids are digits in text.
func (d *draft) boxEvent(o *out) {
	f := &d.file
	user := func(key string, p *person) {
		o.obj(key)
		o.str("type", "user")
		o.str("id", digits(p.upn, 11))
		o.str("name", p.name)
		o.str("login", p.upn)
		o.end()
	}
	o.str("type", "event")
	o.guid("event_id", d.record)
	o.str("event_type", d.act.op)
	o.time("created_at", d.e.ts-7*3_600_000, 0, "-07:00")
	user("created_by", d.who)
	o.null("action_by")
	switch d.act.op {
	case "LOGIN", "FAILED_LOGIN", "NEW_USER", "GROUP_ADD_USER":
		user("source", d.other)
	default:
		o.obj("source")
		o.str("item_type", "file")
		o.str("item_id", boxID(f.id))
		o.str("item_name", f.name)
		user("owned_by", d.other)
		o.obj("parent")
		o.str("type", "folder")
		o.str("name", f.folder)
		o.str("id", boxID(f.folder))
		o.end()
		o.end()
	}
	o.str("ip_address", d.net.ip)
	if d.key&3 == 0 {
		o.null("session_id")
	} else {
		o.str("session_id", string(appendBase62(nil, d.key, 10)))
	}
	o.obj("additional_details")
	switch d.act.op {
	case "DOWNLOAD", "UPLOAD", "EDIT":
		o.int("size", f.sizeBytes)
		o.str("ekm_id", newGUID(d.key+61).String())
		o.str("version_id", digits(f.id+d.act.op, 13))
		o.str("service_id", "11")
		o.str("service_name", "Box Web Application")
	case "ITEM_SHARED_UPDATE", "COLLABORATION_INVITE", "COLLABORATION_ACCEPT":
		o.str("role", "Editor")
		o.bool("is_performed_by_admin", d.key&16 == 0)
		o.obj("shared_link_permissions")
		o.raw("canDownload", "true")
		o.str("access", either(d.key&32 == 0, "open", "company"))
		o.end()
	}
	o.end()
}

// eventLog writes a line of Salesforce's event log files, whose values are all
// text.
func (d *draft) eventLog(o *out) {
	o.str("EVENT_TYPE", d.act.op)
	stamp := string(appendStamp(nil, d.e.ts))
	o.str("TIMESTAMP", stamp[:14]+"."+stamp[14:])
	o.time("TIMESTAMP_DERIVED", d.e.ts, 3, "Z")
	o.str("REQUEST_ID", "TID:"+hexText(d.key+62, 26))
	o.str("ORGANIZATION_ID", salesforceID("00D", d.g.co.domain))
	o.str("USER_ID", salesforceID("005", d.who.upn))
	o.str("USER_ID_DERIVED", salesforceID("005", d.who.upn)+"AAA")
	o.str("RUN_TIME", strconv.FormatUint(20+d.key%4000, 10))
	o.str("CPU_TIME", strconv.FormatUint(5+d.key%900, 10))
	o.str("DB_TOTAL_TIME", strconv.FormatUint(1_000_000+d.key%90_000_000, 10))
	o.str("SESSION_KEY", string(appendBase62(nil, derive(uint64(d.who.link), uint64(d.hour/24)), 10)))
	o.str("LOGIN_KEY", string(appendBase62(nil, derive(uint64(d.who.link), 77), 10)))
	o.str("CLIENT_IP", either(d.key&15 == 0, "Salesforce.com IP", d.net.ip))
	o.str("REQUEST_STATUS", either(d.act.failed, "F", "S"))
	switch d.act.op {
	case "Login":
		o.str("USER_NAME", d.who.upn)
		o.str("LOGIN_STATUS", either(d.act.failed, "LOGIN_ERROR_INVALID_PASSWORD", "LOGIN_NO_ERROR"))
		o.str("BROWSER_TYPE", d.tool.raw)
		o.str("TLS_PROTOCOL", "TLSv1.3")
		o.str("CIPHER_SUITE", "TLS_AES_256_GCM_SHA384")
		o.str("AUTHENTICATION_METHOD_REFERENCE", "")
		o.str("API_TYPE", "f")
	case "ReportExport":
		o.str("URI", "/"+salesforceID("00O", d.file.id))
		o.str("REPORT_DESCRIPTION", d.file.site+" <all accounts>")
		o.str("CLIENT_INFO", "Salesforce/224 "+d.tool.name)
	case "API", "BulkApi":
		o.str("METHOD_NAME", "query")
		o.str("ENTITY_NAME", "Account|Contact")
		o.str("ROWS_PROCESSED", strconv.FormatUint(d.key%200_000, 10))
		o.str("REQUEST_SIZE", strconv.FormatUint(300+d.key%2000, 10))
		o.str("CLIENT_NAME", "")
	case "ContentTransfer":
		o.str("DOCUMENT_ID", salesforceID("069", d.file.id))
		o.str("TRANSACTION_TYPE", "VersionDownloadAction")
		o.str("FILE_TYPE", d.file.ext)
		o.str("SIZE_BYTES", strconv.FormatInt(d.file.sizeBytes, 10))
	default:
		o.str("URI", "/lightning/r/Account/"+salesforceID("001", d.file.id)+"/view")
		o.str("REFERRER_URI", "")
		o.str("USER_AGENT", d.tool.raw)
	}
}

// setupTrail writes a row of Salesforce's setup audit trail.
func (d *draft) setupTrail(o *out) {
	o.obj("attributes")
	o.str("type", "SetupAuditTrail")
	o.str("url", "/services/data/v62.0/sobjects/SetupAuditTrail/"+salesforceID("0Ym", d.record.String()))
	o.end()
	o.str("Id", salesforceID("0Ym", d.record.String()))
	o.str("Action", d.act.op)
	o.str("Section", "Manage Users")
	o.time("CreatedDate", d.e.ts, 3, "+0000")
	o.str("CreatedById", salesforceID("005", d.who.upn))
	o.obj("CreatedBy")
	o.str("Username", d.who.upn)
	o.end()
	o.str("Display", "Changed "+d.other.name+" <"+d.other.upn+">: \"System Administrator\"")
	o.null("DelegateUser")
	o.null("ResponsibleNamespacePrefix")
}

// report writes an activity of Google's admin reports; uniqueQualifier does not
// fit a float.
func (d *draft) report(o *out) {
	o.str("kind", "admin#reports#activity")
	o.obj("id")
	o.time("time", d.e.ts, 3, "Z")
	o.int("uniqueQualifier", int64(d.key))
	o.str("applicationName", d.act.work)
	o.str("customerId", "C03"+hexText(d.g.seed, 6))
	o.end()
	o.str("etag", `"`+hexText(d.key+50, 40)+`"`)
	o.obj("actor")
	o.str("callerType", "USER")
	o.str("email", d.who.upn)
	o.str("profileId", "1"+digits(d.who.upn, 20))
	o.end()
	o.str("ownerDomain", d.g.co.domain)
	o.str("ipAddress", d.net.ip)
	o.arr("events")
	o.elem()
	o.str("type", map[string]string{"login": "login", "admin": "USER_SETTINGS", "token": "auth", "drive": "access"}[d.act.work])
	o.str("name", d.act.op)
	o.arr("parameters")
	text := func(name, value string) {
		o.elem()
		o.str("name", name)
		o.str("value", value)
		o.end()
	}
	several := func(name string, values ...string) {
		o.elem()
		o.str("name", name)
		o.arr("multiValue")
		for _, v := range values {
			o.elemStr(v)
		}
		o.stop()
		o.end()
	}
	flag := func(name string, v bool) {
		o.elem()
		o.str("name", name)
		o.bool("boolValue", v)
		o.end()
	}
	switch d.act.work {
	case "login":
		text("login_type", either(d.key&1 == 0, "saml", "google_password"))
		several("login_challenge_method", "password", "google_authenticator")
		flag("is_suspicious", d.act.failed && d.net.category != 1)
		if d.act.failed {
			text("login_failure_type", "login_failure_invalid_password")
		}
	case "admin":
		text("USER_EMAIL", d.other.upn)
		text("ROLE_NAME", "_SEED_ADMIN_ROLE")
	case "token":
		text("app_name", "Diagram maker")
		text("client_id", digits(d.file.site, 12)+".apps.googleusercontent.example")
		several("scope", "https://www.googleapis.example/auth/drive.readonly", "openid")
		elemInt(o, "num_response_bytes", d.file.sizeBytes)
	default:
		flag("primary_event", true)
		flag("owner_is_team_drive", false)
		text("doc_id", d.file.id)
		text("doc_title", d.file.name)
		text("doc_type", "document")
		text("owner", d.other.upn)
		text("visibility", either(d.key&64 == 0, "people_with_link", "shared_internally"))
		several("old_value", "can_view")
	}
	o.stop()
	o.end()
	o.stop()
}

// elemInt writes a number as Google does: 64 bits, in text.
func elemInt(o *out, name string, v int64) {
	o.elem()
	o.str("name", name)
	o.str("intValue", strconv.FormatInt(v, 10))
	o.end()
}
