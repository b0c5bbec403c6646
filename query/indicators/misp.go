package indicators

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// MISP's JSON: an event ({"Event": ...}), the answers of its searches for events and
// for attributes ({"response": ...}), and lists of those. An attribute counts from
// its first_seen to its last_seen; those that it lacks are its object's.

type mispEvent struct {
	UUID      text            `json:"uuid"`
	ID        text            `json:"id"`
	Info      text            `json:"info"`
	Attribute []mispAttribute `json:"Attribute"`
	Object    []mispObject    `json:"Object"`
}

type mispObject struct {
	FirstSeen text            `json:"first_seen"`
	LastSeen  text            `json:"last_seen"`
	Deleted   flag            `json:"deleted"`
	Attribute []mispAttribute `json:"Attribute"`
}

type mispAttribute struct {
	UUID      text       `json:"uuid"`
	Type      text       `json:"type"`
	Value     text       `json:"value"`
	ToIDs     flag       `json:"to_ids"`
	Deleted   flag       `json:"deleted"`
	Comment   text       `json:"comment"`
	FirstSeen text       `json:"first_seen"`
	LastSeen  text       `json:"last_seen"`
	EventID   text       `json:"event_id"`
	Event     *mispEvent `json:"Event"`
}

// mispTypes are the types whose value has one part, and not the name of its kind.
var mispTypes = map[string]Kind{
	"ip-src": IP, "ip-dst": IP, "domain": Domain, "hostname": Domain, "url": URL, "uri": URL, "link": URL,
	"email": Email, "email-src": Email, "email-dst": Email, "email-reply-to": Email, "eppn": Email, "whois-registrant-email": Email,
	"user-agent": UserAgent, "filename": FileName, "attachment": FileName, "email-attachment": FileName,
	"md5": Hash, "sha1": Hash, "sha256": Hash,
}

// mispPairs are the kinds of the two parts of a composite type; "": a part that
// activities do not have.
var mispPairs = map[string][2]Kind{
	"ip-src|port": {IP}, "ip-dst|port": {IP}, "hostname|port": {Domain}, "domain|ip": {Domain, IP},
	"filename|md5": {FileName, Hash}, "filename|sha1": {FileName, Hash}, "filename|sha256": {FileName, Hash}, "malware-sample": {FileName, Hash},
}

func (s *Set) readMISP(name string, b []byte, o Options) error {
	m := misp{set: s, name: name, options: o}
	return m.any(b, 0)
}

type misp struct {
	set     *Set
	name    string
	options Options
}

// any reads what may be an event, an attribute, or a list of either.
func (m misp) any(b json.RawMessage, depth int) error {
	if depth > 8 {
		return fmt.Errorf("its lists lie too deep in one another")
	}
	if len(b) > 0 && b[0] == '[' {
		var list []json.RawMessage
		if err := unmarshal(b, &list); err != nil {
			return err
		}
		for _, of := range list {
			if err := m.any(of, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	var of struct {
		mispEvent
		Event    json.RawMessage
		Response json.RawMessage `json:"response"`
		Type     text            `json:"type"`
	}
	if err := unmarshal(b, &of); err != nil {
		return err
	}
	switch {
	case of.Response != nil:
		return m.any(of.Response, depth+1)
	case of.Type != "" && of.Attribute == nil: // an attribute by itself, whose event may lie in it
		var a mispAttribute
		if err := unmarshal(b, &a); err != nil {
			return err
		}
		m.attribute(a, mispEvent{}, mispObject{})
	case len(of.Event) > 0 && of.Event[0] == '{':
		var e mispEvent
		if err := unmarshal(of.Event, &e); err != nil {
			return err
		}
		m.event(e)
	default:
		m.event(of.mispEvent)
	}
	return nil
}

func (m misp) event(e mispEvent) {
	for _, a := range e.Attribute {
		m.attribute(a, e, mispObject{})
	}
	for _, o := range e.Object {
		for _, a := range o.Attribute {
			m.attribute(a, e, o)
		}
	}
}

func (m misp) attribute(a mispAttribute, e mispEvent, o mispObject) {
	typ := strings.ToLower(strings.TrimSpace(string(a.Type)))
	if a.Event != nil {
		e = *a.Event
	}
	place := m.name
	if id := cmp.Or(e.UUID, e.ID, a.EventID); id != "" {
		place += " event " + string(id)
	}
	if a.UUID != "" {
		place += " attribute " + string(a.UUID)
	}
	place = shortened(place)
	one, single := mispTypes[typ]
	pair, composite := mispPairs[typ]
	switch {
	case bool(a.Deleted || o.Deleted):
		m.set.leaveOut("deleted in MISP")
		return
	case !bool(a.ToIDs) && !m.options.AllAttributes:
		m.set.leaveOut("not meant for detection (to_ids is not set; --all-attributes takes them)")
		return
	case !single && !composite:
		m.set.leaveOut(fmt.Sprintf("of the type %s, which activities do not have", cmp.Or(shortened(typ), "(none)")))
		return
	}
	span, err := mispSpan(cmp.Or(a.FirstSeen, o.FirstSeen), cmp.Or(a.LastSeen, o.LastSeen))
	if err != nil {
		m.set.Refused = append(m.set.Refused, Refusal{place, string(a.Value), err.Error()})
		return
	}
	f := finding{place: place, comment: string(cmp.Or(a.Comment, e.Info)), span: span}
	if single {
		f.text, f.kind = string(a.Value), one
		m.set.add(f)
		return
	}
	// A file's name may have bars, a hash has none.
	first, second, _ := strings.Cut(string(a.Value), "|")
	if i := strings.LastIndexByte(string(a.Value), '|'); pair[0] == FileName && i >= 0 {
		first, second = string(a.Value[:i]), string(a.Value[i+1:])
	}
	f.text, f.kind = first, pair[0]
	m.set.add(f)
	if pair[1] != "" {
		f.text, f.kind = second, pair[1]
		m.set.add(f)
	}
}

// mispSpan: last_seen is a moment at which it was still seen.
func mispSpan(first, last text) (span Span, err error) {
	if span.Since, err = moment(first); err != nil {
		return span, fmt.Errorf("first_seen: %w", err)
	}
	if span.Until, err = moment(last); err != nil {
		return span, fmt.Errorf("last_seen: %w", err)
	}
	if !span.Until.IsZero() {
		span.Until = span.Until.Add(time.Microsecond)
	}
	return span, nil
}
