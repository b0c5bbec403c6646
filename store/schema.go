package store

// The columns of `activities`: one table, from which the Parquet schema, the
// Delta schema, the SQL views and the data dictionary are all made. A change
// here is a change of the format: raise SchemaVersion and FORMAT.md with it.

// SchemaVersion is written into every data file and every log entry.
const SchemaVersion = 1

// Type is the logical type of a column, in Delta's words.
type Type string

// The types that occur in schema version 1.
const (
	TypeString    Type = "string"
	TypeLong      Type = "long"
	TypeInteger   Type = "integer"
	TypeBoolean   Type = "boolean"
	TypeDouble    Type = "double"
	TypeTimestamp Type = "timestamp" // microseconds since 1970, UTC
	TypeDate      Type = "date"
	TypeBinary    Type = "binary"
	TypeStrings   Type = "array<string>"
	TypeObjects   Type = "array<struct>" // see ObjectFields
)

// SQL is the type as DuckDB writes it.
func (t Type) SQL() string {
	switch t {
	case TypeLong:
		return "BIGINT"
	case TypeInteger:
		return "INTEGER"
	case TypeBoolean:
		return "BOOLEAN"
	case TypeDouble:
		return "DOUBLE"
	case TypeTimestamp:
		return "TIMESTAMPTZ"
	case TypeDate:
		return "DATE"
	case TypeBinary:
		return "BLOB"
	case TypeStrings:
		return "VARCHAR[]"
	case TypeObjects:
		return "STRUCT(id VARCHAR, name VARCHAR, value VARCHAR, type INTEGER, role INTEGER, app_id BIGINT, instance_id BIGINT, service_object_type VARCHAR)[]"
	default:
		return "VARCHAR"
	}
}

// Column is one column of a table of the lake.
type Column struct {
	Name      string
	Type      Type
	Required  bool   // never NULL
	Partition bool   // in the path, not in the file
	Source    string // where in the API's record it comes from
	Meaning   string
	// Personal: its values name or locate people, name what they touched, or are
	// free text. Who shows them must mean to.
	Personal bool
}

