-- What is there of one activity, to the byte?
SELECT activity_id, timestamp, created, date, service, tenant_id, app_name, event_type_value, action, description,
       user_name, actor_id, user_tags, ip, ip_category, latitude, longitude, session_id, objects,
       raw, raw_original, content_hash, ingested, run_id, page
FROM activities
WHERE activity_id = $id;
