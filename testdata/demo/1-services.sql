-- Where is the activity? Services by number of records, with their share of failures.
SELECT app_name, count(*) AS activities, count(DISTINCT user_name) AS users,
       round(100.0 * count(*) FILTER (is_success = false) / count(*), 1) AS failed_percent
FROM activities
GROUP BY app_name
ORDER BY activities DESC
LIMIT 8;
