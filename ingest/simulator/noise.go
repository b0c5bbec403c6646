package simulator

import "fmt"

// Honest noise: what looks like an attack and is none. A hunt tells most of it
// apart by what it knows of the past, of distances and of address categories;
// what only the tenant can know goes into the allow list. Its people are not
// those of the stories. Travellers and service accounts are nobody the generator
// knows, or its records would have them in two places at once.

// noises are the parts. The place of one here decides its draws and its people.
var noises = []func(*scene, *AllowList){
	travellers, tunnels, relays, services, migration, newStarters, forgetful, adminsAtWork, delegate, meetingLinks, helpDesk,
	scanner, keyRotation, codesAtWork, brochures,
}

// Addresses of the noise.
const (
	tunnelRange = "203.0.113.192/29"
	relayRange  = "198.51.100.24/29"
)

// everyday plays a person's ordinary records, about one in gap, between two
// times, by day where they are.
func (sc *scene) everyday(p *person, from network, since, until, gap int64) {
	for sc.at = since + sc.span(0, gap); sc.at < until; sc.wait(gap/2, gap*3/2) {
		if of := (sc.at/hourMS + int64(from.place.offset)) % 24; of < 7 || of > 20 {
			continue
		}
		sc.ordinary(p, from)
	}
}

// length is the span's, ms; part draws a time in a part of it, in hundredths.
func (st *stage) length() int64 { return st.end - st.start }

func (sc *scene) part(lo, hi int64) int64 {
	return sc.st.start + sc.span(sc.st.length()*lo/100, sc.st.length()*hi/100)
}

// travellers are at home, in the air for as long as a flight takes, abroad for
// some days, and home again.
func travellers(sc *scene, _ *AllowList) {
	st := sc.st
	gap := max(4*hourMS, st.length()/120)
	for range 6 {
		p := st.extra(&sc.r)
		home := st.atOffice(p)
		places := append(append([]place(nil), honestPlaces[:len(honestPlaces)-1]...), towns...)
		shuffle(&sc.r, places)
		to := &places[0]
		for i := range places {
			if places[i].country != home.place.country && degrees(&places[i], home.place) >= 8 {
				to = &places[i]
				break
			}
		}
		flight := 5*hourMS + int64(degrees(to, home.place))*hourMS/5
		hotel := network{ip: fmt.Sprintf("198.18.220.%d", 1+sc.r.n(250)), place: to, value: "NONE", isp: to.isp, carrier: to.carrier}
		leaves := sc.part(30, 85)
		returns := leaves + flight + sc.span(20*hourMS, max(20*hourMS, min(4*dayMS, st.length()/8)))
		sc.everyday(p, home, st.start, leaves, gap)
		sc.everyday(p, hotel, leaves+flight, returns, 3*hourMS)
		sc.everyday(p, home, returns+flight, st.end, gap)
	}
}

// tunnels are people behind the company's VPN, whose ways out are in several
// countries: the same hour shows them here and there.
func tunnels(sc *scene, allow *AllowList) {
	st := sc.st
	allow.Ranges = append(allow.Ranges, tunnelRange)
	var out []network
	for i, city := range []string{"London", "Seattle", "Singapore", "Hamburg"} {
		for j := range towns {
			if towns[j].city == city {
				out = append(out, network{ip: fmt.Sprintf("203.0.113.%d", 193+i), place: &towns[j], category: 4, value: "VPN", isp: "Tunnelhaus", carrier: "tunnelhaus gmbh"})
			}
		}
	}
	step := max(dayMS, st.length()/12)
	for range 8 {
		p := st.member()
		for at := st.start + sc.span(0, step); at < st.end; at += step {
			sc.at = at
			sc.do(signIn(appOffice), p, st.atHome(p), usual(p))
			for range sc.count(2, 6) {
				sc.wait(4*minuteMS, 30*minuteMS)
				sc.ordinary(p, out[sc.r.n(len(out))])
			}
		}
	}
}

// relays are phones whose maker hides the address: an anonymous proxy by the
// letter.
func relays(sc *scene, allow *AllowList) {
	st := sc.st
	allow.Ranges = append(allow.Ranges, relayRange)
	step := max(dayMS, st.length()/10)
	for i := range 3 {
		p := st.member()
		from := st.onPhone(p)
		from.ip, from.proxy = fmt.Sprintf("198.51.100.%d", 25+i), true
		from.isp, from.carrier, from.tags = "iCloud Private Relay", "icloud private relay", []string{tagProxy}
		for at := st.start + sc.span(0, step); at < st.end; at += step {
			sc.at = at
			sc.do(inMailbox("MailItemsAccessed"), p, from, &stageAgents[agentPhoneMail], folders("Sync", `\Inbox`))
		}
	}
}

