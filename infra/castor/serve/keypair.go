package serve

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"
)

// pairAge is after how long the files are looked at again.
const pairAge = 10 * time.Second

// A keyPair is a certificate and its key in files, which may be replaced while it is used. The last good pair stays.
type keyPair struct {
	cert, key string
	log       *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	at   time.Time
}

// get is a tls.Config's GetCertificate.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.at) < pairAge {
		return k.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(k.cert, k.key)
	k.at = time.Now()
	switch {
	case err == nil:
		k.pair = &pair
	case k.pair == nil:
		return nil, err
	default:
		k.log.Error("certificate not read again", "file", k.cert, "error", err)
	}
	return k.pair, nil
}
