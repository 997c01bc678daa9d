package gateway

import (
	"context"
	"encoding/json"
	"errors"
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
)

// configure is the configurator (paper 4.10): it applies what the gateway's bucket says until ctx ends, and tells the
// platform what it has applied.
func (d *Door) configure(ctx context.Context) {
	w := watcher{d: d, told: make(map[string]bool)}
	var telling sync.WaitGroup
	telling.Go(func() { d.tell(ctx) })
	defer func() {
		telling.Wait()
		if _, err := d.admitted.save(); err != nil { // what was removed in the last moment must stay out after a restart
			d.log.Error("gateway stops with changes that are not in its file", "error", err)
		}
	}()
	for ctx.Err() == nil {
		bucket, err := d.config.Bus.Bucket(ctx, api.BucketOf(d.config.ID))
		if err == nil {
			d.bucket.Store(bucket)
			err = bucket.Watch(ctx, w.apply)
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("gateway cannot watch its bucket, known clients are served on", "error", err)
			pause(ctx, time.Second)
		}
	}
}

// lookUp applies what the bucket says of a client now, if the watcher has not come to it yet.
func (d *Door) lookUp(ctx context.Context, client string) {
	bucket := d.bucket.Load()
	if bucket == nil || !device.TopicWord(client) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	select {
	case d.looking <- struct{}{}:
		defer func() { <-d.looking }()
	case <-ctx.Done():
		return
	}
	e, err := bucket.Get(ctx, api.AdmissionKey(client))
	if err != nil || e.Revision <= d.position.Load() {
		return
	}
	if in, err := d.readAdmission(client, e.Value); err == nil {
		d.apply(client, e.Revision, in)
	}
}

// lookFor bounds how long a client that is not known waits for the bucket's word.
const lookFor = time.Second

// apply takes over one change and has it told.
func (d *Door) apply(client string, revision uint64, in *api.Admission) {
	if d.admitted.apply(d.config.ID, client, revision, in) {
		d.review(client)
	}
	if in == nil {
		d.dismissed(client)
	}
	d.signal()
}

func (d *Door) signal() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// A watcher applies what the bucket tells. Clients that it does not tell of at all are removed once everything that belongs
// into it is there: a bucket that was lost fills again by and by, which is no reason to cut off a fleet.
type watcher struct {
	d      *Door
	told   map[string]bool // clients the bucket has told of since it began to tell all
	ready  bool            // it has told all it had when it began
	filled bool            // function gateways has put in everything
}

func (w *watcher) apply(e bus.Entry) {
	d := w.d
	client, ok := strings.CutPrefix(e.Key, api.AdmissionKey(""))
	switch {
	case e.Anew:
		w.told, w.ready, w.filled = make(map[string]bool), false, false
		d.position.Store(0)
		d.log.Warn("the gateway's bucket was lost, known clients are served on while it fills")
	case e.Ready:
		w.ready = true
		w.complete()
	case e.Key == api.FilledKey:
		w.filled = !e.Deleted
		w.complete()
	case ok:
		w.admission(client, e)
	}
	d.position.Store(max(d.position.Load(), e.Revision))
}

func (w *watcher) admission(client string, e bus.Entry) {
	d := w.d
	w.told[client] = true
	if e.Deleted {
		d.apply(client, e.Revision, nil)
		return
	}
	in, err := d.readAdmission(client, e.Value)
	if err != nil {
		d.log.Error("admission is not valid, client is not let in", "client", client, "revision", e.Revision, "error", err)
		if d.admitted.forget(client) {
			d.review(client)
			d.dismissed(client)
		}
		return
	}
	d.apply(client, e.Revision, in)
}

// complete removes the clients that the bucket has no trace of, when it is known to have everything.
func (w *watcher) complete() {
	if !w.ready || !w.filled {
		return
	}
	for _, client := range w.d.admitted.retain(func(c string) bool { return w.told[c] }) {
		w.d.review(client)
		w.d.dismissed(client)
	}
	w.d.told.Store(true)
	w.d.signal()
}

