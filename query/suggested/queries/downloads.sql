-- Files that were downloaded or synced to a device.
SELECT timestamp, user_name, ip, country, app_name, action, coalesce(object_id, objects[1].name) AS object, user_agent, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (event_type_name = 'EVENT_CATEGORY_DOWNLOAD_FILE' OR lower(action) LIKE '%download%')
ORDER BY timestamp, activity_id;
