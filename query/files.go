package query

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"mdcalake/store"
)

// files are the files that a statement reads, by table. A table that is not
// there, or has none, is empty.
type files map[*lakeTable][]store.File

// paths are a table's files as DuckDB is to read them.
func (f files) paths(t *lakeTable) []string {
	paths := make([]string, len(f[t]))
	for i, file := range f[t] {
		paths[i] = filepath.FromSlash(file.Path)
	}
	return paths
}

// choice is what a statement opens, and why.
type choice struct {
	files   files
	pruning Pruning
	asked   []asked // one for each scan of activities
	refused bool    // DuckDB does not plan the statement
}

// choose is the one place where it is decided which files a statement opens.
// It is called on the templates and in the statement's transaction.
func (e *Engine) choose(ctx context.Context, in *instance, q *question) (choice, error) {
	c := choice{files: files{}}
	if !q.readsFiles() {
		c.pruning.Planned = true
		return c, nil
	}
	found, err := e.scansOf(ctx, in, q)
	if err != nil && !errors.Is(err, errPlan) {
		return c, err
	}
	c.pruning.Planned = err == nil
	if err != nil {
		c.pruning.Why = strings.TrimPrefix(err.Error(), errPlan.Error()+": ")
		c.refused = errors.Is(err, errNotPlanned)
	}
	var values valueSource
	if e.values != nil && e.values.Useful() {
		values = e.values
	}
	c.pruning.Index = e.noValues
	for _, t := range lakeTables {
		filters, scanned := found[t]
		if !q.reads(t.name) && !scanned {
			continue
		}
		if !c.pruning.Planned {
			filters = []*filter{open}
		}
		chosen, p, err := prune(t, t.files(e.snapshot), filters, values)
		if err != nil {
			c.pruning.Index = err.Error()
		}
		for _, f := range chosen {
			if err := t.checkPath(f); err != nil {
				return c, err
			}
		}
		c.files[t] = chosen
		c.pruning.Tables = append(c.pruning.Tables, p)
		if t.keys {
			for _, f := range filters {
				c.asked = append(c.asked, asked{times: f.times(), services: f.services()})
			}
		}
	}
	return c, nil
}

// scansOf are the scans that the statement's plan has.
func (e *Engine) scansOf(ctx context.Context, in *instance, q *question) (scans, error) {
	answer, err := e.plan(ctx, in, q.plan)
	if err != nil {
		return nil, err
	}
	tables := map[string]*lakeTable{}
	for _, t := range lakeTables {
		if q.tree.sees(t.name) {
			tpl, err := e.template(t)
			if err != nil {
				return nil, err
			}
			tables[tpl.path] = t
		}
	}
	var stages []string
	for _, t := range e.staged() {
		stages = append(stages, t.path)
	}
	return readPlan(answer, tables, stages, q.plan)
}

// readsFiles says whether it may read any table that lies in files.
func (q *question) readsFiles() bool {
	for _, t := range lakeTables {
		if q.reads(t.name) {
			return true
		}
	}
	return false
}

// checkPath refuses names that DuckDB would not take for what they are: as a
// pattern, as a path elsewhere, or as one with keys of its own. Ours have none
// of that; another writer's could.
func (t *lakeTable) checkPath(f store.File) error {
	fail := func(why string) error {
		return fmt.Errorf("read %s file %q: %s: run mdcalake verify", t.name, f.Path, why)
	}
	if f.Path == "" || f.Path != path.Clean(f.Path) || path.IsAbs(f.Path) || strings.HasPrefix(f.Path, "..") {
		return fail("the log must name a path inside the lake")
	}
	if strings.ContainsAny(f.Path, "*?[\\\x00") {
		return fail("its name would be read as a pattern")
	}
	if !strings.HasPrefix(f.Path, t.name+"/") {
		return fail("it does not lie below " + t.name + "/")
	}
	dir := strings.TrimPrefix(path.Dir(f.Path), t.name)
	switch {
	case t.keys && strings.TrimPrefix(dir, "/") != f.Partition.Dir():
		return fail("it does not lie in " + f.Partition.Dir())
	case !t.keys && strings.Contains(dir, "="):
		return fail("its directory would be read as a column")
	}
	return nil
}
