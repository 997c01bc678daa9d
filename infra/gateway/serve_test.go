package gateway_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/castor-iot/castor/infra/gateway"
)

func served(t *testing.T, c gateway.Config) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gateway.Serve(ctx, l, gateway.New(c), nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// Ten thousand connections that say nothing, and some that begin and do not go on, keep nobody out.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	const idle, slow = 10_000, 300
	c := upstreams(start(t, nil).URL)
	c.Timeout = patience
	address := served(t, c)
	connections := make([]net.Conn, 0, idle+slow)
	defer func() {
		for _, c := range connections {
			_ = c.Close()
		}
	}()
	for i := range idle + slow {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		connections = append(connections, c)
		if i >= idle { // this one has a request under way
			if _, err := io.WriteString(c, "POST /function/f HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for range 20 {
		response, err := client.Post("http://"+address+"/function/f", "", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("status %d", response.StatusCode)
		}
	}
	// The oldest was closed for the sake of the others; the newest was not.
	if err := connections[0].SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := connections[0].Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the connection that was silent longest is open: %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
