package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// valid is the bytes of a run with several blocks and kinds, and what it holds.
func valid(t testing.TB) (name string, data []byte, entries []Entry) {
	t.Helper()
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 900 {
		entries = append(entries, Entry{
			Kind: Kind(1 + i%2), Hash: r.Uint64N(600) * 0x01b4e81b4e81b4e8,
			Cell: Cell{Day: int32(r.IntN(9)), Service: r.Int64N(9)},
		})
	}
	info, err := Writer{Dir: dir}.Append(context.Background(), Span{Head: Digest{1}}, entries)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(filepath.Join(dir, info.Name)); err != nil {
		t.Fatal(err)
	}
	return info.Name, data, entries
}

// answers asks an index of these bytes everything; it is nil where the index
// says that it cannot know.
func answers(t testing.TB, dir, name string, data []byte, entries []Entry) [][]Cell {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ix, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	problems := ix.Check(context.Background())
	if to, _ := ix.Covered(); to < 0 {
		if problems == nil {
			t.Fatal("it covers nothing, and Check says nothing")
		}
		return nil
	}
	var all [][]Cell
	for _, e := range entries {
		cells, err := ix.Cells(nil, e.Kind, e.Hash)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || problems == nil {
				t.Fatalf("error %v, but Check says %v", err, problems)
			}
			return nil
		}
		batch := []Cell{}
		if err := ix.Lookup(e.Kind, []uint64{e.Hash}, func(_ int, c Cell) { batch = append(batch, c) }); err != nil || !slices.Equal(batch, cells) && problems == nil {
			t.Fatalf("Lookup finds %v (%v), Cells %v", batch, err, cells)
		}
		all = append(all, cells)
	}
	return all
}

// Whatever becomes of the bytes, an answer that is given is the right one.
func FuzzADamagedRunIsRefused(f *testing.F) {
	name, data, entries := valid(f)
	dir := f.TempDir()
	want := answers(f, dir, name, data, entries)
	if want == nil {
		f.Fatal("the valid run is refused")
	}
	for at := 0; at < len(data); at += len(data) / 40 {
		f.Add(uint32(at), []byte{1}, uint32(0))
	}
	f.Add(uint32(0), []byte{}, uint32(1))
	f.Add(uint32(0), []byte{}, uint32(footerSize))
	f.Add(uint32(len(data)-footerSize+8), []byte{3}, uint32(0))  // another format
	f.Add(uint32(len(data)-footerSize+12), []byte{3}, uint32(0)) // another hash
	f.Add(uint32(len(data)), []byte("more"), uint32(0))
	f.Fuzz(func(t *testing.T, at uint32, xor []byte, cut uint32) {
		bad := slices.Clone(data)
		for i, x := range xor {
			if p := int(at)%(len(data)+1) + i; p < len(bad) {
				bad[p] ^= x
			} else {
				bad = append(bad, x)
			}
		}
		bad = bad[:len(bad)-min(len(bad), int(cut))]
		got := answers(t, t.TempDir(), name, bad, entries)
		if got == nil {
			return
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("%v %x is in %v, want %v", entries[i].Kind, entries[i].Hash, got[i], want[i])
			}
		}
	})
}

