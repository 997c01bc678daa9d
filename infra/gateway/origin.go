package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// origin is where a request comes from, and by which scheme. A balancer of ours tells that of whom it forwards; what anybody else
// says of that is nothing. Of several addresses only the last is the balancer's own word.
func (g *Gateway) origin(r *http.Request) (address, scheme string) {
	address, scheme = r.RemoteAddr, "http"
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	if r.TLS != nil {
		scheme = "https"
	}
	peer, err := netip.ParseAddr(address)
	if err != nil || !slices.ContainsFunc(g.Balancers, func(n netip.Prefix) bool { return n.Contains(peer.Unmap()) }) {
		return address, scheme
	}
	all := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if told, err := netip.ParseAddr(strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])); err == nil {
		address = told.String()
	}
	if told := r.Header.Get("X-Forwarded-Proto"); told == "http" || told == "https" {
		scheme = told
	}
	return address, scheme
}
