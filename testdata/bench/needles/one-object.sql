-- What was done with one object in a year?
SELECT timestamp, activity_id, service, user_name, ip, action
FROM activities
WHERE object_id = $object
ORDER BY timestamp, activity_id;
