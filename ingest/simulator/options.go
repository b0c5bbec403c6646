package simulator

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Values that the zero Options stand for.
const (
	DefaultCount    = 10_000
	DefaultDays     = 7
	DefaultTenantID = 48213377
	DefaultRate     = 30 // requests a minute, as documented; Options asks for it by name
)

// Options say what the simulator holds and how it behaves. The zero value is a
// week of 10,000 records that ends now, served without a limit or a fault.
type Options struct {
	Seed uint64

	// Start and End are the span of event time, [Start, End). A zero End is the
	// time of New, cut to the hour if Clock is nil; a zero Start is Days before End. An End ahead of the
	// clock lets records appear while the simulator runs.
	Start, End time.Time
	Days       int // 0 means DefaultDays

	// Count is the number of records in the span, revisions not counted.
	// 0 means DefaultCount, or none where Records are given; -1 means none.
	Count    int
	Services []int64 // only these app ids; empty means all
	TenantID int64   // 0 means DefaultTenantID; another tenant has other records

	// Records are served as they are, byte for byte, beside the generated ones.
	Records [][]byte

	// Stories names attack stories to plant among the records, each once: see
	// StoryNames; StoriesAll is all of them. What they are is in
	// Simulator.Stories. They change no generated record, and Services does not
	// limit them.
	Stories []string
	// StoriesFrom and StoriesUntil say where in the span stories lie; they need 48
	// hours. Zero times mean the last third of the span.
	StoriesFrom, StoriesUntil time.Time
	// Noise plants what looks like an attack and is none: travellers, service
	// accounts, a migration and so on. What no hunt can tell apart by itself is in
	// Simulator.AllowList.
	Noise bool

	// NativeFeeds gives the connected apps records of their own forms (AWS, Box,
	// Google Workspace, Salesforce, session and access control, Defender for
	// Identity) in place of one form for all. It changes which records a seed has.
	NativeFeeds bool

	Revisions  float64 // share of records that come again later, changed, under the same _id
	BadRecords float64 // share of rows that are no usable record: null, no _id, wrong types
	BrokenText float64 // share of records with invalid UTF-8, unpaired surrogates or repeated keys
	Huge       float64 // share of records grown to HugeBytes
	HugeBytes  int     // 0 means 1 MiB
	Pile       Pile
	Connector  Connector

	// VisibleLag is the longest time from created until a generated record is
	// shown: most are at once, a fifth after a part of it. 0 means all at once; at
	// most an hour.
	VisibleLag time.Duration

	// Clock decides what is visible and what the Date header says; nil means
	// time.Now. RateClock is for the rate limit alone and follows Clock if nil:
	// set it where Clock is frozen, or a throttled client waits for ever.
	Clock     func() time.Time
	RateClock func() time.Time
	DateSkew  time.Duration // added to the Date header
	Door      time.Duration // records with older event time are invisible; 0 means no door (MDCA: 30 days)

	TLS           bool   // Serve speaks https, with a certificate of its own that Server.CA names
	Token         string // the only accepted credential; "" accepts any that is not empty
	SignIn        SignIn // the token endpoints beside the API
	Forbidden     bool   // every request is refused with 403
	RatePerMinute int    // over all requests; 0 means no limit
	Throttle      Throttle
	Latency       time.Duration // waited before each answer, in real time

	Paging  Paging
	Cursor  Cursor
	Archive Archive
	Wire    Wire
	Faults  []Fault
	// RedirectTo is where the faults "redirect" and "redirect-307" send the
	// client; "" is a host that does not exist.
	RedirectTo string
}

// Pile puts Size of the records of the span into one millisecond in its middle.
type Pile struct {
	Size        int
	SameCreated bool // they share their save time too
}

// Paging holds the caps on page sizes. Zero values mean the documented ones.
type Paging struct {
	PlainCap    int  // plain list; 0 means 250
	ScanCap     int  // scan by POST; 0 means 5000
	ScanGetCap  int  // scan by GET; 0 means 500
	Refuse      bool // a limit outside the cap is refused with 400 instead of cut
	EmptyBeyond bool // skip+limit past 5000 gives an empty page instead of 400

	IgnoreUnknown bool // unknown filters and operators are passed over instead of refused
	WrongTotal    bool // total is off by up to a fifth, another way on every page
	NoTotal       bool // total is missing

	// Ignore names filters that are accepted and not applied, such as "date",
	// "created" or "service". A scan sorted by an ignored field proceeds all the
	// same: the bound that the server moved itself holds.
	Ignore []string

	CountCap   int // the count routes stop there, and moreThanTotal says so; 0 means no cap
	CountExtra int // added to every count: one tenant's stayed 17 above its list
}

