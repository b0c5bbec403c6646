package simulator

import (
	"slices"
	"strconv"
	"strings"
)

// app is a service as MDCA numbers it.
type app struct {
	id      int64
	name    string
	signIns uint64 // weight among the sign-ins
	entra   string // application id in Entra
	entraAs string // its display name there
}

var apps = []app{
	{11161, "Microsoft 365", 300, "00000006-0000-0ff1-ce00-000000000000", "Microsoft Office 365 Portal"},
	{20893, "Microsoft Exchange Online", 340, "00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"},
	{20892, "Microsoft SharePoint Online", 240, "00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"},
	{15600, "Microsoft OneDrive for Business", 160, "6a9b9266-8161-4a7b-913a-a9eda19da220", "OneDrive Web"},
	{28375, "Microsoft Teams", 260, "1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"},
	{12260, "Microsoft Azure", 90, "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"},
	{26324, "Microsoft Power BI", 50, "00000009-0000-0000-c000-000000000000", "Power BI Service"},
	{11522, "Microsoft Yammer", 20, "00000005-0000-0ff1-ce00-000000000000", "Office 365 Yammer"},
	{25275, "Microsoft Skype for Business", 12, "00000004-0000-0ff1-ce00-000000000000", "Skype for Business Online"},
	{20595, "Microsoft Defender for Cloud Apps", 10, "05a65629-4c1b-48c1-a78b-804c4abdd4af", "Microsoft Cloud App Security"},
	{20940, "Active Directory", 0, "", ""},
	{11770, "Google Workspace", 25, "8f0c1a6e-2d47-4b90-9c35-71e6ad20b4f8", "Google Workspace SSO"},
	{11114, "Salesforce", 45, "3b7de1f2-90a4-4c6d-8e21-5fa0c7b96d13", "Salesforce"},
	{14509, "ServiceNow", 40, "e94c2b70-6f18-4d3a-b5c9-08d7a1f3625e", "ServiceNow"},
	{10489, "Box", 18, "5c20d9e8-41b7-4fa6-93d0-b8e7612f4ca9", "Box"},
	{11627, "Dropbox", 14, "d17ae5b3-c829-40f1-8a6e-42f90b37c518", "Dropbox Business"},
	{10980, "Okta", 10, "2e86f4c1-5d93-4b07-a1e8-9c6b30d7f254", "Okta"},
	{11599, "Amazon Web Services", 22, "7a41b0d6-e35c-4892-b6f7-1d08c9e2a537", "AWS IAM Identity Center"},
	{26069, "Google Drive", 0, "", ""},
}

func appList() string {
	var names []string
	for _, a := range apps {
		names = append(names, strconv.FormatInt(a.id, 10))
	}
	return strings.Join(names, " ")
}

// feed is the way a record came to MDCA: it decides the members of the record
// and the form of what lies in rawDataJson.
type feed uint8

const (
	feedFile      feed = iota // Microsoft 365 audit: SharePoint, OneDrive
	feedMail                  // Microsoft 365 audit: items in mailboxes
	feedMailAdmin             // Microsoft 365 audit: cmdlets
	feedTeams                 // Microsoft 365 audit: Teams, Skype
	feedDirectory             // Microsoft 365 audit: Entra directory
	feedWorkload              // Microsoft 365 audit: Power BI, Yammer
	feedSecurity              // Microsoft 365 audit: alerts and investigations
	feedSignIn                // Entra sign-ins
	feedAzure                 // Azure activity log
	feedPortal                // Cloud App Security's own administration
	feedGoogle                // Google admin reports
	feedIdentity              // Defender for Identity
	feedSession               // session control, the reverse proxy
	feedConnector             // other connected apps
)

// whole says that upstream counts in seconds, so that event times end in 000
// and share milliseconds.
func (f feed) whole() bool { return f <= feedSecurity || f == feedConnector }

// action is one kind of activity.
type action struct {
	app    int64
	feed   feed
	op     string // rawOperationName
	value  string // eventTypeValue
	typ    int64  // eventType
	name   string // eventTypeName, without EVENT_CATEGORY_
	main   string // mainInfo.type
	weight uint64
	admin  bool
	failed bool

	appAt uint8 // position in apps
	code  int64 // RecordType of Microsoft 365 audit
	work  string
	in    among
}

// among says which of the two sets of records an action belongs to: the connected
// apps have one form for all of them, or, with Options.NativeFeeds, their own.
type among uint8

