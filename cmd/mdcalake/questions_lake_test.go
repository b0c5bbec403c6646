package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mdcalake/ingest/simulator"
)

// The lake that the questions are put to: what the simulator's tenant did, and a
// small story within it that every question finds a part of, however few
// records there are.

// questionServices are the services of the tenant: the simulator's, and one
// that nobody knows. The story needs the first two.
var questionServices = []int64{
	storyFiles, storyMail, 11161, 28375, 15600, 12260, 26324, 11522, 25275, 20595,
	20940, 11770, 11114, 14509, 10489, 11627, 10980, 11599, 26069, unknownService,
}

const (
	storyFiles     = 20892 // SharePoint
	storyMail      = 20893 // Exchange
	unknownService = 40001 // of none that the simulator knows
)

// questionEnd is where the days end.
var questionEnd = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// tenant is what the lake is made of.
type tenant struct {
	days     int
	services []int64
	records  int // of them all
}

func (of tenant) start() time.Time { return questionEnd.AddDate(0, 0, -of.days) }

// attack is when the story comes to its point.
func (of tenant) attack() time.Time { return of.start().AddDate(0, 0, of.days*2/3).Add(9 * time.Hour) }

// simulate makes a simulator that has all of it.
func (of tenant) simulate(t *testing.T) *simulator.Simulator {
	t.Helper()
	own := slices.Concat(of.watch(), of.story())
	s, err := simulator.New(simulator.Options{
		Seed: 11, Start: of.start(), End: questionEnd, Count: of.records - len(own), Records: own, NativeFeeds: true,
		Services: slices.DeleteFunc(slices.Clone(of.services), func(id int64) bool { return id == unknownService }),
		Clock:    func() time.Time { return questionEnd.AddDate(0, 1, 0) }, // all is saved
		// Some records were changed later: the older ones are not in activities.
		Revisions: 0.005, BrokenText: 0.001,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// importInto imports it 30 days at a time: a commit ends within a day when 4 GiB
// have been read, and that day's cells would have two files.
func (of tenant) importInto(t *testing.T, lake string) {
	t.Helper()
	s := of.simulate(t)
	for since := of.start(); since.Before(questionEnd); since = since.AddDate(0, 0, 30) {
		cmd := command(filepath.Dir(lake), nil, "import", "-", "--lake", lake)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		pipe, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			s.WriteNDJSON(pipe, since, since.AddDate(0, 0, 30)) // the program says what it was given too little of
			pipe.Close()
		}()
		if err := cmd.Run(); err != nil {
			t.Fatalf("import: %v\n%s", err, stderr.String())
		}
		t.Log(stderr.String())
	}
}

// watch is a robot that looks at every service once a day: no day and service
// is without a record.
func (of tenant) watch() [][]byte {
	var list [][]byte
	for day := range of.days {
		for _, service := range of.services {
			list = append(list, deed{
				id: fmt.Sprintf("watch-%d-%d", day, service), at: of.start().AddDate(0, 0, day).Add(time.Hour), service: service,
				user: "watch@contoso.example", ip: "203.0.113.250", country: "DE", kind: "basic", action: "HealthRead",
			}.record())
		}
	}
	return list
}

// story is an account that nobody has used since the first days. One address
// tries thirty users, gets in as this one, from a country where it never was,
// sends the mail elsewhere, switches off a log and takes the files.
func (of tenant) story() [][]byte {
	const account, stranger, home = "lena.former@contoso.example", "203.0.113.251", "203.0.113.252"
	var list [][]byte
	does := func(d deed) {
		d.id = fmt.Sprintf("story-%03d", len(list))
		list = append(list, d.record())
	}
	for n := range 12 {
		does(deed{at: of.start().Add(time.Duration(n) * 4 * time.Hour), service: storyFiles, user: account, ip: home, country: "DE",
			kind: "basic", action: "FileAccessed", upstream: file(n)})
	}
	at := of.attack()
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
