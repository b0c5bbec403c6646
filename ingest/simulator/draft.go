package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// draft is all that one record is about, drawn before any of it is written.
type draft struct {
	e    entry
	hour int64
	g    *generator
	act  *action
	app  *app
	who  *person
	net  network
	tool *agent
	r    rng // what the body still draws
	key  uint64

	id     string
	record guid // Id of the upstream record
	odd    oddity
	bad    uint64 // which kind of unusable row; 0 is a good one
	broken uint64 // which kind of broken text; 0 is none
	huge   bool

	file   document
	other  *person // whom it is about: receiver, target, member
	object string  // what description and target_object name
	plant  *planted
	result string // activityResult.message
}

// network is where a record says its actor was.
type network struct {
	ip       string
	place    *place
	category int
	value    string // categoryValue
	isp      string
	carrier  string
	tags     []string
	proxy    bool
}

// draft draws all of a record.
func (g *generator) draft(d *draft, s spot) {
	g.sketch(d, s)
	d.id = d.makeID()
	d.other = &g.co.people[d.r.n(len(g.co.people))]
	d.file.draw(d)
	d.result = d.outcome()
	d.setObject()
	d.huge = mix(d.key+78)>>32 < g.huge
	if flags := mix(d.key + 79); flags>>32 < g.broken {
		d.broken = 1 + flags%brokenKinds
	}
}

// sketch draws who did what, where and with what: enough for most filters, and
// several times cheaper than the whole.
func (g *generator) sketch(d *draft, s spot) {
	e := *s.e
	d.g, d.e, d.hour = g, e, s.b.hour
	d.act = &actions[e.act]
	d.app = &apps[d.act.appAt]
	d.key = derive(g.seed, streamID, uint64(s.b.hour), uint64(e.n))
	d.r = g.source(streamBody, s.b.hour, e.n)

	// Bursts are the work of one person.
	from := g.source(streamBody, s.b.hour, e.n|1<<31)
	if _, ok := g.burst(s.b, e.n); ok {
		from = g.source(streamGroup, s.b.hour, e.n/groupSize|1<<31)
	}
	who := g.co.worker(&from, s.b.hour)
	if d.act.admin && !d.r.percent(3) {
		who = g.co.admins[who%len(g.co.admins)]
	}
	d.who = &g.co.people[who]
	d.place(who)
	d.chooseTool()
	d.record = newGUID(d.key)
	d.odd = drawOddity(&d.r)
	if flags := mix(d.key + 77); flags>>32 < g.bad {
		d.bad = 1 + flags%badKinds
	}
}

// place decides the network from the person and the day, so that one person is
// mostly found behind one address.
func (d *draft) place(who int) {
	p := d.who
	home := &d.g.co.places[p.place]
	day := rng{derive(d.g.seed, streamTrip, uint64(who), uint64(d.hour/24))}
	atHome, away := day.percent(30), day.oneIn(70)
	if away {
		home = &d.g.co.places[p.travels]
	}
	d.net = network{place: home, isp: home.isp, carrier: home.carrier, value: "NONE"}
	switch k := d.r.n(1000); {
	case d.act.failed && k < 300:
		d.stranger(k)
	case k < 3:
		d.net.ip = "192.0.2." + strconv.Itoa(200+d.r.n(40))
		d.net.category, d.net.value, d.net.proxy = 3, "RISKY", true
		d.net.isp, d.net.carrier = "Onion Transit", "onion transit"
		d.net.tags = []string{tagProxy, tagTor}
		d.net.place = &d.g.co.places[d.r.n(len(d.g.co.places))]
	case k < 18:
		d.net.ip = "198.51.100." + strconv.Itoa(8+d.r.n(8))
		d.net.category, d.net.value = 5, "CLOUD_PROXY_NETWORK_IP"
		d.net.isp, d.net.carrier = "Zscaler", "zscaler%2C inc."
		d.net.tags = []string{tagZscaler}
	case k < 120:
		d.net.ip = p.mobileIP
		d.net.isp = "Mobile " + home.country
		d.net.carrier = strings.ToLower(d.net.isp)
	case away:
		d.net.ip = fmt.Sprintf("198.18.200.%d", p.travels*10+who%10)
	case atHome || p.guest:
		d.net.ip = p.homeIP
	default:
		d.net.ip = p.officeIP
		d.net.category, d.net.value = 1, "CORPORATE"
	}
}

// stranger is the source of a failed sign-in that is not the user's own.
func (d *draft) stranger(k int) {
	d.net.place = &d.g.co.places[d.r.n(len(d.g.co.places))]
	d.net.ip = "192.0.2." + strconv.Itoa(16+k%64)
	d.net.isp, d.net.carrier = "Hosting Four", "hosting four b.v."
	if k < 60 {
		d.net.category, d.net.value = 5, "CLOUD_PROXY_NETWORK_IP"
		d.net.isp, d.net.carrier = "Amazon Web Services", "amazon.com%2C inc"
		d.net.tags = []string{tagAWS}
	}
}

