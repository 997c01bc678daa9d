package gateway_test

import (
	"net/http"
	"testing"

	"github.com/castor-iot/castor/infra/gateway"
)

// Who opens the gateway's own address comes to the console.
func TestFace(t *testing.T) {
	with := config()
	with.Functions = append(with.Functions, gateway.Function{Name: "console", Invoke: echo})
	for url, want := range map[string]int{serve(t, with): http.StatusTemporaryRedirect, serve(t, config()): http.StatusNotFound} {
		for _, path := range []string{"/", "/function/console"} {
			req, err := http.NewRequest("GET", url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want || want == http.StatusTemporaryRedirect && resp.Header.Get("Location") != "/function/console/" {
				t.Errorf("%s: %d to %q, want %d", path, resp.StatusCode, resp.Header.Get("Location"), want)
			}
		}
		if resp, _ := send(t, "POST", url+"/", ""); resp.StatusCode == http.StatusTemporaryRedirect {
			t.Error("a POST is sent elsewhere")
		}
		if resp, _ := send(t, "GET", url+"/elsewhere", ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("an address that is none: %d", resp.StatusCode)
		}
	}
}
