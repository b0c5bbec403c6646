-- What DuckDB alone can make of records, one a line: the columns of DESIGN.md
-- section 4, as good as SQL can lift them, and the record itself. The benchmark
-- puts it into COPY ... (PARTITION_BY (date, service)), which is the baseline of
-- import, and into a view, which is what one asks who has the records only.
--
-- One pass of from_json with the whole structure. It does less than we do: no
-- record is compared with those of before, none is kept aside that is wrong, rows
-- stay in the order of the input, and nothing is synced. content_hash is DuckDB's
-- own hash; page, the line of the record, is left out, since it would have to be
-- counted by one thread.
SELECT
	r._id AS activity_id,
	make_timestamptz(r."timestamp" * 1000) AS "timestamp",
	make_timestamptz(r.created * 1000) AS created,
	make_timestamp(r."timestamp" * 1000)::DATE AS date,
	coalesce(r.appId, 0) AS service,
	r.tenantId AS tenant_id,
	r.appId AS app_id,
	r.appName AS app_name,
	r.source AS source,
	r.eventType AS event_type,
	r.eventTypeValue AS event_type_value,
	r.eventTypeName AS event_type_name,
	r.genericEventType AS generic_event_type,
	r.mainInfo.rawOperationName AS action,
	r.mainInfo.type AS activity_kind,
	r.description AS description,
	r.mainInfo.activityResult.isSuccess AS is_success,
	r.mainInfo.activityResult.message AS result_message,
	r.eventRouting.adminEvent AS is_admin,
	r.severity AS severity,
	r.confidenceLevel AS confidence,
	coalesce(r.user.userName, r.failedUserData.userName) AS user_name,
	r.resolvedActor.id AS actor_id,
	r.resolvedActor.name AS actor_name,
	r.user.userTags AS user_tags,
	r.device.clientIP AS ip,
	r.internals.otherIPs AS other_ips,
	r.location.category AS ip_category,
	r.location.categoryValue AS ip_category_name,
	r.location.ipTags AS ip_tags,
	coalesce(r.location.countryCode, r.device.countryCode) AS country,
	r.location.region AS region,
	r.location.city AS city,
	r.location.latitude AS latitude,
	r.location.longitude AS longitude,
	r.location.organizationSearchable AS isp,
	r.location.anonymousProxy AS is_anonymous_proxy,
	r.device.userAgent AS user_agent,
	r.userAgent.browser AS browser,
	r.userAgent.operatingSystem.name AS os,
	r.userAgent.deviceType AS device_type,
	r.userAgent.tags AS user_agent_tags,
	r.session.sessionId AS session_id,
	list_transform(r.mainInfo.eventObjects, lambda o: {
		id: o.id, name: o.name, value: o.value, "type": o.objType, role: o.role,
		app_id: o.saasId, instance_id: o.instanceId, service_object_type: o.serviceObjectType
	}) AS objects,
	r.rawDataJson.Workload AS workload,
	r.rawDataJson.ObjectId AS object_id,
	raw,
	NULL::BLOB AS raw_original,
	(hash(raw) >> 1)::BIGINT AS content_hash,
	now() AS ingested,
	'baseline' AS run_id,
	NULL::INTEGER AS page
FROM (
	SELECT json::VARCHAR AS raw, from_json(json, '{
		"_id": "VARCHAR", "timestamp": "BIGINT", "created": "BIGINT", "tenantId": "BIGINT", "appId": "BIGINT", "appName": "VARCHAR",
		"source": "INTEGER", "eventType": "INTEGER", "eventTypeValue": "VARCHAR", "eventTypeName": "VARCHAR", "genericEventType": "VARCHAR",
		"description": "VARCHAR", "severity": "VARCHAR", "confidenceLevel": "INTEGER",
		"mainInfo": {
			"rawOperationName": "VARCHAR", "type": "VARCHAR",
			"activityResult": {"isSuccess": "BOOLEAN", "message": "VARCHAR"},
			"eventObjects": [{"id": "VARCHAR", "name": "VARCHAR", "value": "VARCHAR", "objType": "INTEGER", "role": "INTEGER",
				"saasId": "BIGINT", "instanceId": "BIGINT", "serviceObjectType": "VARCHAR"}]
		},
		"eventRouting": {"adminEvent": "BOOLEAN"},
		"user": {"userName": "VARCHAR", "userTags": ["VARCHAR"]},
		"failedUserData": {"userName": "VARCHAR"},
		"resolvedActor": {"id": "VARCHAR", "name": "VARCHAR"},
		"device": {"clientIP": "VARCHAR", "userAgent": "VARCHAR", "countryCode": "VARCHAR"},
		"internals": {"otherIPs": ["VARCHAR"]},
		"location": {"category": "INTEGER", "categoryValue": "VARCHAR", "ipTags": ["VARCHAR"], "countryCode": "VARCHAR", "region": "VARCHAR",
			"city": "VARCHAR", "latitude": "DOUBLE", "longitude": "DOUBLE", "organizationSearchable": "VARCHAR", "anonymousProxy": "BOOLEAN"},
		"userAgent": {"browser": "VARCHAR", "operatingSystem": {"name": "VARCHAR"}, "deviceType": "VARCHAR", "tags": ["VARCHAR"]},
		"session": {"sessionId": "VARCHAR"},
		"rawDataJson": {"Workload": "VARCHAR", "ObjectId": "VARCHAR"}
	}') AS r
	FROM read_ndjson_objects($records)
)
