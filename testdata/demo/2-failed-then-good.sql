-- Who failed to sign in several times and then got in, from the same address, within ten minutes?
WITH signin AS (
  SELECT user_name, ip, country, timestamp, is_success
  FROM activities
  WHERE activity_kind IN ('login', 'failedLogin')
)
SELECT good.user_name, good.ip, good.country, count(DISTINCT bad.timestamp) AS failures, good.timestamp AS got_in
FROM signin good
JOIN signin bad
  ON bad.user_name = good.user_name AND bad.ip = good.ip AND NOT bad.is_success
 AND bad.timestamp >= good.timestamp - INTERVAL 10 MINUTE AND bad.timestamp < good.timestamp
WHERE good.is_success
GROUP BY ALL
HAVING failures >= 2
ORDER BY failures DESC, got_in DESC, good.user_name
LIMIT 8;
