package simulator

import "strconv"

// upstream writes the inside of rawDataJson, as the feed's source would have it.
func (d *draft) upstream(o *out) {
	if d.act.in == onlyNative {
		d.upstreamNative(o)
		return
	}
	switch d.act.feed {
	case feedSignIn:
		d.upstreamSignIn(o)
	case feedAzure:
		d.upstreamAzure(o)
	case feedGoogle:
		d.upstreamGoogle(o)
	case feedIdentity:
		d.upstreamIdentity(o)
	case feedPortal, feedConnector, feedSession:
		d.upstreamConnector(o)
	default:
		d.audit(o)
	}
}

// audit writes a Microsoft 365 audit record: the members all of them have,
// then those of the workload.
func (d *draft) audit(o *out) {
	o.guid("OrganizationId", d.g.co.aad)
	if d.key&8 == 0 {
		o.time("CreationTime", d.e.ts, 7, "Z")
	} else {
		o.time("CreationTime", d.e.ts, 0, "")
	}
	o.guid("Id", d.record)
	o.int("RecordType", d.recordType())
	o.str("Operation", d.act.op)
	o.int("UserType", either64(d.act.admin, 2, 0))
	o.int("Version", 1)
	o.str("Workload", d.act.work)
	o.str("UserId", d.who.upn)
	o.str("UserKey", d.who.puid)
	switch d.act.feed {
	case feedFile:
		d.auditFile(o)
	case feedMail:
		d.auditMail(o)
	case feedMailAdmin:
		d.auditCmdlet(o)
	case feedTeams:
		d.auditTeams(o)
	case feedDirectory:
		d.auditDirectory(o)
	case feedWorkload:
		d.auditWorkload(o)
	case feedSecurity:
		d.auditSecurity(o)
	}
	if d.huge {
		d.padding(o)
	}
}

func (d *draft) recordType() int64 {
	switch d.act.op {
	case "MailItemsAccessed":
		return 50
	case "SoftDelete", "HardDelete", "MoveToDeletedItems", "Move":
		return 3
	case "SharingSet", "SharingInvitationCreated", "AddedToSecureLink", "SecureLinkCreated", "AnonymousLinkCreated", "AnonymousLinkUsed":
		return 14
	}
	return d.act.code
}

// padding grows a record to HugeBytes, the way mass operations do.
func (d *draft) padding(o *out) {
	o.arr("AffectedItems")
	for size := len(o.b) + d.g.opt.HugeBytes; len(o.b) < size; {
		o.elem()
		o.key("Id")
		o.b = append(o.b, '"')
		o.b = appendBase64(o.b, d.r.next(), 120)
		o.b = append(o.b, '"', ',')
		o.str("Subject", d.r.pick(fileStems)+" "+d.r.pick(fileSuffix))
		o.int("SizeInBytes", int64(2000+d.r.n(900_000)))
		o.end()
	}
	o.stop()
}

func either64(first bool, a, b int64) int64 {
	if first {
		return a
	}
	return b
}

// clientIP writes an address as the audit feeds spell it: plainly, mapped, with
// a port, with a space behind it.
func (d *draft) clientIP(o *out, key string) {
	ip := d.net.ip
	switch d.key >> 8 % 64 {
	case 0:
		ip = "::ffff:" + ip
	case 1:
		ip += " "
	case 2:
		ip = "<null>"
	case 3:
		ip = "0.0.0.0"
	case 4:
		ip = ip + ":" + strconv.Itoa(1024+int(d.key%60000))
	}
	o.str(key, ip)
}

// boolOrText writes a flag that some of the feeds write as text.
func (d *draft) boolOrText(o *out, key string, v bool) {
	if d.key>>5&3 == 0 {
		o.str(key, either(v, "True", "False"))
		return
	}
	o.bool(key, v)
}

