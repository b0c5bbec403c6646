// Package querytest asks what mdcalake is asked, with DuckDB alone: over the same
// files found by a glob, and over the records as they came. Tests hold the
// answers against ours, the benchmark the times.
package querytest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mdcalake/query"
)

// Question is one of testdata/questions.
type Question struct {
	Path, Name, Finds, SQL string
}

// WholeLake are the questions that need every file, and no other does.
var WholeLake = []string{"back-after-silence", "first-seen-countries", "rare-actions", "text-in-raw"}

// ReadQuestions reads those of a folder, in the order of their names.
func ReadQuestions(folder string) ([]Question, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.sql"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("there are no questions (*.sql) in %q (%v)", folder, err)
	}
	var list []Question
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		finds, ok := strings.CutPrefix(first, "-- ")
		if !ok {
			return nil, fmt.Errorf("question %s does not say what it finds: its first line is no comment", path)
		}
		list = append(list, Question{Path: path, Name: strings.TrimSuffix(filepath.Base(path), ".sql"), Finds: finds, SQL: string(text)})
	}
	return list, nil
}

// Flags give a question's parameters their values, for mdcalake query.
func (q Question) Flags(values map[string]string) (flags []string) {
	for _, name := range query.Parameters(q.SQL) {
		flags = append(flags, "-p", name+"="+values[name])
	}
	return flags
}

// Args do the same for DuckDB's driver.
func (q Question) Args(values map[string]string) (args []any) {
	for _, name := range query.Parameters(q.SQL) {
		args = append(args, sql.Named(name, values[name]))
	}
	return args
}

// FindValues looks for values of the parameters that a lake has: the busiest
// user of a day, an address and a file that are seen on a few days, as what is
// hunted for is, an activity of many, and the week around an attack.
func FindValues(ctx context.Context, d DuckDB, attack time.Time) (map[string]string, error) {
	values := map[string]string{
		"since": attack.AddDate(0, 0, -3).Format(time.DateOnly),
		"until": attack.AddDate(0, 0, 4).Format(time.DateOnly),
	}
	for names, statement := range map[string]string{
		"user day": "SELECT user_name, date::VARCHAR FROM activities WHERE user_name IS NOT NULL GROUP BY user_name, date ORDER BY count(*) DESC, date, user_name LIMIT 1",
		"ip":       "SELECT ip FROM activities WHERE ip IS NOT NULL GROUP BY ip HAVING count(DISTINCT date) BETWEEN 2 AND 7 ORDER BY count(*) DESC, ip LIMIT 1",
		"object":   "SELECT object_id FROM activities WHERE object_id IS NOT NULL GROUP BY object_id HAVING count(DISTINCT date) BETWEEN 2 AND 7 ORDER BY count(*) DESC, object_id LIMIT 1",
		"id":       "SELECT activity_id FROM activities ORDER BY content_hash, activity_id LIMIT 1",
	} {
		answer, err := d.Ask(ctx, statement)
		if err != nil {
			return nil, err
		}
		if len(answer.Rows) != 1 {
			return nil, fmt.Errorf("the lake has no %s to ask for", names)
		}
		for n, name := range strings.Fields(names) {
			values[name] = answer.Rows[0][n].(string)
		}
	}
	return values, nil
}
