package simulator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// hunts are the thirty of the specification.
var hunts = strings.Fields(`impossible-travel first-country-for-user infrequent-country-for-tenant first-user-agent-for-user
	tool-user-agent anonymous-proxy risky-ip password-spray bruteforce-then-success mfa-fatigue mfa-changed legacy-auth
	device-code-login dormant-account leaver-or-disabled-activity admin-role-granted new-admin-actor oauth-consent
	app-credential-added account-created-and-deleted guest-lifecycle federation-or-domain-change logging-or-policy-tampering
	inbox-rule-hiding external-forwarding mailbox-of-others mass-download mass-delete anonymous-link-and-external-share rare-operation`)

// staged is a simulator with all stories over some days.
func staged(t testing.TB, seed uint64, days int) *simulator.Simulator {
	t.Helper()
	return newSim(t, simulator.Options{Seed: seed, Count: 2000, Days: days, Stories: []string{simulator.StoriesAll}})
}

// byID are the visible records.
func byID(t testing.TB, s *simulator.Simulator) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for p := range s.Expected() {
		if _, twice := found[*p.ID]; twice {
			t.Fatalf("_id %s twice", *p.ID)
		}
		found[*p.ID] = p.Bytes()
	}
	return found
}

func TestEveryHuntHasAStory(t *testing.T) {
	if len(hunts) != 30 {
		t.Fatalf("%d hunts", len(hunts))
	}
	for seed := range uint64(5) {
		s := staged(t, seed, 120)
		left := map[string]bool{}
		for _, h := range hunts {
			left[h] = true
		}
		for _, st := range s.Stories() {
			if st.Skipped != "" {
				t.Errorf("seed %d: %s was skipped: %s", seed, st.Name, st.Skipped)
			}
			cited := map[string]bool{}
			for _, e := range st.Evidence {
				if len(e.IDs) == 0 || !slices.Contains(hunts, e.Hunt) {
					t.Errorf("seed %d: %s cites %d records for %q", seed, st.Name, len(e.IDs), e.Hunt)
				}
				cited[e.Hunt] = true
				delete(left, e.Hunt)
			}
			if got := slices.Sorted(maps.Keys(cited)); !slices.Equal(got, slices.Sorted(slices.Values(st.Hunts))) {
				t.Errorf("seed %d: %s names the hunts %q and has evidence for %q", seed, st.Name, st.Hunts, got)
			}
		}
		if len(left) > 0 {
			t.Errorf("seed %d: no story for %q", seed, slices.Sorted(maps.Keys(left)))
		}
	}
}

// A client that reads everything holds every record of the stories, in the form
// the truth speaks of: inside the window, with the user and the address named.
func TestEvidenceIsServed(t *testing.T) {
	for _, days := range []int{7, 120} {
		s := staged(t, 3, days)
		c := client{t: t, s: s}
		served := map[string]map[string]any{}
		got, _ := c.scan(`{}`, `,"limit":5000`, 30)
		for _, b := range got {
			o := decoded(t, b)
			served[o["_id"].(string)] = o
		}
		start, end := s.Span()
		from := end.Add(-end.Sub(start) / 3)
		for _, st := range s.Stories() {
			if st.Skipped != "" {
				if days >= 120 || st.Name != "dormant-account" || len(st.Records)+len(st.Evidence) > 0 {
					t.Errorf("%d days: %s was skipped: %s", days, st.Name, st.Skipped)
				}
				continue
			}
			if st.What == "" || st.Title == "" || !st.Until.After(st.Since) {
				t.Errorf("%d days: the truth about %s is incomplete: %+v", days, st.Name, st)
			}
			if (st.Since.Before(from) && st.Name != "dormant-account") || !st.Until.Before(end) {
				t.Errorf("%d days: %s runs from %s to %s, outside [%s, %s)", days, st.Name, st.Since, st.Until, from, end)
			}
			users := map[string]bool{}
			for _, id := range st.Records {
				o, ok := served[id]
				if !ok {
					t.Fatalf("%d days: record %s of %s is not served", days, id, st.Name)
				}
				user := object(o).text("user.userName") + object(o).text("failedUserData.userName")
				users[user] = true
				if !slices.Contains(st.Users, user) || !slices.Contains(st.IPs, object(o).text("device.clientIP")) {
					t.Errorf("%d days: %s has a record of %s at %s, which its truth does not name", days, st.Name, user, object(o).text("device.clientIP"))
				}
			}
			if len(users) != len(st.Users) {
				t.Errorf("%d days: %s names %d users and has records of %d", days, st.Name, len(st.Users), len(users))
			}
			for _, e := range st.Evidence {
				for _, id := range e.IDs {
					if !slices.Contains(st.Records, id) {
						t.Errorf("%d days: %s cites %s, which is no record of its own", days, st.Name, id)
					}
				}
			}
		}
	}
}

