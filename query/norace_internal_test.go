//go:build !race

package query

const threads = 2
