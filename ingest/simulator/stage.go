package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// The stage is where stories and noise are played: it gives out people, places
// and addresses, each to one story only, and writes records with the generator's
// own pen. Every story is written each time, wanted or not, so that a story has
// the same bytes alone and among the others.

const (
	secondMS = 1_000
	minuteMS = 60_000
	dayMS    = 24 * hourMS
)

// Ranks in company.people, who are ordered by how busy they are. The leading
// parts go to the busy, whose past is long enough to tell what is new for them;
// those who are only one of many come from behind.
const (
	firstLead, endLead   = 6, 96
	firstCrowd, endCrowd = 96, 420
)

type stage struct {
	g           *generator
	start, end  int64 // the span, ms
	from, until int64 // where stories lie, ms
	leads       []int
	crowd       []int
	admins      []int
	far, rare   []place
	hosts, bad  []int // last bytes of addresses
	names       map[string]int
	extras      int
}

func newStage(g *generator) *stage {
	st := &stage{
		g:     g,
		start: g.opt.Start.UnixMilli(), end: g.opt.End.UnixMilli(),
		from: g.opt.StoriesFrom.UnixMilli(), until: g.opt.StoriesUntil.UnixMilli(),
		names: map[string]int{},
	}
	r := rng{derive(g.seed, streamCast)}
	admin := map[int]bool{}
	for _, i := range g.co.admins {
		admin[i] = true
		st.admins = append(st.admins, i)
	}
	for i := range g.co.people {
		p := &g.co.people[i]
		st.names[strings.TrimRight(p.mailLocal, "0123456789")]++
		switch {
		case p.guest || admin[i]:
		case i >= firstLead && i < endLead:
			st.leads = append(st.leads, i)
		case i >= firstCrowd && i < endCrowd:
			st.crowd = append(st.crowd, i)
		}
	}
	st.far = append(st.far, farPlaces...)
	st.rare = append(st.rare, rarePlaces...)
	for i := 40; i < 250; i++ {
		st.hosts = append(st.hosts, i)
	}
	for i := 100; i < 190; i++ {
		st.bad = append(st.bad, i)
	}
	shuffle(&r, st.leads)
	shuffle(&r, st.crowd)
	shuffle(&r, st.admins)
	shuffle(&r, st.far)
	shuffle(&r, st.rare)
	shuffle(&r, st.hosts)
	shuffle(&r, st.bad)
	return st
}

