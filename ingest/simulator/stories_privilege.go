package simulator

import "fmt"

// Stories about rights: how they are gained, kept and misused.

var privilegePlots = []plot{
	{"leaver", "A leaver takes the files along and comes back after the account was disabled", 46 * hourMS, leaver},
	{"admin-persistence", "A role for an account that never administered anything, and its first use", 8 * hourMS, adminPersistence},
	{"consent-phishing", "Users consent to an application that reads their mail", 8 * hourMS, consentPhishing},
	{"app-credential", "A second key for an application with rights", 3 * hourMS, appCredential},
	{"flash-account", "An account lives for some hours", 23 * hourMS, flashAccount},
	{"guest-drop", "A guest leaves a file that many open, and is gone", 6 * hourMS, guestDrop},
	{"guest-to-member", "A guest becomes a member", 2 * hourMS, guestToMember},
	{"federation", "A domain of the attacker's is trusted for sign-ins", 3 * hourMS, federation},
	{"logging-off", "The audit log is switched off, then the policies", 3 * hourMS, loggingOff},
}

func leaver(sc *scene) {
	v, a := sc.st.lead(), sc.st.admin()
	home := sc.st.atHome(v)
	sc.do(signIn(appSharePoint), v, home, usual(v))
	var taken []string
	site := sc.r.pick(siteNames)
	for range sc.count(190, 300) {
		sc.wait(1000, 3200)
		taken = append(taken, sc.do(onSite("FileDownloaded"), v, home, usual(v), inSite(site)))
	}
	sc.wait(90*minuteMS, 4*hourMS)
	ids := []string{sc.do(inDirectory("Disable account."), a, sc.st.atOffice(a), usual(a), about(v), changing(
		change{"AccountEnabled", "[false]", "[true]"}, change{"Included Updated Properties", "AccountEnabled", ""}))}
	disabled := sc.at
	other := []int64{11114, 14509, 10489, 11627, 26324, 11522, appTeams, appOneDrive}
	shuffle(&sc.r, other)
	sc.wait(40*minuteMS, 2*hourMS) // a session that still lives
	for range sc.count(3, 7) {
		ids = append(ids, sc.do(onDrive("FileDownloaded"), v, home, usual(v)))
		sc.wait(10*secondMS, 4*minuteMS)
	}
	refused := other[:sc.count(5, len(other)-1)]
	for _, app := range refused {
		sc.wait(30*secondMS, 10*minuteMS)
		ids = append(ids, sc.do(failedSignIn(app), v, home, usual(v), failing(codeDisabled)))
	}
	sc.at = disabled + sc.span(25*hourMS, 36*hourMS)
	last := other[len(other)-1]
	ids = append(ids, sc.do(signIn(last), v, home, usual(v)))
	sc.tell("%s downloaded %d files from the site %s; after %s disabled the account it was used for files, tried at %d apps, and signed in to app %d %d hours later.",
		v.upn, len(taken), site, a.upn, len(refused), last, (sc.at-disabled)/hourMS)
	sc.cite("mass-download", list(v), taken...)
	sc.cite("leaver-or-disabled-activity", list(v), ids...)
}

func adminPersistence(sc *scene) {
	a, v, with := sc.st.admin(), sc.st.lead(), sc.strange()
	from := sc.st.abroad(a)
	role := sc.r.pick([]string{"Global Administrator", "Privileged Role Administrator", "Exchange Administrator", "Privileged Authentication Administrator", "Cloud Application Administrator"})
	op := sc.r.pick([]string{"Add member to role.", "Add eligible member to role."})
	sc.do(signIn(appAzure), a, from, with)
	sc.wait(3*minuteMS, 40*minuteMS)
	granted := sc.do(inDirectory(op), a, from, with, about(v), changing(
		change{"Role.ObjectID", newGUID(sc.r.next()).String(), ""}, change{"Role.DisplayName", role, ""}, change{"Role.WellKnownObjectName", "TenantAdmins", ""}),
		func(d *draft) { d.plant.details = []pair{{"Role.DisplayName", role}} })
	sc.wait(20*minuteMS, 3*hourMS)
	sc.do(signIn(appAzure), v, from, with)
	var used []string
	for range sc.count(3, 7) {
		sc.wait(minuteMS, 20*minuteMS)
		what := []doing{inDirectory("Reset user password."), inDirectory("Update user."), inDirectory("Add member to group.")}[sc.r.n(3)]
		used = append(used, sc.do(what, v, from, with, about(sc.st.member())))
	}
	sc.tell("%s, from %s, gave %s the role %s, which was used there %d times.", a.upn, from.ip, v.upn, role, len(used))
	sc.cite("admin-role-granted", list(a, v), granted)
	sc.cite("new-admin-actor", list(v), used...)
}

