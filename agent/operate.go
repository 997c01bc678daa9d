package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/castor-iot/castor/agent/spool"
	"github.com/castor-iot/castor/shared/pause"
	"github.com/castor-iot/castor/shared/twin"
)

// How much is under way at once. A live device publishes each message as it is measured; a backlog goes in arrays.
const (
	window     = 16      // publications without acknowledgement
	batch      = 100     // messages in one publication
	batchBytes = 131_072 // bytes of their bodies; half of what the platform takes, for names and numbers
)

// operate keeps the device connected to its operational gateway until ctx ends.
func (a *Agent) operate(ctx context.Context) {
	for b := a.cfg.Retry.start(); ; {
		err := a.serve(ctx, b)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errRenewed) || errors.Is(err, errMoved) {
			continue // at once: nothing is wrong
		}
		if until := a.id.cert.Leaf.NotAfter; a.cfg.Now().After(until) {
			err = fmt.Errorf("%w (the device's certificate expired at %s: remove %s and start with a new claim)", err, until.Format(time.RFC3339), bundleName)
		} else if errors.Is(err, errRefused) {
			err = fmt.Errorf("%w: the device may be suspended, replaced or retired, or its credential revoked; if its twin was deleted or reset, provision it anew with a new claim and an empty --dir", err)
		}
		a.tell(Waiting, err.Error())
		if !pause.For(ctx, a.pause(b)) {
			return
		}
	}
}

// serve makes one session and sends in it until it breaks.
func (a *Agent) serve(ctx context.Context, b *backoff) error {
	gateway := a.gateway()
	s, fresh, err := a.login(ctx)
	if err != nil {
		a.tries++
		return err
	}
	defer s.close()
	a.tries = 0
	a.letIn(gateway)
	a.tell(Connected, "to "+gateway)
	if fresh {
		if err := a.adopt(ctx, s); err != nil {
			return err
		}
	}
	if !a.id.confirmed {
		if err := s.confirm(ctx); err != nil {
			return fmt.Errorf("confirming: %w", err)
		}
		a.confirmed()
	}
	a.once.Do(func() { close(a.operational) })
	var renewing sync.WaitGroup
	defer renewing.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	renewed := make(chan struct{})
	renewing.Go(func() {
		if a.renew(ctx, s) {
			close(renewed)
		}
	})
	return a.send(ctx, s, b, renewed)
}

// confirmed notes that the platform has taken the confirmation.
func (a *Agent) confirmed() {
	a.mu.Lock()
	a.id.confirmed = true
	err := a.id.keep(&a.vault)
	a.mu.Unlock()
	if err != nil { // it is confirmed all the same; after a restart it is again
		a.cfg.Log.Error("confirmation not noted", "error", err)
	}
	a.tell(Confirmed, "")
}

// send publishes what is pending, oldest first, and then what comes, with at most window publications that are not
// acknowledged. Whether a message is stored only the platform's own acknowledgement tells; a publication's completion
// tells nothing, since the MQTT client also completes some that got lost.
func (a *Agent) send(ctx context.Context, s session, b *backoff, renewed <-chan struct{}) error {
	pending := a.spool.Reader()
	var flying []twin.Order // the last message of each publication under way, oldest first
	stalled := time.NewTimer(a.cfg.AnswerTimeout)
	defer stalled.Stop()
	reporting := false
	for {
		changed := a.spool.Changed()
		if n := len(flying); n > 0 && a.spool.Done(flying[0]) {
			for len(flying) > 0 && a.spool.Done(flying[0]) {
				flying = flying[1:]
			}
			stalled.Reset(a.cfg.AnswerTimeout)
			if b.reset(); !reporting {
				reporting = true
				a.tell(Reporting, a.how())
			}
		}
		for len(flying) < window {
			msgs := pending.Next(batch, batchBytes)
			if len(msgs) == 0 {
				break
			}
			if len(flying) == 0 {
				stalled.Reset(a.cfg.AnswerTimeout)
			}
			last := msgs[len(msgs)-1].Order
			a.publishing(last)
			if err := s.publish(ctx, msgs[0].Topic, payload(msgs)); err != nil {
				return err
			}
			flying = append(flying, last)
		}
		select {
		case <-changed:
		case <-stalled.C:
			if len(flying) > 0 {
				return fmt.Errorf("the platform has not stored the messages sent: %w", errAnswer)
			}
		case <-renewed:
			return errRenewed
		case m := <-a.moves:
			if m.URL != a.id.bundle.Gateway {
				if err := a.move(m); err != nil {
					return err
				}
				return errMoved
			}
		case <-s.lost():
			return s.why()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// how tells how often the device measures, if that is the agent's to say.
func (a *Agent) how() string {
	if a.cfg.Source == nil {
		return ""
	}
	return "every " + a.cfg.Interval.String()
}

// payload is what stands for msgs on the wire: one object, or an array of them.
func payload(msgs []spool.Record) []byte {
	var out []byte
	if len(msgs) > 1 {
		out = append(out, '[')
	}
	for i, m := range msgs {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"epoch":`...)
		out = strconv.AppendInt(out, m.Order.Epoch, 10)
		out = append(out, `,"seq":`...)
		out = strconv.AppendInt(out, m.Order.Seq, 10)
		out = append(out, ',')
		out = append(out, m.Body[1:]...) // which is an object with members
	}
	if len(msgs) > 1 {
		out = append(out, ']')
	}
	return out
}

// publishing notes how far has been sent, ever.
func (a *Agent) publishing(last twin.Order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last.After(a.sent) {
		a.sent = last
	}
}

// acknowledge takes the platform's word that everything up to an order is stored. It believes nothing about messages that
// were not sent.
func (a *Agent) acknowledge(o twin.Order) {
	var err error
	a.mu.Lock()
	if o.After(a.sent) {
		err = errors.New("names a message that was not sent")
	}
	a.mu.Unlock()
	if err == nil {
		_, err = a.spool.Ack(o)
	}
	if err != nil {
		a.cfg.Log.Warn("acknowledgement ignored", "error", err)
	}
}
