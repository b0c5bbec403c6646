package query

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"mdcalake/store"
)

// A lake for pruning, written by the store itself, with its log and its value
// index: a few records in each of many small files.

// pruneRecord is a record of it.
type pruneRecord struct {
	ID        string `json:"_id"`
	Timestamp int64  `json:"timestamp"`
	Created   int64  `json:"created,omitempty"`
	App       int64  `json:"appId"`
	User      string `json:"user,omitempty"`
	Actor     string `json:"actor,omitempty"`
	IP        string `json:"ip,omitempty"`
	Object    string `json:"object,omitempty"`
	Session   string `json:"session,omitempty"`
	Country   string `json:"country,omitempty"`
	Tags      []string
	Change    int
}

func (p pruneRecord) lift(row *store.Row) {
	data, _ := json.Marshal(p) // texts and numbers: it cannot fail
	row.Reset()
	row.Text = append(row.Text, data...)
	row.RawLen = len(data)
	row.ContentHash = int64(xxh3.Hash(data))
	text := func(s string) store.Span {
		off := len(row.Text)
		row.Text = append(row.Text, s...)
		return store.Span{Off: uint32(off), Len: uint32(len(s))}
	}
	for column, s := range map[int]string{
		store.ActivityID: p.ID, store.UserName: p.User, store.ActorID: p.Actor, store.IP: p.IP,
		store.ObjectID: p.Object, store.SessionID: p.Session, store.Country: p.Country,
	} {
		if s != "" {
			row.Strings[column] = text(s)
		}
	}
	row.SetNumber(store.Timestamp, p.Timestamp)
	if p.Created != 0 {
		row.SetNumber(store.Created, p.Created)
	}
	row.SetNumber(store.AppID, p.App)
	row.Lists[store.UserTags].Valid = true
	for _, tag := range p.Tags {
		row.Lists[store.UserTags].Items = append(row.Lists[store.UserTags].Items, text(tag))
	}
}

var (
	pruneDay      = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	pruneServices = []int64{11161, 20892, 20893}
	pruneUsers    = []string{"bob@example.com", "Bob@Example.com", "ALICE@example.com", "émile@example.com", "ΣΊΣΥΦΟΣ@example.com", "o'hara@example.com", "a_b%c@example.com"}
)

const pruneDays = 6

// pruneWritten is when the first run of a lake was committed; the others are a
// day apart.
var pruneWritten = pruneDay.AddDate(0, 0, pruneDays+1)

// writePruneLake makes a lake below dir: two runs over all days and services,
// of which the second replaces some records of the first, and a third over one
// day.
func writePruneLake(t testing.TB, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "lake")
	now := pruneWritten
	w, err := store.OpenWriter(root, store.WriterOptions{Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var first []pruneRecord
	for run := range 3 {
		var records []pruneRecord
		for day := range pruneDays {
			if run == 1 && day%2 == 0 || run == 2 && day != 5 {
				continue
			}
			for _, service := range pruneServices {
				begin := pruneDay.AddDate(0, 0, day).UnixMilli() + int64(r.IntN(20))*3600_000
				if day == 3 {
					begin = pruneDay.AddDate(0, 0, day).UnixMilli()
				}
				for n := range 4 {
					p := pruneRecord{
						ID: fmt.Sprintf("Id-%d-%d-%d-%d", run, day, service, n), Timestamp: begin + int64(n)*600_000, App: service,
						User: pruneUsers[r.IntN(len(pruneUsers))], Actor: fmt.Sprintf("Actor-%d", r.IntN(40)),
						IP: fmt.Sprintf("203.0.113.%d", r.IntN(60)), Object: fmt.Sprintf("https://Host/%d/Ä%d", day, r.IntN(3)),
						Country: []string{"DE", "FR", ""}[r.IntN(3)], Tags: []string{"a", fmt.Sprint("t", day)},
					}
					if r.IntN(3) > 0 {
						p.Created = p.Timestamp + int64(r.IntN(48))*3600_000
					}
					if r.IntN(4) == 0 {
						p.Session, p.User = fmt.Sprintf("s-%d", r.IntN(20)), ""
					}
					records = append(records, p)
				}
			}
		}
		if run == 1 {
			for i := 0; i < len(first); i += 7 {
				p := first[i]
				p.Change, p.Created, p.User = 1, p.Timestamp+1000*3600_000, "changed@example.com"
				records = append(records, p)
			}
		}
		first = records
		appendRecords(t, w, records)
		now = now.AddDate(0, 0, 1)
	}
	return root
}

func appendRecords(t testing.TB, w *store.Writer, records []pruneRecord) {
	t.Helper()
	a, err := w.Begin(store.Run{RunID: store.NewRunID(time.Now()), Started: time.Now().UTC(), Outcome: store.OutcomeComplete, Verb: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var row store.Row
	for _, p := range records {
		p.lift(&row)
		row.Page = 1
		if err := a.Add(context.Background(), &row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Commit(context.Background(), store.Commit{Run: a.Run()}); err != nil {
		t.Fatal(err)
	}
}

func openLake(t testing.TB, root string) *store.Snapshot {
	t.Helper()
	lake, err := store.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	return lake.Snapshot()
}

func openEngine(t testing.TB, s *store.Snapshot) *Engine {
	t.Helper()
	e, err := Open(t.Context(), Options{Snapshot: s, TempDir: t.TempDir(), Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}
