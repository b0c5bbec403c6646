-- Passwords that were changed or reset, and requests to.
SELECT timestamp, user_name, ip, country, app_name, action, coalesce(object_id, objects[1].name) AS account, is_success, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (activity_kind = 'changePassword' OR lower(action) LIKE '%password%' AND lower(action) NOT LIKE '%policy%')
ORDER BY timestamp, activity_id;