// thing is a directory object that is no user.
func (sc *scene) thing(name string) *person {
	return &person{name: name, upn: newGUID(sc.r.next()).String(), objectID: newGUID(sc.r.next()).String()}
}

func consentPhishing(sc *scene) {
	app := sc.thing(sc.r.pick([]string{"Docu Viewer Plus", "Calendar Assistant 365", "Secure Mail Upgrade", "Invoice Reader", "Team Poll Pro"}))
	scopes := sc.r.pick([]string{
		"offline_access Mail.Read User.Read", "offline_access Mail.ReadWrite Mail.Send User.Read", "offline_access Files.ReadWrite.All Mail.Read", "offline_access Notes.Read.All Mail.Read Contacts.Read",
	})
	var victims []*person
	var ids []string
	for range sc.count(2, 4) {
		v := sc.st.lead()
		victims = append(victims, v)
		at := sc.st.atHome(v)
		ids = append(ids, sc.do(byThemselves("Consent to application."), v, at, usual(v), aboutThing("ServicePrincipal", app), changing(
			change{"ConsentContext.IsAdminConsent", "False", ""}, change{"ConsentContext.OnBehalfOfAll", "False", ""},
			change{"ConsentAction.Permissions", "[] => [[Id: " + hexText(sc.r.next(), 22) + ", ClientId: " + app.objectID + ", PrincipalId: " + v.objectID + ", ResourceId: " + newGUID(9).String() + ", ConsentType: Principal, Scope: " + scopes + "]]", ""}),
			func(d *draft) { d.plant.details = []pair{{"Scope", scopes}} }))
		sc.wait(5*secondMS, 20*secondMS)
		sc.do(byThemselves("Add delegated permission grant."), v, at, usual(v), aboutThing("ServicePrincipal", app), changing(
			change{"DelegatedPermissionGrant.Scope", scopes, ""}, change{"DelegatedPermissionGrant.ConsentType", "Principal", ""}))
		sc.wait(4*minuteMS, 80*minuteMS)
	}
	from := sc.st.abroad(victims[0])
	for _, v := range victims {
		for range sc.count(2, 6) {
			sc.wait(10*secondMS, 4*minuteMS)
			sc.do(inMailbox("MailItemsAccessed"), v, from, &stageAgents[agentPython], folders("Bind", `\Inbox`), clientInfo("Client=REST;Client=RESTSystem;;"), func(d *draft) { d.plant.clientApp = app.upn })
		}
	}
	sc.tell("%d users consented to %q (%s), which then read their mail from %s.", len(victims), app.name, scopes, from.ip)
	sc.cite("oauth-consent", victims, ids...)
}

