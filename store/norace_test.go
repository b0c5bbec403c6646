//go:build !race

package store_test

const stride = 1

const rapidChecks = "40"

const rowsAtLittleMemory = 1000

const raceEnabled = false
