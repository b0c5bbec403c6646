-- What happened on one day, by its date?
SELECT service, count(*) AS activities, count(DISTINCT user_name) AS users
FROM activities
WHERE date = $day
GROUP BY service
ORDER BY service;