func appCredential(sc *scene) {
	a, with := sc.st.admin(), sc.strange()
	from := sc.st.abroad(a)
	app := sc.thing(sc.r.pick([]string{"HR Sync", "Backup Orchestrator", "Payroll Export", "Archive Connector"}))
	sc.do(signIn(appAzure), a, from, with)
	sc.wait(2*minuteMS, 25*minuteMS)
	key := func(typ string) change {
		return change{"KeyDescription", "[\r\n  \"[KeyIdentifier=" + newGUID(sc.r.next()).String() + ",KeyType=" + typ + ",KeyUsage=Verify,DisplayName=" + hexText(sc.r.next(), 6) + "]\"\r\n]", "[]"}
	}
	ids := []string{sc.do(inDirectory("Update application – Certificates and secrets management "), a, from, with, aboutThing("Application", app), changing(key("Password"), change{"Included Updated Properties", "KeyDescription", ""}))}
	sc.wait(10*secondMS, 10*minuteMS)
	ids = append(ids, sc.do(inDirectory("Add service principal credentials."), a, from, with, aboutThing("ServicePrincipal", app), changing(key("AsymmetricX509Cert"), change{"Included Updated Properties", "KeyDescription", ""})))
	sc.wait(minuteMS, 15*minuteMS)
	right := sc.r.pick([]string{"Mail.ReadWrite", "Directory.ReadWrite.All", "RoleManagement.ReadWrite.Directory"})
	ids = append(ids, sc.do(inDirectory("Add app role assignment to service principal."), a, from, with, aboutThing("ServicePrincipal", app), changing(change{"AppRole.Value", right, ""})))
	sc.tell("%s, from %s, gave the application %q a secret, a certificate and the right %s.", a.upn, from.ip, app.name, right)
	sc.cite("app-credential-added", list(a), ids...)
}

func flashAccount(sc *scene) {
	a, x, with := sc.st.admin(), sc.st.extra(&sc.r), sc.strange()
	from := sc.st.abroad(a)
	sc.do(signIn(appAzure), a, from, with)
	sc.wait(2*minuteMS, 20*minuteMS)
	begin := sc.at
	ids := []string{sc.do(inDirectory("Add user."), a, from, with, about(x), changing(
		change{"AccountEnabled", "[true]", "[]"}, change{"UserPrincipalName", `["` + x.upn + `"]`, "[]"}, change{"UserType", `["Member"]`, "[]"}))}
	sc.wait(10*minuteMS, hourMS)
	sc.do(signIn(appOffice), x, from, with)
	for range sc.count(3, 9) {
		sc.wait(minuteMS, 20*minuteMS)
		sc.do(onSite("FileAccessed"), x, from, with)
	}
	sc.wait(hourMS, 15*hourMS)
	ids = append(ids, sc.do(inDirectory("Delete user."), a, from, with, about(x), changing(change{"Is Hard Deleted", "False", ""})))
	sc.tell("%s, from %s, made the account %s and deleted it %d minutes later.", a.upn, from.ip, x.upn, (sc.at-begin)/minuteMS)
	sc.cite("account-created-and-deleted", list(a, x), ids...)
}

func guestDrop(sc *scene) {
	v, g, with := sc.st.lead(), sc.st.outsider(&sc.r), sc.strange()
	from := sc.st.abroad(v)
	site := sc.r.pick(siteNames)
	added, name := sc.at, sc.r.pick([]string{"Bonus 2026", "Updated salary bands", "Office move", "Survey results"})
	what := func(d *draft) { inSite(site)(d); file(name, "pdf")(d) }
	guest := func(d *draft) { inSite(site)(d); d.plant.member, d.plant.role = g, 3 }
	ids := []string{sc.do(inTeams("MemberAdded"), v, sc.st.atHome(v), usual(v), guest)}
	sc.wait(5*minuteMS, 16*minuteMS)
	sc.do(signIn(appSharePoint), g, from, with)
	sc.wait(20*secondMS, 3*minuteMS)
	ids = append(ids, sc.do(onSite("FileUploaded"), g, from, with, what))
	readers := sc.count(14, 30)
	for range readers {
		sc.wait(10*secondMS, 50*secondMS)
		p := sc.st.member()
		ids = append(ids, sc.do(onSite("FileAccessed"), p, sc.st.atOffice(p), usual(p), what))
	}
	sc.at = max(sc.at, added+sc.span(45*minuteMS, 55*minuteMS))
	ids = append(ids, sc.do(inTeams("MemberRemoved"), v, sc.st.atHome(v), usual(v), guest))
	sc.tell("%s let the guest %s into the team %s for %d minutes; the file left there was opened by %d people.", v.upn, g.upn, site, (sc.at-added)/minuteMS, readers)
	sc.cite("guest-lifecycle", list(v, g), ids...)
}

