package gateway

import (
	"errors"
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

// ParseBalancers reads addresses and networks with commas between them: "172.30.84.0/24, 10.0.0.5".
func ParseBalancers(list string) (all []netip.Prefix, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errors.New("it must be addresses or networks, with commas between them")
		}
		all = append(all, n.Masked())
	}
	return all, nil
}