const (
	inBoth among = iota
	onlyPlain
	onlyNative
)

// actions is the mix of a middling tenant. Weights are per 100,000 or so.
var actions = buildActions()

// actionsOf completes the actions of one app and feed.
func actionsOf(app int64, f feed, value string, typ int64, code int64, work string, ops []action) []action {
	list := slices.Clone(ops)
	for i := range list {
		a := &list[i]
		a.app, a.feed, a.value, a.typ, a.code, a.work = app, f, value, typ, code, work
		if a.name == "" {
			a.name = "UNSPECIFIED"
		}
		if a.main == "" {
			a.main = "basic"
		}
	}
	return list
}

func buildActions() []action {
	var list []action
	add := func(app int64, f feed, value string, typ int64, code int64, work string, ops ...action) {
		list = append(list, actionsOf(app, f, value, typ, code, work, ops)...)
	}
	files := []action{
		{op: "FileAccessed", weight: 3600},
		{op: "FileAccessedExtended", weight: 500},
		{op: "FilePreviewed", weight: 1300},
		{op: "FileDownloaded", weight: 1100, name: "DOWNLOAD_FILE"},
		{op: "FileModified", weight: 1500},
		{op: "FileModifiedExtended", weight: 400},
		{op: "FileUploaded", weight: 700, name: "UPLOAD_FILE"},
		{op: "FileSyncDownloadedFull", weight: 700, name: "DOWNLOAD_FILE"},
		{op: "FileSyncUploadedFull", weight: 300, name: "UPLOAD_FILE"},
		{op: "FileDeleted", weight: 220, name: "DELETE_OBJECT"},
		{op: "FileRecycled", weight: 160, name: "DELETE_OBJECT"},
		{op: "FileRenamed", weight: 140},
		{op: "FileMoved", weight: 90},
		{op: "FileCopied", weight: 70},
		{op: "FolderCreated", weight: 130},
		{op: "SharingSet", weight: 120},
		{op: "SecureLinkCreated", weight: 60},
		{op: "AddedToSecureLink", weight: 50},
		{op: "AnonymousLinkCreated", weight: 14},
		{op: "AnonymousLinkUsed", weight: 20},
		{op: "FileMalwareDetected", weight: 2},
	}
	add(15600, feedFile, "EVENT_O365_ONEDRIVE_GENERIC", 233580, 6, "OneDrive", files...)
	sites := append(append([]action(nil), files...),
		action{op: "PageViewed", weight: 1900},
		action{op: "PageViewedExtended", weight: 600},
		action{op: "ListViewed", weight: 420},
		action{op: "ListItemViewed", weight: 320},
		action{op: "SiteCollectionAdminAdded", weight: 4, admin: true},
		action{op: "SharingPolicyChanged", weight: 2, admin: true},
	)
	add(20892, feedFile, "EVENT_O365_SHAREPOINT_GENERIC", 233581, 6, "SharePoint", sites...)

	add(20893, feedMail, "EVENT_O365_EXCHANGE_GENERIC", 233578, 2, "Exchange",
		action{op: "MailItemsAccessed", weight: 6200},
		action{op: "Send", weight: 1700},
		action{op: "Create", weight: 900},
		action{op: "Update", weight: 700},
		action{op: "SoftDelete", weight: 700, name: "DELETE_OBJECT"},
		action{op: "MoveToDeletedItems", weight: 800, name: "DELETE_OBJECT"},
		action{op: "HardDelete", weight: 260, name: "DELETE_OBJECT"},
		action{op: "Move", weight: 300},
		action{op: "SendAs", weight: 60},
		action{op: "SendOnBehalf", weight: 60},
		action{op: "UpdateInboxRules", weight: 40},
		action{op: "MailboxLogin", weight: 120, name: "LOGIN"},
	)
	add(20893, feedMailAdmin, "EVENT_O365_EXCHANGE_GENERIC", 233578, 1, "Exchange",
		action{op: "New-InboxRule", weight: 40, main: "run"},
		action{op: "Set-InboxRule", weight: 30, main: "run"},
		action{op: "Set-Mailbox", weight: 60, main: "run", admin: true},
		action{op: "Add-MailboxPermission", weight: 24, main: "run", admin: true},
		action{op: "Set-ConditionalAccessPolicy", weight: 8, main: "run", admin: true},
		action{op: "Set-TransportRule", weight: 6, main: "run", admin: true},
		action{op: "New-TransportRule", weight: 3, main: "run", admin: true},
		action{op: "Set-AdminAuditLogConfig", weight: 1, main: "run", admin: true},
	)
	add(28375, feedTeams, "EVENT_O365_TEAMS_GENERIC", 233594, 25, "MicrosoftTeams",
		action{op: "MessageSent", weight: 1500},
		action{op: "MessageCreatedHasLink", weight: 420},
		action{op: "MessageUpdated", weight: 150},
		action{op: "MessageDeleted", weight: 40, name: "DELETE_OBJECT"},
		action{op: "ChatCreated", weight: 260},
		action{op: "ChatRetrieved", weight: 200},
		action{op: "MeetingParticipantDetail", weight: 900},
		action{op: "TeamsSessionStarted", weight: 800, name: "LOGIN"},
		action{op: "MemberAdded", weight: 60},
		action{op: "MemberRemoved", weight: 20},
		action{op: "TeamCreated", weight: 8},
		action{op: "AppInstalled", weight: 20},
	)
	add(25275, feedTeams, "EVENT_O365_SKYPE_GENERIC", 233584, 1, "SkypeForBusiness",
		action{op: "SkypeSessionJoined", weight: 60},
		action{op: "SkypeMessageSent", weight: 50},
	)
	add(11161, feedDirectory, "EVENT_O365_AAD_GENERIC", 233579, 8, "AzureActiveDirectory",
		action{op: "Update user.", weight: 420, admin: true},
		action{op: "Add user.", weight: 24, admin: true, name: "CREATE_USER"},
		action{op: "Delete user.", weight: 10, admin: true, name: "DELETE_USER"},
		action{op: "Reset user password.", weight: 40, admin: true, main: "changePassword"},
		action{op: "Change user password.", weight: 60, main: "changePassword"},
		action{op: "Add member to group.", weight: 160, admin: true},
		action{op: "Remove member from group.", weight: 80, admin: true},
		action{op: "Add member to role.", weight: 10, admin: true},
		action{op: "Update group.", weight: 60, admin: true},
		action{op: "Update device.", weight: 120, admin: true},
		action{op: "Disable Strong Authentication.", weight: 3, admin: true},
		action{op: "Consent to application.", weight: 14},
		action{op: "Add app role assignment grant to user.", weight: 40, admin: true},
		action{op: "Add application.", weight: 8, admin: true},
		action{op: "Add service principal.", weight: 8, admin: true},
		action{op: "Add service principal credentials.", weight: 5, admin: true},
		action{op: "Update application – Certificates and secrets management ", weight: 5, admin: true},
		action{op: "Set domain authentication.", weight: 1, admin: true},
		action{op: "Update conditional access policy.", weight: 4, admin: true},
	)
	add(26324, feedWorkload, "EVENT_O365_POWERBI_GENERIC", 233590, 20, "PowerBI",
		action{op: "ViewReport", weight: 420, name: "VIEW_REPORT"},
		action{op: "ViewDashboard", weight: 160},
		action{op: "ExportReport", weight: 40},
		action{op: "RefreshDataset", weight: 90},
		action{op: "ShareReport", weight: 10},
	)
	add(11522, feedWorkload, "EVENT_O365_YAMMER_GENERIC", 233583, 22, "Yammer",
		action{op: "FileVisited", weight: 110},
		action{op: "MessageCreated", weight: 80},
		action{op: "ThreadViewed", weight: 130},
	)
	add(11161, feedSecurity, "EVENT_O365_GENERIC", 233577, 40, "SecurityComplianceCenter",
		action{op: "AlertTriggered", weight: 30},
		action{op: "AlertUpdated", weight: 20},
		action{op: "AirInvestigationData", weight: 24},
		action{op: "TIUrlClickData", weight: 60},
		action{op: "AtpDetection", weight: 10},
		action{op: "SearchExported", weight: 4, admin: true},
	)
	for _, a := range apps {
		if a.signIns == 0 {
			continue
		}
		add(a.id, feedSignIn, "EVENT_AAD_LOGIN", 2293760, 0, "",
			action{op: "OAuth2:Authorize", weight: a.signIns * 5, name: "LOGIN", main: "login"},
			action{op: "OAuth2:Token", weight: a.signIns * 3, name: "LOGIN", main: "login"},
			action{op: "Login:reprocess", weight: a.signIns / 2, name: "LOGIN", main: "login"},
		)
		add(a.id, feedSignIn, "EVENT_AAD_LOGIN_FAILED", 2293761, 0, "",
			action{op: "OAuth2:Authorize", weight: a.signIns/2 + 1, name: "FAILED_LOGIN", main: "failedLogin", failed: true},
			action{op: "OAuth2:Token", weight: a.signIns/4 + 1, name: "FAILED_LOGIN", main: "failedLogin", failed: true},
		)
	}
	add(12260, feedAzure, "EVENT_AZURE_GENERIC", 2424832, 0, "",
		action{op: "Write Deployments", weight: 240, main: "run", admin: true},
		action{op: "Write Virtual Machines", weight: 90, main: "run", admin: true},
		action{op: "Delete Virtual Machines", weight: 14, main: "run", admin: true, name: "DELETE_OBJECT"},
		action{op: "Start Virtual Machines", weight: 70, main: "run", admin: true},
		action{op: "List Storage Account Keys", weight: 160, main: "run", admin: true},
		action{op: "Write RoleAssignments", weight: 20, main: "run", admin: true},
		action{op: "Get Secrets", weight: 60, main: "run"},
		action{op: "Write NetworkSecurityGroups", weight: 30, main: "run", admin: true},
		action{op: "Validate Deployments", weight: 120, main: "run"},
	)
	add(20595, feedPortal, "EVENT_ADALLOM_GENERIC", 917505, 0, "",
		action{op: "Log on to portal", weight: 60, admin: true, name: "LOGIN", main: "login"},
		action{op: "Create activity policy", weight: 6, admin: true},
		action{op: "Create API token", weight: 2, admin: true},
		action{op: "Delete IP address range", weight: 2, admin: true},
		action{op: "Close alert", weight: 30, admin: true},
		action{op: "View report", weight: 30, name: "VIEW_REPORT"},
	)
	add(11770, feedGoogle, "EVENT_GOOGLE_GENERIC", 2424840, 0, "",
		action{op: "login_success", weight: 90, name: "LOGIN", main: "login"},
		action{op: "view", weight: 160},
		action{op: "download", weight: 50, name: "DOWNLOAD_FILE"},
		action{op: "change_user_access", weight: 24},
		action{op: "CREATE_USER", weight: 3, admin: true, name: "CREATE_USER"},
	)
	add(20940, feedIdentity, "EVENT_AD_GENERIC", 2424850, 0, "",
		action{op: "LdapQuery", weight: 240},
		action{op: "KerberosTgsRequest", weight: 260, name: "LOGIN"},
		action{op: "NtlmLogon", weight: 120, name: "LOGIN", main: "login"},
		action{op: "SmbFileCopy", weight: 30},
		action{op: "GroupMembershipChanged", weight: 14, admin: true},
		action{op: "AccountPasswordChanged", weight: 20, main: "changePassword"},
	)
	add(20892, feedSession, "EVENT_PROXY_GENERIC", 131073, 0, "",
		action{op: "SessionDownload", weight: 90, name: "DOWNLOAD_FILE"},
		action{op: "SessionUpload", weight: 40, name: "UPLOAD_FILE"},
	)
	add(11114, feedSession, "EVENT_PROXY_SSO", 1024, 0, "",
		action{op: "SingleSignOn", weight: 90, name: "SSO_LOGIN", main: "login"},
		action{op: "LogOut", weight: 60, name: "LOGOUT"},
	)
	for _, id := range []int64{10489, 11627} {
		add(id, feedConnector, "EVENT_CONNECTOR_GENERIC", 2424834, 0, "",
			action{op: "DOWNLOAD", weight: 70, name: "DOWNLOAD_FILE"},
			action{op: "UPLOAD", weight: 50, name: "UPLOAD_FILE"},
			action{op: "ITEM_SHARED", weight: 14},
			action{op: "PREVIEW", weight: 80},
		)
	}
	for _, id := range []int64{11114, 14509, 10980, 11599} {
		add(id, feedConnector, "EVENT_CONNECTOR_GENERIC", 2424834, 0, "",
			action{op: "ReportExported", weight: 16},
			action{op: "RecordViewed", weight: 110},
			action{op: "RecordModified", weight: 60},
			action{op: "PermissionGranted", weight: 6, admin: true},
		)
	}
	for i := range list {
		if list[i].replaced() {
			list[i].in = onlyPlain
		}
	}
	// Behind the others: their positions order ties, and so are part of a seed's bytes.
	list = append(list, nativeActions()...)
	for i := range list {
		for at := range apps {
			if apps[at].id == list[i].app {
				list[i].appAt = uint8(at)
			}
		}
	}
	return list
}
