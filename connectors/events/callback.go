package events

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/castor-iot/castor/shared/bus"
	"github.com/castor-iot/castor/shared/dial"
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

// callbackClient calls where callbacks may lead.
func callbackClient(private bool) *http.Client {
	return &http.Client{Transport: dial.Transport(5*time.Second, dial.Control(private)), CheckRedirect: dial.NoRedirect}
}
