package indicators

import "strings"

// Kind is what an indicator is.
type Kind string

// The kinds.
const (
	IP        Kind = "ip"         // one address
	Range     Kind = "range"      // a prefix: 203.0.113.0/24
	Domain    Kind = "domain"     // and all below it
	Email     Kind = "email"      // an address of a mailbox or a login
	UserAgent Kind = "user-agent" // whole; *text* is contained
	FileName  Kind = "file-name"  // the last part of a path
	Hash      Kind = "hash"       // MD5, SHA-1 or SHA-256, in hex
	URL       Kind = "url"        // whole
)

// Kinds are all of them, in the order in which they are told.
var Kinds = []Kind{IP, Range, Domain, Email, UserAgent, FileName, Hash, URL}

// typeNames are what feeds call the kinds, in small letters.
var typeNames = map[string]Kind{
	"ip": IP, "ipv4": IP, "ipv6": IP, "ip-address": IP, "ipaddress": IP, "ip address": IP, "ipv4-addr": IP, "ipv6-addr": IP, "ip-src": IP, "ip-dst": IP, "addr": IP, "address": IP,
	"range": Range, "cidr": Range, "subnet": Range, "netblock": Range, "network": Range,
	"domain": Domain, "domain-name": Domain, "domainname": Domain, "hostname": Domain, "host": Domain, "fqdn": Domain,
	"email": Email, "mail": Email, "e-mail": Email, "email-addr": Email, "emailaddress": Email, "email-src": Email, "email-dst": Email, "email-reply-to": Email, "eppn": Email, "upn": Email,
	"user-agent": UserAgent, "useragent": UserAgent, "user agent": UserAgent, "user_agent": UserAgent, "http-user-agent": UserAgent, "ua": UserAgent,
	"file-name": FileName, "filename": FileName, "file_name": FileName, "file": FileName, "file name": FileName, "attachment": FileName,
	"hash": Hash, "md5": Hash, "sha1": Hash, "sha-1": Hash, "sha256": Hash, "sha-256": Hash, "filehash-md5": Hash, "filehash-sha1": Hash, "filehash-sha256": Hash, "filemd5": Hash, "filesha1": Hash, "filesha256": Hash,
	"url": URL, "uri": URL, "link": URL,
}

// kindOfType is the kind that a feed means by a type.
func kindOfType(name string) (Kind, bool) {
	k, ok := typeNames[strings.ToLower(strings.TrimSpace(name))]
	return k, ok
}

// Column is a part of an activity that is looked at.
type Column string

// The columns. Of objects each member is one.
const (
	ColumnIP        Column = "ip"
	ColumnOtherIPs  Column = "other_ips"
	ColumnUserName  Column = "user_name"
	ColumnActorName Column = "actor_name"
	ColumnAgent     Column = "user_agent"
	ColumnObjectID  Column = "object_id"
	ColumnIDs       Column = "objects.id"
	ColumnNames     Column = "objects.name"
	ColumnValues    Column = "objects.value"
	ColumnRaw       Column = "raw"
)

// columnsOf are those that a kind is looked for in, beside raw.
var columnsOf = map[Kind][]Column{
	IP:        {ColumnIP, ColumnOtherIPs},
	Range:     {ColumnIP, ColumnOtherIPs},
	Domain:    {ColumnUserName, ColumnObjectID, ColumnIDs, ColumnNames, ColumnValues},
	Email:     {ColumnUserName, ColumnActorName, ColumnIDs, ColumnNames, ColumnValues},
	UserAgent: {ColumnAgent},
	FileName:  {ColumnObjectID, ColumnNames},
	Hash:      {ColumnObjectID, ColumnValues},
	URL:       {ColumnObjectID, ColumnValues},
}
