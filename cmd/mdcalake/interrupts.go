package main

import "sync"

// interrupts says whose Ctrl-C is: the whole program's, or, in the prompt, that
// of the statement that runs.
type interrupts struct {
	mu    sync.Mutex
	taker func()
}

// take has f called for each interrupt, in place of the end of the program,
// until release.
func (i *interrupts) take(f func()) (release func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.taker
	i.taker = f
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.taker = before
	}
}

// deliver hands an interrupt to whoever takes it; false: nobody does.
func (i *interrupts) deliver() bool {
	i.mu.Lock()
	taker := i.taker
	i.mu.Unlock()
	if taker == nil {
		return false
	}
	taker()
	return true
}