func TestEvidenceNamesItsUser(t *testing.T) {
	s := staged(t, 4, 120)
	records := byID(t, s)
	for _, st := range s.Stories() {
		for _, e := range st.Evidence {
			for _, user := range e.Users {
				if !slices.ContainsFunc(e.IDs, func(id string) bool { return bytes.Contains(records[id], []byte(`"`+user+`"`)) }) {
					t.Errorf("%s: no record cited for %s names %s", st.Name, e.Hunt, user)
				}
			}
			if len(e.Users) == 0 && e.Hunt != "password-spray" {
				t.Errorf("%s: %s names nobody", st.Name, e.Hunt)
			}
		}
	}
}

func TestStoriesShareNobody(t *testing.T) {
	for seed := range uint64(12) {
		of := map[string]string{}
		for _, st := range staged(t, seed, 120).Stories() {
			for _, who := range slices.Concat(st.Users, attackers(st.IPs)) {
				if other, ok := of[who]; ok {
					t.Errorf("seed %d: %s is in %s and in %s", seed, who, other, st.Name)
				}
				of[who] = st.Name
			}
		}
	}
}

// attackers leaves out the offices, which honest people share.
func attackers(ips []string) []string {
	return slices.DeleteFunc(slices.Clone(ips), func(ip string) bool { return strings.HasPrefix(ip, "203.0.113.") })
}

// The people of a story have a past, or nothing could be new for them.
func TestVictimsHaveAPast(t *testing.T) {
	s := newSim(t, simulator.Options{Seed: 5, Stories: []string{simulator.StoriesAll}})
	before := map[string]int{}
	start, end := s.Span()
	for p := range s.ExpectedBetween(start, end.Add(-end.Sub(start)/3)) {
		o := object(decoded(t, p.Bytes()))
		before[o.text("user.userName")]++
	}
	for _, st := range s.Stories() {
		for _, e := range st.Evidence {
			if e.Hunt != "first-country-for-user" && e.Hunt != "first-user-agent-for-user" && e.Hunt != "impossible-travel" {
				continue
			}
			for _, user := range e.Users {
				if before[user] < 10 {
					t.Errorf("%s: %s has %d records before the stories, want at least 10", st.Name, user, before[user])
				}
			}
		}
	}
}

func TestStoriesFollowFromTheSeed(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 500, Days: 8, Stories: []string{simulator.StoriesAll}, Noise: true}
	first, again := newSim(t, o), newSim(t, o)
	if !bytes.Equal(ndjson(t, first, time.Time{}, time.Time{}), ndjson(t, again, time.Time{}, time.Time{})) {
		t.Fatal("equal options gave other bytes")
	}
	var a, b bytes.Buffer
	for _, w := range []struct {
		s *simulator.Simulator
		b *bytes.Buffer
	}{{first, &a}, {again, &b}} {
		if err := w.s.WriteStories(w.b); err != nil {
			t.Fatal(err)
		}
		if err := w.s.WriteAllowList(w.b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("equal options gave another truth")
	}
	o.Seed, o.Noise = 4, false
	whose := func(s *simulator.Simulator) (list []string) {
		for _, st := range s.Stories() {
			list = append(list, st.What)
		}
		return list
	}
	other := whose(newSim(t, o))
	for i, what := range whose(first) {
		if what != "" && what == other[i] {
			t.Errorf("another seed has the same story: %s", what)
		}
	}
}

