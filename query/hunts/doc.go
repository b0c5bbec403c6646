// Package hunts are questions to a lake that have names: what attackers do, as
// rows of one form, each with the activities behind it.
//
// # Words
//
// A Hunt is one file: what it looks for, its parameters, and its SQL. A Finding is
// a row of its answer. The window is the time that is hunted in, [since, until);
// the baseline is the time before it that the hunt compares with, [since -
// baseline, since), so the two never overlap. An Allowlist is what a tenant knows
// to be its own.
//
// # What the SQL of a hunt sees
//
// Two tables, beside those of the lake: hunted, the activities of the window
// without what the allow-list takes out, and past, those of the baseline, all of
// them: what an address of one's own has shown is no news either. Both have the
// columns that the hunt names under needs, and no others; raw.X there is the text
// at rawDataJson.X of the record, as the column "raw.X"; X may go deeper, as in
// raw.Item.Subject and raw.Folders[0].Path.
//
// Values: $since and $until (TIMESTAMPTZ), $baseline (INTERVAL), and each of the
// hunt's own parameters, with its type. They are written in as literals, never as
// text.
//
// Its answer has the columns first_seen, last_seen, user_name, ip, country,
// app_name, count, why and activity_ids, in any order, and may have severity. The
// rest of a finding and the order of findings are made here (statement.go).
//
// # What must hold
//
// A country, a user or an address that is NULL or unknown is never new. A hunt
// whose baseline was not collected says so, and does not call everything new
// (baseline.go); one whose baseline is optional looks at $baseline, which is the
// part that was collected, before it calls anything new. Hunts that run together
// read the lake once (run.go).
package hunts
