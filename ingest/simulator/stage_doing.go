package simulator

// doing names an operation by app and feed. Those of the catalogue are taken
// from it; others get the form of their neighbours there.
type doing struct {
	app    int64
	feed   feed
	op     string
	name   string // eventTypeName without EVENT_CATEGORY_; "" is UNSPECIFIED
	admin  bool
	failed bool
}

func (w doing) action() *action {
	var like *action
	for i := range actions {
		a := &actions[i]
		if a.app != w.app || a.feed != w.feed || a.in == onlyNative || a.failed != w.failed {
			continue
		}
		if a.op == w.op {
			return a
		}
		if like == nil {
			like = a
		}
	}
	a := *like // there is one: the apps and feeds named here are the catalogue's
	a.op, a.name, a.admin, a.weight = w.op, w.name, w.admin, 0
	if a.name == "" {
		a.name = "UNSPECIFIED"
	}
	return &a
}

// Apps by the names that the stories use.
const (
	appOffice     = 11161
	appOneDrive   = 15600
	appSharePoint = 20892
	appExchange   = 20893
	appTeams      = 28375
	appAzure      = 12260
)

func signIn(app int64) doing   { return doing{app: app, feed: feedSignIn, op: "OAuth2:Authorize"} }
func tokenFor(app int64) doing { return doing{app: app, feed: feedSignIn, op: "OAuth2:Token"} }
func failedSignIn(app int64) doing {
	return doing{app: app, feed: feedSignIn, op: "OAuth2:Authorize", failed: true}
}
func onSite(op string) doing    { return doing{app: appSharePoint, feed: feedFile, op: op} }
func onDrive(op string) doing   { return doing{app: appOneDrive, feed: feedFile, op: op} }
func inMailbox(op string) doing { return doing{app: appExchange, feed: feedMail, op: op} }
func inTeams(op string) doing   { return doing{app: appTeams, feed: feedTeams, op: op} }

// cmdlet is run by an administrator, unless the catalogue knows it as anyone's.
func cmdlet(op string) doing {
	return doing{app: appExchange, feed: feedMailAdmin, op: op, admin: true}
}

func inDirectory(op string) doing {
	return doing{app: appOffice, feed: feedDirectory, op: op, admin: true}
}

// byThemselves is a change in the directory that people make to their own account.
func byThemselves(op string) doing { return doing{app: appOffice, feed: feedDirectory, op: op} }

// failureText is the text of a sign-in error.
func failureText(code int64) string {
	if code == codeDisabled {
		return "The account is disabled."
	}
	for _, f := range failures {
		if f.code == code {
			return f.text
		}
	}
	return "General failure"
}

// Sign-in errors by their public numbers.
const (
	codePassword = 50126
	codeLocked   = 50053
	codeExpired  = 50055
	codeDisabled = 50057
	codeMFA      = 500121
)

// What a record says that is not drawn.

func failing(code int64) func(*draft) { return func(d *draft) { d.plant.code = code } }

func mfa(result string) func(*draft) {
	return func(d *draft) { d.plant.mfaMethod, d.plant.mfaResult = "Phone app notification", result }
}

func about(p *person) func(*draft) { return func(d *draft) { d.other = p } }

func changing(list ...change) func(*draft) { return func(d *draft) { d.plant.changed = list } }

// aboutThing is a directory object that is no user.
func aboutThing(kind string, thing *person) func(*draft) {
	return func(d *draft) { d.plant.kind, d.other = kind, thing }
}

func withParams(objectID string, list ...pair) func(*draft) {
	return func(d *draft) { d.plant.objectID, d.plant.params = objectID, list }
}

// mailboxOf is another's mailbox, entered as its delegate.
func mailboxOf(owner *person) func(*draft) {
	return func(d *draft) { d.plant.owner, d.plant.logonType, d.other = owner, 2, owner }
}

func folders(access string, list ...string) func(*draft) {
	return func(d *draft) { d.plant.access, d.plant.folders = access, list }
}

func clientInfo(text string) func(*draft) { return func(d *draft) { d.plant.clientInfo = text } }

// file names the document, in the folder that was drawn.
func file(name, ext string) func(*draft) {
	return func(d *draft) {
		f := &d.file
		f.name, f.ext = name+"."+ext, ext
		f.url = f.siteURL + f.folder + "/" + f.name
		f.id = newGUID(derive(d.g.seed, 66, hashOf(f.url))).String()
	}
}

// inSite puts the document, or the team, into a site.
func inSite(site string) func(*draft) {
	return func(d *draft) {
		f := &d.file
		f.site, f.siteURL = site, "https://contoso.sharepoint.example/sites/"+site+"/"
		f.folder = "Shared Documents/General"
		f.url = f.siteURL + f.folder + "/" + f.name
		f.id = newGUID(derive(d.g.seed, 66, hashOf(f.url))).String()
	}
}

// plainChanges are what an ordinary change in the directory changes.
func plainChanges(op string) []change {
	switch op {
	case "Reset user password.":
		return []change{{"StsRefreshTokensValidFrom", "[]", "[]"}, {"Included Updated Properties", "StsRefreshTokensValidFrom", ""}, {"TargetId.UserType", "Member", ""}}
	case "Add member to group.":
		return []change{{"Group.ObjectID", newGUID(hashOf(op)).String(), ""}, {"Group.DisplayName", "All staff", ""}}
	}
	return []change{{"Department", `["Operations"]`, `["Support"]`}, {"Included Updated Properties", "Department", ""}, {"TargetId.UserType", "Member", ""}}
}
