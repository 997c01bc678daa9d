package cluster

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// A Link is a TCP address in front of one or more others, as a load balancer's: each connection goes to one that answers, at
// random. It can be cut.
type Link struct {
	Addr string

	mu    sync.Mutex
	to    []string
	cut   bool
	conns map[net.Conn]bool
}

// NewLink opens a link to addresses; it ends with the test.
func NewLink(t testing.TB, to ...string) *Link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &Link{Addr: l.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		k.Cut()
	})
	return k
}

// Cut breaks all connections and takes no new ones until Mend: they hang for a moment and break.
func (k *Link) Cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = true
	for c := range k.conns {
		c.Close()
	}
	clear(k.conns)
}

// Mend lets connections through again.
func (k *Link) Mend() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = false
}

func (k *Link) carry(c net.Conn) {
	defer c.Close()
	k.mu.Lock()
	to, cut := append([]string(nil), k.to...), k.cut
	k.mu.Unlock()
	if cut {
		return
	}
	rand.Shuffle(len(to), func(i, j int) { to[i], to[j] = to[j], to[i] })
	for _, address := range to {
		far, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			continue
		}
		k.join(c, far)
		return
	}
}

func (k *Link) join(a, b net.Conn) {
	k.mu.Lock()
	if k.cut {
		k.mu.Unlock()
		b.Close()
		return
	}
	k.conns[a], k.conns[b] = true, true
	k.mu.Unlock()
	done := make(chan struct{}, 2)
	one := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go one(a, b)
	go one(b, a)
	<-done // either end has gone: the other shall know
	a.Close()
	b.Close()
	<-done
	k.mu.Lock()
	delete(k.conns, a)
	delete(k.conns, b)
	k.mu.Unlock()
}
