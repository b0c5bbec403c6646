package suggested

import (
	"fmt"
	"strings"
	"time"

	"mdcalake/query"
)

// Way is what other rows have in common with one.
type Way string

// The ways. By all of them but Near the rows of the whole lake are found, unless
// a window is given.
const (
	SameType  Way = "type"  // the same action in the same app
	SameUser  Way = "user"  //
	SameIP    Way = "ip"    //
	SamePlace Way = "place" // the same city, where it is known, and country
	Near      Way = "time"  // within a time before and after, whoever did it
)

// Ways are all of them.
var Ways = []Way{SameType, SameUser, SameIP, SamePlace, Near}

// DefaultWithin is how far Near looks, before and after.
const DefaultWithin = 48 * time.Hour

// Row is the activity that a pivot begins from. What it has not is "".
type Row struct {
	ID        string    `json:"activity_id"`
	Timestamp time.Time `json:"timestamp"`
	Service   int64     `json:"service"`
	Action    string    `json:"action"`
	EventType string    `json:"event_type_value"`
	User      string    `json:"user_name"`
	IP        string    `json:"ip"`
	Country   string    `json:"country"`
	City      string    `json:"city"`
}

// RowSQL asks for the row of an activity.
func RowSQL(id string) string {
	return "SELECT activity_id, timestamp, service, action, event_type_value, user_name, ip, country, city FROM activities WHERE activity_id = " + string(query.Text(id))
}

// SQL asks for the rows that have it in common with r, in the order of time,
// within [since, until); zero: open. An error says what r lacks.
func (w Way) SQL(r Row, since, until time.Time, within time.Duration) (string, error) {
	var all []string
	text := func(name, value string) {
		all = append(all, name+" = "+string(query.Text(value)))
	}
	lacks := func(what string) (string, error) {
		return "", fmt.Errorf("the activity %q has no %s", r.ID, what)
	}
	switch w {
	case SameType:
		all = append(all, fmt.Sprintf("service = %d", r.Service))
		switch {
		case r.Action != "":
			text("action", r.Action)
		case r.EventType != "":
			text("event_type_value", r.EventType)
		default:
			return lacks("action and no event type")
		}
	case SameUser:
		if r.User == "" {
			return lacks("user")
		}
		text("lower(user_name)", strings.ToLower(r.User))
	case SameIP:
		if r.IP == "" {
			return lacks("address")
		}
		text("ip", r.IP)
	case SamePlace:
		if r.Country == "" || r.Country == "--" {
			return lacks("place")
		}
		text("country", r.Country)
		if r.City != "" {
			text("lower(city)", strings.ToLower(r.City))
		}
	case Near:
		all = append(all, "timestamp >= "+string(query.Moment(r.Timestamp.Add(-within))), "timestamp <= "+string(query.Moment(r.Timestamp.Add(within))))
	default:
		return "", fmt.Errorf("there is no way %q to other rows", w)
	}
	if !since.IsZero() {
		all = append(all, "timestamp >= "+string(query.Moment(since)))
	}
	if !until.IsZero() {
		all = append(all, "timestamp < "+string(query.Moment(until)))
	}
	return "SELECT timestamp, user_name, ip, country, city, app_name, action, description, activity_id FROM activities WHERE " +
		strings.Join(all, " AND ") + " ORDER BY timestamp, activity_id", nil
}
