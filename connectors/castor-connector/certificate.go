package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	secretCert = "castor-gateway-cert"
	secretKey  = "castor-gateway-key"

	// lookAgain is how long a certificate is believed. Its files are looked at when a device comes, not by a clock.
	lookAgain = time.Second
)

// A certificate is the server's. It is read anew when its files change, so that it can be renewed without a stop; sessions
// that have begun go on.
type certificate struct {
	secret func(name string) ([]byte, error)
	log    *slog.Logger

	mu        sync.Mutex
	cert, key []byte // as they were read last, good or bad
	pair      *tls.Certificate
	looked    time.Time
}

// load reads the files if they have changed. After an error the pair is what it was.
func (c *certificate) load() error {
	cert, err := c.secret(secretCert)
	if err != nil {
		return err
	}
	key, err := c.secret(secretKey)
	if err != nil {
		return err
	}
	if bytes.Equal(cert, c.cert) && bytes.Equal(key, c.key) {
		return nil
	}
	c.cert, c.key = cert, key
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("secrets %s and %s must be a certificate and its key, both PEM: %w", secretCert, secretKey, err)
	}
	if c.pair != nil {
		c.log.Info("server certificate read anew", "expires", pair.Leaf.NotAfter)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		c.log.Error("server certificate has expired, devices will refuse it", "secret", secretCert, "expired", pair.Leaf.NotAfter)
	}
	c.pair = &pair
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		if err := c.load(); err != nil { // somebody is at it: one of the two files is new
			c.log.Warn("server certificate not read, the former is shown on", "error", err)
		}
	}
	return c.pair, nil
}
