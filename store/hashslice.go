package store

import (
	"math"
	"slices"
	"sync"
)

// hashSlice collects items whose hash lies in a slice [from, last] of the hash
// space, as wide a slice as memory is given for: when it is full, the upper
// half is let go, and last comes down. Whoever feeds it feeds it everything,
// once for each slice: next goes on behind last. So any number of rows is
// compared in bounded memory, by reading them several times.
type hashSlice[T any] struct {
	limit   int
	hash    func(T) uint64
	compare func(a, b T) int // by hash first
	// squeeze, if given, drops sorted items that are not needed.
	squeeze func([]T) []T

	mu         sync.Mutex
	from, last uint64
	room       int // limit, or more where one hash has more items
	items      []T
}

// newHashSlice begins with the whole space. expected is a guess of how many
// items will come.
func newHashSlice[T any](limit int, expected int64, hash func(T) uint64, compare func(a, b T) int) *hashSlice[T] {
	// Growing would need the old and the new memory at once.
	items := make([]T, 0, min(int64(limit), max(expected, 0)))
	return &hashSlice[T]{limit: limit, hash: hash, compare: compare, last: math.MaxUint64, room: limit, items: items}
}

// add takes items, from any goroutine.
func (s *hashSlice[T]) add(items []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		if len(s.items) >= s.room {
			s.makeRoom()
		}
		if h := s.hash(item); h >= s.from && h <= s.last {
			s.items = append(s.items, item)
		}
	}
}

func (s *hashSlice[T]) makeRoom() {
	s.sort()
	if len(s.items) <= s.room/2 {
		return
	}
	// All items of one hash stay together, or nothing could be compared.
	keep := len(s.items) / 2
	for keep < len(s.items) && s.hash(s.items[keep]) == s.hash(s.items[0]) {
		keep++
	}
	if keep == len(s.items) {
		s.room *= 2 // one hash is all there is
		return
	}
	cut := s.hash(s.items[keep])
	for keep > 0 && s.hash(s.items[keep-1]) == cut {
		keep--
	}
	clear(s.items[keep:])
	s.items, s.last = s.items[:keep], cut-1
}

// sort puts the items in order; squeeze has done its work then.
func (s *hashSlice[T]) sort() {
	slices.SortFunc(s.items, s.compare)
	if s.squeeze != nil {
		s.items = s.squeeze(s.items)
	}
}

// next begins the slice behind this one, empty; false: there is none.
func (s *hashSlice[T]) next() bool {
	if s.last == math.MaxUint64 {
		return false
	}
	s.from, s.last, s.room, s.items = s.last+1, math.MaxUint64, s.limit, s.items[:0]
	return true
}
