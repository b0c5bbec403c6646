package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"

	"mdcalake/store"
	"mdcalake/store/storetest"
)

// payload is one thing that an activity was seen as.
type payload struct {
	id, variant int
	created     int64 // 0: missing
	spelling    int
	day, app    int // the same activity may come with another of either
}

// meaning is the payload without its spelling.
func (p payload) meaning() payload { p.spelling = 0; return p }

func (p payload) bytes() []byte {
	text := func(s string) string {
		if p.spelling == 2 { // every letter escaped
			var b strings.Builder
			for _, c := range s {
				fmt.Fprintf(&b, `\u%04x`, c)
			}
			s = b.String()
		}
		return `"` + s + `"`
	}
	members := []string{
		`"_id":` + text(fmt.Sprintf("id-%d", p.id)), fmt.Sprintf(`"timestamp":%d`, base+int64(p.id)+int64(p.day)*86_400_000), fmt.Sprintf(`"appId":%d`, 100+(p.id+p.app)%2),
		`"user":` + text(fmt.Sprintf("user%d", p.variant)), `"tags":[` + text("a") + `]`, `"extra":[1e2,{"z":1,"y":2}]`,
	}
	if p.created != 0 {
		members = append(members, fmt.Sprintf(`"created":%d`, base+p.created))
	}
	switch p.spelling {
	case 1:
		slices.Reverse(members)
		return []byte("{ " + strings.Join(members, " ,\n\t") + " } ")
	case 2:
		return []byte(strings.ReplaceAll("{"+strings.Join(members, ",")+"}", `{"z":1,"y":2}`, `{"y":2, "z":1}`))
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// seen is a payload as the lake keeps it.
type seen struct {
	payload
	ingested int
}

// after says whether s is current over o: created, missing lowest; then the
// commit; then the hash.
func (s seen) after(o seen) bool {
	if s.created != o.created {
		return s.created > o.created
	}
	if s.ingested != o.ingested {
		return s.ingested > o.ingested
	}
	return int64(xxh3.Hash(s.bytes())) > int64(xxh3.Hash(o.bytes()))
}

// model is what a lake should hold.
type model struct {
	commits    int
	current    map[int]seen
	revisions  map[payload]seen // by meaning
	quarantine map[string]bool
	liftable   []payload // of them, in the order of their coming
	// What purges have erased: ids, single payloads by their meaning, and bytes
	// that were in quarantine.
	ids      map[int]bool
	payloads map[payload]bool
	bytes    map[string]bool
}

func newModel() *model {
	return &model{
		current: map[int]seen{}, revisions: map[payload]seen{}, quarantine: map[string]bool{},
		ids: map[int]bool{}, payloads: map[payload]bool{}, bytes: map[string]bool{},
	}
}

func (m *model) clone() *model {
	return &model{
		m.commits, maps.Clone(m.current), maps.Clone(m.revisions), maps.Clone(m.quarantine), slices.Clone(m.liftable),
		maps.Clone(m.ids), maps.Clone(m.payloads), maps.Clone(m.bytes),
	}
}

// purge erases what a person did.
func (m *model) purge(variant int) {
	m.commits++
	for id, s := range m.current {
		if s.variant == variant {
			m.ids[id] = true
			delete(m.current, id)
		}
	}
	for p := range m.revisions {
		if m.ids[p.id] {
			delete(m.revisions, p)
		} else if p.variant == variant {
			m.payloads[p] = true
			delete(m.revisions, p)
		}
	}
	m.liftable = slices.DeleteFunc(m.liftable, func(p payload) bool {
		if p.variant == variant {
			delete(m.quarantine, string(p.bytes()))
			m.bytes[string(p.bytes())] = true
		}
		return p.variant == variant
	})
}

func (m *model) apply(c commit) {
	m.commits++
	payloads := c.payloads
	if c.retry { // those of the commits before
		payloads = slices.Concat(payloads, m.liftable)
		for _, p := range m.liftable {
			delete(m.quarantine, string(p.bytes()))
		}
		m.liftable = nil
	}
	for _, p := range payloads {
		s := seen{p, m.commits}
		old, has := m.current[p.id]
		_, revision := m.revisions[p.meaning()]
		switch {
		case m.ids[p.id] || m.payloads[p.meaning()]:
		case !has:
			m.current[p.id] = s
		case old.meaning() == p.meaning() || revision:
		case s.after(old):
			m.revisions[old.meaning()], m.current[p.id] = old, s
		default:
			m.revisions[p.meaning()] = s
		}
	}
	for _, b := range c.bad {
		m.quarantine[b] = true
	}
	for _, p := range c.liftable {
		if !m.quarantine[string(p.bytes())] && !m.bytes[string(p.bytes())] {
			m.quarantine[string(p.bytes())] = true
			m.liftable = append(m.liftable, p)
		}
	}
}

func (m *model) contents() storetest.Contents {
	var c storetest.Contents
	for _, s := range m.current {
		c.Activities = append(c.Activities, string(s.bytes()))
	}
	for _, s := range m.revisions {
		c.Revisions = append(c.Revisions, string(s.bytes()))
	}
	c.Quarantine = slices.Collect(maps.Keys(m.quarantine))
	c.Erased = int64(len(m.ids) + len(m.payloads) + len(m.bytes))
	slices.Sort(c.Activities)
	slices.Sort(c.Revisions)
	slices.Sort(c.Quarantine)
	return c
}

// commit is one batch, or one of the verbs that add nothing; runs say where the
// lake is opened anew.
type commit struct {
	verb     string // "", "compact", "merge what pays" or "purge"
	variant  int    // of the person whose activities are purged
	payloads []payload
	bad      []string
	liftable []payload // quarantined, though they are records
	retry    bool      // the quarantine is looked at again
	reopen   bool
	stopAt   int // 0: it lives
}

func drawPayload(t *rapid.T) payload {
	return payload{
		id: rapid.IntRange(0, 4).Draw(t, "id"), variant: rapid.IntRange(0, 2).Draw(t, "variant"),
		created: int64(rapid.IntRange(0, 2).Draw(t, "created")), spelling: rapid.IntRange(0, 2).Draw(t, "spelling"),
		day: max(0, rapid.IntRange(-1, 1).Draw(t, "day")), app: max(0, rapid.IntRange(-1, 1).Draw(t, "app")),
	}
}

func drawCommit(t *rapid.T) commit {
	c := commit{
		verb: rapid.SampledFrom([]string{"", "", "", "", "compact", "merge what pays", "purge"}).Draw(t, "verb"), variant: rapid.IntRange(0, 2).Draw(t, "purged"),
		payloads: rapid.SliceOfN(rapid.Custom(drawPayload), 0, 6).Draw(t, "payloads"),
		bad:      rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "\x00\xff"}), 0, 2).Draw(t, "bad"),
		reopen:   rapid.Bool().Draw(t, "reopen"),
	}
	c.liftable = rapid.SliceOfN(rapid.Custom(drawPayload), 0, 2).Draw(t, "liftable")
	c.retry = rapid.IntRange(0, 3).Draw(t, "retry") == 0
	if rapid.IntRange(0, 3).Draw(t, "dies") == 0 {
		c.stopAt = rapid.IntRange(1, 60).Draw(t, "stop at")
	}
	return c
}

