package http

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/castor-iot/castor/connectors/link"
	"github.com/castor-iot/castor/shared/dial"
)

// Bounds of what is handed to network servers, so that one that is slow, or not there, holds up its own devices: a try that waits for an
// answer costs a connection, and there are places for many.
const (
	pushTime    = 10 * time.Second // of one try
	pushTries   = 3
	pushPause   = 2 * time.Second // after the first
	pushAtOnce  = 512
	pushOfOwner = 64   // of them for the devices of one owner: it takes eight to hold up others
	pushOfHost  = 32   // of them to one host
	pushOfOne   = 8    // of them of one integration
	pushWaiting = 64   // for one device
	pushAnswer  = 4096 // bytes read of an answer
)

// downlinks hands commands to network servers, beside everything else: those of one device one after the other.
type downlinks struct {
	plain, secure *http.Client
	now           func() time.Time
	log           *slog.Logger
	pause         time.Duration // before the second try; twice as long before each after it
	places        chan struct{}
	hosts, owners shares
	ctx           context.Context
	stop          context.CancelFunc
	work          sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	waiting map[*endDevice][]push

	frames frames // that it has handed over
}

// A push is one frame on its way to a network server.
type push struct {
	way     *way
	via     string
	command link.Down
	body    []byte
}

func newDownlinks(private bool, now func() time.Time, log *slog.Logger) *downlinks {
	client := func(t *http.Transport) *http.Client {
		return &http.Client{Transport: t, Timeout: pushTime, CheckRedirect: dial.NoRedirect}
	}
	d := &downlinks{plain: client(dial.Transport(pushTime, dial.PlainControl(private))), secure: client(dial.Transport(pushTime, dial.Control(private))), now: now, log: log, pause: pushPause,
		places: make(chan struct{}, pushAtOnce), hosts: newShares(pushOfHost), owners: newShares(pushOfOwner), waiting: map[*endDevice][]push{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d
}

// add has a frame handed over; false = too much waits, or nothing is taken any more.
func (d *downlinks) add(to *endDevice, p push) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped || len(d.waiting[to]) >= pushWaiting {
		return false
	}
	if d.waiting[to] = append(d.waiting[to], p); len(d.waiting[to]) == 1 {
		d.work.Go(func() { d.run(to) })
	}
	return true
}

// run hands over what waits for a device, until nothing does. What is under way stays in front, so that nobody else begins.
func (d *downlinks) run(to *endDevice) {
	for {
		d.mu.Lock()
		p := d.waiting[to][0]
		d.mu.Unlock()
		if reason := d.hand(to, &p); reason != "" {
			p.command.Fail(reason)
		}
		d.mu.Lock()
		rest := d.waiting[to][1:]
		if d.waiting[to] = rest; len(rest) == 0 {
			delete(d.waiting, to)
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

// end gives up what was not handed over.
func (d *downlinks) end() {
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	d.stop()
	d.work.Wait()
	d.plain.CloseIdleConnections()
	d.secure.CloseIdleConnections()
}
