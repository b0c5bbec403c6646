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

// pageWindow is the most memory that unpacking a page may take; ours need a
// tenth of it.
const pageWindow = 64 << 20

// keptPages compares the bodies that were kept with their hashes.
func (v *verifier) keptPages(ctx context.Context) error {
	pages := sortedFiles(v.log.state.pages)
	v.result.Pages = int64(len(pages))
	return v.inOrder(ctx, pagesDir, len(pages), func(i int) int64 { return pages[i].Size }, func(ctx context.Context, i int, found finding) error {
		p := pages[i]
		sum, size, err := v.hashPage(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			found(p.Path, "it is missing; entry %d names it", p.Version)
		case err != nil:
			found(p.Path, "it cannot be read: %v", plain(err))
		case size != p.Size:
			found(p.Path, "the body does not have the %d bytes that entry %d says", p.Size, p.Version)
		case sum != p.SHA256:
			found(p.Path, "the body has changed: SHA-256 is %s, entry %d says %s", cut(sum), p.Version, cut(p.SHA256))
		}
		return ctx.Err()
	})
}

// hashPage is the SHA-256 and the size of a body, unpacked. No more is
// unpacked than one byte beyond what it should have.
func (v *verifier) hashPage(p File) (sum string, size int64, err error) {
	f, err := os.Open(v.layout.path(p.Path))
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
	size, err = io.Copy(h, io.LimitReader(body, p.Size+1))
	if err != nil {
		err = fmt.Errorf("it is no sound zstd frame: %w", err)
	}
	// What the decoder has left belongs to the file, if not to the body.
	if _, rerr := io.Copy(packed, f); rerr == nil {
		v.sum(p.Path, hex.EncodeToString(packed.Sum(nil)))
	}
	return hex.EncodeToString(h.Sum(nil)), size, err
}
