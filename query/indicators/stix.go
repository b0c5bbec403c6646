package indicators

import (
	"cmp"
	"fmt"
	"strings"
)

// STIX 2.1: the indicators of a bundle. One counts from valid_from to before
// valid_until; a revoked one does not count. What else a bundle has (malware,
// relationships) is no indicator and is passed over.

type stixObject struct {
	Type        text `json:"type"`
	ID          text `json:"id"`
	Name        text `json:"name"`
	Description text `json:"description"`
	Pattern     text `json:"pattern"`
	PatternType text `json:"pattern_type"`
	ValidFrom   text `json:"valid_from"`
	ValidUntil  text `json:"valid_until"`
	Revoked     flag `json:"revoked"`
}

func (s *Set) readSTIX(name string, objects []jsonRawMessage) error {
	for n, b := range objects {
		var o stixObject
		if err := unmarshal(b, &o); err != nil {
			s.Refused = append(s.Refused, Refusal{fmt.Sprintf("%s object %d", name, n+1), shortened(string(b)), "it is no object: " + err.Error()})
			continue
		}
		if o.Type == "indicator" {
			s.stix(name, o)
		}
	}
	return nil
}

func (s *Set) stix(name string, o stixObject) {
	place := shortened(strings.TrimSpace(name + " " + string(o.ID)))
	refuse := func(why string) { s.Refused = append(s.Refused, Refusal{place, string(o.Pattern), why}) }
	if o.Revoked {
		s.leaveOut("revoked in STIX")
		return
	}
	if o.PatternType != "" && o.PatternType != "stix" {
		refuse(fmt.Sprintf("its pattern is in the language %s, and only that of STIX is read", shortened(string(o.PatternType))))
		return
	}
	var span Span
	var err error
	if span.Since, err = moment(o.ValidFrom); err != nil {
		refuse("valid_from: " + err.Error())
		return
	}
	if span.Until, err = moment(o.ValidUntil); err != nil {
		refuse("valid_until: " + err.Error())
		return
	}
	terms, err := parsePattern(string(o.Pattern))
	if err != nil {
		refuse(err.Error())
		return
	}
	for _, t := range terms {
		s.add(finding{text: t.value, kind: t.kind, place: place, comment: string(cmp.Or(o.Name, o.Description)), span: span})
	}
}
