// Package ingest fills the lake from the Activities API of Microsoft Defender
// for Cloud Apps.
//
// The words:
//
//	Client    the one door to the network; every request goes through it
//	Window    an interval of event time [since, until), perhaps for some services
//	Scan      the walk through one window, page by page, oldest first
//	Page      one answer: its records verbatim, and where the scan goes on
//	Cursor    what the API calls nextQueryFilters: opaque, sent back byte for byte
//	Position  where a scan stands after a page: the cursor and the counts so far
//
// A scan in ten lines:
//
//	ask for the window's first page: filters, isScan, sorted by date, ascending
//	the answer must be whole: one JSON object, with data and a say about the end
//	hand the page out, and ask for the next one meanwhile
//	hasNext false: the window is done
//	a cursor never seen before: that is the next question, verbatim
//	a cursor seen before: ask the same again, three times; then the window is
//	    unpageable, and that is an error, never a skip
//	throttled: everyone waits as long as the API says, at most five minutes
//	cut, malformed, unreachable, 5xx: the same question again, with back-off
//	anything else: stop, and say what the API said and what to do
//
// What holds after an interruption: a page handed out carries the Position
// after it. Store that position in the commit that stores the page's records,
// and a later scan from it repeats nothing that was stored and leaves nothing
// out. A page that was fetched but not stored is fetched again. The API may
// list a record twice and so may a scan, so what is stored must be deduplicated
// by content; a record is never dropped here.
//
// What this half of the package does not trust, because the API was seen to lie
// there: the length of a page, total, an empty page, the order of ties, a
// status of 200.
package ingest
