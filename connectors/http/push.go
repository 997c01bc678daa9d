package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync/atomic"

	"github.com/castor-iot/castor/shared/dial"
	"github.com/castor-iot/castor/shared/pause"
)

// A fate is what became of a frame by one try.
type fate int

const (
	queued  fate = iota // the network server has it
	unsure              // it may have it: the device's acknowledgement tells, or the command's time
	refused             // it certainly has not, and another try is no use
	busy                // it certainly has not, and another try may help
)

// maybe are answers of what stands before a network server, which does not know what that has done.
var maybe = []int{http.StatusBadGateway, http.StatusGatewayTimeout}

// hand tries as often as may help, and says why it did not succeed; "" = it did, or may have: who is told that a command has failed sends it
// again, and what it does would be done twice.
func (d *downlinks) hand(to *endDevice, p *push) (reason string) {
	host := d.hosts.join(p.way.host())
	defer d.hosts.leave(host)
	owner := d.owners.join(p.command.Owner)
	defer d.owners.leave(owner)
	for tries := 1; ; tries++ {
		became, why := d.try([]chan struct{}{to.pushes, owner.places, host.places, d.places}, p)
		switch {
		case became == queued:
			return ""
		case became == unsure:
			d.log.Debug("network server may have a downlink", "device", to.name, "command", p.command.ID, "host", p.way.host(), "reason", why)
			return ""
		case became == refused || tries == pushTries:
			return why
		}
		pause.For(d.ctx, d.pause<<(tries-1))
	}
}

// try makes one try, once there is a place for it everywhere: others have them while it pauses.
func (d *downlinks) try(everywhere []chan struct{}, p *push) (fate, string) {
	defer take(d.ctx, everywhere)()
	switch {
	case d.ctx.Err() != nil:
		return refused, "the gateway was stopped before the network server had it"
	case !p.command.Until.IsZero() && !d.now().Before(p.command.Until):
		return refused, "its time was over before the network server had it"
	}
	became, err := d.post(p)
	if err != nil {
		return became, "the network server has not taken it: " + err.Error()
	}
	return became, ""
}

// post hands a frame over. What it says of what went wrong is nothing that came from there: whoever named the address could so read what is
// behind it.
func (d *downlinks) post(p *push) (fate, error) {
	var connected atomic.Bool // so that something may have been written
	ctx := httptrace.WithClientTrace(d.ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connected.Store(false) }, // anew, as nothing was written to the one before
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.way.push.String(), bytes.NewReader(p.body))
	if err != nil {
		return refused, errors.New("its address cannot be called")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "castor")
	r.Header.Set(p.way.of.keyHeader, "Bearer "+p.way.key)
	client := d.secure
	if p.way.push.Scheme == "http" {
		client = d.plain
	}
	resp, err := client.Do(r)
	switch {
	case err != nil && connected.Load():
		return unsure, dial.Told(err)
	case err != nil && (dial.Forbidden(err) || dial.Untrusted(err)):
		return refused, dial.Told(err)
	case err != nil:
		return busy, dial.Told(err)
	}
	defer resp.Body.Close()
	answer, cut := io.ReadAll(io.LimitReader(resp.Body, pushAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		became := refused
		switch {
		case slices.Contains(maybe, resp.StatusCode):
			became = unsure
		case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
			became = busy
		}
		return became, fmt.Errorf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if !p.way.of.numbers {
		return queued, nil
	}
	var given struct {
		ID string `json:"id"`
	}
	if cut != nil || json.Unmarshal(answer, &given) != nil || given.ID == "" || len(given.ID) > 64 {
		// It has the frame, and no acknowledgement can be told to be of it: the command stays sent until its time is over.
		return unsure, errors.New("its answer has no id of the frame")
	}
	d.frames.note(p.via, p.command.Owner, given.ID, p.command.ID)
	return queued, nil
}
