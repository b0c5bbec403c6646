-- Who did what with one file, and when?
SELECT timestamp, activity_id, user_name, action, ip, user_agent
FROM activities
WHERE object_id = $object
ORDER BY timestamp, activity_id;
