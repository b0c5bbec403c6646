package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
)

// Attack stories: known attacks among the records, with the truth beside them,
// so that a hunt can be told what it missed. They are written from what attacks
// look like, never from how a hunt looks for them.

// StoriesAll in Options.Stories stands for all stories.
const StoriesAll = "all"

// minStoryWindow is how long the longest story may take, with time to spare.
const minStoryWindow = 48 * time.Hour

// Story is one attack as the truth knows it.
type Story struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	What  string `json:"what"` // one sentence with the numbers

	// Hunts are those that must find it, by their names.
	Hunts []string `json:"hunts"`

	// Since and Until are the times of its first and its last record.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`

	Users []string `json:"users"` // all who act in it, honest ones too
	IPs   []string `json:"ips"`

	Evidence []Evidence `json:"evidence"`

	// Records are the _ids of all its records. A finding of whatever hunt that
	// cites one of them has found something true.
	Records []string `json:"records"`

	// Skipped says why it was not planted; then it has no records.
	Skipped string `json:"skipped,omitempty"`
}

// Evidence is what one hunt must find of a story.
type Evidence struct {
	Hunt string `json:"hunt"`

	// Users are those one of whom the finding names; empty where it has no user.
	Users []string `json:"users"`

	// IDs are the _ids at least one of which the finding cites.
	IDs []string `json:"ids"`
}

// AllowList is what an honest tenant would tell a hunter to leave out: without
// it nothing in the records tells the noise apart from an attack. All of it is
// empty without Options.Noise.
type AllowList struct {
	Users     []string `json:"exclude_users"`
	Ranges    []string `json:"exclude_ips"` // CIDR
	Apps      []string `json:"exclude_apps"`
	Countries []string `json:"exclude_countries"` // two letters
}

// Stories are the stories that were asked for, those that were skipped too, in
// the order of StoryNames. They are visible to a client once saved, as any record.
func (s *Simulator) Stories() []Story { return slices.Clone(s.stories) }

// AllowList is for the noise that was planted.
func (s *Simulator) AllowList() AllowList { return s.allow }

// WriteStories writes Stories, one JSON line each.
func (s *Simulator) WriteStories(w io.Writer) error {
	bw := bufio.NewWriter(w)
	enc := json.NewEncoder(bw)
	for _, st := range s.stories {
		if err := enc.Encode(st); err != nil {
			return fmt.Errorf("write stories: %w", err)
		}
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write stories: %w", err)
	}
	return nil
}

// WriteAllowList writes AllowList as JSON.
func (s *Simulator) WriteAllowList(w io.Writer) error {
	b, err := json.MarshalIndent(s.allow, "", "  ")
	if err == nil {
		_, err = w.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write allow list: %w", err)
	}
	return nil
}

// plot is a story before it has people and times.
type plot struct {
	name, title string
	length      int64 // the longest it takes, ms
	write       func(*scene)
}

// plots are all stories. The place of a story here decides its draws and its
// people: a new one goes behind all others, or changes theirs.
var plots = slices.Concat(signInPlots, privilegePlots, mailboxPlots, dataPlots)

// StoryNames are the names that Options.Stories may hold.
func StoryNames() []string {
	names := make([]string, len(plots))
	for i, p := range plots {
		names[i] = p.name
	}
	return names
}

// storyDefaults fills in where stories lie.
func (o *Options) storyDefaults() {
	if o.StoriesFrom.IsZero() {
		o.StoriesFrom = o.End.Add(-o.End.Sub(o.Start) / 3)
	}
	if o.StoriesUntil.IsZero() {
		o.StoriesUntil = o.End
	}
}

