-- Who took the most files within an hour, in one week?
SELECT user_name, time_bucket(INTERVAL 1 HOUR, timestamp) AS hour, count(*) AS files,
       count(DISTINCT object_id) AS different_files, list(DISTINCT ip ORDER BY ip) AS addresses
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND action IN ('FileDownloaded', 'FileSyncDownloadedFull')
GROUP BY user_name, hour
ORDER BY files DESC, hour, user_name
LIMIT 20;
