package simulator

import (
	"fmt"
	"slices"
	"time"
)

// Connector is an app that is connected while the simulator's span runs, and
// brings the days before with it: all at once, as late records that no watermark
// on event time can meet. The zero value is none.
type Connector struct {
	Service int64     // its app id
	At      time.Time // when it is connected: its records of the days before are saved then
	Days    int       // how far back it brings records; 0 means 7
	// Spread is the time over which they are saved; 0 saves them in one
	// millisecond. The documents speak of up to four hours.
	Spread time.Duration
}

// connectorDays is what the zero Days stands for, as the documents have it.
const connectorDays = 7

func (c Connector) withDefaults() Connector {
	if c.Days == 0 {
		c.Days = connectorDays
	}
	return c
}

func (c Connector) on() bool { return c.Service != 0 }

// longest bounds the time from event to save, ms.
func (c Connector) longest() int64 { return int64(c.Days)*24*hourMS + c.Spread.Milliseconds() }

func (c Connector) check() error {
	switch {
	case !c.on() && c.At.IsZero():
		return nil
	case !slices.ContainsFunc(apps, func(a app) bool { return a.id == c.Service }):
		return fmt.Errorf("connector: service %d is not among those the simulator knows: %s", c.Service, appList())
	case c.At.IsZero():
		return fmt.Errorf("connector: service %d needs a time at which it is connected", c.Service)
	case c.Days < 0 || c.Days > 180 || c.Spread < 0 || c.Spread > 7*24*time.Hour:
		return fmt.Errorf("connector: %d days back, spread over %s: want up to 180 days and up to a week", c.Days, c.Spread)
	}
	return nil
}

// connect gives an entry of the connected app the save time it has by that, and
// an entry from before the app was there to another app.
func (g *generator) connect(b *bucket, e *entry) {
	c := g.opt.Connector
	at := c.At.UnixMilli()
	if actions[e.act].app != c.Service || e.ts >= at {
		return
	}
	r := g.source(streamConnector, b.hour, e.n)
	if e.ts < at-int64(c.Days)*24*hourMS {
		e.act = uint16(g.allowed[g.others.draw(&r)])
		return
	}
	e.created = at
	if c.Spread > 0 {
		e.created += int64(r.n(int(c.Spread.Milliseconds()) + 1))
	}
}
