package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A Bucket is a set of keys with their latest values, kept by the server. Revisions are those of the bucket: a later
// change of any key has a larger one.
type Bucket struct {
	bus  *Bus
	name string
	kv   jetstream.KeyValue
}

// An Entry is a key and its value, or what Bucket.Watch tells beside.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
	Deleted  bool // the key is gone; Value is empty

	// Ready says that every key the bucket had when the watch began has been told. The other fields are empty then.
	Ready bool

	// Anew says that the server has lost the bucket: what was told before does not count, everything that is there now
	// follows. The other fields are empty then.
	Anew bool
}

// Bucket opens the bucket of that name and makes it if it is missing; a guest gets an error then. Names have letters, digits, '-' and '_'.
func (b *Bus) Bucket(ctx context.Context, name string) (*Bucket, error) {
	return b.bucket(ctx, jetstream.KeyValueConfig{Bucket: name})
}

func (b *Bus) bucket(ctx context.Context, config jetstream.KeyValueConfig) (*Bucket, error) {
	if err := checkName("bucket", config.Bucket); err != nil {
		return nil, err
	}
	config.Storage, config.Replicas, config.History = jetstream.FileStorage, b.replicas, 1
	kv, err := b.js.KeyValue(ctx, config.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && !b.guest {
		kv, err = b.js.CreateKeyValue(ctx, config)
		if errors.Is(err, jetstream.ErrBucketExists) { // somebody with other settings was first
			kv, err = b.js.KeyValue(ctx, config.Bucket)
		}
	}
	if err == nil && !b.guest {
		err = b.spread(ctx, "KV_"+config.Bucket)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", config.Bucket, b.cause(err))
	}
	return &Bucket{bus: b, name: config.Bucket, kv: kv}, nil
}

// spread has a stream that is on fewer servers than it shall be move to more.
func (b *Bus) spread(ctx context.Context, stream string) error {
	if b.replicas <= 1 {
		return nil
	}
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	config := s.CachedInfo().Config
	if config.Replicas >= b.replicas {
		return nil
	}
	config.Replicas = b.replicas
	_, err = b.js.UpdateStream(ctx, config)
	return err
}

// Put sets key to value. Any key of 1 to 256 bytes will do.
func (k *Bucket) Put(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return k.do("put", key, func(name string) (uint64, error) { return k.kv.Put(ctx, name, value) })
}

// Create sets key to value if it does not exist (or was deleted), else it returns ErrConflict.
func (k *Bucket) Create(ctx context.Context, key string, value []byte) (revision uint64, err error) {
	return k.do("create", key, func(name string) (uint64, error) { return k.kv.Create(ctx, name, value) })
}

// Update sets key to value if its revision is still last, else it returns ErrConflict.
func (k *Bucket) Update(ctx context.Context, key string, value []byte, last uint64) (revision uint64, err error) {
	return k.do("update", key, func(name string) (uint64, error) { return k.kv.Update(ctx, name, value, last) })
}

// Get returns the value of key, or ErrNotFound.
func (k *Bucket) Get(ctx context.Context, key string) (Entry, error) {
	e := Entry{Key: key}
	revision, err := k.do("get", key, func(name string) (uint64, error) {
		got, err := k.kv.Get(ctx, name)
		if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
			return 0, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		if err != nil {
			return 0, err
		}
		e.Value = got.Value()
		return got.Revision(), nil
	})
	e.Revision = revision
	return e, err
}

// Delete removes key; that it was there does not matter. Watchers that come later are told of the deletion too.
func (k *Bucket) Delete(ctx context.Context, key string) (revision uint64, err error) {
	return k.delete(ctx, key)
}

// DeleteIf removes key if its revision is still last, else it returns ErrConflict.
func (k *Bucket) DeleteIf(ctx context.Context, key string, last uint64) (revision uint64, err error) {
	return k.delete(ctx, key, jetstream.WithExpectLastSequencePerSubject(last))
}

func (k *Bucket) delete(ctx context.Context, key string, opts ...jetstream.PublishOpt) (revision uint64, err error) {
	return k.do("delete", key, func(name string) (uint64, error) {
		m := nats.NewMsg("$KV." + k.name + "." + name)
		m.Header.Set("KV-Operation", "DEL") // the client's own Delete does not tell the revision
		ack, err := k.bus.js.PublishMsg(ctx, m, opts...)
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	})
}

func (k *Bucket) do(what, key string, op func(name string) (uint64, error)) (uint64, error) {
	name, err := encodeKey(key)
	if err == nil {
		var revision uint64
		if revision, err = op(name); err == nil {
			return revision, nil
		}
	}
	return 0, fmt.Errorf("%s key %q of bucket %s: %w", what, key, k.name, k.bus.cause(err))
}

// Watch calls each with every key there is, deleted ones too, then with an Entry that is Ready, then with every change
// as it comes, until ctx ends; then it returns nil. Between two changes of one key only the later may be told.
//
// It survives a lost connection without telling a change twice. If the server has lost the bucket, everything that is
// there now is told again from the start, between an Entry that is Anew and another that is Ready.
func (k *Bucket) Watch(ctx context.Context, each func(Entry)) error {
	w := bucketWatch{bucket: k, each: each}
	again := make(chan struct{}, 1)
	remove := k.bus.onReconnected(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})
	defer remove()
	for {
		err := w.run(ctx, again)
		switch {
		case ctx.Err() != nil:
			return nil
		case k.bus.conn.IsClosed():
			return fmt.Errorf("watch bucket %s: %w", k.name, ErrClosed)
		case err == nil:
			continue
		}
		k.bus.log.Warn("bus watch interrupted", "bucket", k.name, "error", err)
		select {
		case <-ctx.Done():
		case <-again:
		case <-k.bus.closed:
		case <-time.After(retryTime):
		}
	}
}