// drawLimits has every row written at once, or spilled at once, or neither.
func drawLimits(t *rapid.T, o store.WriterOptions) store.WriterOptions {
	switch rapid.IntRange(0, 2).Draw(t, "limits") {
	case 1:
		return o.WithLimits(1, 1_000_000, 1, 1)
	case 2:
		return o.WithLimits(1, 1_000_000, 0, 0)
	}
	return o
}

func TestALakeHoldsWhatAPlainMapWouldHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tt, t := t, rt
		root, err := os.MkdirTemp("", "model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
		modelRun(tb{tt, t}, root, drawLimits(t, store.WriterOptions{Clock: func() time.Time { return time.UnixMilli(base) }}), rapid.SliceOfN(rapid.Custom(drawCommit), 1, 6).Draw(t, "commits"))
	})
}

func modelRun(t tb, root string, o store.WriterOptions, commits []commit) {
	dir := filepath.Join(root, "lake")
	d := storetest.NewDisk(t, root)
	o.FS = d
	m := newModel()
	var w *store.Writer
	var a *store.Append
	closeAll := func() {
		if w != nil {
			w.Close()
		}
		w, a = nil, nil
	}
	defer closeAll()
	for n, c := range commits {
		if c.reopen || w == nil {
			closeAll()
			var err error
			if w, err = store.OpenWriter(dir, o); err != nil {
				t.Fatal(err)
			}
			if a, err = w.Begin(store.Run{RunID: fmt.Sprintf("run-%d", n)}); err != nil {
				t.Fatal(err)
			}
		}
		if c.stopAt > 0 {
			d.StopAt(c.stopAt)
		}
		before := m.clone()
		var err error
		switch c.verb {
		case "":
			m.apply(c)
			err = feed(a, c)
		case "purge":
			m.purge(c.variant)
			fallthrough
		default:
			a.Close()
			err = other(dir, w, c, fmt.Sprintf("verb-%d", n))
			if err == nil {
				a, err = w.Begin(store.Run{RunID: fmt.Sprintf("behind-%d", n)})
			}
		}
		if err == nil && c.verb == "" {
			var r store.Receipt
			if r, err = a.Commit(context.Background(), store.Commit{Run: a.Run()}); err == nil {
				if r.Run.Records != r.Run.Added+r.Run.Duplicates+r.Run.Revisions+r.Run.Quarantined+r.Run.Erased {
					t.Errorf("the counts do not add up: %+v", r.Run)
				}
				if count, truth := a.KeptKeys(); count != truth {
					t.Errorf("%d keys are kept, %d by the count", truth, count)
				}
			}
		}
		if err != nil {
			if !d.Broke() {
				t.Fatal(err)
			}
			closeAll()
		}
		d.Mend()
		have := storetest.Read(t, dir)
		if err != nil && cmp.Equal(have, before.contents()) {
			m = before
		}
		if diff := cmp.Diff(m.contents(), have); diff != "" {
			t.Fatalf("after commit %d (- want, + have):\n%s", n, diff)
		}
	}
	closeAll()
	// Whoever died last is tidied up after.
	if w, err := store.OpenWriter(dir, o); err != nil {
		t.Fatal(err)
	} else {
		w.Close()
	}
	storetest.MustVerify(t, dir)
}

