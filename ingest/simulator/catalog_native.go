package simulator

// accessControl is the work of records that access control wrote, as against
// session control.
const accessControl = "access"

// replaced says that a connected app has a form of its own, which takes the
// place of this action with Options.NativeFeeds.
func (a *action) replaced() bool {
	switch a.feed {
	case feedGoogle, feedIdentity, feedSession:
		return true
	case feedConnector:
		return a.app == 10489 || a.app == 11114 || a.app == 11599
	}
	return false
}

// nativeActions are those of the connected apps in their own forms. The work of
// an action names the part of the app that reported it.
func nativeActions() []action {
	var list []action
	add := func(app int64, f feed, value string, typ int64, work string, ops ...action) {
		list = append(list, actionsOf(app, f, value, typ, 0, work, ops)...)
	}
	for _, s := range []struct {
		source string
		ops    []action
	}{
		{"s3", []action{
			{op: "GetObject", weight: 200, name: "DOWNLOAD_FILE"},
			{op: "PutObject", weight: 90, name: "UPLOAD_FILE"},
			{op: "DeleteObject", weight: 12, name: "DELETE_OBJECT"},
			{op: "ListBuckets", weight: 30},
			{op: "PutBucketPolicy", weight: 2, admin: true},
		}},
		{"sts", []action{{op: "AssumeRole", weight: 260, main: "login", name: "LOGIN"}, {op: "GetCallerIdentity", weight: 60}}},
		{"ec2", []action{
			{op: "DescribeInstances", weight: 200},
			{op: "RunInstances", weight: 14, main: "run", admin: true},
			{op: "TerminateInstances", weight: 6, main: "run", admin: true, name: "DELETE_OBJECT"},
			{op: "AuthorizeSecurityGroupIngress", weight: 6, main: "run", admin: true},
		}},
		{"iam", []action{
			{op: "CreateUser", weight: 2, admin: true, name: "CREATE_USER"},
			{op: "CreateAccessKey", weight: 3, admin: true},
			{op: "AttachUserPolicy", weight: 3, admin: true},
		}},
		{"kms", []action{{op: "Decrypt", weight: 100}}},
		{"cloudtrail", []action{{op: "StopLogging", weight: 1, admin: true}}},
		{"signin", []action{
			{op: "ConsoleLogin", weight: 40, main: "login", name: "LOGIN"},
			{op: "ConsoleLogin", weight: 6, main: "failedLogin", name: "FAILED_LOGIN", failed: true},
		}},
	} {
		add(11599, feedConnector, "EVENT_AWS_GENERIC", 2424841, s.source, s.ops...)
	}
	add(10489, feedConnector, "EVENT_BOX_GENERIC", 2424842, "event",
		action{op: "DOWNLOAD", weight: 90, name: "DOWNLOAD_FILE"},
		action{op: "UPLOAD", weight: 60, name: "UPLOAD_FILE"},
		action{op: "PREVIEW", weight: 110},
		action{op: "EDIT", weight: 40},
		action{op: "DELETE", weight: 12, name: "DELETE_OBJECT"},
		action{op: "ITEM_SHARED_UPDATE", weight: 18},
		action{op: "COLLABORATION_INVITE", weight: 10},
		action{op: "COLLABORATION_ACCEPT", weight: 8},
		action{op: "LOGIN", weight: 50, main: "login", name: "LOGIN"},
		action{op: "FAILED_LOGIN", weight: 4, main: "failedLogin", name: "FAILED_LOGIN", failed: true},
		action{op: "NEW_USER", weight: 1, admin: true, name: "CREATE_USER"},
		action{op: "GROUP_ADD_USER", weight: 3, admin: true},
	)
	add(11114, feedConnector, "EVENT_SALESFORCE_GENERIC", 2424843, "EventLogFile",
		action{op: "API", weight: 130},
		action{op: "URI", weight: 110},
		action{op: "LightningPageView", weight: 90},
		action{op: "ReportExport", weight: 16},
		action{op: "ContentTransfer", weight: 30, name: "DOWNLOAD_FILE"},
		action{op: "BulkApi", weight: 8},
		action{op: "Login", weight: 50, main: "login", name: "LOGIN"},
		action{op: "Login", weight: 5, main: "failedLogin", name: "FAILED_LOGIN", failed: true},
		action{op: "Logout", weight: 20, name: "LOGOUT"},
	)
	add(11114, feedConnector, "EVENT_SALESFORCE_GENERIC", 2424843, "SetupAuditTrail",
		action{op: "PermSetAssign", weight: 4, admin: true},
		action{op: "changedprofileforuser", weight: 2, admin: true},
		action{op: "createduser", weight: 1, admin: true, name: "CREATE_USER"},
	)
	add(11770, feedGoogle, "EVENT_GOOGLE_GENERIC", 2424840, "login",
		action{op: "login_success", weight: 90, name: "LOGIN", main: "login"},
		action{op: "login_failure", weight: 8, name: "FAILED_LOGIN", main: "failedLogin", failed: true},
		action{op: "logout", weight: 40, name: "LOGOUT"},
		action{op: "2sv_disable", weight: 1},
	)
	add(11770, feedGoogle, "EVENT_GOOGLE_GENERIC", 2424840, "admin",
		action{op: "CREATE_USER", weight: 3, admin: true, name: "CREATE_USER"},
		action{op: "ASSIGN_ROLE", weight: 2, admin: true},
		action{op: "CHANGE_PASSWORD", weight: 4, admin: true, main: "changePassword"},
	)
	add(11770, feedGoogle, "EVENT_GOOGLE_GENERIC", 2424840, "token",
		action{op: "authorize", weight: 20}, action{op: "revoke", weight: 4})
	add(26069, feedGoogle, "EVENT_GOOGLE_DRIVE_GENERIC", 2424844, "drive",
		action{op: "view", weight: 160},
		action{op: "edit", weight: 70},
		action{op: "download", weight: 50, name: "DOWNLOAD_FILE"},
		action{op: "create", weight: 20, name: "UPLOAD_FILE"},
		action{op: "trash", weight: 8, name: "DELETE_OBJECT"},
		action{op: "change_user_access", weight: 24},
		action{op: "change_document_visibility", weight: 6},
	)
	add(20940, feedIdentity, "EVENT_AD_GENERIC", 2424850, "sensor",
		action{op: "LdapQuery", weight: 200},
		action{op: "SamrQuery", weight: 40},
		action{op: "DnsQuery", weight: 30},
		action{op: "KerberosTgsRequest", weight: 260, name: "LOGIN"},
		action{op: "NtlmLogon", weight: 120, name: "LOGIN", main: "login"},
		action{op: "LogonFailed", weight: 14, name: "FAILED_LOGIN", main: "failedLogin", failed: true},
		action{op: "SmbFileCopy", weight: 30},
		action{op: "RemoteExecution", weight: 3, main: "run"},
		action{op: "DirectoryServicesReplication", weight: 2, admin: true},
		action{op: "GroupMembershipChanged", weight: 14, admin: true},
		action{op: "AccountPasswordChanged", weight: 20, main: "changePassword"},
	)
	for _, id := range []int64{20892, 11114, 10489} {
		add(id, feedSession, "EVENT_PROXY_GENERIC", 131073, "session",
			action{op: "SessionDownload", weight: 40, name: "DOWNLOAD_FILE"},
			action{op: "SessionUpload", weight: 16, name: "UPLOAD_FILE"},
			action{op: "SessionPrint", weight: 4},
			action{op: "SessionCutCopyItem", weight: 6},
		)
		add(id, feedSession, "EVENT_PROXY_SSO", 1024, accessControl,
			action{op: "SingleSignOn", weight: 34, name: "SSO_LOGIN", main: "login"})
		add(id, feedSession, "EVENT_PROXY_LOGOUT", 1028, accessControl,
			action{op: "LogOut", weight: 20, name: "LOGOUT"})
	}
	for i := range list {
		list[i].in = onlyNative
	}
	return list
}