// Columns are the columns of `activities` in their order on disk; `date` and
// `service` live in the path and are never written into a file, because pandas
// and pyarrow fail to merge a key of the path with a column of the file.
var Columns = []Column{
	{Name: "activity_id", Type: TypeString, Required: true, Source: "_id", Meaning: "identity of the activity, opaque", Personal: true},
	{Name: "timestamp", Type: TypeTimestamp, Required: true, Source: "timestamp", Meaning: "when it happened"},
	{Name: "created", Type: TypeTimestamp, Source: "created", Meaning: "when Defender for Cloud Apps saved it"},
	{Name: "date", Type: TypeDate, Required: true, Partition: true, Source: "timestamp", Meaning: "UTC day of timestamp"},
	{Name: "service", Type: TypeLong, Required: true, Partition: true, Source: "appId", Meaning: "the app's id, 0 when the record has none"},
	{Name: "tenant_id", Type: TypeLong, Source: "tenantId", Meaning: "Defender for Cloud Apps' own number of the tenant", Personal: true},
	{Name: "app_id", Type: TypeLong, Source: "appId", Meaning: "the app's id as recorded"},
	{Name: "app_name", Type: TypeString, Source: "appName", Meaning: "the app's display name at that time"},
	{Name: "source", Type: TypeInteger, Source: "source", Meaning: "which feed of the product saw it (2: app connector)"},
	{Name: "event_type", Type: TypeInteger, Source: "eventType", Meaning: "number of the event type"},
	{Name: "event_type_value", Type: TypeString, Source: "eventTypeValue", Meaning: "name of the event type"},
	{Name: "event_type_name", Type: TypeString, Source: "eventTypeName", Meaning: "category, EVENT_CATEGORY_..."},
	{Name: "generic_event_type", Type: TypeString, Source: "genericEventType", Meaning: "generic kind, ENUM_ACTIVITY_GENERIC_TYPE_..."},
	{Name: "action", Type: TypeString, Source: "mainInfo.rawOperationName", Meaning: "the operation in the source's words"},
	{Name: "activity_kind", Type: TypeString, Source: "mainInfo.type", Meaning: "basic, login, failedLogin, run, ..."},
	{Name: "description", Type: TypeString, Source: "description", Meaning: "text for people; may hold HTML", Personal: true},
	{Name: "is_success", Type: TypeBoolean, Source: "mainInfo.activityResult.isSuccess", Meaning: "whether it succeeded; sign-ins and some others"},
	{Name: "result_message", Type: TypeString, Source: "mainInfo.activityResult.message", Meaning: "why it failed"},
	{Name: "is_admin", Type: TypeBoolean, Source: "eventRouting.adminEvent", Meaning: "an administrative activity"},
	{Name: "severity", Type: TypeString, Source: "severity", Meaning: "INFO nearly always"},
	{Name: "confidence", Type: TypeInteger, Source: "confidenceLevel", Meaning: "the product's confidence level"},
	{Name: "user_name", Type: TypeString, Source: "user.userName, else failedUserData.userName", Meaning: "UPN or id of who did it", Personal: true},
	{Name: "actor_id", Type: TypeString, Source: "resolvedActor.id", Meaning: "id of the resolved actor", Personal: true},
	{Name: "actor_name", Type: TypeString, Source: "resolvedActor.name", Meaning: "display name of the resolved actor", Personal: true},
	{Name: "user_tags", Type: TypeStrings, Source: "user.userTags", Meaning: "ids of the groups the user was in", Personal: true},
	{Name: "ip", Type: TypeString, Source: "device.clientIP", Meaning: "the client's address as recorded", Personal: true},
	{Name: "other_ips", Type: TypeStrings, Source: "internals.otherIPs", Meaning: "further addresses of the activity", Personal: true},
	{Name: "ip_category", Type: TypeInteger, Source: "location.category", Meaning: "1 corporate, 2 administrative, 3 risky, 4 VPN, 5 cloud provider, 6 other, 0 none"},
	{Name: "ip_category_name", Type: TypeString, Source: "location.categoryValue", Meaning: "the category in words"},
	{Name: "ip_tags", Type: TypeStrings, Source: "location.ipTags", Meaning: "ids of the address's tags"},
	{Name: "country", Type: TypeString, Source: "location.countryCode, else device.countryCode", Meaning: "two-letter country code"},
	{Name: "region", Type: TypeString, Source: "location.region", Meaning: "region or state", Personal: true},
	{Name: "city", Type: TypeString, Source: "location.city", Meaning: "city; letter case differs between feeds", Personal: true},
	{Name: "latitude", Type: TypeDouble, Source: "location.latitude", Meaning: "degrees", Personal: true},
	{Name: "longitude", Type: TypeDouble, Source: "location.longitude", Meaning: "degrees", Personal: true},
	{Name: "isp", Type: TypeString, Source: "location.organizationSearchable", Meaning: "who runs the network"},
	{Name: "is_anonymous_proxy", Type: TypeBoolean, Source: "location.anonymousProxy", Meaning: "a known anonymous proxy"},
	{Name: "user_agent", Type: TypeString, Source: "device.userAgent", Meaning: "the client's user agent as recorded", Personal: true},
	{Name: "browser", Type: TypeString, Source: "userAgent.browser", Meaning: "browser family"},
	{Name: "os", Type: TypeString, Source: "userAgent.operatingSystem.name", Meaning: "operating system"},
	{Name: "device_type", Type: TypeString, Source: "userAgent.deviceType", Meaning: "DESKTOP, MOBILE, TABLET, OTHER"},
	{Name: "user_agent_tags", Type: TypeStrings, Source: "userAgent.tags", Meaning: "ids of the user agent's tags"},
	{Name: "session_id", Type: TypeString, Source: "session.sessionId", Meaning: "session of a session-control record", Personal: true},
	{Name: "objects", Type: TypeObjects, Source: "mainInfo.eventObjects[]", Meaning: "what the activity touched: files, accounts, apps, parameters", Personal: true},
	{Name: "workload", Type: TypeString, Source: "rawDataJson.Workload", Meaning: "Microsoft 365 workload"},
	{Name: "object_id", Type: TypeString, Source: "rawDataJson.ObjectId", Meaning: "the object's id in the source's record", Personal: true},
	{Name: "raw", Type: TypeString, Required: true, Source: "the record", Meaning: "the record's bytes as they came, as JSON text", Personal: true},
	{Name: "raw_original", Type: TypeBinary, Source: "the record", Meaning: "the verbatim bytes where raw had to differ from them; NULL otherwise", Personal: true},
	{Name: "content_hash", Type: TypeLong, Required: true, Source: "the record", Meaning: "XXH3-64 of the verbatim bytes"},
	{Name: "ingested", Type: TypeTimestamp, Required: true, Source: "mdcalake", Meaning: "the commit that brought it, one value per commit"},
	{Name: "run_id", Type: TypeString, Required: true, Source: "mdcalake", Meaning: "the run that brought it"},
	{Name: "page", Type: TypeInteger, Source: "mdcalake", Meaning: "request of that run; of an import the line, or the record where a file is not a record a line, counted through all its files"},
}

