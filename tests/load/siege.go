package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/castor-iot/castor/tests/load/flood"
)

// A toll is what attackers have done.
type toll struct {
	Tries   int64 `json:"tries"`
	Failed  int64 `json:"failed"`  // could not even connect
	Skipped int64 `json:"skipped"` // not begun, since too many were open

	used time.Duration // of processors, by the attackers
}

func (t *toll) add(o toll) {
	t.Tries, t.Failed, t.Skipped, t.used = t.Tries+o.Tries, t.Failed+o.Failed, t.Skipped+o.Skipped, t.used+o.used
}

// siege has attackers go at an address for a while, from a process of their own, and returns when they are through.
func (b *bench) siege(ctx context.Context, address string, clients, perSecond int, d time.Duration) (t toll, err error) {
	cmd := exec.CommandContext(ctx, b.program, "-siege", fmt.Sprintf("%s,%d,%d,%d", address, clients, perSecond, int(d.Seconds())))
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		return t, fmt.Errorf("the attackers: %w", err)
	}
	t.used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return t, json.Unmarshal(said, &t)
}

// patience is how long an attacker keeps a connection that nobody closes.
const patience = 12 * time.Second

// besiege is the attackers' process. Each client has its address and its way; all together begin as many connections per second as
// they were told, whatever becomes of them.
func besiege(ctx context.Context, orders string) error {
	words := strings.Split(orders, ",")
	if len(words) != 4 {
		return errors.New("attackers need an address, how many they are, connections per second, and seconds")
	}
	clients, err1 := strconv.Atoi(words[1])
	perSecond, err2 := strconv.Atoi(words[2])
	seconds, err3 := strconv.Atoi(words[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	if err := needFiles(4000); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
	defer cancel()
	var tries, failed, skipped atomic.Int64
	var all sync.WaitGroup
	places := make(chan struct{}, 8000) // of connections at a time
	began := time.Now()
	for i := 0; ; i++ {
		select {
		case <-time.After(time.Until(began.Add(time.Second * time.Duration(i) / time.Duration(perSecond)))):
		case <-ctx.Done():
			all.Wait()
			return json.NewEncoder(os.Stdout).Encode(toll{Tries: tries.Load(), Failed: failed.Load(), Skipped: skipped.Load()})
		}
		select {
		case places <- struct{}{}:
		default:
			skipped.Add(1)
			continue
		}
		all.Go(func() {
			defer func() { <-places }()
			tries.Add(1)
			if err := attack(ctx, words[0], i%clients); err != nil {
				failed.Add(1)
			}
		})
	}
}

// attack is one try of attacker i. It returns an error only if it could not connect.
func attack(ctx context.Context, address string, i int) error {
	dialer := from(attackers, i)
	dialer.Timeout = 2 * time.Second
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	_ = raw.SetDeadline(time.Now().Add(patience))
	hostile[i%len(hostile)](raw)
	return nil
}

// hostile are the ways of attackers. Each ends when the other side closes, or its patience does.
var hostile = []func(raw net.Conn){
	// Half a TLS handshake, and then nothing.
	func(raw net.Conn) {
		_, _ = raw.Write([]byte{22, 3, 1, 1, 0, 1, 0, 0, 0xfc, 3, 3, 'h', 'a', 'l', 'f'})
		_, _ = io.Copy(io.Discard, raw)
	},
	// A claim that is none, with a token that is none.
	func(raw net.Conn) {
		conn := shout(raw)
		_ = flood.Login(conn, "attacker-"+rand.Text(), rand.Text(), rand.Text())
	},
	// A device that nobody knows, which knocks.
	func(raw net.Conn) {
		conn := shout(raw)
		if flood.Login(conn, "attacker-"+rand.Text(), "", "") != nil {
			return
		}
		knock := fmt.Appendf(nil, `{"serial":"X-%s","model":"pump 3000","csr":"none"}`, rand.Text())
		_ = flood.Publish(conn, "castor/provision/knock", 1, 1, func(int) []byte { return knock }, nil)
	},
	// Bytes that are no TLS, or no MQTT inside of it.
	func(raw net.Conn) {
		junk := make([]byte, 512)
		rand.Read(junk) // never fails since Go 1.24
		var conn io.ReadWriter = raw
		if junk[0]%2 == 0 {
			conn = shout(raw)
		}
		_, _ = conn.Write(junk)
		_, _ = io.Copy(io.Discard, conn)
	},
}

// shout is TLS with whoever answers, at the least cost for who begins it.
func shout(raw net.Conn) *tls.Conn {
	return tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}})
}
