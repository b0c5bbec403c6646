//go:build race

package store_test

// stride leaves operations out of the crash matrix where the race detector
// makes all of it ten times slower.
const stride = 19

const rapidChecks = "8"

const rowsAtLittleMemory = 300

const raceEnabled = true
