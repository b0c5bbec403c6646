package simulator_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
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
	o := simulator.Options{Seed: 3, Count: 500, Days: 30, Stories: []string{simulator.StoriesAll}, Noise: true}
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
	o.Seed = 4
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
	for _, user := range allow.Users {
		if users[user] < 700 {
			t.Errorf("%s has %d records", user, users[user])
		}
	}
	if len(allow.Users) != 3 || len(allow.Ranges) != 2 || len(allow.Countries) != 1 {
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

func empty(a simulator.AllowList) bool {
	return len(a.Users)+len(a.Ranges)+len(a.Apps)+len(a.Countries) == 0
}
