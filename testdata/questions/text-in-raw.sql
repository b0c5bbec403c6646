-- Which records hold a text, in whatever field?
SELECT timestamp, activity_id, service, user_name, action
FROM activities
WHERE raw LIKE '%evil.example%'
ORDER BY timestamp, activity_id;
