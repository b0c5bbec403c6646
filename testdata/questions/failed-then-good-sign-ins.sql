-- Who failed to sign in several times and then got in from the same address within ten minutes, in one week?
WITH signin AS (
  SELECT user_name, ip, country, timestamp, is_success
  FROM activities
  WHERE timestamp >= $since AND timestamp < $until AND activity_kind IN ('login', 'failedLogin')
)
SELECT good.user_name, good.ip, good.country, good.timestamp AS got_in, count(DISTINCT bad.timestamp) AS failures
FROM signin AS good
JOIN signin AS bad
  ON bad.user_name = good.user_name AND bad.ip = good.ip AND NOT bad.is_success
 AND bad.timestamp >= good.timestamp - INTERVAL 10 MINUTE AND bad.timestamp < good.timestamp
WHERE good.is_success
GROUP BY good.user_name, good.ip, good.country, got_in
HAVING failures >= 2
ORDER BY failures DESC, got_in, good.user_name, good.ip, good.country;
