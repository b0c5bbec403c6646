-- Activities of one account in the name or the mailbox of another. No public record has a column for it: mail sent as or on
-- behalf of somebody, and access to a mailbox whose owner is another one (LogonType 1: an administrator, 2: a delegate).
SELECT timestamp, user_name, raw_text(raw, '$.rawDataJson.MailboxOwnerUPN') AS mailbox_owner, raw_text(raw, '$.rawDataJson.LogonType') AS logon_type,
  ip, country, app_name, action, activity_id
FROM activities
WHERE timestamp >= $since AND timestamp < $until
  AND (lower(action) IN ('sendas', 'sendonbehalf')
    OR raw_text(raw, '$.rawDataJson.LogonType') IN ('1', '2', 'Admin', 'Delegated')
      AND lower(raw_text(raw, '$.rawDataJson.MailboxOwnerUPN')) <> lower(user_name))
ORDER BY timestamp, activity_id;
