package simulator

import (
	"fmt"
	"strconv"
	"strings"
)

// company is who works at the tenant, where, and on what: made once per seed,
// so that the same person keeps address, city and machine through the months.
type company struct {
	tenantID int64
	aad      guid
	domain   string
	people   []person
	byWeight alias // people, by how busy they are
	admins   []int
	places   []place
	sites    []string
}

type person struct {
	upn, name  string
	mailLocal  string
	objectID   string
	puid, sid  string
	mailbox    string
	link       int64
	tag        string // JSON array of group ids
	tagList    []string
	guest      bool
	department string
	place      int // where home and office are
	travels    int // where this person is found on journeys

	officeIP, homeIP, mobileIP string
	desktop, phone             int // positions in agents
	machineID                  string
	timeZone                   string
}

// place is a town with its office network.
type place struct {
	country, city, region, regionCode, postal string
	lat, lon                                  string
	isp, carrier                              string
	offset                                    int // hours east of UTC; summer time is left out
	zone                                      string
	people                                    uint64 // weight
}

var towns = []place{
	{"DE", "Hamburg", "Hamburg", "HH", "20095", "53.5511", "9.9937", "Nordlicht Telekom", "nordlicht telekom gmbh", 1, "Europe/Berlin", 14},
	{"DE", "Munich", "Bavaria", "BY", "80331", "48.1374", "11.5755", "Isarnetz", "isarnetz ag", 1, "Europe/Berlin", 9},
	{"GB", "Manchester", "England", "ENG", "M1 1AE", "53.4808", "-2.2426", "Pennine Broadband", "pennine broadband ltd", 0, "Europe/London", 11},
	{"GB", "London", "England", "ENG", "EC1A 1BB", "51.5074", "-0.1278", "Thames Fibre", "thames fibre ltd", 0, "Europe/London", 10},
	{"FR", "Lyon", "Auvergne-Rhône-Alpes", "ARA", "69001", "45.764", "4.8357", "Rhône Réseaux", "rhone reseaux sa", 1, "Europe/Paris", 7},
	{"NL", "Utrecht", "Utrecht", "UT", "3511", "52.0907", "5.1214", "Oudegracht Internet", "oudegracht internet b.v.", 1, "Europe/Amsterdam", 6},
	{"PL", "Kraków", "Małopolskie", "MA", "30-001", "50.0647", "19.945", "Wawel Net", "wawel net sp. z o.o.", 1, "Europe/Warsaw", 6},
	{"US", "Columbus", "Ohio", "OH", "43004", "39.9612", "-82.9988", "Buckeye Cable", "buckeye cable%2C inc", -5, "America/New_York", 12},
	{"US", "Seattle", "Washington", "WA", "98101", "47.6062", "-122.3321", "Rainier Communications", "rainier communications%2C llc", -8, "America/Los_Angeles", 9},
	{"US", "Austin", "Texas", "TX", "73301", "30.2672", "-97.7431", "Lone Star Fiber", "lone star fiber%2C inc", -6, "America/Chicago", 7},
	{"BR", "Curitiba", "Paraná", "PR", "80010", "-25.4284", "-49.2733", "Araucária Telecom", "araucaria telecom ltda", -3, "America/Sao_Paulo", 4},
	{"IN", "Pune", "Maharashtra", "MH", "411001", "18.5204", "73.8567", "Deccan Broadband", "deccan broadband pvt ltd", 5, "Asia/Kolkata", 9},
	{"JP", "Nagoya", "Aichi", "23", "450-0001", "35.1815", "136.9066", "Chubu Hikari", "chubu hikari k.k.", 9, "Asia/Tokyo", 4},
	{"AU", "Brisbane", "Queensland", "QLD", "4000", "-27.4698", "153.0251", "Moreton Networks", "moreton networks pty ltd", 10, "Australia/Brisbane", 3},
	{"ZA", "Durban", "KwaZulu-Natal", "NL", "4001", "-29.8587", "31.0218", "Umgeni Online", "umgeni online (pty) ltd", 2, "Africa/Johannesburg", 2},
	{"CA", "Halifax", "Nova Scotia", "NS", "B3H", "44.6488", "-63.5752", "Citadel Link", "citadel link inc", -4, "America/Halifax", 3},
	{"SE", "Uppsala", "Uppsala", "C", "753 10", "59.8586", "17.6389", "Fyris Bredband", "fyris bredband ab", 1, "Europe/Stockholm", 2},
	{"SG", "Singapore", "", "", "", "1.2897", "103.8501", "Merlion Data", "merlion data pte. ltd.", 8, "Asia/Singapore", 3},
}

var (
	firstNames  = strings.Fields("Ada Amara Anders Anja Bahar Bastian Beatriz Ben Carla Chidi Clara Dario Deepa Diego Elif Emil Erin Farid Freya Gita Greta Hana Harald Ines Ivan Jana Jonas Kaito Karin Lars Leila Lina Luca Maja Malik Marta Mei Mila Nadia Nils Noor Olga Omar Paula Pavel Priya Quentin Rana Rico Rosa Samir Sana Silke Sven Tara Tomas Uma Vera Viktor Wanda Yara Yusuf Zoe")
	lastNames   = strings.Fields("Abel Adler Akman Almeida Anand Arden Baptiste Becker Bianchi Borg Brandt Castro Chandra Cole Dahl Delgado Dietz Eriksen Falk Farrow Ferreira Fink Garner Grau Haddad Hale Hartmann Ibarra Ito Jansen Kaya Keller Khan Kowal Krause Lang Larsen Lindqvist Lopes Marek Mensah Moreau Nakano Novak Okafor Olsen Osei Pereira Petrov Quist Rahman Richter Rossi Sato Schaefer Silva Sommer Tanaka Thorne Uhl Vance Vogel Weiss Winter Yilmaz Zeller")
	departments = []string{"Finance", "Sales", "Engineering", "Legal", "People", "Support", "Operations", "Research", "IT"}
	siteNames   = strings.Fields("Finance Sales-EMEA Sales-Americas Engineering Legal People-Team Support-Desk Operations Research Project-Heron Project-Kestrel Project-Osprey Board Procurement Brand Quality Facilities Works-Council Data-Office Field-Service")
)

