// Package timeline tells one entity's story from the lake: what a user, an address,
// an object or a session did, in order.
//
// # Words
//
// An Entity is whose story it is. A session is a run of its activities with no
// silence between them longer than the gap; the story of a session_id is one
// session. A sentence tells an activity in words. A fold is a run of activities in a
// session that differ in their time and object only, told in one line. What is new
// is a country, ISP, client, app or action that the entity did not have in its past,
// the time before the window that was collected (hunts.Baseline). A client is the
// family of a user agent and its operating system, both without their versions. A
// silence is the time between two sessions. A hole is time that was not collected,
// and so no silence.
//
// # What must hold
//
// The order is total: timestamp, created (NULL first), activity_id. What is left
// out of a telling is counted in it. NULL, an empty text and -- are unknown, and never new.
// Where the past was not collected, or has nothing of the entity, nothing is new.
//
// # How
//
// The activities of the window are staged once (entity.go has what they are
// and how files are pruned), then a narrow table of them with numbers, sessions and
// what may be new (statement.go). All else is asked of these two. Sentences are made in SQL
// (sentence.go), so that a million of them go to a file as any answer does.
package timeline
