package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	readBatch = 256
	readTime  = 5 * time.Second

	// A message that wakes may not be stored yet, so it is looked for again soon, and then ever later.
	lookSoon = 2 * time.Millisecond
	lookLate = 5 * time.Second
)

// read is run for a guest. A guest makes no consumer: it could have it deliver to any subject, those of the server's own interface
// too. It hears that there is something, and reads.
func (w *bucketWatch) read(ctx context.Context, again <-chan struct{}) error {
	b := w.bucket.bus
	subject := "$KV." + w.bucket.name + ".>"
	woken := make(chan struct{}, 1)
	sub, err := b.conn.Subscribe(subject, func(*nats.Msg) {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return b.cause(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.conn.Flush(); err != nil {
		return b.cause(err)
	}
	for delay := lookSoon; ; {
		n, err := w.readSome(ctx, subject)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return b.cause(err)
		case n > 0:
			continue
		}
		w.tell(nil)
		select {
		case <-ctx.Done():
			return nil
		case <-again:
			return nil
		case <-woken:
			delay = lookSoon
		case <-time.After(delay):
			delay = min(4*delay, lookLate)
		}
	}
}

// readSome tells of the next changes behind the last one, and how many there were.
func (w *bucketWatch) readSome(ctx context.Context, subject string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	conn := w.bucket.bus.conn
	ask, err := json.Marshal(map[string]any{"seq": w.last + 1, "next_by_subj": subject, "batch": readBatch})
	if err != nil {
		return 0, err
	}
	inbox := conn.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := conn.PublishRequest("$JS.API.DIRECT.GET.KV_"+w.bucket.name, inbox, ask); err != nil {
		return 0, err
	}
	for ; ; n++ {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return n, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // that was all; nothing is there
			return n, nil
		default:
			if status == "503" {
				return n, nats.ErrNoResponders
			}
			return n, fmt.Errorf("the server answers %.20s %.200s", status, m.Header.Get("Description"))
		}
		revision, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return n, fmt.Errorf("the server's answer has no sequence: %w", err)
		}
		name := strings.TrimPrefix(m.Header.Get(jetstream.SubjectHeader), strings.TrimSuffix(subject, ">"))
		w.change(name, m.Data, revision, m.Header.Get("KV-Operation") != "")
	}
}
