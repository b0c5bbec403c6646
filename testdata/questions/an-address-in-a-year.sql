-- On which days was one address seen, and with whom?
SELECT date, user_name, count(*) AS activities, count(*) FILTER (NOT is_success) AS failed,
       min(timestamp) AS first_seen, max(timestamp) AS last_seen
FROM activities
WHERE ip = $ip
GROUP BY date, user_name
ORDER BY date, user_name;
