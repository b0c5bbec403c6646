-- What administrators did.
SELECT timestamp, user_name, ip, country, app_name, action, description, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until AND is_admin
ORDER BY timestamp, activity_id;
