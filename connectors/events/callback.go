package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
)

// report sends a result to the callback address, once.
func (c *Connector) report(ctx context.Context, call bus.Call, r result) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, call.Callback, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if contentType := r.header.Get("Content-Type"); contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	trace.SetHeader(request.Header, traceOf(call))
	request.Header.Set(trace.CallID, call.ID)
	request.Header.Set("X-Function-Name", call.Function)
	request.Header.Set("X-Function-Status", strconv.Itoa(r.status))
	request.Header.Set("X-Duration-Seconds", strconv.FormatFloat(r.took.Seconds(), 'f', 6, 64))
	response, err := c.callback.Do(request)
	if err != nil {
		return err
	}
	defer drain(response.Body)
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("the callback answered %s", response.Status)
	}
	return nil
}

var errNotPublic = errors.New("the callback's address is not a public one")

// callbackClient looks at the address that is really dialled, because a name may mean another one by then.
func callbackClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !private {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if a, err := netip.ParseAddrPort(address); err != nil || !public(a.Addr()) {
				return errNotPublic
			}
			return nil
		}
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 64, IdleConnTimeout: time.Minute},
		CheckRedirect: noRedirect,
	}
}

// sharedNet is the address space of carriers' translators (RFC 6598), which is not called private and is not public.
var sharedNet = netip.MustParsePrefix("100.64.0.0/10")

func public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedNet.Contains(a)
}