func guestToMember(sc *scene) {
	a, g, with := sc.st.admin(), sc.st.outsider(&sc.r), sc.strange()
	from := sc.st.abroad(a)
	sc.do(signIn(appAzure), a, from, with)
	sc.wait(2*minuteMS, 30*minuteMS)
	id := sc.do(inDirectory("Update user."), a, from, with, about(g), changing(
		change{"UserType", `["Member"]`, `["Guest"]`}, change{"Included Updated Properties", "UserType", ""}, change{"TargetId.UserType", "Member", ""}))
	sc.tell("%s, from %s, made the guest %s a member.", a.upn, from.ip, g.upn)
	sc.cite("guest-lifecycle", list(a, g), id)
}

func federation(sc *scene) {
	a, with := sc.st.admin(), sc.strange()
	from := sc.st.abroad(a)
	domain := &person{name: fmt.Sprintf("sso-%s.example", hexText(sc.r.next(), 6))}
	domain.upn = domain.name
	sc.do(signIn(appAzure), a, from, with)
	var ids []string
	for _, step := range []struct {
		op   string
		what []change
	}{
		{"Add unverified domain.", []change{{"Name", `["` + domain.name + `"]`, "[]"}}},
		{"Verify domain.", []change{{"Name", `["` + domain.name + `"]`, "[]"}}},
		{"Set federation settings on domain.", []change{{"IssuerUri", `["http://any.sts/` + hexText(sc.r.next(), 8) + `"]`, "[]"}, {"PreferredAuthenticationProtocol", `["WsFed"]`, "[]"}}},
		{"Set domain authentication.", []change{{"LiveType", `["Federated"]`, `["Managed"]`}}},
	} {
		sc.wait(minuteMS, 20*minuteMS)
		ids = append(ids, sc.do(inDirectory(step.op), a, from, with, aboutThing("Domain", domain), changing(step.what...)))
	}
	sc.tell("%s, from %s, added the domain %s and switched it to federated sign-in.", a.upn, from.ip, domain.name)
	sc.cite("federation-or-domain-change", list(a), ids...)
}

func loggingOff(sc *scene) {
	a, with := sc.st.admin(), sc.strange()
	from := sc.st.abroad(a)
	sc.do(signIn(appExchange), a, from, with)
	sc.wait(minuteMS, 20*minuteMS)
	ids := []string{sc.do(cmdlet("Set-AdminAuditLogConfig"), a, from, with, withParams("Admin Audit Log Settings", pair{"UnifiedAuditLogIngestionEnabled", "False"}))}
	rules := []string{"Remove-AntiPhishRule", "Disable-AntiPhishRule", "Remove-SafeAttachmentRule", "Disable-SafeLinksRule", "Remove-DlpPolicy", "Remove-SafeLinksPolicy"}
	shuffle(&sc.r, rules)
	off := rules[:sc.count(2, 4)]
	for _, op := range off {
		sc.wait(20*secondMS, 10*minuteMS)
		ids = append(ids, sc.do(cmdlet(op), a, from, with, withParams("Office365 Default", pair{"Identity", "Office365 Default"}, pair{"Confirm", "False"})))
	}
	sc.wait(minuteMS, 20*minuteMS)
	policy := sc.thing("Require MFA for administrators")
	ids = append(ids, sc.do(inDirectory(sc.r.pick([]string{"Delete conditional access policy.", "Update conditional access policy."})), a, from, with, aboutThing("Policy", policy), changing(change{"ConditionalAccessPolicy", `{"state":"disabled"}`, `{"state":"enabled"}`})))
	sc.tell("%s, from %s, switched the audit log off, then %d mail policies and a conditional access policy.", a.upn, from.ip, len(off))
	sc.cite("logging-or-policy-tampering", list(a), ids...)
}
