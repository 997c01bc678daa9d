package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/castor-iot/castor/connectors/stream"
)

var streamCommand = command{
	name: "stream",
	does: "writes what happens to who looks at it now, as server-sent events (GET /stream)",
	settings: append(common[:len(common):len(common)],
		setting{name: "CASTOR_LISTEN", what: "address for readers, behind the user gateway", otherwise: ":8080", example: "127.0.0.1:8085", check: checkAddress},
		setting{name: "CASTOR_STREAMS", what: "how many streams may be open at a time", otherwise: "2000", example: "500", check: checkNumber(1, 100_000)},
		setting{name: "CASTOR_STREAMS_EACH", what: "how many of them one person or service account may have", otherwise: "20", example: "5", check: checkNumber(1, 1000)},
	),
	secrets: append([]string{
		"castor-part-stream: seals the ids of frames, so that any replica goes on where another ended",
	}, commonSecrets...),
	run: runStream,
}

// Bounds of the server: on requests, which have no body. Streams have none.
const (
	streamHeader     = 64 << 10
	streamHeaderTime = 5 * time.Second
	streamReadTime   = 30 * time.Second // until a stream begins
	streamGrace      = 10 * time.Second
)

func runStream(ctx context.Context, p *process) (err error) {
	secret, err := p.secret("castor-part-stream")
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.settings.get("CASTOR_LISTEN"))
	if err != nil {
		return fmt.Errorf("CASTOR_LISTEN: %w", err)
	}
	defer l.Close()
	b, err := p.connect(ctx, "castor-connector stream")
	if b == nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	part, err := p.platform(b, "stream", "")
	if err != nil {
		return err
	}
	c, err := stream.New(stream.Config{Bus: b, API: part.API, Authenticate: part.SignedIn, Secret: secret, Log: p.log,
		Streams: int(p.settings.number("CASTOR_STREAMS")), PerCaller: int(p.settings.number("CASTOR_STREAMS_EACH"))})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/stream", c)
	server := &http.Server{Handler: mux, MaxHeaderBytes: streamHeader, ReadHeaderTimeout: streamHeaderTime, ReadTimeout: streamReadTime, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(l) }()
	working, stop := context.WithCancel(ctx)
	running := make(chan error, 1)
	go func() { running <- c.Run(working) }()
	p.serving(b, c.Ready)
	select {
	case err = <-running: // ctx has ended, most likely
		stop()
	case err = <-serving:
		stop()
		return errors.Join(err, <-running)
	}
	// All streams have got their last frame, or will within a moment.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamGrace)
	defer cancel()
	return errors.Join(err, server.Shutdown(grace))
}
