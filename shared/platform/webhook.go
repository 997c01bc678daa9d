package platform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/dial"
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
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !private && !dial.Public(ip) {
		return api.Invalid("webhook must not lead to the private address %s", ip)
	}
	return nil
}

// ToldOf is what of a failed call the URL's owner may read: not the URL, which may hold a key, nor which server resolves names, nor what
// answers there.
func ToldOf(err error) error {
	if dial.Asked(err) {
		return dial.Told(err)
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
// be.
func WebhookClient(limit time.Duration, private bool) *http.Client {
	t := dial.Transport(limit, dial.Control(private))
	t.DisableKeepAlives = true
	return &http.Client{Timeout: limit, CheckRedirect: dial.NoRedirect, Transport: t}
}