// One story alone has the bytes it has among the others, and the generated
// records have those they have without any.
func TestStoriesLeaveOtherBytesAlone(t *testing.T) {
	o := simulator.Options{Seed: 3, Count: 1500, Days: 30, Revisions: 0.1}
	plain := byLine(t, newSim(t, o))
	o.Stories, o.Noise = []string{simulator.StoriesAll}, true
	full := newSim(t, o)
	all := byLine(t, full)
	o.Stories, o.Noise = []string{"ransomware", "device-code"}, false
	two := newSim(t, o)
	some := byLine(t, two)
	for line := range plain {
		if !all[line] || !some[line] {
			t.Fatalf("a generated record is missing beside stories: %.300s", line)
		}
	}
	if len(two.Stories()) != 2 || len(some) != len(plain)+len(two.Stories()[0].Records)+len(two.Stories()[1].Records) {
		t.Errorf("%d records with two stories, %d without, truth %d stories", len(some), len(plain), len(two.Stories()))
	}
	for line := range some {
		if !all[line] {
			t.Errorf("a story alone has other bytes: %.300s", line)
		}
	}
}

func byLine(t testing.TB, s *simulator.Simulator) map[string]bool {
	t.Helper()
	lines := map[string]bool{}
	for line := range bytes.Lines(ndjson(t, s, time.Time{}, time.Time{})) {
		lines[string(line)] = true
	}
	return lines
}

func TestStoriesLieWhereTheyAreAskedFor(t *testing.T) {
	from := now.AddDate(0, 0, -20)
	s := newSim(t, simulator.Options{Seed: 3, Count: 500, Days: 130, Stories: []string{simulator.StoriesAll}, StoriesFrom: from, StoriesUntil: from.Add(50 * time.Hour)})
	for _, st := range s.Stories() {
		if st.Name != "dormant-account" && st.Since.Before(from) || st.Until.After(from.Add(50*time.Hour)) {
			t.Errorf("%s runs from %s to %s", st.Name, st.Since, st.Until)
		}
	}
}

func TestStoriesThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		o    simulator.Options
		want string
	}{
		"unknown":     {simulator.Options{Stories: []string{"bank-robbery"}}, `"bank-robbery" is none of those`},
		"short span":  {simulator.Options{Stories: []string{"all"}, Days: 3}, "need at least 48h"},
		"short times": {simulator.Options{Stories: []string{"all"}, StoriesFrom: now.Add(-time.Hour)}, "have 1h0m0s, and need"},
		"no span":     {simulator.Options{Noise: true, Count: -1, Start: now, End: now}, "need a span"},
		"outside":     {simulator.Options{Stories: []string{"all"}, StoriesUntil: now.Add(time.Hour)}, "within the span"},
	} {
		c.o.Clock = at(now)
		if _, err := simulator.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The truth as a file is one JSON object a line, with lists where nothing is.
func TestStoryTruthIsReadable(t *testing.T) {
	s := staged(t, 3, 30)
	var b bytes.Buffer
	if err := s.WriteStories(&b); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b.Bytes(), []byte("null")) {
		t.Error("the truth has null")
	}
	n := 0
	for line := range bytes.Lines(b.Bytes()) {
		var st simulator.Story
		if err := json.Unmarshal(line, &st); err != nil {
			t.Fatal(err)
		}
		if want := s.Stories()[n]; st.Name != want.Name || len(st.Records) != len(want.Records) || !st.Since.Equal(want.Since) {
			t.Errorf("line %d is %s", n, st.Name)
		}
		n++
	}
	if n != len(simulator.StoryNames()) {
		t.Errorf("%d lines, %d stories", n, len(simulator.StoryNames()))
	}
}

