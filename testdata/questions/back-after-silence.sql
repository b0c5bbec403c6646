-- Who was active again after two weeks of silence or more?
WITH days AS (
  SELECT DISTINCT user_name, date FROM activities WHERE user_name IS NOT NULL
), gaps AS (
  SELECT user_name, date, lag(date) OVER (PARTITION BY user_name ORDER BY date) AS last_seen FROM days
)
SELECT user_name, last_seen, date AS back, date - last_seen AS silent_days
FROM gaps
WHERE silent_days >= 14
ORDER BY silent_days DESC, back, user_name;
