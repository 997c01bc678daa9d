package local

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/nats-io/nats-server/v2/server"
)

const startTimeout = 20 * time.Second

// maxMessage is the largest message: a body of an asynchronous call, or a batch of events.
const maxMessage = 8 << 20

// NATSConfig says how to start NATS.
type NATSConfig struct {
	// Dir keeps streams, buckets and the token. It is made if missing. One process at a time may use it.
	Dir string

	// Listen is the address for other processes: "127.0.0.1:4222", "127.0.0.1:0" for any free port. Empty means that only
	// this process can connect.
	Listen string

	// Guests tells what a process may do that shows a user's name and a password; nil or ok = false: it is not let in. Who shows
	// the token may do everything.
	Guests func(user, password string) (scope bus.Scope, ok bool)

	// Log receives the server's warnings and errors; slog.Default if nil.
	Log *slog.Logger
}

// NATS is a running server. What it has acknowledged is on disk.
type NATS struct {
	server *server.Server
	token  string
}

// StartNATS starts a server with JetStream and returns when it takes connections.
func StartNATS(config NATSConfig) (*NATS, error) {
	n, err := startNATS(config)
	if err != nil {
		return nil, fmt.Errorf("start NATS: %w", err)
	}
	return n, nil
}

func startNATS(config NATSConfig) (*NATS, error) {
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, err
	}
	token, err := secretFile(filepath.Join(config.Dir, "token"))
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	options := &server.Options{
		ServerName: "castor",
		DontListen: true,
		JetStream:  true,
		StoreDir:   config.Dir,
		SyncAlways: true, // an acknowledged event is on disk, not only with the kernel
		MaxPayload: maxMessage,
		NoSigs:     true,

		CustomClientAuthentication: &doorkeeper{token: token, guests: config.Guests, log: config.Log},
	}
	if config.Listen != "" {
		l, err := net.Listen("tcp", config.Listen) // the server itself only logs that a port is taken
		if err != nil {
			return nil, err
		}
		address := l.Addr().(*net.TCPAddr)
		_ = l.Close()
		options.DontListen, options.Host, options.Port = false, address.IP.String(), address.Port
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(natsLog{config.Log}, false, false, false)
	s.Start()
	n := &NATS{server: s, token: token}
	if !s.ReadyForConnections(startTimeout) || !s.JetStreamEnabled() {
		n.Close()
		return nil, fmt.Errorf("not ready after %s; the log says why", startTimeout)
	}
	return n, nil
}

// Connect opens a bus on the server without a socket.
func (n *NATS) Connect(ctx context.Context, opts ...bus.Option) (*bus.Bus, error) {
	return bus.Connect(ctx, "", append([]bus.Option{bus.InProcess(n.server), bus.Token(n.token)}, opts...)...)
}

// URL is where other processes connect, or "" if the server does not listen. They need the Token too.
func (n *NATS) URL() string {
	if address := n.server.Addr(); address != nil {
		return "nats://" + address.String()
	}
	return ""
}

// Token is what a connection must show. It is made once and kept in the data directory.
func (n *NATS) Token() string { return n.token }

// Close stops the server and returns when its files are closed.
func (n *NATS) Close() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// natsLog hands the server's log on. Its notices are of no interest to who runs a platform.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l natsLog) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l natsLog) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l natsLog) Fatalf(format string, v ...any)  { l.say(slog.LevelError, format, v) }
func (l natsLog) Debugf(string, ...any)           {}
func (l natsLog) Tracef(string, ...any)           {}

func (l natsLog) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "nats", "text", fmt.Sprintf(format, v...))
}
