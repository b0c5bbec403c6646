-- What did one user do in a year?
SELECT timestamp, activity_id, service, user_name, ip, action
FROM activities
WHERE user_name = $account
ORDER BY timestamp, activity_id;