func TestNoiseIsAlike(t *testing.T) {
	quiet := newSim(t, simulator.Options{Seed: 3, Count: -1, Days: 30, Stories: []string{simulator.StoriesAll}})
	s := newSim(t, simulator.Options{Seed: 3, Count: -1, Days: 30, Stories: []string{simulator.StoriesAll}, Noise: true})
	if !empty(quiet.AllowList()) {
		t.Errorf("an allow list without noise: %+v", quiet.AllowList())
	}
	actors := map[string]bool{}
	for _, st := range s.Stories() {
		for _, id := range st.Records {
			actors[id] = true
		}
	}
	users, countries := map[string]int{}, map[string]map[string]bool{}
	start, end := s.Span()
	for p := range s.Expected() {
		if at := time.UnixMilli(*p.Timestamp); at.Before(start) || !at.Before(end) {
			t.Errorf("a record at %s, outside the span", at)
		}
		if actors[*p.ID] {
			continue
		}
		o := object(decoded(t, p.Bytes()))
		user := o.text("user.userName") + o.text("failedUserData.userName")
		users[user]++
		if countries[user] == nil {
			countries[user] = map[string]bool{}
		}
		countries[user][o.text("location.countryCode")] = true
		for _, st := range s.Stories() {
			if slices.Contains(st.Users, user) {
				t.Errorf("%s is of the noise and of %s", user, st.Name)
			}
		}
	}
	abroad := 0
	for _, c := range countries {
		if len(c) > 1 {
			abroad++
		}
	}
	if abroad < 12 {
		t.Errorf("%d users are seen in several countries, want 6 travellers and most behind the tunnels", abroad)
	}
	allow := s.AllowList()
	for _, user := range []string{"svc-backup@contoso.example", "svc-monitor@contoso.example", "adm-migration@contoso.example"} {
		if users[user] < 700 {
			t.Errorf("%s has %d records", user, users[user])
		}
	}
	for _, user := range allow.Users {
		if users[user] == 0 {
			t.Errorf("the allow list has %s, who does nothing", user)
		}
	}
	if len(allow.Users) != 5 || len(allow.Ranges) != 2 || len(allow.Countries) != 1 {
		t.Errorf("the allow list is %+v", allow)
	}
	for _, st := range s.Stories() {
		for _, ip := range st.IPs {
			for _, r := range allow.Ranges {
				if netip.MustParsePrefix(r).Contains(netip.MustParseAddr(ip)) {
					t.Errorf("the allow list hides %s of %s", ip, st.Name)
				}
			}
		}
	}
}

// However short the span, the noise stays within it.
func TestNoiseOfAShortSpan(t *testing.T) {
	for _, length := range []time.Duration{time.Millisecond, time.Hour, 30 * time.Hour} {
		s := newSim(t, simulator.Options{Seed: 3, Count: -1, Start: now.Add(-length), End: now, Noise: true})
		for p := range s.Expected() {
			if at := time.UnixMilli(*p.Timestamp); at.Before(now.Add(-length)) || !at.Before(now) {
				t.Errorf("a span of %s has a record at %s", length, at)
			}
		}
	}
}

func empty(a simulator.AllowList) bool {
	return len(a.Users)+len(a.Ranges)+len(a.Apps)+len(a.Countries) == 0
}

// record is what the next test reads of one.
type record struct {
	at            time.Time
	user, ip, op  string
	failed, proxy bool
	country       string
	lat, lon      float64
	agent         string // browser and system
	o             object
}

