"""Which fields of a record are wanted, and which columns they fill: what
activities.sql has, for Python. The API changes the types of fields from record to
record (a number here, the same number as text there), so no reader of JSON that
settles on one type takes the records: they are lifted one by one."""

import datetime
import json

UTC = datetime.timezone.utc

RECORD = {
    "_id": "text", "timestamp": "long", "created": "long", "tenantId": "long", "appId": "long", "appName": "text",
    "source": "int", "eventType": "int", "eventTypeValue": "text", "eventTypeName": "text", "genericEventType": "text",
    "description": "text", "severity": "text", "confidenceLevel": "int",
    "mainInfo": {
        "rawOperationName": "text", "type": "text", "activityResult": {"isSuccess": "bool", "message": "text"},
        "eventObjects": [{
            "id": "text", "name": "text", "value": "text", "objType": "int", "role": "int",
            "saasId": "long", "instanceId": "long", "serviceObjectType": "text",
        }],
    },
    "eventRouting": {"adminEvent": "bool"},
    "user": {"userName": "text", "userTags": ["text"]},
    "failedUserData": {"userName": "text"},
    "resolvedActor": {"id": "text", "name": "text"},
    "device": {"clientIP": "text", "userAgent": "text", "countryCode": "text"},
    "internals": {"otherIPs": ["text"]},
    "location": {
        "category": "int", "categoryValue": "text", "ipTags": ["text"], "countryCode": "text", "region": "text",
        "city": "text", "latitude": "double", "longitude": "double", "organizationSearchable": "text", "anonymousProxy": "bool",
    },
    "userAgent": {"browser": "text", "operatingSystem": {"name": "text"}, "deviceType": "text", "tags": ["text"]},
    "session": {"sessionId": "text"},
    "rawDataJson": {"Workload": "text", "ObjectId": "text"},
}

OBJECTS = {
    "id": "id", "name": "name", "value": "value", "objType": "type", "role": "role",
    "saasId": "app_id", "instanceId": "instance_id", "serviceObjectType": "service_object_type",
}

# The times, the objects and the partitions are made by each script itself.
COLUMNS = {
    "activity_id": ["_id"], "tenant_id": ["tenantId"], "app_id": ["appId"], "app_name": ["appName"], "source": ["source"],
    "event_type": ["eventType"], "event_type_value": ["eventTypeValue"], "event_type_name": ["eventTypeName"],
    "generic_event_type": ["genericEventType"], "action": ["mainInfo.rawOperationName"], "activity_kind": ["mainInfo.type"],
    "description": ["description"], "is_success": ["mainInfo.activityResult.isSuccess"],
    "result_message": ["mainInfo.activityResult.message"], "is_admin": ["eventRouting.adminEvent"], "severity": ["severity"],
    "confidence": ["confidenceLevel"], "user_name": ["user.userName", "failedUserData.userName"],
    "actor_id": ["resolvedActor.id"], "actor_name": ["resolvedActor.name"], "user_tags": ["user.userTags"],
    "ip": ["device.clientIP"], "other_ips": ["internals.otherIPs"], "ip_category": ["location.category"],
    "ip_category_name": ["location.categoryValue"], "ip_tags": ["location.ipTags"],
    "country": ["location.countryCode", "device.countryCode"], "region": ["location.region"], "city": ["location.city"],
    "latitude": ["location.latitude"], "longitude": ["location.longitude"], "isp": ["location.organizationSearchable"],
    "is_anonymous_proxy": ["location.anonymousProxy"], "user_agent": ["device.userAgent"], "browser": ["userAgent.browser"],
    "os": ["userAgent.operatingSystem.name"], "device_type": ["userAgent.deviceType"], "user_agent_tags": ["userAgent.tags"],
    "session_id": ["session.sessionId"], "workload": ["rawDataJson.Workload"], "object_id": ["rawDataJson.ObjectId"],
}

TYPES = {
    "long": lambda v: int(v), "int": lambda v: int(v), "double": lambda v: float(v), "bool": lambda v: v if isinstance(v, bool) else v == "true",
    "text": lambda v: v if isinstance(v, str) else json.dumps(v),
}


def type_of(path):
    kind = RECORD
    for name in path.split("."):
        kind = kind[name]
    return kind


PATHS = {name: [(p.split("."), type_of(p)) for p in paths] for name, paths in COLUMNS.items()}


def value(record, paths):
    for path, kind in paths:
        found = record
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            if isinstance(kind, list):
                return found if isinstance(found, list) else [found]
            return TYPES[kind](found)
    return None


def time(record, name):
    at = record.get(name)
    return None if at is None else datetime.datetime.fromtimestamp(int(at) // 1000, UTC) + datetime.timedelta(milliseconds=int(at) % 1000)


def objects(record):
    found = (record.get("mainInfo") or {}).get("eventObjects")
    if found is None:
        return None
    members = {name: TYPES[kind] for name, kind in RECORD["mainInfo"]["eventObjects"][0].items()}
    return [{ours: None if o.get(theirs) is None else members[theirs](o[theirs]) for theirs, ours in OBJECTS.items()} for o in found]


def rows(path):
    """The rows of a file of records, one after the other."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            row = {name: value(record, paths) for name, paths in PATHS.items()}
            row["timestamp"], row["created"] = time(record, "timestamp"), time(record, "created")
            row["date"], row["service"] = row["timestamp"].date(), row["app_id"] or 0
            row["objects"], row["raw"] = objects(record), line.rstrip("\n")
            yield row


def pages(path, size=5_000):
    page = []
    for row in rows(path):
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def flat(row):
    """A row for those who have neither lists nor objects."""
    return {name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()}
