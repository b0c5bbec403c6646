-- Which administrative operations are rare, and who ran them? With the target from the record itself.
SELECT action, user_name, timestamp, raw_text(raw, '$.rawDataJson.ObjectId') AS target
FROM activities
WHERE action IN (
  SELECT action FROM activities WHERE is_admin OR activity_kind = 'run' GROUP BY action HAVING count(*) <= 5
)
ORDER BY timestamp DESC
LIMIT 8;
