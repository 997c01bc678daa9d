package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/event"
	"github.com/mochi-mqtt/server/v2/packets"
)

// configure is the configurator (paper 4.10): it applies what the gateway's bucket says until ctx ends, and tells the
// platform what it has applied.
func (g *Gateway) configure(ctx context.Context) {
	w := watcher{g: g, told: make(map[string]bool)}
	var telling sync.WaitGroup
	telling.Go(func() { g.tell(ctx) })
	defer func() {
		telling.Wait()
		if _, err := g.admitted.save(); err != nil { // what was removed in the last moment must stay out after a restart
			g.log.Error("gateway stops with changes that are not in its file", "error", err)
		}
	}()
	for ctx.Err() == nil {
		bucket, err := g.config.Bus.Bucket(ctx, api.BucketOf(g.config.ID))
		if err == nil {
			g.bucket.Store(bucket)
			err = bucket.Watch(ctx, w.apply)
		}
		if err != nil && ctx.Err() == nil {
			g.log.Warn("gateway cannot watch its bucket, known clients are served on", "error", err)
			pause(ctx, time.Second)
		}
	}
}

// lookUp applies what the bucket says of a client now, if the watcher has not come to it yet.
func (g *Gateway) lookUp(client string) {
	bucket := g.bucket.Load()
	if bucket == nil || !device.TopicWord(client) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookFor)
	defer cancel()
	e, err := bucket.Get(ctx, api.AdmissionKey(client))
	if err != nil || e.Revision <= g.position.Load() {
		return
	}
	if in, err := g.readAdmission(client, e.Value); err == nil {
		g.apply(client, e.Revision, in)
	}
}

// lookFor bounds how long a client that is not known waits for the bucket's word.
const lookFor = time.Second

// apply takes over one change and has it told.
func (g *Gateway) apply(client string, revision uint64, in *api.Admission) {
	if g.admitted.apply(g.config.ID, client, revision, in) {
		g.cut(client)
	}
	g.signal()
}

func (g *Gateway) signal() {
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// A watcher applies what the bucket tells. Clients that it does not tell of at all are removed once everything that belongs
// into it is there: a bucket that was lost fills again by and by, which is no reason to cut off a fleet.
type watcher struct {
	g      *Gateway
	told   map[string]bool // clients the bucket has told of since it began to tell all
	ready  bool            // it has told all it had when it began
	filled bool            // function gateways has put in everything
}

func (w *watcher) apply(e bus.Entry) {
	g := w.g
	client, ok := strings.CutPrefix(e.Key, api.AdmissionKey(""))
	switch {
	case e.Anew:
		w.told, w.ready, w.filled = make(map[string]bool), false, false
		g.position.Store(0)
		g.log.Warn("the gateway's bucket was lost, known clients are served on while it fills")
	case e.Ready:
		w.ready = true
		w.complete()
	case e.Key == api.FilledKey:
		w.filled = !e.Deleted
		w.complete()
	case ok:
		w.admission(client, e)
	}
	g.position.Store(max(g.position.Load(), e.Revision))
}

func (w *watcher) admission(client string, e bus.Entry) {
	g := w.g
	w.told[client] = true
	if e.Deleted {
		g.apply(client, e.Revision, nil)
		return
	}
	in, err := g.readAdmission(client, e.Value)
	if err != nil {
		g.log.Error("admission is not valid, client is not let in", "client", client, "revision", e.Revision, "error", err)
		if g.admitted.forget(client) {
			g.cut(client)
		}
		return
	}
	g.apply(client, e.Revision, in)
}

// complete removes the clients that the bucket has no trace of, when it is known to have everything.
func (w *watcher) complete() {
	if !w.ready || !w.filled {
		return
	}
	for _, client := range w.g.admitted.retain(func(c string) bool { return w.told[c] }) {
		w.g.cut(client)
	}
	w.g.told.Store(true)
	w.g.signal()
}

func (g *Gateway) readAdmission(client string, value []byte) (*api.Admission, error) {
	var a api.Admission
	if err := json.Unmarshal(value, &a); err != nil {
		return nil, err
	}
	proofs := a.Fingerprints
	if g.config.Phase == Provisioning {
		proofs = a.Verifiers
	}
	switch {
	case a.Client != client:
		return nil, fmt.Errorf("client is %.64q", a.Client)
	case a.Phase != string(g.config.Phase):
		return nil, fmt.Errorf("phase is %.64q, the gateway's is %s", a.Phase, g.config.Phase)
	case len(proofs) == 0 || slices.ContainsFunc(proofs, func(p string) bool { return !sumPattern.MatchString(p) }):
		return nil, fmt.Errorf("a SHA-256 in lower-case hexadecimal is needed")
	}
	return &a, nil
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (g *Gateway) cut(client string) {
	g.count.cut.Add(1)
	g.sessions.cutNamed(client, packets.ErrNotAuthorized)
	if g.config.Phase == Operational {
		for topic := range g.server.Topics.Retained.GetAll() {
			if strings.HasPrefix(topic, "castor/"+client+"/") {
				g.server.Topics.Retained.Delete(topic)
			}
		}
	}
}

// tell keeps the file and the platform informed. Changes that come while it writes are written together. What is told is in
// the file before, so that a restart does not forget it, and leaves the file after, so that it is not told for ever.
func (g *Gateway) tell(ctx context.Context) {
	delay := 100 * time.Millisecond
	for {
		untold, err := g.admitted.save()
		if err == nil && len(untold) > 0 {
			if err = g.publish(ctx, untold); err == nil {
				g.admitted.told(untold)
				_, err = g.admitted.save()
			}
		}
		if err != nil && ctx.Err() == nil {
			g.log.Warn("gateway cannot tell what it has applied", "waiting", len(untold), "error", err)
			pause(ctx, delay)
			delay = min(2*delay, 5*time.Second)
			continue
		}
		delay = 100 * time.Millisecond
		select {
		case <-ctx.Done():
			return
		case <-g.changed:
		}
	}
}

func (g *Gateway) publish(ctx context.Context, applied []api.GatewayApplied) error {
	events := make([]event.Event, len(applied))
	for i, a := range applied {
		id := fmt.Sprintf("applied:%s:%s:%d", a.Gateway, a.Client, a.Revision)
		events[i] = event.New(id, event.GatewayApplied, a.Client, g.now(), a)
	}
	return g.config.Bus.Publish(ctx, events...)
}

// expire ends sessions whose admission or certificate has run out.
func (g *Gateway) expire(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := g.now()
		for _, s := range g.sessions.all() {
			a, ok := g.admitted.get(s.Name)
			if !ok || g.current(a.Expires) != nil || !s.expires.IsZero() && now.After(s.expires) {
				g.count.cut.Add(1)
				s.cut(packets.ErrNotAuthorized)
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