// services are a backup that downloads all it may see, and a monitor that asks
// for keys day and night.
func services(sc *scene, allow *AllowList) {
	st := sc.st
	backup, monitor := st.account(&sc.r, "svc-backup"), st.account(&sc.r, "svc-monitor")
	allow.Users = append(allow.Users, backup.upn, monitor.upn)
	rack := st.atOffice(backup)
	rack.ip = "203.0.113.5"
	with := &stageAgents[agentPython]
	step := max(dayMS, st.length()/18)
	for night := st.start + 2*hourMS; night < st.end; night += step {
		sc.at = night + sc.span(0, 20*minuteMS)
		sc.do(tokenFor(appSharePoint), backup, rack, with)
		for range sc.count(130, 170) {
			sc.wait(700, 2500)
			sc.do(onSite("FileDownloaded"), backup, rack, with)
		}
	}
	step = max(hourMS, st.length()/700)
	for at := st.start + sc.span(0, step); at < st.end; at += step {
		sc.at = at + sc.span(0, 5*minuteMS)
		sc.do(tokenFor(appAzure), monitor, rack, &stageAgents[agentGo])
		sc.at += secondMS
		sc.do(doing{app: appAzure, feed: feedAzure, op: "List Storage Account Keys"}, monitor, rack, &stageAgents[agentGo])
	}
}

// migration is one account that moves thousands of files over some nights, and
// deletes what it has moved.
func migration(sc *scene, allow *AllowList) {
	st := sc.st
	p := st.account(&sc.r, "adm-migration")
	allow.Users = append(allow.Users, p.upn)
	rack := st.atOffice(p)
	rack.ip = "203.0.113.4"
	with := &stageAgents[agentMover]
	first := sc.part(20, 60)
	first -= first % dayMS
	for n := range int64(sc.count(2, 4)) {
		sc.at = first + n*dayMS + 21*hourMS + sc.span(0, hourMS)
		from, to := inSite(sc.r.pick(siteNames)), inSite("Archive-2026")
		sc.do(tokenFor(appSharePoint), p, rack, with)
		for range sc.count(280, 380) {
			name := sc.r.pick(fileStems) + " " + hexText(sc.r.next(), 5)
			sc.wait(1500, 4500)
			sc.do(onSite("FileUploaded"), p, rack, with, to, file(name, "docx"))
			sc.do(onSite("FileMoved"), p, rack, with, from, file(name, "docx"))
			sc.do(onSite("FileDeleted"), p, rack, with, from, file(name, "docx"))
		}
	}
}

// newStarters are first seen late: all about them is new.
func newStarters(sc *scene, _ *AllowList) {
	st := sc.st
	for range 5 {
		p, a := st.extra(&sc.r), st.admin()
		sc.at = sc.part(68, 92)
		sc.do(inDirectory("Add user."), a, st.atOffice(a), usual(a), about(p), changing(change{"UserPrincipalName", `["` + p.upn + `"]`, "[]"}, change{"UserType", `["Member"]`, "[]"}))
		sc.wait(2*hourMS, 6*hourMS)
		sc.do(signIn(appOffice), p, st.atOffice(p), usual(p))
		sc.wait(minuteMS, 10*minuteMS)
		sc.do(byThemselves("User registered security info"), p, st.atOffice(p), usual(p), changing(
			change{"StrongAuthenticationPhoneAppDetail", `[{"DeviceName":"iPhone 16","PhoneAppVersion":"6.8.21","NotificationType":2}]`, "[]"}))
		sc.everyday(p, st.atOffice(p), sc.at, min(st.end, sc.at+10*dayMS), 2*hourMS)
	}
}

// forgetful people need five tries.
func forgetful(sc *scene, _ *AllowList) {
	for range 12 {
		p := sc.st.member()
		from := sc.st.atHome(p)
		sc.at = sc.part(5, 97)
		for range 4 {
			sc.do(failedSignIn(appOffice), p, from, usual(p), failing(codePassword))
			sc.wait(6*secondMS, 40*secondMS)
		}
		sc.do(signIn(appOffice), p, from, usual(p))
	}
}

// adminsAtWork do what administrators do from where they always are; roles are
// activated for them by the service that manages roles.
func adminsAtWork(sc *scene, _ *AllowList) {
	st := sc.st
	pim := &person{name: "MS-PIM", upn: "ServicePrincipal_" + newGUID(derive(st.g.seed, 67)).String(), objectID: newGUID(derive(st.g.seed, 68)).String(), tag: "[]"}
	cloud := network{ip: "198.51.100.33", place: &towns[0], category: 5, value: "CLOUD_PROXY_NETWORK_IP", isp: "Microsoft Azure", carrier: "microsoft corporation", tags: []string{tagAzure}}
	step := max(dayMS/2, st.length()/40)
	for range 3 {
		a := st.admin()
		for at := st.start + sc.span(0, step); at < st.end; at += step {
			sc.at = at + sc.span(0, 2*hourMS)
			if sc.r.oneIn(4) {
				role := sc.r.pick([]string{"User Administrator", "Helpdesk Administrator", "Exchange Administrator"})
				sc.do(inDirectory("Add member to role."), pim, cloud, &stageAgents[agentGo], about(a), changing(
					change{"Role.DisplayName", role, ""}), func(d *draft) { d.plant.details = []pair{{"Role.DisplayName", role}} })
				sc.wait(minuteMS, 10*minuteMS)
			}
			what := []doing{inDirectory("Reset user password."), inDirectory("Update user."), inDirectory("Add member to group."), inDirectory("Update group.")}[sc.r.n(4)]
			sc.do(what, a, st.atOffice(a), usual(a), about(&st.g.co.people[sc.r.n(peopleCount)]))
		}
	}
}

