package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/api"
)

const maxURL = 2048 // bytes

// CheckWebhook checks the form of a URL that somebody wants to be called at. Where its name leads is checked when it is dialled.
func CheckWebhook(s string, private bool) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, len(s) > maxURL, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return api.Invalid("webhook must be a URL like https://example.com/hook of at most %d bytes", maxURL)
	case u.User != nil:
		return api.Invalid("webhook must not hold a user or password; check the signature instead")
	case u.Fragment != "":
		return api.Invalid("webhook must not have a fragment (#…)")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !public(ip) {
		return api.Invalid("webhook must not lead to the private address %s", ip)
	}
	return nil
}

// ToldOf is what of a failed call the URL's owner may read: not the URL, which may hold a key, nor which server resolves names.
func ToldOf(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Errorf("the name %s cannot be resolved", dns.Name)
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// SignWebhook is the value of api.HeaderSignature. The time in it lets receivers refuse what somebody recorded and sends again.
func SignWebhook(secret []byte, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.Unix(), 10)
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(t + "."))
	m.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(m.Sum(nil))
}

// WebhookClient is a client that does not let a webhook be a way into the platform's own network, unless private says that it may
// be. The address is checked when it is dialled, after the name was resolved, so a name that changes its address gains nothing.
func WebhookClient(limit time.Duration, private bool) *http.Client {
	d := &net.Dialer{Timeout: limit, Control: refuseLinkLocal}
	if !private {
		d.Control = refusePrivate
	}
	return &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: limit,
			MaxResponseHeaderBytes: 64 << 10},
	}
}

// refuseLinkLocal holds for every platform: clouds answer with machines' secrets at such addresses.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err == nil && at.Addr().Unmap().IsLinkLocalUnicast() {
		return errors.New("the webhook leads to a link-local address, which no platform calls")
	}
	return err
}

func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(at.Addr()) {
		return errors.New("the webhook leads to a private address, which this platform does not call")
	}
	return nil
}

// notPublic are the special ranges (RFC 6890 and its registries) that netip has no name for; those that embed an IPv4
// address could lead to any.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fec0::/10"),
}

// public tells whether ip is an address of the Internet at large.
func public(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}
