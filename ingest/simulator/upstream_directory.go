package simulator

import "strconv"

func (d *draft) auditDirectory(o *out) {
	o.str("ObjectId", d.other.upn)
	o.str("ResultStatus", resultWords[d.key%uint64(len(resultWords))])
	o.int("AzureActiveDirectoryEventType", 1)
	o.arr("ExtendedProperties")
	o.elem()
	o.str("Name", "additionalDetails")
	o.nested("Value", func(o *out) {
		o.elem()
		o.str("UserType", either(d.other.guest, "Guest", "Member"))
		o.str("User-Agent", d.tool.raw)
		o.nested("Source", func(o *out) {
			o.elem()
			o.str("TYPE", "USER")
			o.str("OBJECT ID", d.who.objectID)
			o.end()
		})
		o.end()
	})
	o.end()
	o.pair("extendedAuditEventCategory", "User")
	o.stop()
	o.arr("ModifiedProperties")
	changed := func(name, new, old string) {
		o.elem()
		o.str("Name", name)
		o.str("NewValue", new)
		o.str("OldValue", old)
		o.end()
	}
	switch op := d.act.op; {
	case d.plant != nil && d.plant.changed != nil:
		for _, c := range d.plant.changed {
			changed(c.name, c.new, c.old)
		}
	case op == "Add member to role.":
		changed("Role.ObjectID", newGUID(d.key+20).String(), "")
		changed("Role.DisplayName", d.r.pick([]string{"Global Administrator", "Exchange Administrator", "User Administrator", "Security Reader", "Helpdesk Administrator"}), "")
		changed("Role.WellKnownObjectName", "TenantAdmins", "")
	case op == "Update application – Certificates and secrets management ", op == "Add service principal credentials.":
		changed("KeyDescription", "[\r\n  \"[KeyIdentifier="+newGUID(d.key+21).String()+",KeyType=Password,KeyUsage=Verify,DisplayName=ci]\"\r\n]", "[]")
		changed("Included Updated Properties", "KeyDescription", "")
	case op == "Consent to application.":
		changed("ConsentContext.IsAdminConsent", "False", "")
		changed("ConsentAction.Permissions", "[] => [[Id: 0, ClientId: "+newGUID(d.key+22).String()+", Scope: Mail.Read offline_access, ConsentType: Principal]]", "")
	case op == "Disable Strong Authentication.":
		changed("StrongAuthenticationRequirement", "[]", "[\r\n  {\r\n    \"RelyingParty\": \"*\",\r\n    \"State\": 1\r\n  }\r\n]")
	default:
		changed("StrongAuthenticationPhoneAppDetail", "[\r\n  {\r\n    \"DeviceName\": \"Pixel 9\",\r\n    \"PhoneAppVersion\": \"6.2509.6344\",\r\n    \"NotificationType\": 2\r\n  }\r\n]", "[]")
		changed("LastDirSyncTime", "[\r\n  \"2026-01-01T00:00:00Z\"\r\n]", "[]")
		changed("Included Updated Properties", "StrongAuthenticationPhoneAppDetail, LastDirSyncTime", "")
		changed("TargetId.UserType", "Member", "")
	}
	o.stop()
	entity := func(id string, typ int64) {
		o.elem()
		o.str("ID", id)
		o.int("Type", typ)
		o.end()
	}
	o.arr("Actor")
	entity(d.who.upn, 5)
	entity(d.who.puid, 3)
	entity("User_"+d.who.objectID, 2)
	entity(d.who.objectID, 2)
	entity("User", 2)
	o.stop()
	o.guid("ActorContextId", d.g.co.aad)
	d.clientIP(o, "ActorIpAddress")
	o.guid("InterSystemsId", newGUID(d.key+23))
	o.guid("IntraSystemId", newGUID(d.key+24))
	o.str("SupportTicketId", "")
	if d.plant != nil && d.plant.kind != "" {
		d.plant.target(o, d, entity)
	} else {
		o.arr("Target")
		entity("User_"+d.other.objectID, 2)
		entity(d.other.objectID, 2)
		entity("User", 2)
		entity(d.other.upn, 5)
		entity(d.other.puid, 3)
		o.stop()
	}
	o.guid("TargetContextId", d.g.co.aad)
}

// auditSecurity writes alerts and investigations, whose Data is JSON in a string.
func (d *draft) auditSecurity(o *out) {
	title := d.r.pick([]string{"Unusual volume of file deletion", "Mail reported by a user as phish", "Forwarding rule to an outside address", "Malware in a shared folder"})
	o.str("ObjectId", newGUID(d.key+30).String())
	o.guid("AlertId", newGUID(d.key+31))
	o.arr("AlertLinks")
	o.stop()
	o.str("AlertType", "System")
	o.str("Category", "ThreatManagement")
	o.str("Comments", "New alert")
	o.str("Name", title)
	o.guid("PolicyId", newGUID(d.key%9+32))
	o.str("Severity", d.r.pick([]string{"Low", "Medium", "High", "Informational"}))
	o.str("Source", "Office 365 Security & Compliance")
	o.str("Status", d.r.pick([]string{"Active", "Resolved", "Investigating"}))
	rows := 3 + d.r.n(10)
	if d.act.op == "AirInvestigationData" {
		rows = 8 + d.r.n(60)
		if d.r.oneIn(30) {
			rows = 400 + d.r.n(500)
		}
	}
	o.nested("Data", func(o *out) {
		o.elem()
		o.str("Version", "3.0")
		o.str("an", title)
		o.str("f3u", d.who.upn)
		o.time("ts", d.e.ts-60_000, 0, "Z")
		o.arr("Entities")
		for i := range rows {
			m := &d.g.co.people[d.r.n(len(d.g.co.people))]
			o.elem()
			o.str("$id", strconv.Itoa(i+2))
			o.str("Type", d.r.pick([]string{"mailbox", "mailMessage", "url", "ip"}))
			o.str("MailboxPrimaryAddress", m.upn)
			o.str("DisplayName", m.name)
			o.str("Url", "https://"+d.r.pick(fileStems)+".landing.example/?u="+hexText(d.r.next(), 24))
			o.str("Sender", "billing@"+d.r.pick(fileStems)+".example")
			o.b = append(o.b, `"$ref":null,`...)
			o.end()
		}
		o.stop()
		o.str("LogCreationTime", "2026-01-01T00:00:00.0000000Z")
		o.end()
	})
}