func (d *draft) auditFile(o *out) {
	f := &d.file
	d.clientIP(o, "ClientIP")
	o.str("ObjectId", f.url)
	if d.key>>11&3 == 0 { // newer front ends say more
		o.obj("AppAccessContext")
		o.guid("AADSessionId", d.sessionID())
		o.guid("CorrelationId", newGUID(d.key+7))
		o.key("UniqueTokenId")
		o.b = append(appendBase64(append(o.b, '"'), d.key, 22), '"', ',')
		o.end()
		o.str("AuthenticationType", "OAuth")
		o.str("BrowserName", d.tool.client)
		o.str("BrowserVersion", d.tool.version)
		o.str("ApplicationDisplayName", d.tool.name)
	}
	o.guid("CorrelationId", newGUID(d.key+8))
	o.str("EventSource", "SharePoint")
	o.bool("IsManagedDevice", d.key&64 == 0)
	o.str("ItemType", either(d.act.op == "PageViewed", "Page", "File"))
	if d.key>>7&15 == 0 {
		o.str("ListBaseType", "1")
	} else {
		o.int("ListBaseType", 1)
	}
	o.str("ListId", f.list)
	o.str("ListItemUniqueId", f.id)
	o.str("Site", f.web)
	o.str("WebId", f.web)
	o.str("UserAgent", d.tool.raw)
	o.str("SiteUrl", f.siteURL)
	o.str("SourceFileExtension", f.ext)
	o.str("SourceFileName", f.name)
	o.str("SourceRelativeUrl", f.folder)
	o.guid("ApplicationId", newGUID(derive(9, d.key%12)))
	d.boolOrText(o, "DoNotDistributeEvent", true)
	d.boolOrText(o, "HighPriorityMediaProcessing", false)
	switch d.act.op {
	case "FileDownloaded", "FileSyncDownloadedFull", "FileSyncUploadedFull":
		o.str("FileSyncBytesCommitted", strconv.FormatInt(f.sizeBytes, 10))
		o.str("MachineId", d.who.machineID)
	case "FileRenamed", "FileMoved", "FileCopied":
		o.str("DestinationFileName", "Copy of "+f.name)
		o.str("DestinationRelativeUrl", f.folder+"/Old")
	case "SharingSet", "SharingInvitationCreated", "AddedToSecureLink", "SecureLinkCreated", "AnonymousLinkCreated":
		if d.plant != nil {
			d.plant.sharing(o, d)
			return
		}
		o.str("TargetUserOrGroupName", d.other.upn)
		o.str("TargetUserOrGroupType", either(d.other.guest, "Guest", "Member"))
		o.str("EventData", "<Permission granted>Edit</Permission granted>")
		o.guid("UniqueSharingId", newGUID(d.key+10))
	}
}

func (d *draft) sessionID() guid {
	return newGUID(derive(d.g.seed, 65, uint64(len(d.who.upn)), uint64(d.who.link), uint64(d.hour/24)))
}

func (d *draft) auditCmdlet(o *out) {
	d.clientIP(o, "ClientIP")
	if d.plant != nil && d.plant.objectID != "" {
		o.str("ObjectId", d.plant.objectID)
	} else {
		o.str("ObjectId", d.other.upn)
	}
	o.str("ResultStatus", resultWords[d.key%uint64(len(resultWords))])
	o.str("AppId", "")
	o.str("ClientAppId", "")
	d.boolOrText(o, "ExternalAccess", false)
	o.str("OrganizationName", d.g.co.domain)
	o.str("OriginatingServer", "MB1PR02MB"+strconv.Itoa(1000+int(d.key%9000))+" (15.20.9228.015)"+either(d.key&16 == 0, "\r\n", `\r\n`))
	o.arr("Parameters")
	switch op := d.act.op; {
	case d.plant != nil:
		for _, v := range d.plant.params {
			o.pair(v.name, v.value)
		}
	case op == "New-InboxRule", op == "Set-InboxRule":
		o.pair("Name", d.r.pick([]string{"Newsletters", "Invoices", ".", "Travel", "Build mails"}))
		o.pair("SubjectOrBodyContainsWords", d.r.pick([]string{"invoice;payment", "newsletter", "build failed", "itinerary"}))
		if d.r.oneIn(12) {
			o.pair("ForwardTo", "smtp:"+d.who.mailLocal+"@mailbox.example")
			o.pair("DeleteMessage", "True")
		} else {
			o.pair("MoveToFolder", d.r.pick([]string{"Archive", "RSS Feeds", "Later"}))
		}
	case op == "Add-MailboxPermission":
		o.pair("Identity", d.other.upn)
		o.pair("User", d.who.upn)
		o.pair("AccessRights", "FullAccess")
		o.pair("InheritanceType", "All")
	default:
		o.pair("Identity", d.other.upn)
		o.pair("Confirm", "False")
	}
	o.stop()
	o.guid("SessionId", d.sessionID())
	o.guid("RequestId", newGUID(d.key+11))
}

