// Package simulator is an Activities API that pages, throttles and breaks on
// cue, and knows the truth.
//
// It stands in for Microsoft Defender for Cloud Apps (MDCA) in tests, in
// benchmarks, in the demo, and for people who have no tenant. It is an
// http.Handler; Start puts it on a free loopback port:
//
//	srv, err := simulator.Start(simulator.Options{Seed: 1, Count: 5000})
//	defer srv.Close()
//	// scan srv.URL + "/api/v1/activities/", then compare with
//	for p := range srv.Expected() { ... p.ID, p.Bytes() ... }
//
// # Words
//
// A Record is one activity as the API serves it: JSON bytes that never change.
// A Payload is a record together with what the truth says about it. Several
// payloads may share one _id (Options.Revisions): one of them is current.
// Event time is the member timestamp (filter and sort field "date"); save time
// is the member created. A record is visible once its save time has come, by
// Options.Clock. A Bucket is one hour of event time; its records follow from
// the seed, the hour and their number alone, so any window is produced without
// what lies before it. An entry is what is kept of a record (24 bytes); its
// body is built again each time it is asked for.
//
// # Promise
//
// Equal Options give equal bytes, on every machine. A scan that follows
// nextQueryFilters from the first page to the one without it delivers every
// visible record that its filters admit, at least once, unless a switch in
// Options asks for trouble. All that a Fault does it does to the requests it
// names and to no other; Stats.Served counts what it has done.
//
// # How a page is cut
//
// Records run in order of date or created; the order of ties is arbitrary but
// fixed by the seed. The page takes limit records. If more remain, all records
// of the last millisecond on the page are dropped again, and the bound of the
// caller's own filters is moved onto that millisecond, inclusively, so that the
// next page begins with the whole of it. If one millisecond fills the page, the
// page is made longer until the millisecond is whole, and the bound steps past
// it. Cursor has the switches for servers that do otherwise, and the shapes in
// which the bound is written.
//
// # Routes
//
//	.../activities/                 list and scan; nothing older than Options.Door
//	.../activities/<pk>/            one record
//	.../activities/<pk>/feedback    refused, and counted: nobody may call it
//	.../activities/count/           how many match
//	.../archived_activities/        Options.Archive.Span back: no scan, one week at a
//	                                time as a list of ranges, few filters, pages by
//	                                skip, ties in another order on every call
//	.../archived_activities/count/
//
// all below /api/v1 and /cas/api/v1.
//
// # Trouble, and where its switch is
//
//	answers that are no page            Faults: statuses, HTML, redirects, resets
//	pages that break on the way         Faults: cut, reset, stall, trickle, byte-order mark
//	pages that lie                      Faults: empty, no end, early end, overlap, disorder ...
//	the same question answered so again Fault.Times, with Every or Rate
//	429 and its forms                   RatePerMinute, Throttle
//	cursors                             Cursor
//	caps, totals, ignored filters       Paging
//	gzip, chunks                        Wire
//	records that are hard to read       BadRecords, BrokenText, Huge, and some oddity in one of fifteen
//	records that are hard to page       Pile, Revisions
//	records of attacks                  Stories, Noise
//	records that come late              always; Connector brings a week at once; VisibleLag
//	times                               Clock (Running is one that runs fast), DateSkew, Door
//
// The truth (Expected, and ExpectedArchived for the archived route) is what is
// visible by the Clock at that moment, whatever trouble there is.
//
// # Stories and noise
//
// Options.Stories plants attacks among the records: known ones, from token theft
// to ransomware, each played once by people of the company who have a past of
// generated records, in times, places and numbers that follow from the seed.
// Simulator.Stories is the truth: what happened, and for each hunt that must find
// it the _ids of which a finding cites one, and the user it names. Options.Noise
// plants honest records that look alike; AllowList is what a tenant would tell a
// hunter about them. The generated records of a seed are the same with and without.
//
//	s, err := simulator.New(simulator.Options{Seed: 1, Days: 30, Count: 60_000, Stories: []string{simulator.StoriesAll}, Noise: true})
//	for _, story := range s.Stories() { ... story.Evidence ... }
//
// # What is assumed
//
// The public documents leave gaps; these are the answers chosen here. Ends of
// ranges are inclusive. gte_ndays and lte_ndays count back from the clock, to
// the millisecond. Names of users and addresses are compared without regard to
// case, everything else exactly; contains, startswith and text ignore case.
// isset means that the record has a value that is neither null nor "". A country
// of "--" is no country. Filters on members that no public record shows
// (user.orgUnit, activity.impersonated, activity.alertId, device.tags, policy)
// find them absent. A revision does not replace what it revises: both are
// served. Of the payloads of one _id the one with the greatest created is
// current (absent counts lowest); then the greatest XXH3-64 as a signed number.
// Of a key that is repeated in a record the first one is meant. The archived
// route is sorted by date only; skip and limit reach as far there as on a plain
// list; several ranges must lie within one week together. searchedSince is the
// oldest event time looked at.
package simulator
