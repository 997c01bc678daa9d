package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
)

const (
	callbackTime  = 20 * time.Second // of one try
	callbackTries = 5
)

// A result is what became of a queued call.
type result struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// makeCall makes a queued call and sends its result to who asked for it. It returns an error if the call shall be made
// again: the function said 5xx, or could not be reached.
func (c *Connector) makeCall(ctx context.Context, call bus.Call) error {
	ctx = trace.With(ctx, traceOf(call))
	started := time.Now()
	r, err := c.request(ctx, call)
	if err == nil && r.status >= 500 {
		err = fmt.Errorf("function %s answered %d", call.Function, r.status)
	}
	if err != nil {
		if ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return err // we are stopping: nobody is told of this
		}
		if call.Attempt < bus.MaxCallAttempts {
			c.count.callsRetried.Add(1)
			return err
		}
		c.count.callsFailed.Add(1)
		if r.status == 0 {
			r.status = http.StatusBadGateway
		}
	}
	c.count.calls.Add(1)
	r.took = time.Since(started)
	if call.Callback != "" {
		c.report(ctx, call, r)
	}
	return err // of the last attempt: the bus keeps the call for people to look at
}

func (c *Connector) request(ctx context.Context, call bus.Call) (result, error) {
	url := c.Gateway + "/function/" + call.Function + call.Path
	if call.Query != "" {
		url += "?" + call.Query
	}
	ctx, cancel := c.finish(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, call.Method, url, bytes.NewReader(call.Body))
	if err != nil {
		return result{status: http.StatusBadRequest}, nil // it will not get better
	}
	for name, values := range call.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set(trace.CallID, call.ID)
	response, err := c.gateway.Do(request)
	if err != nil {
		return result{}, err
	}
	defer drain(response.Body)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return result{}, err
	}
	return result{status: response.StatusCode, header: response.Header, body: body}, nil
}

// traceOf is the trace that a call came with; its id where it came with none.
func traceOf(call bus.Call) string {
	if id := trace.FromHeader(call.Header); id != "" {
		return id
	}
	return call.ID
}

// report sends a result to the callback address. When that cannot be reached the result is lost: making the call again
// for it would do the work twice. A try that has begun is brought to its end, also when we are stopping.
func (c *Connector) report(ctx context.Context, call bus.Call, r result) {
	var err error
	for try := range callbackTries {
		if err = c.reportOnce(context.WithoutCancel(ctx), call, r); err == nil {
			c.count.callbacks.Add(1)
			return
		}
		if errors.Is(err, errNotPublic) || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second << try):
		}
	}
	c.count.callbacksFailed.Add(1)
	c.Log.WarnContext(ctx, "result of a call not delivered", "function", call.Function, "error", err)
}

func (c *Connector) reportOnce(ctx context.Context, call bus.Call, r result) error {
	ctx, cancel := context.WithTimeout(ctx, callbackTime)
	defer cancel()
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
