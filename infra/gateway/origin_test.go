package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"

	"github.com/castor-iot/castor/infra/gateway"
	handler "github.com/openfaas/templates-sdk/go-http"
)

// Where a call comes from is a balancer's word where one is in front, and nobody else's.
func TestOrigin(t *testing.T) {
	tell := func(r handler.Request) (handler.Response, error) {
		b, err := json.Marshal([]string{r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto")})
		return handler.Response{StatusCode: 200, Body: b}, err
	}
	at := func(balancers ...string) string {
		c := config()
		for _, b := range balancers {
			c.Balancers = append(c.Balancers, netip.MustParsePrefix(b))
		}
		c.Functions = []gateway.Function{{Name: "tell", Invoke: tell}}
		return serve(t, c) + "/function/tell"
	}
	alone, behind := at("10.0.0.0/8"), at("10.0.0.0/8", "127.0.0.1/32")
	for name, c := range map[string]struct {
		url, from, by string
		want          string
	}{
		"nobody in front":                 {alone, "", "", `["127.0.0.1","http"]`},
		"a caller who says he is one":     {alone, "203.0.113.7", "https", `["127.0.0.1","http"]`},
		"a balancer":                      {behind, "203.0.113.7", "https", `["203.0.113.7","https"]`},
		"a balancer that adds":            {behind, "10.1.1.1, 203.0.113.7", "http", `["203.0.113.7","http"]`},
		"IPv6":                            {behind, "2001:db8::7", "https", `["2001:db8::7","https"]`},
		"a balancer that says nothing":    {behind, "", "", `["127.0.0.1","http"]`},
		"a balancer that says no sense":   {behind, "unknown", "ftp", `["127.0.0.1","http"]`},
		"a balancer that says a sentence": {behind, "203.0.113.7, <script>", "https ", `["127.0.0.1","https"]`},
	} {
		header := []string{}
		if c.from != "" {
			header = append(header, "X-Forwarded-For", c.from)
		}
		if c.by != "" {
			header = append(header, "X-Forwarded-Proto", c.by)
		}
		if resp, body := send(t, "GET", c.url, "", header...); resp.StatusCode != http.StatusOK || body != c.want {
			t.Errorf("%s: %s, want %s", name, body, c.want)
		}
	}
}
