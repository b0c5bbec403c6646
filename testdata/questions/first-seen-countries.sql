-- Which users came from a country for the first time, from one moment on?
SELECT user_name, country, min(timestamp) AS first_seen, count(*) AS activities
FROM activities
WHERE country <> '--'
  AND user_name IN (SELECT user_name FROM activities WHERE timestamp < $since)
GROUP BY user_name, country
HAVING first_seen >= $since
ORDER BY first_seen, user_name, country;
