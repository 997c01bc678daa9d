package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
)

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// lookUp has the host names looked up whose time has come. Each of what it returns is closed when one lookup ends.
func (r *replicas) lookUp() (lookups []chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bases {
		if b.name != "" && b.looking == nil && r.now().Sub(b.looked) >= lookupAge {
			b.looking = make(chan struct{})
			go r.refresh(b)
		}
		if b.looking != nil {
			lookups = append(lookups, b.looking)
		}
	}
	return lookups
}

// refresh makes a name's replicas those of its addresses. When nobody can say them, they stay.
func (r *replicas) refresh(b *base) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	addrs, err := r.resolve(ctx, b.name)
	if absent := (*net.DNSError)(nil); errors.As(err, &absent) && absent.IsNotFound {
		addrs, err = nil, nil // it was said that there are none
	}
	if len(addrs) > maxPerName {
		addrs = addrs[:maxPerName]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(b.looking)
	b.looking, b.looked = nil, r.now()
	if err != nil {
		return
	}
	old := make(map[string]*replica, len(b.replicas))
	for _, p := range b.replicas {
		old[p.url.Host] = p
	}
	b.replicas = b.replicas[:0:0]
	for i, addr := range addrs {
		addr = addr.Unmap()
		if slices.ContainsFunc(addrs[:i], func(a netip.Addr) bool { return a.Unmap() == addr }) {
			continue
		}
		p := old[joined(addr, b.url.Port())]
		if p == nil {
			p = &replica{url: *b.url, host: b.url.Host}
			p.url.Host = joined(addr, b.url.Port())
		}
		b.replicas = append(b.replicas, p)
	}
}
