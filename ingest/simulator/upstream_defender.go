package simulator

import "strconv"

// sensor writes an activity as a sensor of Defender for Identity saw it.
func (d *draft) sensor(o *out) {
	station := "WS-" + hexText(uint64(d.who.link), 6)
	o.guid("Id", d.record)
	o.str("ActivityType", d.act.op)
	o.time("StartTime", d.e.ts, 7, "Z")
	o.time("EndTime", d.e.ts+int64(d.key%400), 7, "Z")
	o.str("Protocol", sensorProtocols[d.act.op])
	o.obj("SourceComputer")
	o.str("Name", station)
	o.str("Domain", "corp.contoso.example")
	o.str("OperatingSystem", "Windows 11 Enterprise")
	o.str("Sid", d.who.sid+"0")
	o.end()
	o.arr("DestinationComputers")
	o.elemStr(d.domainHost())
	o.stop()
	d.clientIP(o, "SourceIPAddress")
	o.int("DestinationPort", either64(d.act.op == "LdapQuery", 389, 88))
	o.str("SourceAccountSid", d.who.sid)
	o.str("SourceAccountUpn", d.who.upn)
	switch d.act.op {
	case "LdapQuery":
		o.str("SearchScope", "WholeSubtree")
		o.str("BaseObject", "DC=corp,DC=contoso,DC=example")
		o.str("SearchFilter", `(&(objectCategory=person)(sAMAccountName=`+d.other.mailLocal+`*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))`)
		o.arr("AttributeList")
		o.elemStr("servicePrincipalName")
		o.elemStr("userAccountControl")
		o.stop()
	case "KerberosTgsRequest":
		o.str("Spn", "cifs/"+d.domainHost())
		o.str("EncryptionType", either(d.key&7 == 0, "Rc4Hmac", "Aes256CtsHmacSha196"))
		o.int("Options", 0x40810000)
		o.null("Error")
	case "NtlmLogon", "LogonFailed":
		o.str("NtlmVersion", "NTLM v2")
		o.bool("IsSuccess", !d.act.failed)
		o.str("FailureReason", either(d.act.failed, "WrongPassword", ""))
		o.int("NtStatus", either64(d.act.failed, 0xC000006A, 0))
	case "GroupMembershipChanged":
		o.str("TargetGroup", "Domain Admins")
		o.str("AddedMemberSid", d.other.sid)
	case "DirectoryServicesReplication":
		o.bool("IsGetNCChangesRequest", true)
		o.str("Result", "Success")
	}
	o.obj("AdditionalFields")
	o.str("ACTOR.ENTITY_USER", d.who.name)
	o.str("ACTOR.DEVICE", station)
	o.str("TARGET_OBJECT.USER", d.other.mailLocal)
	o.str("TO.DEVICE", d.domainHost())
	o.str("ARG.CLOUD_SERVICE", "Active Directory")
	o.str("Count", strconv.FormatUint(1+d.key%9, 10))
	o.end()
}

var sensorProtocols = map[string]string{
	"LdapQuery": "Ldap", "SamrQuery": "Samr", "DnsQuery": "Dns", "KerberosTgsRequest": "Kerberos", "NtlmLogon": "Ntlm", "LogonFailed": "Ntlm",
	"SmbFileCopy": "Smb", "RemoteExecution": "Wmi", "DirectoryServicesReplication": "Drsr", "GroupMembershipChanged": "", "AccountPasswordChanged": "",
}

// controlled writes what the reverse proxy of session control, or the gate of
// access control, noted of a request.
func (d *draft) controlled(o *out) {
	host, path := d.proxied()
	o.guid("requestId", newGUID(d.key+6))
	o.guid("sessionId", newGUID(d.key+5))
	o.str("appDomain", host)
	o.str("url", "https://"+host+path)
	o.int("statusCode", either64(d.taken() == "block", 403, 200))
	o.str("verdict", d.taken())
	o.arr("policies")
	if d.taken() == "block" || d.taken() == "protect" {
		o.elem()
		o.str("id", hexText(derive(d.g.seed, 68, d.key%6), 24))
		o.str("name", "Block download of <b>confidential</b> files")
		o.end()
	}
	o.stop()
	o.obj("device")
	o.bool("managed", d.net.category == 1)
	o.bool("compliant", d.net.category == 1 && d.key&1 == 0)
	o.null("clientCertificate")
	o.end()
	if d.act.work == accessControl {
		o.obj("saml")
		o.str("issuer", "https://sts.contoso.example/"+d.g.co.aad.String()+"/")
		o.str("nameId", d.who.upn)
		o.str("inResponseTo", "_"+hexText(d.key+63, 32))
		o.time("notOnOrAfter", d.e.ts+3_600_000, 3, "Z")
		o.end()
		return
	}
	o.obj("file")
	o.str("name", d.file.name)
	o.int("size", d.file.sizeBytes)
	o.str("sha256", hexText(d.key+64, 64))
	o.str("mimeType", "application/octet-stream")
	o.arr("labels")
	o.stop()
	o.end()
}
