package index

import "slices"

// sortEntries sorts in place: by kind, by hash, by cell. Hashes are as good as
// random, so dealing the entries out by one byte after the other (American
// flag sort) soon leaves piles of a few: a quarter of the time of
// slices.SortFunc for three million. Values that are in many cells have long
// piles of one hash; slices.SortFunc takes what is left when the bytes are
// used up.
func sortEntries(entries []entry) { sortFrom(entries, 0) }

// digit is the kind, then the bytes of the hash from the highest.
func (e *entry) digit(depth int) byte {
	if depth == 0 {
		return byte(e.kind)
	}
	return byte(e.hash >> (64 - 8*depth))
}

const (
	digits    = 9
	smallPile = 32
)

func sortFrom(entries []entry, depth int) {
	for {
		if len(entries) <= smallPile {
			insertionSort(entries)
			return
		}
		if depth == digits {
			slices.SortFunc(entries, compare)
			return
		}
		var count [256]int
		for i := range entries {
			count[entries[i].digit(depth)]++
		}
		if count[entries[0].digit(depth)] < len(entries) {
			deal(entries, depth, &count)
			return
		}
		depth++ // all the same
	}
}

// deal moves each entry to its pile and sorts the piles.
func deal(entries []entry, depth int, count *[256]int) {
	var next, end [256]int
	at := 0
	for d, n := range count {
		next[d] = at
		at += n
		end[d] = at
	}
	for d := range count {
		for next[d] < end[d] {
			e := entries[next[d]]
			for to := int(e.digit(depth)); to != d; to = int(e.digit(depth)) {
				e, entries[next[to]] = entries[next[to]], e
				next[to]++
			}
			entries[next[d]] = e
			next[d]++
		}
	}
	for d, n := range count {
		if n > 1 {
			sortFrom(entries[end[d]-n:end[d]], depth+1)
		}
	}
}

func insertionSort(entries []entry) {
	for i := 1; i < len(entries); i++ {
		e := entries[i]
		j := i
		for ; j > 0 && less(e, entries[j-1]); j-- {
			entries[j] = entries[j-1]
		}
		entries[j] = e
	}
}
