package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
)

// Why a call came to nothing, as people are told.
var (
	errReach   = errors.New("it cannot be reached")
	errTrust   = errors.New("its certificate is not trusted")
	errTLS     = errors.New("no TLS connection to it came about")
	errLate    = errors.New("it took too long")
	errEnded   = errors.New("the connection ended before it answered")
	errNoHTTP  = errors.New("its answer is no HTTP")
	errGivenUp = errors.New("the call was given up")
)

// Told is what people may read of a call that failed with err, an error of a http.Client: one of a few sentences of ours. What err itself
// says may quote what answered there, so that who names an address would read what is behind it; or the address, which may hold a key; or
// which server resolves names.
func Told(err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var late net.Error
	for _, rule := range rules {
		if errors.Is(err, rule) {
			return rule
		}
	}
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("the name %.255s cannot be resolved", dns.Name)
	case errors.As(err, &op) && op.Op == "dial":
		return errReach
	case errors.Is(err, context.Canceled):
		return errGivenUp
	case errors.As(err, &late) && late.Timeout():
		return errLate
	case Untrusted(err):
		return errTrust
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errEnded
	case noTLS(err):
		return errTLS
	}
	return errNoHTTP
}

// Asked tells whether err is of a call that was made by a http.Client: only of those Told knows what to say.
func Asked(err error) bool {
	var of *url.Error
	return errors.As(err, &of)
}

// Forbidden tells of an address that is not called by the rule of this package.
func Forbidden(err error) bool {
	return slices.ContainsFunc(rules, func(rule error) bool { return errors.Is(err, rule) })
}

var rules = []error{ErrPrivate, ErrLinkLocal, ErrPlain}

// Untrusted tells of a certificate that nobody known has signed, or that is another's, or not good any more.
func Untrusted(err error) bool {
	var of *tls.CertificateVerificationError
	return errors.As(err, &of)
}

// noTLS tells of a handshake that failed.
func noTLS(err error) bool {
	var record tls.RecordHeaderError
	var op *net.OpError
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) || errors.As(err, &op) && op.Op == "remote error"
}
