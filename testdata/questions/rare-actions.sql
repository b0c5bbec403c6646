-- Which actions were seen three times at most, and who ran them?
SELECT service, action, count(*) AS activities, list(DISTINCT user_name ORDER BY user_name) AS users,
       min(timestamp) AS first_seen, max(timestamp) AS last_seen
FROM activities
GROUP BY service, action
HAVING activities <= 3
ORDER BY activities, service, action;
