// Package dial is the one rule of which addresses the platform calls where somebody else has named them: webhooks, callbacks of
// asynchronous calls, downlinks of network servers. They must not become a way into the platform's own network.
package dial

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Why an address is not called.
var (
	ErrLinkLocal = errors.New("it leads to a link-local address, which no platform calls")
	ErrPrivate   = errors.New("it leads to a private address, which this platform does not call")
	ErrPlain     = errors.New("it leads to a public address without TLS")
)

// Control returns what a net.Dialer asks before it dials. It looks at the address that is really dialled, after the name was resolved, so a
// name that changes its address gains nothing. With private, addresses that are not public may be called too.
func Control(private bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		switch {
		case err != nil:
			return err
		case at.Addr().Unmap().IsLinkLocalUnicast(): // clouds answer with machines' secrets there
			return ErrLinkLocal
		case !private && !Public(at.Addr()):
			return ErrPrivate
		}
		return nil
	}
}

// PlainControl is Control for connections without TLS, which go to addresses that are not public only, and only where those may be called.
func PlainControl(private bool) func(network, address string, c syscall.RawConn) error {
	allowed := Control(private)
	return func(network, address string, c syscall.RawConn) error {
		if err := allowed(network, address, c); err != nil {
			return err
		}
		if at, _ := netip.ParseAddrPort(address); Public(at.Addr()) {
			return ErrPlain
		}
		return nil
	}
}

// Transport calls by control, with bounds on everything but the body. It uses no proxy: a proxy would be what is dialled.
func Transport(limit time.Duration, control func(network, address string, c syscall.RawConn) error) *http.Transport {
	d := &net.Dialer{Timeout: limit, Control: control}
	return &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: limit, MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 64, IdleConnTimeout: time.Minute}
}

// NoRedirect has a client take a redirection for the answer: who is called was checked, where it points to was not.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// notPublic are the special ranges (RFC 6890 and its registries) that netip has no name for; those that embed an IPv4
// address could lead to any.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fec0::/10"),
}

// Public tells whether ip is an address of the Internet at large.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback and link-local addresses are not global
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
