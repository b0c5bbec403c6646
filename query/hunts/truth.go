package hunts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"mdcalake/query"
)

// How good the hunts are, where it is known what happened: in a tenant that the
// simulator made, or in an incident that somebody has taken apart.

// Story is something that happened, with what must be found of it. It is what
// `mdcasim --story-truth` writes, a line of JSON for each.
type Story struct {
	Name     string     `json:"name"`
	Evidence []Evidence `json:"evidence"`
	Records  []string   `json:"records"` // activity ids of all that belongs to it
	Skipped  string     `json:"skipped,omitempty"`
}

// Evidence is what a hunt must find.
type Evidence struct {
	Hunt  string   `json:"hunt"`
	Users []string `json:"users"` // one of whom the finding names; none: it need not
	IDs   []string `json:"ids"`   // one of which it cites
}

// ReadTruth reads stories, a line each. Members that it does not know are left
// out.
func ReadTruth(r io.Reader) ([]Story, error) {
	var all []Story
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var s Story
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("line %d is no story: %w", n, err)
		}
		for _, e := range s.Evidence {
			if e.Hunt == "" || len(e.IDs) == 0 {
				return nil, fmt.Errorf("line %d: the evidence of %q needs a hunt and the ids of activities", n, s.Name)
			}
		}
		all = append(all, s)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no story")
	}
	return all, nil
}

// Score is how a hunt did.
type Score struct {
	Hunt     string   `json:"hunt"`
	Planted  int      `json:"planted"`  // what it had to find
	Found    int      `json:"found"`    // and did
	Findings int      `json:"findings"` // of it in all
	True     int      `json:"true"`     // that cite an activity of a story, of whichever
	Missed   []string `json:"missed"`   // stories, by name
	Days     float64  `json:"days"`     // of the window
}

// Recall is the part that was found of what had to be; ok is false where there
// was nothing.
func (s Score) Recall() (part float64, ok bool) {
	return float64(s.Found) / float64(max(s.Planted, 1)), s.Planted > 0
}

// Precision is the part of its findings that are true; ok is false where it has
// none.
func (s Score) Precision() (part float64, ok bool) {
	return float64(s.True) / float64(max(s.Findings, 1)), s.Findings > 0
}

// NoiseADay are its findings of nothing, for each day of the window.
func (s Score) NoiseADay() float64 {
	if s.Days == 0 {
		return 0
	}
	return float64(s.Findings-s.True) / s.Days
}

// Add takes another run of the same hunt into the score.
func (s *Score) Add(o Score) {
	s.Planted, s.Found, s.Findings, s.True, s.Days = s.Planted+o.Planted, s.Found+o.Found, s.Findings+o.Findings, s.True+o.True, s.Days+o.Days
	s.Missed = append(s.Missed, o.Missed...)
}

// Judge holds the findings against what happened. Hunts that did not run have no
// score.
func (f *Findings) Judge(ctx context.Context, truth []Story) ([]Score, error) {
	scores := map[string]*Score{}
	var order []string
	for _, o := range f.Outcomes {
		name := o.Plan.Hunt.Name
		scores[name] = &Score{Hunt: name, Missed: []string{}, Days: o.Plan.Until.Sub(o.Plan.Since).Hours() / 24}
		order = append(order, name)
	}
	type piece struct {
		of    int
		users []string
		found bool
	}
	happened := map[string]bool{} // activities of stories
	pieces := map[string][]*piece{}
	byID := map[string][]*piece{} // hunt and activity
	for n, s := range truth {
		for _, id := range s.Records {
			happened[id] = true
		}
		for _, e := range s.Evidence {
			p := &piece{of: n, users: e.Users}
			pieces[e.Hunt] = append(pieces[e.Hunt], p)
			for _, id := range e.IDs {
				byID[e.Hunt+"\x00"+id] = append(byID[e.Hunt+"\x00"+id], p)
				happened[id] = true
			}
		}
	}
	rows, err := f.Rows(ctx, false)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	err = query.EachOf(ctx, rows, func(one struct {
		Hunt  string
		User  string   `json:"user_name"`
		Cites []string `json:"activity_ids"`
	}) error {
		s := scores[one.Hunt]
		s.Findings++
		real := false
		for _, id := range one.Cites {
			real = real || happened[id]
			for _, p := range byID[one.Hunt+"\x00"+id] {
				if len(p.users) == 0 || slices.ContainsFunc(p.users, func(u string) bool { return strings.EqualFold(u, one.User) }) {
					p.found = true
				}
			}
		}
		if real {
			s.True++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Score
	for _, name := range order {
		s := scores[name]
		for _, p := range pieces[name] {
			s.Planted++
			if p.found {
				s.Found++
			} else {
				s.Missed = append(s.Missed, truth[p.of].Name)
			}
		}
		all = append(all, *s)
	}
	return all, nil
}

// ScoreTable is scores in Markdown.
func ScoreTable(scores []Score) string {
	var b strings.Builder
	b.WriteString("| hunt | planted | found | recall | findings | true | precision | false a day |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	part := func(v float64, ok bool) string {
		if !ok {
			return ""
		}
		return fmt.Sprintf("%.2f", v)
	}
	for _, s := range scores {
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %d | %d | %s | %.2f |\n", s.Hunt, s.Planted, s.Found, part(s.Recall()), s.Findings, s.True, part(s.Precision()), s.NoiseADay())
	}
	return b.String()
}
