package simulator

import "strconv"

// Numbers of objType and role in mainInfo.eventObjects.
const (
	typeStructured = 1
	typeRawAccount = 2
	typeService    = 6
	typeParameter  = 7
	typeAccount    = 21
	typeStray      = 22 // account that could not be resolved
	typeUser       = 23

	roleService   = 1
	roleActor     = 2
	roleParameter = 3
	roleAuditor   = 4
	roleAffected  = 5
)

func (d *draft) mainInfo(o *out) {
	o.obj("mainInfo")
	o.arr("eventObjects")
	d.subject(o)
	d.accounts(o)
	if d.odd == oddDeepUnknown {
		o.elem()
		o.int("objType", 99)
		o.int("role", 17)
		o.raw("governance", `{"state":null,"":[]}`)
		o.end()
	}
	o.stop()
	o.str("rawOperationName", d.act.op)
	o.str("prettyOperationName", d.act.op)
	o.str("type", d.act.main)
	if d.act.feed == feedSignIn || d.act.main == "run" {
		o.obj("activityResult")
		o.bool("isSuccess", !d.act.failed)
		if d.result != "" {
			o.str("message", d.result)
		}
		o.end()
	}
	o.end()
}

func object(o *out, typ, role int64, id, name, kind string) {
	o.elem()
	o.int("objType", typ)
	o.int("role", role)
	o.b = append(o.b, `"tags":[],`...)
	if name != "" {
		o.str("name", name)
	}
	if id != "" {
		o.str("id", id)
	}
	if kind != "" {
		o.str("serviceObjectType", kind)
	}
	o.end()
}

// subject writes the objects an activity was done to.
func (d *draft) subject(o *out) {
	switch d.act.feed {
	case feedSignIn:
		object(o, typeService, roleService, d.app.entra, d.app.entraAs, "")
		object(o, typeParameter, roleParameter, newGUID(d.key+2).String(), "Request ID", "")
		o.elem()
		o.int("objType", typeParameter)
		o.int("role", roleParameter)
		o.b = append(o.b, `"tags":[],`...)
		o.str("name", "Pass-through authentication")
		o.str("value", "false")
		o.end()
	case feedFile, feedSession:
		object(o, typeStructured, roleParameter, d.file.web, d.file.siteURL, either(d.app.id == 15600, "OneDrive Site Collection", "SharePoint Site Collection"))
		object(o, typeStructured, roleParameter, d.file.id, d.file.name, "File")
	case feedMail:
		object(o, typeStructured, roleParameter, d.mailbox().mailbox, d.mailbox().upn, "Mailbox")
	case feedDirectory:
		if d.plant != nil {
			d.plant.subject(o, d)
			return
		}
		object(o, typeUser, roleAffected, d.other.objectID, d.other.upn, "User")
	case feedTeams:
		object(o, typeStructured, roleParameter, d.thread(), d.file.site, "Team")
		if d.plant != nil && d.plant.member != nil {
			object(o, typeUser, roleAffected, d.plant.member.objectID, d.plant.member.upn, "User")
		}
	case feedAzure:
		object(o, typeStructured, roleParameter, d.resource(), d.resourceName(), "Resource")
		object(o, typeParameter, roleParameter, "", "Subscription", "")
	case feedIdentity:
		object(o, typeStructured, roleAffected, "", d.domainHost(), "Device")
	case feedConnector:
		if d.act.in == onlyNative {
			t := d.target()
			object(o, typeStructured, roleParameter, t.id, t.name, t.kind)
			return
		}
		object(o, typeStructured, roleParameter, d.file.id, d.file.name, "")
	default:
		object(o, typeStructured, roleParameter, d.file.id, d.file.name, "")
	}
}

// accounts writes the actor, once as account and once as user.
func (d *draft) accounts(o *out) {
	role := int64(roleAuditor)
	if d.act.feed == feedSignIn {
		role = roleActor
		known := !(d.act.failed && d.who.guest)
		o.elem()
		o.int("objType", typeRawAccount)
		o.int("role", roleActor)
		o.raw("tags", d.who.tag)
		o.str("name", d.who.upn)
		o.str("id", d.who.objectID)
		o.bool("resolved", known)
		o.end()
		if !known {
			o.elem()
			o.int("objType", typeStray)
			o.int("role", roleAffected)
			o.raw("tags", d.who.tag)
			o.str("name", d.who.upn)
			o.str("id", d.who.upn)
			o.int("instanceId", 0)
			o.int("saasId", 11161)
			o.bool("resolved", false)
			o.bool("governable", false)
			o.int("link", d.who.link)
			o.end()
			return
		}
	}
	for _, as := range [2]struct {
		typ  int64
		id   string
		tags string
	}{{typeAccount, d.who.upn, "[]"}, {typeUser, d.who.objectID, d.who.tag}} {
		o.elem()
		o.int("objType", as.typ)
		o.int("role", role)
		o.raw("tags", as.tags)
		o.str("name", d.who.name)
		o.int("instanceId", 0)
		o.bool("resolved", true)
		o.int("saasId", 11161)
		o.str("id", as.id)
		o.int("link", d.who.link)
		o.end()
	}
}

// setObject names what the description speaks of.
func (d *draft) setObject() {
	switch d.act.feed {
	case feedConnector:
		d.object = d.file.name
		if d.act.in == onlyNative {
			d.object = d.target().name
		}
	case feedFile, feedSession:
		d.object = d.file.name
	case feedDirectory, feedPortal:
		d.object = d.other.upn
	case feedMailAdmin:
		d.object = d.other.upn
	case feedAzure:
		d.object = d.resourceName()
	case feedIdentity:
		d.object = d.domainHost()
	case feedWorkload, feedGoogle:
		d.object = d.file.name
	}
}

func (d *draft) thread() string {
	return "19:" + hexText(derive(d.g.seed, 63, uint64(len(d.file.site)), uint64(d.file.site[0])), 32) + "@thread.skype.example"
}

func (d *draft) domainHost() string {
	return "DC0" + strconv.Itoa(1+int(d.key%4)) + ".corp.contoso.example"
}

func (d *draft) resourceName() string {
	return resourceNames[d.key%uint64(len(resourceNames))]
}

var resourceNames = []string{"vm-build-01", "vm-build-02", "stcontosologs", "stcontosobackup", "kv-payments", "kv-platform", "nsg-frontend", "app-portal", "sql-crm", "aks-research"}

func (d *draft) subscription() string {
	return newGUID(derive(d.g.seed, 64, d.key%3)).String()
}

func (d *draft) resource() string {
	return "/subscriptions/" + d.subscription() + "/resourceGroups/rg-" + resourceNames[d.key%7] + "/providers/Microsoft.Resources/deployments/" + d.resourceName()
}
