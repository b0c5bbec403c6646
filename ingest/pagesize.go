package ingest

import "sync/atomic"

// PageSize is how many records a request asks for. All scans of a run share it:
// where one of them finds pages too large to be held, the others need not try.
type PageSize struct {
	first int
	n     atomic.Int64
}

// NewPageSize begins with n records; 0: as many as the API gives.
func NewPageSize(n int) *PageSize {
	if n <= 0 {
		n = defaultLimit
	}
	p := &PageSize{first: n}
	p.n.Store(int64(n))
	return p
}

// Get is how many to ask for now.
func (p *PageSize) Get() int { return int(p.n.Load()) }

// Halve makes it half of tried, unless another scan has made it less already.
func (p *PageSize) Halve(tried int) {
	half := int64(max(1, tried/2))
	for now := p.n.Load(); now > half && !p.n.CompareAndSwap(now, half); now = p.n.Load() {
	}
}

// Double makes it twice tried, as long as that is no more than it began with,
// unless another scan has changed it already.
func (p *PageSize) Double(tried int) {
	p.n.CompareAndSwap(int64(tried), int64(min(2*tried, p.first)))
}
