package simulator

import (
	"fmt"
	"slices"
)

// ignores says whether a filter is among those that are accepted and not
// applied. A former name counts as the present one.
func (p Paging) ignores(field string) bool {
	if len(p.Ignore) == 0 {
		return false
	}
	return slices.Contains(p.Ignore, field) || slices.Contains(p.Ignore, oldNames[field])
}

func (p Paging) check() error {
	for _, name := range p.Ignore {
		if operators[name] == "" {
			return fmt.Errorf("filter %q cannot be ignored: the API has none of that name", name)
		}
	}
	if p.CountCap < 0 {
		return fmt.Errorf("the cap of a count must not be negative, got %d; 0 means none", p.CountCap)
	}
	return nil
}

// keepPlace makes a scan proceed whose sort field is ignored: of the filters
// that come back as a cursor, the moved bound is applied all the same, and it
// alone. A server that ignored that too would give its first page for ever.
func (q *query) keepPlace() error {
	members, _ := parseMembers(q.filters) // parsed before
	for _, m := range members {
		if m.key != q.field() {
			continue
		}
		ops, err := parseMembers(m.value)
		if err != nil {
			return err
		}
		for _, o := range ops {
			if o.key == q.bound() {
				return q.span().add(o.key, o.value, q.now)
			}
		}
	}
	return nil
}
