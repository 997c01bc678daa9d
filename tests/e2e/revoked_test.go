package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/castor-iot/castor/shared/api"
	pb "github.com/castor-iot/castor/shared/api/devicepb"
	"github.com/castor-iot/castor/shared/device"
)

// revokedWithin is by when a revoked credential has no session any more, and gets no new one.
const revokedWithin = time.Second

// A credential is revoked: the session that it stands for ends, and who shows it anew is refused, each within a second, on every protocol.
func TestARevokedCredentialEndsAtOnce(t *testing.T) {
	w := NewWorld(t)
	w.Type("pump")
	w.Group("plant")
	claim := w.Claim("pump", "plant", func(c *api.NewClaim) { c.MaxUses = 100 })
	for _, protocol := range []string{"mqtt", "grpc", "http"} {
		for _, kind := range []device.Kind{device.Certificate, device.Token} {
			t.Run(protocol+" "+string(kind), func(t *testing.T) { w.In(t).revoked(protocol, kind, claim) })
		}
	}
}

// revoked revokes two devices: one that is there, and one that comes. The floor is what the second needs to come and report while
// it may.
func (w *World) revoked(protocol string, kind device.Kind, claim api.ClaimFile) {
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	comes := func(role string) (*made, proof) {
		serial := fmt.Sprintf("%s-%s-%s", protocol, kind, role)
		w.Identity(serial)
		m, p := w.comesIn(protocol, serial, kind, claim)
		w.Eventually(serial+" may report", func() bool {
			return wires[protocol].report(ctx, m.operational(), p, p.ref, map[string]any{"rpm": 1}) == nil
		})
		return m, p
	}
	there, shown := comes("there")
	ended, err := stands[protocol](ctx, there.operational(), shown)
	w.must(err, "the session that stays")
	select {
	case err := <-ended:
		w.Fatalf("the session ends before anything has happened: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	comer, p := comes("comes")
	report := func() error {
		return wires[protocol].report(ctx, comer.operational(), p, p.ref, map[string]any{"rpm": 2})
	}
	var floor time.Duration
	for range 3 {
		at := time.Now()
		w.must(report(), "report")
		floor = max(floor, time.Since(at))
	}
	begin := time.Now()
	w.must(w.Admin.RevokeCredential(w.Context(), shown.ref, "stolen"), "revoke")
	select {
	case <-ended:
	case <-ctx.Done():
		w.Fatal("the session of a revoked credential does not end")
	}
	endedAfter := time.Since(begin)

	begin = time.Now()
	w.must(w.Admin.RevokeCredential(w.Context(), p.ref, "stolen"), "revoke")
	tried := begin
	for {
		tried = time.Now()
		if err := report(); refused(err) {
			break
		} else if time.Since(begin) > stuck {
			w.Fatalf("who shows a revoked credential is told %v", err)
		}
	}
	refusedAfter := tried.Sub(begin)
	for range 3 {
		if err := report(); !refused(err) {
			w.Errorf("once refused, it is told %v", err)
		}
	}
	w.judge("the session has ended", endedAfter, floor)
	w.judge("who comes anew is refused", refusedAfter, floor)
}

// judge tells how long something took whose aim is revokedWithin. It fails only far beyond that, by what a device needs just now to
// come and report.
func (w *World) judge(what string, took, floor time.Duration) {
	w.Helper()
	w.Logf("%s: after %v; the floor, the slowest of three reports, is %v", what, took.Round(time.Millisecond), floor.Round(time.Millisecond))
	if took > revokedWithin {
		fmt.Fprintf(os.Stderr, "SLOW: %s: %s: after %v, the aim is %v\n", w.Name(), what, took, revokedWithin)
	}
	if most := revokedWithin + 20*floor; took > most {
		w.Errorf("%s after %v; %v is the most on this machine as it is now", what, took, most)
	}
}

// stands are sessions that stay, by protocol: what they return tells once why they ended. Of HTTP it is a poll for commands.
var stands = map[string]func(ctx context.Context, to way, p proof) (ended <-chan error, err error){
	"mqtt": func(ctx context.Context, to way, p proof) (<-chan error, error) {
		lost := make(chan error, 1)
		_, err := mqttDial(ctx, to, p, string(p.ref), lost)
		return lost, err
	},
	"grpc": func(ctx context.Context, to way, p proof) (<-chan error, error) {
		ended, open := make(chan error, 1), make(chan struct{})
		go func() {
			ended <- grpcCall(ctx, to, p, func(ctx context.Context, c *grpc.ClientConn) error {
				s, err := pb.NewDeviceClient(c).Connect(ctx)
				for first := true; err == nil; first = false {
					if _, err = s.Recv(); err == nil && first {
						close(open)
					}
				}
				return err
			})
		}()
		select {
		case <-open:
			return ended, nil
		case err := <-ended:
			return nil, err
		}
	},
	"http": func(ctx context.Context, to way, p proof) (<-chan error, error) {
		ended := make(chan error, 1)
		go func() { ended <- httpPoll(ctx, to, p) }()
		return ended, nil
	},
}
