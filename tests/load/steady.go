package main

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/castor-iot/castor/tests/load/flood"
)

// A delivery is one message: when it was published, and how long it was until the platform had told that it is stored.
type delivery struct {
	at   time.Time
	took time.Duration
}

// A stream is devices that report at a steady rate, whatever the answers.
type stream struct {
	end  context.CancelFunc
	all  sync.WaitGroup
	errs chan error

	mu   sync.Mutex
	done []delivery
}

// steady has all devices report, together at the rate, until the stream is stopped. Each has a time of its own in every period.
func steady(ctx context.Context, conns []net.Conn, peers []peer, perSecond int) *stream {
	return steadily(ctx, conns, peers, perSecond, window, payload)
}

// steadily is steady with other payloads, and so many of a device that wait for their acknowledgement at most.
func steadily(ctx context.Context, conns []net.Conn, peers []peer, perSecond, window int, payload func(n int) []byte) *stream {
	s := &stream{errs: make(chan error, len(conns))}
	ctx, s.end = context.WithCancel(ctx)
	period := time.Second * time.Duration(len(conns)) / time.Duration(perSecond)
	began := time.Now()
	for i, conn := range conns {
		s.all.Go(func() {
			var sent []time.Time
			err := flood.Publish(conn, "castor/"+peers[i].ref+"/telemetry", 60_000, window, func(n int) []byte {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(time.Until(began.Add(period*time.Duration(i)/time.Duration(len(conns)) + period*time.Duration(n)))):
				}
				p := payload(n)
				s.mu.Lock()
				sent = append(sent, time.Now())
				s.mu.Unlock()
				return p
			}, func(n int) {
				s.mu.Lock()
				s.done = append(s.done, delivery{sent[n], time.Since(sent[n])})
				s.mu.Unlock()
			})
			if err != nil {
				s.errs <- err
			}
		})
	}
	return s
}

// stop waits until everything that was published is stored, and returns it in no order.
func (s *stream) stop() ([]delivery, error) {
	s.end()
	s.all.Wait()
	select {
	case err := <-s.errs:
		return nil, err
	default:
		return s.done, nil
	}
}

// A span is a time in which something was going on.
type span struct{ from, to time.Time }

// took returns how long those took that were published in one of the spans.
func took(all []delivery, spans ...span) (took []time.Duration) {
	for _, d := range all {
		for _, s := range spans {
			if !d.at.Before(s.from) && d.at.Before(s.to) {
				took = append(took, d.took)
			}
		}
	}
	return took
}

// pass is a span that lasts from now on for d, without its beginning, in which things settle.
func pass(ctx context.Context, settle, d time.Duration) (span, error) {
	s := span{from: time.Now().Add(settle)}
	s.to = s.from.Add(d)
	select {
	case <-ctx.Done():
		return s, ctx.Err()
	case <-time.After(settle + d):
		return s, nil
	}
}
