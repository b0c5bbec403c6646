package query

import "strings"

// cloud_app_events is activities under the names of CloudAppEvents, the table
// of advanced hunting in Microsoft Defender XDR, so that what people know and
// have written about that table holds here. All of its columns are there, in its
// order; those that the Activities API has nothing for are NULL.
//
// Names, types and meanings: learn.microsoft.com,
// defender-xdr/advanced-hunting-cloudappevents-table (seen as of 28 March 2025,
// and its later copies, which have the same columns). How they go with the
// records was found by comparing public records of both kinds.
//
// A column that is one of activities is that column and nothing around it: a
// filter on it then leaves out files, as one on activities does. ISP, which
// that page writes Isp, is spelled as its records have it; SQL does not care.

const cloudAppEvents = "cloud_app_events"

// eventColumn is a column of cloud_app_events.
type eventColumn struct {
	name string
	typ  string // as DuckDB writes it; what Defender calls dynamic is JSON
	sql  string // over activities; empty: always NULL
	note string // where it comes from, or why it is NULL
}

// Tags of users and user agents that every tenant has, by their id.
const (
	externalUsers    = "'000000200000000000000000'"
	applicationGroup = "'0000003b0000000000000000'"
)

// Words of the hunting table for the codes of objects. Of codes that no public
// record of both kinds shows, the number stands there.
const (
	objectTypeWord = "CASE o.type WHEN 1 THEN 'Structured object' WHEN 2 THEN 'Account' WHEN 6 THEN 'Cloud service' WHEN 7 THEN 'Property' WHEN 21 THEN 'Account' WHEN 22 THEN 'Account' WHEN 23 THEN 'User' ELSE o.type::VARCHAR END"
	objectRoleWord = "CASE o.role WHEN 1 THEN 'Target object' WHEN 2 THEN 'Actor' WHEN 3 THEN 'Parameter' WHEN 4 THEN 'Actor' ELSE o.role::VARCHAR END"
	// targetObject is the first object that the activity was done to.
	targetObject = "list_filter(objects, lambda o: o.role = 1)[1]"
)

