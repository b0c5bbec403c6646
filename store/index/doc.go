// Package index is the value index: which cells of the lake may hold a value.
package index