// other does a verb that adds nothing.
func other(dir string, w *store.Writer, c commit, runID string) error {
	l, err := store.Open(dir)
	if errors.Is(err, store.ErrNotALake) {
		return nil
	}
	if err != nil {
		return err
	}
	l.Close()
	switch c.verb {
	case "purge":
		return purge(store.PurgeRequest{User: fmt.Sprintf("user%d", c.variant), Reason: "a test"})(dir, w, runID)
	case "compact":
		return compact(store.CompactOptions{All: true})(dir, w, runID)
	}
	return compact(store.CompactOptions{Budget: 1 << 30, Now: time.UnixMilli(base).Add(30 * 24 * time.Hour)})(dir, w, runID)
}

func feed(a *store.Append, c commit) error {
	var row store.Row
	for _, p := range c.payloads {
		if err := storetest.Lift(p.bytes(), &row); err != nil {
			return err
		}
		if err := a.Add(context.Background(), &row); err != nil {
			return err
		}
	}
	if c.retry {
		if _, _, err := a.Requarantine(context.Background(), storetest.Lift); err != nil {
			return err
		}
	}
	bad := c.bad
	for _, p := range c.liftable {
		bad = append(bad[:len(bad):len(bad)], string(p.bytes()))
	}
	for _, b := range bad {
		if err := a.Quarantine(context.Background(), store.Quarantined{Bytes: []byte(b), Reason: "no object"}); err != nil {
			return err
		}
	}
	return nil
}

// tb lends a rapid.T to helpers that want a testing.TB.
type tb struct {
	testing.TB
	rapid *rapid.T
}

func (t tb) Helper()                           { t.rapid.Helper() }
func (t tb) Fatal(args ...any)                 { t.rapid.Fatal(args...) }
func (t tb) Fatalf(format string, args ...any) { t.rapid.Fatalf(format, args...) }
func (t tb) Error(args ...any)                 { t.rapid.Error(args...) }
func (t tb) Errorf(format string, args ...any) { t.rapid.Errorf(format, args...) }

func TestWhatIsCurrentDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lent, t := tb{t, rt}, rt
		var all []payload
		for id := range 2 {
			for created := range rapid.IntRange(1, 4).Draw(t, "payloads") {
				all = append(all, payload{id: id, variant: created, created: int64(created), day: created % 2, app: created / 2 % 2}) // 0: missing
			}
		}
		want := newModel()
		want.apply(commit{payloads: all})
		root, err := os.MkdirTemp("", "order")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
		shuffled := rapid.Permutation(all).Draw(t, "order")
		o := drawLimits(t, store.WriterOptions{FS: storetest.NewDisk(lent, root)})
		dir := filepath.Join(root, "lake")
		for n := 0; len(shuffled) > 0; n++ {
			k := rapid.IntRange(1, len(shuffled)).Draw(t, "in this commit")
			w, err := store.OpenWriter(dir, o)
			if err != nil {
				t.Fatal(err)
			}
			a, err := w.Begin(store.Run{RunID: fmt.Sprintf("run-%d", n)})
			if err == nil {
				err = feed(a, commit{payloads: shuffled[:k]})
			}
			if err == nil {
				_, err = a.Commit(context.Background(), store.Commit{})
			}
			w.Close()
			if err != nil {
				t.Fatal(err)
			}
			shuffled = shuffled[k:]
		}
		if diff := cmp.Diff(want.contents(), storetest.Read(lent, dir)); diff != "" {
			t.Errorf("(- want, + have):\n%s", diff)
		}
	})
}
