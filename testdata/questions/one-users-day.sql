-- What did one user do on one day, in order?
SELECT timestamp, activity_id, service, app_name, action, ip, country, is_success,
       list_transform(objects, lambda o: o.name) AS objects
FROM activities
WHERE user_name = $user AND date = $day
ORDER BY timestamp, activity_id;
