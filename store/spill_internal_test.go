package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// spilledCell has rows of some bytes each, spilled a few times and then added to, with
// times in no order.
func spilledCell(t *testing.T, s *spillFile, sizes []int, times int) (taken, map[uint64][]byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	c := &cell{}
	want := map[uint64][]byte{}
	for i, size := range sizes {
		b := bytes.Repeat([]byte{byte(i)}, size)
		copy(b, fmt.Sprint(i))
		want[uint64(i)] = b
		c.append(nil, waitingRow{timestamp: int64(r.IntN(len(sizes) / 2)), id: uint64(i), key: ^uint64(i), hash: int64(-i)}, b, size)
		if i%(len(sizes)/times) == len(sizes)/times-1 && i < len(sizes)-1 {
			segment, err := s.put(c.take(false))
			if err != nil {
				t.Fatal(err)
			}
			c.spilled = append(c.spilled, segment)
		}
	}
	return c.take(true), want
}

func spillTo(t *testing.T) *spillFile {
	t.Helper()
	s, err := newSpillFile(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func someSizes() []int {
	var sizes []int
	for i := range 400 {
		sizes = append(sizes, 100+i*i%7000)
	}
	sizes[33], sizes[210] = 3*spillBlock, spillBlock // one that no block holds, and one that just fits
	return sizes
}

// TestSpilledRowsComeBackInTheOrderOfTheFile also in that of arrival within a
// moment, with all that is asked of them.
func TestSpilledRowsComeBackInTheOrderOfTheFile(t *testing.T) {
	s := spillTo(t)
	c, want := spilledCell(t, s, someSizes(), 5)
	if len(c.spilled) < 4 || len(c.spilled[0].blocks) < 2 {
		t.Fatalf("%d segments: too few blocks to say anything", len(c.spilled))
	}
	if err := s.load(&c); err != nil {
		t.Fatal(err)
	}
	c.sort()
	if len(c.rows) != len(want) {
		t.Fatalf("%d rows came back of %d", len(c.rows), len(want))
	}
	for i, w := range c.rows {
		b, err := c.encoded(w)
		if err != nil || !bytes.Equal(b, want[w.id]) {
			t.Fatalf("row %d is another one: %d bytes, want %d (%v)", w.id, len(b), len(want[w.id]), err)
		}
		if w.key != ^w.id || w.hash != -int64(w.id) {
			t.Errorf("row %d has key %d and hash %d", w.id, w.key, w.hash)
		}
		if i > 0 && (w.timestamp < c.rows[i-1].timestamp || w.timestamp == c.rows[i-1].timestamp && w.id < c.rows[i-1].id) {
			t.Errorf("row %d stands behind row %d", w.id, c.rows[i-1].id)
		}
	}
	c.back.close()
}

// TestABlockOfEachSegmentIsInMemory and no more of the cell, as long as its rows
// are asked for in the order of the file; in any other order they are right, too.
func TestABlockOfEachSegmentIsInMemory(t *testing.T) {
	s := spillTo(t)
	var sizes []int
	for range 2000 {
		sizes = append(sizes, 5000)
	}
	c, want := spilledCell(t, s, sizes, 4)
	loaded := 0
	for i := range c.spilled {
		loaded += c.spilled[i].loaded()
	}
	if err := s.load(&c); err != nil {
		t.Fatal(err)
	}
	c.sort()
	reads := 0
	standing := slices.Clone(c.back.standing)
	for _, w := range c.rows {
		if _, err := c.encoded(w); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(standing, c.back.standing) {
			reads++
			standing = slices.Clone(c.back.standing)
		}
	}
	if reads != len(c.back.place) {
		t.Errorf("%d blocks were read, there are %d", reads, len(c.back.place))
	}
	held := 0
	for _, b := range c.back.memory {
		held += cap(b)
	}
	if most := loaded * 3 / 2; held > most {
		t.Errorf("%d bytes are held where %d are counted", held, loaded)
	}
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(c.rows), func(i, j int) { c.rows[i], c.rows[j] = c.rows[j], c.rows[i] })
	for _, w := range c.rows[:200] {
		if b, err := c.encoded(w); err != nil || !bytes.Equal(b, want[w.id]) {
			t.Fatalf("row %d is another one (%v)", w.id, err)
		}
	}
}

func TestSpilledRowsCanBeHadAllAtOnce(t *testing.T) {
	s := spillTo(t)
	c, want := spilledCell(t, s, someSizes(), 3)
	all, err := s.whole(&c)
	if err != nil {
		t.Fatal(err)
	}
	held := map[uint64][]byte{}
	for _, w := range c.rows {
		b, err := c.encoded(w)
		if err != nil {
			t.Fatal(err)
		}
		held[w.id] = b
	}
	for id, b := range want {
		if !bytes.Equal(held[id], b) {
			t.Errorf("row %d is another one", id)
		}
	}
	s.giveBack(all...)
}

// TestASpillFileThatLostItsBytes is an error, not rows that are none.
func TestASpillFileThatLostItsBytes(t *testing.T) {
	s := spillTo(t)
	c, _ := spilledCell(t, s, someSizes(), 2)
	first := c.spilled[0].blocks[0]
	if _, err := s.f.WriteAt(make([]byte, 64), first.off+int64(first.rows*rowPlaceBytes)); err != nil {
		t.Fatal(err)
	}
	if err := s.load(&c); err != nil {
		t.Fatal(err)
	}
	c.sort()
	for _, w := range c.rows {
		if _, err := c.encoded(w); err != nil {
			return
		}
	}
	t.Error("nobody has noticed")
}
