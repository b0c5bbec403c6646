package ingest

import (
	"strings"

	"mdcalake/store"
)

// Which field of a record goes to which column: the table, and the tree of keys
// that the scanner is given.

// liftKind is what to do with a value.
type liftKind uint8

const (
	liftNothing liftKind = iota // but check it
	liftParent                  // look into the object
	liftID
	liftTimestamp
	liftTime
	liftText
	liftJSON // as liftText, and whatever is no string as its JSON text
	liftInteger
	liftLong
	liftDouble
	liftBoolean
	liftTexts
	liftObjects
	// Members of an object in liftObjects.
	liftObjectText
	liftObjectInteger
	liftObjectLong
)

// lifting says where a value goes.
type lifting struct {
	kind    liftKind
	slot    uint8  // of Row.Strings, Numbers or Lists, or of the object's fields
	columns uint64 // bits in Row.Drift of the columns that hang on the value
}

// A record may have a user name and a country in a second place. They wait in
// string slots behind those of the row, with drift bits behind those of
// store.Columns, until it is known that the first place has none.
const (
	spareUserName = store.NumStrings + iota
	spareCountry
	numStrings
)

const firstSpareBit = 62

// liftedField is one column, the path of its value in the record, and the slot
// of Row.Strings, Numbers or Lists that it fills.
type liftedField struct {
	column string
	path   string
	slot   uint8
}

// liftedFields is the one table of what is lifted. How follows from the column's type.
var liftedFields = []liftedField{
	{"activity_id", "_id", store.ActivityID},
	{"timestamp", "timestamp", store.Timestamp},
	{"created", "created", store.Created},
	{"tenant_id", "tenantId", store.TenantID},
	{"app_id", "appId", store.AppID},
	{"app_name", "appName", store.AppName},
	{"source", "source", store.SourceID},
	{"event_type", "eventType", store.EventType},
	{"event_type_value", "eventTypeValue", store.EventTypeValue},
	{"event_type_name", "eventTypeName", store.EventTypeName},
	{"generic_event_type", "genericEventType", store.GenericEventType},
	{"action", "mainInfo.rawOperationName", store.Action},
	{"activity_kind", "mainInfo.type", store.ActivityKind},
	{"description", "description", store.Description},
	{"is_success", "mainInfo.activityResult.isSuccess", store.IsSuccess},
	{"result_message", "mainInfo.activityResult.message", store.ResultMessage},
	{"is_admin", "eventRouting.adminEvent", store.IsAdmin},
	{"severity", "severity", store.Severity},
	{"confidence", "confidenceLevel", store.Confidence},
	{"user_name", "user.userName", store.UserName},
	{"user_name", "failedUserData.userName", spareUserName},
	{"actor_id", "resolvedActor.id", store.ActorID},
	{"actor_name", "resolvedActor.name", store.ActorName},
	{"user_tags", "user.userTags", store.UserTags},
	{"ip", "device.clientIP", store.IP},
	{"other_ips", "internals.otherIPs", store.OtherIPs},
	{"ip_category", "location.category", store.IPCategory},
	{"ip_category_name", "location.categoryValue", store.IPCategoryName},
	{"ip_tags", "location.ipTags", store.IPTags},
	{"country", "location.countryCode", store.Country},
	{"country", "device.countryCode", spareCountry},
	{"region", "location.region", store.Region},
	{"city", "location.city", store.City},
	{"latitude", "location.latitude", store.Latitude},
	{"longitude", "location.longitude", store.Longitude},
	{"isp", "location.organizationSearchable", store.ISP},
	{"is_anonymous_proxy", "location.anonymousProxy", store.IsAnonymousProxy},
	{"user_agent", "device.userAgent", store.UserAgent},
	{"browser", "userAgent.browser", store.Browser},
	{"os", "userAgent.operatingSystem.name", store.OS},
	{"device_type", "userAgent.deviceType", store.DeviceType},
	{"user_agent_tags", "userAgent.tags", store.UserAgentTags},
	{"session_id", "session.sessionId", store.SessionID},
	{"objects", "mainInfo.eventObjects", 0},
	{"workload", "rawDataJson.Workload", store.Workload},
	{"object_id", "rawDataJson.ObjectId", store.ObjectID},
}

// objectFields are the members of an object in mainInfo.eventObjects; for the
// numbers the slot is their bit in Object.Set.
var objectFields = []struct {
	key  string
	kind liftKind
	slot uint8
}{
	{"id", liftObjectText, objectID},
	{"name", liftObjectText, objectName},
	{"value", liftObjectText, objectValue},
	{"serviceObjectType", liftObjectText, objectServiceType},
	{"objType", liftObjectInteger, store.ObjectHasType},
	{"role", liftObjectInteger, store.ObjectHasRole},
	{"saasId", liftObjectLong, store.ObjectHasAppID},
	{"instanceId", liftObjectLong, store.ObjectHasInstanceID},
}

const (
	objectID = iota
	objectName
	objectValue
	objectServiceType
)

// kindOf is how a column is filled.
func kindOf(c store.Column) liftKind {
	switch {
	case c.Name == "activity_id":
		return liftID
	case c.Name == "timestamp":
		return liftTimestamp
	case c.Name == "object_id":
		return liftJSON
	}
	return map[store.Type]liftKind{
		store.TypeString: liftText, store.TypeLong: liftLong, store.TypeInteger: liftInteger,
		store.TypeBoolean: liftBoolean, store.TypeDouble: liftDouble, store.TypeTimestamp: liftTime,
		store.TypeStrings: liftTexts, store.TypeObjects: liftObjects,
	}[c.Type]
}

// secondPlace is where else a column's value may stand: slots of strings, and
// numbers of bits in Row.Drift.
type secondPlace struct {
	slot, spareSlot uint8
	bit, spareBit   uint8
}

// NewDecoder makes a decoder that has seen nothing yet.
func NewDecoder() *Decoder {
	d := &Decoder{root: newMembers()}
	d.lifter = d
	index := make(map[string]uint8, len(store.Columns))
	for i, c := range store.Columns {
		index[c.Name] = uint8(i)
	}
	first := make(map[string]uint8) // slots of the columns' first places
	for _, f := range liftedFields {
		bit := index[f.column]
		k := kindOf(store.Columns[bit])
		if k == liftText && f.slot >= store.NumStrings {
			p := secondPlace{slot: first[f.column], spareSlot: f.slot, bit: bit}
			p.spareBit = firstSpareBit + f.slot - store.NumStrings
			d.spares = append(d.spares, p)
			bit = p.spareBit
		} else {
			first[f.column] = f.slot
		}
		m := d.root.place(f.path, 1<<bit)
		m.lifting = lifting{kind: k, slot: f.slot, columns: 1 << bit}
		if k != liftObjects {
			continue
		}
		m.inner = newMembers()
		for _, o := range objectFields {
			m.inner.add(o.key).lifting = lifting{kind: o.kind, slot: o.slot, columns: 1 << bit}
		}
	}
	return d
}

// place makes the way to a path; columns hang on every object on it.
func (n *members) place(path string, columns uint64) *member {
	key, rest, below := strings.Cut(path, ".")
	m := n.keys[key]
	if m == nil {
		m = n.add(key)
	}
	if !below {
		return m
	}
	if m.inner == nil {
		m.inner = newMembers()
	}
	m.kind = liftParent
	m.columns |= columns
	return m.inner.place(rest, columns)
}
