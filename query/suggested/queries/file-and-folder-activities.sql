-- What was done to files and folders.
SELECT timestamp, user_name, ip, country, app_name, action, coalesce(object_id, objects[1].name) AS object, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (lower(action) LIKE 'file%' OR lower(action) LIKE 'folder%'
    OR event_type_name IN ('EVENT_CATEGORY_DOWNLOAD_FILE', 'EVENT_CATEGORY_UPLOAD_FILE')
    OR len(list_filter(objects, lambda o: lower(o.service_object_type) IN ('file', 'folder'))) > 0)
ORDER BY timestamp, activity_id;
