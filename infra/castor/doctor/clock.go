package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// maxSkew is how far two clocks may be apart before tokens and certificates are refused (see platform's leeway).
const maxSkew = 5 * time.Second

// setClock mends a clock.
const setClock = "sudo timedatectl set-ntp true"

// clock compares this machine's clock with the gateway's, and tells whether something keeps it right.
func (c *Config) clock(ctx context.Context, f *findings) {
	switch synced, known := synchronised(); {
	case !known:
	case synced:
		f.ok("this machine's clock is kept by a time service")
	default:
		f.warn("no time service keeps this machine's clock", setClock)
	}
	if c.URL == "" {
		return
	}
	sent := c.Now()
	resp, err := c.get(ctx, "/healthz")
	if err != nil {
		return // told by the check of the gateway
	}
	resp.Body.Close()
	there, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		f.warn("the gateway does not say what time it is there", "")
		return
	}
	// The header has whole seconds, cut off.
	here := sent.Add(c.Now().Sub(sent) / 2)
	skew := here.Sub(there.Add(500 * time.Millisecond)).Round(time.Second)
	switch {
	case skew > maxSkew:
		f.bad(fmt.Sprintf("this machine's clock is %s ahead of the platform's", skew), "set the one that is wrong: "+setClock)
	case skew < -maxSkew:
		f.bad(fmt.Sprintf("this machine's clock is %s behind the platform's", -skew), "set the one that is wrong: "+setClock)
	default:
		f.ok("this machine's clock and the platform's agree")
	}
}
