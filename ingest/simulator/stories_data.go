package simulator

import "strings"

// Stories about files, teams and exports.

var dataPlots = []plot{
	{"ransomware", "Files are replaced by locked ones", 2 * hourMS, ransomware},
	{"team-wipe", "Teams are deleted one after another", 2 * hourMS, teamWipe},
	{"open-links", "Sensitive files are opened to anyone with the link", 3 * hourMS, openLinks},
	{"mailbox-export", "A mailbox is exported as a file", 4 * hourMS, mailboxExport},
}

func ransomware(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	ext := sc.r.pick([]string{"locked", "crypt", "encrypted", "lockbit"})
	site := sc.r.pick(siteNames)
	sc.do(signIn(appSharePoint), v, from, with)
	begin := sc.at
	var ids []string
	n := sc.count(430, 560)
	for range n {
		name := sc.r.pick(fileStems) + " " + hexText(sc.r.next(), 5)
		old := sc.r.pick(strings.Fields("docx xlsx pdf pptx jpg"))
		sc.wait(1400, 4200) // all of it takes more than four whole bins of five minutes
		ids = append(ids, sc.do(onSite("FileUploaded"), v, from, with, inSite(site), file(name+"."+old, ext)))
		ids = append(ids, sc.do(onSite("FileDeleted"), v, from, with, inSite(site), file(name, old)))
	}
	took := sc.at - begin
	sc.tell("%s's session, from %s, replaced %d files of the site %s by .%s files within %d minutes.", v.upn, from.ip, n, site, ext, (took+minuteMS-1)/minuteMS)
	sc.cite("mass-delete", list(v), ids...)
}

func teamWipe(sc *scene) {
	v := sc.st.lead()
	var ids []string
	sites := append([]string(nil), siteNames...)
	shuffle(&sc.r, sites)
	n := sc.count(5, 8)
	for _, site := range sites[:n] {
		ids = append(ids, sc.do(doing{app: appTeams, feed: feedTeams, op: "TeamDeleted", name: "DELETE_OBJECT"}, v, sc.st.atHome(v), usual(v), inSite(site)))
		sc.wait(8*secondMS, 35*secondMS)
	}
	sc.tell("%s deleted %d teams.", v.upn, n)
	sc.cite("mass-delete", list(v), ids...)
}

func openLinks(sc *scene) {
	v := sc.st.lead()
	home, begin := sc.st.atHome(v), sc.at
	length := sc.span(32*minuteMS, 45*minuteMS)
	outside := sc.st.outsider(&sc.r)
	var ids []string
	links := 0
	for sc.at < begin+length {
		what := file(sc.r.pick(fileStems)+" "+hexText(sc.r.next(), 4), sc.r.pick(strings.Fields("xlsx pst kdbx pem bak sql csv")))
		if sc.r.oneIn(6) {
			ids = append(ids, sc.do(onSite("SharingInvitationCreated"), v, home, usual(v), what, about(outside), func(d *draft) { d.plant.sharedType = "Guest" }))
		} else {
			links++
			ids = append(ids, sc.do(onDrive("AnonymousLinkCreated"), v, home, usual(v), what))
		}
		sc.wait(8*secondMS, 28*secondMS)
	}
	sc.tell("%s made %d anonymous links and %d invitations to a guest within %d minutes.", v.upn, links, len(ids)-links, (sc.at-begin+minuteMS-1)/minuteMS)
	sc.cite("anonymous-link-and-external-share", list(v), ids...)
}

func mailboxExport(sc *scene) {
	a, v, with := sc.st.admin(), sc.st.lead(), sc.strange()
	from := sc.st.abroad(a)
	sc.do(signIn(appExchange), a, from, with)
	sc.wait(minuteMS, 30*minuteMS)
	ids := []string{sc.do(cmdlet("New-MailboxExportRequest"), a, from, with, about(v), withParams(v.upn, pair{"Mailbox", v.upn}, pair{"FilePath", `\\files\export$\` + hexText(sc.r.next(), 6) + ".pst"}))}
	if sc.r.oneIn(2) {
		sc.wait(20*minuteMS, 90*minuteMS)
		ids = append(ids, sc.do(cmdlet("Remove-MailboxExportRequest"), a, from, with, about(v), withParams(v.upn, pair{"Identity", v.upn + `\MailboxExport`}, pair{"Confirm", "False"})))
	}
	sc.tell("%s, from %s, exported the mailbox of %s.", a.upn, from.ip, v.upn)
	sc.cite("rare-operation", list(a), ids...)
}
