-- Who took the most files in a single hour?
SELECT user_name, time_bucket(INTERVAL 1 HOUR, timestamp) AS hour, count(*) AS files,
       count(DISTINCT object_id) AS different_files, any_value(ip) AS ip
FROM activities
WHERE action IN ('FileDownloaded', 'FileSyncDownloadedFull')
GROUP BY ALL
ORDER BY files DESC, hour, user_name
LIMIT 8;
