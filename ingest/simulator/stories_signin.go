package simulator

import "fmt"

// Stories that begin, and some that end, with a sign-in.

var signInPlots = []plot{
	{"token-theft", "A stolen session searches the mail and empties a site", 2 * hourMS, tokenTheft},
	{"impossible-travel", "One account in two parts of the world within the hour", 3 * hourMS, impossibleTravel},
	{"rare-country", "A sign-in from a country that the company has nothing to do with", 3 * hourMS, rareCountry},
	{"tool-agent", "A tool signs in and looks around", 3 * hourMS, toolAgent},
	{"tor-session", "A mailbox is read through an anonymous proxy", 3 * hourMS, torSession},
	{"risky-address", "A sign-in from an address of bad repute, and what came after it", 8 * hourMS, riskyAddress},
	{"password-spray", "One password tried on many accounts, and many on one", 3 * hourMS, passwordSpray},
	{"mfa-fatigue", "Prompts until the user gives in, then a method of the attacker's own", 3 * hourMS, mfaFatigue},
	{"mfa-disabled", "An administrator's session takes strong authentication off an account", 6 * hourMS, mfaDisabled},
	{"legacy-protocol", "A mailbox is read by a protocol that asks for no second factor", 6 * hourMS, legacyProtocol},
	{"device-code", "A user enters the code that an attacker sent", 4 * hourMS, deviceCode},
	{"dormant-account", "An account wakes up after months", 4 * hourMS, dormantAccount},
}

func tokenTheft(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	ids := []string{sc.do(tokenFor(appExchange), v, from, with)}
	sc.wait(20*secondMS, 3*minuteMS)
	ids = append(ids, sc.do(tokenFor(appSharePoint), v, from, with))
	searches := sc.count(3, 6)
	for range searches {
		sc.wait(20*secondMS, 2*minuteMS)
		query := sc.r.pick([]string{"password", "vpn", "bank details", "invoice overdue", "wire transfer", "api key", "contract"})
		ids = append(ids, sc.do(inMailbox("SearchQueryInitiatedExchange"), v, from, with, func(d *draft) { d.plant.query = query }))
		for range sc.count(1, 4) {
			sc.wait(5*secondMS, 40*secondMS)
			ids = append(ids, sc.do(inMailbox("MailItemsAccessed"), v, from, with, folders("Bind", sc.r.pick(mailFolders))))
		}
	}
	sc.wait(2*minuteMS, 15*minuteMS)
	var taken []string
	site := sc.r.pick(siteNames)
	for range sc.count(180, 280) {
		sc.wait(1200, 3400)
		taken = append(taken, sc.do(onSite("FileDownloaded"), v, from, with, inSite(site)))
	}
	sc.tell("%s's session was used from %s in %s: %d searches of the mail, then %d downloads from the site %s.", v.upn, from.ip, from.place.country, searches, len(taken), site)
	all := append(ids, taken...)
	sc.cite("first-country-for-user", list(v), all...)
	sc.cite("first-user-agent-for-user", list(v), all...)
	sc.cite("mass-download", list(v), taken...)
}

func impossibleTravel(sc *scene) {
	v := sc.st.lead()
	from := sc.st.abroad(v)
	home := sc.do(signIn(appOffice), v, sc.st.atHome(v), usual(v))
	gap := sc.span(22*minuteMS, 68*minuteMS)
	sc.at += gap
	away := []string{sc.do(signIn(appExchange), v, from, usual(v))}
	for range sc.count(4, 10) {
		sc.wait(30*secondMS, 6*minuteMS)
		away = append(away, sc.do(inMailbox("MailItemsAccessed"), v, from, usual(v), folders("Bind", `\Inbox`)))
	}
	sc.wait(minuteMS, 4*minuteMS)
	away = append(away, sc.do(signIn(appSharePoint), v, from, usual(v)))
	sc.tell("%s signed in at home in %s, and %d minutes later from %s in %s.", v.upn, sc.st.g.co.places[v.place].city, gap/minuteMS, from.ip, from.place.city)
	sc.cite("impossible-travel", list(v), append([]string{home}, away...)...)
	sc.cite("first-country-for-user", list(v), away...)
}

