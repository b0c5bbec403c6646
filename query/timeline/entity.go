package timeline

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"mdcalake/query"
)

// Kind is what an entity is.
type Kind string

// The kinds.
const (
	User    Kind = "user"    // by user_name, actor_name or actor_id, of any case
	Address Kind = "ip"      // by ip or other_ips: an address or a range
	Object  Kind = "object"  // by object_id, or id or name of one of objects, of any case
	Session Kind = "session" // by session_id
)

// Entity is whose story is told.
type Entity struct {
	Kind  Kind
	Value string
	// Like: a part of the id or name is enough, and not the whole (Object only).
	Like bool
}

// Check says what is wrong with it.
func (e Entity) Check() error {
	switch {
	case strings.TrimSpace(e.Value) == "":
		return fmt.Errorf("the %s is empty", e.Kind)
	case e.Like && e.Kind != Object:
		return errors.New("only an object can be found by a part of its name")
	case e.Kind == Address:
		_, err := netip.ParsePrefix(e.Value)
		if _, err2 := netip.ParseAddr(e.Value); err != nil && err2 != nil {
			return fmt.Errorf("%q is neither an address nor a range such as 203.0.113.0/24", e.Value)
		}
	}
	return nil
}

func (e Entity) String() string {
	if e.Like {
		return "objects like " + e.Value
	}
	return string(e.Kind) + " " + e.Value
}

// An activity is the entity's by columns that the value index knows, for which
// pruning opens only the files that may hold the value, or by others, for which
// it would open all. So the others are looked at alone first, in few columns:
// which days and services have an activity that only they find. These go into the
// condition, and the wide read is pruned by both.

// indexed is the condition over columns of the index; empty: there is none.
func (e Entity) indexed() string {
	value := "lower(" + string(query.Text(e.Value)) + ")"
	switch {
	case e.Kind == User:
		return "(lower(user_name) = " + value + " OR lower(actor_id) = " + value + ")"
	case e.Kind == Address && !e.isRange():
		return "lower(ip) = " + value
	case e.Kind == Object && !e.Like:
		return "lower(object_id) = " + value
	case e.Kind == Session:
		return "lower(session_id) = " + value
	}
	return ""
}

// others is the condition over columns that the index does not know; empty: all
// that there is to find is found by indexed. An address has several spellings,
// of which the index finds the one that is given.
func (e Entity) others() string {
	value := "lower(" + string(query.Text(e.Value)) + ")"
	switch e.Kind {
	case User:
		return "lower(actor_name) = " + value
	case Address:
		ranges := string(query.List([]string{e.Value}))
		return "(ip_in(ip, " + ranges + ") OR len(list_filter(other_ips, lambda a: ip_in(a, " + ranges + "))) > 0)"
	case Object:
		found := func(x string) string { return "lower(" + x + ") = " + value }
		if e.Like {
			found = func(x string) string { return "contains(lower(" + x + "), " + value + ")" }
		}
		either := "len(list_filter(objects, lambda o: coalesce(" + found("o.id") + ", false) OR coalesce(" + found("o.name") + ", false))) > 0"
		if e.Like {
			either = found("object_id") + " OR " + either
		}
		return "(" + either + ")"
	}
	return ""
}

func (e Entity) isRange() bool { return strings.Contains(e.Value, "/") }

// cells are days and services.
type cells struct {
	days     []string // 2026-11-19
	services []int64
}

func (c cells) condition() string {
	days := make([]string, len(c.days))
	for i, d := range c.days {
		days[i] = "DATE " + string(query.Text(d))
	}
	services := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(c.services)), ", "), "[]")
	return "date IN (" + strings.Join(days, ", ") + ") AND service IN (" + services + ")"
}

// condition is that an activity is the entity's; others are the cells where its
// others condition finds what indexed does not.
func (e Entity) condition(others cells) string {
	condition := e.indexed()
	if len(others.days) > 0 {
		rest := "(" + e.others() + " AND " + others.condition() + ")"
		if condition == "" {
			return rest
		}
		return "(" + condition + " OR " + rest + ")"
	}
	if condition == "" {
		return "false"
	}
	return condition
}

// cellsStatement finds those cells in a stretch of time.
func (e Entity) cellsStatement(within string) string {
	condition := e.others()
	if indexed := e.indexed(); indexed != "" {
		condition += " AND NOT coalesce(" + indexed + ", false)"
	}
	return "SELECT DISTINCT date, service FROM activities WHERE " + within + " AND " + condition
}