// resultWords are the spellings of success.
var resultWords = []string{"Succeeded", "Success", "Successful", "True", "TRUE", "Succeeded", "Succeeded"}

func (d *draft) auditTeams(o *out) {
	ip := d.net.ip
	if d.key&3 == 0 && len(ip) < 16 {
		ip = "::ffff:" + ip
	}
	o.str("ClientIP", ip)
	o.str("ChatThreadId", d.thread())
	o.str("CommunicationType", either(d.key&32 == 0, "OneOnOne", "GroupChat"))
	o.arr("ExtraProperties")
	for _, kv := range [][2]string{{"TimeZone", d.who.timeZone}, {"OsName", d.tool.os}, {"OsVersion", "NT 10.0"}, {"Country", d.net.place.country}, {"ClientName", "skypeteams"}, {"ClientVersion", "49/25091217218"}, {"ClientUtcOffsetSeconds", strconv.Itoa(d.net.place.offset * 3600)}} {
		o.elem()
		o.str("Key", kv[0])
		o.str("Value", kv[1])
		o.end()
	}
	o.stop()
	o.str("MessageId", strconv.FormatInt(d.e.ts, 10))
	o.str("MessageVersion", strconv.FormatInt(d.e.ts+int64(d.key%900), 10))
	o.str("TeamName", d.file.site)
	o.str("ItemName", d.thread())
	if d.act.op == "MessageCreatedHasLink" {
		o.arr("MessageURLs")
		o.elemStr(d.file.url)
		o.stop()
	}
	n := 2 + min(d.r.n(5), d.r.n(5))
	if d.r.oneIn(300) {
		n = 150 + d.r.n(700) // the whole company's channel
	}
	guests := false
	o.arr("Members")
	if d.plant != nil {
		n = 0 // a story or the noise says who
		if m := d.plant.member; m != nil {
			guests = m.guest
			o.elem()
			o.str("DisplayName", m.name)
			o.str("UPN", m.upn)
			o.int("Role", d.plant.role)
			o.end()
		}
	}
	for range n {
		m := &d.g.co.people[d.r.n(len(d.g.co.people))]
		guests = guests || m.guest
		o.elem()
		o.guid("OrganizationId", d.g.co.aad)
		o.str("DisplayName", m.name)
		o.str("UPN", m.upn)
		o.int("Role", int64(d.r.n(2)))
		o.end()
	}
	o.stop()
	o.obj("ParticipantInfo")
	o.bool("HasForeignTenantUsers", guests)
	o.bool("HasGuestUsers", guests)
	o.bool("HasOtherGuestUsers", false)
	o.bool("HasUnauthenticatedUsers", false)
	o.arr("ParticipatingDomains")
	o.stop()
	o.arr("ParticipatingTenantIds")
	o.elemStr(d.g.co.aad.String())
	o.stop()
	o.end()
	o.guid("ResourceTenantId", d.g.co.aad)
}

