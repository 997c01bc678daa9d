package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// sessions are those there are, by client.
type sessions struct {
	mu       sync.Mutex
	byClient map[string]*Session
	last     int64 // the highest number, of all replicas as far as they were heard
}

// Enter begins a session that lasts until Leave, after the one that the client has has ended completely. end is called, beside,
// when the door ends the session: it must end the connection. Errors: ErrRefused, ErrThrottled, ErrBusy, ErrStopping.
func (d *Door) Enter(ctx context.Context, shown Shown, end func(why error)) (*Session, error) {
	s, err := d.authenticate(ctx, shown)
	if err == nil {
		err = d.enter(ctx, s, end)
	}
	if err != nil {
		d.refuse(shown, err)
		return nil, err
	}
	shown.welcome(s)
	return s, nil
}

// enter begins an authenticated session.
func (d *Door) enter(ctx context.Context, s *Session, end func(why error)) error {
	s.end = end
	release := func() {}
	if s.Anonymous() {
		var ok bool
		if release, ok = d.knocks.hall.enter(s.Address, func() { s.cut(ErrGaveWay) }); !ok {
			return fmt.Errorf("%w: too many clients wait to knock", ErrThrottled)
		}
		go func() {
			<-s.done
			release()
		}()
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.Limits.Handshake)
	defer cancel()
	if err := d.sessions.enter(ctx, s); err != nil {
		s.close(errLeft, nil)
		return err
	}
	if d.closing.Load() { // after entering: who comes later is cut with all others
		s.Leave()
		return ErrStopping
	}
	d.begin(s)
	if !s.mayStay() { // removed while the former session was ending
		s.Leave()
		return fmt.Errorf("%w: the admission has ended", ErrRefused)
	}
	return nil
}

// mayReplace tells whether s may end the older session: of the same client, as far as that was shown. Who has shown something
// does not wait for who has not.
func (s *Session) mayReplace(old *Session) bool {
	if old.Anonymous() {
		return !s.Anonymous() || s.Address == old.Address
	}
	return s.Name == old.Name
}

// enter makes s the session of its client: a protocol's own way of taking a session over can lose the new one's state.
func (l *sessions) enter(ctx context.Context, s *Session) error {
	for {
		l.mu.Lock()
		old := l.byClient[s.Client]
		if old == nil {
			l.byClient[s.Client] = s
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		if !s.mayReplace(old) {
			return fmt.Errorf("%w: client %s has a session of %q", ErrBusy, s.Client, old.Name)
		}
		old.cut(ErrReplaced)
		select {
		case <-old.ended:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w: the former session of %s does not end", ErrBusy, s.Client), context.Cause(ctx))
		}
	}
}

// number gives the client's session its number, once: the next, and not before at.
func (l *sessions) number(client, mark string, at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.byClient[client]; s != nil && s.mark == mark && s.Number == 0 {
		l.last = max(at, l.last+1)
		s.Number, s.ID = l.last, fmt.Sprintf("%012x-%s", l.last, mark) // in fixed width, so that ids sort by it
		close(s.numbered)
	}
}

// pass leaves out the number that a session of another replica gets.
func (l *sessions) pass(at int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at <= maxNumber {
		l.last = max(at, l.last+1)
	}
}

// hear takes note of how far another replica is.
func (l *sessions) hear(number int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number <= maxNumber {
		l.last = max(l.last, number)
	}
}

func (l *sessions) latest() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *sessions) leave(s *Session) {
	l.mu.Lock()
	if l.byClient[s.Client] == s {
		delete(l.byClient, s.Client)
	}
	l.mu.Unlock()
	close(s.ended)
}

// get returns the client's session, once it has its number.
func (l *sessions) get(client string) (*Session, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byClient[client]
	return s, s != nil && s.Number != 0
}

// current returns the client's session, also while it begins.
func (l *sessions) current(client string) (*Session, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.byClient[client]
	return s, ok
}

func (l *sessions) all() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*Session, 0, len(l.byClient))
	for _, s := range l.byClient {
		all = append(all, s)
	}
	return all
}

func (l *sessions) cutAll(why error) {
	for _, s := range l.all() {
		s.cut(why)
	}
}

// drain waits until no message is under way, but no longer than patience.
func (l *sessions) drain(patience time.Duration) {
	await(patience, func() bool {
		return !slices.ContainsFunc(l.all(), func(s *Session) bool { return len(s.window) > 0 })
	})
}

// wait waits until all sessions have left, but no longer than patience.
func (l *sessions) wait(patience time.Duration) {
	await(patience, func() bool { return len(l.all()) == 0 })
}

func await(patience time.Duration, reached func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !reached(); {
		<-tick.C
	}
}

// maxNumber is the highest number that ids can sort by.
const maxNumber = 1<<48 - 1
