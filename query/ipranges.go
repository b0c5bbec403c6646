package query

import (
	"net/netip"
	"slices"
	"strings"
)

// Ranges of addresses, and addresses as records have them.
//
// A range is a prefix (10.0.0.0/8, 2001:db8::/32), one address, or two with a
// dash between them, both included. Bits behind a prefix's length do not
// count: 10.1.2.3/8 is 10.0.0.0/8. An IPv4 address that is written as IPv6
// (::ffff:10.0.0.1) is the IPv4 address, in a range too; so ::ffff:0:0/96 is
// all of IPv4, and ::/0 is all of IPv6 and nothing of IPv4.

// ipRanges are sorted and do not overlap, so a long list costs no more than a
// short one.
type ipRanges struct{ spans []ipSpan }

type ipSpan struct{ first, last netip.Addr }

// contain says whether an address of ipaddr.Parse lies in one of the ranges.
func (r *ipRanges) contain(addr netip.Addr) bool {
	i, found := slices.BinarySearchFunc(r.spans, addr, func(s ipSpan, a netip.Addr) int { return s.first.Compare(a) })
	if found {
		return true
	}
	// netip sorts IPv4 before IPv6, so a span of the other kind ends before it.
	return i > 0 && addr.Compare(r.spans[i-1].last) <= 0
}

func parseRanges(list []string) (*ipRanges, error) {
	r := &ipRanges{}
	for _, text := range list {
		s, why := parseSpan(strings.TrimSpace(text))
		if why != "" {
			return nil, &rangeError{text, why}
		}
		r.spans = append(r.spans, s)
	}
	slices.SortFunc(r.spans, func(a, b ipSpan) int { return a.first.Compare(b.first) })
	joined := r.spans[:0]
	for _, s := range r.spans {
		if n := len(joined); n > 0 && joined[n-1].first.Is4() == s.first.Is4() && s.first.Compare(joined[n-1].last) <= 0 {
			if s.last.Compare(joined[n-1].last) > 0 {
				joined[n-1].last = s.last
			}
			continue
		}
		joined = append(joined, s)
	}
	r.spans = joined
	return r, nil
}

// parseSpan answers in why what is wrong with the text.
func parseSpan(text string) (s ipSpan, why string) {
	if text == "" {
		return s, "it is empty"
	}
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return s, prefixFault(text)
		}
		return spanOf(p), ""
	}
	from, to, isSpan := strings.Cut(text, "-")
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	if err != nil || first.Zone() != "" {
		return s, "it does not begin with an address"
	}
	last := first
	if isSpan {
		if last, err = netip.ParseAddr(strings.TrimSpace(to)); err != nil || last.Zone() != "" {
			return s, "it does not end with an address"
		}
	}
	first, last = first.Unmap(), last.Unmap()
	switch {
	case first.Is4() != last.Is4():
		return s, "it begins in IPv4 and ends in IPv6, or the other way round"
	case last.Less(first):
		return s, "it ends before it begins"
	}
	return ipSpan{first, last}, ""
}

// prefixFault says what is wrong with a prefix in words of ours.
func prefixFault(text string) string {
	address, bits, _ := strings.Cut(text, "/")
	addr, err := netip.ParseAddr(address)
	switch {
	case err != nil || addr.Zone() != "":
		return "there is no address before the /"
	case addr.Is4():
		return "behind the / of an IPv4 range stands a number from 0 to 32, and not " + bits
	}
	return "behind the / of an IPv6 range stands a number from 0 to 128, and not " + bits
}

// spanOf is a prefix from its first address to its last.
func spanOf(p netip.Prefix) ipSpan {
	p = p.Masked()
	first := p.Addr()
	bytes := first.AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	if first.Is4In6() && last.Is4In6() {
		return ipSpan{first.Unmap(), last.Unmap()}
	}
	return ipSpan{first, last}
}