func (d *draft) auditWorkload(o *out) {
	f := &d.file
	d.clientIP(o, "ClientIP")
	o.str("ObjectId", f.name)
	o.str("ResultStatus", resultWords[d.key%uint64(len(resultWords))])
	if d.app.id == 11522 {
		o.uint("ActorYammerUserId", 1_300_000_000_000+d.key%90_000_000_000)
		o.str("ActorUserId", d.who.upn)
		o.int("YammerNetworkId", 6_358_211)
		o.uint("FileId", 1_400_000_000_000+d.key%80_000_000_000)
		o.str("FileName", f.name)
		o.uint("VersionId", 9_007_199_254_740_993+d.key%1_000_000_000) // past what a float holds
		return
	}
	o.str("UserAgent", d.tool.raw)
	o.str("Activity", d.act.op)
	o.str("ItemName", f.name)
	o.str("WorkSpaceName", f.site)
	o.str("DatasetName", f.site+" model")
	o.str("ReportName", f.name)
	o.str("CapacityId", "2F9C41AD-77B0-4E55-9A12-6D0C3B8E1F74")
	o.str("CapacityName", "P1 Shared")
	o.str("WorkspaceId", f.web)
	o.str("DatasetId", f.list)
	o.str("ReportId", f.id)
	o.str("ArtifactId", f.id)
	o.str("ArtifactName", f.name)
	o.str("ArtifactKind", "Report")
	o.bool("IsSuccess", true)
	o.str("ReportType", "PowerBIReport")
	o.guid("RequestId", newGUID(d.key+12))
	o.guid("ActivityId", newGUID(d.key+13))
	o.str("DistributionMethod", "Workspace")
	o.str("ConsumptionMethod", "Power BI Web")
	o.int("RefreshEnforcementPolicy", 0)
}

// upstreamSignIn writes an Entra sign-in as MDCA gets it.
func (d *draft) upstreamSignIn(o *out) {
	code := int64(0)
	if d.act.failed {
		for _, f := range failures {
			if f.text == d.result {
				code = f.code
			}
		}
	}
	if d.plant != nil && d.plant.code != 0 {
		code = d.plant.code
	}
	o.str("EventType", "MCASLoginEvent")
	o.time("TimeStamp", d.e.ts, 7, "Z")
	o.str("ApplicationId", d.app.entra)
	o.str("ApplicationName", d.app.entraAs)
	o.guid("BrowserId", newGUID(uint64(d.who.link)+uint64(len(d.tool.raw))))
	o.str("Call", d.act.op)
	o.guid("CorrelationId", newGUID(d.key+4))
	o.null("DataSource")
	o.str("DeviceInfo", d.tool.signIn)
	o.str("DeviceTrustType", either(d.net.category == 1, "Hybrid Azure AD joined", ""))
	o.str("HomeTenantUserObjectId", d.who.objectID)
	d.clientIP(o, "IpAddress")
	o.bool("IsDeviceCompliantAndManaged", d.net.category == 1)
	o.null("IsInteractive")
	o.bool("IsInteractiveComputed", d.act.op == "OAuth2:Authorize")
	o.int("LoginErrorCode", code)
	o.str("LoginStatus", either(d.act.failed, "Failure", "Success"))
	mfa := d.key>>9&3 == 0
	switch {
	case d.plant != nil && d.plant.mfaMethod != "":
		mfa = true
		o.str("MfaAuthMethod", d.plant.mfaMethod)
		o.str("MfaResult", d.plant.mfaResult)
	case mfa && d.plant == nil:
		o.str("MfaAuthMethod", "Phone app notification")
		o.str("MfaResult", either(code == 500121, "MFA denied; user declined the authentication", "MFA completed in Azure AD"))
	default:
		mfa = false
		o.null("MfaAuthMethod")
		o.null("MfaResult")
	}
	o.null("MfaMaskedDeviceId")
	o.bool("MfaRequired", mfa)
	o.null("MfaStatusRaw")
	o.str("MsodsTenantRegionScope", "EU")
	o.guid("RequestId", newGUID(d.key+2))
	o.null("SasStatus")
	o.guid("TenantId", d.g.co.aad)
	o.str("Upn", d.who.upn)
	o.bool("UserIsPassthru", false)
	o.str("UserName", either(d.act.failed, "", d.who.name))
	o.str("UserPrincipalObjectID", d.who.objectID)
	o.null("UserTenantId")
	o.null("UserTenantMsodsRegionScope")
	if d.plant != nil {
		d.plant.signIn(o)
	}
	if d.huge {
		d.padding(o)
	}
}
