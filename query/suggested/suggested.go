// Package suggested has the questions that the portal's activity log suggests, and
// the ways that lead from one of its rows to others: what an analyst is used to
// click there. The portal's names of both are in the documentation of Defender for
// Cloud Apps, "Activity filters and queries"
// (learn.microsoft.com/defender-cloud-apps/activity-filters-queries). Which
// activities belong to a query is ours to say, and stands in its SQL.
package suggested

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed queries/*.sql
var files embed.FS

// Query is a question with the parameters $since and $until.
type Query struct {
	Name  string
	About string // a sentence, or two
	SQL   string
}

// Queries are all of them, by name. An error is one of the program itself.
var Queries = sync.OnceValues(func() ([]Query, error) {
	entries, err := files.ReadDir("queries")
	if err != nil {
		return nil, err
	}
	var all []Query
	for _, e := range entries {
		text, err := files.ReadFile("queries/" + e.Name())
		if err != nil {
			return nil, err
		}
		q := Query{Name: strings.TrimSuffix(e.Name(), ".sql")}
		var about []string
		rest := string(text)
		for {
			line, more, _ := strings.Cut(rest, "\n")
			comment, ok := strings.CutPrefix(line, "-- ")
			if !ok {
				break
			}
			about, rest = append(about, comment), more
		}
		q.About, q.SQL = strings.Join(about, " "), strings.TrimRight(rest, ";\n")
		all = append(all, q)
	}
	return all, nil
})

// Find is the query of a name.
func Find(name string) (Query, error) {
	all, err := Queries()
	if err != nil {
		return Query{}, err
	}
	i := slices.IndexFunc(all, func(q Query) bool { return q.Name == name })
	if i < 0 {
		return Query{}, fmt.Errorf("there is no suggested query %q", name)
	}
	return all[i], nil
}
