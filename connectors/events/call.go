package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/trace"
)

// A result is what became of a queued call.
type result struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// makeCall makes a queued call and has its result sent to who asked for it, without waiting for that. It returns an error if the call shall be made
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
		c.results.add(context.WithoutCancel(ctx), call, r)
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