func (o *Options) checkStories() error {
	for _, name := range o.Stories {
		if name != StoriesAll && !slices.Contains(StoryNames(), name) {
			return fmt.Errorf("story %q is none of those there are: %s %s", name, StoriesAll, strings.Join(StoryNames(), " "))
		}
	}
	if (o.Noise || len(o.Stories) > 0) && !o.Start.Before(o.End) {
		return fmt.Errorf("stories and noise need a span, and start %s is not before end %s", o.Start.UTC().Format(time.RFC3339), o.End.UTC().Format(time.RFC3339))
	}
	if len(o.Stories) == 0 {
		return nil
	}
	if o.StoriesFrom.Before(o.Start) || o.StoriesUntil.After(o.End) {
		return errors.New("stories must lie within the span of event time: their people need a past there")
	}
	if got := o.StoriesUntil.Sub(o.StoriesFrom); got < minStoryWindow {
		return fmt.Errorf("stories have %s, and need at least %s: give a longer span, or other times for them", got, minStoryWindow)
	}
	return nil
}

func (o *Options) wantsStory(name string) bool {
	return slices.Contains(o.Stories, name) || slices.Contains(o.Stories, StoriesAll)
}

// plant writes the stories and the noise that were asked for.
func (s *Simulator) plant() (records []staticRecord) {
	if len(s.opt.Stories) == 0 && !s.opt.Noise {
		return nil
	}
	st := newStage(s.gen)
	for i, p := range plots {
		sc := st.scene(uint64(i))
		sc.story.Name, sc.story.Title = p.name, p.title
		// The last record is saved before the window ends.
		sc.at = st.from + sc.span(0, max(0, st.until-10*minuteMS-p.length-st.from))
		p.write(sc)
		if s.opt.wantsStory(p.name) {
			sc.finish()
			s.stories = append(s.stories, sc.story)
			records = append(records, sc.out...)
		}
	}
	if s.opt.Noise {
		s.allow = AllowList{Users: []string{}, Ranges: []string{}, Apps: []string{}, Countries: []string{}}
		for i, part := range noises {
			sc := st.scene(1000 + uint64(i))
			sc.noise = true
			part(sc, &s.allow)
			records = append(records, sc.out...)
		}
	}
	return records
}

// note enters a record into the truth.
func (sc *scene) note(d *draft) {
	if sc.noise {
		return
	}
	t, at := &sc.story, time.UnixMilli(d.e.ts).UTC()
	if t.Since.IsZero() || at.Before(t.Since) {
		t.Since = at
	}
	if at.After(t.Until) {
		t.Until = at
	}
	t.Users, t.IPs, t.Records = append(t.Users, d.who.upn), append(t.IPs, d.net.ip), append(t.Records, d.id)
}

// tell says what happened.
func (sc *scene) tell(format string, args ...any) { sc.story.What = fmt.Sprintf(format, args...) }

// cite says what a hunt must find: a finding that names one of users and cites
// one of ids.
func (sc *scene) cite(hunt string, users []*person, ids ...string) {
	e := Evidence{Hunt: hunt, Users: []string{}, IDs: ids}
	for _, p := range users {
		e.Users = append(e.Users, p.upn)
	}
	sc.story.Evidence = append(sc.story.Evidence, e)
	if !slices.Contains(sc.story.Hunts, hunt) {
		sc.story.Hunts = append(sc.story.Hunts, hunt)
	}
}

// skip leaves a story out; its hunts are named all the same.
func (sc *scene) skip(reason string, hunts ...string) {
	sc.story.Skipped, sc.story.Hunts, sc.out = reason, hunts, nil
}

func (sc *scene) finish() {
	t := &sc.story
	slices.Sort(t.Users)
	slices.Sort(t.IPs)
	t.Users, t.IPs = slices.Compact(t.Users), slices.Compact(t.IPs)
	if t.Skipped != "" { // empty lists, not null, in the file
		t.Users, t.IPs, t.Records, t.Evidence = []string{}, []string{}, []string{}, []Evidence{}
	}
}

func list(people ...*person) []*person { return people }

func hashOf(text string) uint64 { return xxh3.HashString(text) }