type bucketWatch struct {
	bucket *Bucket
	each   func(Entry)
	last   uint64 // revision told last
	made   time.Time
	ready  bool
}

// run watches from the revision told last until the watcher breaks or the connection came back, because the client needs
// several seconds to see that its watcher was lost with the connection.
func (w *bucketWatch) run(ctx context.Context, again <-chan struct{}) error {
	k := w.bucket
	status, err := k.bus.js.Stream(ctx, "KV_"+k.name)
	if err != nil {
		return k.bus.cause(err)
	}
	info := status.CachedInfo()
	if info.State.LastSeq < w.last || !w.made.IsZero() && !info.Created.Equal(w.made) {
		w.last, w.ready = 0, false
		w.each(Entry{Anew: true})
	}
	w.made = info.Created
	if k.bus.guest {
		return w.read(ctx, again)
	}
	var opts []jetstream.WatchOpt
	if w.last > 0 {
		opts = append(opts, jetstream.ResumeFromRevision(w.last+1))
	}
	watcher, err := k.kv.WatchAll(ctx, opts...)
	if err != nil {
		return k.bus.cause(err)
	}
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			return nil
		case e, ok := <-watcher.Updates():
			if !ok {
				return errors.New("the subscription has ended")
			}
			w.tell(e)
		}
	}
}

func (w *bucketWatch) tell(e jetstream.KeyValueEntry) {
	if e == nil {
		if !w.ready {
			w.ready = true
			w.each(Entry{Ready: true})
		}
		return
	}
	w.change(e.Key(), e.Value(), e.Revision(), e.Operation() != jetstream.KeyValuePut)
}

func (w *bucketWatch) change(name string, value []byte, revision uint64, deleted bool) {
	if revision <= w.last {
		return
	}
	w.last = revision
	key, err := decodeKey(name)
	if err != nil {
		w.bucket.bus.log.Warn("bus key not readable", "bucket", w.bucket.name, "error", err)
		return
	}
	entry := Entry{Key: key, Revision: revision, Deleted: deleted}
	if !deleted {
		entry.Value = value
	}
	w.each(entry)
}
