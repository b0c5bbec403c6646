-- Log-ins that failed, and why.
SELECT timestamp, user_name, ip, country, isp, app_name, result_message, user_agent, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (activity_kind = 'failedLogin' OR event_type_name = 'EVENT_CATEGORY_FAILED_LOGIN' OR activity_kind = 'login' AND is_success = false)
ORDER BY timestamp, activity_id;