// Cursor holds the switches for nextQueryFilters.
type Cursor struct {
	Shape CursorShape
	// DropTail drops this many records from the end of a page that is not the
	// last, where 0 means all records of the boundary millisecond.
	DropTail int
	// StandStill: a millisecond with more records than the page holds is cut
	// like any other place, and the cursor does not move.
	StandStill bool
	// Extra adds a member the caller never sent. RequireExtra refuses a cursor
	// that comes back without it, and implies Extra.
	Extra        bool
	RequireExtra bool
	// RefuseAt refuses (400) the n-th request that carries a cursor, once.
	RefuseAt int
}

// withDefaults fills in what was left open and refuses what contradicts itself.
func (o Options) withDefaults() (Options, error) {
	whole := time.Duration(1)
	if o.Clock == nil {
		o.Clock = time.Now
		whole = time.Hour // two starts within the hour hold the same records
	}
	if o.RateClock == nil {
		o.RateClock = o.Clock
	}
	if o.Days == 0 {
		o.Days = DefaultDays
	}
	if o.TenantID == 0 {
		o.TenantID = DefaultTenantID
	}
	if o.HugeBytes == 0 {
		o.HugeBytes = 1 << 20
	}
	switch {
	case o.Count == 0 && len(o.Records) == 0:
		o.Count = DefaultCount
	case o.Count < 0:
		o.Count = 0
	}
	if o.End.IsZero() {
		o.End = o.Clock().Truncate(whole)
		if !o.Start.IsZero() && !o.Start.Before(o.End) {
			o.End = o.Clock()
		}
	}
	if o.Start.IsZero() {
		o.Start = o.End.AddDate(0, 0, -o.Days)
	}
	o.storyDefaults()
	if o.Paging.PlainCap == 0 {
		o.Paging.PlainCap = 250
	}
	if o.Paging.ScanCap == 0 {
		o.Paging.ScanCap = 5000
	}
	if o.Paging.ScanGetCap == 0 {
		o.Paging.ScanGetCap = 500
	}
	o.Cursor.Extra = o.Cursor.Extra || o.Cursor.RequireExtra
	o.Archive = o.Archive.withDefaults()
	if o.Wire.Trickle == 0 {
		o.Wire.Trickle = DefaultTrickle
	}
	o.Connector = o.Connector.withDefaults()
	return o, o.check()
}

func (o Options) check() error {
	if o.Days < 0 {
		return fmt.Errorf("days must not be negative, got %d", o.Days)
	}
	if o.Count > 0 && o.End.UnixMilli() <= o.Start.UnixMilli() {
		return fmt.Errorf("start %s is not before end %s", o.Start.UTC().Format(time.RFC3339), o.End.UTC().Format(time.RFC3339))
	}
	if hours := o.End.Sub(o.Start) / time.Hour; hours > 20*366*24 {
		return fmt.Errorf("a span of %d hours is longer than twenty years", hours)
	}
	if o.Count > 1_000_000_000 {
		return fmt.Errorf("count %d is more than a thousand million", o.Count)
	}
	if o.Pile.Size < 0 || o.Pile.Size > o.Count {
		return fmt.Errorf("a pile of %d does not fit into %d records", o.Pile.Size, o.Count)
	}
	for name, share := range map[string]float64{"revisions": o.Revisions, "bad records": o.BadRecords, "broken text": o.BrokenText, "huge": o.Huge} {
		if share < 0 || share > 1 || share != share {
			return fmt.Errorf("share of %s must be between 0 and 1, got %v", name, share)
		}
	}
	if o.RatePerMinute < 0 {
		return fmt.Errorf("rate must not be negative, got %d; 0 means no limit", o.RatePerMinute)
	}
	if o.VisibleLag < 0 || o.VisibleLag > time.Hour {
		return fmt.Errorf("visible lag must be between 0 and an hour, got %s", o.VisibleLag)
	}
	if o.Wire.Trickle < 0 {
		return fmt.Errorf("the time of a trickle must not be negative, got %s", o.Wire.Trickle)
	}
	if u, err := url.Parse(o.RedirectTo); o.RedirectTo != "" && (err != nil || u.Host == "") {
		return fmt.Errorf("redirect to %q: want a URL, such as http://127.0.0.1:9/", o.RedirectTo)
	}
	for _, id := range o.Services {
		if !slices.ContainsFunc(apps, func(a app) bool { return a.id == id }) {
			return fmt.Errorf("service %d is not among those the simulator knows: %s", id, appList())
		}
	}
	if err := o.checkStories(); err != nil {
		return err
	}
	for _, part := range []interface{ check() error }{&o.SignIn, o.Throttle, o.Paging, o.Cursor, o.Archive, o.Connector} {
		if err := part.check(); err != nil {
			return err
		}
	}
	for _, f := range o.Faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}
