package store_test

import (
	"os"
	"syscall"
	"testing"
)

// mountReadOnly puts a read-only mount over a directory until the test's end;
// false where that is not allowed.
func mountReadOnly(t *testing.T, dir string) bool {
	t.Helper()
	if os.Geteuid() != 0 || syscall.Mount(dir, dir, "", syscall.MS_BIND, "") != nil {
		return false
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return syscall.Mount(dir, dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "") == nil
}
