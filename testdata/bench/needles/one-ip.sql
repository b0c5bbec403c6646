-- What came from one address in a year?
SELECT timestamp, activity_id, service, user_name, ip, action
FROM activities
WHERE ip = $stranger
ORDER BY timestamp, activity_id;