// RevisionColumns are the columns of `revisions` in its files: those of
// `activities` with the keys of the path as ordinary columns, then when, by
// which run and by which payload the row was replaced.
var RevisionColumns = append(append([]Column{}, Columns...),
	Column{Name: "replaced", Type: TypeTimestamp, Required: true, Source: "mdcalake", Meaning: "the commit since which another payload is current"},
	Column{Name: "replaced_by_run", Type: TypeString, Required: true, Source: "mdcalake", Meaning: "the run of that commit"},
	Column{Name: "replaced_by_hash", Type: TypeLong, Required: true, Source: "mdcalake", Meaning: "content_hash of the payload that is current"},
)

// QuarantineColumns are the columns of `quarantine` in SQL. The last two are
// folded from the log and are not in the files.
var QuarantineColumns = []Column{
	{Name: "bytes", Type: TypeBinary, Required: true, Meaning: "the record as it came", Personal: true},
	{Name: "content_hash", Type: TypeString, Required: true, Meaning: "SHA-256 of bytes, in hex: the identity of the row"},
	{Name: "reason", Type: TypeString, Required: true, Meaning: "why it could not be lifted"},
	{Name: "run_id", Type: TypeString, Required: true, Meaning: "the run that saw it first"},
	{Name: "page", Type: TypeInteger, Meaning: "request of that run; of an import the line, or the record where a file is not a record a line, counted through all its files"},
	{Name: "position", Type: TypeInteger, Meaning: "place in the page, from 0"},
	{Name: "first_seen", Type: TypeTimestamp, Required: true, Meaning: "commit that brought it"},
	{Name: "last_seen", Type: TypeTimestamp, Required: true, Meaning: "last commit that saw the same bytes"},
	{Name: "times_seen", Type: TypeLong, Required: true, Meaning: "how often the same bytes came"},
}

// Object is one element of the column `objects`. Text is NULL where its Span
// is; a number is NULL where its bit in Set is clear.
type Object struct {
	Null                               bool // the element itself is NULL
	ID, Name, Value, ServiceObjectType Span
	Type, Role                         int32
	AppID, InstanceID                  int64
	Set                                uint8 // ObjectHas... bits
}

// Bits of Object.Set.
const (
	ObjectHasType = 1 << iota
	ObjectHasRole
	ObjectHasAppID
	ObjectHasInstanceID
)
