-- Which users came from a country for the first time in the last week?
SELECT user_name, country, min(timestamp) AS first_seen, count(*) AS activities,
       any_value(isp) AS isp
FROM activities
WHERE country IS NOT NULL AND country <> '--'
GROUP BY user_name, country
HAVING first_seen >= (SELECT max(timestamp) - INTERVAL 7 DAY FROM activities)
   AND user_name IN (SELECT user_name FROM activities GROUP BY user_name HAVING count(*) >= 100)
ORDER BY first_seen DESC
LIMIT 8;
