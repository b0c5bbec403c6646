-- What happened on one day, by the time?
SELECT service, count(*) AS activities, count(DISTINCT user_name) AS users
FROM activities
WHERE timestamp >= $day AND timestamp < $next_day
GROUP BY service
ORDER BY service;
