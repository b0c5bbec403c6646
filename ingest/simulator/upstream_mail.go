package simulator

import "strconv"

var mailFolders = []string{`\Inbox`, `\Sent Items`, `\Drafts`, `\Archive`, `\Inbox\Projects`, `\Deleted Items`, `\Kunden & Partner`, `\Boîte de réception`}

// folderItems draws how many messages a record lists: a few, and once in some
// hundred records a synchronising client's hundreds.
func (d *draft) folderItems() int {
	if d.r.oneIn(90) {
		return 40 + min(d.r.n(1800), d.r.n(1800))
	}
	return 1 + min(d.r.n(9), d.r.n(9))
}

func (d *draft) messageID(o *out) {
	o.key("InternetMessageId")
	o.b = append(o.b, '"', '<')
	o.b = appendBase64(o.b, d.r.next(), 22)
	o.b = append(o.b, "@mail.contoso.example>\","...)
}

func (d *draft) itemID(o *out) {
	o.key("Id")
	o.b = append(o.b, `"RgAAAAB`...)
	o.b = appendBase64(o.b, d.r.next(), 60)
	o.b = append(o.b, `AAAJ",`...)
}

func (d *draft) auditMail(o *out) {
	if d.act.op != "MailItemsAccessed" {
		d.clientIP(o, "ClientIP")
	}
	o.str("ResultStatus", "Succeeded")
	if d.plant != nil && d.plant.clientApp != "" {
		o.str("AppId", d.plant.clientApp)
		o.str("ClientAppId", d.plant.clientApp)
	} else {
		o.str("AppId", "00000002-0000-0ff1-ce00-000000000000")
	}
	d.clientIP(o, "ClientIPAddress")
	info := either(d.tool == &agents[agentOffice], "Client=MSExchangeRPC", "Client=OWA;Action=ViaProxy")
	if d.plant != nil && d.plant.clientInfo != "" {
		info = d.plant.clientInfo
	}
	o.str("ClientInfoString", info)
	if d.tool == &agents[agentOffice] {
		o.str("ClientProcessName", "OUTLOOK.EXE")
		o.str("ClientVersion", "16.0.19127.20000")
	}
	d.boolOrText(o, "ExternalAccess", false)
	o.int("InternalLogonType", 0)
	as := int64(0)
	owner := d.who
	if d.act.op == "SendAs" || d.act.op == "SendOnBehalf" {
		as, owner = 2, d.other
	}
	if d.plant != nil && d.plant.owner != nil {
		as, owner = d.plant.logonType, d.plant.owner
	}
	o.int("LogonType", as)
	o.str("LogonUserSid", d.who.sid)
	o.str("MailboxGuid", owner.mailbox)
	o.str("MailboxOwnerSid", owner.sid)
	o.str("MailboxOwnerUPN", owner.upn)
	o.str("OrganizationName", d.g.co.domain)
	o.str("OriginatingServer", "AM0PR07MB"+strconv.Itoa(1000+int(d.key%9000))+" (15.20.9228.015)\r\n")
	o.guid("SessionId", d.sessionID())
	folder := mailFolders[d.key%uint64(len(mailFolders))]
	switch d.act.op {
	case "MailItemsAccessed":
		d.mailAccess(o, folder)
	case "Send", "SendAs", "SendOnBehalf", "Create", "Update":
		o.obj("Item")
		d.itemID(o)
		d.messageID(o)
		o.obj("ParentFolder")
		o.str("Id", "LgAAAAB"+hexText(d.key, 40))
		o.str("Path", folder)
		o.end()
		o.str("Subject", d.file.name)
		o.str("Attachments", d.file.name+" ("+strconv.FormatInt(d.file.sizeBytes, 10)+"b)")
		o.int("SizeInBytes", d.file.sizeBytes)
		o.end()
		o.bool("SaveToSentItems", true)
	case "UpdateInboxRules":
		o.arr("OperationProperties")
		o.pair("RuleOperation", "AddMailRule")
		o.pair("RuleName", "Later")
		o.pair("RuleActions", `[{"ActionType":"Move","FolderID":"`+hexText(d.key, 32)+`"}]`)
		o.stop()
	case "MailboxLogin":
	case "SearchQueryInitiatedExchange":
		if d.plant != nil {
			o.str("QueryText", d.plant.query)
		}
		o.str("QuerySource", "OWA")
		o.str("ScopeType", "Mailbox")
	default:
		o.arr("AffectedItems")
		for range 1 + min(d.r.n(12), d.r.n(12)) {
			o.elem()
			d.itemID(o)
			d.messageID(o)
			o.obj("ParentFolder")
			o.str("Path", folder)
			o.end()
			o.str("Subject", d.r.pick(fileStems)+" "+d.r.pick(fileSuffix))
			o.end()
		}
		o.stop()
		o.bool("CrossMailboxOperation", false)
		o.obj("Folder")
		o.str("Id", "LgAAAAB"+hexText(d.key, 40))
		o.str("Path", folder)
		o.end()
	}
}

func (d *draft) mailAccess(o *out, folder string) {
	o.arr("OperationProperties")
	kind := either(d.key&128 == 0, "Sync", "Bind")
	folders := []string{folder}
	if d.plant != nil && d.plant.access != "" {
		kind, folders = d.plant.access, d.plant.folders
	}
	o.pair("MailAccessType", kind)
	o.pair("IsThrottled", "False")
	o.stop()
	o.arr("Folders")
	count := 0
	for i, path := range folders {
		o.elem()
		o.arr("FolderItems")
		n := d.folderItems()
		for range n {
			o.elem()
			d.messageID(o)
			d.itemID(o)
			o.int("SizeInBytes", int64(1500+d.r.n(200_000)))
			o.end()
		}
		o.stop()
		o.str("Id", "LgAAAAB"+hexText(d.key+uint64(i), 40))
		o.str("Path", path)
		o.end()
		count += n
	}
	o.stop()
	o.int("OperationCount", int64(count))
}
