package simulator

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
)

// facts are the values of one record by the name of the filter that reads
// them. Numbers and flags are text; an absent name has no value.
type facts map[string][]string

// readFacts takes a record apart. A row that is no object has no facts.
func readFacts(record []byte) facts {
	dec := json.NewDecoder(bytes.NewReader(record))
	dec.UseNumber()
	var top map[string]any
	if dec.Decode(&top) != nil {
		return facts{}
	}
	f := facts{}
	add := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				f[name] = append(f[name], v)
			}
		}
	}
	add("service", textOf(top["appId"]))
	add("instance", textOf(at(top, "resolvedActor", "instanceId")))
	user := textOf(at(top, "user", "userName"))
	if user == "" {
		user = textOf(at(top, "failedUserData", "userName"))
	}
	add("user.username", user)
	add("user.domain", domainOf(user))
	add("user.tags", listOf(at(top, "user", "userTags"))...)
	op := textOf(at(top, "mainInfo", "rawOperationName"))
	value := textOf(top["eventTypeValue"])
	add("actionType", actionTypes(op, textOf(at(top, "mainInfo", "prettyOperationName")), textOf(top["appId"]), value)...)
	add("activity.eventActionType", textOf(top["eventTypeName"]), value)
	add("activity.id", textOf(top["_id"]))
	add("activity.type", either(textOf(at(top, "eventRouting", "adminEvent")) == "true", "true", "false"))
	add("activity.impersonated", "false")
	add("activity.takenAction", listOf(top["performedActionNamesSet"])...)
	add("device.type", textOf(at(top, "userAgent", "deviceType")))
	add("userAgent.userAgent", textOf(at(top, "device", "userAgent")))
	add("userAgent.tags", listOf(at(top, "userAgent", "tags"))...)
	if c := textOf(at(top, "location", "countryCode")); c != "--" {
		add("location.country", c)
	}
	add("location.organizations", textOf(at(top, "location", "organizationSearchable")))
	add("ip.address", textOf(at(top, "device", "clientIP")))
	add("ip.category", textOf(at(top, "location", "category")))
	add("ip.tags", listOf(at(top, "location", "ipTags"))...)
	add("office365url", textOf(at(top, "rawDataJson", "ObjectId")))
	add("policy", listOf(top["matchingRules"])...)
	add("source", textOf(top["source"]))
	f.objects(top)
	add("text", textOf(top["description"]), user, op)
	return f
}

// objects reads what an activity was done to and by.
func (f facts) objects(top map[string]any) {
	objects, _ := at(top, "mainInfo", "eventObjects").([]any)
	for _, o := range objects {
		m, _ := o.(map[string]any)
		id, name := textOf(m["id"]), textOf(m["name"])
		for _, v := range []string{id, name} {
			if v != "" {
				f["activityObject"] = append(f["activityObject"], v)
				f["text"] = append(f["text"], v)
			}
		}
		if id == "" {
			continue
		}
		f["entity"] = append(f["entity"], id)
		if textOf(m["serviceObjectType"]) == "File" {
			f["fileId"] = append(f["fileId"], id)
			f["fileSelector"] = append(f["fileSelector"], id, name)
		}
	}
}

// actionTypes are the forms in which clients ask for an operation.
func actionTypes(op, pretty, appID, value string) []string {
	if op == "" {
		return nil
	}
	list := []string{op, appID + ":" + value + ":" + op}
	if pretty != op && pretty != "" {
		list = append(list, pretty)
	}
	return list
}

func domainOf(user string) string {
	if i := strings.LastIndexByte(user, '@'); i >= 0 {
		return strings.ToLower(user[i+1:])
	}
	return ""
}

func at(v any, path ...string) any {
	for _, k := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func listOf(v any) []string {
	list, ok := v.([]any)
	if !ok {
		if s := textOf(v); s != "" {
			return []string{s}
		}
		return nil
	}
	var texts []string
	for _, e := range list {
		if s := textOf(e); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// fact answers from a sketch alone, for the filters that are used most; ok is
// false where only the finished record knows.
func (d *draft) fact(name string) (values []string, ok bool) {
	if d.bad != 0 {
		return nil, false
	}
	one := func(s string) ([]string, bool) {
		if s == "" {
			return nil, true
		}
		return []string{s}, true
	}
	user := d.username()
	if d.odd == oddUserNull {
		user = ""
	}
	switch name {
	case "service":
		return one(strconv.FormatInt(d.app.id, 10))
	case "user.username":
		return one(user)
	case "user.domain":
		return one(domainOf(user))
	case "user.tags":
		if d.odd == oddUserNull {
			return nil, true
		}
		return d.who.tagList, true
	case "actionType":
		return actionTypes(d.act.op, "", strconv.FormatInt(d.app.id, 10), d.act.value), true
	case "activity.eventActionType":
		return []string{"EVENT_CATEGORY_" + d.act.name, d.act.value}, true
	case "activity.id":
		return one(d.makeID())
	case "activity.type":
		return one(strconv.FormatBool(d.act.admin))
	case "device.type":
		return one(d.tool.device)
	case "userAgent.userAgent":
		return one(d.agentText())
	case "userAgent.tags":
		return d.tool.tags, true
	case "ip.address":
		return one(d.ip())
	case "source":
		return one(strconv.Itoa(d.source()))
	}
	if !strings.HasPrefix(name, "location.") && !strings.HasPrefix(name, "ip.") {
		return nil, false
	}
	if d.odd == oddNoLocation {
		return nil, true
	}
	switch name {
	case "location.country":
		if d.country() == "--" {
			return nil, true
		}
		return one(d.country())
	case "location.organizations":
		return one(d.net.isp)
	case "ip.category":
		return one(strconv.Itoa(d.net.category))
	case "ip.tags":
		return d.net.tags, true
	}
	return nil, false
}

// sameAddress compares addresses by value where both are addresses.
func sameAddress(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX == nil && errY == nil {
		return x == y
	}
	return strings.EqualFold(a, b)
}