func (d *Door) readAdmission(client string, value []byte) (*api.Admission, error) {
	var a api.Admission
	if err := json.Unmarshal(value, &a); err != nil {
		return nil, err
	}
	proofs := a.Verifiers // a claim's; devices may show either
	if d.config.Phase == Operational {
		proofs = slices.Concat(a.Fingerprints, a.Verifiers)
	}
	switch {
	case a.Client != client:
		return nil, fmt.Errorf("client is %.64q", a.Client)
	case a.Phase != string(d.config.Phase):
		return nil, fmt.Errorf("phase is %.64q, the gateway's is %s", a.Phase, d.config.Phase)
	case len(proofs) == 0 || len(proofs) > 2*api.MaxProofs || slices.ContainsFunc(proofs, func(p string) bool { return !sumPattern.MatchString(p) }):
		return nil, fmt.Errorf("it needs 1 to %d fingerprints and verifiers, each 32 bytes in lower-case hexadecimal", 2*api.MaxProofs)
	case len(a.Username) > maxShown:
		return nil, fmt.Errorf("user names have at most %d bytes", maxShown)
	}
	return &a, nil
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// review ends those sessions of a client whose credential lets it in no more, and no others: while a credential is renewed, two
// are good.
func (d *Door) review(client string) {
	if d.config.Phase == Operational { // where the two names are one
		if s, ok := d.sessions.current(client); ok && !s.mayStay() {
			d.cut(s, ErrDismissed)
		}
		return
	}
	for _, s := range d.sessions.all() {
		if s.Name == client && !s.mayStay() {
			d.cut(s, ErrDismissed)
		}
	}
}

func (d *Door) cut(s *Session, why error) {
	if s.Why() == nil {
		d.count.cut.Add(1)
		s.cut(why)
	}
}

func (d *Door) dismissed(client string) {
	if d.config.Dismissed != nil {
		d.config.Dismissed(client)
	}
}

// tell keeps the file and the platform informed. Changes that come while it writes are written together. What is told is in
// the file before, so that a restart does not forget it, and leaves the file after, so that it is not told for ever.
func (d *Door) tell(ctx context.Context) {
	delay := 100 * time.Millisecond
	for {
		untold, err := d.admitted.save()
		if err == nil && len(untold) > 0 {
			if err = d.publish(ctx, untold); err == nil {
				d.admitted.told(untold)
				_, err = d.admitted.save()
			}
		}
		if err != nil && ctx.Err() == nil {
			d.log.Warn("gateway cannot tell what it has applied", "waiting", len(untold), "error", err)
			pause(ctx, delay)
			delay = min(2*delay, 5*time.Second)
			continue
		}
		delay = 100 * time.Millisecond
		select {
		case <-ctx.Done():
			return
		case <-d.changed:
		}
	}
}

func (d *Door) publish(ctx context.Context, applied []api.GatewayApplied) error {
	events := make([]event.Event, len(applied))
	for i, a := range applied {
		id := fmt.Sprintf("applied:%s:%s:%d", a.Gateway, a.Client, a.Revision)
		events[i] = event.New(id, event.GatewayApplied, a.Client, d.now(), a)
	}
	return d.config.Bus.Publish(ctx, events...)
}

// expire ends what time ends: sessions whose admission or certificate has run out, those that are not visited any more, and
// connections that do not come to a session.
func (d *Door) expire(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.guard.hall.clear(2 * d.config.Limits.Handshake)
		for _, s := range d.sessions.all() {
			switch {
			case !s.mayStay():
				d.cut(s, ErrDismissed)
			case s.visits.idle(d.now(), d.config.Limits.Linger):
				s.cut(ErrIdle)
			}
		}
	}
}

func (d *Door) current(expires time.Time) error {
	if !expires.IsZero() && !d.now().Before(expires) {
		return errors.New("it has expired")
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
