package indicators_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mdcalake/query/indicators"
)

// BenchmarkMatch is what a row costs that nothing matches, which nearly all are.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		var list strings.Builder
		list.WriteString("type,value\n")
		for i := range n / 5 {
			fmt.Fprintf(&list, "ip,185.1.%d.%d\ndomain,a.bad%d.example\nurl,https://bad%d.example/x\nuser-agent,evil-%d/1.0\nmd5,%032x\n", i/250, i%250+1, i, i, i, i)
		}
		set := &indicators.Set{}
		if err := set.Read("list", strings.NewReader(list.String()), indicators.Options{}); err != nil {
			b.Fatal(err)
		}
		for _, raw := range []bool{false, true} {
			m, err := indicators.NewMatcher(set, raw)
			if err != nil {
				b.Fatal(err)
			}
			rows := make([]indicators.Row, 512)
			for i := range rows {
				user := fmt.Sprintf("ada.user%d@contoso.example", i)
				rows[i] = indicators.Row{At: time.Unix(0, 0), IP: "203.0.113." + fmt.Sprint(i%256), OtherIPs: []string{"203.0.113." + fmt.Sprint(i%256)}, UserName: user, ActorName: "Ada User",
					UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
					ObjectID:  fmt.Sprintf("https://contoso.sharepoint.com/sites/x/Shared Documents/Report %d.docx", i),
					IDs:       []string{user, fmt.Sprintf("f727e73f-6a7d-42b5-b6b0-%012d", i), "c9642fde-166e-4faa-8be3-019c13e351cd"},
					Names:     []string{"Ada User", fmt.Sprintf("Report %d.docx", i), "Ada User"}}
				if raw {
					rows[i].Raw = strings.Repeat(`{"userName":"`+user+`","clientIP":"203.0.113.9","userAgent":"`+rows[i].UserAgent+`"}`, 15)
				}
			}
			b.Run(fmt.Sprintf("indicators=%d/raw=%t", n, raw), func(b *testing.B) {
				hits := 0
				for i := range b.N {
					m.Match(&rows[i%len(rows)], func(indicators.Hit) { hits++ })
				}
				if hits > 0 {
					b.Fatalf("%d hits", hits)
				}
			})
		}
	}
}
