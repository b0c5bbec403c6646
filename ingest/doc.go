// Package ingest fills the lake from the Activities API of Microsoft Defender
// for Cloud Apps.
//
// The words:
//
//	Client    the one door to the network; every request goes through it
//	Question  what a person asks for: an interval of event time, services, a filter
//	need      what of it has to be read now, by the ledger of coverage
//	Window    what one scan reads: a piece of a need, or of what was saved lately
//	Scan      the walk through one window, page by page, oldest first
//	Page      one answer: its records verbatim, and where the scan goes on
//	Cursor    what the API calls nextQueryFilters: opaque, sent back byte for byte
//	reading   the work on one window: its scan, and a look at whether it is over
//	claim     what may be said in the ledger of what has been read
//	Tail      the follower of save time, in rounds
//
// A run in ten lines:
//
//	the ledger says what is missing, or due again because records come late
//	the agenda makes windows of it, newest first, as long as a few pages
//	as many windows are read side by side as keep the rate busy
//	a window is over when a look from its last record on brings nothing new
//	one goroutine takes all pages, lifts them and commits them
//	with each commit the ledger gets what has been read in order so far
//	a window that fails is read again in parts; what stays is failed, and said so
//	three failures without a page in between: the trouble is not the windows'
//	records that nobody asked for are kept and counted; a page of nothing else
//	    says that the service does not do as it is asked, and ends the run
//
// A scan in ten lines:
//
//	ask for the window's first page: filters, isScan, sorted, ascending
//	the answer must be whole: one JSON object, with data and a say about the end
//	hand the page out, and ask for the next one meanwhile
//	hasNext false: the service says that the window is done
//	a cursor never seen before: that is the next question, verbatim
//	a cursor seen before: ask the same again, three times; then the scan stalls:
//	    the millisecond is read along save time, and the rest from behind it
//	throttled: everyone waits as long as the API says, and asks more slowly after
//	cut, malformed, unreachable, 5xx: the same question again, with back-off
//	too large to be held: the same question for fewer records
//	anything else: stop, and say what the API said and what to do
//
// What holds after an interruption: records are stored in the same commit as the
// claim that they have been read, so the ledger is never ahead of the lake. What
// was fetched and not committed is fetched again. The API may list a record
// twice and so may a run, so what is stored must be deduplicated by content; a
// record is never dropped here.
//
// What this half of the package does not trust, because the API was seen to lie
// there: the length of a page, total, an empty page, hasNext, the order of ties,
// a status of 200, the clock.
package ingest
