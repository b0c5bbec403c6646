-- What was shared, with whom, and by which links.
SELECT timestamp, user_name, ip, country, app_name, action, coalesce(object_id, objects[1].name) AS object,
  raw_text(raw, '$.rawDataJson.TargetUserOrGroupName') AS shared_with, raw_text(raw, '$.rawDataJson.TargetUserOrGroupType') AS kind, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (lower(action) LIKE 'sharing%' OR lower(action) LIKE '%link%' AND lower(action) NOT LIKE 'message%' OR lower(action) IN ('accessinvitationcreated', 'addedtogroup', 'change_user_access', 'item_shared', 'sharereport'))
ORDER BY timestamp, activity_id;
