package parquetfile

import "github.com/klauspost/compress/zstd"

// Most of the time of a file goes into the pages of one column, the text of the
// records. While such a page is compressed, on a core that is free, its leaf takes
// the values of the next one. The bytes of the file are those that they would be
// without. There is one encoder, so a page of another leaf may have to wait for it:
// that costs less than the memory of a second one.

// aside is the page of a leaf that is being compressed.
type aside struct {
	header       pageHeader
	body, packed []byte
	done         chan struct{} // closed when it is packed; nil: there is none
}

// begin compresses a page, and answers an empty buffer in place of its body.
func (a *aside) begin(enc *zstd.Encoder, h pageHeader, body []byte) (empty []byte) {
	empty, packed := a.body[:0], a.packed[:0]
	a.header, a.body, a.done = h, body, make(chan struct{})
	go func() {
		a.packed = enc.EncodeAll(body, packed)
		close(a.done)
	}()
	return empty
}

// wait says whether there is a page, once it is packed.
func (a *aside) wait() bool {
	if a.done == nil {
		return false
	}
	<-a.done
	a.done = nil
	return true
}

// appendAside appends the page that was compressed aside, if there is one.
func (l *Leaf) appendAside() {
	if l.aside.wait() {
		l.pages = l.w.appendPacked(l.pages, &l.chunk, l.aside.header, l.aside.body, l.aside.packed)
	}
}
