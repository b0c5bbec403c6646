package query

import (
	"fmt"
	"time"

	"mdcalake/store"
)

// The tables of a snapshot of the past (store.Lake.AsOf). Its files are
// today's, so the views leave out what came later, and what was current then
// and has been replaced since comes from the files of revisions.

// reachBack adds what a statement needs besides the tables that it names.
func (q *question) reachBack(s *store.Snapshot) {
	if !s.AsOf.IsZero() && q.tree.sees("activities") {
		q.tree.tables["revisions"] = true
	}
}

// checkPast refuses the table that a snapshot of the past does not have.
func (q *question) checkPast(s *store.Snapshot) error {
	if s.QuarantineLifted && q.tree.tables["quarantine"] {
		return q.refuse(-1, "the table quarantine as of "+s.AsOf.Format(time.RFC3339Nano)+" cannot be told: records have been lifted out of it since, and are rows of activities now",
			"ask for it without --as-of, or for a time behind 'mdcalake quarantine retry'; the other tables can be asked as of then")
	}
	return nil
}

// asOf is how the view of a table leaves out what came after t.
func (t *lakeTable) asOf(at time.Time) string {
	instant := quoteMoment(at)
	switch t.name {
	case "activities":
		revisions := tableNamed("revisions")
		return fmt.Sprintf(" WHERE f.ingested <= %s UNION ALL SELECT %s FROM %s AS f WHERE f.ingested <= %s AND f.replaced > %s",
			instant, t.selectList(), revisions.source(), instant, instant)
	case "revisions":
		return " WHERE f.replaced <= " + instant
	default:
		return " WHERE f.first_seen <= " + instant
	}
}

func tableNamed(name string) *lakeTable {
	for _, t := range lakeTables {
		if t.name == name {
			return t
		}
	}
	return nil
}
