package simulator

// Stories about mailboxes.

var mailboxPlots = []plot{
	{"invoice-fraud", "A rule hides the answers while invoices are forged", 8 * hourMS, invoiceFraud},
	{"forwarding", "Several mailboxes copy their mail to one address outside", 20 * hourMS, forwarding},
	{"other-mailboxes", "Mailboxes of others are opened with rights that were just given", 20 * hourMS, otherMailboxes},
}

func invoiceFraud(sc *scene) {
	v, with := sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	all := []string{sc.do(signIn(appExchange), v, from, with)}
	for range sc.count(4, 9) {
		sc.wait(20*secondMS, 6*minuteMS)
		all = append(all, sc.do(inMailbox("MailItemsAccessed"), v, from, with, folders("Bind", sc.r.pick([]string{`\Inbox`, `\Sent Items`}))))
	}
	sc.wait(minuteMS, 30*minuteMS)
	name := sc.r.pick([]string{".", "..", "a", "RSS", "_"})
	rule := []pair{{"Name", name}, {"SubjectOrBodyContainsWords", sc.r.pick([]string{"invoice;phishing;suspicious", "hijacked;helpdesk;payment", "suspicious;fraud;IBAN"})}, {"StopProcessingRules", "True"}}
	if sc.r.oneIn(2) {
		rule = append(rule, pair{"DeleteMessage", "True"})
	} else {
		rule = append(rule, pair{"MarkAsRead", "True"}, pair{"MoveToFolder", sc.r.pick([]string{"RSS Subscriptions", "Conversation History", "Archive"})})
	}
	made := []string{sc.do(cmdlet("New-InboxRule"), v, from, with, withParams(v.upn+`\`+name, rule...))}
	sc.wait(2*minuteMS, hourMS)
	made = append(made, sc.do(cmdlet("Set-InboxRule"), v, from, with, withParams(v.upn+`\`+name, append([]pair{{"Identity", name}}, rule...)...)))
	sent := sc.count(2, 6)
	for range sent {
		sc.wait(minuteMS, 20*minuteMS)
		all = append(all, sc.do(inMailbox("Send"), v, from, with, file("Invoice corrected", "pdf")))
	}
	sc.tell("%s's mailbox was used from %s in %s: the rule %q hides answers, and %d mails went out.", v.upn, from.ip, from.place.country, name, sent)
	sc.cite("inbox-rule-hiding", list(v), made...)
	sc.cite("first-country-for-user", list(v), append(all, made...)...)
}

func forwarding(sc *scene) {
	a := sc.st.admin()
	target := sc.r.pick([]string{"records.copy", "mail.archive", "c.ledger"}) + "@" + sc.r.pick([]string{"post-store.example", "letterdrop.example"})
	from := sc.st.abroad(a)
	var ids []string
	people := list(a)
	for i := range sc.count(3, 5) {
		v := sc.st.lead()
		people = append(people, v)
		if i == 1 { // by the administrator whose session they have, for one who never notices
			ids = append(ids, sc.do(cmdlet("Set-Mailbox"), a, from, usual(a), about(v), withParams(v.upn, pair{"Identity", v.upn}, pair{"ForwardingSmtpAddress", "smtp:" + target}, pair{"DeliverToMailboxAndForward", "True"})))
		} else {
			how := sc.r.pick([]string{"ForwardTo", "RedirectTo", "ForwardAsAttachmentTo"})
			ids = append(ids, sc.do(cmdlet("New-InboxRule"), v, from, usual(v), withParams(v.upn+`\Copy`, pair{"Name", "Copy"}, pair{how, target}, pair{"AlwaysDeleteOutlookRulesBlob", "False"})))
		}
		sc.wait(10*minuteMS, 3*hourMS)
	}
	ids = append(ids, sc.do(cmdlet("New-TransportRule"), a, from, usual(a), withParams("Journal", pair{"Name", "Journal"}, pair{"SubjectOrBodyContainsWords", "contract"}, pair{"BlindCopyTo", target})))
	sc.tell("%d mailboxes and a transport rule were made to copy mail to %s, from %s.", len(people)-1, target, from.ip)
	sc.cite("external-forwarding", people, ids...)
}

func otherMailboxes(sc *scene) {
	a, v, with := sc.st.admin(), sc.st.lead(), sc.strange()
	from := sc.st.abroad(v)
	var ids []string
	owners := sc.count(3, 6)
	for range owners {
		owner := sc.st.member()
		sc.do(cmdlet("Add-MailboxPermission"), a, from, with, about(owner), withParams(owner.upn, pair{"Identity", owner.upn}, pair{"User", v.upn}, pair{"AccessRights", "FullAccess"}, pair{"AutoMapping", "False"}))
		sc.wait(minuteMS, 20*minuteMS)
		paths := append([]string(nil), mailFolders...)
		shuffle(&sc.r, paths)
		n := sc.count(6, len(paths))
		ids = append(ids, sc.do(inMailbox("MailItemsAccessed"), v, from, with, mailboxOf(owner), folders("Sync", paths[:n]...)))
		for _, path := range paths[:n] {
			sc.wait(20*secondMS, 5*minuteMS)
			ids = append(ids, sc.do(inMailbox("MailItemsAccessed"), v, from, with, mailboxOf(owner), folders("Bind", path)))
		}
		sc.wait(10*minuteMS, 80*minuteMS)
	}
	sc.tell("%s, with rights that %s's session had given, read the mailboxes of %d others from %s.", v.upn, a.upn, owners, from.ip)
	sc.cite("mailbox-of-others", list(v), ids...)
}
