package simulator

// planted is what a record of a story or of the noise has that the seed would
// have drawn otherwise. A generated record has none, and costs one look at a
// nil pointer. The members of rawDataJson have the forms of Microsoft's public
// documentation of the unified audit record.
type planted struct {
	// of a sign-in
	code      int64  // LoginErrorCode
	mfaMethod string // MfaAuthMethod; "" means that none was asked for
	mfaResult string
	client    string // ClientAppUsed, which only some records have
	protocol  string // AuthenticationProtocol, likewise

	// of a change in the directory
	kind    string // what was changed, where it is no user: draft.other then has its name and id
	changed []change
	details []pair // what the record says beside its objects

	// of a cmdlet
	objectID string
	params   []pair

	// of a mailbox
	owner      *person // whose mailbox, if not the actor's
	logonType  int64   // 0 owner, 1 admin, 2 delegate
	access     string  // MailAccessType
	clientInfo string
	clientApp  string // AppId of an application that reads
	folders    []string
	query      string

	// of a file
	sharedType string // TargetUserOrGroupType; "" and a link that anyone may open

	// of a team
	member *person
	role   int64
}

type change struct{ name, new, old string }

type pair struct{ name, value string }

// mailbox is whose mailbox a record of a mailbox is about.
func (d *draft) mailbox() *person {
	if d.plant != nil && d.plant.owner != nil {
		return d.plant.owner
	}
	return d.who
}

// plantedSignIn writes what only some sign-ins say.
func (p *planted) signIn(o *out) {
	if p.client != "" {
		o.str("ClientAppUsed", p.client)
	}
	if p.protocol != "" {
		o.str("AuthenticationProtocol", p.protocol)
	}
}

// sharing writes with whom a file was shared; an anonymous link has nobody.
func (p *planted) sharing(o *out, d *draft) {
	if p.sharedType != "" {
		o.str("TargetUserOrGroupName", d.other.upn)
		o.str("TargetUserOrGroupType", p.sharedType)
	}
	o.str("EventData", either(p.sharedType == "", "<Type>View</Type>", "<Permission granted>Read</Permission granted>"))
	o.guid("UniqueSharingId", newGUID(d.key+10))
}

// subject writes the object of a directory change that is no user.
func (p *planted) subject(o *out, d *draft) {
	if p.kind == "" {
		object(o, typeUser, roleAffected, d.other.objectID, d.other.upn, "User")
	} else {
		object(o, typeService, roleAffected, d.other.objectID, d.other.name, p.kind)
	}
	for _, v := range p.details {
		o.elem()
		o.int("objType", typeParameter)
		o.int("role", roleParameter)
		o.b = append(o.b, `"tags":[],`...)
		o.str("name", v.name)
		o.str("value", v.value)
		o.end()
	}
}

// target writes the members ModifiedProperties and Target.
func (p *planted) target(o *out, d *draft, entity func(id string, typ int64)) {
	o.arr("Target")
	if p.kind == "ServicePrincipal" || p.kind == "Application" {
		entity(p.kind+"_"+d.other.objectID, 2)
		entity(d.other.objectID, 2)
		entity(p.kind, 2)
		entity(d.other.name, 1)
		entity(d.other.upn, 4)
	} else {
		entity(d.other.name, 1)
		if d.other.objectID != "" {
			entity(d.other.objectID, 2)
		}
	}
	o.stop()
}
