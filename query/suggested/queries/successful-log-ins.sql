-- Log-ins that succeeded.
SELECT timestamp, user_name, ip, country, isp, app_name, user_agent, device_type, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (activity_kind = 'login' OR event_type_name IN ('EVENT_CATEGORY_LOGIN', 'EVENT_CATEGORY_SSO_LOGIN')) AND coalesce(is_success, true)
ORDER BY timestamp, activity_id;
