package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// askTime is how long Ask waits for an answer.
const askTime = 4 * time.Second

// Ask asks /readyz of a process on this machine that serves on addr, as CASTOR_METRICS has it (see Serve). It returns nil if the
// process is ready, else why not, in its own words. Images without a shell have nothing else to ask with.
func Ask(ctx context.Context, addr string) error {
	if addr == Off {
		return errors.New("CASTOR_METRICS is off: there is nobody to ask; give it an address")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("CASTOR_METRICS=%.200q must be an address with a port, like :9102", addr)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("CASTOR_METRICS=%.200q: %w", addr, err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("nobody answers at CASTOR_METRICS=%s: %w", addr, err)
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("CASTOR_METRICS=%s: %w", addr, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(why)))
	}
	return nil
}