func readRecord(t testing.TB, b []byte) record {
	t.Helper()
	o := object(decoded(t, b))
	ms, err := strconv.ParseInt(o.text("timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := record{at: time.UnixMilli(ms).UTC(), user: o.text("user.userName"), ip: o.text("device.clientIP"), op: o.text("mainInfo.rawOperationName"), o: o,
		proxy: o.text("location.anonymousProxy") == "true", country: o.text("location.countryCode"),
		agent: o.text("userAgent.browser") + " " + o.text("userAgent.operatingSystem.family") + " " + o.text("userAgent.name")}
	if name := o.text("failedUserData.userName"); name != "" {
		r.user, r.failed = name, true
	}
	if r.lat, err = strconv.ParseFloat(o.text("location.latitude"), 64); err == nil {
		r.lon, err = strconv.ParseFloat(o.text("location.longitude"), 64)
	}
	if err != nil && o.text("location.latitude") != "" {
		t.Fatal(err)
	}
	return r
}

// kilometres between two records, on a globe.
func kilometres(a, b record) float64 {
	rad := func(d float64) float64 { return d * math.Pi / 180 }
	h := math.Pow(math.Sin(rad(b.lat-a.lat)/2), 2) + math.Cos(rad(a.lat))*math.Cos(rad(b.lat))*math.Pow(math.Sin(rad(b.lon-a.lon)/2), 2)
	return 2 * 6371 * math.Asin(math.Sqrt(h))
}

// bins counts records by whole bins of time.
func bins(list []record, width time.Duration, which func(record) bool) []int {
	count := map[int64]int{}
	for _, r := range list {
		if which(r) {
			count[r.at.UnixMilli()/width.Milliseconds()]++
		}
	}
	return slices.Collect(maps.Values(count))
}

func atLeast(counts []int, n int) (bins int) {
	for _, c := range counts {
		if c >= n {
			bins++
		}
	}
	return bins
}

// Each story is what its hunts look for, by the figures of the specification.
func TestStoriesAreWhatTheySay(t *testing.T) {
	for seed := range uint64(3) {
		s := staged(t, seed, 120)
		records := map[string]record{}
		past := map[string][]record{} // of a user
		byCountry := map[string][]record{}
		for p := range s.Expected() {
			r := readRecord(t, p.Bytes())
			records[*p.ID] = r
			past[r.user] = append(past[r.user], r)
			byCountry[r.country] = append(byCountry[r.country], r)
		}
		for _, st := range s.Stories() {
			for _, e := range st.Evidence {
				var list []record
				for _, id := range e.IDs {
					list = append(list, records[id])
				}
				first, last := list[0], list[len(list)-1]
				is := func(ops ...string) func(record) bool {
					return func(r record) bool { return slices.Contains(ops, r.op) }
				}
				failures := func(r record) bool { return r.failed }
				any := func(f func(record) bool) bool { return slices.ContainsFunc(list, f) }
				ok := true
				switch e.Hunt {
				case "impossible-travel":
					next := list[1]
					ok = kilometres(first, next) > 100 && kilometres(first, next)/next.at.Sub(first.at).Hours() > 1000
				case "first-country-for-user":
					for _, r := range past[first.user] {
						ok = ok && (!r.at.Before(first.at) || r.country != first.country)
					}
					ok = ok && !first.failed
				case "infrequent-country-for-tenant":
					seen := byCountry[first.country]
					ok = len(seen) <= 20 && !slices.ContainsFunc(seen, func(r record) bool { return r.user != first.user })
				case "first-user-agent-for-user":
					for _, r := range past[first.user] {
						ok = ok && (!r.at.Before(first.at) || r.agent != first.agent)
					}
				case "tool-user-agent":
					ok = any(func(r record) bool {
						agent := strings.ToLower(r.o.text("device.userAgent"))
						return !r.failed && (strings.Contains(agent, "axios") || strings.Contains(agent, "azurehound") || strings.Contains(agent, "go-http-client"))
					})
				case "anonymous-proxy":
					ok = first.proxy
				case "risky-ip":
					ok = first.o.text("location.category") == "3" && last.at.Sub(first.at) < 24*time.Hour
				case "password-spray":
					failed := map[string]bool{}
					for _, r := range list {
						ok = ok && r.ip == first.ip
						if r.failed {
							failed[r.user] = true
						}
					}
					ok = ok && len(failed) > 10 && last.at.Sub(first.at) < 20*time.Minute && !last.failed
				case "bruteforce-then-success":
					n := len(bins(list, time.Millisecond, failures))
					ok = n == len(list)-1 && n >= 12 && list[n-1].at.Sub(first.at) < 9*time.Minute && !last.failed && last.at.Sub(list[n-1].at) < 6*time.Minute
				case "mfa-fatigue":
					n := len(list) - 1
					ok = n >= 11 && list[n-1].at.Sub(first.at) < 290*time.Second && !last.failed
					for _, r := range list[:n] {
						ok = ok && strings.HasPrefix(r.o.text("rawDataJson.MfaResult"), "MFA denied")
					}
				case "legacy-auth":
					ok = first.o.text("rawDataJson.ClientAppUsed") != ""
				case "device-code-login":
					ok = first.o.text("rawDataJson.AuthenticationProtocol") == "deviceCode" && first.o.text("rawDataJson.IsDeviceCompliantAndManaged") == "false"
				case "dormant-account":
					for _, r := range past[first.user] {
						ok = ok && (!r.at.Before(first.at) || first.at.Sub(r.at) > 91*24*time.Hour)
					}
					ok = ok && len(past[first.user]) > len(list)+10
				case "leaver-or-disabled-activity":
					ok = first.op == "Disable account." && last.user == e.Users[0] && !last.failed && last.at.Sub(first.at) > 24*time.Hour
				case "admin-role-granted":
					ok = strings.Contains(fmt.Sprint(first.o.at("rawDataJson.ModifiedProperties")), "Administrator") || strings.Contains(fmt.Sprint(first.o.at("rawDataJson.ModifiedProperties")), "Admin")
				case "new-admin-actor":
					ok = first.o.text("eventRouting.adminEvent") == "true"
				case "account-created-and-deleted":
					ok = first.op == "Add user." && last.op == "Delete user." && last.at.Sub(first.at) < 23*time.Hour && first.o.text("rawDataJson.ObjectId") == last.o.text("rawDataJson.ObjectId")
				case "guest-lifecycle":
					if st.Name == "guest-drop" {
						n := len(bins(list, time.Millisecond, is("FileAccessed")))
						ok = n >= 10 && first.op == "MemberAdded" && last.op == "MemberRemoved" && last.at.Sub(first.at) < time.Hour
					}
				case "mailbox-of-others":
					owners := map[string]bool{}
					for _, r := range list {
						owners[r.o.text("rawDataJson.MailboxOwnerUPN")] = true
						ok = ok && r.o.text("rawDataJson.LogonType") == "2" && r.o.text("rawDataJson.MailboxOwnerUPN") != r.user
					}
					ok = ok && len(owners) >= 3
				case "mass-download":
					ok = atLeast(bins(list, 5*time.Minute, is("FileDownloaded")), 60) >= 1
				case "mass-delete":
					if st.Name == "team-wipe" {
						ok = atLeast(bins(list, 5*time.Minute, is("TeamDeleted")), 3) >= 1
					} else {
						ok = atLeast(bins(list, 5*time.Minute, is("FileDeleted")), 60) >= 3
					}
				case "anonymous-link-and-external-share":
					ok = atLeast(bins(list, 10*time.Minute, is("AnonymousLinkCreated", "SharingInvitationCreated")), 12) >= 2
				}
				if !ok {
					t.Errorf("seed %d: %s does not show %s: %s", seed, st.Name, e.Hunt, st.What)
				}
			}
		}
	}
}

// Without the allow list the noise holds nothing that its figures tell from an
// attack; with it, nothing is left but people who travel no faster than a plane,
// forget a password, start a job or share with colleagues.
func TestNoiseIsHonest(t *testing.T) {
	for seed := range uint64(2) {
		s := newSim(t, simulator.Options{Seed: seed, Count: -1, Days: 30, Noise: true})
		allow := s.AllowList()
		hidden := func(r record) bool {
			if slices.Contains(allow.Users, r.user) || slices.Contains(allow.Countries, r.country) {
				return true
			}
			return slices.ContainsFunc(allow.Ranges, func(p string) bool {
				return netip.MustParsePrefix(p).Contains(netip.MustParseAddr(r.ip))
			})
		}
		downloads, deletions := map[string][]record{}, map[string][]record{}
		last, failed := map[string]record{}, map[string]int{}
		fast, proxies := 0, 0
		for p := range s.Expected() {
			r := readRecord(t, p.Bytes())
			switch {
			case r.op == "FileDownloaded":
				downloads[r.user] = append(downloads[r.user], r)
			case r.op == "FileDeleted":
				deletions[r.user] = append(deletions[r.user], r)
			case r.op == "SharingSet" && r.o.text("rawDataJson.TargetUserOrGroupType") != "Member":
				t.Errorf("seed %d: %s shares with a guest", seed, r.user)
			case r.failed:
				if failed[r.user]++; failed[r.user] > 4 {
					t.Errorf("seed %d: %s fails more than four times", seed, r.user)
				}
			}
			if before, ok := last[r.user]; ok && !r.failed && kilometres(before, r) > 100 && kilometres(before, r)/r.at.Sub(before.at).Hours() > 500 {
				fast++
				if !hidden(before) && !hidden(r) {
					t.Errorf("seed %d: %s goes from %s to %s in %s", seed, r.user, before.country, r.country, r.at.Sub(before.at))
				}
			}
			last[r.user] = r
			if r.proxy {
				proxies++
				if !hidden(r) {
					t.Errorf("seed %d: %s comes through a proxy that is not on the list", seed, r.user)
				}
			}
			if r.o.text("location.category") == "3" {
				t.Errorf("seed %d: %s comes from a risky address", seed, r.user)
			}
		}
		if fast == 0 || proxies == 0 {
			t.Errorf("seed %d: %d journeys too fast and %d proxies for the allow list, want some", seed, fast, proxies)
		}
		for what, of := range map[string]map[string][]record{"downloads": downloads, "deletions": deletions} {
			alike := 0
			for user, list := range of {
				if atLeast(bins(list, 5*time.Minute, func(record) bool { return true }), 50) > 0 {
					alike++
					if !slices.Contains(allow.Users, user) {
						t.Errorf("seed %d: mass %s of %s, who is not on the list", seed, what, user)
					}
				}
			}
			if alike != 1 {
				t.Errorf("seed %d: %d users with mass %s, want one on the list", seed, alike, what)
			}
		}
	}
}