func shuffle[T any](r *rng, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := r.n(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

// take gives out the first of a list.
func take[T any](list *[]T) T {
	v := (*list)[0]
	*list = (*list)[1:]
	return v
}

// lead is a busy person who has no part yet; member is one of the many.
func (st *stage) lead() *person   { return &st.g.co.people[take(&st.leads)] }
func (st *stage) member() *person { return &st.g.co.people[take(&st.crowd)] }

// admin is one of the administrators. A company with few has busy people in
// their place.
func (st *stage) admin() *person {
	if len(st.admins) == 0 {
		return st.lead()
	}
	return &st.g.co.people[take(&st.admins)]
}

// extra is somebody beside the company's people, for whom nothing is generated.
func (st *stage) extra(r *rng) *person {
	i := peopleCount + st.extras
	st.extras++
	p := st.g.co.newPerson(i, r, r.n(len(towns)), st.names)
	p.guest, p.upn = false, p.mailLocal+"@contoso.example"
	p.officeIP = fmt.Sprintf("203.0.113.%d", 10+p.place*3)
	p.homeIP = fmt.Sprintf("198.18.%d.%d", i>>8, i&255)
	p.tagList = []string{hexText(derive(7, uint64(len(p.department)), uint64(p.department[0])), 24)}
	p.tag = `["` + p.tagList[0] + `"]`
	return &p
}

// outsider is a guest whom nobody knew.
func (st *stage) outsider(r *rng) *person {
	p := st.extra(r)
	p.guest, p.upn = true, p.mailLocal+"_tailspin.example#ext#@contoso.example"
	p.tagList, p.tag = []string{extUsersTag}, `["`+extUsersTag+`"]`
	return p
}

// account is an account of no person, such as a service's.
func (st *stage) account(r *rng, local string) *person {
	p := st.extra(r)
	p.name, p.mailLocal, p.upn = local, local, local+"@contoso.example"
	return p
}

// degrees is roughly how far two places are from each other, in degrees of a
// great circle; whole numbers, so that every machine finds the same.
func degrees(a, b *place) int {
	part := func(text string) int {
		whole, _, _ := strings.Cut(text, ".")
		n, err := strconv.Atoi(whole)
		if err != nil {
			return 0 // cannot be: the tables are ours
		}
		return n
	}
	apart := func(x, y string) int {
		d := part(x) - part(y)
		return max(d, -d)
	}
	lat, lon := apart(a.lat, b.lat), apart(a.lon, b.lon)
	return max(lat, min(lon, 360-lon))
}

// nowhereNear is a country that none of the company works in, at least 35
// degrees from a person's home. Each is given out again last.
func (st *stage) nowhereNear(p *person) *place {
	for i := range st.far {
		if degrees(&st.far[i], &st.g.co.places[p.place]) >= 35 {
			found := st.far[i]
			st.far = append(append(st.far[:i:i], st.far[i+1:]...), found)
			return &found
		}
	}
	return &st.far[0] // cannot be: the table spans the globe
}

// hosted is an address in a rented machine at a place.
func (st *stage) hosted(at *place) network {
	return network{ip: "198.51.100." + strconv.Itoa(take(&st.hosts)), place: at, value: "NONE", isp: "Kestrel Hosting", carrier: "kestrel hosting ltd"}
}

// abroad is a rented machine far from a person.
func (st *stage) abroad(p *person) network { return st.hosted(st.nowhereNear(p)) }

// atHome, atOffice and onPhone are where the generator finds a person.
func (st *stage) atHome(p *person) network {
	at := &st.g.co.places[p.place]
	return network{ip: p.homeIP, place: at, value: "NONE", isp: at.isp, carrier: at.carrier}
}

func (st *stage) atOffice(p *person) network {
	n := st.atHome(p)
	n.ip, n.category, n.value = p.officeIP, 1, "CORPORATE"
	return n
}

func (st *stage) onPhone(p *person) network {
	n := st.atHome(p)
	n.ip, n.isp = p.mobileIP, "Mobile "+n.place.country
	n.carrier = strings.ToLower(n.isp)
	return n
}

// scene is one story, or one part of the noise, while it is written.
type scene struct {
	st    *stage
	no    uint64 // which story: its draws are its own
	n     uint64 // records so far
	r     rng
	at    int64 // when the next thing happens, ms
	noise bool  // it has no story, and nothing outside the span
	story Story
	out   []staticRecord
}

func (st *stage) scene(no uint64) *scene {
	return &scene{st: st, no: no, r: rng{derive(st.g.seed, streamStory, no)}}
}

// span draws a time between two.
func (sc *scene) span(lo, hi int64) int64 { return lo + int64(sc.r.n(int(hi-lo+1))) }

// count draws a number between two, both included.
func (sc *scene) count(lo, hi int) int { return lo + sc.r.n(hi-lo+1) }

// wait lets time pass.
func (sc *scene) wait(lo, hi int64) { sc.at += sc.span(lo, hi) }

// do writes one record and returns its _id.
func (sc *scene) do(what doing, who *person, from network, with *agent, more ...func(*draft)) string {
	key := derive(sc.st.g.seed, streamStory, sc.no, sc.n)
	sc.n++
	act := what.action()
	d := draft{
		g: sc.st.g, act: act, app: &apps[act.appAt], who: who, net: from, tool: with, other: who,
		r: rng{derive(key, 1)}, key: derive(key, 2), hour: floorHour(sc.at), plant: &planted{},
	}
	d.e = entry{ts: sc.at, act: actStatic}
	if act.feed.whole() {
		d.e.ts -= d.e.ts % 1000
	}
	d.e.created = sc.at + 60_000 + int64(d.r.n(300_000))
	d.record = newGUID(d.key)
	d.file.draw(&d)
	if act.feed == feedDirectory {
		d.plant.changed = plainChanges(act.op)
	}
	for _, f := range more {
		f(&d)
	}
	d.id = d.makeID()
	if act.feed == feedSignIn && act.failed {
		d.result = failureText(d.plant.code)
	}
	d.setObject()
	if d.plant.kind != "" {
		d.object = d.other.name
	}
	if sc.noise && (d.e.ts < sc.st.start || d.e.ts >= sc.st.end) {
		return d.id
	}
	sc.note(&d)
	id, ts, created, app := d.id, d.e.ts, d.e.created, d.app.id
	sc.out = append(sc.out, newStatic(d.append(nil), row{id: &id, timestamp: &ts, created: &created, appID: &app}))
	return d.id
}