// delegate reads another's mailbox, as every day.
func delegate(sc *scene, _ *AllowList) {
	st := sc.st
	p, boss := st.member(), st.member()
	step := max(dayMS/2, st.length()/90)
	for at := st.start + sc.span(0, step); at < st.end; at += step {
		sc.at = at + sc.span(0, hourMS)
		sc.do(inMailbox("MailItemsAccessed"), p, st.atOffice(p), &agents[agentOffice], mailboxOf(boss), folders("Bind", `\Inbox`, `\Drafts`))
	}
}

// meetingLinks are many shares in a few minutes, with colleagues.
func meetingLinks(sc *scene, _ *AllowList) {
	st := sc.st
	for range 3 {
		p := st.member()
		sc.at = sc.part(10, 95)
		sc.do(inTeams("MessageCreatedHasLink"), p, st.atOffice(p), usual(p))
		for range sc.count(12, 18) {
			sc.wait(5*secondMS, 40*secondMS)
			sc.do(onSite("SharingSet"), p, st.atOffice(p), usual(p), about(&st.g.co.people[sc.r.n(20)]), func(d *draft) { d.plant.sharedType = "Member" })
		}
	}
}

// helpDesk is bought from a country where nobody else is: only the tenant knows.
func helpDesk(sc *scene, allow *AllowList) {
	st := sc.st
	at := &honestPlaces[len(honestPlaces)-1]
	allow.Countries = append(allow.Countries, at.country)
	for i := range 2 {
		p := st.extra(&sc.r)
		from := network{ip: fmt.Sprintf("198.18.221.%d", 10+i), place: at, value: "NONE", isp: at.isp, carrier: at.carrier}
		sc.everyday(p, from, sc.part(60, 80), st.end, max(6*hourMS, st.length()/40))
	}
}

// scanner mails what it scans, by the only protocol it knows.
func scanner(sc *scene, allow *AllowList) {
	st := sc.st
	p := st.account(&sc.r, "svc-scanner")
	allow.Users = append(allow.Users, p.upn)
	step := max(dayMS/2, st.length()/60)
	for at := st.start + sc.span(0, step); at < st.end; at += step {
		sc.at = at + sc.span(0, hourMS)
		sc.do(signIn(appExchange), p, st.atOffice(p), &stageAgents[agentBasic], func(d *draft) { d.plant.client = "Authenticated SMTP" })
	}
}

// keyRotation gives applications new keys before the old ones end.
func keyRotation(sc *scene, allow *AllowList) {
	st := sc.st
	p, app := st.account(&sc.r, "svc-keyrotation"), sc.thing("Orders API")
	allow.Users = append(allow.Users, p.upn)
	for at := st.start + sc.span(0, 3*dayMS); at < st.end; at += 7 * dayMS {
		sc.at = at
		sc.do(inDirectory("Add service principal credentials."), p, st.atOffice(p), &stageAgents[agentGo], aboutThing("ServicePrincipal", app), changing(
			change{"KeyDescription", "[\r\n  \"[KeyIdentifier=" + newGUID(sc.r.next()).String() + ",KeyType=AsymmetricX509Cert,KeyUsage=Verify,DisplayName=CN=orders]\"\r\n]", "[]"}))
	}
}

// codesAtWork are device codes on managed machines in the office.
func codesAtWork(sc *scene, _ *AllowList) {
	st := sc.st
	for range 4 {
		p := st.member()
		sc.at = sc.part(5, 95)
		sc.do(tokenFor(appAzure), p, st.atOffice(p), usual(p), func(d *draft) { d.plant.protocol = "deviceCode" })
	}
}

// brochures are a few files for anyone, in one go.
func brochures(sc *scene, _ *AllowList) {
	st := sc.st
	for range 3 {
		p := st.member()
		sc.at = sc.part(5, 95)
		for range sc.count(4, 8) {
			sc.do(onSite("AnonymousLinkCreated"), p, st.atOffice(p), usual(p), file("Brochure "+hexText(sc.r.next(), 3), "pdf"))
			sc.wait(10*secondMS, 50*secondMS)
		}
	}
}