// Arbitrary bytes that pass every checksum: nothing panics or hangs, and no
// more memory is asked for than the file has bytes.
func FuzzAForgedRunDoesNoHarm(f *testing.F) {
	name, data, entries := valid(f)
	for _, at := range []int{16, 24, 96, 104, 112, 128, 136, 144, 152, 160} {
		for _, value := range []uint64{0, 1, 1 << 20, 1<<63 - 1, 1<<64 - 1} {
			patch := binary.LittleEndian.AppendUint16(nil, uint16(footerSize-at))
			f.Add(binary.LittleEndian.AppendUint64(patch, value), uint16(0))
		}
	}
	f.Add([]byte{}, uint16(blockSize))
	f.Add([]byte{0, 40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(0))
	// The input is small, a list of places from the end and eight bytes for
	// each: with whole files the fuzzer does nothing but make them smaller.
	f.Fuzz(func(t *testing.T, patches []byte, cut uint16) {
		bad := slices.Clone(data[min(int(cut), len(data)-footerSize):])
		for ; len(patches) >= 10; patches = patches[10:] {
			if at := len(bad) - int(binary.LittleEndian.Uint16(patches)); at >= 0 {
				copy(bad[at:], patches[2:10])
			}
		}
		dir := t.TempDir()
		answers(t, dir, name, reseal(bad), entries[:100])
		Writer{Dir: dir, FS: unsynced{}}.Merge(context.Background(), Plan{Runs: []Info{{Name: name, Span: Span{Head: Digest{1}}}}})
	})
}

// unsynced is the disk without waiting for it.
type unsynced struct{ osFS }

func (unsynced) SyncDir(string) error { return nil }

// reseal makes every checksum right, as far as the parts can be found.
func reseal(data []byte) []byte {
	if len(data) < footerSize {
		return data
	}
	le := binary.LittleEndian
	b := data[len(data)-footerSize:]
	copy(b, magic)
	le.PutUint32(b[8:], formatVersion)
	le.PutUint32(b[12:], hashVersion)
	le.PutUint64(b[112:], uint64(len(data)))
	span := Span{From: int64(le.Uint64(b[16:])), To: int64(le.Uint64(b[24:]))}
	copy(span.Before[:], b[32:])
	copy(span.Head[:], b[64:])
	seed := span.seed()
	blocks, cells := le.Uint64(b[96:]), le.Uint64(b[104:])
	body := uint64(len(data) - footerSize)
	if blocks <= body/(blockSize+fenceSize) && cells <= body {
		for n := range blocks {
			block := data[n*blockSize : (n+1)*blockSize]
			le.PutUint32(block[tailAt+12:], checksum(seed, block[:tailAt+12]))
		}
		fences := data[blocks*blockSize : blocks*(blockSize+fenceSize)]
		le.PutUint32(b[120:], checksum(seed, fences))
		if from := blocks * (blockSize + fenceSize); from+cells*cellSize <= body {
			le.PutUint32(b[124:], checksum(seed, data[from:from+cells*cellSize]))
		}
	}
	le.PutUint32(b[footerSize-4:], checksum(0, b[:footerSize-4]))
	return data
}

// Each kind of damage, and what it is called.
func TestHowDamageIsNamed(t *testing.T) {
	name, data, _ := valid(t)
	foot := len(data) - footerSize
	le := binary.LittleEndian
	for _, c := range []struct {
		name string
		harm func(b []byte) []byte
		is   error
		want string
	}{
		{"no bytes", func(b []byte) []byte { return nil }, ErrDamaged, "0 bytes, too few for a run"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, ErrDamaged, "it does not end in a footer"},
		{"a later format", func(b []byte) []byte { b[foot+8] = 2; return b }, ErrUnknownVersion, "format 2, hash 1, want 1 and 1"},
		{"another hash", func(b []byte) []byte { b[foot+12] = 9; return b }, ErrUnknownVersion, "format 1, hash 9, want 1 and 1"},
		{"footer", func(b []byte) []byte { b[foot+300] = 1; return b }, ErrDamaged, "the footer's checksum is"},
		{"a block", func(b []byte) []byte { b[blockSize+7]++; return b }, ErrDamaged, "block 1: wrong checksum"},
		{"padding of a block", func(b []byte) []byte { b[tailAt-1+blockSize]++; return b }, ErrDamaged, "block 1: wrong checksum"},
		{"fences", func(b []byte) []byte { b[4*blockSize]++; return b }, ErrDamaged, "wrong checksum of the fences"},
		{"cells", func(b []byte) []byte { b[foot-1]++; return b }, ErrDamaged, "wrong checksum of the cells"},
		{"blocks changed places", func(b []byte) []byte {
			return slices.Concat(b[blockSize:2*blockSize], b[:blockSize], b[2*blockSize:])
		}, ErrDamaged, "block 0: it calls itself 1"},
		{"another run's name", func(b []byte) []byte { le.PutUint64(b[foot+24:], 5); return reseal(b) }, ErrDamaged, "it covers 0 to 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), c.harm(slices.Clone(data)), 0o600); err != nil {
				t.Fatal(err)
			}
			ix, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer ix.Close()
			err = ix.Check(context.Background())
			var run *RunError
			if !errors.Is(err, c.is) || !errors.As(err, &run) || len(run.What) < len(c.want) || run.What[:len(c.want)] != c.want {
				t.Errorf("check: %v, want %q", err, c.want)
			}
			if _, err := (Writer{Dir: dir}).Merge(context.Background(), Plan{Runs: []Info{{Name: name, Span: Span{Head: Digest{1}}}}}); err == nil {
				t.Error("it is merged")
			}
		})
	}
}

func TestNamesOfRuns(t *testing.T) {
	if got := runName(0, 41); got != "run-00000000000000000000-00000000000000000041.idx" {
		t.Error(got)
	}
	for _, s := range [][2]int64{{0, 0}, {7, 1<<63 - 1}} {
		if from, to, ok := parseRunName(runName(s[0], s[1])); !ok || from != s[0] || to != s[1] {
			t.Error(from, to, ok)
		}
	}
	for _, name := range []string{"", "run-1-2.idx", runName(3, 2), "." + runName(1, 2), runName(1, 2) + ".tmp", fmt.Sprintf("run-%020d-+%019d.idx", 1, 2)} {
		if _, _, ok := parseRunName(name); ok {
			t.Errorf("%q is taken for a run", name)
		}
	}
}
