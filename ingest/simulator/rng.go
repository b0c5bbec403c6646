package simulator

import "math/bits"

// rng is splitmix64: one word of state, so that every record can own one.
// math/rand/v2 promises no cheap way to start a source per record.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// n returns a number in [0, n).
func (r *rng) n(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// oneIn is true once in n draws.
func (r *rng) oneIn(n int) bool { return r.n(n) == 0 }

// percent is true in p of 100 draws.
func (r *rng) percent(p int) bool { return r.n(100) < p }

func (r *rng) pick(list []string) string { return list[r.n(len(list))] }

// mix is a bijection on 64-bit words without visible structure.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// derive gives a seed for a place in the data set; equal arguments give equal seeds.
func derive(seed uint64, parts ...uint64) uint64 {
	for _, p := range parts {
		seed = mix(seed+0x9e3779b97f4a7c15) ^ mix(p+0xd1b54a32d192ed03)
	}
	return mix(seed)
}

// alias draws from a weighted list in constant time (Walker's method, in whole
// numbers so that every machine draws alike).
type alias struct {
	cut   []uint64
	other []int32
	total uint64
}

func newAlias(weights []uint64) alias {
	n := uint64(len(weights))
	a := alias{cut: make([]uint64, n), other: make([]int32, n)}
	for _, w := range weights {
		a.total += w
	}
	var small, large []int
	for i, w := range weights {
		a.cut[i] = w * n
		a.other[i] = int32(i)
		if a.cut[i] < a.total {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = int32(l)
		a.cut[l] -= a.total - a.cut[s]
		if a.cut[l] < a.total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, l := range large {
		a.cut[l] = a.total
	}
	return a
}

func (a *alias) draw(r *rng) int {
	i := r.n(len(a.cut))
	if uint64(r.n(int(a.total))) < a.cut[i] {
		return i
	}
	return int(a.other[i])
}