func rareCountry(sc *scene) {
	v := sc.st.lead()
	at := take(&sc.st.rare)
	from := sc.st.hosted(&at)
	ids := []string{sc.do(signIn(appOffice), v, from, usual(v))}
	for range sc.count(3, 9) {
		sc.wait(40*secondMS, 12*minuteMS)
		ids = append(ids, sc.do(onSite(sc.r.pick([]string{"FileAccessed", "FilePreviewed"})), v, from, usual(v)))
	}
	sc.tell("%s signed in from %s in %s and opened %d files.", v.upn, from.ip, at.country, len(ids)-1)
	sc.cite("infrequent-country-for-tenant", list(v), ids...)
	sc.cite("first-country-for-user", list(v), ids...)
}

func toolAgent(sc *scene) {
	v := sc.st.lead()
	with := &stageAgents[firstTool+sc.r.n(endTool-firstTool)]
	from := sc.st.hosted(&sc.st.g.co.places[v.place]) // not even abroad
	var ids []string
	for range sc.count(5, 12) {
		ids = append(ids, sc.do(tokenFor([]int64{appAzure, appOffice, appExchange}[sc.r.n(3)]), v, from, with))
		sc.wait(10*secondMS, 5*minuteMS)
	}
	for range sc.count(6, 14) {
		sc.wait(3*secondMS, 3*minuteMS)
		ids = append(ids, sc.do(onSite("FileAccessed"), v, from, with))
	}
	sc.tell("%s's account was used by %s from %s, %d times.", v.upn, with.raw, from.ip, len(ids))
	sc.cite("tool-user-agent", list(v), ids...)
	sc.cite("first-user-agent-for-user", list(v), ids...)
}

func torSession(sc *scene) {
	v := sc.st.lead()
	from := sc.st.abroad(v)
	from.ip = fmt.Sprintf("192.0.2.%d", take(&sc.st.bad))
	from.isp, from.carrier, from.proxy, from.tags = "Onion Transit", "onion transit", true, []string{tagProxy, tagTor}
	ids := []string{sc.do(signIn(appExchange), v, from, &agents[agentTor])}
	for range sc.count(4, 12) {
		sc.wait(30*secondMS, 10*minuteMS)
		ids = append(ids, sc.do(inMailbox("MailItemsAccessed"), v, from, &agents[agentTor], folders("Bind", sc.r.pick(mailFolders))))
	}
	sc.tell("%s's mailbox was read %d times through the anonymous proxy %s.", v.upn, len(ids)-1, from.ip)
	sc.cite("anonymous-proxy", list(v), ids...)
}

func riskyAddress(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	from.ip = fmt.Sprintf("192.0.2.%d", take(&sc.st.bad))
	from.category, from.value = 3, "RISKY"
	ids := []string{sc.do(signIn(appSharePoint), v, from, with)}
	for range sc.count(6, 20) {
		sc.wait(20*secondMS, 8*minuteMS)
		ids = append(ids, sc.do(onSite("FileDownloaded"), v, from, with))
	}
	sc.wait(hourMS, 4*hourMS)
	ids = append(ids, sc.do(inMailbox("Send"), v, from, with))
	sc.tell("%s signed in from the risky address %s, downloaded %d files and sent a mail.", v.upn, from.ip, len(ids)-2)
	sc.cite("risky-ip", list(v), ids...)
}

