package store

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Partition is one cell of the lake: a UTC day and a service. Its directory is
// date=YYYY-MM-DD/service=N.
type Partition struct {
	Day     int32 // days since 1970-01-01
	Service int64
}

const dayMillis = 24 * 60 * 60 * 1000

// floorDay is the UTC day of a time in milliseconds, also before 1970.
func floorDay(ms int64) int32 {
	d := ms / dayMillis
	if ms%dayMillis < 0 {
		d--
	}
	return int32(d)
}

// Date is the day as YYYY-MM-DD.
func (p Partition) Date() string {
	return time.Unix(int64(p.Day)*24*60*60, 0).UTC().Format(time.DateOnly)
}

// compare orders cells by day, then by service.
func (p Partition) compare(q Partition) int {
	return cmp.Or(cmp.Compare(p.Day, q.Day), cmp.Compare(p.Service, q.Service))
}

// Dir is the partition's directory below activities/, with slashes.
func (p Partition) Dir() string {
	return fmt.Sprintf("date=%s/service=%d", p.Date(), p.Service)
}

func (p Partition) String() string { return p.Dir() }

// ParsePartition reads the directory form back. Anything that Dir would not
// have written is an error: 'service=007' names no partition of ours.
func ParsePartition(dir string) (Partition, error) {
	date, service, ok := strings.Cut(dir, "/")
	if !ok || !strings.HasPrefix(date, "date=") || !strings.HasPrefix(service, "service=") {
		return Partition{}, fmt.Errorf("partition %q: want date=YYYY-MM-DD/service=N", dir)
	}
	day, err := time.Parse(time.DateOnly, date[len("date="):])
	if err != nil {
		return Partition{}, fmt.Errorf("partition %q: %w", dir, err)
	}
	n, err := strconv.ParseInt(service[len("service="):], 10, 64)
	if err != nil {
		return Partition{}, fmt.Errorf("partition %q: %w", dir, err)
	}
	p := Partition{Day: floorDay(day.UnixMilli()), Service: n}
	if p.Dir() != dir {
		return Partition{}, fmt.Errorf("partition %q: want it written as %q", dir, p.Dir())
	}
	return p, nil
}
