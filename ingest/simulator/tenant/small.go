package tenant

import (
	"fmt"
	"io"
)

// WriteSmall writes record i of n of a year of small ones: 20 services, in
// the order of time. app and
// days say how it differs from the one that was there before.
func WriteSmall(w io.Writer, i, n, app, days int64) error {
	const year = 365 * 24 * 3600 * 1000
	at := 1_735_689_600_000 + int64(float64(i)/float64(n)*year)
	_, err := fmt.Fprintf(w, `{"_id":"%016x","timestamp":%d,"created":%d,"appId":%d,"user":{"userName":"user%d@contoso.example"},"device":{"clientIP":"10.%d.%d.%d"}}`+"\n",
		uint64(i)*0x9e3779b97f4a7c15, at+days*24*3600*1000, at+60_000+app+days, 20000+i%20+app*100, i%50_000, i%7, i%251, i%241)
	return err
}
