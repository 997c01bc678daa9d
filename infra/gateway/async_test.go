package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/castor-iot/castor/infra/gateway"
	"github.com/castor-iot/castor/infra/local"
	"github.com/castor-iot/castor/shared/bus"
)

func queue(t *testing.T) *bus.Bus {
	t.Helper()
	n, err := local.StartNATS(local.NATSConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	b, err := n.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestAnAsynchronousCallIsQueued(t *testing.T) {
	c := config()
	b := queue(t)
	c.Queue = b
	url := serve(t, c)
	response, _ := send(t, "POST", url+"/async-function/echo/pump-7?a=1", "hello", "Authorization", "Bearer of somebody",
		"X-Callback-Url", "https://example.com/back", "Content-Type", "text/plain", "X-Castor-Path", "/forged")
	id := response.Header.Get("X-Call-Id")
	if response.StatusCode != 202 || id == "" {
		t.Fatalf("%d, call id %q", response.StatusCode, id)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	calls := make(chan bus.Call, 1)
	go func() { _ = b.Calls(ctx, 1, func(_ context.Context, c bus.Call) error { calls <- c; return nil }) }()
	select {
	case got := <-calls:
		if got.ID != id || got.Function != "echo" || got.Method != "POST" || got.Path != "/pump-7" || got.Query != "a=1" || string(got.Body) != "hello" ||
			got.Callback != "https://example.com/back" || got.Header.Get("Content-Type") != "text/plain" || got.Header.Get("X-Castor-Path") != "" ||
			got.Header.Get("X-Callback-Url") != "" || got.At.IsZero() {
			t.Errorf("queued %+v", got)
		}
	case <-ctx.Done():
		t.Fatal("nothing was queued")
	}
}

func TestAsynchronousCallsThatAreRefused(t *testing.T) {
	c := config()
	c.Queue = queue(t)
	url := serve(t, c)
	for name, test := range map[string]struct {
		path, body, callback string
		want                 int
	}{
		"an unknown function":            {"none", "", "", 404},
		"a callback that is no URL":      {"echo", "", "::", 400},
		"a callback to a file":           {"echo", "", "file:///etc/passwd", 400},
		"a callback with a password":     {"echo", "", "http://a:b@example.com", 400},
		"a body larger than the queue's": {"echo", strings.Repeat("x", 9<<20), "", 413},
		"a callback for a stranger":      {"echo", "", "https://example.com/back", 401},
	} {
		t.Run(name, func(t *testing.T) {
			if response, body := send(t, "POST", url+"/async-function/"+test.path, test.body, "X-Callback-Url", test.callback); response.StatusCode != test.want {
				t.Errorf("%d %s, want %d", response.StatusCode, body, test.want)
			}
		})
	}
	if response, _ := send(t, "POST", serve(t, config())+"/async-function/echo", ""); response.StatusCode != 501 {
		t.Errorf("without a queue: %d, want 501", response.StatusCode)
	}
}

var _ gateway.Queue = (*bus.Bus)(nil)
