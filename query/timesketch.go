package query

// Timesketch takes a JSON object a line. Each must have message (text),
// datetime (ISO 8601) and timestamp_desc (what the time is); timestamp, where it
// is given, is microseconds since 1970, and without it Timesketch makes one from
// datetime through a float. All other fields become attributes of the event.
// (Timesketch's guide "Create timeline from JSONL or CSV file", and
// read_and_validate_jsonl in its lib/utils.py.)

// notInTimesketch are columns that an analyst does not look for there: the
// record itself is most of a lake's bytes, and the keys say it again.
var notInTimesketch = []string{"raw", "raw_original", "content_hash", "date"}

// timesketchMessage is the description without its HTML, or the operation, then
// who, in which app and from where.
const timesketchMessage = `concat_ws(' ',
  coalesce(nullif(trim(regexp_replace(description, '<[^>]*>', '', 'g')), ''), "action", event_type_value, activity_kind, 'activity'),
  CASE WHEN NOT is_success THEN '[failed]' END,
  nullif('(' || concat_ws(', ', user_name, app_name, ip) || ')', '()'))`

// TimesketchFields are the fields that Timesketch knows, in SQL over the columns of
// activities; the message is an expression of its own. data_type tells our events
// from those of other sources, as Plaso's do.
func TimesketchFields(message string) string {
	return message + ` AS message,
  strftime("timestamp" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00') AS datetime,
  epoch_us("timestamp") AS "timestamp",
  'Activity Time' AS timestamp_desc,
  'mdca:activity' AS data_type`
}
