// Package tenant makes what long questions are put to: the days of the
// simulator's tenant, and a small story within them that every question of
// testdata/questions finds a part of, however few records there are. Tests and
// the benchmark share it, so that both speak of the same year.
package tenant

import (
	"fmt"
	"io"
	"slices"
	"time"

	"mdcalake/ingest/simulator"
)

// Services are the services of the tenant: the simulator's, and one
// that nobody knows. The story needs the first two.
var Services = []int64{
	storyFiles, storyMail, 11161, 28375, 15600, 12260, 26324, 11522, 25275, 20595,
	20940, 11770, 11114, 14509, 10489, 11627, 10980, 11599, 26069, unknownService,
}

const (
	storyFiles     = 20892 // SharePoint
	storyMail      = 20893 // Exchange
	unknownService = 40001 // of none that the simulator knows
)

// End is where the days end.
var End = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// Tenant is what a lake is made of.
type Tenant struct {
	Days     int
	Services []int64 // the first ones of Services
	Records  int     // of them all
	// Clean: no record comes again changed, and no text is broken, so that programs
	// which know no such thing hold the same.
	Clean bool
	// Stories: all attacks that the simulator knows, in the last third, and honest
	// noise.
	Stories bool
}

// Start is where the days begin.
func (of Tenant) Start() time.Time { return End.AddDate(0, 0, -of.Days) }

// Attack is when the story comes to its point.
func (of Tenant) Attack() time.Time { return of.Start().AddDate(0, 0, of.Days*2/3).Add(9 * time.Hour) }

// Simulate makes a simulator that has all of it.
func (of Tenant) Simulate() (*simulator.Simulator, error) {
	own := slices.Concat(of.watch(), of.story())
	if of.Records <= len(own) {
		return nil, fmt.Errorf("%d records are too few: %d days of %d services and their story have %d", of.Records, of.Days, len(of.Services), len(own))
	}
	o := simulator.Options{
		Seed: 11, Start: of.Start(), End: End, Count: of.Records - len(own), Records: own, NativeFeeds: true,
		Services: slices.DeleteFunc(slices.Clone(of.Services), func(id int64) bool { return id == unknownService }),
		Clock:    func() time.Time { return End.AddDate(0, 1, 0) }, // all is saved
		// Some records were changed later: the older ones are not in activities.
		Revisions: 0.005, BrokenText: 0.001,
	}
	if of.Clean {
		o.Revisions, o.BrokenText = 0, 0
	}
	if of.Stories {
		o.Stories, o.Noise = []string{simulator.StoriesAll}, true
	}
	return simulator.New(o)
}

// Portions calls write for 30 days at a time, to be imported one after the
// other: a commit ends within a day when 4 GiB have been read, and that day's
// cells would have two files.
func (of Tenant) Portions(each func(write func(io.Writer) error) error) error {
	s, err := of.Simulate()
	if err != nil {
		return err
	}
	for since := of.Start(); since.Before(End); since = since.AddDate(0, 0, 30) {
		if err := each(func(w io.Writer) error { return s.WriteNDJSON(w, since, since.AddDate(0, 0, 30)) }); err != nil {
			return err
		}
	}
	return nil
}

// watch is a robot that looks at every service once a day: no day and service
// is without a record.
func (of Tenant) watch() [][]byte {
	var list [][]byte
	for day := range of.Days {
		for _, service := range of.Services {
			list = append(list, deed{
				id: fmt.Sprintf("watch-%d-%d", day, service), at: of.Start().AddDate(0, 0, day).Add(time.Hour), service: service,
				user: "watch@contoso.example", ip: "203.0.113.250", country: "DE", kind: "basic", action: "HealthRead",
			}.record())
		}
	}
	return list
}

// Whom a hunter looks for in the story, and from where.
const (
	Account  = "lena.former@contoso.example"
	Stranger = "203.0.113.251"
)

// story is an account that nobody has used since the first days. One address
// tries thirty users, gets in as this one, from a country where it never was,
// sends the mail elsewhere, switches off a log and takes the files.
func (of Tenant) story() [][]byte {
	const account, stranger, home = Account, Stranger, "203.0.113.252"
	var list [][]byte
	does := func(d deed) {
		d.id = fmt.Sprintf("story-%03d", len(list))
		list = append(list, d.record())
	}
	for n := range 12 {
		does(deed{at: of.Start().Add(time.Duration(n) * 4 * time.Hour), service: storyFiles, user: account, ip: home, country: "DE",
			kind: "basic", action: "FileAccessed", upstream: file(n)})
	}
	at := of.Attack()
	next := func() time.Time { at = at.Add(7 * time.Second); return at }
	for n := range 30 {
		user := fmt.Sprintf("user%d@contoso.example", n)
		if n%10 == 9 {
			user = account
		}
		does(deed{at: next(), service: storyMail, user: user, ip: stranger, country: "IS", kind: "failedLogin", action: "OAuth2:Authorize", fails: true})
	}
	does(deed{at: next(), service: storyMail, user: account, ip: stranger, country: "IS", kind: "login", action: "OAuth2:Authorize"})
	does(deed{at: next(), service: storyMail, user: account, ip: stranger, country: "IS", kind: "run", action: "New-InboxRule",
		upstream: `"ObjectId":"lena.former\\.","Parameters":[{"Name":"ForwardTo","Value":"drop@evil.example"},{"Name":"DeleteMessage","Value":"True"}]`})
	does(deed{at: next(), service: storyMail, user: account, ip: stranger, country: "IS", kind: "run", action: "Remove-UnifiedAuditLogRetentionPolicy"})
	for n := range 60 {
		does(deed{at: next(), service: storyFiles, user: account, ip: stranger, country: "IS", kind: "basic", action: "FileDownloaded", upstream: file(n / 2)})
	}
	return list
}

func file(n int) string {
	return fmt.Sprintf(`"ObjectId":"https://contoso.sharepoint.example/sites/Board/Shared Documents/Plan %d.docx"`, n)
}

// deed is a record of the story.
type deed struct {
	id                              string
	at                              time.Time
	service                         int64
	user, ip, country, kind, action string
	fails                           bool
	upstream                        string // members of rawDataJson
}

func (d deed) record() []byte {
	return fmt.Appendf(nil, `{"_id":"%s","timestamp":%d,"created":%d,"appId":%d,"user":{"userName":"%s"},"device":{"clientIP":"%s"},"location":{"countryCode":"%s"},`+
		`"mainInfo":{"rawOperationName":"%s","type":"%s","eventObjects":[{"id":"%[5]s","name":"%[5]s","type":23,"role":4}],"activityResult":{"isSuccess":%[10]t}},"rawDataJson":{%s}}`,
		d.id, d.at.UnixMilli(), d.at.Add(3*time.Minute).UnixMilli(), d.service, d.user, d.ip, d.country, d.action, d.kind, !d.fails, d.upstream)
}
