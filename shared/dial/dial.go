// Package dial is the one rule of which addresses the platform calls where somebody else has named them: webhooks, callbacks of
// asynchronous calls, downlinks of network servers. They must not become a way into the platform's own network.
package dial

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
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
		case slices.ContainsFunc(append(inside(at.Addr()), at.Addr().Unmap()), netip.Addr.IsLinkLocalUnicast): // clouds answer with machines' secrets there
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

// notPublic are the special ranges (RFC 6890 and its registries) that netip has no name for.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("2001::/32"), localNAT64, netip.MustParsePrefix("fec0::/10"),
}

// Ranges whose addresses have an IPv4 address inside, which is where they lead.
var (
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291, 2.5.5.1
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215: of a network's own, and not public for that
)

// inside are the IPv4 addresses that an IPv6 address may be read as; none for most. IPv4-mapped ones are IPv4 addresses: see Unmap.
func inside(ip netip.Addr) (all []netip.Addr) {
	if ip = ip.WithZone(""); !ip.Is6() {
		return nil
	}
	b := ip.As16()
	switch {
	case sixToFour.Contains(ip):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case localNAT64.Contains(ip): // where it is depends on the length of the translator's prefix, 48, 56, 64 or 96 (RFC 6052, 2.2), and only the network knows that
		return []netip.Addr{netip.AddrFrom4([4]byte{b[6], b[7], b[9], b[10]}), netip.AddrFrom4([4]byte{b[7], b[9], b[10], b[11]}),
			netip.AddrFrom4([4]byte(b[9:13])), netip.AddrFrom4([4]byte(b[12:]))}
	case nat64.Contains(ip), compatible.Contains(ip):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[12:]))}
	}
	return nil
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
	return !slices.ContainsFunc(inside(ip), func(ip netip.Addr) bool { return !Public(ip) })
}