func passwordSpray(sc *scene) {
	v := sc.st.lead() // whom they try long at the end
	from := sc.st.abroad(v)
	with := &stageAgents[agentPython]
	var tried []*person
	var ids []string
	begin := sc.at
	for range sc.count(16, 34) {
		p := sc.st.member()
		tried = append(tried, p)
		code := int64(codePassword)
		if sc.r.oneIn(9) {
			code = codeExpired
		}
		for range 1 + sc.r.n(2) {
			ids = append(ids, sc.do(failedSignIn(appExchange), p, from, with, failing(code)))
			sc.wait(3*secondMS, 14*secondMS)
		}
	}
	took := sc.at - begin
	sc.wait(10*secondMS, minuteMS)
	hit := tried[sc.r.n(len(tried))]
	ids = append(ids, sc.do(signIn(appExchange), hit, from, with))

	// Later, from the machine beside it, one account at a time.
	sc.wait(20*minuteMS, 70*minuteMS)
	beside := from
	beside.ip = sc.st.hosted(from.place).ip
	var force []string
	for range sc.count(14, 28) {
		force = append(force, sc.do(failedSignIn(appOffice), v, beside, with, failing(codePassword)))
		sc.wait(4*secondMS, 16*secondMS)
	}
	sc.wait(20*secondMS, 4*minuteMS)
	force = append(force, sc.do(signIn(appOffice), v, from, with))
	sc.tell("%s tried %d accounts within %d minutes and got into %s's; then %s took %d tries at %s's, and %s got in.",
		from.ip, len(tried), (took+minuteMS-1)/minuteMS, hit.upn, beside.ip, len(force)-1, v.upn, from.ip)
	sc.cite("password-spray", nil, ids...)
	sc.cite("bruteforce-then-success", list(v), force...)
}

func mfaFatigue(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	var ids []string
	n := sc.count(12, 19)
	for range n {
		result := sc.r.pick([]string{"MFA denied; user declined the authentication", "MFA denied; user did not respond to mobile app notification"})
		ids = append(ids, sc.do(failedSignIn(appOffice), v, from, with, failing(codeMFA), mfa(result)))
		sc.wait(7*secondMS, 13*secondMS) // nineteen of them take less than 4.2 minutes
	}
	sc.wait(15*secondMS, 50*secondMS)
	ids = append(ids, sc.do(signIn(appOffice), v, from, with, mfa("MFA completed in Azure AD")))
	sc.wait(6*minuteMS, 80*minuteMS)
	added := sc.do(byThemselves("User registered security info"), v, from, with, changing(
		change{"StrongAuthenticationPhoneAppDetail", `[{"DeviceName":"Galaxy A53","PhoneAppVersion":"6.2508.5781","NotificationType":4}]`, "[]"},
		change{"Included Updated Properties", "StrongAuthenticationPhoneAppDetail", ""}))
	sc.tell("%s turned down %d prompts from %s, accepted the next, and a phone was registered.", v.upn, n, from.ip)
	sc.cite("mfa-fatigue", list(v), ids...)
	sc.cite("mfa-changed", list(v), added)
}

func mfaDisabled(sc *scene) {
	a, v, with := sc.st.admin(), sc.st.lead(), sc.strange()
	from := sc.st.abroad(a)
	sc.do(signIn(appAzure), a, from, with)
	sc.wait(4*minuteMS, 30*minuteMS)
	ids := []string{sc.do(inDirectory("Disable Strong Authentication."), a, from, with, about(v), changing(
		change{"StrongAuthenticationRequirement", "[]", "[\r\n  {\r\n    \"RelyingParty\": \"*\",\r\n    \"State\": 1\r\n  }\r\n]"}))}
	sc.wait(2*minuteMS, 20*minuteMS)
	ids = append(ids, sc.do(inDirectory("Admin registered security info"), a, from, with, about(v), changing(
		change{"AuthenticationMethod", "Temporary Access Pass", ""},
		change{"ResultReason", "Admin registered temporary access pass method for user", ""})))
	sc.wait(10*minuteMS, 2*hourMS)
	sc.do(signIn(appExchange), v, from, with)
	sc.tell("The administrator %s, from %s, took strong authentication off %s and gave the account a temporary access pass, which was used from there.", a.upn, from.ip, v.upn)
	sc.cite("mfa-changed", list(a, v), ids...)
}

