// Package ipaddr reads addresses as records have them. ip_in and the indicators
// must agree on what an address is.
package ipaddr

import (
	"net/netip"
	"strings"
)

// Parse reads an address: feeds write a port behind it, brackets and a zone around
// it, and blanks. An IPv4 address that is written as IPv6 is the IPv4 address.
func Parse(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err == nil {
		return addr.Unmap().WithZone(""), true
	}
	text = strings.TrimSpace(text)
	if addr, err = netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	// 203.0.113.7:51234 and [2001:db8::1]:51234
	if i := strings.LastIndexByte(text, ':'); i > 0 && IsPort(text[i+1:]) {
		host := text[:i]
		bracketed := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")
		if addr, err = netip.ParseAddr(strings.Trim(host, "[]")); err == nil && (bracketed || addr.Is4()) {
			return addr.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}

// IsPort: digits, not too many; zone and scope have none of that.
func IsPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}