const (
	peopleCount = 600
	// extUsersTag is MDCA's built-in group of external users.
	extUsersTag = "000000200000000000000000"
)

func newCompany(seed uint64, tenantID int64) *company {
	c := &company{
		tenantID: tenantID,
		aad:      newGUID(derive(seed, 1)),
		domain:   "contoso.example",
		places:   towns,
		sites:    siteNames,
	}
	r := rng{derive(seed, 2)}
	weights := make([]uint64, len(c.places))
	for i, p := range c.places {
		weights[i] = p.people
	}
	byPeople := newAlias(weights)
	taken := map[string]int{}
	busy := make([]uint64, peopleCount)
	for i := range peopleCount {
		c.people = append(c.people, c.newPerson(i, &r, byPeople.draw(&r), taken))
		busy[i] = 1_000_000 / uint64(i+6) // Zipf: the busiest of 600 makes one record in 27
		if c.people[i].department == "IT" && !c.people[i].guest && len(c.admins) < 24 {
			c.admins = append(c.admins, i)
		}
	}
	if len(c.admins) == 0 {
		c.admins = []int{0}
	}
	c.byWeight = newAlias(busy)
	return c
}

func (c *company) newPerson(i int, r *rng, at int, taken map[string]int) person {
	first, last := r.pick(firstNames), r.pick(lastNames)
	local := strings.ToLower(first + "." + last)
	taken[local]++
	if n := taken[local]; n > 1 {
		local += strconv.Itoa(n)
	}
	p := person{
		name:       first + " " + last,
		mailLocal:  local,
		upn:        local + "@contoso.example",
		objectID:   newGUID(r.next()).String(),
		puid:       strings.ToUpper(hexText(r.next(), 15)) + "A",
		sid:        fmt.Sprintf("S-1-5-21-%d-%d-%d-%d", r.n(1<<31), r.n(1<<31), r.n(1<<31), 1000+i),
		mailbox:    newGUID(r.next()).String(),
		link:       int64(int32(r.next())),
		department: departments[r.n(len(departments))],
		place:      at,
		travels:    r.n(len(c.places)),
		officeIP:   fmt.Sprintf("203.0.113.%d", 10+at*3+r.n(3)),
		homeIP:     fmt.Sprintf("198.18.%d.%d", i>>8, i&255),
		mobileIP:   fmt.Sprintf("198.19.%d.%d", i>>8, i&255),
		desktop:    r.n(desktopAgents),
		phone:      desktopAgents + r.n(phoneAgents),
		machineID:  newGUID(r.next()).String(),
		timeZone:   c.places[at].zone,
	}
	switch {
	case i > 20 && r.oneIn(7): // a guest of another company
		p.guest = true
		p.upn = local + "_fabrikam.example#ext#@contoso.example"
		p.tagList = []string{extUsersTag}
	case r.oneIn(6): // the company that was bought last year
		p.upn = local + "@fabrikam.example"
	}
	if !p.guest {
		p.tagList = append(p.tagList, hexText(derive(7, uint64(len(p.department)), uint64(p.department[0])), 24))
		if r.oneIn(4) {
			p.tagList = append(p.tagList, hexText(derive(8, uint64(r.n(5))), 24))
		}
	}
	if r.oneIn(9) { // a home with IPv6
		p.homeIP = fmt.Sprintf("2001:db8:%x:%x::%x", 0x1000+at, i, 1+r.n(0xfffe))
	}
	var o out
	o.b = append(o.b, '[')
	for _, t := range p.tagList {
		o.elemStr(t)
	}
	o.stop()
	o.trim()
	p.tag = string(o.b)
	return p
}

// busyness is how much of its people's work a place does in an hour of UTC, 1 to 100.
func (p *place) busyness(hour int64) uint64 {
	local := hour + int64(p.offset)
	day, of := local/24, local%24
	w := dayShape[of]
	if weekday := (day + 4) % 7; weekday == 0 || weekday == 6 { // 1970-01-01 was a Thursday
		w = 1 + w/9
	}
	return w
}

// dayShape is the load of a working day by local hour.
var dayShape = [24]uint64{2, 1, 1, 1, 2, 4, 12, 34, 72, 96, 100, 92, 68, 80, 96, 94, 84, 62, 36, 22, 16, 12, 8, 4}

// load is how much the whole company does in an hour of UTC.
func (c *company) load(hour int64) uint64 {
	var sum uint64
	for i := range c.places {
		sum += c.places[i].people * c.places[i].busyness(hour)
	}
	return sum
}

// worker draws who did something in an hour: the busy rather than the idle,
// and those who are at work rather than those asleep.
func (c *company) worker(r *rng, hour int64) int {
	for range 4 {
		i := c.byWeight.draw(r)
		if uint64(r.n(100)) < c.places[c.people[i].place].busyness(hour) {
			return i
		}
	}
	return c.byWeight.draw(r)
}
