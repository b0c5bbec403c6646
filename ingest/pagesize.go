package ingest

import "sync/atomic"

// PageSize is how many records a request asks for. All scans of a run share it:
// where one of them finds pages too large to be held, the others need not try.
type PageSize struct {
	first    int // never more than this
	n        atomic.Int64
	accepted atomic.Int64 // the most that the API has answered a request for
	most     atomic.Int64 // never more than this, either, since more was refused; 0: nothing was
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

// Accept notes that the API has answered a request for so many.
func (p *PageSize) Accept(tried int) {
	for now := p.accepted.Load(); now < int64(tried) && !p.accepted.CompareAndSwap(now, int64(tried)); now = p.accepted.Load() {
	}
}

// Refuse makes it least where the API has refused a request for tried and has
// never answered one for so many. It says whether that leaves something to try.
func (p *PageSize) Refuse(tried, least int) bool {
	if tried <= least || p.accepted.Load() >= int64(tried) {
		return false
	}
	p.most.Store(int64(least))
	for now := p.n.Load(); now > int64(least) && !p.n.CompareAndSwap(now, int64(least)); now = p.n.Load() {
	}
	return true
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
	more := int64(min(2*tried, p.first))
	if most := p.most.Load(); most > 0 {
		more = min(more, most)
	}
	p.n.CompareAndSwap(int64(tried), more)
}