func legacyProtocol(sc *scene) {
	v := sc.st.lead()
	from := sc.st.abroad(v)
	p := []struct{ client, info string }{
		{"IMAP4", "Client=POP3/IMAP4;Protocol=IMAP4"}, {"POP3", "Client=POP3/IMAP4;Protocol=POP3"}, {"Authenticated SMTP", "Client=SMTP"},
		{"Exchange Web Services", "Client=WebServices;ExchangeServicesClient/15.01"}, {"Other clients", "Client=MSExchangeRPC"},
	}[sc.r.n(5)]
	with := &stageAgents[agentBasic]
	var ids []string
	for range sc.count(3, 9) {
		ids = append(ids, sc.do(signIn(appExchange), v, from, with, func(d *draft) { d.plant.client = p.client }))
		sc.wait(20*secondMS, 15*minuteMS)
		ids = append(ids, sc.do(inMailbox("MailItemsAccessed"), v, from, with, folders("Sync", `\Inbox`), clientInfo(p.info)))
		sc.wait(20*secondMS, 15*minuteMS)
	}
	sc.tell("%s's mailbox was opened %d times by %s from %s.", v.upn, len(ids)/2, p.client, from.ip)
	sc.cite("legacy-auth", list(v), ids...)
}

func deviceCode(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	code := func(d *draft) {
		d.plant.protocol = "deviceCode"
		cli := *d.app
		cli.entra, cli.entraAs = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"
		d.app = &cli
	}
	ids := []string{sc.do(tokenFor(appAzure), v, from, with, code)}
	sc.wait(30*secondMS, 10*minuteMS)
	ids = append(ids, sc.do(tokenFor(appOffice), v, from, with, code))
	all := ids
	for range sc.count(4, 9) {
		sc.wait(minuteMS, 10*minuteMS)
		all = append(all, sc.do(inMailbox("MailItemsAccessed"), v, from, with, folders("Bind", sc.r.pick(mailFolders))))
	}
	sc.tell("%s entered a device code of somebody at %s in %s, who then read the mail.", v.upn, from.ip, from.place.country)
	sc.cite("device-code-login", list(v), ids...)
	sc.cite("first-country-for-user", list(v), all...)
}

// silence is how long the dormant account sleeps at least.
const silence int64 = 92 * dayMS

func dormantAccount(sc *scene) {
	v := sc.st.extra(&sc.r)
	from := sc.st.abroad(v)
	earliest := sc.st.start + 3*dayMS + silence
	latest := sc.st.until - 10*minuteMS - 4*hourMS
	if earliest > latest {
		sc.skip(fmt.Sprintf("the stories end %d days after the span begins, and the account sleeps at least %d", (sc.st.until-sc.st.start)/dayMS, silence/dayMS), "dormant-account")
		return
	}
	wakes := max(earliest, sc.st.from)
	wakes += sc.span(0, latest-wakes)
	sc.at = sc.st.start + sc.span(2*hourMS, 8*hourMS)
	for range sc.count(14, 30) {
		sc.ordinary(v, sc.st.atOffice(v))
		sc.wait(20*minuteMS, 2*hourMS) // thirty of them take less than the three days
	}
	before := sc.at
	sc.at = wakes
	ids := []string{sc.do(signIn(appOffice), v, from, usual(v))}
	for range sc.count(3, 9) {
		sc.wait(minuteMS, 15*minuteMS)
		ids = append(ids, sc.do(onSite("FileAccessed"), v, from, usual(v)))
	}
	sc.tell("%s was silent for %d days and then signed in from %s.", v.upn, (wakes-before)/dayMS, from.ip)
	sc.cite("dormant-account", list(v), ids...)
}

// ordinary is a working person's next record.
func (sc *scene) ordinary(p *person, from network) string {
	with := usual(p)
	if from.ip == p.mobileIP {
		with = &agents[p.phone]
	}
	switch k := sc.r.n(10); {
	case k < 2:
		return sc.do(signIn([]int64{appOffice, appExchange, appTeams, appSharePoint}[sc.r.n(4)]), p, from, with)
	case k < 5:
		return sc.do(onSite(sc.r.pick([]string{"FileAccessed", "FileModified", "FilePreviewed"})), p, from, with)
	case k < 8:
		return sc.do(inMailbox("MailItemsAccessed"), p, from, with, folders("Bind", sc.r.pick(mailFolders)))
	default:
		return sc.do(inMailbox("Send"), p, from, with)
	}
}
