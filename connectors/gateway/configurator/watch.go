package configurator

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/device"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// watch takes over what the gateway's bucket says.
func (k *Configurator) watch(ctx context.Context) {
	w := watcher{k: k, told: make(map[string]bool)}
	for ctx.Err() == nil {
		bucket, err := k.config.Bus.Bucket(ctx, api.BucketOf(k.config.Gateway.ID))
		if err == nil {
			k.bucket.Store(bucket)
			err = bucket.Watch(ctx, w.apply)
		}
		if err != nil && ctx.Err() == nil {
			k.log.Warn("gateway's bucket cannot be watched, known clients are served on", "error", err)
			pause.For(ctx, time.Second)
		}
	}
}

const (
	lookFor  = time.Second // how long a client that is not known waits for the bucket's word
	maxLooks = 64          // how many of them may wait at a time
)

// Find takes over what the bucket says of a client now, if the news of it has not come yet.
func (k *Configurator) Find(ctx context.Context, client string) {
	bucket := k.bucket.Load()
	if bucket == nil || !device.TopicWord(client) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	select {
	case k.looking <- struct{}{}:
		defer func() { <-k.looking }()
	case <-ctx.Done():
		return
	}
	e, err := bucket.Get(ctx, api.AdmissionKey(client))
	if err != nil || e.Revision <= k.position.Load() {
		return
	}
	if in, err := k.read(client, e.Value); err == nil {
		k.take(client, e.Revision, in)
	}
}

func (k *Configurator) take(client string, revision uint64, in *api.Admission) {
	k.book.apply(client, revision, in)
	signal(k.changed)
}

// A watcher takes over what the bucket tells. Clients that it does not tell of at all are removed once everything that belongs
// into it is there: a bucket that was lost fills again by and by, which is no reason to cut off a fleet.
type watcher struct {
	k      *Configurator
	told   map[string]bool // clients the bucket has told of since it began to tell all
	ready  bool            // it has told all it had when it began
	filled bool            // function gateways has put in everything
}

func (w *watcher) apply(e bus.Entry) {
	k := w.k
	client, ok := strings.CutPrefix(e.Key, api.AdmissionKey(""))
	switch {
	case e.Anew:
		w.told, w.ready, w.filled = make(map[string]bool), false, false
		k.position.Store(0)
		k.log.Warn("the gateway's bucket was lost, known clients are served on while it fills")
	case e.Ready:
		w.ready = true
		w.complete()
	case e.Key == api.FilledKey:
		w.filled = !e.Deleted
		w.complete()
	case ok:
		w.admission(client, e)
	}
	k.position.Store(max(k.position.Load(), e.Revision))
}

func (w *watcher) admission(client string, e bus.Entry) {
	k := w.k
	w.told[client] = true
	if e.Deleted {
		k.take(client, e.Revision, nil)
		return
	}
	in, err := k.read(client, e.Value)
	if err != nil {
		k.log.Error("admission is not valid, client is not let in", "client", client, "revision", e.Revision, "error", err)
		k.book.forget(client)
		signal(k.changed)
		return
	}
	k.take(client, e.Revision, in)
}

// complete removes the clients that the bucket has no trace of, when it is known to have everything.
func (w *watcher) complete() {
	if !w.ready || !w.filled {
		return
	}
	w.k.book.retain(func(c string) bool { return w.told[c] })
	w.k.told.Store(true)
	w.k.all.Store(true)
	signal(w.k.changed)
}

// maxUser bounds user names, in bytes.
const maxUser = 256

func (k *Configurator) read(client string, value []byte) (*api.Admission, error) {
	var a api.Admission
	if err := json.Unmarshal(value, &a); err != nil {
		return nil, err
	}
	proofs := a.Verifiers // a claim's; devices may show either
	if k.config.Gateway.Phase == string(twin.Operational) {
		proofs = slices.Concat(a.Fingerprints, a.Verifiers)
	}
	switch {
	case a.Client != client:
		return nil, fmt.Errorf("client is %.64q", a.Client)
	case a.Phase != k.config.Gateway.Phase && !(a.Suspended() && k.config.Gateway.Phase == string(twin.Operational)):
		return nil, fmt.Errorf("phase is %.64q, the gateway's is %s", a.Phase, k.config.Gateway.Phase)
	case len(proofs) == 0 || len(proofs) > 2*api.MaxProofs || slices.ContainsFunc(proofs, func(p string) bool { return !sumPattern.MatchString(p) }):
		return nil, fmt.Errorf("it needs 1 to %d fingerprints and verifiers, each 32 bytes in lower-case hexadecimal", 2*api.MaxProofs)
	case len(a.Username) > maxUser:
		return nil, fmt.Errorf("user names have at most %d bytes", maxUser)
	}
	return &a, nil
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
