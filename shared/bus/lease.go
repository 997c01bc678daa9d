package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/pause"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const leaseBucket = "CASTOR_LEASES"

// A Lease is the right to be the only one who does something, for as long as it is renewed. A process that was
// suspended may believe a little too long that it holds one: what it writes must carry Epoch, and who stores it must
// refuse an epoch older than one it has seen.
type Lease struct {
	bucket *Bucket
	key    string
	value  []byte // differs for every lease ever taken, so a renewal whose answer got lost is known again
	ttl    time.Duration
	epoch  uint64

	revision uint64 // of the renewal goroutine
	stop     context.CancelFunc
	lost     chan struct{}
	done     chan struct{}
	release  sync.Once
}

type leaseValue struct {
	Holder string `json:"holder"`
	Token  string `json:"token"`
}

// Lease takes the lease of that name for holder, who is named to people who look. It is renewed in the background until
// it is released or lost. ttl is how long others wait after the holder has died; one second at least, cut to seconds.
//
// It returns ErrHeld at once if somebody has the lease, also if that is an earlier lease of the same holder.
func (b *Bus) Lease(ctx context.Context, name, holder string, ttl time.Duration) (*Lease, error) {
	key, err := encodeKey(name)
	if err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, err)
	}
	ttl = ttl.Truncate(time.Second) // the server counts in seconds
	if ttl < time.Second {
		return nil, fmt.Errorf("lease %q: %w: ttl must be one second at least", name, ErrInvalid)
	}
	bucket, err := b.bucket(ctx, jetstream.KeyValueConfig{Bucket: leaseBucket, LimitMarkerTTL: time.Minute})
	if err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, err)
	}
	value, err := json.Marshal(leaseValue{Holder: holder, Token: rand.Text()})
	if err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, err)
	}
	asked := time.Now()
	revision, err := bucket.kv.Create(ctx, key, value, jetstream.KeyTTL(ttl))
	if errors.Is(err, jetstream.ErrKeyExists) || errors.Is(b.cause(err), ErrConflict) {
		return nil, fmt.Errorf("lease %q: %w", name, ErrHeld)
	}
	if err != nil {
		return nil, fmt.Errorf("lease %q: %w", name, b.cause(err))
	}
	running, stop := context.WithCancel(context.Background())
	l := &Lease{
		bucket: bucket, key: key, value: value, ttl: ttl,
		epoch: revision, revision: revision,
		stop: stop, lost: make(chan struct{}), done: make(chan struct{}),
	}
	go l.hold(running, asked)
	return l, nil
}

// Lost is closed when the lease is not held any more: somebody else may have it. It is closed before the server would
// give it away, as far as this process's clock runs, and also by Release.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Epoch is the fencing number: that of a later holder is larger.
func (l *Lease) Epoch() uint64 { return l.epoch }

// Release gives the lease up, so that others need not wait. Releasing a lost lease does nothing, and so does doing it twice.
func (l *Lease) Release(ctx context.Context) error {
	var err error
	l.release.Do(func() {
		l.stop()
		<-l.done
		err = l.remove(ctx)
	})
	if err != nil {
		return fmt.Errorf("release lease %q: %w", l.key, l.bucket.bus.cause(err))
	}
	return nil
}

// remove deletes the lease if it is still ours. A renewal that was broken off may have been stored all the same: then the
// value is ours under a later revision.
func (l *Lease) remove(ctx context.Context) error {
	for {
		err := l.bucket.kv.Delete(ctx, l.key, jetstream.LastRevision(l.revision))
		if !errors.Is(l.bucket.bus.cause(err), ErrConflict) && !errors.Is(err, jetstream.ErrKeyExists) {
			return err
		}
		e, err := l.bucket.kv.Get(ctx, l.key)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return nil
		case err != nil:
			return err
		case string(e.Value()) != string(l.value) || e.Revision() == l.revision:
			return nil // somebody else has it
		}
		l.revision = e.Revision()
	}
}

// hold renews the lease until ctx ends, somebody else has it, or it was not renewed since renewed + ttl. The server counts
// from a later moment than renewed, so it gives the lease away later than we give it up.
func (l *Lease) hold(ctx context.Context, renewed time.Time) {
	defer close(l.done)
	defer close(l.lost)
	log := l.bucket.bus.log
	for {
		if !pause.For(ctx, l.ttl/4) {
			return
		}
		asked := time.Now()
		trying, cancel := context.WithTimeout(ctx, min(l.ttl/4, time.Until(renewed.Add(l.ttl))))
		err := l.renew(trying)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			renewed = asked
		case errors.Is(err, ErrHeld), !time.Now().Before(renewed.Add(l.ttl)):
			log.Warn("lease lost", "lease", l.key, "epoch", l.epoch, "error", err)
			return
		}
	}
}

// renew writes the value once more. It does so by a raw message, because Update of the client forgets the key's time to live.
func (l *Lease) renew(ctx context.Context) error {
	m := nats.NewMsg("$KV." + leaseBucket + "." + l.key)
	m.Data = l.value
	m.Header.Set(jetstream.MsgTTLHeader, l.ttl.String())
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(l.revision, 10))
	ack, err := l.bucket.bus.js.PublishMsg(ctx, m)
	if err == nil {
		l.revision = ack.Sequence
		return nil
	}
	if err = l.bucket.bus.cause(err); !errors.Is(err, ErrConflict) {
		return err
	}
	e, err := l.bucket.kv.Get(ctx, l.key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return ErrHeld // it has run out
	case err != nil:
		return l.bucket.bus.cause(err)
	case string(e.Value()) != string(l.value):
		return ErrHeld
	}
	l.revision = e.Revision() // an earlier renewal was stored, its answer got lost
	return l.renew(ctx)
}