var eventColumns = []eventColumn{
	{"Timestamp", "TIMESTAMPTZ", "timestamp", "timestamp"},
	{"ActionType", "VARCHAR", "action", "action"},
	{"Application", "VARCHAR", "app_name", "app_name"},
	{"ApplicationId", "BIGINT", "app_id", "app_id"},
	{"AppInstanceId", "BIGINT", "list_filter(objects, lambda o: o.app_id = app_id AND o.instance_id IS NOT NULL)[1].instance_id", "objects: instance_id of the first that belongs to the app; a record does not name the instance itself"},
	{"AccountObjectId", "VARCHAR", "coalesce(list_filter(objects, lambda o: o.type = 23 AND o.role IN (2, 4))[1].id, CASE WHEN raw_text(raw, '$.resolvedActor.objType') = '23' THEN actor_id END)", "objects: id of the user among the actors, else actor_id where it is a user's"},
	{"AccountId", "VARCHAR", "actor_id", "actor_id"},
	{"AccountDisplayName", "VARCHAR", "actor_name", "actor_name"},
	{"IsAdminOperation", "BOOLEAN", "is_admin", "is_admin"},
	{"DeviceType", "VARCHAR", "upper(device_type[1]) || lower(device_type[2:])", "device_type, as the hunting table spells it: Desktop"},
	{"OSPlatform", "VARCHAR", "os", "os"},
	{"IPAddress", "VARCHAR", "ip", "ip"},
	{"IsAnonymousProxy", "BOOLEAN", "is_anonymous_proxy", "is_anonymous_proxy"},
	{"CountryCode", "VARCHAR", "country", "country"},
	{"City", "VARCHAR", "city", "city"},
	{"ISP", "VARCHAR", "isp", "isp"},
	{"UserAgent", "VARCHAR", "user_agent", "user_agent"},
	{"ActivityType", "VARCHAR", "upper(activity_kind[1]) || activity_kind[2:]", "activity_kind, as the hunting table spells it: Basic"},
	{"ActivityObjects", "JSON", "CASE WHEN objects IS NOT NULL THEN to_json(list_transform(objects, lambda o: system.main.json_merge_patch('{}', json_object('Type', " + objectTypeWord + ", 'Role', " + objectRoleWord +
		", 'ServiceObjectType', o.service_object_type, 'Name', o.name, 'Id', o.id, 'Value', o.value, 'ApplicationId', o.app_id, 'ApplicationInstance', o.instance_id)))) END", "objects; words for codes are inferred, and a code that is not known stays a number"},
	{"ObjectName", "VARCHAR", "coalesce(" + targetObject + ".name, object_id)", "objects: name of the first target object, else object_id"},
	{"ObjectType", "VARCHAR", "coalesce(raw_text(raw, '$.rawDataJson.ItemType'), list_transform(list_filter(objects, lambda o: o.role = 1), lambda o: " + objectTypeWord + ")[1])", "raw: rawDataJson.ItemType (File, Folder), else objects: type of the first target object"},
	{"ObjectId", "VARCHAR", "object_id", "object_id"},
	{"ReportId", "VARCHAR", "activity_id", "activity_id"},
	{"AccountType", "VARCHAR", "CASE WHEN list_contains(user_tags, " + applicationGroup + ") OR raw_text(raw, '$.rawDataJson.UserType') = '5' THEN 'Application' END", "user_tags and rawDataJson.UserType: Application where they say so; NULL where it is not known which of Regular, Admin and System"},
	{"IsExternalUser", "BOOLEAN", "list_contains(user_tags, " + externalUsers + ")", "user_tags: the group of external users"},
	{"IsImpersonated", "BOOLEAN", "", "NULL: no field of a record is known to say it"},
	{"IPTags", "JSON", "CASE WHEN ip_tags IS NOT NULL THEN to_json(ip_tags) END", "ip_tags: ids, where the hunting table has names"},
	{"IPCategory", "VARCHAR", "CASE ip_category WHEN 1 THEN 'Corporate' WHEN 2 THEN 'Administrative' WHEN 3 THEN 'Risky' WHEN 4 THEN 'VPN' WHEN 5 THEN 'Cloud provider' WHEN 6 THEN 'Other' END", "ip_category in words"},
	{"UserAgentTags", "JSON", "CASE WHEN user_agent_tags IS NOT NULL THEN to_json(list_transform(user_agent_tags, lambda t: CASE t WHEN '000000000000000000000000' THEN 'Native client' WHEN '000000010000000000000000' THEN 'Outdated browser'" +
		" WHEN '000000020000000000000000' THEN 'Outdated operating system' WHEN '0000002b0000000000000000' THEN 'Robot' ELSE t END)) END", "user_agent_tags in words; a tag that is not known stays an id"},
	{"RawEventData", "JSON", "coalesce(json_extract(raw, '$.rawDataJson'), json_extract(raw, '$.rawJson'))", "raw: rawDataJson, the record of the source"},
	{"AdditionalFields", "JSON", "system.main.json_merge_patch('{}', json_object('IsSatelliteProvider', json_extract(raw, '$.location.isSatelliteProvider')))", "raw: location.isSatelliteProvider; whatever else the hunting table has there is in no record"},
	{"LastSeenForUser", "JSON", "", "NULL: Defender computes it from its own history; the lake has activities to compute it from"},
	{"UncommonForUser", "JSON", "", "NULL: Defender computes it from its own history; the lake has activities to compute it from"},
	{"AuditSource", "VARCHAR", "CASE source WHEN 0 THEN 'Defender for Cloud Apps access control' WHEN 1 THEN 'Defender for Cloud Apps session control' WHEN 2 THEN 'Defender for Cloud Apps app connector' END", "source in words; NULL for feeds that the hunting table does not name"},
	{"SessionData", "JSON", "CASE WHEN session_id IS NOT NULL THEN json_object('InLineSessionId', session_id) END", "session_id"},
	{"OAuthAppId", "VARCHAR", "", "NULL: no field of a record is known to be it; RawEventData has the application ids that a source gives"},
}

// createCloudAppEvents is the SQL that makes the view. It stands on activities
// and on the macros.
func createCloudAppEvents() string {
	var b strings.Builder
	b.WriteString("CREATE VIEW " + cloudAppEvents + " AS SELECT ")
	for i, c := range eventColumns {
		if i > 0 {
			b.WriteString(", ")
		}
		switch c.sql {
		case "":
			b.WriteString("NULL::" + c.typ)
		default:
			b.WriteString(c.sql)
		}
		b.WriteString(" AS " + quoteName(c.name))
	}
	b.WriteString(" FROM activities;\n")
	return b.String()
}
