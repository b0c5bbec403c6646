// Package indicators reads lists of indicators of compromise, and says which texts
// of an activity they match. It knows no engine and no lake.
//
// # Words
//
// An Indicator is a kind and a value, with the sources that name it; the same one
// from two files is one with two sources. A Set is what was read: indicators, and
// what was left out or refused, and why. A Matcher looks for a whole set at once.
//
// # The route
//
//	a file's bytes -> Read (by content: list.go, csv.go, misp.go, stix.go)
//	               -> a text and what its source calls it -> value.go: kind and value
//	               -> Set.add (set.go): duplicates together
//	a row          -> texts.go: the hosts, addresses, names and hashes that its texts hold
//	               -> matcher.go: looked up in tables; finder.go: found in running text
//
// # What must hold
//
// A row costs the same for ten indicators and for ten thousand: each text is taken
// apart once and looked up. Nothing in a file makes this package panic (fuzz_test.go).
// What cannot be looked for is said, with its place and a reason: an indicator that
// is silently dropped would read as "not found".
package indicators
