package query

import (
	"fmt"
	"path"
	"strings"

	"mdcalake/store"
)

// files are the files that a statement reads, by table; every table of
// lakeTables has an entry, perhaps an empty one.
type files map[*lakeTable][]store.File

// chooseFiles is the one place where it is decided which files a statement
// opens. Today: all of each table that it can name. A plan of the statement
// (bound on the templates, between the guard and this) will leave out those
// whose bounds and index entries exclude its filters; the rule stays that
// whatever is not understood keeps its files.
func chooseFiles(s *store.Snapshot, q *question) (files, error) {
	chosen := files{}
	for _, t := range lakeTables {
		if !q.reads(t.name) {
			chosen[t] = nil
			continue
		}
		chosen[t] = t.files(s)
		for _, f := range chosen[t] {
			if err := t.checkPath(f); err != nil {
				return nil, err
			}
		}
	}
	return chosen, nil
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
