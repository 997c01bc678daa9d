package metrics_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/castor-iot/castor/shared/metrics"
)

func TestAskSaysWhetherAProcessIsReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ready := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- metrics.ServeOn(ctx, l, func() error { return <-ready }) }()
	for _, addr := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port, "127.0.0.1:" + port} {
		ready <- nil
		if err := metrics.Ask(t.Context(), addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	ready <- errors.New("the bus is not reached yet")
	if err := metrics.Ask(t.Context(), ":"+port); err == nil || err.Error() != "not ready: the bus is not reached yet" {
		t.Errorf("it says %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for addr, says := range map[string]string{":" + port: "nobody answers", "off": "CASTOR_METRICS is off", "9102": "must be an address"} {
		if err := metrics.Ask(t.Context(), addr); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: it says %v, want %q", addr, err, says)
		}
	}
}
