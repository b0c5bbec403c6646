-- Which addresses failed to sign in as many users within 20 minutes, in one week, and as whom did they get in?
WITH signin AS (
  SELECT ip, user_name, timestamp, is_success
  FROM activities
  WHERE timestamp >= $since AND timestamp < $until AND activity_kind IN ('login', 'failedLogin')
), spray AS (
  SELECT ip, time_bucket(INTERVAL 20 MINUTE, timestamp) AS begun, count(DISTINCT user_name) AS users
  FROM signin
  WHERE NOT is_success
  GROUP BY ip, begun
  HAVING users >= 5
)
SELECT spray.ip, begun, users, list(DISTINCT good.user_name ORDER BY good.user_name) FILTER (good.is_success) AS got_in
FROM spray
LEFT JOIN signin AS good
  ON good.ip = spray.ip AND good.is_success AND good.timestamp >= begun AND good.timestamp < begun + INTERVAL 1 HOUR
GROUP BY spray.ip, begun, users
ORDER BY users DESC, begun, spray.ip;
