package indicators

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mdcalake/query/ipaddr"
)

// What a value is, by what its source calls it or by its form.
//
// Lists write values so that nobody clicks on them: hxxps://evil[.]example,
// 203.0.113[.]9, eve[@]evil.example. Those are written back, except in user agents
// and file names, where a bracket is a bracket.

// value is one that was understood.
type value struct {
	kind     Kind
	text     string
	defanged bool
	warning  string
}

// readValue answers in why what is wrong with a text.
func readValue(kind Kind, text string) (v value, why string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return v, "it is empty, and would match everything"
	case !utf8.ValidString(text):
		return v, "it is no text in UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return v, "there are control characters in it"
	}
	plain := refang(text)
	v.defanged = plain != text
	if v.kind = kind; kind == "" {
		if v.kind = guess(plain, v.defanged); v.kind == "" {
			return v, "what it is cannot be told from its form: name its type in a CSV with the columns value and type"
		}
	}
	switch v.kind {
	case UserAgent, FileName:
		v.defanged = false
	default:
		text = plain
	}
	switch v.kind {
	case IP, Range:
		return v.address(text)
	case Domain:
		return v.domain(text)
	case Email:
		return v.email(text)
	case UserAgent:
		return v.agent(text)
	case FileName:
		if v.text = lastPart(text); v.text == "" {
			return v, "it has no file's name at its end"
		}
	case Hash:
		v.text = strings.ToLower(text)
		if _, err := hex.DecodeString(v.text); err != nil || !hashLength(len(v.text)) {
			return v, "it is no MD5, SHA-1 or SHA-256 in hex (32, 40 or 64 digits)"
		}
	case URL:
		if strings.ContainsAny(text, " \t") || hostOf(text) == "" {
			return v, "it is no URL: there is no host in it, or a blank"
		}
		v.text = text
	}
	return v, ""
}

var refanging = strings.NewReplacer(
	"[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "{dot}", ".", "[DOT]", ".", "(DOT)", ".",
	"[:]", ":", "[://]", "://", "[/]", "/", "[@]", "@", "(@)", "@", "[at]", "@", "(at)", "@", "[AT]", "@", "(AT)", "@")

// refang writes a defanged text back.
func refang(s string) string {
	s = refanging.Replace(s)
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return s
	}
	switch strings.ToLower(scheme) {
	case "hxxp", "hxtp", "htxp", "h**p":
		scheme = "http"
	case "hxxps", "hxtps", "htxps", "h**ps":
		scheme = "https"
	case "fxp":
		scheme = "ftp"
	}
	return scheme + "://" + rest
}

// fileEndings are those that no domain of note has. A name that ends in one, and
// has dots that nobody took the trouble to defang, is a file's.
var fileEndings = []string{
	"exe", "dll", "sys", "scr", "msi", "bat", "cmd", "ps1", "psm1", "vbs", "vbe", "js", "jse", "wsf", "hta", "lnk", "iso", "img", "vhd", "vhdx",
	"doc", "docx", "docm", "dot", "dotm", "xls", "xlsx", "xlsm", "xlsb", "xll", "ppt", "pptx", "pptm", "pdf", "rtf", "one", "csv", "txt", "htm", "html", "shtml", "svg",
	"zip", "rar", "7z", "gz", "tar", "cab", "jar", "apk", "dmg", "bin", "dat", "tmp", "log", "png", "jpg", "jpeg", "gif", "eml", "msg", "pst", "bak", "chm", "url", "xml", "json", "wim",
}

// guess is the kind of a text by its form; empty: it may be anything.
func guess(s string, defanged bool) Kind {
	if _, ok := ipaddr.Parse(s); ok {
		return IP
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return Range
	}
	host, path, slash := strings.Cut(s, "/")
	blank := strings.ContainsAny(s, " \t")
	name := strings.ToLower(strings.Trim(strings.TrimPrefix(s, "*."), "."))
	dot := strings.LastIndexByte(name, '.')
	isFile := dot > 0 && slices.Contains(fileEndings, name[dot+1:])
	switch {
	case len(s) > 2 && s[0] == '*' && s[len(s)-1] == '*':
		return UserAgent
	case strings.Contains(s, "://") && !blank:
		return URL
	case isHex(s) && hashLength(len(s)):
		return Hash
	case slash && blank:
		return UserAgent // Mozilla/5.0 (...)
	case blank && isFile:
		return FileName
	case blank:
		return ""
	case strings.HasPrefix(s, "@"):
		return Domain
	case strings.Contains(s, "@"):
		return Email
	case slash && (isDomain(strings.ToLower(host)) || isAddressAndPort(host)):
		return URL
	case slash && host != "" && path != "" && path[0] >= '0' && path[0] <= '9':
		return UserAgent // curl/8.5.0
	}
	if isFile && !defanged {
		return FileName
	}
	if isDomain(name) {
		return Domain
	}
	return ""
}

