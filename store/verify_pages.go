package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"
)

// keptPage is a body of a request that is in the lake, as the log says.
type keptPage struct {
	path    string
	sha256  string // of the body
	bytes   int64
	version int64 // of the entry
}

// pageWindow is the most memory that unpacking a page may take; ours need a
// tenth of it.
const pageWindow = 64 << 20

// keptPages compares the bodies that were kept with their hashes.
func (v *verifier) keptPages(ctx context.Context) error {
	pages := v.log.kept
	v.result.Pages = int64(len(pages))
	return v.inOrder(ctx, pagesDir, len(pages), func(i int) int64 { return pages[i].bytes }, func(ctx context.Context, i int, found finding) error {
		p := pages[i]
		sum, size, err := v.hashPage(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			found(p.path, "it is missing; entry %d names it", p.version)
		case err != nil:
			found(p.path, "it cannot be read: %v", plain(err))
		case size != p.bytes:
			found(p.path, "the body does not have the %d bytes that entry %d says", p.bytes, p.version)
		case sum != p.sha256:
			found(p.path, "the body has changed: SHA-256 is %s, entry %d says %s", cut(sum), p.version, cut(p.sha256))
		}
		return ctx.Err()
	})
}

// hashPage is the SHA-256 and the size of a body, unpacked. No more is
// unpacked than one byte beyond what it should have.
func (v *verifier) hashPage(p keptPage) (sum string, size int64, err error) {
	f, err := os.Open(v.layout.path(p.path))
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	packed := sha256.New()
	body, err := zstd.NewReader(io.TeeReader(f, packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(pageWindow))
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	h := sha256.New()
	size, err = io.Copy(h, io.LimitReader(body, p.bytes+1))
	if err != nil {
		err = fmt.Errorf("it is no sound zstd frame: %w", err)
	}
	// What the decoder has left belongs to the file, if not to the body.
	if _, rerr := io.Copy(packed, f); rerr == nil {
		v.sum(p.path, hex.EncodeToString(packed.Sum(nil)))
	}
	return hex.EncodeToString(h.Sum(nil)), size, err
}
