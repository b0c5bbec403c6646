-- Which inbox rules were made or changed, and what do they do?
SELECT timestamp, activity_id, user_name, ip, action, raw_text(raw, '$.rawDataJson.ObjectId') AS rule,
       raw_text(raw, '$.rawDataJson.Parameters') AS parameters
FROM activities
WHERE service = 20893 AND action IN ('New-InboxRule', 'Set-InboxRule')
ORDER BY timestamp, activity_id;