func isAddressAndPort(s string) bool {
	_, ok := ipaddr.Parse(s)
	return ok
}

// address reads an address or a prefix: sources call both ip.
func (v value) address(text string) (value, string) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return v, "it is no range such as 203.0.113.0/24 or 2001:db8::/32"
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		p = p.Masked()
		switch {
		case p.Bits() == 0:
			return v, "it would match every address"
		case p.Bits() < p.Addr().BitLen():
			v.kind, v.text = Range, p.String()
			v.warning = notPublic(p.Addr())
			return v, ""
		}
		text = p.Addr().String()
	}
	a, ok := ipaddr.Parse(text)
	switch {
	case !ok:
		return v, "it is no address of IPv4 or IPv6"
	case a.IsUnspecified():
		return v, "it stands for every address, or for none"
	}
	v.kind, v.text, v.warning = IP, a.String(), notPublic(a)
	return v, ""
}

// notPublic is a warning about what many organisations have inside.
func notPublic(a netip.Addr) string {
	switch {
	case a.IsPrivate():
		return "is private: what it matches may be your own"
	case a.IsLoopback(), a.IsLinkLocalUnicast():
		return "never leaves a machine or a segment: what it matches may be your own"
	}
	return ""
}

func (v value) domain(text string) (value, string) {
	name := strings.ToLower(text)
	name = strings.TrimPrefix(strings.TrimPrefix(name, "@"), "*.")
	name = strings.Trim(name, ".")
	if i := strings.LastIndexByte(name, ':'); i > 0 && ipaddr.IsPort(name[i+1:]) {
		name = name[:i]
	}
	if !isDomain(name) {
		if _, ok := ipaddr.Parse(name); ok {
			return v.address(name) // hosts are often addresses
		}
		return v, "it is no domain of two or more labels, such as evil.example"
	}
	v.kind, v.text = Domain, name
	return v, ""
}

// isDomain: letters, digits, - and _ in at least two labels, the last of which is
// no number. Letters of any script count: a name may be written either way.
func isDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63*utf8.UTFMax || label[0] == '-' {
			return false
		}
		for _, r := range label {
			if !isHostRune(r) {
				return false
			}
		}
		last = label
	}
	return len(last) > 1 && strings.Trim(last, "0123456789") != ""
}

func isHostRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsMark(r)
}

func (v value) email(text string) (value, string) {
	text = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">"))
	text = strings.TrimPrefix(text, "mailto:")
	name, domain, _ := strings.Cut(text, "@")
	switch {
	case name == "" && isDomain(domain):
		v.kind, v.text = Domain, domain
		return v, ""
	case name == "" || !isDomain(domain) || strings.ContainsAny(name, " \t<>\"(),:;"):
		return v, "it is no mail address such as eve@evil.example"
	}
	v.text = text
	return v, ""
}

// shortestPart is how much of a user agent a pattern must have: *a* is in all.
const shortestPart = 3

func (v value) agent(text string) (value, string) {
	inner, part := agentPart(text)
	if part && len(strings.Trim(inner, "* ")) < shortestPart {
		return v, "it would match nearly every user agent: write at least three characters between the stars"
	}
	v.text = text
	return v, ""
}

// agentPart is what a pattern wants to see contained.
func agentPart(text string) (inner string, part bool) {
	if len(text) >= 2 && text[0] == '*' && text[len(text)-1] == '*' {
		return text[1 : len(text)-1], true
	}
	return text, false
}

func hashLength(n int) bool { return n == 32 || n == 40 || n == 64 }

func isHex(s string) bool {
	for i := range len(s) {
		if !isHexDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// keyOf is what a value is looked up by: the same for all spellings of one thing.
func keyOf(k Kind, text string) string {
	text = strings.ToLower(text)
	if k == URL {
		text = urlKey(text)
	}
	return text
}
