package grpc_test

import (
	"context"
	"encoding/base64"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/castor-iot/castor/connectors/gateway/gatewaytest"
	"github.com/castor-iot/castor/connectors/grpc"
	"github.com/castor-iot/castor/connectors/linktest"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/telemetry"
	rpc "google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

func TestSuite(t *testing.T) {
	linktest.Run(t, linktest.Protocol{
		Start: func(t testing.TB, w *linktest.World, phase string) (string, func()) {
			return start(t, w, phase, nil)
		},
		Dial:       dial,
		Provisions: true,
		Secrets:    []device.Kind{device.Token, device.Password, device.APIKey},
		Renews:     true,
		Knocks:     true,
		MaxPayload: telemetry.MaxPayload,
	})
}

func start(t testing.TB, w *linktest.World, phase string, change func(*grpc.Config)) (address string, stop func()) {
	t.Helper()
	c, stop := begin(t, w, phase, change)
	return c.Addr().String(), stop
}

// run is start for who wants to look at the connector.
func run(t testing.TB, w *linktest.World, phase string, change func(*grpc.Config)) (*grpc.Connector, string) {
	t.Helper()
	c, _ := begin(t, w, phase, change)
	return c, c.Addr().String()
}

func begin(t testing.TB, w *linktest.World, phase string, change func(*grpc.Config)) (c *grpc.Connector, stop func()) {
	t.Helper()
	config := grpc.Config{Gateway: gatewaytest.Config(t, w, phase), API: w.API}
	if change != nil {
		change(&config)
	}
	c, err := grpc.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, linktest.Go(t, c.Run)
}

// connection is a channel to the gateway whose TCP connection a test can cut.
func connection(w *linktest.World, address string, id linktest.Identity, options ...rpc.DialOption) (conn *rpc.ClientConn, cut func(), err error) {
	var mu sync.Mutex
	var raw net.Conn
	conn, err = rpc.NewClient("passthrough:///"+address, append([]rpc.DialOption{
		rpc.WithTransportCredentials(credentials.NewTLS(w.CA.Client(id))),
		rpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			mu.Lock()
			raw = c
			mu.Unlock()
			return c, err
		}),
		rpc.WithDisableRetry(), rpc.WithConnectParams(rpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: linktest.Patience}),
	}, options...)...)
	return conn, func() {
		mu.Lock()
		if raw != nil {
			_ = raw.Close()
		}
		mu.Unlock()
		_ = conn.Close()
	}, err
}

// showing is a context with what a device shows in its metadata.
func showing(ctx context.Context, id linktest.Identity) context.Context {
	md := metadata.Pairs("castor-client", id.Client)
	switch {
	case strings.Contains(id.User, " "): // of a password
		md.Set("authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id.User+":"+id.Password)))
	case id.User != "":
		md.Set("authorization", "Bearer "+id.User+"."+id.Password)
	case id.Password != "":
		md.Set("x-api-key", id.Password)
	}
	return metadata.NewOutgoingContext(ctx, md)
}