func (d *draft) chooseTool() {
	at := d.who.desktop
	k := d.r.n(100)
	switch {
	case d.net.ip == d.who.mobileIP:
		at = d.who.phone
	case d.net.proxy:
		at = agentTor
	case d.act.failed && d.net.ip != d.who.officeIP && k < 40:
		at = agentScript
	case d.act.feed == feedFile && strings.HasPrefix(d.act.op, "FileSync"):
		at = agentSync
	case d.act.op == "FilePreviewed" && k < 50:
		at = agentThumb
	case d.act.feed == feedMail && k < 70:
		at = agentOffice
	}
	d.tool = &agents[at]
}

// outcome is the text of a sign-in's result.
func (d *draft) outcome() string {
	if d.act.feed != feedSignIn || !d.act.failed {
		return ""
	}
	return failures[d.r.n(len(failures))].text
}

type failure struct {
	code int64
	text string
}

// failures are sign-in errors by their public numbers, told in our words.
var failures = []failure{
	{50126, "The user name or the password is wrong."},
	{50126, "The user name or the password is wrong."},
	{50053, "The account is locked after too many attempts."},
	{50074, "Strong authentication is required."},
	{500121, "Authentication failed during the strong authentication request."},
	{53003, "Access has been blocked by Conditional Access policies."},
	{50055, "The password has expired."},
	{65001, "The user has not consented to use the application."},
	{16000, "General failure"},
}

// makeID gives the record its _id, in the shapes that have been seen.
func (d *draft) makeID() string {
	dst := make([]byte, 0, 80)
	switch mix(d.key+1) % 600 {
	case 0: // spring 2017
		return string(appendBase64(dst, d.key, 20))
	case 1: // 2017 to 2019
		dst = append(strconv.AppendInt(dst, d.e.ts+int64(d.key%23_000), 10), '_')
		return string(d.record.appendTo(dst))
	case 2: // old examples of the documents
		return string(appendHex(dst, d.key, 24))
	}
	f := d.act.feed
	if f == feedConnector && d.act.in == onlyNative {
		f = feedGoogle // the connectors of 2026 name their app
	}
	switch f {
	case feedGoogle:
		dst = append(appendHex(dst, d.key, 64), '_')
		return string(strconv.AppendInt(dst, d.app.id, 10))
	case feedIdentity:
		dst = append(d.record.appendTo(dst), '_')
		dst = append(strconv.AppendUint(dst, 100_000_000+d.key%10_000_000, 10), '_')
		dst = append(strconv.AppendInt(dst, d.e.ts, 10), '_')
		return string(strconv.AppendInt(dst, d.app.id, 10))
	case feedSignIn, feedAzure, feedSession, feedConnector, feedPortal:
		return string(appendHex(dst, d.key, 64))
	default:
		dst = append(strconv.AppendInt(dst, d.g.opt.TenantID, 10), '_')
		dst = append(strconv.AppendInt(dst, d.app.id, 10), '_')
		return string(d.record.appendTo(dst))
	}
}

// document is the file, item or resource a record is about.
type document struct {
	name, ext string
	folder    string
	site      string // site name
	siteURL   string
	url       string
	id        string
	list, web string
	sizeBytes int64
}

var (
	fileStems   = strings.Fields("Budget Forecast Minutes Offer Contract Invoice Roadmap Handover Payroll Review Plan Report Checklist Survey Draft Summary Agenda Estimate Inventory Timesheet Onboarding Audit Briefing Concept")
	fileSuffix  = strings.Fields("2024 2025 2026 Q1 Q2 Q3 Q4 v2 v3 final FINAL signed internal confidential Nord Süd EMEA APAC copy")
	fileExts    = strings.Fields("docx xlsx pptx pdf docx xlsx txt png jpg csv zip one msg mp4")
	folderNames = strings.Fields("General Archive 2025 2026 Shared Clients Drafts Templates Meetings Exports Photos")
)

func (f *document) draw(d *draft) {
	r := &d.r
	// A site has some hundreds of documents, so that the same one is met again.
	site := d.g.co.sites[r.n(len(d.g.co.sites))]
	pick := derive(d.g.seed, 60, uint64(min(r.n(400), r.n(400))))
	if d.act.app == 15600 {
		pick = derive(d.g.seed, 61, uint64(min(r.n(90), r.n(90))), uint64(len(d.who.upn)), uint64(d.who.upn[0]))
	}
	k := rng{pick}
	f.ext = k.pick(fileExts)
	f.name = k.pick(fileStems) + " " + k.pick(fileSuffix) + "." + f.ext
	f.folder = "Shared Documents/" + k.pick(folderNames)
	f.site = site
	f.siteURL = "https://contoso.sharepoint.example/sites/" + site + "/"
	if d.act.app == 15600 {
		f.site = "OneDrive"
		f.folder = "Documents/" + k.pick(folderNames)
		f.siteURL = "https://contoso-my.sharepoint.example/personal/" + strings.NewReplacer("@", "_", ".", "_", "#", "_").Replace(d.who.upn) + "/"
	}
	f.url = f.siteURL + f.folder + "/" + f.name
	f.id = newGUID(k.next() + uint64(len(f.siteURL))).String()
	f.list = newGUID(k.next()).String()
	f.web = newGUID(derive(d.g.seed, 62, uint64(len(site)), uint64(site[0]))).String()
	f.sizeBytes = int64(2_000 + k.n(4_000_000))
}
