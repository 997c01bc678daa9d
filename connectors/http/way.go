package http

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/driver/format"
	"golang.org/x/net/idna"
)

// A way is where frames for a device are handed to its network server. It comes with the network server's requests, lives as long as the
// device's session, in memory only, and nobody is told the key.
type way struct {
	of    *webhook
	push  *url.URL
	key   string
	fault string // why there is none, for whoever sends a command
	told  time.Time
}

const (
	maxPush = 2048 // bytes of an address
	maxKey  = 1024 // bytes of a key

	// wayFor is how long requests that say nothing leave a way as it is: a second webhook of the network server, or somebody who tries one by
	// hand, would else cut off a device until its next frame. One whose key was taken away says nothing for longer.
	wayFor = time.Hour
)

// wayOf is what a request says of the way down to a device; nil = nothing. What it says is data of somebody else: an address that cannot be
// called is no reason to refuse the frame that came along.
func (of *webhook) wayOf(h http.Header, eui string) *way {
	address, key := h.Get(of.downHeader), h.Get("X-Downlink-Apikey")
	if address == "" && key == "" {
		return nil
	}
	bad := func(format string, a ...any) *way { return &way{fault: fmt.Sprintf(format, a...)} }
	u, err := url.Parse(address)
	switch {
	case err != nil, len(address) > maxPush, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return bad("header %s of the network server's requests must be a URL like https://host/path of at most %d bytes", of.downHeader, maxPush)
	case u.User != nil, u.Fragment != "", u.RawQuery != "":
		return bad("header %s of the network server's requests must have no user, query or fragment", of.downHeader)
	case key == "" || len(key) > maxKey || strings.ContainsFunc(key, unfit):
		return bad("header X-Downlink-Apikey of the network server's requests must be the API key that downlinks are queued with there, of at most %d bytes", maxKey)
	}
	if u.Path = of.pushPath(u.Path, eui); u.Path == "" {
		return bad("header %s of the network server's requests leads to no queue of downlinks: %s", of.downHeader, "The Things Stack's ends with /down/push")
	}
	return &way{of: of, push: u, key: key}
}

// unfit tells of a character that no key has: keys go into a header as they are.
func unfit(c rune) bool { return c < '!' || c > '~' }

// host is whom the way leads to, alike however its address is spelt: what is bounded for a host is so for all its spellings.
func (w *way) host() string {
	name, port := w.push.Hostname(), w.push.Port()
	if ip, err := netip.ParseAddr(name); err == nil {
		name = ip.Unmap().String()
	} else if ascii, err := idna.Lookup.ToASCII(name); err == nil { // as it is resolved
		name = ascii
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port = strings.TrimLeft(port, "0"); port == "" || port == map[string]string{"http": "80", "https": "443"}[w.push.Scheme] {
		return w.push.Scheme + "://" + name
	}
	return w.push.Scheme + "://" + name + ":" + port
}

// theThingsStackPush is the path of X-Downlink-Push as it stands: it is the device's own.
func theThingsStackPush(path, _ string) string {
	if !strings.HasSuffix(path, "/down/push") {
		return ""
	}
	return path
}

// chirpStackPush is the device's queue at ChirpStack's REST API.
func chirpStackPush(path, eui string) string {
	return strings.TrimSuffix(path, "/") + "/api/devices/" + eui + "/queue"
}

// downlinkID is a name for a command's frame that says whose it is: The Things Stack leaves the EUI out of what it tells of some.
func downlinkID(eui, command string) string { return "castor:" + eui + ":" + command }

// commandIn is the command that such a name is of; "" = none. eui is the device that the event names; "" = none.
func commandIn(e *format.DownlinkEvent) (eui, command string) {
	for _, id := range e.IDs {
		rest, ours := strings.CutPrefix(id, "castor:")
		eui, command, _ := strings.Cut(rest, ":")
		if canonical, err := format.EUI(eui); ours && err == nil && canonical == eui && (e.EUI == "" || e.EUI == eui) && wordPattern.MatchString(command) {
			return eui, command
		}
	}
	return "", ""
}
